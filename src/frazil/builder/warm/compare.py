"""Compares dumps of the same start under different address layouts, word by word.

Everything that a snapshot holds stands at the same address in every process. So two dumps differ only where they hold an
address of something that the system placed: libc, the dynamic linker, the thread's own block. Such a word becomes a
relocation. Any other difference cannot be explained, and what holds it cannot be in a snapshot.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from frazil.builder.warm.dumps import Dump, Range

_PAGE: Final = 4096
_WORDS: Final = struct.Struct("<512Q")
_FIXED: Final = 0x200000000000
"""Below stands what has an address of its own: the program, the image, the region, libraries."""
THREAD: Final = "thread"
_IDENTITY: Final = (0x5EED5EED5000).to_bytes(8, "little")
"""``THREAD`` in ``warm/record.c``."""
VDSO: Final = "vdso"
_SMALL: Final = 1 << 32
"""No address is below. Time, random numbers and identities are made up: such a word counts something, and the dump is right."""
_THREAD_AROUND: Final = 0x2000
"""What glibc keeps for the main thread: thread-local blocks below its thread pointer, ``struct pthread`` behind it."""


class LayoutError(Exception):
    """The dumps do not hold the same things at the same places; the message says which."""


@dataclass(frozen=True, slots=True)
class Relocation:
    """A word that holds the address of something: an offset from an object's base. ``thread_local``: in the program's block."""

    address: int
    target: str
    offset: int
    thread_local: bool = False
    digits: bool = False
    """Whether it is the two digits, of 30 bits each, of a Python integer; ctypes keeps addresses so."""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A word that differs, and what it is in."""

    address: int
    values: tuple[int, int]
    range: Range


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing gave."""

    relocations: tuple[Relocation, ...]
    unexplained: tuple[Unexplained, ...]
    made_early: tuple[int, ...] = ()
    """Words of the program that constructors set before main, each time to another value; nothing changed them later."""


@dataclass(frozen=True, slots=True)
class _Area:
    name: str
    base: tuple[int, int]
    low: tuple[int, int]
    high: tuple[int, int]

    def offset(self, values: tuple[int, int]) -> int | None:
        for value, low, high in zip(values, self.low, self.high, strict=True):
            if not low <= value <= -(-high // _PAGE) * _PAGE:
                return None
        first = values[0] - self.base[0]
        return first if values[1] - self.base[1] == first else None


def compare(first: Dump, second: Dump, own: Sequence[tuple[int, int]] = ()) -> Comparison:
    """Explain all differences outside the ranges that are each process's ``own``.

    Raises LayoutError when the dumps do not have the same shape.
    """
    areas = list(_areas(first, second))
    threads = _threads(first), _threads(second)
    relocations: list[Relocation] = []
    unexplained: list[Unexplained] = []
    for one, other in _pairs(first, second):
        local = one.kind == "thread"
        for offset, values in _differences(first.content(one), second.content(other)):
            if any(start <= one.address + offset < start + size for start, size in own):
                continue
            if max(values) < _SMALL:
                continue
            for area in areas if one.kind != "thread" or one.name == "program" else ():
                target = area.offset(values)
                if target is not None:
                    relocations.append(Relocation(offset if local else one.address + offset, area.name, target, local))
                    break
                target = area.offset((_number(values[0]), _number(values[1]))) if one.kind == "region" else None
                if target is not None:
                    relocations.append(Relocation(one.address + offset, area.name, target, digits=True))
                    break
            else:
                if all(value in ended for value, ended in zip(values, threads, strict=True)):
                    continue
                unexplained.append(Unexplained(one.address + offset, values, one))
    relocations += _thread_identities(first, own)
    early = [one for one in unexplained if one.range.kind == "program" and _is_early(one, first, second)]
    others = [one for one in unexplained if one not in early]
    return Comparison(tuple(relocations), tuple(others), tuple(one.address for one in early))


def _thread_identities(dump: Dump, own: Sequence[tuple[int, int]]) -> Iterator[Relocation]:
    """Words that hold what stands for the main thread's identity while a dump is made; in glibc that is its thread pointer."""
    for one in dump.ranges:
        if one.kind in {"thread", "pristine"}:
            continue
        content = bytes(dump.content(one))
        at = content.find(_IDENTITY)
        while at >= 0:
            inside = any(start <= one.address + at < start + size for start, size in own)
            if at % 8 == 0 and not inside:
                yield Relocation(one.address + at, THREAD, 0)
            at = content.find(_IDENTITY, at + 1)


def _is_early(word: Unexplained, first: Dump, second: Dump) -> bool:
    return all(_pristine(dump, word.address) == value for dump, value in zip((first, second), word.values, strict=True))


def _pristine(dump: Dump, address: int) -> int | None:
    for one in dump.ranges:
        if one.kind == "pristine" and one.address <= address < one.address + one.size:
            return int.from_bytes(dump.content(one)[address - one.address :][:8], "little")
    return None


def _threads(dump: Dump) -> set[int]:
    """Identities of threads that ran while importing; those have ended."""
    return {int(one.name, 16) for one in dump.notes if one.kind == "thread"}


def _number(word: int) -> int:
    """What a word stands for that holds two digits of a Python integer; 0 when it can hold none."""
    low, high = word & 0xFFFFFFFF, word >> 32
    return low | high << 30 if low < 1 << 30 and high < 1 << 30 else 0


def _areas(first: Dump, second: Dump) -> Iterator[_Area]:
    others = {one.name: one for one in second.objects}
    for one in first.objects:
        other = others.get(one.name)
        if other is None:
            raise LayoutError(f"{one.name} is only in one of two dumps")
        if one.low >= _FIXED:
            name = VDSO if one.name.startswith("linux-vdso") else one.name
            yield _Area(name, (one.base, other.base), (one.low, other.low), (one.high, other.high))
        elif (one.base, one.low) != (other.base, other.low):
            raise LayoutError(f"{one.name} is not always at the same address")
    bases = (first.thread, second.thread)
    low = first.thread - _THREAD_AROUND, second.thread - _THREAD_AROUND
    high = first.thread + _THREAD_AROUND, second.thread + _THREAD_AROUND
    yield _Area(THREAD, bases, low, high)


def _pairs(first: Dump, second: Dump) -> Iterator[tuple[Range, Range]]:
    if len(first.ranges) != len(second.ranges):
        raise LayoutError("two dumps do not have the same parts")
    for one, other in zip(first.ranges, second.ranges, strict=True):
        if one.kind == "pristine":
            continue
        same_place = one.address == other.address or one.kind == "thread"
        if (one.kind, one.size, one.name) != (other.kind, other.size, other.name) or not same_place:
            raise LayoutError(f"{one.name or one.kind} has another size or place in one of two dumps")
        yield one, other


def _differences(first: memoryview, second: memoryview) -> Iterator[tuple[int, tuple[int, int]]]:
    for page in range(0, len(first), _PAGE):
        a, b = bytes(first[page : page + _PAGE]), bytes(second[page : page + _PAGE])
        if a == b:
            continue
        words = struct.Struct(f"<{len(a) // 8}Q")
        for number, values in enumerate(zip(words.unpack_from(a), words.unpack_from(b), strict=True)):
            if values[0] != values[1]:
                yield page + number * 8, values
