"""In what two archives differ. Pure; this file does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from frazil.archive.metadata import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from frazil.archive.content import Archive

Change = Literal["added", "removed", "changed"]
Kind = Literal["metadata", "module", "file"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in the second archive. ``details`` are ``field: first, then second``."""

    kind: Kind
    name: str
    change: Change
    details: tuple[str, ...] = ()


def differences(first: Archive, second: Archive) -> list[Difference]:
    """What was added, removed and changed from ``first`` to ``second``; empty when both hold the same."""
    before, after = as_json(first.metadata), as_json(second.metadata)
    tables = ("modules", "files")
    found = list(
        _between(
            "metadata",
            {name: value for name, value in before.items() if name not in tables},
            {name: value for name, value in after.items() if name not in tables},
        )
    )
    found += _between("module", before["modules"], after["modules"])
    found += _between("file", before["files"], after["files"])
    return found


def _between(kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield Difference(kind, name, "removed")
        elif name not in before:
            yield Difference(kind, name, "added")
        elif before[name] != after[name]:
            yield Difference(kind, name, "changed", tuple(_details("", before[name], after[name])))


def _details(place: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield from _details(f"{place}.{name}" if place else name, before.get(name), after.get(name))
    else:
        where = f"{place}: " if place else ""
        yield f"{where}{_shown(before)}, then {_shown(after)}"


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
