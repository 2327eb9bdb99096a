"""Where and how a program is started makes no difference: it starts warm, or cold where libc itself is told something."""

from __future__ import annotations

import resource
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from frazil.builder.elf import SNAPSHOT_ADDRESS, ElfFile
from frazil.builder.warm.inspection import inspect_warm
from frazil_runtime.snapshot.format import PAGE, Question
from roots import enter_command, make_root
from started import WARM, Outcome, start
from support import Build

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
GREETING: Final = Outcome(0, "Hello from one file.\n", "")
COLD: Final = "frazil: warm: cold: "
MIB: Final = 1 << 20
# Fields of the header (docs/spec/snapshot.md, "The segment").
CRC, TABLES, RESUME = 12, 24, 120
LAYOUTS: Final = {
    "fixed": ["setarch", "--addr-no-randomize"],
    "old": ["setarch", "--addr-compat-layout"],
    "old and fixed": ["setarch", "--addr-compat-layout", "--addr-no-randomize"],
    "endless stack": ["prlimit", "--stack=unlimited"],
}
PROBE: Final = """\
import os
import signal
import sys

if __name__ == "__main__":
    try:
        directory = os.getcwd()
    except OSError as error:
        directory = type(error).__name__
    handlers = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)]
    print(ascii(sys.argv), sys.executable, directory, handlers, os.getpid() == 1, dict(os.environ).get("HOME"))
    print(sys.stdin and sys.stdin.read(), file=sys.stderr)
"""


@pytest.fixture(params=["static", "shared"])
def link(request: pytest.FixtureRequest) -> str:
    return f"--link={request.param}"


@pytest.fixture
def hello(build: Build, target: Path, link: str) -> Path:
    return build(EXAMPLES / "hello.py", target, "--warm", link)


@pytest.fixture
def probe(build: Build, target: Path, link: str, shared_directory: Path, tmp_path: Path) -> Path:
    """A copy of the executable in a directory of its own."""
    script = shared_directory / "surroundings.py"
    script.write_text(PROBE)
    directory = tmp_path / "place"
    directory.mkdir()
    return Path(shutil.copy(build(script, target, "--warm", link), directory / "probe"))


def bare_root(executable: Path, place: Path) -> Path:
    """A root with the C library, an empty ``/proc``, the executable as ``/app``, and the files that its imports looked at."""
    root = make_root(place / "root")
    shutil.copy(executable, root / "app")
    warm = inspect_warm(executable)
    assert warm is not None
    for one in warm.conditions:
        if one.question is Question.FILE:
            path = root / Path(one.name.decode()).relative_to("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(one.name.decode(), path)
    return root


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("hello.py", []), ("cli.py", ["--help"]), pytest.param("matrix.py", [], marks=pytest.mark.slow)],
)
def test_a_root_with_an_empty_proc(
    name: str, arguments: list[str], build: Build, target: Path, link: str, tmp_path: Path
) -> None:
    executable = build(EXAMPLES / name, target, "--warm", link)
    command = [*enter_command(bare_root(executable, tmp_path)), "/app", *arguments]
    decision, outcome = start(command)
    assert decision == WARM
    assert outcome.code == 0
    assert outcome == start(command, cold=True)[1]


def make_fault(executable: Path) -> None:
    """Let it restore a snapshot whose checksums hold, and go on at no address."""
    data = bytearray(executable.read_bytes())
    (segment,) = [one for one in ElfFile.parse(bytes(data)).loads() if one.address == SNAPSHOT_ADDRESS]
    snapshot = memoryview(data)[segment.offset : segment.offset + segment.file_size]
    snapshot[RESUME : RESUME + 8] = bytes(8)
    snapshot[CRC : CRC + 4] = bytes(4)
    (tables,) = struct.unpack_from("<Q", snapshot, TABLES)
    struct.pack_into("<I", snapshot, CRC, zlib.crc32(snapshot[tables:], zlib.crc32(snapshot[:PAGE])))
    executable.write_bytes(data)


def test_a_fault_where_there_is_no_proc(hello: Path, tmp_path: Path) -> None:
    """The program executes itself by the name that it was started by."""
    root = bare_root(hello, tmp_path)
    make_fault(root / "app")
    decision, outcome = start([*enter_command(root), "/app"])
    assert decision.splitlines() == ["frazil: warm: starting again, cold: a fault", f"{COLD}the warm start failed"]
    assert outcome == GREETING


