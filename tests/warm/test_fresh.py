"""What a warm start must have of its own, and what programs do after one: as a cold start of the same executable has and does.

``programs/fresh.py`` holds everything that is tried; all that it imports is in the snapshot.
"""

from __future__ import annotations

import os
import pty
import re
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from started import WARM, Outcome, start, variables, without_decisions
from support import Build

PROGRAMS = Path(__file__).resolve().parent / "programs"
STARTS = 3
LIBRARIES = """\
# /// script
# dependencies = ["numpy", "cryptography"]
# ///
import numpy
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

EARLY = numpy.random.default_rng

if __name__ == "__main__":
    print(numpy.random.random(), EARLY().random(), numpy.random.default_rng().random(), numpy.random.RandomState().rand())
    key = ed25519.Ed25519PrivateKey.generate().private_bytes_raw().hex()
    print(Fernet.generate_key().decode(), key, ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value)
"""


@pytest.fixture(scope="module")
def program(build: Build, target: Path) -> Path:
    return build(PROGRAMS / "fresh.py", target, "--warm")


def warm(program: Path, *arguments: str, **how: object) -> Outcome:
    """How it ends; it must have started warm. The lines of interpreters that it starts itself may follow."""
    decisions, outcome = start([program, *arguments], **how)  # type: ignore[arg-type]  # start's own
    assert decisions.splitlines()[:1] == [WARM], decisions
    return outcome


def cold(program: Path, *arguments: str, **how: object) -> Outcome:
    return start([program, *arguments], cold=True, **how)[1]  # type: ignore[arg-type]  # start's own


# -- state -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """What a process is started with."""

    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    prepare: Callable[[], object] = lambda: None


def _small_stack() -> None:
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 21, resource.getrlimit(resource.RLIMIT_STACK)[1]))


def _open_more() -> None:
    for _ in range(3):
        os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)


def _ignore() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)


WORLDS = {
    "bare": World(),
    "variables": World({"X": "a value", "HOME": "/another/home", "COLUMNS": "100", "TERM": "vt100"}),
    "not UTF-8": World({"X": "\udcff\udcfe", "HOME": "/\udcff"}),
    "directory": World(cwd=Path("/usr")),
    "C locale": World({"LC_ALL": "C"}),
    "no locale": World({"LC_ALL": "xx_YY.UTF-8"}),
    "UTF-8 for LC_CTYPE": World({"LANG": "", "LC_CTYPE": "C.UTF-8"}),
    "POSIX zone": World({"TZ": "XYZ-3ZYX"}),
    "named zone": World({"TZ": "Europe/Oslo"}),
    "no such zone": World({"TZ": ":no/such"}),
    "ignored signals": World(prepare=_ignore),
    "blocked signals": World(prepare=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})),
    "umask": World(prepare=lambda: os.umask(0o77)),
    "files": World(prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))),
    "stack": World(prepare=_small_stack),
    "one processor": World(prepare=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})),
    "session": World(prepare=os.setsid),
    "priority": World(prepare=lambda: os.nice(3)),
    "descriptors": World(prepare=_open_more),
    "alarm": World(prepare=lambda: signal.setitimer(signal.ITIMER_REAL, 100)),
}  # fmt: skip


DEVIATIONS: dict[str, tuple[str, ...]] = {}
"""Lines that may differ (``docs/warm-start.md``, "Deviations")."""


@pytest.mark.parametrize("name", WORLDS)
def test_state(program: Path, name: str) -> None:
    world = WORLDS[name]
    now = str(time.time())
    expected = cold(program, "state", now, env=world.env, cwd=world.cwd, prepare=world.prepare)
    assert expected.code == 0, expected
    found = warm(program, "state", now, env=world.env, cwd=world.cwd, prepare=world.prepare)
    kept = DEVIATIONS.get(name, ())
    assert _steady(found.output, kept) == _steady(expected.output, kept)
    assert (found.code, found.error) == (expected.code, expected.error)


def _steady(output: str, deviations: tuple[str, ...]) -> list[str]:
    """Without the time that is left of an alarm, and what is known to deviate."""
    return [re.sub(r" \(\d\d\.\d+, ", " (99, ", line) for line in output.splitlines() if not line.startswith(deviations)]


# -- what must differ ------------------------------------------------------------------------------------------------------


def test_random_numbers_and_keys_differ(program: Path) -> None:
    starts = [warm(program, "unique").output.splitlines() for _ in range(STARTS)]
    assert len(starts[0]) > 15
    for lines in zip(*starts, strict=True):
        name, *places = zip(*(line.split() for line in lines), strict=True)
        assert places
        assert [len(set(words)) for words in places] == [STARTS] * len(places), name


@pytest.mark.slow
def test_random_numbers_of_libraries_differ(build: Build, target: Path, tmp_path: Path) -> None:
    (tmp_path / "libraries.py").write_text(LIBRARIES)
    executable = build(tmp_path / "libraries.py", target, "--warm")
    rows = [warm(executable).output.split() for _ in range(STARTS)]
    assert len(rows[0]) == 7
    assert [len(set(values)) for values in zip(*rows, strict=True)] == [STARTS] * 7


# -- what programs do ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["threads", "fork", "signals", "files", "databases", "subprocesses", "sockets", "write", "asyncio",
     "processes fork", "processes spawn", "processes forkserver"],
)  # fmt: skip
def test_after_a_warm_start(program: Path, command: str) -> None:
    expected = cold(program, *command.split())
    assert expected.code == 0, expected
    assert warm(program, *command.split()) == expected


