"""Roots that hold nothing but the C library and empty folders, and how a program is run in one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

# What Debian's libc6 and Fedora's glibc install; nothing else.
GLIBC: Final = (
    "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
    "libresolv.so.2",
)  # fmt: skip


def _library_directory() -> Path:
    for directory in ("/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib"):
        if (Path(directory) / "libc.so.6").exists():
            return Path(directory)
    pytest.skip("the C library was not found in the usual places")


def make_root(root: Path) -> Path:
    """Make a root directory with the C library, its loader, and empty tmp, proc, dev and dev/shm."""
    directory = _library_directory()
    target = root / directory.relative_to("/")
    target.mkdir(parents=True)
    for name in GLIBC:
        if (directory / name).exists():
            shutil.copy2(directory / name, target / name)
    (root / "lib64").mkdir(exist_ok=True)
    shutil.copy2("/lib64/ld-linux-x86-64.so.2", root / "lib64/ld-linux-x86-64.so.2")
    for name in ("tmp", "proc", "dev", "dev/shm"):
        (root / name).mkdir()
    return root


def enter_command(root: Path) -> list[str]:
    """What runs a command in ``root``; without privileges, in a user namespace."""
    tools = "/usr/sbin:/usr/bin:/sbin:/bin"
    chroot, unshare = shutil.which("chroot", path=tools), shutil.which("unshare", path=tools)
    assert chroot
    if os.geteuid() == 0:
        return [chroot, str(root)]
    assert unshare
    return [unshare, "--user", "--map-root-user", chroot, str(root)]
