"""The programs of ``programs/`` start warm and show what they show cold, a few times; ``libraries.py`` starts them often."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import interpreters
from warm.libraries import HERE, try_program

QUICK = ("attrs", "yaml")
PROGRAMS = sorted(one.stem.removeprefix("use_") for one in (HERE / "programs").glob("use_*.py"))


@pytest.mark.parametrize("name", [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in PROGRAMS])
def test_program(
    name: str, target: Path, tmp_path: Path, build_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAZIL_CACHE_DIR", build_environment["FRAZIL_CACHE_DIR"])
    version = next(known for known, path in interpreters().items() if path == target)
    (tmp_path / version / "warm").mkdir(parents=True)
    result = try_program(HERE / f"programs/use_{name}.py", version, 3, tmp_path)
    assert result.good, (result.differences, result.remarks)
    assert result.starts == 3


def test_there_are_twenty() -> None:
    assert len(PROGRAMS) >= 20
