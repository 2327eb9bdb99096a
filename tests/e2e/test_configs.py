"""The configurations of ``tests/configs``, built and run: the shapes that projects of all eras of PyOxidizer have.

``case.toml`` beside each says what to build and what comes out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
NAMES = sorted(one.parent.name for one in CONFIGS.glob("*/case.toml"))
QUICK = {"template", "callbacks", "era_seed", "interpreter"}
"""Those that every run builds; together they have all mechanisms."""


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES])
def test_configuration(name: str, tmp_path: Path, build_environment: dict[str, str]) -> None:
    root = tmp_path / name
    shutil.copytree(CONFIGS / name, root)
    case = tomllib.loads((root / "case.toml").read_text())
    if "environment" in case:
        make_environment(root / case["environment"], root / "installed")
    options = [f"--var={key}={value}" for key, value in case.get("variables", {}).items()]
    target = case.get("target", "exe")
    command = [sys.executable, "-m", "frazil", "build", str(root), f"--target={target}", *options]
    done = subprocess.run(command, env=build_environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert [line for line in case.get("printed", []) if not any(line in one for one in told)] == []
    assert [note for note in case.get("notes", []) if note not in done.stderr] == []
    if not case.get("notes"):
        assert "deprecated" not in done.stderr
    directory = root / case.get("build", "build") / "x86_64-unknown-linux-gnu/debug" / target
    assert [file for file in case.get("files", []) if not (directory / file).is_file()] == []
    for one in case["runs"]:
        assert run(directory, one) == one["output"].removeprefix("\n")


def run(directory: Path, one: dict[str, Any]) -> str:
    """What the program prints when it is run from another directory, with an empty environment."""
    command = [str(directory / one["program"]), *one.get("arguments", [])]
    done = subprocess.run(
        command,
        input=one.get("input", ""),
        cwd="/",
        env={"LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed: str = done.stdout
    return printed


def make_environment(place: Path, installed: Path) -> None:
    """A virtual environment that holds what stands in a directory."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    site = place / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    shutil.copytree(installed, site, dirs_exist_ok=True)


def test_there_are_enough() -> None:
    assert len(NAMES) >= 12
    assert set(NAMES) >= QUICK


def test_an_installer_for_another_system_is_refused_when_it_is_asked_for(
    tmp_path: Path, build_environment: dict[str, str]
) -> None:
    shutil.copytree(CONFIGS / "template", tmp_path / "template")
    command = [sys.executable, "-m", "frazil", "build", str(tmp_path / "template"), "--target=msi_installer"]
    done = subprocess.run(command, env=build_environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1
    assert "to_wix_msi_builder is for Windows installers, which frazil does not make" in done.stderr
    assert "Traceback (most recent call last):\n  File" not in done.stderr
    assert not (tmp_path / "template/build/x86_64-unknown-linux-gnu/debug/msi_installer").exists()
