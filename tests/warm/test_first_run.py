"""Executables that make their snapshot themselves, at their first start: warm from then on, cold wherever that cannot be."""

from __future__ import annotations

import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from frazil_runtime.snapshot import format as layout
from started import WARM, Outcome, start, variables
from support import Build

# The child that makes the snapshot must be nobody's: neither to wait for, nor in the way of who reads what we print.
PROGRAM = """\
import os
import sys

import asked

if __name__ == "__main__":
    try:
        child = os.wait()
    except ChildProcessError:
        child = None
    print(asked.VALUE, child, sys.argv[1:], "PYTHONHASHSEED" in os.environ)
"""
EXPECTED: Final = Outcome(0, "None None [] False\n", "")
COLD: Final = "frazil: warm: cold: "
FIRST: Final = f"{COLD}no snapshot has been made here yet"
MAKING: Final = "one is being made"
_DAY: Final = 86400
_SECONDS: Final = 120.0
_NOBODY: Final = 65534
# Fields of the header and of objects (docs/spec/snapshot.md, "The segment").
CRC, TABLES, PROCESSOR, RESUME, OBJECTS = 12, 24, 64, 120, 144
OBJECT_BUILD = 32


def wait_until(what: Callable[[], bool]) -> None:
    """What another process does."""
    end = time.monotonic() + _SECONDS
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def at(cache: Path) -> dict[str, str]:
    """Variables by which that is the only cache."""
    return {"HOME": "/proc", "XDG_CACHE_HOME": str(cache)}


def run(executable: Path, cache: Path, **others: str) -> tuple[str, Outcome]:
    return start([executable], env={**at(cache), **others})


def directory(cache: Path) -> Path:
    return cache / "frazil/warm"


def is_made(cache: Path) -> bool:
    """Whether there is one snapshot, and nothing that was left over."""
    return [one.suffix for one in directory(cache).iterdir()] == [".snapshot"]


def snapshot_in(cache: Path) -> Path:
    (path,) = directory(cache).glob("*.snapshot")
    return path


def note_in(cache: Path) -> Path:
    """The note of an attempt, which there need not be."""
    return snapshot_in(cache).with_suffix(".attempt")


def replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)
    path.chmod(0o400)


def with_tables(path: Path, at: int, data: bytes) -> None:
    """Overwrite bytes of header or tables, and make their checksum right."""
    whole = bytearray(path.read_bytes())
    whole[at : at + len(data)] = data
    whole[CRC : CRC + 4] = bytes(4)
    (tables,) = struct.unpack_from("<Q", whole, TABLES)
    struct.pack_into("<I", whole, CRC, zlib.crc32(whole[tables:], zlib.crc32(whole[: layout.PAGE])))
    replace(path, bytes(whole))


def executables_running(executable: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "exe").readlink() == executable:
                found.append(process.name)
        except OSError:
            continue  # it has ended, or is another's
    return found