def test_a_fault_keeps_arguments_and_environment(build: Build, target: Path, tmp_path: Path) -> None:
    source = tmp_path / "shows.py"
    source.write_text("import os, sys\nprint(sys.argv[1:], sorted(os.environ.items()))\n")
    executable = Path(shutil.copy(build(source, target, "--warm"), tmp_path / "app"))
    make_fault(executable)
    command: list[str | Path] = [executable, *map(str, range(200))]
    variables = {f"NAME{number}": str(number) for number in range(5000)}
    decision, outcome = start(command, env=variables)
    assert "starting again, cold: a fault" in decision
    assert outcome == start(command, env=variables, cold=True)[1]
    assert outcome.output.count("NAME") == len(variables)


def test_little_memory(hello: Path) -> None:
    """It starts warm, or cold, or says that there is no memory; and with enough of it, warm."""
    size = hello.stat().st_size
    decisions = []
    for more in (*range(6, 26, 2), 64):
        limit = size + more * MIB
        decision, outcome = start([hello], prepare=partial(resource.setrlimit, resource.RLIMIT_AS, (limit, limit)))
        assert outcome.code not in {-signal.SIGSEGV, -signal.SIGBUS}, (more, decision, outcome)
        assert outcome == GREETING if outcome.code == 0 else outcome.error, (more, decision, outcome)
        decisions.append(decision)
    assert decisions[-1] == WARM
    assert decisions[0] != WARM


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_memory(hello: Path, layout: str) -> None:
    assert start([*LAYOUTS[layout], hello]) == (WARM, GREETING)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_made_under_another_layout(target: Path, layout: str, build_environment: dict[str, str], tmp_path: Path) -> None:
    executable = tmp_path / "hello"
    command = [sys.executable, "-m", "frazil", "build", str(EXAMPLES / "hello.py"), "-o", str(executable), "--warm"]
    subprocess.run([*LAYOUTS[layout], *command, "--python", target, "-q"], check=True, env=build_environment)
    assert start([executable]) == (WARM, GREETING)
    assert start([*LAYOUTS[layout], executable]) == (WARM, GREETING)


@pytest.mark.parametrize(
    "words",
    [
        "PROBE",
        "place/probe x",
        "ln -s PROBE link; ./link",
        "cd place; PATH=$PWD; probe",
        "cd place; ln -s probe other; PATH=:; other",
        "exec 9<PROBE; rm PROBE; exec /proc/self/fd/9",
        "mkdir gone; cd gone; rmdir ../gone; PROBE",
        "nohup PROBE",
        "trap '' INT; PROBE",
        "env -u HOME PROBE",
        "echo text | PROBE",
    ],
)
def test_ways_to_start(probe: Path, words: str, tmp_path: Path) -> None:
    """Each as a shell's command; it shows what a cold start shows."""
    outcomes = []
    for cold in (False, True):
        place = tmp_path / f"{cold}" / "here"  # of one length: paths are printed
        place.mkdir(parents=True)
        shutil.copytree(probe.parent, place / "place")
        command = words.replace("PROBE", f"{place}/place/probe")
        decision, outcome = start(["/bin/sh", "-c", command], cwd=place, cold=cold)
        outcomes.append(outcome._replace(output=outcome.output.replace(f"/{cold}/", "/")))
        assert decision == (f"{COLD}the warm start failed" if cold else WARM)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].output


def test_no_variables_at_all(probe: Path) -> None:
    decision, outcome = start(["env", "-i", "FRAZIL_DEBUG=warm", probe])
    assert decision == WARM
    assert outcome == start(["env", "-i", "FRAZIL_START_COLD=1", probe])[1]


def test_a_namespace_of_processes(probe: Path) -> None:
    """Where its number is 1."""
    words: list[str | Path] = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    can = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if can.returncode != 0:
        pytest.skip(f"no such namespaces here: {can.stderr.strip()}")
    for command in ([*words, probe], [*words, "--mount-proc", probe]):
        decision, outcome = start(command)
        assert decision == WARM
        assert " True " in outcome.output
        assert outcome == start(command, cold=True)[1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("LD_PRELOAD=libm.so.6 PROBE", "LD_PRELOAD=libm.so.6"),
        ("GLIBC_TUNABLES=glibc.malloc.arena_max=1 PROBE", "GLIBC_TUNABLES=glibc.malloc.arena_max=1"),
        ("MALLOC_ARENA_MAX=1 PROBE", "MALLOC_ARENA_MAX=1"),
        ("PROBE <&-", "a standard stream is closed, or a directory"),
        ("PROBE >&-", "a standard stream is closed, or a directory"),
        ("PROBE </", "a standard stream is closed, or a directory"),
    ],
)
def test_what_makes_it_cold(probe: Path, words: str, why: str) -> None:
    command = ["/bin/sh", "-c", words.replace("PROBE", str(probe))]
    decision, outcome = start(command)
    assert decision.startswith(COLD)
    assert decision.endswith(why) or "libm.so.6" in why
    assert outcome == start(command, cold=True)[1]
