"""A chroot that holds nothing but the C library and empty folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from servers import redis_server, web
from support import Compile, RunInRoot

__all__ = ["redis_server", "web"]

# What Debian's libc6 and Fedora's glibc install; nothing else.
GLIBC = ("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
         "libresolv.so.2")  # fmt: skip


def _library_directory() -> Path:
    for directory in ("/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib"):
        if (Path(directory) / "libc.so.6").exists():
            return Path(directory)
    pytest.skip("the C library was not found in the usual places")


def enter_command(root: Path) -> list[str]:
    """What runs a command in ``root``; without privileges, in a user namespace."""
    tools = "/usr/sbin:/usr/bin:/sbin:/bin"
    chroot, unshare = shutil.which("chroot", path=tools), shutil.which("unshare", path=tools)
    assert chroot
    if os.geteuid() == 0:
        return [chroot, str(root)]
    assert unshare
    return [unshare, "--user", "--map-root-user", chroot, str(root)]


@pytest.fixture
def bare_root(tmp_path: Path) -> Path:
    """A root directory with the C library, its loader, and empty tmp, proc, dev and dev/shm."""
    root = tmp_path / "root"
    directory = _library_directory()
    target = root / directory.relative_to("/")
    target.mkdir(parents=True)
    for name in GLIBC:
        if (directory / name).exists():
            shutil.copy(directory / name, target / name)
    (root / "lib64").mkdir(exist_ok=True)
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64/ld-linux-x86-64.so.2")
    for name in ("tmp", "proc", "dev", "dev/shm"):
        (root / name).mkdir()
    return root


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
