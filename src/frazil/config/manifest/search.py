"""Files that a manifest names: a directory walked, a file below a directory, a package in a library."""

from __future__ import annotations

import difflib
import os
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.config.manifest.errors import ManifestError, UnknownPackageError
from frazil.resources.scan import CACHE_DIRECTORY, Tree, is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFEST: Final = "manifest.py"
BASE_LIBRARIES: Final = ("micropython", "python-stdlib", "python-ecosys")
"""The parts of micropython-lib that are searched, in this order."""
_NEAR: Final = 3


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") or entry.name == CACHE_DIRECTORY


@dataclass(frozen=True, slots=True)
class Walk:
    """The files below a directory, sorted, hidden ones left out; symbolic links are followed, but not in circles."""

    files: tuple[tuple[str, Path], ...]
    directories: tuple[Path, ...]
    warnings: tuple[str, ...]


def walk(root: Path) -> Walk:
    """Read a directory. Raises ManifestError when it is none or cannot be read."""
    require_directory(root)
    try:
        os.close(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
    except OSError as error:
        raise ManifestError(f"{root} cannot be read: {error.strerror}") from error
    directories = [root]

    def skip(entry: os.DirEntry[str]) -> bool:
        if _is_hidden(entry):
            return True
        if entry.is_dir():
            directories.append(Path(entry.path))
        return False

    tree = Tree(root, skip=skip)
    files = tuple(tree.files())
    return Walk(files, tuple(directories), tuple(tree.warnings))


def require_directory(path: Path) -> None:
    """Raise ManifestError unless ``path`` is a directory."""
    if not os.path.lexists(path):
        raise ManifestError(f"{path}: no such directory")
    if not path.is_dir():
        raise ManifestError(
            f"{path} is no directory", remedy="Name the directory first, then the file: freeze(DIRECTORY, FILE)."
        )


def require_file(path: Path) -> None:
    """Raise ManifestError unless ``path`` is a regular file that can be read."""
    if not os.path.lexists(path):
        close = _near(path)
        raise ManifestError(f"{path}: no such file or directory", remedy=f"Is {close!r} meant?" if close else "")
    if not path.is_file():
        raise ManifestError(f"{path} is {'a directory' if path.is_dir() else 'no regular file'}")
    if not os.access(path, os.R_OK):
        raise ManifestError(f"{path} cannot be read: Permission denied")


def _near(path: Path) -> str:
    try:
        names = sorted(name for name in os.listdir(path.parent) if not name.startswith("."))  # noqa: PTH208 - names, not paths
    except OSError:
        return ""
    return next(iter(difflib.get_close_matches(path.name, names, n=1)), "")


def inside(name: object, what: str) -> str:
    """A relative path in normal form, with slashes; empty for the directory itself.

    Raises ManifestError for what is no string, is absolute, leads out, or has a variable: names are not replaced.
    """
    if not isinstance(name, str):
        raise ManifestError(f"{what} must be a string, not {described(name)}")
    if "$(" in name:
        problem = f"variables are not replaced in {what}: {name!r}"
        raise ManifestError(problem, remedy="Put the variable into the directory's path.")
    if "\0" in name or not is_text(name):
        raise ManifestError(f"{what} {name!r} cannot be the name of a module's file")
    clean = posixpath.normpath(name) if name else "."
    if clean == ".." or clean.startswith(("/", "../")):
        problem = f"{what} {name!r} leads out of the directory"
        raise ManifestError(problem, remedy="Name the directory that holds it instead: targets are relative to that.")
    return "" if clean == "." else clean


def described(value: object) -> str:
    """A wrong argument in words."""
    kinds = {str: "a string", bytes: "bytes", type(None): "None", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), f"a {type(value).__name__}")


@dataclass(slots=True)
class Libraries:
    """Where ``require`` looks: directories by name, in order. Each is read once."""

    places: dict[str, Path] = field(default_factory=dict)
    _packages: dict[Path, dict[str, Path]] = field(default_factory=dict)

    def add(self, name: str, place: Path, *, first: bool) -> None:
        """Add a library, or give a known one another place."""
        others = {known: path for known, path in self.places.items() if known != name}
        self.places = {name: place, **others} if first else {**others, name: place}

    def find(self, name: str, library: str | None) -> Path:
        """The manifest of a package. Raises UnknownPackageError, with names that are near."""
        if library is not None and library not in self.places:
            known = ", ".join(self.places) or "none"
            raise UnknownPackageError(
                f"there is no library {library!r}", remedy=f"These are known: {known}. add_library() adds one."
            )
        searched = self.places if library is None else {library: self.places[library]}
        for place in searched.values():
            found = self._read(place).get(name)
            if found is not None:
                return found
        every = sorted({package for place in searched.values() for package in self._read(place)})
        raise UnknownPackageError(f"there is no package {name!r} in {_listed(searched)}", remedy=_meant(name, every, searched))

    def _read(self, root: Path) -> dict[str, Path]:
        """Packages by name: directories with a manifest, the first of each name, each directory before those below it."""
        if root not in self._packages:
            packages: dict[str, Path] = {}
            for directory, below, files in os.walk(root):
                below[:] = sorted(name for name in below if not name.startswith(".") and name != CACHE_DIRECTORY)
                if MANIFEST in files:
                    packages.setdefault(Path(directory).name, Path(directory) / MANIFEST)
            self._packages[root] = packages
        return self._packages[root]


def _listed(searched: dict[str, Path]) -> str:
    return ", ".join(str(place) for place in searched.values()) or "any library, for none is known"


def _meant(name: str, every: Sequence[str], searched: dict[str, Path]) -> str:
    close = difflib.get_close_matches(name, every, n=_NEAR)
    if close:
        return f"Is {' or '.join(map(repr, close))} meant?"
    if not searched:
        return "Say where micropython-lib is with -v MPY_LIB_DIR=DIRECTORY, or add_library()."
    missing = [str(place) for place in searched.values() if not place.is_dir()]
    return f"These directories do not exist: {', '.join(missing)}." if missing else ""
