"""What can go into an executable: a closed union of small records. Pure; this file does no I/O.

``path`` is where the resource stands below the mount (``docs/spec/launcher.md``, "The tree under the mount"); ``owner`` is the
distribution it belongs to: a normalised project name, ``APPLICATION``, ``STANDARD_LIBRARY``, ``SYSTEM`` or ``RUNTIME``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

APPLICATION: Final = "<application>"
STANDARD_LIBRARY: Final = "<standard library>"
SYSTEM: Final = "<system>"
RUNTIME: Final = "<frazil>"

Content = Path | bytes
"""Where the bytes come from: a file of the build machine, or the bytes themselves."""


@dataclass(frozen=True, slots=True)
class SourceModule:
    """A module as source; the builder compiles it. ``directory`` is its ``sys.path`` or ``__path__`` entry, below the mount."""

    name: str
    package: bool
    content: Content
    path: str
    directory: str
    owner: str
    optimize: int | None = None
    """The optimization level of its bytecode; None for that of the plan."""
    as_source: bool = False
    """Whether it goes in without bytecode, to be compiled when it is imported."""
    with_source: bool | None = None
    """Whether its source goes in; None for what the plan says."""


@dataclass(frozen=True, slots=True)
class BytecodeModule:
    """A module of which there is only a ``.pyc`` file."""

    name: str
    package: bool
    content: Content
    path: str
    directory: str
    owner: str


@dataclass(frozen=True, slots=True)
class ExtensionModule:
    """A module as a shared object."""

    name: str
    package: bool
    content: Content
    path: str
    directory: str
    owner: str


@dataclass(frozen=True, slots=True)
class NativeLibrary:
    """A shared library that extension modules or ``ctypes`` load; ``path`` keeps its name."""

    content: Content
    path: str
    owner: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """Any other file. ``executable`` sets the execute permission bits."""

    content: Content
    path: str
    owner: str
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link to ``target``, as ``os.readlink`` gives it."""

    target: str
    path: str
    owner: str


Module = SourceModule | BytecodeModule | ExtensionModule
Resource = Module | NativeLibrary | DataFile | Link
