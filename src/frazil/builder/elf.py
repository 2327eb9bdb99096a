"""Adds segments to a linked program, and finds them again (``docs/spec/launcher.md``, "The executable").

Theory of operation. A segment is a range of the file that the kernel maps at an address. Programs have no room for one more
program header, but they have ``PT_NOTE`` headers that nothing at run time needs: one of them becomes the ``PT_LOAD`` of the new
segment. Loadable segments must ascend by address, so its header goes behind the last ``PT_LOAD``, and its address is far above
the program's own. The data goes to the end of the file, on a page. A section header with the same place makes it visible to
``strip`` and its like, which would drop bytes that no section holds; the section name table moves to the end to take one name
more. Nothing else in the file moves. All structures are those of ELF-64, little-endian (System V ABI, gABI 4.1).
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self

from frazil.errors import HostError, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Buffer = bytes | bytearray | memoryview | mmap.mmap

IMAGE_SECTION: Final = ".frazil.image"
IMAGE_ADDRESS: Final = 0x2000000000
SNAPSHOT_SECTION: Final = ".frazil.snapshot"
SNAPSHOT_ADDRESS: Final = 0x4000000000
_NOT_OURS: Final = "this is no executable made by frazil"

PAGE: Final = 4096
NO_ELF: Final = "no machine"
"""What ``machine_name`` says of a file of another format."""
_MACHINES: Final = {
    3: "i386",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC64",
    22: "S390",
    40: "ARM",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
}

PT_LOAD: Final = 1
PT_DYNAMIC: Final = 2
PT_NOTE: Final = 4
_DT_NULL: Final = 0
_DT_STRTAB: Final = 5
_DT_RPATH: Final = 15
_DT_RUNPATH: Final = 29
_PF_R: Final = 4
_PF_W: Final = 2
_ET_EXEC: Final = 2
_EM_X86_64: Final = 62
_SHT_PROGBITS: Final = 1
_SHT_NOBITS: Final = 8
_SHF_ALLOC: Final = 2
_SHN_LORESERVE: Final = 0xFF00
_IDENT: Final = b"\x7fELF\x02\x01\x01"  # 64-bit, little-endian, version 1
_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM: Final = struct.Struct("<IIQQQQQQ")
_DYNAMIC: Final = struct.Struct("<qQ")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")


@dataclass(frozen=True, slots=True)
class ProgramHeader:
    """One ``Elf64_Phdr``."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    memory_size: int
    alignment: int


@dataclass(frozen=True, slots=True)
class _SectionHeader:
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class ElfError(Exception):
    """The bytes are not the ELF file that they should be; the message is a sentence without a subject or full stop."""


