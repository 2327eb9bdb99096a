"""Makes the snapshot of an executable, and adds it (``docs/spec/snapshot.md``)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import icecube
from frazil.builder.elf import SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, read_image, write_segment
from frazil.builder.host import Warmed
from frazil.errors import SourceError
from frazil_runtime.snapshot import format as layout
from frazil_runtime.snapshot.environment import environment
from frazil_runtime.snapshot.search import Search, SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def add_snapshot(
    executable: Path, modules: Sequence[str], output: Path, imports: Callable[[str], Sequence[str]] = lambda _: ()
) -> Warmed:
    """Write ``executable`` with a snapshot of its start to ``output``; what cannot be in it is left out.

    ``imports`` says what a module imports: of one that cannot be in a snapshot, these are tried. Raises SourceError when not
    even the interpreter alone can be in a snapshot.
    """
    settings = icecube.Image(read_image(executable)).settings()
    flags = layout.HONOURS_ENVIRONMENT if settings.get("environment") == "1" else 0
    with tempfile.TemporaryDirectory(prefix="frazil-warm-") as name:
        trial = Path(name, executable.name)

        def place(snapshot: bytes) -> tuple[Path, ...]:
            write_segment(executable, snapshot, SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, trial, writable=True)
            return (trial,)

        try:
            search = Search(executable, Path(name), flags, {}, place, known=environment(), for_others=True, imports=imports)
            snapshot, report = search.find(modules)
        except SnapshotError as error:
            raise SourceError(str(error), where=executable.name, details=error.details) from error
    write_segment(executable, snapshot, SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, output, writable=True)
    return Warmed(len(snapshot), report.modules, report.left_out, report.remarks)
