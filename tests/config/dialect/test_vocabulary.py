"""The documentation has a row for every name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from frazil.config.dialect import configuration
from frazil.config.dialect.distributions import PythonDistribution
from frazil.config.dialect.executables import PythonExecutable
from frazil.config.dialect.interpreter_config import PythonInterpreterConfig
from frazil.config.dialect.policies import PythonPackagingPolicy
from frazil.config.dialect.resource_types import (
    File,
    PythonExtensionModule,
    PythonModuleBytecode,
    PythonModuleSource,
    PythonPackageDistributionResource,
    PythonPackageResource,
)
from frazil.config.starlark.builtins import METHODS, UNIVERSE
from frazil.config.starlark.host import HostObject

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "config-starlark.md"


@pytest.mark.parametrize("name", [*sorted(configuration.given(Path("frazil.bzl"))), *UNIVERSE])
def test_names_are_documented(name: str) -> None:
    assert re.search(rf"`{name}[`(]", DOCUMENT.read_text(encoding="utf-8"))


SECTIONS = {
    PythonDistribution: "### `PythonDistribution`",
    PythonPackagingPolicy: "### `PythonPackagingPolicy`",
    PythonExecutable: "### `PythonExecutable`",
    PythonInterpreterConfig: "### `PythonInterpreterConfig`",
    **dict.fromkeys(
        (
            PythonModuleSource,
            PythonModuleBytecode,
            PythonExtensionModule,
            PythonPackageResource,
            PythonPackageDistributionResource,
            File,
        ),
        "### Resources",
    ),
}


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: str(kind.starlark_type))
def test_members_have_rows_that_say_their_state(kind: type[HostObject]) -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition(SECTIONS[kind])[2].partition("\n### ")[0]
    rows = [row.split("|") for row in section.splitlines() if row.startswith("| `")]
    states = {
        name: state
        for _, names, state, *_ in rows
        for name in re.findall(r"`(\w+)", names)
        if state.strip().startswith(("works", "accepted", "refused", "frazil's own"))
    }
    assert set(kind.starlark_members) - set(states) == set()


def test_methods_are_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = {
        row.split("|")[1].strip(): row.split("|")[2]
        for row in text.splitlines()
        if row.startswith(("| string ", "| list ", "| dict "))
    }
    for kind, methods in zip(("string", "list", "dict"), METHODS.values(), strict=True):
        assert re.findall(r"`(\w+)`", rows[kind]) == sorted(methods)
