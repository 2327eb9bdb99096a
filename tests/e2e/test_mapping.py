"""Code of libraries in the image is mapped from the executable, not copied, and does what it did."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support import Build

PROGRAM = """
import os, ssl, sqlite3, sys, ctypes
assert sqlite3.connect(":memory:").execute("select 6 * 7").fetchone() == (42,)
ssl.create_default_context()
mapped = [line.split(maxsplit=5) for line in open("/proc/self/maps")]
executable = os.stat(sys.executable)
own = [line for line in mapped if len(line) == 6 and line[4] == str(executable.st_ino) and "x" in line[1]]
copied = sum(int(end, 16) - int(start, 16) for line in mapped if len(line) == 6 and "memfd:" in line[5] and "x" in line[1]
             for start, end in [line[0].split("-")])
print(len(own), copied)
"""


@pytest.mark.parametrize("link", ["static", "shared"])
def test_code_is_mapped_from_the_executable(build: Build, target: Path, tmp_path: Path, link: str) -> None:
    source = tmp_path / "mapping.py"
    source.write_text(PROGRAM)
    done = subprocess.run([build(source, target, f"--link={link}")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    own, copied = map(int, done.stdout.split())
    assert own >= 7  # _ssl, libssl, libcrypto, _sqlite3, libsqlite3, _ctypes, libffi
    assert copied == 0
