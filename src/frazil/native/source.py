"""A native module as it is declared: which sources, compiled how. Pure; this file does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

C_SUFFIXES: Final = frozenset({".c"})
CXX_SUFFIXES: Final = frozenset({".cc", ".cpp", ".cxx", ".c++", ".C"})
CYTHON_SUFFIXES: Final = frozenset({".pyx", ".py"})
"""``.py``: ordinary Python, precompiled."""
SUFFIXES: Final = C_SUFFIXES | CXX_SUFFIXES | CYTHON_SUFFIXES


@dataclass(frozen=True, slots=True)
class NativeSource:
    """What the table ``[[tool.frazil.native]]`` says. Paths are absolute."""

    module: str
    """Dotted."""
    sources: tuple[Path, ...]
    include_directories: tuple[Path, ...] = ()
    define: tuple[str, ...] = ()
    """``NAME`` or ``NAME=VALUE``."""
    libraries: tuple[str, ...] = ()
    library_directories: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()
    package: bool = False
    """Whether the module is a package: its file is ``__init__``."""
    base: Path | None = None
    """The directory that the paths were relative to; what the compiler writes down of them is relative to it again."""

    cxx: bool = False
    """Whether what Cython makes is C++."""

    @property
    def is_cxx(self) -> bool:
        """Whether the run-time library of C++ is needed."""
        return self.cxx or any(one.suffix in CXX_SUFFIXES for one in self.sources)

    @property
    def precompiled(self) -> bool:
        """Whether this is Python, compiled ahead of time."""
        return any(one.suffix == ".py" for one in self.sources)
