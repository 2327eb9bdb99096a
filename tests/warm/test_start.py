"""Warm starts of small programs: the same output as cold, and the process's own state fresh."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from frazil.builder.elf import SNAPSHOT_ADDRESS, ElfFile
from support import Build

PROGRAM = """\
import json, multiprocessing.process, os, random, signal, sqlite3, ssl, subprocess, sys, tempfile, threading, uuid
import secrets

LOOKED = os.environ.get("LOOKED_AT")


def main():
    what = sys.argv[1]
    if what == "argv":
        print(sys.argv[1:], os.environ.get("X"), LOOKED, os.path.isabs(sys.executable))
    elif what == "random":
        key = multiprocessing.process.current_process().authkey.hex()
        print(random.random(), uuid.uuid4(), secrets.token_hex(), ssl.RAND_bytes(8).hex(), tempfile.mktemp(), key)
    elif what == "threads":
        seen = []
        threads = [threading.Thread(target=seen.append, args=(i,)) for i in range(4)]
        [one.start() for one in threads]
        [one.join() for one in threads]
        main = threading.main_thread()
        print(sorted(seen), main is threading.current_thread())
        print(main.ident == threading.get_ident(), main.native_id == os.getpid())
    elif what == "fork":
        child = os.fork()
        if child == 0:
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), subprocess.check_output(["echo", "child"]))
    elif what == "signal":
        signal.signal(signal.SIGUSR1, lambda number, frame: print("got", number))
        os.kill(os.getpid(), signal.SIGUSR1)
    elif what == "sqlite":
        base = sqlite3.connect(":memory:")
        print(base.execute("select 6 * 7").fetchall(), open(__file__).read(4))
    elif what == "exit":
        sys.exit(int(sys.argv[2]))


if __name__ == "__main__":
    main()
"""


def run(executable: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it with the debug output of the warm start, in an environment of its own."""
    environment = {"PATH": os.environ["PATH"], "FRAZIL_DEBUG": "warm", **variables}
    return subprocess.run([executable, *arguments], capture_output=True, text=True, check=False, env=environment, timeout=60)


@pytest.fixture(scope="module")
def program(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("warm") / "program.py"
    source.write_text(PROGRAM)
    return build(source, target, "--warm")


@pytest.mark.parametrize("what", [("argv", "a"), ("threads",), ("fork",), ("signal",), ("sqlite",), ("exit", "3")])
def test_is_the_same_warm_and_cold(program: Path, what: tuple[str, ...]) -> None:
    cold = run(program, *what, X="b", FRAZIL_START_COLD="1")
    assert "frazil: warm: cold: the warm start failed" in cold.stderr
    for _ in range(5):
        warm = run(program, *what, X="b")
        assert warm.stderr == "frazil: warm: warm\n"
        assert (warm.returncode, warm.stdout) == (cold.returncode, cold.stdout)


def test_what_must_differ_differs(program: Path) -> None:
    starts = [run(program, "random") for _ in range(3)]
    assert all(one.stderr == "frazil: warm: warm\n" for one in starts)
    for values in zip(*(one.stdout.split() for one in starts), strict=True):
        assert len(set(values)) == len(starts)


def test_the_c_locale_starts_warm(program: Path) -> None:
    assert run(program, "argv", LC_ALL="C").stderr == "frazil: warm: warm\n"


def test_a_module_that_looked_at_the_time_zone_makes_it_a_condition(build: Build, target: Path, tmp_path: Path) -> None:
    (tmp_path / "zone.py").write_text("import time\nNAME = time.tzname[0]\n")
    (tmp_path / "zoned.py").write_text("import zone\nif __name__ == '__main__':\n    print(zone.NAME)\n")
    executable = build(tmp_path / "zoned.py", target, "--warm")
    assert run(executable).stderr == "frazil: warm: warm\n"
    other = run(executable, TZ="XYZ-3")
    assert "it was different: TZ" in other.stderr
    assert other.stdout == "XYZ\n"


def _snapshot(data: bytes) -> tuple[int, int]:
    one = next(one for one in ElfFile.parse(data).loads() if one.address == SNAPSHOT_ADDRESS)
    return one.offset, one.file_size


@pytest.mark.parametrize("seed", range(4))
def test_damage_makes_it_cold(program: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(program.read_bytes())
    offset, size = _snapshot(bytes(data))
    expected = run(program, "argv").stdout
    damaged = tmp_path / "damaged"
    for _ in range(25):
        place = offset + chance.choice([chance.randrange(size), chance.randrange(4096)])
        kept = data[place]
        data[place] ^= chance.randrange(1, 256)
        damaged.write_bytes(data)
        damaged.chmod(0o755)
        done = run(damaged, "argv")
        assert (done.returncode, done.stdout) == (0, expected)
        assert "cold" in done.stderr
        data[place] = kept


def test_a_truncated_snapshot_makes_it_cold(program: Path, tmp_path: Path) -> None:
    data = program.read_bytes()
    offset, size = _snapshot(data)
    cut = tmp_path / "cut"
    cut.write_bytes(data[: offset + size // 2])
    cut.chmod(0o755)
    done = run(cut, "argv")
    assert (done.returncode, done.stdout) == (0, run(program, "argv").stdout)
    assert "truncated" in done.stderr
