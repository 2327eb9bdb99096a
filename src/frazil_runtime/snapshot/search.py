"""Searches for a snapshot that holds as many modules as can be: two dumps, compared, written down and tried."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from frazil_runtime.snapshot import format as layout
from frazil_runtime.snapshot.compare import LayoutError, compare
from frazil_runtime.snapshot.dumps import DumpError, make_dump, try_snapshot
from frazil_runtime.snapshot.notes import conditions, obstacles, remarks
from frazil_runtime.snapshot.report import LeftOut, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from frazil_runtime.snapshot.dumps import Dump, Note

SECONDS: Final = 60.0
"""How long importing may take."""
_TRIALS: Final = 3
_ATTEMPTS: Final = 60
"""After so many snapshots modules are no longer taken apart."""
_ROUNDS: Final = 4
"""So often imports may look at yet other variables when they are given those that they look at."""


class SnapshotError(Exception):
    """There is no snapshot of these modules; the message says why, ``details`` is what the program wrote."""

    def __init__(self, problem: str, details: str = "") -> None:
        super().__init__(problem)
        self.details = details


@dataclass(slots=True)
class Search:
    """What it works with, and what it has found."""

    executable: Path
    directory: Path
    """Dumps go there."""
    flags: int
    """The snapshot's (``format.py``)."""
    variables: Mapping[str, str]
    """The environment that imports run in."""
    place: Callable[[bytes], tuple[Path, ...]]
    """Puts a snapshot where it can be restored from: an executable that holds it, or one and a file. Raises DumpError."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Variables that are added when imports look at them."""
    for_others: bool = False
    """Whether other users are to start warm, too: what asks for the user's language is then left out."""
    imports: Callable[[str], Sequence[str]] = lambda _: ()
    """What a module imports: of one that cannot be in a snapshot, these are tried."""
    snapshot: bytes | None = None
    notes: list[Note] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    attempts: int = 0

    def find(self, modules: Sequence[str]) -> tuple[bytes, Report]:
        """The snapshot's bytes, and what is in it. Raises SnapshotError when not even the interpreter alone can be in one."""
        good = self._extend((), tuple(modules))
        if self.snapshot is None:
            self._attempt(())
        assert self.snapshot is not None  # noqa: S101 - _attempt sets it or raises
        report = Report(good, tuple(self.left_out), remarks(self.notes))
        return layout.with_report(self.snapshot, report.pack()), report

    def _extend(self, good: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
        """As many of ``more`` as can be, with ``good``: all at once, or else by halves."""
        try:
            self._attempt((*good, *more))
        except SnapshotError as error:
            if len(more) > 1:
                middle = len(more) // 2
                return self._extend(self._extend(good, more[:middle]), more[middle:])
            return self._leave_out(more[0], error, good) if more else good
        return (*good, *more)

    def _leave_out(self, name: str, error: SnapshotError, good: tuple[str, ...]) -> tuple[str, ...]:
        """Take the module apart: what it imports may still be in the snapshot."""
        imports = self.imports(name)
        known = {*good, *(one.module for one in self.left_out), name}
        parts = tuple(one for one in imports if one not in known) if self.attempts < _ATTEMPTS else ()
        before = len(self.left_out)
        extended = self._extend(good, parts) if parts else good
        causes = [one.module for one in self.left_out if one.module in imports]
        details = "" if error.details.split("\n")[0] in str(error) else error.details  # they may only repeat the problem
        reason = f"it imports {causes[0]}" if causes else f"{error} {details}".strip()
        self.left_out.insert(before, LeftOut(name, reason))
        return extended

    def _attempt(self, modules: Sequence[str]) -> None:
        """Make a snapshot, and restore it a few times. Raises SnapshotError."""
        self.attempts += 1
        try:
            first = self._first_dump(modules)
            second = self._dump(modules)
            made = _snapshot(first, second, self.flags, for_others=self.for_others)
            self._try(made, first.state())
        except DumpError as error:
            raise SnapshotError(f"no snapshot can be made: {error}", error.details) from error
        self.snapshot, self.notes = made, first.notes

    def _try(self, snapshot: bytes, state: Mapping[str, str]) -> None:
        """Restore it, each time under another layout of addresses; its modules must hold what they held when imported."""
        executable, *files = self.place(snapshot)
        for _ in range(_TRIALS):
            restored = try_snapshot(executable, self.variables, *files)
            if others := sorted({name[1:-1] for name, _ in state.items() ^ restored.items()}):
                raise DumpError(f"once restored, {others[0]} is not what was imported", "\n".join(others))

    def _dump(self, modules: Sequence[str]) -> Dump:
        return make_dump(self.executable, modules, self.directory, SECONDS, self.variables)

    def _first_dump(self, modules: Sequence[str]) -> Dump:
        """A dump of imports that found those variables set that they looked at, as far as their values are known."""
        dump = self._dump(modules)
        for _ in range(_ROUNDS if self.known else 0):
            names = (os.fsdecode(one.name) for one in conditions(dump.notes) if one.question is layout.Question.ABSENT)
            more = {name: self.known[name] for name in names if name in self.known and name not in self.variables}
            if not more:
                break
            self.variables = {**self.variables, **more}
            dump = self._dump(modules)
        return dump


def _snapshot(first: Dump, second: Dump, flags: int, *, for_others: bool) -> bytes:
    if problems := [*first.problems, *obstacles(first.notes, for_others=for_others)]:
        raise SnapshotError(f"no snapshot can be made: {problems[0]}", "\n".join(problems))
    try:
        comparison = compare(first, second)
    except LayoutError as error:
        raise SnapshotError(f"no snapshot can be made: {error}") from error
    if unexplained := comparison.unexplained:
        raise SnapshotError(
            f"no snapshot can be made: {len(unexplained)} words are not the same in two starts",
            "\n".join(f"  {one.address:#x}: {one.values[0]:#x}, {one.values[1]:#x}" for one in unexplained[:200]),
        )
    return layout.finish(layout.patched(first.snapshot, comparison.settled), conditions(second.notes), flags)
