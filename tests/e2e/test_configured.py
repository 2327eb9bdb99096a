"""Targets of configurations built together: the same bytes as one by one, and what is installed runs wherever it is moved."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
def make(name, location):
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.resources_location = location
    config = dist.make_python_interpreter_config()
    config.run_command = "import decimal, json, mod, sys; print(json.dumps([mod.__file__, json.__file__, sys.argv[1:]]))"
    exe = dist.to_python_executable(name = name, packaging_policy = policy, config = config)
    exe.add_python_resources(exe.read_package_root(CWD, ["mod"]))
    return exe

def make_install(inside, beside):
    files = glob(["data/**"])
    files.add_python_resource("bin", inside)
    files.add_python_resource("other", beside)
    files.install("installed")
    return files

register_target("inside", lambda: make("inside", "in-memory"))
register_target("beside", lambda: make("beside", "filesystem-relative:lib"))
register_target("install", make_install, depends = ["inside", "beside"], default = True)

resolve_targets()
"""
DEBUG = "build/x86_64-unknown-linux-gnu/debug"


def frazil(directory: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "frazil", *arguments]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done


def contents(directory: Path) -> dict[str, bytes]:
    return {str(one.relative_to(directory)): one.read_bytes() for one in directory.rglob("*") if one.is_file()}


def write(directory: Path) -> Path:
    (directory / "data").mkdir(parents=True)
    (directory / "data" / "a.txt").write_text("a")
    (directory / "mod.py").write_text("X = 1\n")
    (directory / "frazil.bzl").write_text(PROGRAM)
    return directory


def test_targets_built_together(tmp_path: Path, build_environment: dict[str, str], bare_root: Path, enter: list[str]) -> None:
    project = write(tmp_path / "project")
    frazil(project, build_environment, "build", "-t", "inside", "-t", "beside", "-t", "install", "-q")
    together = contents(project / DEBUG / "inside") | contents(project / DEBUG / "beside")
    installed = contents(project / "build" / "installed")
    assert installed == contents(project / DEBUG / "install")
    assert installed["bin/inside"] == together["inside"]
    assert {name.removeprefix("other/"): data for name, data in installed.items() if name.startswith("other/")} == contents(
        project / DEBUG / "beside"
    )

    shutil.rmtree(project / "build")
    for name in ("inside", "beside"):
        frazil(project, build_environment, "build", "-t", name, "-q")
    assert contents(project / DEBUG / "inside") | contents(project / DEBUG / "beside") == together

    frazil(project, build_environment, "build", "-q")
    (project / "build" / "installed").rename(bare_root / "moved")
    for program, prefix in (("bin/inside", "/memfs:/app/mod.py"), ("other/beside", "/moved/other/lib/mod.py")):
        done = subprocess.run([*enter, f"/moved/{program}", "a"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        module, library, arguments = json.loads(done.stdout)
        assert (module, arguments) == (prefix, ["a"])
        assert library.startswith(prefix.rpartition("/")[0].removesuffix("/app"))


def test_what_init_writes_is_built_and_run(tmp_path: Path, build_environment: dict[str, str]) -> None:
    frazil(tmp_path, build_environment, "init")
    done = frazil(tmp_path, build_environment, "run", "--", "a")
    assert done.stdout == "Hello from one file.\n"
    again = frazil(tmp_path, build_environment, "build")
    assert again.stdout == f"install: nothing has changed: {DEBUG}/install/{tmp_path.name}\n"
