"""The bytes of a snapshot (``docs/spec/snapshot.md``); ``launcher/warm/format.h`` is its other half. This file does no I/O."""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAGIC: Final = b"\x89FRZWRM\n"
VERSION: Final = 2
PAGE: Final = 4096

_HEADER: Final = struct.Struct("<8sIIQQ32sQQQIIqQQQQ14I")
_PIECE: Final = struct.Struct("<QQQIIII")
_OBJECT: Final = struct.Struct("<QQQII32s")
_OWN: Final = struct.Struct("<QII")
_MANGLED: Final = struct.Struct("<QQ")
_CONDITION: Final = struct.Struct("<IIIIQQ")
_CRC_OFFSET: Final = 12
_PLACES: Final = 16
"""So many fields of the header come before the places of the tables."""

PAGES: Final = 1
PROGRAM: Final = 2
EXECUTABLE: Final = 3
ZERO: Final = 4
OF_OBJECT: Final = 5
FILE: Final = 6

HONOURS_ENVIRONMENT: Final = 1
"""Flag: ``PYTHON*`` variables count in the executable."""

LIBRARY: Final = 1
MAPPED_FILE: Final = 2


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


class FormatError(Exception):
    """The bytes are no snapshot; the message says why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Memory that is put back: ``offset`` is in the snapshot for PAGES and PROGRAM, in a file for EXECUTABLE and FILE."""

    address: int
    size: int
    offset: int
    kind: int
    protection: int
    crc: int
    object: int
    """The number of an object and one, or 0."""


@dataclass(frozen=True, slots=True)
class Object:
    """A library of the system that each process of the program has, or a file that the snapshot's process mapped."""

    base: int
    size: int
    modified: int
    kind: int
    name: str
    build: str
    """The build ID in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that an import asked, and the answer: a text or numbers. ``name`` says for whom reads it what that is."""

    question: Question
    name: bytes
    value: bytes = b""
    argument: int = 0
    numbers: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot's header and tables say, and its bytes."""

    data: bytes
    tables: int
    image: bytes
    processor: int
    thread: int
    identity: int
    restartable: tuple[int, int]
    """Offset from the thread pointer, and size; the kernel writes there."""
    low: int
    high: int
    flags: int
    pieces: Sequence[Piece]
    objects: Sequence[Object]
    own: Sequence[tuple[int, int, int]]
    mangled: Sequence[tuple[int, int]]
    conditions: Sequence[Condition]
    text: bytes
    report: bytes
    """What is in it and what is not (``snapshot/report.py``)."""

    def content(self, piece: Piece) -> memoryview:
        """The bytes of a piece that the snapshot holds."""
        return memoryview(self.data)[piece.offset : piece.offset + piece.size]


def read(data: bytes) -> Snapshot:
    """Read header and tables. Raises FormatError; checksums are not looked at."""
    if len(data) < PAGE or data[:8] != MAGIC:
        raise FormatError("it does not begin as one")
    (_, version, _, size, tables, image, processor, thread, _, identity, restartable_size, restartable, low, high, _, flags,
     *places) = _HEADER.unpack_from(data)  # fmt: skip
    if version != VERSION:
        raise FormatError(f"its version is {version}, not {VERSION}")
    if size != len(data) or not PAGE <= tables <= size:
        raise FormatError("its sizes do not hold")
    table = memoryview(data)[tables:]
    shapes = (_PIECE.size, _OBJECT.size, _OWN.size, _MANGLED.size, _CONDITION.size, 1, 1)
    parts = [table[at : at + count * each] for (at, count), each in zip(_pairs(places), shapes, strict=True)]
    if any(len(part) != count * each for part, (_, count), each in zip(parts, _pairs(places), shapes, strict=True)):
        raise FormatError("a table lies outside")
    text = bytes(parts[5])
    return Snapshot(
        data,
        tables,
        image,
        processor,
        thread,
        identity,
        (restartable, restartable_size),
        low,
        high,
        flags,
        [Piece(*one) for one in _PIECE.iter_unpack(parts[0])],
        [_object(one, text) for one in _OBJECT.iter_unpack(parts[1])],
        list(_OWN.iter_unpack(parts[2])),
        list(_MANGLED.iter_unpack(parts[3])),
        [_condition(one, text) for one in _CONDITION.iter_unpack(parts[4])],
        text,
        bytes(parts[6]),
    )


