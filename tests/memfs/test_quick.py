"""The quick part of CPython's own tests on memfs and on tmpfs; ``nox -s memfs`` runs all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memfs.compare import QUICK, RUNNER, TMPFS, Comparison, Difference, build_options, compare_module, reasons, table, verdict
from support import Build

pytestmark = pytest.mark.skipif(not os.access(TMPFS, os.W_OK), reason="there is no tmpfs to compare with")


@pytest.fixture(scope="session")
def runner(build: Build, target: Path) -> Path:
    if not list(target.parent.parent.glob("lib/python3*/test/test_glob.py")):
        pytest.skip("this Python comes without its tests")
    return build(RUNNER, target, *build_options((), target))


@pytest.mark.parametrize("module", QUICK)
def test_comes_out_on_memfs_as_on_tmpfs(runner: Path, module: str, tmp_path: Path) -> None:
    result = compare_module(runner, module, tmp_path)
    known = reasons()
    # The bound is one of the whole run: three of test_tempfile's tests hand paths to other processes.
    assert [line for line in verdict([result], known) if line.startswith("no ")] == []
    assert result.passed > 20 or module == "test_glob"


def test_differences_need_a_reason() -> None:
    outcomes = {f"test.test_x.T.test_{number}": "ok" for number in range(200)}
    found = (Difference("test.test_x.T.test_7", "ok", "fail", "AssertionError"),)
    result = Comparison("test_x", outcomes, outcomes | {"test.test_x.T.test_7": "fail"}, found)
    assert verdict([result], []) == [
        "no reason for test.test_x.T.test_7: ok on tmpfs, fail on memfs: AssertionError",
    ]
    assert "| `test.test_x.T.test_7` | ok | fail | **unknown** |" in table("3.11", [result], [])
    assert verdict([Comparison("test_x", {}, {}, ())], []) == ["no test passes on tmpfs"]


def test_one_in_a_hundred_is_too_many() -> None:
    outcomes = {f"test.test_x.T.test_{number}": "ok" for number in range(100)}
    test = "test.test_posix.TestPosixSpawn.test_returns_pid"
    result = Comparison("test_x", outcomes, {}, (Difference(test, "ok", "error", ""),))
    assert verdict([result], reasons()) == ["1 of the 100 tests that pass on tmpfs do not pass on memfs"]
