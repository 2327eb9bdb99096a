"""What plans can say about updates of modules outside the executable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from frazil.config.pmm import from_table, issues, pmm_settings, requirements
from frazil.errors import UsageError
from signed_sets import Publisher

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = ("dir:{exe_dir}/modules",)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root.json"
    path.write_bytes(Publisher().root())
    return path


def test_what_signatures_and_updates_need_of_others(root: Path) -> None:
    unsigned = pmm_settings(DIRECTORY, unsigned=True)
    assert requirements(unsigned) == ()
    assert requirements(pmm_settings(DIRECTORY, root=root)) == ("cryptography>=42",)
    assert requirements(pmm_settings(DIRECTORY, root=root, update=True)) == ("cryptography>=42", "tuf>=6")


@pytest.mark.parametrize("storages", [("memfs:modules",), ("function",)])
def test_only_signed_storages_are_updated(root: Path, storages: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="only signed storages can be updated"):
        pmm_settings(storages, root=root, update=True)


def test_unsigned_storages_are_not_updated() -> None:
    with pytest.raises(UsageError, match="only signed storages can be updated"):
        pmm_settings(DIRECTORY, unsigned=True, update=True)


@pytest.mark.parametrize(
    ("state", "message"),
    [("here", "the path is not absolute"), ("/a/../b", "the path goes up"), ("{home}/x", "{home} is no placeholder")],
)
def test_where_the_counter_is_kept(root: Path, state: str, message: str) -> None:
    assert pmm_settings(DIRECTORY, root=root, state="{exe_dir}/state").state == "{exe_dir}/state"
    with pytest.raises(UsageError, match=re.escape(message)):
        pmm_settings(DIRECTORY, root=root, state=state)


def test_in_a_projects_table(root: Path) -> None:
    table = {"storages": list(DIRECTORY), "root": root.name, "update": True, "expired": "installed", "state": "/var/lib/x"}
    assert issues("tool.frazil.pmm", table) == []
    made = from_table(table, root.parent, "pyproject.toml", None)
    assert made is not None
    assert (made.update, made.expired, made.state, made.root) == (True, "installed", "/var/lib/x", root.read_bytes())
    assert issues("tool.frazil.pmm", {"update": "yes"}) == ["tool.frazil.pmm.update: must be true or false"]
