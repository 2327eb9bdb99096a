"""The table of settings that front-ends share has all that any of them can say."""

from __future__ import annotations

from dataclasses import fields

import pytest

from frazil.config import api, pmm, settings
from frazil.config.options import SourceOptions
from frazil.errors import UsageError
from frazil.plan import Compression, LinkMode, PmmMode, WarmStart

OTHERWISE = {
    "name": "to_python_executable(name)",
    "source": "PythonPackagingPolicy.include_distribution_sources and include_non_distribution_sources",
    "optimize": "PythonInterpreterConfig.optimization_level",
    "multicall": "one executable has one start",
    "from-source": "projects and scripts only",
    "native": "projects only",
    "pmm": "pmm_*",
}
"""Keys of ``[tool.frazil]`` without a row, and why."""


def test_every_key_of_projects_has_its_row() -> None:
    known = {one.key or one.name.replace("_", "-") for one in api.SETTINGS}
    assert set(settings._KEYS) - known - set(OTHERWISE) == set()
    assert known - set(settings._KEYS) == {"-"}
    assert list(api.PMM) == list(pmm._KEYS)


def test_defaults_change_nothing() -> None:
    options = SourceOptions("")
    values = {one.name: one.default for one in api.SETTINGS}
    assert api.applied(options, values, "here") == options


def test_settings_are_applied() -> None:
    values = {
        "link": "shared",
        "compress": "deflate",
        "memfs_limit": "2M",
        "self_exec": "application",
        "warm_start": True,
        "include": ["a", "b.*"],
        "archives": ["x.tar.gz"],
        "pmm_search": ["dir:{exe_dir}/modules"],
        "pmm_mode": "add",
        "pmm_unsigned": True,
    }
    made = api.applied(SourceOptions("", include=("z",)), values, "here")
    assert (made.link, made.compression, made.memfs_limit) == (LinkMode.SHARED, Compression.DEFLATE, 2 << 20)
    assert (made.include, [str(one) for one in made.archives]) == (("z", "a", "b.*"), ["x.tar.gz"])
    assert made.interpreter.self_exec_application
    assert made.warm == WarmStart()
    assert made.pmm is not None
    assert (made.pmm.storages, made.pmm.mode, made.pmm.unsigned) == (("dir:{exe_dir}/modules",), PmmMode.ADD, True)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"memfs_limit": "much"}, "'much' is no size"),
        ({"warm_start": ["a-b"]}, "'a-b' is no name of a module"),
        ({"pmm_search": ["somewhere"]}, "'somewhere' names no storage"),
        ({"pmm_search": ["dir:{exe_dir}/x"]}, "needs signatures"),
    ],
)
def test_bad_values(values: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        api.applied(SourceOptions(""), values, "here")


def test_rows_name_fields() -> None:
    names = {one.name for one in fields(SourceOptions)}
    assert {"link", "stdlib", "compression", "memfs_limit", "include", "exclude", "archives", "native_link"} <= names
