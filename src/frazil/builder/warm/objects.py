"""What the warm start must know of ELF files: which of a program's data belongs to the dynamic linker and to libc."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from frazil.builder.elf import PT_DYNAMIC, PT_NOTE, Buffer, ElfError, ElfFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_DT_PLTRELSZ: Final = 2
_DT_PLTGOT: Final = 3
_DT_STRTAB: Final = 5
_DT_SYMTAB: Final = 6
_DT_RELA: Final = 7
_DT_RELASZ: Final = 8
_R_COPY: Final = 5
_GOT_HEAD: Final = 3
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_RELA: Final = struct.Struct("<QQq")
_NT_GNU_BUILD_ID: Final = 3


@dataclass(frozen=True, slots=True)
class Dynamic:
    """An ELF file with its dynamic section; addresses are those of the file."""

    data: Buffer
    file: ElfFile
    tags: dict[int, int]

    @classmethod
    def parse(cls, data: Buffer) -> Dynamic:
        """Read it. Raises ElfError."""
        file = ElfFile.parse(data)
        tags: dict[int, int] = {}
        for one in file.programs:
            if one.kind == PT_DYNAMIC:
                for at in range(one.offset, one.offset + one.file_size - 15, 16):
                    tag, value = struct.unpack_from("<qQ", data, at)
                    if tag == 0:
                        break
                    tags.setdefault(tag, value)
        return cls(data, file, tags)

    def offset(self, address: int) -> int:
        """Where in the file an address is. Raises ElfError."""
        for one in self.file.loads():
            if one.address <= address < one.address + one.file_size:
                return one.offset + address - one.address
        raise ElfError(f"has nothing at {address:#x}")

    def relocations(self) -> Iterator[tuple[int, int, int, int]]:
        """Of ``DT_RELA``: address, type, symbol number, addend."""
        if _DT_RELA in self.tags:
            start = self.offset(self.tags[_DT_RELA])
            for at in range(start, start + self.tags.get(_DT_RELASZ, 0), _RELA.size):
                address, info, addend = _RELA.unpack_from(self.data, at)
                yield address, info & 0xFFFFFFFF, info >> 32, addend

    def symbol(self, number: int) -> tuple[bytes, int, int]:
        """Name, address and size of a dynamic symbol."""
        name, _, _, _, value, size = _SYMBOL.unpack_from(self.data, self.offset(self.tags[_DT_SYMTAB]) + number * _SYMBOL.size)
        start = self.offset(self.tags[_DT_STRTAB]) + name
        return bytes(self.data[start : bytes(self.data[start : start + 4096]).index(b"\0") + start]), value, size

    def find(self, wanted: bytes) -> tuple[int, int] | None:
        """Address and size of the dynamic symbol of that name; the string table follows the symbols, as all linkers have it."""
        count = (self.tags[_DT_STRTAB] - self.tags[_DT_SYMTAB]) // _SYMBOL.size
        for number in range(count):
            name, value, size = self.symbol(number)
            if name == wanted:
                return value, size
        return None


def kept_ranges(program: Dynamic) -> list[tuple[int, int]]:
    """Address and size of what in the program's data is each process's own.

    Words that the dynamic linker fills, variables of libc that were copied into the program, and ``frazil_warm_fresh``.
    """
    ranges = []
    if _DT_PLTGOT in program.tags:
        ranges.append((program.tags[_DT_PLTGOT], 8 * _GOT_HEAD + program.tags.get(_DT_PLTRELSZ, 0) // _RELA.size * 8))
    for address, kind, number, _ in program.relocations():
        if kind == _R_COPY:
            ranges.append((address, program.symbol(number)[2]))
    fresh = program.find(b"frazil_warm_fresh")
    if fresh is None:
        raise ElfError("was not made for a warm start")
    return [*ranges, fresh]


def build_id(data: Buffer) -> bytes:
    """The GNU build ID; empty when there is none."""
    for one in ElfFile.parse(data).programs:
        at, end = one.offset, one.offset + one.file_size
        while one.kind == PT_NOTE and at + 12 <= end:
            name_size, size, kind = struct.unpack_from("<III", data, at)
            content = at + 12 + (name_size + 3 & ~3)
            if kind == _NT_GNU_BUILD_ID and bytes(data[at + 12 : at + 16]) == b"GNU\0":
                return bytes(data[content : content + size])
            at = content + (size + 3 & ~3)
    return b""
