"""C programs that have Python inside: what ``frazil run-build-script`` writes, linked by others."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.builder.build import build as build_plan
from frazil.builder.host import Form, Host
from frazil.cache import ContentCache
from frazil.config.options import SourceOptions
from frazil.config.source import plans
from frazil.distribution import describe
from frazil.errors import DistributionError
from frazil.plan import LinkMode, NativeLink
from icecube import layout

if TYPE_CHECKING:
    from support import RunInRoot

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "embed-c"
TOOLS = ("make", "pkg-config", "cc")

PROGRAM = """\
import json, multiprocessing, subprocess, sys

def child(queue):
    queue.put(sys.executable)

if __name__ == "__main__":
    code = "import json; print(json.dumps(__name__))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    same = queue.get() == sys.executable
    process.join()
    print(json.dumps([sys.argv[1:], json.loads(told), same, process.exitcode]))
    sys.exit(7)
"""
MAIN = """\
#include <stdio.h>
#include "frazil.h"
int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '!')
        return puts("not Python") < 0;
    return frazil_main(argc, argv);
}
"""
TWO_TARGETS = """\
def make(name):
    exe = default_python_distribution().to_python_executable(name = name)
    exe.standard_library = "used"
    return exe

register_target("app", lambda: make("app"), default = True)
register_target("embedded", lambda: make("inside").to_embedded_resources(), default_build_script = True)
register_target("value", lambda: 1)

resolve_targets()
"""


@pytest.fixture(autouse=True)
def tools() -> None:
    missing = [one for one in TOOLS if shutil.which(one) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def frazil(directory: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=directory, env=environment)


def make_example(tmp_path: Path, environment: dict[str, str]) -> Path:
    """The example's directory, after ``make``."""
    place = tmp_path / "embed-c"
    if not place.exists():
        shutil.copytree(EXAMPLE, place)
    command = ["make", "-s", f"FRAZIL={shlex.quote(sys.executable)} -m frazil", "CFLAGS=-Wall -Wextra -Werror"]
    subprocess.run(command, cwd=place, env=environment, check=True)
    return place


def test_the_example(tmp_path: Path, build_environment: dict[str, str], run_in_root: RunInRoot) -> None:
    place = make_example(tmp_path, build_environment)
    done = run_in_root(place / "program", ["you"])
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"greeting": "Hello, you, from Python inside a C program."}
    stamp = (place / "program").stat().st_mtime_ns
    make_example(tmp_path, build_environment)
    assert (place / "program").stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_the_example_made_again(tmp_path: Path, build_environment: dict[str, str], run_in_root: RunInRoot) -> None:
    place = make_example(tmp_path, build_environment)
    (place / "greeting.py").write_text("def greet(name):\n    raise RuntimeError(name)\n")
    make_example(tmp_path, build_environment)
    subprocess.run(["strip", place / "program"], check=True)
    failed = run_in_root(place / "program", ["you"])
    assert failed.returncode == 1
    assert failed.stderr.endswith("RuntimeError: you\n")
    assert 'File "/memfs:/app/greeting.py", line 2, in greet' in failed.stderr


