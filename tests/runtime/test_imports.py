"""The run-time inside executables imports as good as nothing; these are the lists."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support import Build

# Beyond what `python -I -S` has loaded before it runs a program.
ADDED = {"_frazil", "_sitebuiltins", "frazil_runtime", "frazil_runtime.boot", "frazil_runtime.importer", "gc"}
# Never loaded by a start: zipimport, and what it needs.
SPARED = {"time", "zipimport"}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    source = tmp_path / "loaded.py"
    source.write_text("import sys\nprint(*sorted(sys.modules))\n")
    return source


def test_a_start_imports_no_more_than_the_list(program: Path, build: Build, target: Path) -> None:
    plain = subprocess.run([target, "-I", "-S", program], capture_output=True, text=True, check=True).stdout.split()
    cold = {**os.environ, "FRAZIL_START_COLD": "1"}  # a snapshot holds what making it needed, too
    frozen = subprocess.run([build(program, target)], capture_output=True, text=True, check=True, env=cold).stdout.split()
    assert set(frozen) == set(plain) - SPARED | ADDED


def test_a_start_opens_no_file_but_the_c_library(program: Path, build: Build, target: Path) -> None:
    done = subprocess.run(["strace", "-f", "-e", "trace=open,openat,openat2,creat,memfd_create", build(program, target)],
                          capture_output=True, text=True, check=True, env={})  # fmt: skip
    opened = {line.split('"')[1] for line in done.stderr.splitlines() if '"' in line and "ENOENT" not in line}
    # CPython 3.13's allocator (mimalloc) asks the kernel how it overcommits memory, by a system call of its own.
    allowed = (
        "/proc/sys/vm/overcommit_memory",
        "/etc/ld.so.cache",
        "libc.so.6",
        "libm.so.6",
        "libdl.so.2",
        "libpthread.so.0",
        "libutil.so.1",
        "librt.so.1",
    )
    assert [path for path in opened if not path.endswith(allowed)] == []
