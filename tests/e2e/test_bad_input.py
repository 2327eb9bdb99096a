"""Bad input to a build: a message that says what, where and what to do; the old output stays; no traceback."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import Build

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HELLO = EXAMPLES / "hello.py"
BEFORE = b"what stood here before\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes mounts")


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed build said."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Bench:
    """A directory to build in, with an old output that must survive."""

    place: Path
    target: Path
    environment: Mapping[str, str]
    output: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", self.place / "out")
        self.output.write_bytes(BEFORE)
        self.output.chmod(0o644)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file in the directory."""
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def run(
        self,
        source: str | Path,
        *options: str | Path,
        output: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        target: str | Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Build ``source``; the options follow."""
        command = [*wrapper, sys.executable, "-m", "frazil", "build", source, "-q", "--python", target or self.target,
                   "-o", output or self.output, *options]  # fmt: skip
        return subprocess.run(command, cwd=self.place, env={**self.environment, **(env or {})}, capture_output=True,
                              text=True, check=False, timeout=120)  # fmt: skip

    def fail(
        self,
        source: str | Path,
        *options: str | Path,
        output: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        target: str | Path | None = None,
    ) -> Failure:
        """Build in vain; checks what holds for each failure."""
        listed = self.listed()
        done = self.run(source, *options, output=output, env=env, wrapper=wrapper, target=target)
        assert done.returncode in {1, 2}, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("error: "), done.stderr
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        assert len(done.stderr.splitlines()) >= 2, f"it does not say what to do: {done.stderr}"
        assert self.output.read_bytes() == BEFORE
        assert self.output.stat().st_mode & 0o777 == 0o644
        assert self.listed() == listed, "the build left something behind"
        return Failure(done.returncode, done.stderr)

    def listed(self) -> set[str]:
        """The names in the directory."""
        return {path.name for path in self.place.iterdir()}


@pytest.fixture
def bench(tmp_path: Path, target: Path, build_environment: dict[str, str], build: Build) -> Bench:
    """A bench whose caches are warm."""
    build(HELLO, target)
    place = tmp_path / "bench"
    place.mkdir()
    return Bench(place, target, {"TMPDIR": str(tmp_path), **build_environment})


# --- the source ---


def test_a_missing_source(bench: Bench) -> None:
    failure = bench.fail("missing.py")
    assert "missing.py: no such file or directory\n" in failure.message


@pytest.mark.parametrize("name", ["loop", "loop.py"])
def test_a_link_to_itself(bench: Bench, name: str) -> None:
    (bench.place / name).symlink_to(name)
    assert f"{name}: a symbolic link that leads nowhere" in bench.fail(name).message


def test_a_directory_that_contains_itself(bench: Bench) -> None:
    bench.write("app/__main__.py", "print('found')\n")
    (bench.place / "app/again").symlink_to("../app")
    done = bench.run("app")
    assert done.returncode == 0, done.stderr
    assert subprocess.run([bench.output], capture_output=True, text=True, check=True).stdout == "found\n"


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_a_source_that_is_no_file(bench: Bench, kind: str) -> None:
    path = bench.place / "odd.py"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.relpath(path))
    else:
        path.symlink_to("/dev/null")
    assert "odd.py: neither a file nor a directory" in bench.fail("odd.py").message


def test_an_empty_directory(bench: Bench) -> None:
    (bench.place / "empty").mkdir()
    assert "empty: the directory is empty" in bench.fail("empty").message


def test_a_module_that_is_not_there(bench: Bench) -> None:
    assert "nowhere:main: no module nowhere in" in bench.fail("nowhere:main").message


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser can read everything")
def test_an_unreadable_source(bench: Bench) -> None:
    bench.write("closed.py", "print()\n").chmod(0)
    assert "closed.py" in bench.fail("closed.py").message


def test_a_syntax_error_is_shown_with_file_line_and_caret(bench: Bench) -> None:
    path = bench.write("wrong.py", "x = 1\ndef f(:\n    pass\n")
    failure = bench.fail("wrong.py")
    assert failure.message.splitlines()[:3] == [f"error: {path}:2: syntax error: invalid syntax", "    def f(:", "          ^"]


def test_a_syntax_error_in_a_module_of_the_application(bench: Bench) -> None:
    bench.write("app/__main__.py", "import app.part\n")
    path = bench.write("app/part.py", "print('unterminated)\n")
    failure = bench.fail("app")
    assert failure.message.startswith(f"error: {path}:1: syntax error: unterminated string literal")
    assert "\n    print('unterminated)\n          ^" in failure.message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\0\0", "wrong.py:1: a null byte"),
        (b"x = '\xff'\n", "wrong.py:1: its encoding is not understood"),
        (b"# coding: nope\n", "wrong.py:1: its encoding is not understood: unknown encoding: nope"),
        (b"(" * 300 + b"\n", "wrong.py:1: syntax error: too many nested parentheses"),
        (b"def f():\n\treturn 1\n        return 2\n", "wrong.py:3: syntax error: inconsistent use of tabs"),
        (b"return\n", "wrong.py:1: syntax error: 'return' outside function"),
        (b"x = 1\nbreak\n", "wrong.py:2: syntax error: 'break' outside loop"),
        (b"-" * 100_000 + b"1\n", "wrong.py"),
    ],
)
def test_text_that_is_no_python(bench: Bench, text: bytes, problem: str) -> None:
    bench.write("wrong.py", text)
    assert problem in bench.fail("wrong.py").message


# --- dependencies ---


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('dependencies = ["!!bad"]', "script.py:2: '!!bad' is no valid requirement"),
        ("dependencies =", "script.py:2: the script's metadata is no valid TOML"),
        ('dependencies = "click"', "script.py:2:"),
        ('requires-python = ">=3.99"', "script.py: needs Python >=3.99"),
        ('dependencies = ["./nowhere"]', "nowhere"),
        ('dependencies = ["nothing @ file:///nowhere/nothing-1.0-py3-none-any.whl"]', "/nowhere/nothing-1.0-py3-none-any.whl"),
    ],
)
def test_wrong_metadata_of_a_script(bench: Bench, lines: str, problem: str) -> None:
    bench.write("script.py", f"# /// script\n# {lines}\n# ///\n")
    assert problem in bench.fail("script.py").message


def test_a_dependency_that_does_not_resolve(bench: Bench) -> None:
    """Against an empty index, so that the test asks nobody."""
    (bench.place / "index").mkdir()
    bench.write("script.py", '# /// script\n# dependencies = ["surely-not-there==1.0"]\n# ///\n')
    nowhere = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(bench.place / "index"), "PIP_NO_INDEX": "1",
               "PIP_FIND_LINKS": str(bench.place / "index")}  # fmt: skip
    failure = bench.fail("script.py", env=nowhere)
    assert "the requirements cannot be installed" in failure.message
    assert "surely-not-there" in failure.message


# --- the Python to build with ---


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("#!/bin/sh\nexit 0\n", "this is no working Python"),
        ("#!/bin/sh\nexit 3\n", "this is no working Python"),
        ("#!/bin/sh\necho '{}'\n", "python"),
        ("#!/bin/sh\necho '[1, 2'\n", "python"),
        ("#!/bin/sh\nkill -9 $$\n", "this is no working Python"),
        ("#!/nowhere/interpreter\n", "this Python cannot be started"),
        ("no program\n", "this Python cannot be started"),
    ],
)
def test_a_program_that_is_no_python(bench: Bench, text: str, problem: str) -> None:
    program = bench.write("python", text)
    program.chmod(0o755)
    failure = bench.fail(HELLO, target=program)
    assert f"error: {program}: " in failure.message
    assert problem in failure.message
    assert "--python" in failure.message


def test_a_python_that_is_missing(bench: Bench) -> None:
    assert "/nowhere/python: this Python cannot be read" in bench.fail(HELLO, target="/nowhere/python").message


def test_a_python_without_libpython(bench: Bench, target: Path) -> None:
    """A copy of the interpreter whose configuration names a prefix that has no libpython."""
    code = "import sys, sysconfig as s; print(sys.base_prefix, s.get_path('stdlib'), s.get_path('include'))"
    answer = subprocess.run([target, "-I", "-c", code], capture_output=True, text=True, check=True)
    prefix, stdlib, include = answer.stdout.split()
    copy = bench.place / "prefix"
    version = Path(stdlib).name
    (copy / "bin").mkdir(parents=True)
    (copy / "include").mkdir()
    (copy / "lib" / version).mkdir(parents=True)
    (copy / "include" / Path(include).name).symlink_to(include)
    python = Path(shutil.copy(target, copy / "bin" / version))
    for entry in Path(stdlib).iterdir():
        if entry.name.startswith("_sysconfigdata"):
            (copy / "lib" / version / entry.name).write_text(entry.read_text().replace(prefix, str(copy)))
        elif not entry.name.startswith(("config-", "__pycache__")):
            (copy / "lib" / version / entry.name).symlink_to(entry)
    failure = bench.fail(HELLO, target=python)
    assert f"{python}: no libpython3." in failure.message
    assert "--enable-shared" in failure.message
    for link in ("static", "shared"):
        assert "no libpython3." in bench.fail(HELLO, f"--link={link}", target=python).message


def _archive(bench: Bench, kind: str) -> Path:
    if kind == "missing":
        return bench.place / "python.tar.gz"
    content = {
        "text": b"no archive\n" * 100,
        "empty": b"",
        "no tar": gzip.compress(b"no tar\n" * 100),
        "empty tar": gzip.compress(bytes(10240)),
        "cut": gzip.compress(os.urandom(10_000))[:5000],
        "cut zstd": b"\x28\xb5\x2f\xfd" + os.urandom(100),
    }[kind]
    return bench.write(f"python.tar.{'zst' if 'zstd' in kind else 'gz'}", content)


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "no tar", "empty tar", "cut", "cut zstd"])
def test_a_corrupt_archive(bench: Bench, kind: str) -> None:
    path = _archive(bench, kind)
    failure = bench.fail(HELLO, target=path)
    assert path.name in failure.message
    assert "archive" in failure.message


def test_a_wrong_digest(bench: Bench) -> None:
    path = bench.write("python.tar.gz", gzip.compress(b"anything"))
    failure = bench.fail(HELLO, "--sha256", "ab" * 32, target=path)
    assert "its SHA-256 differs" in failure.message
    assert f"wanted {'ab' * 32}" in failure.message
    malformed = bench.fail(HELLO, "--sha256", "12", target=path)
    assert malformed.code == 2
    assert "no SHA-256 digest" in malformed.message


def test_a_download_needs_a_digest(bench: Bench) -> None:
    failure = bench.fail(HELLO, target="https://127.0.0.1:1/python.tar.gz")
    assert failure.code == 2
    assert "--sha256" in failure.message
    refused = bench.fail(HELLO, "--sha256", "ab" * 32, target="https://127.0.0.1:1/python.tar.gz")
    assert "https://127.0.0.1:1/python.tar.gz" in refused.message


# --- this machine ---


def test_no_compiler(bench: Bench, without_zig: str) -> None:
    failure = bench.fail(HELLO, env={"PATH": str(bench.place), "CC": "", "PYTHONPATH": without_zig})
    assert "there is no C compiler on this machine\n" in failure.message
    assert "apt install gcc" in failure.message


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/cc", "cc --no-such-option"])
def test_a_compiler_that_does_not_work(bench: Bench, program: str, tmp_path: Path) -> None:
    failure = bench.fail(HELLO, env={"CC": program, "FRAZIL_CACHE_DIR": str(tmp_path / "cold")})
    assert program in failure.message or "no C compiler" in failure.message or "could not" in failure.message


def test_extension_modules_for_another_machine(bench: Bench) -> None:
    question = "import sysconfig as s; print(s.get_config_var('EXT_SUFFIX'), s.get_path('stdlib'), sep='\\n')"
    answer = subprocess.run([bench.target, "-I", "-c", question], capture_output=True, text=True, check=True).stdout
    suffix, stdlib = answer.split()
    library = next(Path(stdlib, "lib-dynload").glob("*.so"))
    data = bytearray(library.read_bytes())
    data[18:20] = (183).to_bytes(2, "little")
    bench.write("app/__main__.py", "import app._native\n")
    path = bench.write(f"app/_native{suffix}", bytes(data))
    assert f"{path}: this extension module is for AArch64, not for x86-64" in bench.fail("app").message
    for content in (b"", b"no library", data[:100]):
        path.write_bytes(content)
        assert f"{path}: " in bench.fail("app").message


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_a_cache_directory_that_is_a_file(bench: Bench, kind: str) -> None:
    path = bench.write("cache", "a file\n")
    failure = bench.fail(HELLO, env={"FRAZIL_CACHE_DIR": str(path if kind == "file" else path / "below")})
    assert "the cache cannot be" in failure.message
    assert "FRAZIL_CACHE_DIR" in failure.message


def _mounted(place: Path, options: str) -> tuple[str, ...]:
    """A wrapper that runs a command with a file system of its own at ``place``."""
    return ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {options} none {place} && "$@"', "sh")


@needs_root
@pytest.mark.parametrize("options", ["ro", "size=64k", "size=4m"])
def test_a_cache_without_room(bench: Bench, options: str) -> None:
    (bench.place / "cache").mkdir()
    failure = bench.fail(HELLO, env={"FRAZIL_CACHE_DIR": str(bench.place / "cache")},
                         wrapper=_mounted(bench.place / "cache", options))  # fmt: skip
    assert f"{bench.place}/cache" in failure.message
    reason = "Read-only file system" if options == "ro" else "No space left on device"
    assert reason in failure.message or "Free some space" in failure.message  # a compiler may say it differently
    assert "FRAZIL_CACHE_DIR" in failure.message


# --- the output ---


def test_an_output_that_is_a_directory(bench: Bench) -> None:
    (bench.place / "directory").mkdir()
    assert "directory: the output is a directory\n" in bench.fail(HELLO, output="directory").message
    assert not list((bench.place / "directory").iterdir())


def test_an_output_below_a_file(bench: Bench) -> None:
    assert "out/below: the output cannot be written: " in bench.fail(HELLO, output="out/below").message


def test_an_output_with_a_long_name(bench: Bench) -> None:
    assert ": the output cannot be written: File name too long\n" in bench.fail(HELLO, output="a" * 300).message


def test_an_output_that_is_no_regular_file(bench: Bench) -> None:
    path = bench.place / "pipe"
    os.mkfifo(path)
    assert "pipe: the output is a device, pipe or socket\n" in bench.fail(HELLO, output="pipe").message
    assert path.is_fifo()


@pytest.mark.parametrize("output", ["app/__main__.py", "app/part.py", "app/data.txt", "link.py"])
def test_an_output_that_is_a_file_of_the_application(bench: Bench, output: str) -> None:
    bench.write("app/__main__.py", "import app.part\n")
    bench.write("app/part.py", "\n")
    bench.write("app/data.txt", "data\n")
    os.link(bench.place / "app/part.py", bench.place / "link.py")
    before = (bench.place / output).read_bytes()
    assert f"{output}: the output is a file of the application\n" in bench.fail("app", output=output).message
    assert (bench.place / output).read_bytes() == before


def test_an_output_of_an_earlier_build_in_the_application_is_replaced(bench: Bench) -> None:
    bench.write("app/__main__.py", "print('one')\n")
    output = bench.place / "app/program"
    assert bench.run("app", output=output).returncode == 0
    first = output.read_bytes()
    assert bench.run("app", output=output).returncode == 0
    assert output.read_bytes() == first


def test_an_output_that_is_running_is_replaced(bench: Bench) -> None:
    source = bench.write(
        "wait.py", "import sys\nprint('ready', flush=True)\nsys.stdin.read()\nimport json\nprint(json.dumps(1))\n"
    )
    running = bench.place / "running"
    assert bench.run(source, output=running).returncode == 0
    with subprocess.Popen([running], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        done = bench.run(HELLO, output=running)
        assert (done.returncode, done.stderr) == (0, "")
        assert process.communicate("", timeout=60)[0] == "1\n"
    assert subprocess.run([running], capture_output=True, text=True, check=True).stdout == "Hello from one file.\n"


@needs_root
@pytest.mark.parametrize("options", ["ro", "size=1m"])
def test_an_output_without_room(bench: Bench, options: str) -> None:
    """The old output stands in the file system that is full or cannot be written."""
    place = bench.place / "disk"
    place.mkdir()
    shell = (
        f"mount -t tmpfs -o size=1m none {place} && cp out {place}/app && "
        f'mount -o remount,{options} {place} && "$@"; code=$?; cmp out {place}/app && test $(ls -A {place}) = app && exit $code'
    )
    failure = bench.fail(HELLO, output=place / "app", wrapper=("unshare", "--mount", "sh", "-c", shell, "sh"))
    reason = "Read-only file system" if options == "ro" else "No space left on device"
    assert failure.message.startswith(f"error: {place}/app: the output cannot be written: {reason}\n")
    assert failure.code == 1
