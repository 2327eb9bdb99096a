"""Files of a directory tree as resources: what each one is, told from its name.

Contents are not read. The one exception is a shared object whose name does not tell (``x.so`` without an ABI tag): it is an
extension module when it mentions ``PyInit_x``, else a library.
"""

from __future__ import annotations

import mmap
import os
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.resources.kinds import BytecodeModule, DataFile, ExtensionModule, NativeLibrary, SourceModule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from frazil.resources.kinds import Resource

_LIBRARY: Final = re.compile(r"\.so(\.[0-9][0-9A-Za-z_]*)*$")
_TAGGED: Final = re.compile(r"\.(cpython-|abi3|pypy)[^/]*\.so$")
_ELF_MAGIC: Final = b"\x7fELF"
_LARGE: Final = 32 << 20
"""Bytes above which a ``lib*.so`` is taken for a library unread."""

CACHE_DIRECTORY: Final = "__pycache__"


def module_name(relative: str) -> tuple[str, bool] | None:
    """Dotted name of a module file, its suffix already removed (``a/b``), and whether it is a package.

    None when some part is no identifier, so that no import statement reaches it.
    """
    parts = relative.split("/")
    package = parts[-1] == "__init__" and len(parts) > 1
    if package:
        parts.pop()
    return (".".join(parts), package) if all(map(str.isidentifier, parts)) else None


def stem_of_extension(filename: str, suffixes: Iterable[str]) -> str | None:
    """``x`` of ``x.cpython-311-x86_64-linux-gnu.so`` when its suffix is one of those of the target Python, else None."""
    for suffix in suffixes:
        if filename.endswith(suffix) and "." not in filename[: -len(suffix)]:
            return filename[: -len(suffix)]
    return None


@dataclass(frozen=True, slots=True)
class Classifier:
    """Makes resources of files. ``suffixes`` are the target Python's for extension modules, the longest first."""

    suffixes: tuple[str, ...]

    def resource(self, content: Path, relative: str, prefix: str, owner: str) -> Resource:
        """The file ``content`` as what stands at ``relative`` below ``prefix``, a ``sys.path`` entry below the mount.

        The prefix is empty for the mount itself.
        """
        path = posixpath.join(prefix, relative)
        if relative.endswith(".py"):
            found = module_name(relative[:-3])
            if found is not None:
                return SourceModule(found[0], found[1], content, path, posixpath.dirname(_within(path, found[1])), owner)
        elif relative.endswith(".pyc"):
            found = module_name(relative[:-4])
            if found is not None:
                return BytecodeModule(found[0], found[1], content, path, posixpath.dirname(_within(path, found[1])), owner)
        elif ".so" in relative and _LIBRARY.search(relative):
            return self._shared_object(content, relative, path, owner)
        return DataFile(content, path, owner, executable=_is_executable(content))

    def _shared_object(self, content: Path, relative: str, path: str, owner: str) -> Resource:
        directory, _, filename = relative.rpartition("/")
        stem = stem_of_extension(filename, self.suffixes)
        if stem is not None:
            found = module_name(f"{directory}/{stem}" if directory else stem)
            if found is not None and (_TAGGED.search(filename) or _initialises(content, found[0].rpartition(".")[2])):
                return ExtensionModule(found[0], found[1], content, path, posixpath.dirname(_within(path, found[1])), owner)
        # A linker script or a placeholder may have the name of a library too.
        if _is_elf(content):
            return NativeLibrary(content, path, owner)
        return DataFile(content, path, owner, executable=_is_executable(content))


def _within(path: str, package: bool) -> str:  # noqa: FBT001 - a fact about the path
    """What an importer finds in a directory: the file, or the package's directory."""
    return posixpath.dirname(path) if package else path


def _is_executable(content: Path) -> bool:
    try:
        return bool(os.stat(content).st_mode & 0o100)  # noqa: PTH116 - ten thousand calls: pathlib's cost shows
    except OSError:
        return False


def _is_elf(content: Path) -> bool:
    try:
        with content.open("rb") as file:
            return file.read(4) == _ELF_MAGIC
    except OSError:
        return False


def _initialises(content: Path, name: str) -> bool:
    """Whether the shared object mentions the initialisation function of module ``name``."""
    try:
        with content.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0 or (size > _LARGE and content.name.startswith("lib")):
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return view.find(f"PyInit_{name}\0".encode()) >= 0
    except OSError:
        return False


@dataclass(slots=True)
class Tree:
    """The regular files below ``root``, in a defined order; symbolic links are followed, those in a circle are not.

    ``skip(name, entry)`` leaves a file or directory out. What cannot be taken is told in ``warnings``.
    """

    root: Path
    skip: Callable[[os.DirEntry[str]], bool] = field(default=lambda entry: entry.name == CACHE_DIRECTORY)
    warnings: list[str] = field(default_factory=list)

    def files(self) -> Iterator[tuple[str, Path]]:
        """Pairs of the path relative to the root, with slashes, and the file."""
        yield from self._below(self.root, "", (os.path.realpath(self.root),))

    def _below(self, directory: Path, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
        try:
            with os.scandir(directory) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.warnings.append(f"{directory}: left out: {error.strerror}")
            return
        for entry in found:
            if self.skip(entry):
                continue
            relative = prefix + entry.name
            if entry.is_dir():
                real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                if real in above:
                    self.warnings.append(f"{entry.path}: left out: a symbolic link to a directory above itself")
                else:
                    yield from self._below(Path(entry.path), f"{relative}/", (*above, real))
            elif not is_text(relative):
                self.warnings.append(f"{os.fsencode(entry.path)!r}: left out: the name is not UTF-8")
            elif entry.is_file():
                yield relative, Path(entry.path)
            else:
                kind = "a dangling symbolic link" if entry.is_symlink() else "neither file nor directory"
                self.warnings.append(f"{entry.path}: left out: {kind}")


def is_text(name: str) -> bool:
    """Whether a file name is valid UTF-8; others are read with lone surrogates, and the image's names are UTF-8."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_shadowed(files: Iterable[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """All files but ``x.pyc`` beside ``x.py``, which no import ever reads and which differs from machine to machine."""
    listed = list(files)
    sources = {relative for relative, _ in listed if relative.endswith(".py")}
    return [(relative, path) for relative, path in listed if not (relative.endswith(".pyc") and relative[:-1] in sources)]
