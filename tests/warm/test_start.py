"""Warm starts of small programs: the same output as cold, and the process's own state fresh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support import Build


def run(executable: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it with the debug output of the warm start, in an environment of its own."""
    environment = {"PATH": os.environ["PATH"], "FRAZIL_DEBUG": "warm", **variables}
    return subprocess.run([executable, *arguments], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def hello(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("warm") / "hello.py"
    source.write_text("import os, sys\nprint(sys.argv[1:], os.environ.get('X'))\n")
    return build(source, target, "--warm")


def test_starts_warm(hello: Path) -> None:
    done = run(hello, "a", X="b")
    assert done.returncode == 0
    assert done.stdout == "['a'] b\n"
    assert done.stderr == "frazil: warm: warm\n"