@pytest.fixture(scope="module")
def executable(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("first_run")
    (place / "asked.py").write_text("import os\nVALUE = os.environ.get('LOOKED_AT')\n")
    (place / "first.py").write_text(PROGRAM)
    return build(place / "first.py", target, "--warm=first-run")


@pytest.fixture(scope="module")
def first(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Outcome]:
    """The cache after a first start, what that decided, and its outcome."""
    cache = tmp_path_factory.mktemp("caches") / "new"
    decision, outcome = run(executable, cache)
    wait_until(lambda: is_made(cache))
    return cache, decision, outcome


@pytest.fixture
def cache(first: tuple[Path, str, Outcome], tmp_path: Path) -> Path:
    """A copy of the cache."""
    return Path(shutil.copytree(first[0], tmp_path / "cache"))


def test_the_second_start_is_warm(executable: Path, first: tuple[Path, str, Outcome]) -> None:
    cache, decision, outcome = first
    assert decision.splitlines()[0] == FIRST
    assert decision.endswith(MAKING)
    assert outcome == EXPECTED
    assert run(executable, cache) == (WARM, EXPECTED)
    assert start([executable], env=at(cache), cold=True)[1] == EXPECTED
    wait_until(lambda: not executables_running(executable))
    assert is_made(cache)
    assert [one.stat().st_mode & 0o777 for one in (cache / "frazil", directory(cache), snapshot_in(cache))] == [
        0o700,
        0o700,
        0o400,
    ]


def test_concurrent_first_starts(executable: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(lambda _: run(executable, tmp_path), range(10)))
    assert [outcome for _, outcome in results] == [EXPECTED] * 10
    assert all(decision.startswith(FIRST) or decision == WARM for decision, _ in results)
    wait_until(lambda: is_made(tmp_path))
    wait_until(lambda: not executables_running(executable))
    assert is_made(tmp_path)
    assert run(executable, tmp_path) == (WARM, EXPECTED)


def test_nobody_inherits_what_the_maker_has(executable: Path, tmp_path: Path) -> None:
    """A pipe that the program was given ends with the program."""
    read, write = os.pipe()
    subprocess.run(
        [executable],
        env=variables(at(tmp_path), cold=False),
        pass_fds=[write],
        check=True,
        capture_output=True,
    )
    os.close(write)
    assert os.read(read, 1) == b""
    assert not is_made(tmp_path)
    os.close(read)
    wait_until(lambda: is_made(tmp_path))


def test_starts_that_make_none(executable: Path, tmp_path: Path) -> None:
    environment = at(tmp_path / "not")
    assert start([executable], env=environment, cold=True)[1] == EXPECTED
    assert "told something" in run(executable, tmp_path / "not", MALLOC_ARENA_MAX="1")[0]
    assert run(executable, tmp_path / "not", LC_ALL="en_US.ISO-8859-1")[1] == EXPECTED
    assert not (tmp_path / "not").exists()


# --- where no cache can be ---


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": "/proc"},
        {"HOME": "/nonexistent/home"},
        {"HOME": "relative"},
        {"HOME": "", "XDG_CACHE_HOME": ""},
        {"HOME": "/dev/null", "XDG_CACHE_HOME": "relative"},
    ],
)
def test_no_cache(executable: Path, environment: dict[str, str]) -> None:
    decision, outcome = start([executable], env=environment)
    assert (decision.splitlines()[0], outcome) == (FIRST, EXPECTED)
    assert decision.endswith("there is no private cache directory")


def test_home_is_not_set(executable: Path) -> None:
    done = subprocess.run([executable], env={"FRAZIL_DEBUG": "warm"}, capture_output=True, text=True, check=True)
    assert done.stdout == EXPECTED.output
    assert "there is no private cache directory" in done.stderr


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="frazil-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_read_only_home(executable: Path, open_place: Path) -> None:
    program, home = Path(shutil.copy(executable, open_place)), open_place / "home"
    home.mkdir()
    home.chmod(0o555)

    def be_another_user() -> None:
        if os.getuid() == 0:
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)

    decision, outcome = start([program], env={"HOME": str(home)}, prepare=be_another_user)
    assert (decision.splitlines()[0], outcome) == (FIRST, EXPECTED)
    assert decision.endswith("there is no private cache directory")
    assert not list(home.iterdir())


