"""What plans can say about modules outside the executable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from frazil.config.pmm import from_table, issues, pmm_settings, requirements
from frazil.errors import UsageError
from frazil.plan import PmmMode, PmmSettings
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


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("x", ["pmm: must be a table"]),
        ({"storages": "dir:/x"}, ["pmm.storages: must be an array of strings"]),
        ({"storages": [1], "mode": 1}, ["pmm.storages: must be an array of strings", "pmm.mode: must be a string"]),
        (
            {"storage": []},
            ["pmm.storage: is not known; the table takes storages, mode, allow, deny, root, unsigned, expired, update, state"],
        ),
    ],
)
def test_tables_of_another_form(table: object, told: list[str]) -> None:
    assert issues("pmm", table) == told


def test_the_command_line_and_the_table_count_together(root: Path) -> None:
    def merged(table: dict[str, object], *storages: str, **options: Any) -> PmmSettings:
        given = pmm_settings(storages, complete=False, **options) if storages else None
        made = from_table(table, root.parent, "pyproject.toml", given)
        assert made is not None
        return made

    both = merged({"storages": ["dir:/b", "dir:/a"], "root": root.name}, "dir:/a")
    assert (both.storages, both.root) == (("dir:/a", "dir:/b"), root.read_bytes())
    assert merged({"root": root.name, "allow": ["x"]}, "dir:/a").allow == ("x",)
    assert merged({"storages": ["dir:/b"]}, "dir:/a", root=root).root == root.read_bytes()
    assert merged({"storages": ["dir:/b"], "mode": "locked"}, "dir:/a", mode="add", root=root).mode is PmmMode.ADD


def test_whom_to_trust_must_be_said_somewhere(root: Path) -> None:
    with pytest.raises(UsageError, match="dir:/a needs signatures, and nobody's count"):
        from_table({"mode": "add"}, root.parent, "pyproject.toml", pmm_settings(["dir:/a"], complete=False))
    with pytest.raises(UsageError, match="locked storages must be signed"):
        pmm_settings(["memfs:a"], unsigned=True, mode="locked")
    assert from_table({"mode": "add"}, root.parent, "pyproject.toml", None) is None


@pytest.mark.parametrize(
    ("url", "needs"),
    [
        ("redis://h/0", ()),
        ("redis+unix:///s", ()),
        ("tape:/x", ()),
        ("https://h/x", ("fsspec[http]>=2024.6",)),
        ("s3://b/x", ("fsspec[s3]>=2024.6",)),
        ("ftp://h/x", ("fsspec>=2024.6",)),
    ],
)
def test_what_storages_need_of_others(url: str, needs: tuple[str, ...]) -> None:
    assert requirements(pmm_settings([url], unsigned=True)) == needs


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"storages": ["dir:/x", "dir:/x"]}, "a storage is named twice"),
        ({"storages": ["memfs:x"], "allow": ["a-b"]}, "'a-b' is no module name"),
        ({"storages": ["memfs:x"], "mode": "first"}, "'first' is no mode"),
        ({"storages": ["memfs:x"], "expired": "never"}, "expired is 'never'"),
        ({"storages": ["flash:{home}/x"]}, "flash:{home}/x: {home} is no placeholder"),
        ({"storages": ["zip:../x"]}, "zip:../x: the path is not absolute"),
        ({"storages": ["sqlite:/a/../x"]}, "sqlite:/a/../x: the path goes up"),
        ({"storages": ["dir:/a\nb"]}, "'dir:/a\\nb' names no storage"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        pmm_settings(settings.pop("storages"), **settings)
    assert caught.value.problem == told
