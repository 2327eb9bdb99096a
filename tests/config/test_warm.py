"""What configurations say about the warm start."""

from __future__ import annotations

import pytest

from frazil.config.warm import parse_warm
from frazil.errors import UsageError
from frazil.plan import WarmStart


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (False, None),
        (True, WarmStart()),
        ("all", WarmStart()),
        ("a,b.c", WarmStart(("a", "b.c"))),
        (["a"], WarmStart(("a",))),
        ("first-run", WarmStart(first_run=True)),
        ("first-run,a", WarmStart(("a",), first_run=True)),
        (["b", "first-run"], WarmStart(("b",), first_run=True)),
    ],
)
def test_values(value: object, wanted: WarmStart | None) -> None:
    assert parse_warm(value, "here") == wanted


@pytest.mark.parametrize("value", [1, "first-run,", "second-run", ["a", 2]])
def test_bad_values(value: object) -> None:
    with pytest.raises(UsageError):
        parse_warm(value, "here")
