"""Makes the snapshot of an executable: two dumps, compared, written down, restored and tried (``docs/spec/snapshot.md``)."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import icecube
from frazil.builder.elf import SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, read_image, write_segment
from frazil.builder.host import LeftOut, Warmed
from frazil.builder.warm import format as layout
from frazil.builder.warm.compare import LayoutError, compare
from frazil.builder.warm.dumps import DumpError, make_dump, try_snapshot
from frazil.builder.warm.notes import conditions, obstacles, remarks
from frazil.builder.warm.report import Report
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.builder.warm.dumps import Dump, Note

SECONDS: Final = 60.0
"""How long importing may take."""
_TRIALS: Final = 3


def add_snapshot(executable: Path, modules: Sequence[str], output: Path) -> Warmed:
    """Write ``executable`` with a snapshot of its start to ``output``; what cannot be in it is left out.

    Raises SourceError when not even the interpreter alone can be in a snapshot.
    """
    work = _Work(executable)
    good = work.extend((), tuple(modules))
    if work.snapshot is None:
        work.attempt(())
    assert work.snapshot is not None  # noqa: S101 - attempt sets it or raises
    report = Report(good, tuple(work.left_out), remarks(work.notes))
    snapshot = layout.with_report(work.snapshot, report.pack())
    write_segment(executable, snapshot, SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, output)
    return Warmed(len(snapshot), report.modules, report.left_out, report.remarks)


@dataclass(slots=True)
class _Work:
    """The search for a snapshot of as many modules as can be."""

    executable: Path
    snapshot: bytes | None = None
    notes: list[Note] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def extend(self, good: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
        """As many of ``more`` as can be, with ``good``: all at once, or else by halves."""
        try:
            self.attempt((*good, *more))
        except SourceError as error:
            if len(more) <= 1:
                details = (
                    "" if error.details.split("\n")[0] in error.problem else error.details
                )  # one of them, or what was said
                self.left_out += [LeftOut(one, f"{error.problem} {details}".strip()) for one in more]
                return good
            middle = len(more) // 2
            return self.extend(self.extend(good, more[:middle]), more[middle:])
        return (*good, *more)

    def attempt(self, modules: Sequence[str]) -> None:
        """Make a snapshot, and restore it a few times. Raises SourceError."""
        with tempfile.TemporaryDirectory(prefix="frazil-warm-") as name:
            directory = Path(name)
            try:
                dumps = [make_dump(self.executable, modules, directory, SECONDS) for _ in range(2)]
                made = _snapshot(self.executable, dumps)
                trial = directory / self.executable.name
                write_segment(self.executable, made, SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, trial)
                for _ in range(_TRIALS):
                    try_snapshot(trial)
            except DumpError as error:
                problem = f"no snapshot can be made: {error}"
                raise SourceError(problem, where=self.executable.name, details=error.details) from error
        self.snapshot, self.notes = made, dumps[0].notes


def _snapshot(executable: Path, dumps: Sequence[Dump]) -> bytes:
    first, second = dumps
    if problems := [*first.problems, *obstacles(first.notes)]:
        problem = f"no snapshot can be made: {problems[0]}"
        raise SourceError(problem, where=executable.name, details="\n".join(problems))
    try:
        unexplained = compare(first, second)
    except LayoutError as error:
        raise SourceError(f"no snapshot can be made: {error}", where=executable.name) from error
    if unexplained:
        raise SourceError(
            f"no snapshot can be made: {len(unexplained)} words are not the same in two starts",
            where=executable.name,
            details="\n".join(f"  {one.address:#x}: {one.values[0]:#x}, {one.values[1]:#x}" for one in unexplained[:200]),
        )
    settings = icecube.Image(read_image(executable)).settings()
    flags = layout.HONOURS_ENVIRONMENT if settings.get("environment") == "1" else 0
    return layout.finish(first.snapshot, conditions(second.notes), flags)