@pytest.mark.parametrize(
    ("how", "code"),
    [("0", 0), ("3", 3), ("message", 1), ("exception", 1), ("group", 1), ("recursion", 1), ("finalized", 0), ("thread", 0),
     ("daemon", 0), ("unflushed", 0), ("full", 120), ("closed", 120), ("abort", -6), ("fault", -11), ("SIGTERM", -15),
     ("SIGKILL", -9), ("SIGHUP", -1), ("SIGINT", -2)],
)  # fmt: skip
def test_exit_codes(program: Path, how: str, code: int) -> None:
    expected = cold(program, "exit", how)
    assert expected.code == code
    assert warm(program, "exit", how) == expected


@pytest.mark.parametrize("how", ["interrupt", "interrupt-asyncio"])
def test_an_interrupt_from_outside(program: Path, how: str) -> None:
    ends = []
    for is_cold in (True, False):
        with subprocess.Popen(
            [program, "exit", how], env=variables(None, cold=is_cold), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            output, error = process.communicate(timeout=60)
        decision, rest = without_decisions(error)
        assert (decision == WARM) is not is_cold
        assert rest.startswith("Traceback")
        ends.append((process.returncode, output, rest.splitlines()[-1]))
    assert ends[0] == ends[1]
    assert ends[0][::2] == (-signal.SIGINT, "KeyboardInterrupt")


# -- streams ---------------------------------------------------------------------------------------------------------------

LINES = "first\nsecond\nthe rest: é\n"


def test_input_from_a_file(program: Path) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(LINES.encode())
        ends = []
        for run in (cold, warm):
            file.seek(0)
            ends.append(run(program, "read", stdin=file))
    assert ends[0] == ends[1]
    assert "é" in ends[0].output


def test_input_from_a_pipe(program: Path) -> None:
    ends = []
    for run in (cold, warm):
        reader, writer = os.pipe()
        os.write(writer, LINES.encode())
        os.close(writer)
        ends.append(run(program, "read", stdin=reader))
        os.close(reader)
    assert ends[0] == ends[1]
    assert "é" in ends[0].output


def test_output_to_a_file(program: Path, tmp_path: Path) -> None:
    written = []
    for is_cold in (True, False):
        path = tmp_path / f"output-{is_cold}"
        path.write_text("what was there\n")
        for mode in ("a", "r+"):
            with path.open(mode) as file:
                subprocess.run(
                    [program, "write"], env=variables(None, cold=is_cold), stdout=file, stderr=subprocess.PIPE, check=True
                )
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert b"past the stream\n" in written[0]


def _in_terminal(program: Path, *arguments: str, typed: bytes = b"", after: bytes = b"", is_cold: bool) -> tuple[str, int, str]:
    """Decision, exit code and all that it shows, when the three streams are one terminal, where somebody types."""
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.execve(program, [os.fspath(program), *arguments], variables({"TERM": "xterm"}, cold=is_cold))
        finally:
            os._exit(127)
    shown = bytearray()
    while True:
        if typed and after in shown:
            os.write(master, typed)
            typed = b""
        try:
            data = os.read(master, 4096)
        except OSError:  # the program has ended
            break
        if not data:
            break
        shown += data
    os.close(master)
    decision, rest = without_decisions(shown.decode("utf-8", "surrogateescape").replace("\r\n", "\n"))
    return decision, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), rest


@pytest.mark.parametrize("arguments", [("write",), ("exit", "unflushed"), ("exit", "exception")], ids=" ".join)
def test_in_a_terminal(program: Path, arguments: tuple[str, ...]) -> None:
    expected = _in_terminal(program, *arguments, is_cold=True)
    assert _in_terminal(program, *arguments, is_cold=False) == (WARM, *expected[1:])
    assert expected[2]


def test_input_from_a_terminal(program: Path) -> None:
    typed = LINES.encode() + b"\x04"
    _, code, shown = _in_terminal(program, "read", typed=typed, is_cold=True)
    decision, *found = _in_terminal(program, "read", typed=typed, is_cold=False)
    assert (decision, *found) == (WARM, code, shown)
    assert "prompt> second" in shown


@pytest.mark.parametrize("how", ["interrupt", "interrupt-asyncio"])
def test_an_interrupt_from_a_terminal(program: Path, how: str) -> None:
    ends = []
    for is_cold in (True, False):
        decision, code, shown = _in_terminal(program, "exit", how, typed=b"\x03", after=b"ready", is_cold=is_cold)
        assert (decision == WARM) is not is_cold
        ends.append((code, shown.splitlines()[-2:], "cancelled" in shown))
    assert ends[0] == ends[1]
    code, (interrupt, last), _ = ends[0]
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in interrupt  # in colours, since 3.13
    assert last == "atexit"


def test_state_in_a_terminal(program: Path) -> None:
    now = str(time.time())
    expected = _in_terminal(program, "state", now, is_cold=True)
    assert _in_terminal(program, "state", now, is_cold=False) == (WARM, 0, expected[2])
    assert "stdout True <stdout> w utf-8 surrogateescape 1 True" in expected[2]


def test_lines_are_kept_back_only_where_nobody_reads_along(program: Path) -> None:
    assert warm(program, "exit", "unflushed").output == ""
    assert "kept back" in _in_terminal(program, "exit", "unflushed", is_cold=False)[2]
