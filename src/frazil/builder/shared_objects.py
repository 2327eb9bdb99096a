"""What a shared object says about itself: the libraries it needs, its name, its run paths, the glibc it asks for.

Read from the program headers, as the dynamic linker does, so that files without section headers are understood too.
"""

from __future__ import annotations

import io
import mmap
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from frazil.builder import elf

if TYPE_CHECKING:
    from pathlib import Path

# libc.so.6 and its family, by SONAME. libnsl.so.1 is glibc's; libnsl.so.2 and later are a project of their own.
PROVIDED_BY_GLIBC: Final = re.compile(
    r"(?:ld-linux-x86-64\.so\.2"
    r"|libc\.so\.6|libm\.so\.6|libmvec\.so\.1|libresolv\.so\.2|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|libutil\.so\.1"
    r"|libanl\.so\.1|libnsl\.so\.1|libBrokenLocale\.so\.1|libthread_db\.so\.1|libc_malloc_debug\.so\.0|libSegFault\.so"
    r"|libnss_(?:files|dns|compat|db|hesiod|nis|nisplus)\.so\.2)\Z"
)

_EM_X86_64: Final = 62
_MAX_ENTRIES: Final = 10_000


class SharedObjectError(Exception):
    """The file is no shared object for Linux x86-64; the message is a sentence without a subject or full stop."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one ELF file asks of others."""

    needed: tuple[str, ...] = ()
    soname: str = ""
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    glibc: tuple[int, int] = (0, 0)
    """The newest version of glibc that a symbol asks for; (0, 0) when none does."""
    machine: str = ""
    """Empty for an ELF-64 x86-64 file; else what the file is, such as ``AArch64``."""

    @property
    def foreign(self) -> bool:
        """Whether this is no file that the dynamic linker of the target loads."""
        return bool(self.machine)


def facts_of(path: Path) -> Facts:
    """The facts of a file, of which only the pages that matter are read. Raises SharedObjectError, OSError."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return Facts(machine=elf.machine_name(b""))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
            return read_facts(mapping)


def read_facts(data: elf.Buffer) -> Facts:
    """The facts of an ELF file. Raises SharedObjectError when it is an ELF file for this machine, but damaged."""
    # Here, since importing it takes longer than a warm build may spend on shared objects.
    from elftools.common.exceptions import ELFError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        parsed = elf.ElfFile.parse(data)
    except elf.ElfError as error:
        if "damaged" in str(error):
            raise SharedObjectError(str(error)) from error
        return Facts(machine=elf.machine_name(data))
    if parsed.machine != _EM_X86_64:
        return Facts(machine=elf.machine_name(data))
    try:
        stream: Any = data if isinstance(data, mmap.mmap) else io.BytesIO(data)
        return _dynamic_facts(ELFFile(stream))
    except SharedObjectError:
        raise
    except (ELFError, ValueError, LookupError, AttributeError, TypeError, OverflowError, AssertionError) as error:
        raise SharedObjectError("is damaged: its dynamic section cannot be read") from error


def _dynamic_facts(file: Any) -> Facts:
    segment = next((one for one in file.iter_segments() if one.header.p_type == "PT_DYNAMIC"), None)
    if segment is None:
        return Facts()
    needed: list[str] = []
    names: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for count, tag in enumerate(segment.iter_tags()):
        if count > _MAX_ENTRIES:
            raise SharedObjectError("is damaged: its dynamic section does not end")
        kind = tag.entry.d_tag
        if kind == "DT_NEEDED":
            needed.append(tag.needed)
        elif kind == "DT_SONAME":
            names[kind] = tag.soname
        elif kind == "DT_RPATH":
            names[kind] = tag.rpath
        elif kind == "DT_RUNPATH":
            names[kind] = tag.runpath
        elif kind in {"DT_VERNEED", "DT_VERNEEDNUM"}:
            numbers[kind] = tag.entry.d_val
    return Facts(
        needed=tuple(needed),
        soname=names.get("DT_SONAME", ""),
        rpath=_directories(names.get("DT_RPATH", "")),
        runpath=_directories(names.get("DT_RUNPATH", "")),
        glibc=_glibc(file, segment, numbers),
    )


def _directories(value: str) -> tuple[str, ...]:
    return tuple(one for one in value.split(":") if one)


def _glibc(file: Any, segment: Any, numbers: dict[str, int]) -> tuple[int, int]:
    """The newest ``GLIBC_x.y`` in the version requirements (gABI supplement: Symbol Versioning)."""
    from elftools.common.utils import struct_parse  # noqa: PLC0415 -- as in read_facts

    address, count = numbers.get("DT_VERNEED"), numbers.get("DT_VERNEEDNUM", 0)
    offset = next(file.address_offsets(address), None) if address is not None else None
    if offset is None:
        return (0, 0)
    if count > _MAX_ENTRIES:
        raise SharedObjectError("is damaged: its version requirements do not end")
    newest = (0, 0)
    strings = segment._get_stringtable()  # noqa: SLF001 -- public only through sections, which a stripped file has not
    for _ in range(count):
        entry = struct_parse(file.structs.Elf_Verneed, file.stream, stream_pos=offset)
        auxiliary = offset + entry.vn_aux
        for _ in range(entry.vn_cnt):
            version = struct_parse(file.structs.Elf_Vernaux, file.stream, stream_pos=auxiliary)
            newest = max(newest, _version(strings.get_string(version.vna_name)))
            if not version.vna_next:
                break
            auxiliary += version.vna_next
        if not entry.vn_next:
            break
        offset += entry.vn_next
    return newest


def _version(name: str) -> tuple[int, int]:
    if name == "GLIBC_ABI_DT_RELR":  # packed relocations, which glibc 2.36 reads
        return (2, 36)
    found = re.fullmatch(r"GLIBC_(\d{1,4})\.(\d{1,4})(?:\.\d+)?", name)
    return (int(found[1]), int(found[2])) if found else (0, 0)