@dataclass(frozen=True, slots=True)
class ElfFile:
    """The headers of an ELF-64 little-endian file; offsets were checked against the file."""

    kind: int
    machine: int
    program_offset: int
    section_offset: int
    section_names: int
    programs: tuple[ProgramHeader, ...]

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Read the headers. Raises ElfError."""
        if len(data) < _HEADER.size or data[:4] != _IDENT[:4]:
            raise ElfError("is no ELF file")
        ident, kind, machine, _, _, phoff, shoff, _, _, phentsize, phnum, _, _, shstrndx = _HEADER.unpack_from(data)
        if ident[: len(_IDENT)] != _IDENT:
            raise ElfError(f"is not a 64-bit little-endian ELF file but one for {machine_name(data)}")
        if phnum and (phentsize != _PROGRAM.size or phoff + phnum * _PROGRAM.size > len(data)):
            raise ElfError("is damaged: its program headers lie outside the file")
        programs = tuple(ProgramHeader(*_PROGRAM.unpack_from(data, phoff + i * _PROGRAM.size)) for i in range(phnum))
        for one in programs:
            if one.offset + one.file_size > len(data):
                raise ElfError("is damaged: a segment lies outside the file")
        return cls(kind, machine, phoff, shoff, shstrndx, programs)

    def loads(self) -> list[ProgramHeader]:
        """The loadable segments, in their order."""
        return [one for one in self.programs if one.kind == PT_LOAD]


def machine_name(data: Buffer) -> str:
    """The machine that an ELF file of any class is for, such as ``AArch64``; to be told to people."""
    if len(data) < 20 or data[:4] != _IDENT[:4]:  # noqa: PLR2004 -- end of e_machine, which stands there in all classes
        return NO_ELF
    (number,) = struct.unpack_from("<H" if data[5] == 1 else ">H", data, 18)
    bits = {1: "32-bit ", 2: ""}.get(data[4], "unknown class ")
    return f"{bits}{_MACHINES.get(number, f'machine {number}')}"


def add_segment(elf: Buffer, data: Buffer, address: int, section: str, *, writable: bool = False) -> list[Buffer]:
    """The program with ``data`` as one more segment, read-only or each process's own; pieces to be written one after another.

    Raises ElfError when ``elf`` is no position-dependent program for x86-64, or has no room.
    """
    parsed = _program(elf, address)
    sections = _sections(elf, parsed)
    names = sections[parsed.section_names]
    strings = bytes(elf[names.offset : names.offset + names.size])
    if section.encode() + b"\0" in strings:
        raise ElfError(f"already has a section {section}")

    kept = _end_of_contents(parsed, sections)
    data_offset = _round_up(kept, PAGE)
    flags = _PF_R | _PF_W if writable else _PF_R
    load = ProgramHeader(PT_LOAD, flags, data_offset, address, address, len(data), len(data), PAGE)
    headers = b"".join(_PROGRAM.pack(*_fields(one)) for one in _with_load(parsed, load))

    strings_offset = data_offset + len(data)
    added = _SectionHeader(len(strings), _SHT_PROGBITS, _SHF_ALLOC, address, data_offset, len(data), 0, 0, PAGE, 0)
    strings += section.encode() + b"\0"
    sections[parsed.section_names] = replace(names, offset=strings_offset, size=len(strings))
    sections.append(added)
    if len(sections) >= _SHN_LORESERVE:
        raise ElfError("has too many sections")
    sections_offset = _round_up(strings_offset + len(strings), 8)
    table = b"".join(_SECTION.pack(*_fields(one)) for one in sections)

    head = bytearray(elf[:kept])
    head[parsed.program_offset : parsed.program_offset + len(headers)] = headers
    struct.pack_into("<Q", head, 40, sections_offset)  # e_shoff
    struct.pack_into("<H", head, 60, len(sections))  # e_shnum
    head += bytes(data_offset - kept)
    return [head, data, strings + bytes(sections_offset - strings_offset - len(strings)), table]


def spare_headers(elf: Buffer) -> int:
    """How many more segments a program has room for. Raises ElfError."""
    return sum(one.kind == PT_NOTE for one in ElfFile.parse(elf).programs)


def assemble(launcher: Path, image: Buffer, output: Path) -> int:
    """Write the executable made of ``launcher`` and ``image`` and return its size.

    The old ``output`` stays until the new one is complete; it may be running. Raises OutputError, or HostError when the
    launcher is unusable, which only a damaged cache explains.
    """
    return write_segment(launcher, image, IMAGE_ADDRESS, IMAGE_SECTION, output)


def write_segment(program: Path, data: Buffer, address: int, section: str, output: Path, *, writable: bool = False) -> int:
    """Like assemble, for any segment; ``writable``: each process has its own copy of pages that it writes to."""
    try:
        pieces = add_segment(program.read_bytes(), data, address, section, writable=writable)
    except ElfError as error:
        raise HostError(f"the launcher {error}", where=program, remedy="Remove it from the cache and build again.") from error
    except OSError as error:
        raise HostError(f"the launcher cannot be read: {error.strerror}", where=program) from error
    write_output(pieces, output)
    return sum(len(piece) for piece in pieces)


def is_executable(path: Path) -> bool:
    """Whether frazil made that file."""
    try:
        read_image(path)
    except UsageError:
        return False
    return True


def require_replaceable(output: Path) -> None:
    """Raise OutputError when there is something at ``output`` that an executable must not take the place of."""
    try:
        mode = output.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        problem = f"the output cannot be written: {error.strerror or error}"
        raise OutputError(problem, where=output, remedy="Name another place with -o.") from error
    if not stat.S_ISREG(mode):
        problem = "the output is a directory" if stat.S_ISDIR(mode) else "the output is a device, pipe or socket"
        raise OutputError(problem, where=output, remedy="Name a file with -o.")


def write_output(pieces: Sequence[Buffer], output: Path, mode: int = 0o755) -> None:
    """Write a file whole or not at all, by default an executable one, creating the directory it goes into.

    Raises OutputError.
    """
    require_replaceable(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        # A new file in its place: a running program keeps the old one, where writing to that would fail with ETXTBSY.
        with tempfile.TemporaryDirectory(prefix=".frazil-", dir=output.parent) as directory:
            made = Path(directory, "output")
            # The mode goes through the umask here; asking for the umask would change it for all threads.
            handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(handle, "wb", buffering=0) as file:
                for piece in pieces:
                    _write_all(file, piece)
            made.replace(output)
    except OSError as error:
        problem = f"the output cannot be written: {error.strerror or error}"
        raise OutputError(problem, where=output, remedy="Free some space or name another place with -o.") from error


class _RawFile(Protocol):
    def write(self, data: Buffer, /) -> int | None: ...


def _write_all(file: _RawFile, data: Buffer) -> None:
    view = memoryview(data)
    while view:
        written = file.write(view)
        view = view[written or 0 :]


def read_image(path: Path) -> memoryview:
    """The image inside an executable, mapped read-only. Raises UsageError when ``path`` is no executable that frazil made."""
    return read_segment(path, IMAGE_ADDRESS, "its image")


def read_segment(path: Path, address: int, what: str) -> memoryview:
    """The content of the segment at ``address``, mapped read-only. Raises UsageError naming ``what`` when it is not there."""
    found = find_segment(path, address)
    if found is None:
        raise UsageError(f"{_NOT_OURS}: {what} is missing", where=path)
    return found


def find_segment(path: Path, address: int) -> memoryview | None:
    """The content of the segment at ``address``, mapped read-only, or None. Raises UsageError for what is no ELF file."""
    try:
        with path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # an empty file
        raise UsageError(f"{_NOT_OURS}: the file is empty", where=path) from error
    except OSError as error:
        raise UsageError(f"this file cannot be read: {error.strerror}", where=path) from error
    try:
        parsed = ElfFile.parse(mapping)
    except ElfError as error:
        mapping.close()
        raise UsageError(f"{_NOT_OURS}: it {error}", where=path) from error
    for one in parsed.loads():
        if one.address == address:
            return memoryview(mapping)[one.offset : one.offset + one.file_size]
    mapping.close()
    return None


def trim(data: Buffer) -> bytes:
    """A shared library without what the dynamic linker never looks at: debug information, symbol table, section headers.

    Everything up to the last byte that a segment covers is kept, so it loads the same. What is no ELF-64 file stays as it is.
    """
    try:
        parsed = ElfFile.parse(data)
    except ElfError:
        return bytes(data)
    if not parsed.loads():
        return bytes(data)
    end = parsed.program_offset + len(parsed.programs) * _PROGRAM.size
    end = max(end, _HEADER.size, *(one.offset + one.file_size for one in parsed.programs))
    kept = bytearray(data[:end])
    struct.pack_into("<Q", kept, 40, 0)  # e_shoff
    struct.pack_into("<HH", kept, 60, 0, 0)  # e_shnum, e_shstrndx
    return bytes(kept)


def without_host_paths(data: Buffer) -> bytes:
    """A shared library without a DT_RPATH or DT_RUNPATH that names only directories of the machine it was built on.

    There the dynamic linker would look, on another machine, for libraries that anybody may have put there. What is found there
    when building is in the image. Anything but a well-formed library stays as it is.
    """
    try:
        parsed = ElfFile.parse(data)
    except ElfError:
        return bytes(data)
    changed = bytearray(data)
    for one in parsed.programs:
        if one.kind == PT_DYNAMIC:
            _drop_host_paths(changed, one, parsed.loads())
    return bytes(changed)


def _drop_host_paths(elf: bytearray, dynamic: ProgramHeader, loads: Sequence[ProgramHeader]) -> None:
    end = dynamic.offset + dynamic.file_size // _DYNAMIC.size * _DYNAMIC.size
    entries = [entry for entry in _DYNAMIC.iter_unpack(elf[dynamic.offset : end]) if entry[0] != _DT_NULL]
    strings = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    table = next((one.offset - one.address for one in loads if strings is not None
                  and one.address <= strings < one.address + one.file_size), None)  # fmt: skip
    if strings is None or table is None:
        return
    kept = [entry for entry in entries if entry[0] not in {_DT_RPATH, _DT_RUNPATH}
            or not _names_host(elf, table + strings + entry[1])]  # fmt: skip
    if len(kept) < len(entries):
        packed = b"".join(_DYNAMIC.pack(*entry) for entry in kept)
        elf[dynamic.offset : end] = packed.ljust(end - dynamic.offset, b"\0")


def _names_host(elf: bytearray, offset: int) -> bool:
    """Whether the string there names absolute directories only."""
    text = bytes(elf[offset : elf.find(b"\0", offset)])
    return all(one.startswith(b"/") for one in text.split(b":") if one)


def _program(elf: Buffer, address: int) -> ElfFile:
    parsed = ElfFile.parse(elf)
    if parsed.machine != _EM_X86_64:
        raise ElfError(f"is for {machine_name(elf)}, not for x86-64")
    if parsed.kind != _ET_EXEC:
        raise ElfError("is not a position-dependent program")
    if not parsed.loads():
        raise ElfError("has no loadable segment")
    if not any(one.kind == PT_NOTE for one in parsed.programs):
        raise ElfError("has no PT_NOTE header left for another segment")
    if max(one.address + one.memory_size for one in parsed.loads()) > address:
        raise ElfError(f"reaches beyond the address {address:#x}")
    return parsed


def _sections(elf: Buffer, parsed: ElfFile) -> list[_SectionHeader]:
    size, count = struct.unpack_from("<HH", elf, 58)
    if not count or size != _SECTION.size or parsed.section_offset + count * size > len(elf):
        raise ElfError("has no section headers")
    sections = [_SectionHeader(*_SECTION.unpack_from(elf, parsed.section_offset + i * size)) for i in range(count)]
    if not 0 < parsed.section_names < count:
        raise ElfError("has no section names")
    for one in sections:
        if one.kind != _SHT_NOBITS and one.offset + one.size > len(elf):
            raise ElfError("is damaged: a section lies outside the file")
    return sections


def _end_of_contents(parsed: ElfFile, sections: Sequence[_SectionHeader]) -> int:
    """Where the bytes end that must stay: behind them come only the old section headers and their names."""
    ends = [one.offset + one.file_size for one in parsed.programs]
    ends += [
        one.offset + one.size for index, one in enumerate(sections) if one.kind != _SHT_NOBITS and index != parsed.section_names
    ]
    return max(_HEADER.size, parsed.program_offset + len(parsed.programs) * _PROGRAM.size, *ends)


def _with_load(parsed: ElfFile, load: ProgramHeader) -> list[ProgramHeader]:
    headers = list(parsed.programs)
    del headers[max(index for index, one in enumerate(headers) if one.kind == PT_NOTE)]
    headers.insert(max(index for index, one in enumerate(headers) if one.kind == PT_LOAD) + 1, load)
    return headers


def _fields(record: ProgramHeader | _SectionHeader) -> list[int]:
    return [getattr(record, name) for name in record.__slots__]


def _round_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
