"""Which machine native files are for, told by their headers: an archive's word about them is not enough."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Final

from frazil.archive.paths import LIBRARY
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frazil.archive.content import Archive

_ELF_MAGIC: Final = b"\x7fELF"
_AR_MAGIC: Final = b"!<arch>\n"
_AR_HEADER: Final = 60
_ELF_HEADER: Final = 20
_SPECIAL_MEMBERS: Final = 16
"""So many members of a static library are looked at: its index and the table of long names come first."""
_BIG_ENDIAN: Final = 2
_MACHINES: Final = {
    (3, 1): "i686", (40, 1): "arm", (62, 2): "x86_64", (62, 1): "x32", (183, 2): "aarch64", (243, 2): "riscv64",
    (21, 2): "powerpc64le", (22, 2): "s390x", (258, 2): "loongarch64",
}  # fmt: skip
"""By ``e_machine`` and class (1: 32 bits, 2: 64)."""


def machine_of(content: Path | bytes) -> str:
    """The machine that an object, shared object or static library is for; empty when it is none of these."""
    if isinstance(content, bytes):
        return _machine(io.BytesIO(content))
    with content.open("rb") as file:
        return _machine(file)


def _machine(file: IO[bytes]) -> str:
    start = file.read(_ELF_HEADER)
    if start.startswith(_ELF_MAGIC):
        return _of_elf(start)
    if not start.startswith(_AR_MAGIC):
        return ""
    place = len(_AR_MAGIC)
    for _ in range(_SPECIAL_MEMBERS):
        file.seek(place)
        header = file.read(_AR_HEADER)
        size = header[48:58].strip()
        if len(header) < _AR_HEADER or not size.isdigit():
            return ""
        start = file.read(_ELF_HEADER)
        if start.startswith(_ELF_MAGIC):
            return _of_elf(start)
        place += _AR_HEADER + int(size) + int(size) % 2
    return ""


def _of_elf(header: bytes) -> str:
    if len(header) < _ELF_HEADER:
        return "nothing: its header is cut off"
    number = int.from_bytes(header[18:20], "big" if header[5] == _BIG_ENDIAN else "little")
    return _MACHINES.get((number, header[4]), f"machine {number}")


def require_machines(archive: Archive) -> None:
    """Raise SourceError that lists the native files that are for another machine than the archive says."""
    problems = [f"  {problem}" for problem in _problems(archive)]
    if problems:
        problem = "native files are not for the machine that the archive names"
        raise SourceError(problem, where=archive.name, details="\n".join(problems), remedy="Build the archive again.")


def _problems(archive: Archive) -> Iterator[str]:
    for name, module in sorted(archive.metadata.modules.items()):
        platform = module.key.platform if module.key is not None else archive.metadata.mode.platform
        for path in (*module.objects, *((module.shared,) if module.shared else ())):
            problem = _problem(archive, path, platform)
            if problem:
                yield f"{path} of module {name}: {problem}"
    for path in archive.below(LIBRARY):
        platform, slash, _ = path[len(LIBRARY) :].partition("/")
        if slash and any(platform.startswith(f"{machine}-") for machine in _MACHINES.values()):
            problem = _problem(archive, path, platform)
            if problem and machine_of(archive.files[path]):
                yield f"{path}: {problem}"


def _problem(archive: Archive, path: str, platform: str) -> str:
    try:
        machine = machine_of(archive.files[path])
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not machine:
        return "is no object and no library"
    return "" if platform.startswith(f"{machine}-") else f"is for {machine}, and {platform} is named"