@pytest.mark.parametrize("link", [LinkMode.STATIC, LinkMode.SHARED])
def test_frazil_main(link: LinkMode, target: Path, tmp_path: Path, build_environment: dict[str, str]) -> None:
    cache = ContentCache(Path(build_environment["FRAZIL_CACHE_DIR"]))
    (tmp_path / "program.py").write_text(PROGRAM)
    (plan,) = plans(SourceOptions(str(tmp_path / "program.py"), link=link), describe(target, cache), cache)
    into = tmp_path / "with space"
    into.mkdir()
    try:
        result = build_plan(plan, Host(cache, into / "inside", form=Form.LINKABLE))
    except DistributionError as error:
        pytest.skip(error.problem)
    assert sorted(one.name for one in into.iterdir()) == ["frazil.h", "inside.json", "inside.o", "inside.pc"]
    assert result.size == (into / "inside.o").stat().st_size
    told = json.loads((into / "inside.json").read_text())
    assert (told["format"], told["link"], told["object"]) == (1, link.value, f"{into}/inside.o")
    (tmp_path / "main.c").write_text(MAIN)
    command = ["cc", *told["cflags"], str(tmp_path / "main.c"), *told["ldflags"], "-o", str(tmp_path / "program")]
    subprocess.run(command, check=True)
    done = subprocess.run([tmp_path / "program", "a", "b c"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")
    assert json.loads(done.stdout) == [["a", "b c"], "__main__", True, 0]
    data = (tmp_path / "program").read_bytes()
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data.replace(layout.MAGIC, bytes(len(layout.MAGIC))))
    damaged.chmod(0o755)
    broken = subprocess.run([damaged], capture_output=True, text=True, check=False)
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr.startswith("damaged: this executable is damaged: ")
    own = subprocess.run([tmp_path / "program", "!"], capture_output=True, text=True, check=False)
    assert (own.returncode, own.stdout) == (0, "not Python\n")


@pytest.mark.slow
def test_native_modules_are_linked_too(target: Path, tmp_path: Path, build_environment: dict[str, str]) -> None:
    cache = ContentCache(Path(build_environment["FRAZIL_CACHE_DIR"]))
    project = Path(__file__).resolve().parents[1] / "native" / "project" / "run.py"
    python = describe(target, cache)
    if python.static_library is None:
        pytest.skip("needs libpython*.a")
    (plan,) = plans(SourceOptions(str(project), native_link=NativeLink.STATIC), python, cache)
    build_plan(plan, Host(cache, tmp_path / "inside", form=Form.LINKABLE))
    told = json.loads((tmp_path / "inside.json").read_text())
    assert (tmp_path / "libstdc++.a").exists()
    (tmp_path / "main.c").write_text(MAIN)
    command = ["cc", *told["cflags"], str(tmp_path / "main.c"), *told["ldflags"], "-o", str(tmp_path / "program")]
    subprocess.run(command, check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "['StaticLoader', 'StaticLoader']\n")
    assert "12586269025 2147483647 42 1" in done.stdout.splitlines()


def test_what_is_written_is_the_same_every_time(target: Path, tmp_path: Path, build_environment: dict[str, str]) -> None:
    cache = ContentCache(Path(build_environment["FRAZIL_CACHE_DIR"]))
    (tmp_path / "program.py").write_text("")
    (plan,) = plans(SourceOptions(str(tmp_path / "program.py")), describe(target, cache), cache)
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        build_plan(dataclasses.replace(plan), Host(cache, tmp_path / name / "inside", form=Form.LINKABLE, directory=tmp_path))
        made.append({one.name: one.read_bytes() for one in (tmp_path / name).iterdir()})
    assert made[0] == made[1]


def test_which_target_is_embedded(tmp_path: Path, build_environment: dict[str, str]) -> None:
    (tmp_path / "frazil.bzl").write_text(TWO_TARGETS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    done = frazil(tmp_path, build_environment, "run-build-script", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "cc main.o $(pkg-config --libs out/inside.pc) -o program" in done.stdout
    names = sorted(one.name for one in (tmp_path / "out").iterdir())
    assert names == ["frazil.h", "inside.json", "inside.o", "inside.pc", "mine.txt"]
    again = frazil(tmp_path, build_environment, "run-build-script", "--out", "out")
    assert again.stdout == "embedded: nothing has changed: out\n"
    (tmp_path / "out" / "inside.pc").unlink()
    other = frazil(tmp_path, build_environment, "run-build-script", "frazil.bzl", "--out", "out", "-t", "app", "-q")
    assert (other.returncode, other.stdout) == (0, "")
    assert (tmp_path / "out" / "app.pc").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--out", "out", "-t", "value"), 1, "target value makes no executable to embed; its value is of type int"),
        (("--out", "out", "-t", "vlue"), 1, "there is no target vlue"),
        (("--out", "out", "-t", "app", "-t", "value"), 2, "--target is given twice, and one program is linked"),
        (("--out", "frazil.bzl"), 1, "frazil.bzl: the output is a directory, and this is a file"),
        ((), 2, "Missing option '--out'"),
    ],
)
def test_bad_input(tmp_path: Path, build_environment: dict[str, str], arguments: tuple[str, ...], code: int, told: str) -> None:
    (tmp_path / "frazil.bzl").write_text(TWO_TARGETS)
    done = frazil(tmp_path, build_environment, "run-build-script", *arguments)
    assert done.returncode == code
    assert told in done.stderr
    assert not (tmp_path / "out").exists()
