"""What ``--exclude`` removes; the rules stand with ``SourceOptions``."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from frazil.resources.kinds import APPLICATION, BytecodeModule, ExtensionModule, SourceModule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.resources.collection import Collection
    from frazil.resources.kinds import Resource


class Exclusion:
    """Patterns of dotted names, asked and applied."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [(pattern, re.compile(fnmatch.translate(pattern))) for pattern in patterns]
        self._known: dict[str, bool] = {"": False}
        self._matched: set[str] = set()

    def __call__(self, name: str) -> bool:
        """Whether the module ``name`` is excluded, itself or by a package above it."""
        known = self._known.get(name)
        if known is None:
            matching = [pattern for pattern, expression in self._patterns if expression.match(name)]
            self._matched.update(matching)
            known = self._known[name] = bool(matching) or self(name.rpartition(".")[0])
        return known

    def apply(self, collection: Collection, prefixes: Sequence[str]) -> None:
        """Remove what is excluded. ``prefixes`` are the ``sys.path`` entries below the mount, inner ones first."""
        if not self._patterns:
            return
        before = _owners(collection)
        for resource in list(collection):
            if self(_dotted(resource, prefixes)):
                collection.discard(resource.path)
        left = _owners(collection)
        gone = {owner for owner in before - left if owner != APPLICATION}
        owners = {resource.owner for resource in collection} - {APPLICATION}
        for pattern, _ in self._patterns:
            if pattern not in self._matched:
                gone.update(fnmatch.filter(owners, canonicalize_name(pattern)))
        for resource in list(collection):
            if resource.owner in gone:
                collection.discard(resource.path)


def _owners(collection: Collection) -> set[str]:
    """The owners that have modules."""
    return {module.owner for module in collection.modules()}


def _dotted(resource: Resource, prefixes: Sequence[str]) -> str:
    """A module's name; for another file that of the package whose directory it is in, empty when in none."""
    if isinstance(resource, SourceModule | BytecodeModule | ExtensionModule):
        return resource.name
    for prefix in prefixes:
        below = f"{prefix}/" if prefix else ""
        if resource.path.startswith(below):
            parts = resource.path[len(below) :].split("/")[:-1]
            depth = next((index for index, part in enumerate(parts) if not part.isidentifier()), len(parts))
            return ".".join(parts[:depth])
    return ""
