"""Moves shared objects to addresses of their own, as prelink did: where each library stands is then the same in every process.

The dynamic linker takes the addresses in the program headers as a wish, and maps a library there when nothing else is. All
structures are those of ELF-64 (gABI 4.1, and its supplement for x86-64).
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from frazil.builder.elf import ElfError
from frazil.builder.warm.objects import Dynamic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frazil.builder.elf import Buffer

FIRST: Final = 0x110000000000
STEP: Final = 0x200000

_ET_DYN: Final = 3
_PAGE: Final = 4096
_PT_LOAD: Final = 1
_PT_GNU_STACK: Final = 0x6474E551
_R_JUMP_SLOT: Final = 7
_R_RELATIVE: Final = 8
_R_IRELATIVE: Final = 37
_STT_TLS: Final = 6
_SHN_ABS: Final = 0xFFF1
_DT_PLTRELSZ: Final = 2
_DT_PLTGOT: Final = 3
_DT_HASH: Final = 4
_DT_SYMTAB: Final = 6
_DT_RELA: Final = 7
_DT_RELASZ: Final = 8
_DT_TEXTREL: Final = 22
_DT_JMPREL: Final = 23
_DT_FLAGS: Final = 30
_DT_RELRSZ: Final = 35
_DT_RELR: Final = 36
_DT_GNU_HASH: Final = 0x6FFFFEF5
_DF_TEXTREL: Final = 4
_POINTERS: Final = frozenset({3, 4, 5, 6, 7, 12, 13, 17, 23, 25, 26, 32, 36, _DT_GNU_HASH, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE})
_RELR_BITS: Final = 63


def rebase(data: Buffer, address: int) -> tuple[bytes, int]:
    """A shared object that wants to stand at ``address``, and how much room it takes. Raises ElfError."""
    library = Dynamic.parse(data)
    loads = library.file.loads()
    if library.file.kind != _ET_DYN or not loads or not library.tags:
        raise ElfError("is no shared object")
    if _DT_TEXTREL in library.tags or library.tags.get(_DT_FLAGS, 0) & _DF_TEXTREL:
        raise ElfError("has relocations in its code")
    by = address - min(one.address for one in loads) // 4096 * 4096
    try:
        moved = _Moved(library, by).content()
    except (struct.error, IndexError) as error:
        raise ElfError("is damaged") from error
    return moved, max(one.address + one.memory_size for one in loads)


class _Moved:
    """A shared object while it is moved."""

    def __init__(self, library: Dynamic, by: int) -> None:
        self.library = library
        self.data = bytearray(library.data)
        self.by = by

    def content(self) -> bytes:
        """Move everything: relocations, symbols, dynamic section, headers."""
        tags = self.library.tags
        tables = [(tags.get(_DT_RELA), tags.get(_DT_RELASZ, 0)), (tags.get(_DT_JMPREL), tags.get(_DT_PLTRELSZ, 0))]
        if tables[0][0] is not None and tables[1][0] is not None:
            start, size = tables[0][0], tables[0][1]
            if start <= tables[1][0] < start + size:
                del tables[1]
        for table, size in tables:
            if table is not None:
                self._move_relocations(self.library.offset(table), size)
        if _DT_RELR in tags:
            self._move_packed(self.library.offset(tags[_DT_RELR]), tags.get(_DT_RELRSZ, 0))
        self._move_symbols()
        self._move_got()
        self._move_headers()
        return bytes(self.data)

    def _add(self, offset: int, *, only_set: bool = False) -> None:
        (value,) = struct.unpack_from("<Q", self.data, offset)
        if value or not only_set:
            struct.pack_into("<Q", self.data, offset, (value + self.by) & (1 << 64) - 1)

    def _add_at(self, address: int, *, only_set: bool = False) -> None:
        try:
            self._add(self.library.offset(address), only_set=only_set)
        except ElfError:
            return  # in .bss

    def _move_relocations(self, start: int, size: int) -> None:
        for at in range(start, start + size, 24):
            address, info, _ = struct.unpack_from("<QQq", self.data, at)
            kind = info & 0xFFFFFFFF
            self._add(at)
            if kind in {_R_RELATIVE, _R_IRELATIVE}:
                self._add(at + 16)
            elif kind == _R_JUMP_SLOT:
                self._add_at(address, only_set=True)

    def _move_packed(self, start: int, size: int) -> None:
        """DT_RELR: an even entry is an address, an odd one a bitmap of the 63 words behind the last."""
        address = 0
        for at in range(start, start + size, 8):
            (entry,) = struct.unpack_from("<Q", self.data, at)
            if entry & 1 == 0:
                self._add_at(entry)
                self._add(at)
                address = entry + 8
            else:
                for bit in range(_RELR_BITS):
                    if entry >> (bit + 1) & 1:
                        self._add_at(address + 8 * bit)
                address += 8 * _RELR_BITS

    def _symbol_count(self) -> int:
        tags = self.library.tags
        if _DT_HASH in tags:
            return int(struct.unpack_from("<II", self.data, self.library.offset(tags[_DT_HASH]))[1])
        if _DT_GNU_HASH not in tags:
            return 0
        start = self.library.offset(tags[_DT_GNU_HASH])
        buckets, first, words, _ = struct.unpack_from("<IIII", self.data, start)
        chains = start + 16 + 8 * words + 4 * buckets
        highest = max(struct.unpack_from(f"<{buckets}I", self.data, chains - 4 * buckets), default=0)
        if highest < first:
            return int(first)
        while not struct.unpack_from("<I", self.data, chains + 4 * (highest - first))[0] & 1:
            highest += 1
        return int(highest) + 1

    def _move_symbols(self) -> None:
        if _DT_SYMTAB not in self.library.tags:
            return
        start = self.library.offset(self.library.tags[_DT_SYMTAB])
        for number in range(self._symbol_count()):
            _, info, _, section, _, _ = struct.unpack_from("<IBBHQQ", self.data, start + number * 24)
            if section not in {0, _SHN_ABS} and info & 15 != _STT_TLS:
                self._add(start + number * 24 + 8)

    def _move_got(self) -> None:
        """The first word of the table is the address of the dynamic section."""
        if _DT_PLTGOT in self.library.tags:
            self._add_at(self.library.tags[_DT_PLTGOT], only_set=True)

    def _move_headers(self) -> None:
        for offset, tag in self._dynamic_entries():
            if tag in _POINTERS:
                self._add(offset)
        for number, one in enumerate(self.library.file.programs):
            if one.kind != _PT_GNU_STACK:
                moved = replace(one, address=one.address + self.by, physical=one.physical + self.by)
                at = self.library.file.program_offset + number * 56
                struct.pack_into("<QQ", self.data, at + 16, moved.address, moved.physical)
                if one.kind == _PT_LOAD and one.alignment > _PAGE:
                    # To align it, the dynamic linker would look for more room than there is before the next library.
                    struct.pack_into("<Q", self.data, at + 48, _PAGE)
        self._add(24, only_set=True)  # e_entry

    def _dynamic_entries(self) -> Iterator[tuple[int, int]]:
        for one in self.library.file.programs:
            if one.kind == 2:  # noqa: PLR2004 - PT_DYNAMIC
                for at in range(one.offset, one.offset + one.file_size - 15, 16):
                    (tag,) = struct.unpack_from("<q", self.data, at)
                    if tag == 0:
                        return
                    yield at + 8, tag
