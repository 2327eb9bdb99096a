"""What the values of targets do when their target is built: the border between the dialect's types and who builds them.

A target's value that has a build behaviour is a ``Buildable``. The command that builds gives it a directory of its own, empty
and beside the final one, which takes the place of the target's former output only when everything went well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.plan import Plan


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Where and how a value is built. Several values may be built at the same time, each in its own thread."""

    name: str
    """The target's."""
    directory: Path
    """It exists, and all that is written goes below it. What a build leaves here is the target's output."""
    release: bool
    cache: ContentCache
    progress: Callable[[str], None]
    """To be told the name of each step as it begins."""
    make: Callable[[Plan, Path], None]
    """The builder: writes the executable that a plan describes to a path. Raises FrazilError."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build has written."""

    paths: tuple[Path, ...]
    """Files below the context's directory."""
    run: Path | None = None
    """The one that ``frazil run`` starts, if any."""


@runtime_checkable
class Buildable(Protocol):
    """A target's value that becomes files."""

    def inputs(self) -> Sequence[object] | None:
        """All that ``build`` depends on, as ``frazil.identity`` digests it: plans, paths of files, strings.

        Called before ``build``, in the thread that ran the configuration: functions of the program may be called here, but not
        in ``build``. None when it cannot be told, for instance after something was fetched that may change: then it is always
        built anew.
        """

    def build(self, context: BuildContext) -> Built:
        """Write the files. Raises FrazilError."""


@dataclass(frozen=True, slots=True)
class FileData:
    """A file to install: a file of this machine, or the bytes themselves."""

    content: Path | bytes
    executable: bool = False


@runtime_checkable
class Installable(Protocol):
    """A Python resource that can stand as files below a directory; ``FileManifest.add_python_resource`` takes it.

    Executables are no such thing: they are Buildable, and built into the directory.
    """

    def files(self) -> Mapping[str, FileData]:
        """Files by path below the directory that would be on ``sys.path``, such as ``package/module.py``."""