def patched(snapshot: Snapshot, words: Mapping[int, int]) -> Snapshot:
    """The snapshot with other values at addresses that its pages hold."""
    data = bytearray(snapshot.data)
    (place, _), *_ = _pairs(_HEADER.unpack_from(data)[_PLACES:])
    pieces = []
    for number, one in enumerate(snapshot.pieces):
        held = [address for address in words if one.address <= address < one.address + one.size] if one.crc else []
        for address in held:
            struct.pack_into("<Q", data, one.offset + address - one.address, words[address])
        if held:
            one = replace(one, crc=zlib.crc32(memoryview(data)[one.offset : one.offset + one.size]))  # noqa: PLW2901 - as it is now
            _PIECE.pack_into(data, snapshot.tables + place + number * _PIECE.size, *astuple(one))
        pieces.append(one)
    return replace(snapshot, data=bytes(data), pieces=pieces)


def finish(snapshot: Snapshot, conditions: Sequence[Condition], flags: int) -> bytes:
    """The snapshot's bytes with conditions and flags added, and its checksum set."""
    text = bytearray(snapshot.text)

    def put(content: bytes) -> int:
        at = len(text)
        text.extend(content + b"\0")
        return at

    records = [
        _CONDITION.pack(one.question, put(one.name), put(one.value) if one.value else 0, one.argument, *one.numbers)
        for one in conditions
    ]
    return _with_tables(snapshot, ((4, b"".join(records), len(records)), (5, bytes(text), len(text))), flags)


def with_report(data: bytes, report: bytes) -> bytes:
    """The snapshot's bytes with a report added, and its checksum set."""
    snapshot = read(data)
    return _with_tables(snapshot, ((6, report, len(report)),), snapshot.flags)


def _with_tables(snapshot: Snapshot, tables: Iterable[tuple[int, bytes, int]], flags: int) -> bytes:
    """The bytes with other tables at the end: their numbers in the header, contents and numbers of records."""
    data = bytearray(snapshot.data)
    header = list(_HEADER.unpack_from(data))
    places = list(_pairs(header[_PLACES:]))
    for number, content, count in tables:
        data += bytes(-(len(data) - snapshot.tables) % 8)
        places[number] = (len(data) - snapshot.tables, count)
        data += content
    header[2], header[3], header[_PLACES - 1] = 0, len(data), flags
    _HEADER.pack_into(data, 0, *header[:_PLACES], *(number for place in places for number in place))
    crc = zlib.crc32(memoryview(data)[snapshot.tables :], zlib.crc32(bytes(data[:PAGE])))
    struct.pack_into("<I", data, _CRC_OFFSET, crc)
    return bytes(data)


def _pairs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    both = iter(numbers)
    return zip(both, both, strict=True)


def _string(text: bytes, at: int) -> bytes:
    return text[at : text.find(b"\0", at)]


def _object(record: tuple[int, int, int, int, int, bytes], text: bytes) -> Object:
    base, size, modified, kind, name, build = record
    return Object(base, size, modified, kind, _string(text, name).decode(errors="replace"), build.rstrip(b"\0").hex())


def _condition(record: tuple[int, int, int, int, int, int], text: bytes) -> Condition:
    number, name, value, argument, *numbers = record
    try:
        question = Question(number)
    except ValueError:
        raise FormatError(f"a condition asks question {number}, which is none") from None
    return Condition(question, _string(text, name), _string(text, value), argument, (numbers[0], numbers[1]))
