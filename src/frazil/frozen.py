"""What manifests come to and builders consume: the modules to freeze. Pure records; this file does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Platform(Enum):
    """Which Python the modules are for."""

    MICROPYTHON = "micropython"
    CPYTHON = "cpython"


class Dialect(Enum):
    """Whose rules hold where MicroPython's releases differ and both make sense (``docs/manifest.md``, "Dialects")."""

    OLD = "1.18"
    CURRENT = "current"


class Kind(Enum):
    """How a module is frozen."""

    STRING = "str"
    """As source, compiled when it is imported."""
    SOURCE = "py"
    """As bytecode that is made of its source."""
    MPY = "mpy"
    """As the MicroPython bytecode that it is already."""
    PYC = "pyc"
    """As the CPython bytecode that it is already."""
    C_MODULE = "c_module"
    """Not at all: a module in C, which the firmware's build looks after."""


@dataclass(frozen=True, slots=True)
class FrozenModule:
    """One module. ``target`` is its file's path as importers see it, with slashes; ``opt`` is None where nothing was said."""

    kind: Kind
    target: str
    path: Path
    opt: int | None
    manifest: str
    """The manifest that asked for it, or ``<argument N>`` for a snippet on the command line; ``line`` counts from 1."""
    line: int
    version: str | None = None
    """What ``__version__`` is to be, unless the source says it."""

    @property
    def place(self) -> str:
        """Where it was asked for, as ``path:line``."""
        return f"{self.manifest}:{self.line}"

    @property
    def name(self) -> str:
        """The name that imports it."""
        stem = self.target.rpartition(".")[0] or self.target
        return stem.removesuffix("/__init__").replace("/", ".")


@dataclass(frozen=True, slots=True)
class Reference:
    """One manifest that leads to another: ``verb`` is ``include`` or ``require``, ``asked`` what it was given."""

    source: str
    line: int
    verb: str
    asked: str
    target: str
    again: bool
    """Whether the manifest had been run before with the same options, so that this did nothing."""


def with_version(source: bytes, version: str | None) -> bytes:
    """The source with a last line that sets ``__version__``, unless it has one or there is nothing to say."""
    if version is None or b"__version__ =" in source:
        return source
    return source + f"\n\n__version__ = {version!r}\n".encode()


def module_names(modules: Sequence[FrozenModule]) -> list[str]:
    """The names that can be imported, sorted; the same for every platform that a manifest is for."""
    return sorted({module.name for module in modules if module.kind is not Kind.C_MODULE})
