"""What changes an identity, and what does not."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING

import pytest

from frazil.cache import ContentCache
from frazil.distribution import running
from frazil.identity import identity_of
from frazil.resources.collection import Collection
from frazil.resources.kinds import APPLICATION, DataFile

if TYPE_CHECKING:
    from pathlib import Path


def test_values() -> None:
    values: list[object] = [
        "a", b"a", 1, True, None, ["a"], ["a", "b"], [["a"], "b"], {"a": 1}, {"a": 2}, {1, 2}, {1},
        DataFile(b"a", "a", APPLICATION), DataFile(b"a", "b", APPLICATION), Collection([DataFile(b"a", "b", APPLICATION)]),
        Collection(),
    ]  # fmt: skip
    assert len({identity_of(one) for one in values}) == len(values)
    assert identity_of({"a": 1, "b": 2}) == identity_of({"b": 2, "a": 1})
    assert identity_of(object()) != identity_of(object())


@dataclasses.dataclass
class _Work:
    result: str
    seconds: int = dataclasses.field(compare=False)


def test_what_a_record_leaves_out_of_comparisons_does_not_count() -> None:
    assert identity_of(_Work("a", 1)) == identity_of(_Work("a", 2)) != identity_of(_Work("b", 1))


def test_files(tmp_path: Path) -> None:
    place = tmp_path / "a"
    missing = identity_of(place)
    place.write_text("1")
    first = identity_of(place)
    assert first == identity_of(place) != missing
    (tmp_path / "b").write_text("1")
    (tmp_path / "b").replace(place)
    second = identity_of(place)
    assert second != first
    place.chmod(0o755)
    assert identity_of(place) not in {first, second}


def test_a_distribution_with_a_mended_standard_library(tmp_path: Path) -> None:
    python = running(ContentCache(tmp_path / "cache"))
    stdlib = tmp_path / "lib"
    shutil.copytree(python.stdlib / "json", stdlib / "json")
    python = dataclasses.replace(python, stdlib=stdlib)
    first = identity_of([python])
    (stdlib / "json" / "__pycache__" / "tool.pyc").write_text("")
    assert identity_of([python]) == first
    with (stdlib / "json" / "tool.py").open("a") as file:
        file.write("#")
    assert identity_of([python]) != first


@pytest.mark.parametrize("name", ["CC", "SOURCE_DATE_EPOCH"])
def test_variables_that_builds_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first = identity_of()
    monkeypatch.setenv(name, "1")
    assert identity_of() != first
