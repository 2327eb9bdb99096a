"""What the user asked for, as a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from frazil.plan import Compression, InterpreterConfig, LinkMode, NativeLink, PmmSettings, StandardLibrary, WarmStart

if TYPE_CHECKING:
    from frazil.native.source import NativeSource


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The command line of a build.

    Where a project has a ``[tool.frazil]`` table, what differs from the defaults wins over it; lists add to those of the table.

    ``exclude`` holds patterns (``fnmatch``, where ``*`` spans dots) of dotted module names. A pattern removes the modules and
    packages that it matches, with all modules and data files below them: ``numpy.*.tests`` removes every package ``tests`` of
    numpy; ``pkg.*`` removes everything below ``pkg`` and keeps ``pkg``. A distribution that has no module left goes whole, with
    its libraries and metadata; so does one whose project name matches a pattern that matches no module (``PyYAML``).
    """

    source: str
    """A script, a directory with ``__main__.py``, ``pkg.mod:function``, or a project directory with ``pyproject.toml``."""
    name: str | None = None
    venv: Path | None = None
    """Take third-party code from this virtual environment; nothing is installed."""
    requirements: tuple[str, ...] = ()
    """More requirements (PEP 508). With ``venv`` they must be installed there."""
    include: tuple[str, ...] = ()
    """Names of modules that no import statement mentions; ``pkg.*`` is everything below ``pkg``."""
    exclude: tuple[str, ...] = ()
    include_data: tuple[str, ...] = ()
    """``SRC=DEST``: a file or directory, and where it stands below ``app/``."""
    multicall: bool = False
    link: LinkMode = LinkMode.AUTO
    stdlib: StandardLibrary = StandardLibrary.USED
    with_source: bool = True
    compression: Compression = Compression.NONE
    memfs_limit: int | None = None
    """Bytes."""
    warm: WarmStart | None = None
    archives: tuple[Path, ...] = ()
    """Archives to use, the first of which wins."""
    library: bool = False
    """Whether a project may have nothing to run: its plan is not built, but archived."""
    interpreter: InterpreterConfig = field(default_factory=InterpreterConfig)
    pmm: PmmSettings | None = None
    """Where modules outside the executable come from (``pmm.py``)."""
    from_source: tuple[str, ...] = ()
    """Projects that are built from their source distributions, so that their native modules can be linked into the program."""
    native: tuple[NativeSource, ...] = ()
    """Native modules that are compiled for this build."""
    native_link: NativeLink = NativeLink.AUTO
    directory: Path = field(default_factory=Path.cwd)
    """What relative paths are relative to."""
