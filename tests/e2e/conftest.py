"""A chroot that holds nothing but the C library and empty folders."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from roots import enter_command, make_root
from servers import redis_server, web
from support import Compile, RunInRoot

__all__ = ["redis_server", "web"]


@pytest.fixture
def bare_root(tmp_path: Path) -> Path:
    """A root directory with the C library, its loader, and empty tmp, proc, dev and dev/shm."""
    return make_root(tmp_path / "root")


@pytest.fixture
def run_in_root(bare_root: Path) -> RunInRoot:
    """A function that runs an executable as ``/app`` in the bare root, with no environment but what is given."""
    enter = enter_command(bare_root)

    def run(
        executable: Path, arguments: Sequence[str] = (), *, env: Mapping[str, str] | None = None, name: str = "app"
    ) -> subprocess.CompletedProcess[str]:
        shutil.copy(executable, bare_root / name)
        return subprocess.run([*enter, f"/{name}", *arguments], env={"LANG": "C.UTF-8", **(env or {})},
                              capture_output=True, text=True, check=False, timeout=120)  # fmt: skip

    return run


@pytest.fixture
def enter(bare_root: Path) -> list[str]:
    """The words before a command that runs in the bare root."""
    return enter_command(bare_root)


@pytest.fixture
def compile_pmm(build_environment: dict[str, str], tmp_path: Path, target: Path) -> Compile:
    def run(directory: Path, name: str, source: str, *options: str) -> Path:
        output = directory / f"{name}.pmm"
        output.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source.py").write_text(dedent(source))
        words = [sys.executable, "-m", "frazil", "pmm", "compile", tmp_path / "source.py", "-q", "-o", output, *options]
        words += ["--python", target]
        subprocess.run(list(map(str, words)), check=True, env=build_environment)
        return output

    return run
