"""Makes the snapshot of an executable: two dumps, compared, written down, restored and tried (``docs/spec/snapshot.md``)."""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import icecube
from frazil.builder.elf import SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, ElfError, read_image, write_segment
from frazil.builder.host import LeftOut, Warmed
from frazil.builder.warm import format as layout
from frazil.builder.warm.compare import THREAD, VDSO, LayoutError, compare
from frazil.builder.warm.dumps import DumpError, make_dump, try_snapshot
from frazil.builder.warm.libraries import THREAD_MODULE, held_libraries
from frazil.builder.warm.notes import conditions, remarks
from frazil.builder.warm.objects import Dynamic, build_id, kept_ranges
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from frazil.builder.warm.compare import Comparison, Unexplained
    from frazil.builder.warm.dumps import Dump, Note
    from frazil.builder.warm.libraries import Held

SECONDS: Final = 60.0
"""How long importing may take."""
_TRIALS: Final = 3
_PAGE: Final = 4096
_GAP: Final = 16
"""So many pages of zeros are written out rather than mapped on their own."""


def add_snapshot(executable: Path, modules: Sequence[str], output: Path) -> Warmed:
    """Write ``executable`` with a snapshot of its start to ``output``; what cannot be in it is left out.

    Raises SourceError when not even the interpreter alone can be in a snapshot.
    """
    work = _Work(executable)
    good = work.extend((), tuple(modules))
    if work.snapshot is None:
        work.attempt(())
    assert work.snapshot is not None  # noqa: S101 - attempt sets it or raises
    write_segment(executable, work.snapshot, SNAPSHOT_ADDRESS, SNAPSHOT_SECTION, output)
    return Warmed(len(work.snapshot), good, tuple(work.left_out), remarks(work.notes))


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
                self.left_out += [LeftOut(one, f"{error.problem} {error.details}".strip()) for one in more]
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
    _require_quiet(executable, first)
    data = executable.read_bytes()
    try:
        program = Dynamic.parse(data)
        kept = list(_within(kept_ranges(program), first))
    except ElfError as error:
        raise SourceError(f"no snapshot can be made: the launcher {error}", where=executable.name) from error
    try:
        comparison = compare(first, second, kept)
    except LayoutError as error:
        raise SourceError(f"no snapshot can be made: {error}", where=executable.name) from error
    _require_explained(executable, first, comparison)
    names = sorted({word.target for word in comparison.relocations})
    image = icecube.Image(read_image(executable))
    libraries = list(held_libraries(executable, first))
    block = next((bytes(first.content(one)) for one in first.ranges if one.kind == "thread" and one.name == "program"), b"")
    return layout.write(
        layout.Snapshot(
            image=image.header.digest,
            build=build_id(data),
            processor=first.processor,
            thread_block=block,
            pieces=[*_pieces(first, _module_words(libraries)), *(piece for one in libraries for piece in one.files)],
            libraries=[one.record for one in libraries],
            words=[
                layout.Word(word.address, names.index(word.target), word.offset, word.thread_local, word.digits)
                for word in comparison.relocations
            ],
            targets=[_target(name) for name in names],
            kept=[*kept, *((address, 8) for address in comparison.made_early)],
            conditions=conditions(first.notes),
            flags=layout.HONOURS_ENVIRONMENT if image.settings().get("environment") == "1" else 0,
        )
    )


def _require_quiet(executable: Path, dump: Dump) -> None:
    """Raise SourceError for what no other process can have."""
    problems = [f"{one} is open" for one in dump.descriptors]
    problems += [f"{dump.running} threads are running"] if dump.running else []
    problems += [] if dump.complete else ["more handlers, keys or variables were set than can be kept"]
    if problems:
        raise SourceError(f"no snapshot can be made: {problems[0]}", where=executable.name, details="\n".join(problems))


def _within(ranges: Iterable[tuple[int, int]], dump: Dump) -> Iterator[tuple[int, int]]:
    """The parts of the ranges that are replaced at a restore; the rest is read-only by then."""
    for start, size in ranges:
        for one in dump.ranges:
            low, high = max(start, one.address), min(start + size, one.address + one.size)
            if one.kind == "program" and low < high:
                yield low, high - low


def _require_explained(executable: Path, dump: Dump, comparison: Comparison) -> None:
    if comparison.unexplained:
        details = "\n".join(_line(dump, one) for one in comparison.unexplained[:200])
        raise SourceError(
            f"no snapshot can be made: {len(comparison.unexplained)} words are not the same in two starts",
            where=executable.name,
            details=details,
        )


def _line(dump: Dump, one: Unexplained) -> str:
    into = next((mapping.name or "memory" for mapping in dump.mappings if mapping.low <= one.values[0] < mapping.high), "?")
    return f"  {one.address:#x} in {one.range.name or one.range.kind}: {one.values[0]:#x}, {one.values[1]:#x} ({into})"


def _target(name: str) -> layout.Target:
    if name == THREAD:
        return layout.Target(layout.OBJECT_THREAD, name, b"")
    if name == VDSO:
        return layout.Target(layout.OBJECT_VDSO, name, b"")
    return layout.Target(layout.OBJECT_LIBRARY, Path(name).name, build_id(Path(name).read_bytes()))


def _module_words(libraries: Sequence[Held]) -> dict[int, int]:
    """Words that hold the number of a thread-local module, and what the launcher takes it by."""
    return {word: THREAD_MODULE + number for number, one in enumerate(libraries) for word in one.module_words}


def _pieces(dump: Dump, words: Mapping[int, int]) -> Iterator[layout.Piece]:
    for one in dump.ranges:
        changed = bytearray(dump.content(one))
        for address, value in words.items():
            if one.kind == "library" and one.address <= address < one.address + one.size:
                struct.pack_into("<Q", changed, address - one.address, value)
        content = bytes(changed)
        if one.kind == "program":
            yield layout.Piece(layout.PROGRAM, one.address, one.size, layout.READ | layout.WRITE, content)
        elif one.kind not in {"thread", "pristine"}:
            yield from _without_zeros(one.address, content)


def _without_zeros(address: int, content: bytes) -> Iterator[layout.Piece]:
    """Pieces for pages that hold something; long stretches of zeros are pieces without content."""
    both = layout.READ | layout.WRITE
    at = 0
    for start, end in _zeros(content):
        if start > at:
            yield layout.Piece(layout.PAGES, address + at, start - at, both, content[at:start])
        yield layout.Piece(layout.ZERO, address + start, end - start, both)
        at = end
    if at < len(content):
        yield layout.Piece(layout.PAGES, address + at, len(content) - at, both, content[at:])


def _zeros(content: bytes) -> Iterator[tuple[int, int]]:
    """Where long stretches of pages of zeros begin and end."""
    empty, begun = bytes(_PAGE), 0
    for at in range(0, len(content) + _PAGE, _PAGE):
        if content[at : at + _PAGE] != empty:
            if at - begun >= _GAP * _PAGE:
                yield begun, at
            begun = at + _PAGE
