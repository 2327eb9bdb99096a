"""Executables with storages of modules: warm as long as no storage has a module that the snapshot holds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from started import WARM, start
from support import Build

PROGRAM = """\
import own

if __name__ == "__main__":
    try:
        import added
        own.NAME += " " + added.NAME
    except ImportError:
        pass
    print(own.NAME)
"""


@pytest.fixture
def program(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A copy in a directory of its own, whose storage is ``modules`` beside it."""
    source = tmp_path_factory.mktemp("storages")
    (source / "own.py").write_text("NAME = 'own'\n")
    (source / "stored.py").write_text(PROGRAM)
    built = build(source / "stored.py", target, "--warm", "--pmm=dir:{exe_dir}/modules", "--pmm-unsigned")
    (tmp_path / "modules").mkdir()
    return Path(shutil.copy(built, tmp_path / "app"))


def put(program: Path, target: Path, name: str, environment: dict[str, str]) -> None:
    source = program.parent / "source.py"
    source.write_text(f"NAME = 'stored {name}'\n")
    output = program.parent / f"modules/{name}.pmm"
    words = [sys.executable, "-m", "frazil", "pmm", "compile", source, "-q", "-o", output, "--python", target]
    subprocess.run(list(map(str, words)), check=True, env=environment)


def test_storages(program: Path, target: Path, build_environment: dict[str, str]) -> None:
    assert start([program]) == (WARM, (0, "own\n", ""))
    put(program, target, "added", build_environment)
    assert start([program]) == (WARM, (0, "own stored added\n", ""))
    put(program, target, "own", build_environment)
    decision, outcome = start([program])
    assert "starting again, cold: a storage has a module that the snapshot holds: own" in decision
    assert outcome == (0, "stored own stored added\n", "")
    (program.parent / "modules/own.pmm").write_bytes(b"damaged")
    assert start([program])[1] == start([program], cold=True)[1]
    (program.parent / "modules/own.pmm").unlink()
    assert start([program])[0] == WARM


def test_storages_are_not_asked_while_building(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("asked")
    (place / "own.py").write_text("NAME = 'own'\n")
    (place / "early.py").write_text(PROGRAM)
    (place / "modules").mkdir()
    (place / "modules/own.pmm").write_bytes(b"damaged")
    program = build(place / "early.py", target, "--warm", f"--pmm=dir:{place}/modules", "--pmm-unsigned")
    decision, outcome = start([program])
    assert "starting again, cold: a storage has a module that the snapshot holds: own" in decision
    assert outcome == start([program], cold=True)[1]
    explained = subprocess.run([sys.executable, "-m", "frazil", "inspect", program, "--explain-warm"], capture_output=True,
                               text=True, check=False)  # fmt: skip
    assert "a storage has a module that the snapshot holds: own" in explained.stdout
    (place / "modules/own.pmm").unlink()
    assert start([program]) == (WARM, (0, "own\n", ""))
