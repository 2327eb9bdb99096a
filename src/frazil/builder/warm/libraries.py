"""The libraries of a snapshot: which parts of them are mapped from the executable, and what the launcher must know of them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import icecube
from frazil.builder.elf import IMAGE_ADDRESS, ElfError, ElfFile, read_image
from frazil.builder.warm import format as layout
from frazil.builder.warm.objects import Dynamic
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frazil.builder.warm.dumps import Dump, Object

MOUNT: Final = "/memfs:/"
_PAGE: Final = 4096
_PT_LOAD: Final = 1
_PT_TLS: Final = 7
_PF_X: Final = 1
_PF_W: Final = 2
_R_TPOFF: Final = 18
_R_DTPMOD: Final = 16
_R_TLSDESC: Final = 36
THREAD_MODULE: Final = 1 << 32
"""What the launcher takes a thread-local module of the snapshot by; the number of the library is added."""


@dataclass(frozen=True, slots=True)
class Held:
    """A library that a snapshot holds."""

    record: layout.Library
    files: tuple[layout.Piece, ...]
    module_words: tuple[int, ...]
    """Addresses of words that hold the number of its thread-local module."""


def held_libraries(executable: Path, dump: Dump) -> Iterator[Held]:
    """What the dumped process had loaded from memfs. Raises SourceError for what cannot be mapped."""
    image = icecube.Image(read_image(executable))
    offset = next(one.offset for one in ElfFile.parse(executable.read_bytes()).loads() if one.address == IMAGE_ADDRESS)
    for one in dump.objects:
        if one.name.startswith(MOUNT):
            yield _held(one, dump, image, offset)


def _held(one: Object, dump: Dump, image: icecube.Image, image_offset: int) -> Held:
    path = posixpath.normpath(one.name.removeprefix(MOUNT))
    node = image.find(path)
    if node is None or one.base != 0:
        raise SourceError("this library has no address of its own, and no snapshot can hold it", where=one.name)
    try:
        library = Dynamic.parse(image.data(node))
        words = _module_words(library)
    except ElfError as error:
        raise SourceError(f"this library {error}", where=one.name) from error
    files = []
    for load in library.file.loads():
        if load.flags & _PF_W:
            continue
        start = load.address // _PAGE * _PAGE
        end = -(-(load.address + load.file_size) // _PAGE) * _PAGE
        at = image_offset + node.data_offset + load.offset // _PAGE * _PAGE
        protection = layout.READ | (layout.EXECUTE if load.flags & _PF_X else 0)
        files.append(layout.Piece(layout.FILE, start, end - start, protection, offset=at))
    record = layout.Library(
        name=one.name,
        headers=one.low + library.file.program_offset,
        header_count=len(library.file.programs),
        low=one.low,
        high=one.high,
    )
    return Held(_with_threads(record, dump, library), tuple(files), words)


def _module_words(library: Dynamic) -> tuple[int, ...]:
    """Raises ElfError for a library whose thread-local block has a fixed place."""
    words = []
    for address, kind, _, _ in library.relocations():
        if kind in {_R_TPOFF, _R_TLSDESC}:
            raise ElfError("has thread-local data of a kind that no snapshot can hold")
        if kind == _R_DTPMOD:
            words.append(address)
    return tuple(words)


def _with_threads(record: layout.Library, dump: Dump, library: Dynamic) -> layout.Library:
    """The record with what the library's thread-local block begins as, and what it was in the dumped process."""
    for program in library.file.programs:
        if program.kind == _PT_TLS:
            blocks = [one for one in dump.ranges if one.kind == "thread" and one.name == record.name]
            return replace(
                record,
                thread_image=program.address,
                thread_image_size=program.file_size,
                thread_size=program.memory_size,
                thread_alignment=max(program.alignment, 16),
                thread_block=bytes(dump.content(blocks[0])) if blocks else b"",
            )
    return record
