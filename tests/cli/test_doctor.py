from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def doctor(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", "doctor", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **variables})


def states(answer: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {one["subject"]: one["state"] for one in json.loads(answer.stdout)["findings"]}


def test_this_machine_can_build(tmp_path: Path) -> None:
    answer = doctor(FRAZIL_CACHE_DIR=str(tmp_path))
    assert answer.returncode == 0, answer.stdout
    assert answer.stdout.endswith("Builds can work here.\n")
    assert len(answer.stdout.splitlines()) <= 24
    assert str(tmp_path) in answer.stdout


def test_json_says_the_same(tmp_path: Path) -> None:
    answer = doctor("--json", FRAZIL_CACHE_DIR=str(tmp_path))
    assert json.loads(answer.stdout)["possible"] is True
    found = states(answer)
    assert {"compiler", "python", "libpython static", "headers", "C library", "memfd", "/proc", "installer", "cache"} <= set(
        found
    )
    assert (found["compiler"], found["python"], found["cache"]) == ("ok", "ok", "ok")


def test_no_compiler(tmp_path: Path, without_zig: str) -> None:
    answer = doctor("--json", PATH=str(tmp_path), FRAZIL_CACHE_DIR=str(tmp_path / "cache"), PYTHONPATH=without_zig)
    assert answer.returncode == 1
    assert json.loads(answer.stdout)["possible"] is False
    (finding,) = [one for one in json.loads(answer.stdout)["findings"] if one["subject"] == "compiler"]
    assert finding["value"] == "there is no C compiler on this machine"
    assert "Install one" in finding["remedy"]


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    answer = doctor("--python", tmp_path / "python", FRAZIL_CACHE_DIR=str(tmp_path / "cache"))
    assert answer.returncode == 1
    assert answer.stderr == ""
    assert "No build can work here." in answer.stdout
    assert "What to do" in answer.stdout


def test_a_name_is_looked_for_on_path(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "my-python").symlink_to(Path(sys.executable).resolve())
    variables = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "FRAZIL_CACHE_DIR": str(tmp_path / "cache")}
    assert states(doctor("--python", "my-python", "--json", **variables))["python"] == "ok"
    answer = doctor("--python", "no-python", "--json", **variables)
    assert (states(answer)["python"], answer.returncode) == ("missing", 1)


def test_a_cache_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    answer = doctor("--json", FRAZIL_CACHE_DIR=str(tmp_path / "file"))
    assert answer.returncode == 1
    assert states(answer)["cache"] == "missing"
    assert "Traceback" not in answer.stderr
