"""The documentation has a row for every name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from frazil.config.dialect import configuration
from frazil.config.starlark.builtins import METHODS, UNIVERSE

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "config-starlark.md"


@pytest.mark.parametrize("name", [*sorted(configuration.given(Path("frazil.bzl"))), *UNIVERSE])
def test_names_are_documented(name: str) -> None:
    assert re.search(rf"`{name}[`(]", DOCUMENT.read_text(encoding="utf-8"))


def test_methods_are_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = {
        row.split("|")[1].strip(): row.split("|")[2]
        for row in text.splitlines()
        if row.startswith(("| string ", "| list ", "| dict "))
    }
    for kind, methods in zip(("string", "list", "dict"), METHODS.values(), strict=True):
        assert re.findall(r"`(\w+)`", rows[kind]) == sorted(methods)
