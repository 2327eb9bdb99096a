"""Native modules of a project: compiled, linked into the program or loaded from memory, the same to the program."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import Build, RunInRoot

PROJECT = Path(__file__).resolve().parent.parent / "native/project"
EXPECTED = """\
shop._fast shop _fast.{soabi}.so True
other._fast other _fast.{soabi}.so True
other._map other _map.{soabi}.so True
shop.slow shop slow.{soabi}.so True
shop.rules shop rules.{soabi}.so True
42 True
12586269025 2147483647 42 1
KeyError 'b'
['_fast', 'rules', 'slow']
[]
1 other._fast
1 False
42 elsewhere._fast
shop._fast True
"""


def _expected(target: Path) -> str:
    code = "import sysconfig; print(sysconfig.get_config_var('SOABI'), end='')"
    return EXPECTED.format(soabi=subprocess.run([target, "-c", code], capture_output=True, text=True, check=True).stdout)


def _has_static_library(target: Path) -> bool:
    code = (
        "import sysconfig, pathlib; v = sysconfig.get_config_vars()\n"
        "print(any(pathlib.Path(v[one]).glob('libpython*.a') for one in ('LIBPL', 'LIBDIR')) or '')"
    )
    return bool(subprocess.run([target, "-c", code], capture_output=True, text=True, check=True).stdout.strip())


@pytest.mark.parametrize("how", ["static", "memory"])
def test_modules_are_the_same_to_the_program(how: str, target: Path, build: Build, run_in_root: RunInRoot) -> None:
    if how == "static" and not _has_static_library(target):
        pytest.skip("this Python has no static library")
    done = run_in_root(build(PROJECT / "run.py", target, "--native", how))
    assert done.stdout == _expected(target), done.stderr
    command = [sys.executable, "-m", "frazil", "inspect", str(build(PROJECT / "run.py", target, "--native", how)), "--json"]
    modules = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["modules"]
    ways = {one["name"]: one["how"] for one in modules}
    assert (ways["shop._fast"], ways["other._map"], ways["shop"]) == (how, how, "")
    loader = "StaticLoader" if how == "static" else "ExtensionFileLoader"
    assert done.stderr == f"{[loader, loader]}\n"


def test_a_build_without_a_change_compiles_nothing(build_environment: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    command = [sys.executable, "-m", "frazil", "build", str(project / "run.py"), "-o", str(tmp_path / "app"), "--json"]

    def compiled() -> tuple[int, int]:
        done = subprocess.run(command, env=build_environment, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)["executables"][0]["objects"]
        return found["all"], found["compiled"]

    assert compiled() == (5, 5)
    first = (tmp_path / "app").read_bytes()
    assert compiled() == (5, 0)
    assert (tmp_path / "app").read_bytes() == first
    (project / "shop/answer.h").write_text("#define ANSWER 43\n")
    assert compiled() == (5, 1)
    done = subprocess.run([tmp_path / "app"], capture_output=True, text=True, check=True)
    assert "43 elsewhere._fast" in done.stdout


@pytest.mark.parametrize(
    ("table", "issue"),
    [
        ("module = 'a-b'\nsources = ['x.c']", "tool.frazil.native[0].module: must be the dotted name of a module, not 'a-b'"),
        ("module = 'a'\nsources = ['x.rs']", "tool.frazil.native[0].sources[0]: 'x.rs' is no C, C++, Cython or Python source"),
        ("module = 'a'", "tool.frazil.native[0].sources: names no file"),
        ("module = 'a'\nsources = ['x.c']\nsource = 1", "tool.frazil.native[0].source: is not known; there are module, "),
        (
            "module = 'a'\nsources = ['x.c']\nflags = ['-o']",
            "tool.frazil.native[0].flags[0]: '-o' is no flag that can be added",
        ),
        ("module = 'a'\nsources = 'x.c'", "tool.frazil.native[0].sources: must be an array of strings, none of them empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(table: str, issue: str, build_environment: dict[str, str], tmp_path: Path) -> None:
    lines = "".join(f"# {line}\n" for line in f"[[tool.frazil.native]]\n{table}".splitlines())
    (tmp_path / "app.py").write_text(f"# /// script\n{lines}# ///\n")
    command = [sys.executable, "-m", "frazil", "build", str(tmp_path / "app.py"), "-o", str(tmp_path / "app")]
    done = subprocess.run(command, env=build_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert issue in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "app").exists()


def test_the_summary_says_what_became_of_each(target: Path, build_environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "frazil", "build", str(PROJECT / "run.py"), "--python", str(target)]
    command += ["--link", "shared", "-o", str(tmp_path / "app"), "--json"]
    done = subprocess.run(command, env=build_environment, capture_output=True, text=True, check=False)
    if "no libpython" in done.stderr:
        pytest.skip("this Python has no shared library")
    found = json.loads(done.stdout)["executables"][0]["native"]
    assert [one["name"] for one in found] == ["other._fast", "other._map", "shop._fast", "shop.rules", "shop.slow"]
    assert {one["how"] for one in found} == {"memory"}
    assert {one["reason"] for one in found} == {
        "libpython is a shared library here, which static modules cannot be linked with"
    }
