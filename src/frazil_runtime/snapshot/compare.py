"""Compares dumps of the same start under different address layouts, word by word.

Everything that a snapshot holds stands at the same address in every process. So two dumps differ only where each process has
something of its own: what the dump itself has marked (words that stay the new process's, pointers that libc mangles), what
belongs to the thread, the mark that malloc sets on what is freed, and what threads left on their stacks. Any other difference
cannot be explained, and what holds it cannot be in a snapshot.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from frazil_runtime.snapshot.format import PAGE, PAGES, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from frazil_runtime.snapshot.dumps import Dump
    from frazil_runtime.snapshot.format import Piece, Snapshot

_LOWEST: Final = 1 << 40
_HIGHEST: Final = 1 << 47
"""Between are the addresses of what the system places, and of all that is in the window. A word that is outside, in one dump,
is a count, a time, two small numbers, what is left in memory that was freed, or an address that no start changes."""
_MARK: Final = 0xF7A211F7A211F7A2
_WORDS: Final = struct.Struct(f"<{PAGE // 8}Q")


class LayoutError(Exception):
    """The dumps do not hold the same things at the same places; the message says which."""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A word that differs: its address, and its values."""

    address: int
    values: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two dumps."""

    unexplained: tuple[Unexplained, ...]
    settled: Mapping[int, int]
    """Values for words that no process reads, so that each build of a program gives the same bytes.

    Words that each process sets anew, and what the dynamic linker measured, become 0; malloc's mark is always the same one.
    """


def compare(first: Dump, second: Dump) -> Comparison:
    """Explain all differences. Raises LayoutError when the dumps do not have the same shape."""
    unexplained: list[Unexplained] = []
    settled = dict.fromkeys(_own_words(first.snapshot) | _own_words(second.snapshot), 0)
    for one, other in _pairs(first.snapshot, second.snapshot):
        measured = _is_of_linker(first.snapshot, one)
        contents = bytes(first.snapshot.content(one)), bytes(second.snapshot.content(other))
        for address, values in _differences(one.address, *contents):
            if measured or address in settled:
                settled[address] = 0
            elif values == (first.freed, second.freed):
                settled[address] = _MARK
            elif not _is_data(values) and not any(address in stack for stack in first.stacks):
                unexplained.append(Unexplained(address, values))
    return Comparison(tuple(unexplained), settled)


def _is_data(values: tuple[int, int]) -> bool:
    return not all(_LOWEST <= value < _HIGHEST for value in values)


def _own_words(snapshot: Snapshot) -> set[int]:
    """Addresses of words that each process sets anew."""
    words = {address for address, _, _ in snapshot.own}
    words |= {address for address, _ in snapshot.mangled}
    words.add((snapshot.thread + snapshot.identity) & ~7)
    start, size = snapshot.restartable
    words |= set(range(snapshot.thread + start, snapshot.thread + start + size, 8))
    return words


def _is_of_linker(snapshot: Snapshot, piece: Piece) -> bool:
    """Whether it is the dynamic linker's own data, where that keeps how long it took."""
    return piece.object > 0 and snapshot.objects[piece.object - 1].name.startswith("ld-")


def _pairs(first: Snapshot, second: Snapshot) -> Iterator[tuple[Piece, Piece]]:
    if len(first.pieces) != len(second.pieces):
        raise LayoutError("two dumps do not have the same parts")
    for one, other in zip(first.pieces, second.pieces, strict=True):
        if (one.address, one.size, one.kind, one.protection) != (other.address, other.size, other.kind, other.protection):
            raise LayoutError(f"what stands at {one.address:#x} in one dump, in another stands at {other.address:#x}")
        if one.kind in {PAGES, PROGRAM} and one.crc != other.crc:
            yield one, other


def _differences(address: int, first: bytes, second: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    for page in range(0, len(first), PAGE):
        if first[page : page + PAGE] == second[page : page + PAGE]:
            continue
        for number, values in enumerate(zip(_WORDS.unpack_from(first, page), _WORDS.unpack_from(second, page), strict=True)):
            if values[0] != values[1]:
                yield address + page + number * 8, values
