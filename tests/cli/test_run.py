from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from frazil.cache import ContentCache


def run(*arguments: str | Path, cwd: Path, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({} if cache is None else {"FRAZIL_CACHE_DIR": str(cache)})}
    words = [sys.executable, "-m", "frazil", "run", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


@pytest.fixture
def place(tmp_path: Path, build_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a script, and the cache that all tests of a run share."""
    monkeypatch.setenv("FRAZIL_CACHE_DIR", build_environment["FRAZIL_CACHE_DIR"])
    (tmp_path / "hello.py").write_text("import sys\nprint('hello', *sys.argv[1:])\nsys.exit(len(sys.argv) - 1)\n")
    return tmp_path


def test_arguments_and_exit_code_are_the_programs(place: Path) -> None:
    answer = run("hello.py", "--", "--name", "you", "--", "-h", cwd=place)
    assert (answer.returncode, answer.stdout, answer.stderr) == (4, "hello --name you -- -h\n", "")
    assert sorted(path.name for path in place.iterdir()) == ["hello.py"]


def test_a_changed_source_is_built_anew(place: Path) -> None:
    assert run("hello.py", cwd=place).stdout == "hello\n"
    (place / "hello.py").write_text("print('changed')\n")
    assert run("hello.py", cwd=place).stdout == "changed\n"


def executables(cache: Path) -> list[Path]:
    return sorted(path for path in (ContentCache(cache).root / "run").glob("*/*/hello") if path.is_file())


def test_a_second_run_builds_nothing(place: Path) -> None:
    cache = place / "cache"
    assert run("hello.py", cwd=place, cache=cache).stdout == "hello\n"
    (built,) = executables(cache)
    before = built.stat().st_ino
    assert run("hello.py", "--", "again", cwd=place, cache=cache).stdout == "hello again\n"
    assert [path.stat().st_ino for path in executables(cache)] == [before]


def test_options_make_another_executable(place: Path) -> None:
    (place / "hello.py").write_text("import sys\nprint(sys.flags.optimize)\n")
    assert run("hello.py", cwd=place).stdout == "0\n"
    assert run("hello.py", "--optimize", "2", cwd=place).stdout == "2\n"


def test_an_executable_that_a_cleaner_took_is_built_again(place: Path) -> None:
    cache = place / "cache"
    run("hello.py", cwd=place, cache=cache)
    for built in executables(cache):
        built.unlink()
    assert run("hello.py", cwd=place, cache=cache).stdout == "hello\n"


def test_executables_that_nobody_runs_are_dropped(place: Path) -> None:
    cache = place / "cache"
    run("hello.py", cwd=place, cache=cache)
    (old,) = executables(cache)
    os.utime(old.parent, (0, 0))
    (place / "hello.py").write_text("print('changed')\n")
    run("hello.py", cwd=place, cache=cache)
    assert len(executables(cache)) == 1
    assert executables(cache) != [old]


def test_a_signal_ends_it_as_it_ends_the_program(place: Path) -> None:
    (place / "hello.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert run("hello.py", cwd=place).returncode == -signal.SIGKILL


def test_one_of_several_scripts(place: Path, pair: Path) -> None:
    answer = run(pair, cwd=place)
    assert answer.returncode == 2
    assert answer.stderr == "error: several programs are here\nChoose one with --script: one, two.\n"
    assert run(pair, "--script", "two", cwd=place).stdout == "two\n"
    answer = run(pair, "--script", "three", cwd=place)
    assert answer.returncode == 2
    assert "there is no program 'three' here" in answer.stderr


def test_failure_is_told(place: Path) -> None:
    answer = run("absent.py", cwd=place)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("error: ")
    assert "absent.py" in answer.stderr
