"""Configurations evaluated: what their targets return, and what the author is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialect import Evaluate, Evaluated
from frazil.config.dialect import configuration
from frazil.config.dialect.session import Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.cache import ContentCache
    from front_end import Write


@pytest.fixture
def evaluate(write: Write, cache: ContentCache) -> Evaluate:
    """Run a configuration with some files beside it."""

    def run(
        program: str,
        files: dict[str, str | bytes] | None = None,
        *,
        wanted: Sequence[str] = (),
        variables: dict[str, str | None] | None = None,
    ) -> Evaluated:
        path = write({"frazil.bzl": program, **(files or {})}) / "frazil.bzl"
        notes: list[str] = []
        printed: list[str] = []
        found = configuration.run(
            path,
            Surroundings(cache, note=notes.append),
            wanted=wanted,
            variables=variables,
            on_print=lambda text, _span: printed.append(text),
        )
        return Evaluated(
            found.targets.results,
            printed,
            [note.removeprefix(f"{path}:") for note in notes],
            lambda function: found.session.call(function, []),
        )

    return run
