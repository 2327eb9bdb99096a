"""Types of the fixtures in ``config/manifest/conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frazil.config.manifest import Evaluation
    from frazil.frozen import FrozenModule


class Evaluate(Protocol):
    """Evaluate a text as ``manifest.py`` in the test's directory, with options of ``ManifestOptions``."""

    def __call__(self, text: str, *, collect: bool = False, **options: Any) -> Evaluation: ...


def brief(modules: Iterable[FrozenModule]) -> list[tuple[str, str, int | None]]:
    """Kind, target and level of each module, in order."""
    return [(one.kind.value, one.target, one.opt) for one in modules]


def targets(modules: Iterable[FrozenModule]) -> list[str]:
    """The targets, in order."""
    return [one.target for one in modules]
