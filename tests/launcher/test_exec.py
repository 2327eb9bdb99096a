from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "src/frazil/launcher"
C = ROOT / "tests/launcher/c"
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-nonnull"]
SANITIZE = ["-g", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
EXEC = ["execve", "execv", "execvp", "execvpe", "execveat", "execl", "execlp", "execle"]
SPAWN = ["posix_spawn", "posix_spawnp"]
INTERPRETER = "/memfs:/bin/python3.11"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that has exec.c; without AddressSanitizer, which does not bear the descriptors of its children closed."""
    program = tmp_path_factory.mktemp("exec") / "run"
    sources = [LAUNCHER / "exec/exec.c", LAUNCHER / "exec/options.c", C / "native_memfs.c", C / "exec_run.c"]
    words: list[str | Path] = [*WARNINGS, *SANITIZE, "-I", LAUNCHER, "-no-pie", "-rdynamic", *sources, "-o", program, "-ldl"]
    subprocess.run(["cc", *words], check=True)
    return program


@dataclass(frozen=True, slots=True)
class Runner:
    program: Path
    root: Path
    """The directory that stands for memfs."""

    def wants(self, *words: str, cwd: Path) -> str:
        result = subprocess.run([self.program, "wants", *words], capture_output=True, text=True, check=True, cwd=cwd)
        return result.stdout.strip()

    def run(self, function: str, path: str | Path, *words: str, options: str = "-", cwd: str | Path = "/") -> tuple[str, int]:
        """What the started program printed, and the exit code."""
        command = [self.program, "do", self.root, options, function, path, *words]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
        assert result.stderr == ""
        return result.stdout.removesuffix("\n"), result.returncode

    def script(self, path: str, text: str, mode: int = 0o755) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        (self.root / path).chmod(mode)


@pytest.fixture
def runner(compiled: Path, tmp_path: Path) -> Runner:
    (tmp_path / "root").mkdir()
    shutil.copy(compiled, tmp_path / "program")
    return Runner(tmp_path / "program", tmp_path / "root")


YES = [
    "-c pass",
    "-cpass",
    "-m json.tool",
    "-mjson",
    "-I -S -c pass",
    "-ISc pass",
    "-IScpass",
    "-bBdEhiIOPqRsSuvVx? -c x",
    "-OO -m x",
    "-W ignore -c x",
    "-Wignore -c x",
    "-bWignore -c x",
    "-X dev -X utf8=1 -m x",
    "-Xdev -c x",
    "-IX dev -c x",
    "--check-hash-based-pycs always -c x",
    "--version -c x",
    "-c x script --anything",
    "a.py",
    "-u a.py --verbose",
    "a.pyc",
    "a.pyz",
    "a.zip",
    "-- a.py",
    "-B -- a.py",
    "package",
    "package/",
    "-X importtime package x",
    "--multiprocessing-fork tracker_fd=1 pipe_handle=2",
    "--multiprocessing-fork",
]
NO = [
    "",
    "-",
    "-I -",
    "-V",
    "--version",
    "--help",
    "-i",
    "-c",
    "-m",
    "-Ic",
    "-W",
    "-X",
    "-W ignore",
    "--check-hash-based-pycs",
    "--check-hash-based-pycs always",
    "--check-hash-based-pycs=always -c x",
    "--config -c x",
    "-n -c x",
    "-In -c x",
    "run -c x",
    "missing.py",
    "a.txt",
    "directory.py",
    "directory",
    "-- -c x",
    "--",
    "-I",
    "command --multiprocessing-fork",
    "-I --multiprocessing-fork",
    "-Wc x",
    ".py",
]


@pytest.mark.parametrize(("words", "wanted"), [(words, "yes") for words in YES] + [(words, "no") for words in NO])
def test_arguments_that_ask_for_an_interpreter(words: str, wanted: str, runner: Runner, tmp_path: Path) -> None:
    for name in ("a.py", "a.pyc", "a.pyz", "a.zip", "a.txt", "package/__main__.py", "directory/x", "directory.py/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert runner.wants(*words.split(), cwd=tmp_path) == wanted


@pytest.mark.parametrize("function", EXEC + SPAWN)
def test_our_executable_is_started_as_the_interpreter(function: str, runner: Runner) -> None:
    out, code = runner.run(function, runner.program, "python", "-m", "x")
    marked = " MARK=1" if function in {"execvpe", "execle"} else ""
    assert (out, code) == (f"interpreter {INTERPRETER} -m x{marked}", 7)


@pytest.mark.parametrize("function", EXEC + SPAWN)
def test_our_executable_is_started_as_the_application(function: str, runner: Runner) -> None:
    out, code = runner.run(function, runner.program, "me", "serve", "x")
    assert (out.removesuffix(" MARK=1"), code) == ("application me serve x", 7)


@pytest.mark.parametrize("function", ["execve", "posix_spawn"])
def test_by_link_and_by_relative_path(function: str, runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("program")
    assert runner.run(function, "link", "x", "-c", "y", cwd=tmp_path) == (f"interpreter {INTERPRETER} -c y", 7)
    assert runner.run(function, "./program", "x", "-c", "y", cwd=tmp_path) == (f"interpreter {INTERPRETER} -c y", 7)
    assert runner.run(function, "/proc/self/exe", "x", "-c", "y", cwd=tmp_path) == (f"interpreter {INTERPRETER} -c y", 7)


@pytest.mark.parametrize("function", ["execvp", "posix_spawnp"])
def test_through_path(function: str, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert runner.run(function, "program", "x", "-c", "y") == (f"interpreter {INTERPRETER} -c y", 7)
    assert runner.run(function, "echo", "echo", "-c", "y") == ("-c y", 0)


@pytest.mark.parametrize("function", ["execve", "posix_spawn"])
def test_application_only(function: str, runner: Runner) -> None:
    assert runner.run(function, runner.program, "me", "-c", "y", options="o") == ("application me -c y", 7)


@pytest.mark.parametrize("function", ["execve", "execvp", *SPAWN])
def test_the_link_to_the_interpreter(function: str, runner: Runner) -> None:
    assert runner.run(function, INTERPRETER, "python3", "x") == (f"interpreter {INTERPRETER} x", 7)
    assert runner.run(function, INTERPRETER, "python3") == (f"interpreter {INTERPRETER}", 7)


@pytest.mark.parametrize("function", ["execve", "posix_spawn"])
def test_deleted_while_running(function: str, runner: Runner) -> None:
    copy = runner.program.with_name("copy")
    for words, wanted in ((("x", "-c", "y"), f"interpreter {INTERPRETER} -c y"), (("me", "run"), "application me run")):
        shutil.copy(runner.program, copy)
        assert Runner(copy, runner.root).run(function, copy, *words, options="d") == (wanted, 7)
        assert not copy.exists()


@pytest.mark.parametrize("path", ["self", "memory"])
def test_in_a_child_of_vfork(path: str, runner: Runner) -> None:
    if path == "self":
        assert runner.run("execve", runner.program, "x", "-c", "y", options="v") == (f"interpreter {INTERPRETER} -c y", 7)
    else:
        shutil.copy(runner.program, runner.root / "tool")
        assert runner.run("execve", "/memfs:/tool", "t", "y", options="v") == ("application t y", 7)


def test_very_many_arguments(runner: Runner) -> None:
    words = "-c word word word word word word 4999"
    assert runner.run("execve", runner.program, "x", "-c", options="l") == (f"interpreter {INTERPRETER} {words}", 7)
    assert runner.run("posix_spawn", runner.program, "x", "-c", options="l") == (f"interpreter {INTERPRETER} {words}", 7)


@pytest.mark.parametrize("function", EXEC + SPAWN)
def test_programs_in_memory(function: str, runner: Runner) -> None:
    (runner.root / "tools").mkdir()
    shutil.copy(runner.program, runner.root / "tools/tool")
    out, code = runner.run(function, "/memfs:/tools/tool", "named", "-c", "y")
    assert (out.removesuffix(" MARK=1"), code) == ("application named -c y", 7)


@pytest.mark.parametrize("function", ["execvp", "execvpe", "execlp", "posix_spawnp"])
def test_programs_in_memory_through_path(function: str, runner: Runner) -> None:
    (runner.root / "tools").mkdir()
    shutil.copy(runner.program, runner.root / "tools/tool")
    out, code = runner.run(function, "tool", "named", "x", "y", options="p")
    assert (out.removesuffix(" MARK=1"), code) == ("application named x y", 7)


@pytest.mark.parametrize("function", ["execve", "execvp", "posix_spawnp"])
def test_scripts_in_memory(function: str, runner: Runner) -> None:
    runner.script("script", '#! /bin/sh  -u \necho "$1" "$#"; exit 3\n')
    assert runner.run(function, "/memfs:/script", "s", "a", "b") == ("a 2", 3)


def test_a_script_for_an_interpreter_in_memory(runner: Runner) -> None:
    (runner.root / "tools").mkdir()
    shutil.copy(runner.program, runner.root / "tools/tool")
    runner.script("script", "#!/memfs:/tools/tool opt\n")
    out, code = runner.run("execve", "/memfs:/script", "s", "a")
    assert out.startswith("application /memfs:/tools/tool opt /proc/self/fd/")
    assert out.endswith(" a")
    assert code == 7


def test_a_script_for_our_interpreter(runner: Runner) -> None:
    runner.script("script", f"#!{INTERPRETER}\nprint()\n")
    out, code = runner.run("execve", "/memfs:/script", "s", "a")
    assert out.startswith(f"interpreter {INTERPRETER} /proc/self/fd/")
    assert code == 7


@pytest.mark.parametrize("function", ["execve", "posix_spawn"])
def test_errors(function: str, runner: Runner) -> None:
    runner.script("plain", "#!/bin/sh\n", mode=0o644)
    runner.script("text", "no program\n")
    runner.script("hash", "#!\n")
    runner.script("loop", "#!/memfs:/text2\n")
    runner.script("text2", "#!/bin/sh\n")
    (runner.root / "directory").mkdir()
    seen = {
        path: runner.run(function, path, "x")[0]
        for path in (
            "/memfs:/plain",
            "/memfs:/text",
            "/memfs:/hash",
            "/memfs:/loop",
            "/memfs:/directory",
            "/memfs:/none",
            "/none",
        )
    }
    assert seen == {
        "/memfs:/plain": "EACCES",
        "/memfs:/text": "ENOEXEC",
        "/memfs:/hash": "ENOEXEC",
        "/memfs:/loop": "ENOEXEC",
        "/memfs:/directory": "EACCES",
        "/memfs:/none": "ENOENT",
        "/none": "ENOENT",
    }


def test_search_errors_and_the_shell(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/shellish").write_text('echo "shell $1"\n')
    (tmp_path / "bin/shellish").chmod(0o755)
    (tmp_path / "bin/closed").write_text("")
    (tmp_path / "bin/closed").chmod(0o600)
    monkeypatch.setenv("PATH", f"/nowhere:{tmp_path}/bin:/usr/bin:/bin")
    assert runner.run("execvp", "shellish", "x", "a") == ("shell a", 0)
    assert runner.run("execvp", "closed", "x")[0] == "EACCES"
    assert runner.run("execvp", "surely-not-there", "x")[0] == "ENOENT"
    assert runner.run("execvp", "", "x")[0] == "ENOENT"
