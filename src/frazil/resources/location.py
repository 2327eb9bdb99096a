"""Where a resource stands at run time: in the executable, or in a directory beside it. Pure; this file does no I/O."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from frazil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_RELATIVE: Final = "filesystem-relative:"
_POLICIES: Final = (
    'There are "in-memory-only", "filesystem-relative-only:PREFIX" and "prefer-in-memory-fallback-filesystem-relative:PREFIX".'
)


@dataclass(frozen=True, slots=True)
class Location:
    """``prefix`` is a directory relative to the executable's own, ``.`` for that itself; None means in memory."""

    prefix: str | None = None

    def __str__(self) -> str:
        """As configurations write it."""
        return "in-memory" if self.prefix is None else f"{_RELATIVE}{self.prefix}"


IN_MEMORY: Final = Location()


@dataclass(frozen=True, slots=True)
class Locations:
    """Where the resources of a plan stand: those of ``by_path`` as it says, the others at ``standard``.

    What the interpreter needs before it can import from files is in memory wherever this says.
    Libraries follow what needs them.
    """

    standard: Location = IN_MEMORY
    by_path: Mapping[str, Location] = field(default_factory=dict)

    @property
    def all_in_memory(self) -> bool:
        """Whether nothing stands beside the executable."""
        return self.standard == IN_MEMORY and not any(one != IN_MEMORY for one in self.by_path.values())

    def of(self, path: str) -> Location:
        """The location of what has ``path`` below the mount; bytecode without source is where its source would be."""
        found = self.by_path.get(path)
        if found is None and path.endswith(".pyc"):
            found = self.by_path.get(path[:-1])
        return self.standard if found is None else found


def parse_location(text: str) -> Location:
    """``in-memory`` or ``filesystem-relative:PREFIX``. Raises UsageError."""
    if text == "in-memory":
        return IN_MEMORY
    if text.startswith(_RELATIVE):
        return Location(_checked_prefix(text.removeprefix(_RELATIVE), text))
    remedy = 'There are "in-memory" and "filesystem-relative:PREFIX".'
    raise UsageError(f'"{text}" is no location of resources', remedy=remedy)


def parse_policy(text: str) -> tuple[Location, Location | None]:
    """Location and fallback of a resources policy as PyOxidizer had them until 0.8. Raises UsageError."""
    kind, _, prefix = text.partition(":")
    if text == "in-memory-only":
        return IN_MEMORY, None
    if kind == "filesystem-relative-only":
        return Location(_checked_prefix(prefix, text)), None
    if kind == "prefer-in-memory-fallback-filesystem-relative":
        return IN_MEMORY, Location(_checked_prefix(prefix, text))
    raise UsageError(f'"{text}" is no policy for resources', remedy=_POLICIES)


def _checked_prefix(prefix: str, text: str) -> str:
    normal = posixpath.normpath(prefix) if prefix else ""
    if not prefix or prefix.startswith("/") or normal == ".." or normal.startswith("../"):
        remedy = 'Name a directory below the executable\'s own, as in "filesystem-relative:lib".'
        raise UsageError(f'"{text}" names no directory beside the executable', remedy=remedy)
    if not prefix.isprintable() or ":" in prefix or "$" in prefix:
        raise UsageError(f'"{text}": a prefix has no colon, no dollar sign and no control characters')
    return normal
