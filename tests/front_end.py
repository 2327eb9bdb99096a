"""Types of the fixtures in ``config/conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.plan import Plan


class Write(Protocol):
    """Write files below the test's directory, by relative path; texts are dedented. The directory is returned."""

    def __call__(self, files: dict[str, str | bytes]) -> Path: ...


class MakePlans(Protocol):
    """Plans of a source below the test's directory, with options of ``SourceOptions``."""

    def __call__(self, source: str, **options: Any) -> tuple[Plan, ...]: ...
