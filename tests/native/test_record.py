"""The records of native modules: what fits, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from frazil.native.record import BuildKey, fits, init_symbol

HERE = BuildKey(
    soabi="cpython-313-x86_64-linux-gnu",
    python="3.13.0",
    platform="x86_64-linux-gnu",
    compiler="gcc 12.2.0",
    flags=("-DX",),
    optimisation="-O2",
    glibc="2.36",
)


def test_the_same_key_fits() -> None:
    assert fits(HERE, HERE) == []


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("soabi", "cpython-311-x86_64-linux-gnu", "soabi: built for cpython-311-x86_64-linux-gnu, this is " + HERE.soabi),
        ("python", "3.11.7", "python: built for 3.11.7, this is 3.13.0"),
        ("platform", "aarch64-linux-gnu", "platform: built for aarch64-linux-gnu, this is x86_64-linux-gnu"),
        ("compiler", "clang 14.0.6", "compiler: built for clang 14.0.6, this is gcc 12.2.0"),
        ("compiler", "gcc 13.1.0", "compiler: built for gcc 13.1.0, this is gcc 12.2.0"),
        ("compiler", "", "compiler: built for nothing that is known, this is gcc 12.2.0"),
        ("optimisation", "-O0", "optimisation: built for -O0, this is -O2"),
        ("glibc", "2.38", "glibc: built for 2.38, this is 2.36"),
        ("flags", ("-DY", "-g"), "flags: built for -DY -g, this is -DX"),
    ],
)
def test_each_field_that_differs_is_a_reason(field: str, value: Any, reason: str) -> None:
    assert fits(replace(HERE, **{field: value}), HERE) == [reason]


@pytest.mark.parametrize(
    ("field", "value"), [("python", "3.13.9"), ("compiler", "gcc 12.3.1"), ("glibc", "2.17"), ("flags", None)]
)
def test_what_is_compatible_fits(field: str, value: Any) -> None:
    assert fits(replace(HERE, **{field: value}), HERE) == []


def test_an_empty_field_of_what_is_wanted_does_not_matter() -> None:
    assert fits(HERE, BuildKey(soabi=HERE.soabi)) == []


def test_every_reason_is_told() -> None:
    assert len(fits(BuildKey(flags=()), replace(HERE, glibc="2.0"))) == 6


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("pkg._speedups", "PyInit__speedups"), ("top", "PyInit_top"), ("pkg.größe", "PyInitU_gre_6ka8i")],
)
def test_init_symbols_are_those_of_pep_489(name: str, symbol: str) -> None:
    assert init_symbol(name) == symbol
