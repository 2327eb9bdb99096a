"""``frazil targets`` and ``frazil config check`` as commands."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
def make_dist():
    fail("ran")

def make_exe(dist):
    return dist

def make_msi(exe):
    return exe.to_wix_msi_builder("x", "y", "1", "z")

register_target("dist", make_dist)
register_target("exe", make_exe, depends = ["dist"], default = True)
register_target("msi_" + VARS.get("FLAVOUR", "x64"), make_msi, depends = ["exe", "dist"])

resolve_targets()

PYOXIDIZER_VERSION = "0.10.3"
"""


def frazil(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=directory)


def test_list(tmp_path: Path) -> None:
    (tmp_path / "pyoxidizer.bzl").write_text(PROGRAM)
    answer = frazil(tmp_path, "targets", "--var", "FLAVOUR=arm")
    assert answer.returncode == 0, answer.stderr
    assert [line.split() for line in answer.stdout.splitlines()] == [
        ["dist", "nothing", "pyoxidizer.bzl:10:1"],
        ["exe", "nothing", "default", "dist", "pyoxidizer.bzl:11:1"],
        ["msi_arm", "WiXMSIBuilder", "exe,", "dist", "pyoxidizer.bzl:12:1"],
    ]


def test_json(tmp_path: Path) -> None:
    (tmp_path / "frazil.bzl").write_text(PROGRAM)
    answer = frazil(tmp_path, "targets", "frazil.bzl", "--json")
    listed = json.loads(answer.stdout)
    assert listed[1] == {
        "name": "exe",
        "depends": ["dist"],
        "type": "nothing",
        "default": True,
        "default_build_script": True,
        "place": "frazil.bzl:11:1",
    }


def test_check(tmp_path: Path) -> None:
    (tmp_path / "frazil.bzl").write_text(PROGRAM)
    answer = frazil(tmp_path, "config", "check")
    assert (answer.returncode, answer.stdout) == (0, "frazil.bzl: nothing wrong is found\n")


def test_check_tells_all_findings_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.bzl").write_text("print('ran')\nx = regster_target\nFileManifst()\n")
    answer = frazil(tmp_path, "config", "check", "a.bzl")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == (
        "error: a.bzl:2:5: regster_target is not defined\n    x = regster_target\n        ^^^^^^^^^^^^^^\n"
        "Did you mean register_target?\n"
        "a.bzl:3:1: FileManifst is not defined\n    FileManifst()\n    ^^^^^^^^^^^\nDid you mean FileManifest?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("targets",), 1, "there is no frazil.bzl and no pyoxidizer.bzl here"),
        (("targets", "none.bzl"), 1, "none.bzl: cannot be read: No such file or directory"),
        (("config", "check", "none.bzl"), 1, "none.bzl: cannot be read: No such file or directory"),
        (("targets", "none.bzl", "--var", "K"), 2, "--var K is not NAME=VALUE"),
        (("targets", "none.bzl", "--var", "K=1", "--var", "K=2"), 2, "--var K is given twice"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    answer = frazil(tmp_path, *arguments)
    assert answer.returncode == code
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
