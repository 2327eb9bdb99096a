"""The symbols of relocatable objects, static libraries and shared libraries: what they define, and what they want.

Symbol tables are located by pyelftools and decoded here in one go: a static library of libpython's size has 60,000 entries.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_ENTRY: Final = struct.Struct("<IBBHQQ")  # Elf64_Sym
_INFO: Final = 4
"""Where the binding and type of a symbol stand in its entry."""
_GLOBAL: Final = 1
_WEAK: Final = 2
_UNIQUE: Final = 10  # STB_GNU_UNIQUE
_SHN_UNDEF: Final = 0
_EM_X86_64: Final = 62
_ARCHIVE: Final = b"!<arch>\n"
_THIN: Final = b"!<thin>\n"
_MEMBER: Final = struct.Struct("16s12s6s6s8s10s2s")  # ar(5)
_NOT_FOR_HERE: Final = "it is no object for Linux x86-64"


@dataclass(frozen=True, slots=True)
class Symbols:
    """The global symbols of one object."""

    strong: frozenset[str] = frozenset()
    """Defined, once in a program."""
    weak: frozenset[str] = frozenset()
    """Defined, any number of times: inline functions of C++, and weak ones."""
    wanted: frozenset[str] = frozenset()
    """Not defined, and needed; weak references are left out."""
    only_lto: bool = False
    """Whether the object holds no machine code, only what a link-time optimiser of the same compiler reads."""


@dataclass(frozen=True, slots=True)
class StaticLibrary:
    """The members of a static library, by name; equal names are numbered."""

    path: Path
    members: dict[str, Symbols] = field(default_factory=dict)

    def defined(self) -> frozenset[str]:
        """All that its members define."""
        return frozenset().union(*(one.strong | one.weak for one in self.members.values()))


def object_symbols(data: bytes, where: object) -> Symbols:
    """The symbols of a relocatable object. Raises SourceError when it is none for this machine."""
    return _read(data, where, ".symtab")


def exported_symbols(data: bytes, where: object) -> Symbols:
    """The symbols of a shared library or program, as the dynamic linker sees them."""
    return _read(data, where, ".dynsym")


def _read(data: bytes, where: object, table: str) -> Symbols:
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - most builds need none of this
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - likewise

    try:
        elf = ELFFile(io.BytesIO(data))
        if elf.elfclass != 64 or not elf.little_endian or elf.header["e_machine"] not in {"EM_X86_64", _EM_X86_64}:  # noqa: PLR2004
            raise SourceError(_NOT_FOR_HERE, where=where, remedy="Build it for this machine.")
        section = elf.get_section_by_name(table)
        if section is None:
            return Symbols()
        strings = elf.get_section(section["sh_link"]).data()
        entries = section.data()
        names = {one.name for one in elf.iter_sections()} if table == ".symtab" else set()
        lto = any(name.startswith(".gnu.lto_") for name in names)
        return _decode(entries, strings, only_lto=lto and "__gnu_lto_slim" in _all_names(strings))
    except (ELFError, struct.error, ValueError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise SourceError(f"its symbols cannot be read: {error}", where=where, remedy="Build it again.") from error


def _all_names(strings: bytes) -> set[str]:
    return {one.decode("utf-8", "replace") for one in strings.split(b"\0") if b"__gnu_lto_slim" in one}


def _decode(entries: bytes, strings: bytes, *, only_lto: bool) -> Symbols:
    strong: set[str] = set()
    weak: set[str] = set()
    wanted: set[str] = set()
    usable = len(entries) - len(entries) % _ENTRY.size
    for name, info, _other, section, _value, _size in _ENTRY.iter_unpack(entries[:usable]):
        binding = info >> 4
        if binding not in {_GLOBAL, _WEAK, _UNIQUE} or not 0 < name < len(strings):
            continue
        text = strings[name : strings.index(b"\0", name)].decode("utf-8", "replace")
        if section != _SHN_UNDEF:
            (strong if binding == _GLOBAL else weak).add(text)
        elif binding == _GLOBAL:
            wanted.add(text)
    return Symbols(frozenset(strong), frozenset(weak), frozenset(wanted), only_lto)


def without_unique(data: bytes, where: object) -> bytes:
    """The object with its unique symbols (``STB_GNU_UNIQUE``) as ordinary global ones, which can be made local."""
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - as in _read
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - likewise

    made = bytearray(data)
    try:
        section = ELFFile(io.BytesIO(data)).get_section_by_name(".symtab")
        if section is None:
            return data
        start = section["sh_offset"]
        for at in range(start, start + section["sh_size"], _ENTRY.size):
            info = made[at + _INFO]
            if info >> 4 == _UNIQUE:
                made[at + _INFO] = _GLOBAL << 4 | info & 0xF
    except (ELFError, IndexError) as error:
        raise SourceError(f"its symbols cannot be read: {error}", where=where, remedy="Build it again.") from error
    return bytes(made)


def static_library(path: Path) -> StaticLibrary:
    """A static library's members. Raises SourceError when it is none, or one that refers to files elsewhere."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"this library cannot be read: {error.strerror}", where=path) from error
    members: dict[str, Symbols] = {}
    for name, content in _members(data, path):
        if content.startswith(b"\x7fELF"):
            unique = name
            while unique in members:
                unique += "'"
            members[unique] = object_symbols(content, f"{path}({name})")
    return StaticLibrary(path, members)


def _members(data: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    if data.startswith(_THIN):
        raise SourceError("this is a thin archive, which only names its members", where=path, remedy="Make it with `ar rcs`.")
    if not data.startswith(_ARCHIVE):
        raise SourceError("this is no static library", where=path)
    long_names = b""
    at = len(_ARCHIVE)
    while at + _MEMBER.size <= len(data):
        name, *_, size, end = _MEMBER.unpack_from(data, at)
        at += _MEMBER.size
        digits = size.strip()
        if end != b"`\n" or not digits.isdigit() or at + int(digits) > len(data):
            raise SourceError("this static library is damaged", where=path, remedy="Build it again.")
        content = data[at : at + int(digits)]
        at += int(digits) + int(digits) % 2
        name = name.rstrip()
        if name == b"//":
            long_names = content
        elif name not in {b"/", b"/SYM64/"}:
            yield _member_name(name, long_names), content


def _member_name(name: bytes, long_names: bytes) -> str:
    if name[:1] == b"/" and name[1:].isdigit():
        start = int(name[1:])
        name = long_names[start : max(long_names.find(b"\n", start), start)]
    return name.removesuffix(b"/").decode("utf-8", "replace")


def pulled(wanted: Iterable[str], libraries: Iterable[StaticLibrary]) -> dict[tuple[Path, str], Symbols]:
    """The members that a linker would take out of ``libraries`` (a group, searched over and over) for these symbols."""
    index: dict[str, tuple[StaticLibrary, str]] = {}
    for library in libraries:
        for name, symbols in library.members.items():
            for one in symbols.strong | symbols.weak:
                index.setdefault(one, (library, name))
    taken: dict[tuple[Path, str], Symbols] = {}
    queue = sorted(wanted)
    while queue:
        found = index.get(queue.pop())
        if found is not None and (found[0].path, found[1]) not in taken:
            symbols = found[0].members[found[1]]
            taken[found[0].path, found[1]] = symbols
            queue.extend(sorted(symbols.wanted))
    return taken