def test_a_disk_that_is_full(executable: Path, tmp_path: Path) -> None:
    """One attempt, and a week later another."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    assert start([executable], env=at(tmp_path), prepare=limit)[1] == EXPECTED
    wait_until(lambda: not executables_running(executable))
    (note,) = directory(tmp_path).iterdir()
    decision, outcome = run(executable, tmp_path)
    assert (decision.splitlines()[0], outcome) == (FIRST, EXPECTED)
    assert not decision.endswith(MAKING)
    os.utime(note, (0, time.time() - 8 * _DAY))
    assert run(executable, tmp_path)[0].endswith(MAKING)
    wait_until(lambda: is_made(tmp_path))


def test_why_there_is_none(executable: Path, cache: Path) -> None:
    """Whatever goes wrong is noted, for those who ask."""
    snapshot_in(cache).rename(in_the_way := snapshot_in(cache).with_suffix(".making"))
    assert run(executable, cache)[0].endswith(MAKING)
    wait_until(lambda: in_the_way.with_suffix(".attempt").stat().st_size > 0)
    assert "NotADirectoryError" in run(executable, cache)[0]


def test_a_maker_that_was_killed(executable: Path, cache: Path) -> None:
    """What it left is not in the way, and removed by the next one."""
    left = snapshot_in(cache).with_suffix(".making")
    left.mkdir()
    (left / "snapshot").write_bytes(b"half of it")
    snapshot_in(cache).unlink()
    note = left.with_suffix(".attempt")
    note.touch()
    assert run(executable, cache)[0].endswith("it did not come to an end")
    os.utime(note, (0, time.time() - 8 * _DAY))
    assert run(executable, cache)[0].endswith(MAKING)
    wait_until(lambda: is_made(cache))
    assert run(executable, cache) == (WARM, EXPECTED)


# --- snapshots that are not used ---


def damages() -> dict[str, Callable[[bytes], bytes]]:
    source = random.Random(8)
    return {
        "empty": lambda _: b"",
        "a byte": lambda _: b"x",
        "random": lambda whole: source.randbytes(len(whole)),
        "header only": lambda whole: whole[: layout.PAGE],
        "truncated": lambda whole: whole[:-1],
        "half": lambda whole: whole[: len(whole) // 2],
        "longer": lambda whole: whole + b"\0",
        "a page": lambda whole: whole[: 3 * layout.PAGE] + source.randbytes(layout.PAGE) + whole[4 * layout.PAGE :],
        "a table": lambda whole: whole[:-100] + bytes(100),
    }


@pytest.mark.parametrize("name", damages())
def test_damage(executable: Path, cache: Path, name: str) -> None:
    path = snapshot_in(cache)
    note_in(cache).touch()  # that somebody has just tried, so that no other is made
    replace(path, damages()[name](path.read_bytes()))
    decision, outcome = run(executable, cache)
    assert decision.startswith(COLD)
    assert decision.endswith("it did not come to an end")
    assert outcome == EXPECTED


def test_a_damaged_one_is_replaced(executable: Path, cache: Path) -> None:
    replace(snapshot_in(cache), b"damaged")
    decision, outcome = run(executable, cache)
    assert decision.splitlines()[0] == f"{COLD}the snapshot is truncated"
    assert (decision.endswith(MAKING), outcome) == (True, EXPECTED)
    wait_until(lambda: is_made(cache))
    assert run(executable, cache) == (WARM, EXPECTED)


def test_another_c_library(executable: Path, cache: Path) -> None:
    path = snapshot_in(cache)
    whole = path.read_bytes()
    (tables,) = struct.unpack_from("<Q", whole, TABLES)
    (offset,) = struct.unpack_from("<I", whole, OBJECTS)
    build = tables + offset + OBJECT_BUILD
    with_tables(path, build, bytes([whole[build] ^ 1]))
    decision, outcome = run(executable, cache)
    assert decision.startswith(f"{COLD}it was made with another ")
    assert (decision.endswith(MAKING), outcome) == (True, EXPECTED)
    wait_until(lambda: is_made(cache))
    assert run(executable, cache) == (WARM, EXPECTED)


def test_another_processor(executable: Path, cache: Path) -> None:
    path = snapshot_in(cache)
    with_tables(path, PROCESSOR, bytes([path.read_bytes()[PROCESSOR] ^ 1]))
    note_in(cache).touch()
    decision, outcome = run(executable, cache)
    assert decision.splitlines()[0] == f"{COLD}it was made on another processor"
    assert outcome == EXPECTED


def test_a_snapshot_that_cannot_be_restored(executable: Path, cache: Path) -> None:
    """It is taken away: not each start is to find that out."""
    path = snapshot_in(cache)
    with_tables(path, RESUME, struct.pack("<Q", 8))
    decision, outcome = run(executable, cache)
    assert "starting again, cold: a fault" in decision
    assert outcome == EXPECTED
    assert not path.exists()
    assert path.with_suffix(".attempt").read_text() == "a start from it ended by a fault\n"
    decision, outcome = run(executable, cache)
    assert decision.endswith("a start from it ended by a fault")
    assert outcome == EXPECTED


def test_a_link_is_not_followed(executable: Path, cache: Path, tmp_path: Path) -> None:
    path = snapshot_in(cache)
    note_in(cache).touch()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert run(executable, cache)[0].splitlines()[0] == f"{COLD}the snapshot in the cache is a link"


def test_directories_of_others(executable: Path, cache: Path) -> None:
    for place in (directory(cache), cache / "frazil"):
        for mode in (0o770, 0o707):
            place.chmod(mode)
            decision, outcome = run(executable, cache)
            assert (decision.splitlines()[0], outcome) == (FIRST, EXPECTED)
        place.chmod(0o700)
    assert run(executable, cache) == (WARM, EXPECTED)
    (cache / "frazil").rename(cache / "other")
    (cache / "frazil").symlink_to(cache / "other")
    assert run(executable, cache)[0].splitlines()[0] == FIRST


def test_files_of_others(executable: Path, cache: Path) -> None:
    path = snapshot_in(cache)
    note_in(cache).touch()
    for mode in (0o420, 0o402):
        path.chmod(mode)
        decision, outcome = run(executable, cache)
        assert (decision.splitlines()[0], outcome) == (f"{COLD}the snapshot in the cache is not ours alone", EXPECTED)
    path.chmod(0o400)
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    for place in (path, directory(cache)):
        os.chown(place, _NOBODY, -1)
        decision, outcome = run(executable, cache)
        assert (decision.startswith(COLD), outcome) == (True, EXPECTED)
        os.chown(place, 0, -1)
    note_in(cache).unlink()
    assert run(executable, cache) == (WARM, EXPECTED)


# --- what imports look at ---


def test_variables(executable: Path, tmp_path: Path) -> None:
    """Imports see the first start's that they look at; other values make a start cold, and a new snapshot after a day."""
    outcomes = {value: Outcome(0, f"{value} None [] False\n", "") for value in ("one", "other")}
    assert run(executable, tmp_path, LOOKED_AT="one", SECRET="never looked at")[1] == outcomes["one"]
    wait_until(lambda: is_made(tmp_path))
    path = snapshot_in(tmp_path)
    assert b"never looked at" not in path.read_bytes()
    assert run(executable, tmp_path, LOOKED_AT="one") == (WARM, outcomes["one"])
    decision, outcome = run(executable, tmp_path, LOOKED_AT="other")
    assert decision == f"{COLD}an import looked at this, and it was different: LOOKED_AT"
    assert outcome == outcomes["other"]
    assert is_made(tmp_path)
    before = time.time() - 2 * _DAY
    os.utime(path, (before, before))
    decision, outcome = run(executable, tmp_path, LOOKED_AT="other")
    assert (decision.endswith(MAKING), outcome) == (True, outcomes["other"])
    wait_until(lambda: is_made(tmp_path) and path.stat().st_mtime > before)
    assert run(executable, tmp_path, LOOKED_AT="other") == (WARM, outcomes["other"])


# --- what frazil says of it ---


def test_inspect(executable: Path, cache: Path, build_environment: dict[str, str], tmp_path: Path) -> None:
    def inspect(*options: str, cache: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "frazil", "inspect", str(executable), *options]
        environment = {**build_environment, **at(cache)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert "made at the first start on each machine, of os, sys, asked" in " ".join(inspect(cache=cache).stdout.split())
    cold = inspect("--explain-warm", cache=tmp_path / "none")
    assert (cold.returncode, cold.stdout) == (1, "It starts cold here: no snapshot has been made here yet\n")
    assert not (tmp_path / "none").exists()
    warm = inspect("--explain-warm", cache=cache)
    assert (warm.returncode, warm.stdout) == (0, "It starts warm here.\n")
