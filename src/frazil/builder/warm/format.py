"""The bytes of a snapshot (``docs/spec/snapshot.md``); ``launcher/warm/format.h`` is its other half. This file does no I/O."""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC: Final = b"\x89FRZWRM\n"
VERSION: Final = 1
PAGE: Final = 4096

HEADER: Final = struct.Struct("<8sII4Q32s32sQ12IQ")
PIECE: Final = struct.Struct("<QQQIIII")
RELOCATION: Final = struct.Struct("<QQ")
OBJECT: Final = struct.Struct("<IIII")
RANGE: Final = struct.Struct("<QQ")
CONDITION: Final = struct.Struct("<IIIIQQ")
LIBRARY: Final = struct.Struct("<QIIQIIIIQQ")
_CRC_OFFSET: Final = 12

PAGES: Final = 1
PROGRAM: Final = 2
FILE: Final = 3
ZERO: Final = 4
READ: Final = 1
WRITE: Final = 2
EXECUTE: Final = 4

HONOURS_ENVIRONMENT: Final = 1
"""Flag: ``PYTHON*`` variables count in the executable."""

OBJECT_LIBRARY: Final = 1
OBJECT_THREAD: Final = 2
OBJECT_VDSO: Final = 3


class Question(enum.IntEnum):
    """What imports ask of the system (``warm/condition.h``)."""

    VARIABLE = 1
    ABSENT = 2
    FILE = 3
    MISSING = 4
    TYPE = 5
    ACCESS = 6
    LINK = 7
    REAL_PATH = 8
    CONTENT = 9
    DIRECTORY = 10
    TERMINAL = 11
    WINDOW = 12
    SYSTEM = 13
    PROCESSORS = 14
    LIMIT = 15
    USER = 16
    HOST = 17
    UMASK = 18


_OBJECT_SHIFT: Final = 48
_THREAD_LOCAL: Final = 1 << 63
_DIGITS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Piece:
    """Memory that is mapped back: ``data`` for PAGES and PROGRAM, ``offset`` in the executable for FILE."""

    kind: int
    address: int
    size: int
    protection: int
    data: bytes = b""
    offset: int = 0
    populate: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """Something that the system places; relocations count from its base."""

    kind: int
    name: str
    build: bytes


@dataclass(frozen=True, slots=True)
class Word:
    """A relocation: the number of a target, and the offset from its base."""

    address: int
    target: int
    offset: int
    thread_local: bool
    digits: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that an import asked, and the answer: a text or numbers. ``name`` says for whom reads it what that is."""

    question: Question
    name: bytes
    value: bytes = b""
    argument: int = 0
    numbers: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Library:
    """A library that is mapped without the dynamic linker."""

    name: str
    headers: int
    header_count: int
    low: int
    high: int
    thread_image: int = 0
    thread_image_size: int = 0
    thread_size: int = 0
    thread_alignment: int = 0
    thread_block: bytes = b""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a snapshot holds."""

    image: bytes
    """The digest of the image that it was made with."""
    build: bytes
    """The build ID of the launcher."""
    processor: int
    thread_block: bytes
    pieces: Sequence[Piece]
    words: Sequence[Word]
    targets: Sequence[Target]
    kept: Sequence[tuple[int, int]]
    conditions: Sequence[Condition]
    libraries: Sequence[Library] = ()
    flags: int = 0


@dataclass(slots=True)
class _Tables:
    data: bytearray = field(default_factory=lambda: bytearray(HEADER.size))

    def add(self, content: bytes) -> int:
        self.data += bytes(-len(self.data) % 8)
        at = len(self.data)
        self.data += content
        return at

    def text(self, content: bytes) -> int:
        return self.add(content + b"\0")

    def table(self, records: Sequence[bytes]) -> tuple[int, int]:
        return self.add(b"".join(records)), len(records)


def _flags(word: Word) -> int:
    return (_THREAD_LOCAL if word.thread_local else 0) | (_DIGITS if word.digits else 0)


def write(snapshot: Snapshot) -> bytes:
    """The snapshot's bytes: header and tables, then pages."""
    tables = _Tables()
    block = tables.add(snapshot.thread_block)
    targets = [
        OBJECT.pack(tables.text(one.name.encode()), tables.add(one.build), len(one.build), one.kind) for one in snapshot.targets
    ]
    conditions = [
        CONDITION.pack(one.question, tables.text(one.name), tables.text(one.value), one.argument, *one.numbers)
        for one in snapshot.conditions
    ]
    libraries = [
        LIBRARY.pack(
            one.headers, one.header_count, tables.text(one.name.encode()), one.thread_image, one.thread_image_size,
            one.thread_size, one.thread_alignment, tables.add(one.thread_block) if one.thread_block else 0, one.low, one.high,
        )
        for one in snapshot.libraries
    ]  # fmt: skip
    words = [RELOCATION.pack(one.address | one.target << _OBJECT_SHIFT | _flags(one), one.offset) for one in snapshot.words]
    kept = [RANGE.pack(*one) for one in snapshot.kept]
    where = [tables.table(one) for one in (words, targets, kept, conditions, libraries)]
    pieces_at = tables.add(bytes(PIECE.size * len(snapshot.pieces)))
    pages_at = -(-len(tables.data) // PAGE) * PAGE
    pages = bytearray()
    pieces = []
    for one in snapshot.pieces:
        offset, crc = one.offset, 0
        if one.data:
            offset, crc = pages_at + len(pages), zlib.crc32(one.data)
            pages += one.data
        pieces.append(PIECE.pack(one.address, one.size, offset, one.kind, one.protection, crc, one.populate))
    tables.data[pieces_at : pieces_at + PIECE.size * len(pieces)] = b"".join(pieces)
    tables.data += bytes(pages_at - len(tables.data))
    sizes = (pages_at + len(pages), pages_at, block, len(snapshot.thread_block))
    identity = (snapshot.image, snapshot.build[:32].ljust(32, b"\0"), snapshot.processor)
    numbers = [number for place in ((pieces_at, len(pieces)), *where) for number in place]
    HEADER.pack_into(tables.data, 0, MAGIC, VERSION, 0, *sizes, *identity, *numbers, snapshot.flags)
    struct.pack_into("<I", tables.data, _CRC_OFFSET, zlib.crc32(tables.data))
    return bytes(tables.data + pages)
