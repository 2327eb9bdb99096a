"""Merges archives, the first of which wins. Pure; this file does no I/O.

A merge is a union of units (``paths.unit_of``), each taken whole from the first archive that has it. Which unit a path belongs
to is told by the path alone, so units of different archives never share one; that makes merging associative.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from frazil.archive.content import Archive, with_digests
from frazil.archive.metadata_reader import nested
from frazil.archive.paths import Unit, module_unit, unit_of
from frazil.errors import SourceError
from frazil.native.record import fits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.archive.metadata import FileFacts, ModuleFacts
    from frazil.resources.kinds import Content


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that two archives have, and not the same. ``what`` is a path, ``module NAME`` or ``distribution NAME``."""

    what: str
    winner: str
    loser: str
    reason: str = ""

    def __str__(self) -> str:
        """One line for people."""
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.what}: that of {self.winner} was taken, that of {self.loser} left out{reason}"


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge, and all in which its archives differ."""

    archive: Archive
    conflicts: tuple[Conflict, ...]


def merge(archives: Sequence[Archive], name: str) -> Merged:
    """The archives as one that people call ``name``; an earlier one wins over a later one.

    Raises SourceError when a file of one archive is a directory in another.
    """
    union = _Union()
    for archive in archives:
        union.add(archive)
    clashes = list(nested(union.files))
    if clashes:
        lines = "\n".join(f"  {clash.removeprefix('files')}" for clash in clashes)
        raise SourceError("files of one archive are directories in another", where=name, details=lines)
    first = archives[0].metadata
    metadata = replace(
        first,
        mode=replace(first.mode, glibc=max((one.metadata.mode.glibc for one in archives), key=numbers)),
        compiler=next((one.metadata.compiler for one in archives if one.metadata.compiler is not None), None),
        modules=union.modules,
        files=union.facts,
        paths=tuple(dict.fromkeys(path for one in archives for path in one.metadata.paths)),
        archive_version=max((one.metadata.archive_version for one in archives), key=numbers),
        extra={key: value for one in reversed(archives) for key, value in one.metadata.extra.items()},
    )
    return Merged(Archive(name, with_digests(metadata), union.files), tuple(union.conflicts))


def require_none(conflicts: Sequence[Conflict], where: str) -> None:
    """Raise SourceError that lists the conflicts, if there are any; what ``--strict`` asks for."""
    if conflicts:
        count = len(conflicts)
        problem = "the archives differ in one thing" if count == 1 else f"the archives differ in {count} things"
        lines = "\n".join(f"  {conflict}" for conflict in conflicts)
        raise SourceError(problem, where=where, details=lines, remedy="Make them agree, or leave --strict out.")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers in a version, by which versions of glibc and of the format are ordered."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


class _Union:
    def __init__(self) -> None:
        self.modules: dict[str, ModuleFacts] = {}
        self.facts: dict[str, FileFacts] = {}
        self.files: dict[str, Content] = {}
        self.conflicts: list[Conflict] = []
        self._owner: dict[Unit, Archive] = {}
        self._spelling: dict[str, str] = {}
        """The path that was taken, by what is the same in every case."""

    def add(self, archive: Archive) -> None:
        """Take the units that no earlier archive has, and note in which of the others this one differs."""
        mine: set[Unit] = set()
        lost: dict[Unit, list[str]] = {}
        for path in sorted(archive.files):
            unit = unit_of(path)
            if self._claims(unit, archive, mine):
                self.files[path] = archive.files[path]
                self.facts[path] = archive.metadata.files[path]
                self._spelling[path.casefold()] = path
            else:
                lost.setdefault(unit, []).append(path)
        for module, facts in sorted(archive.metadata.modules.items()):
            if self._claims(module_unit(module), archive, mine):
                self.modules[module] = facts
        for unit, paths in lost.items():
            self._compare(unit, paths, archive)
        for module in sorted(archive.metadata.modules):
            self._compare_records(module, archive)

    def _claims(self, unit: Unit, archive: Archive, mine: set[Unit]) -> bool:
        if unit in mine:
            return True
        if unit in self._owner:
            return False
        self._owner[unit] = archive
        mine.add(unit)
        return True

    def _compare(self, unit: Unit, paths: Sequence[str], archive: Archive) -> None:
        winner = self._owner[unit].name
        for path in paths:
            held = self._spelling.get(path.casefold())
            if held is not None and held != path:
                self.conflicts.append(Conflict(path, winner, archive.name, f"there as {held}"))
            elif held is not None and self.facts[path].sha256 != archive.metadata.files[path].sha256:
                self.conflicts.append(Conflict(path, winner, archive.name))
        if unit[0] == "distribution" and not any(path.casefold() in self._spelling for path in paths):
            held_in = next(path for path in self._owner[unit].files if unit_of(path) == unit)
            reason = f"{_directory(held_in)} against {_directory(paths[0])}"
            self.conflicts.append(Conflict(f"distribution {unit[1]}", winner, archive.name, reason))

    def _compare_records(self, name: str, archive: Archive) -> None:
        theirs = archive.metadata.modules[name]
        owner = self._owner[module_unit(name)]
        if owner is archive:
            return
        ours = self.modules.get(name)
        if ours is None or replace(ours, digest="") != replace(theirs, digest=""):
            self.conflicts.append(Conflict(f"module {name}", owner.name, archive.name, _reason(ours, theirs)))


def _directory(path: str) -> str:
    return path.split("/")[1].removesuffix(".dist-info")


def _reason(ours: ModuleFacts | None, theirs: ModuleFacts) -> str:
    if ours is None:
        return "there under another name"
    if ours.key is not None and theirs.key is not None:
        reasons = fits(theirs.key, ours.key)
        if reasons:
            return "; ".join(reasons)
    different = [
        name for name in ours.__dataclass_fields__ if name != "digest" and getattr(ours, name) != getattr(theirs, name)
    ]
    return "they differ in " + ", ".join(different)
