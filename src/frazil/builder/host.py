"""The two ports of a build beside the plan: the machine it runs on, and what it tells when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.plan import LinkMode
    from frazil_runtime.snapshot.report import LeftOut


class Form(Enum):
    """What a build writes."""

    EXECUTABLE = "exe"
    ASSEMBLER = "asm"
    """An assembler source that includes the image, which stands beside it."""
    OBJECT = "obj"
    """A relocatable ELF object that holds the image."""
    LINKABLE = "link"
    """A relocatable ELF object that holds launcher and image, and what it takes to link it (``linkable.py``)."""


def _silent(_step: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Host:
    """Where a build happens and what it writes. ``progress`` is told the name of each step as it begins."""

    cache: ContentCache
    output: Path
    progress: Callable[[str], None] = _silent
    form: Form = Form.EXECUTABLE
    directory: Path | None = None
    """Where the output will be moved to, if it will; files that name each other by absolute paths name that."""


@dataclass(frozen=True, slots=True)
class GlibcFloor:
    """The oldest glibc that the executable runs on, such as ``2.34``, and the file that asks for it."""

    version: str
    set_by: str


@dataclass(frozen=True, slots=True)
class NativeOutcome:
    """What became of a native module whose objects were there."""

    name: str
    how: Literal["static", "memory"]
    """Linked into the program, or a shared object that is loaded from memory."""
    reason: str
    """Why it is not linked into the program; empty when it is."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """The snapshot of an executable."""

    size: int
    modules: tuple[str, ...]
    """What was imported for it, by the names that were asked for."""
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()
    """What its author should know, a sentence each."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was built. Sizes in bytes, times in seconds."""

    path: Path
    size: int
    sizes: Mapping[str, int]
    """Bytes in the image by owner, and ``launcher``."""
    modules: int
    timings: tuple[tuple[str, float], ...]
    glibc: GlibcFloor
    link: LinkMode
    link_reason: str
    warm: Warmed | None = None
    warnings: tuple[str, ...] = field(default=())
    files: tuple[Path, ...] = ()
    """What stands beside the executable, relative to its directory."""
    file_sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of these by owner."""
    native: tuple[NativeOutcome, ...] = ()
    objects: int = 0
    """Objects of the native modules."""
    objects_compiled: int = 0
    """Those of them that the compiler had to make."""
