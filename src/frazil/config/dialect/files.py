"""``FileContent``, ``FileManifest``, ``glob`` and ``set_build_path``: files beside executables, and where outputs stand.

A manifest is a list of entries, files and what is yet to be built, in the order in which they were added; later ones replace
earlier ones. Nothing is written before the targets are built: ``FileManifest.install`` keeps a copy for then.
"""

from __future__ import annotations

import glob as globbing
import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil.config.dialect.building import Buildable, Built, FileData, Installable
from frazil.config.dialect.placement import put
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.host import Attribute, HostObject, method
from frazil.config.starlark.interpreter import builtin
from frazil.config.starlark.values import a_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from frazil.config.dialect.building import BuildContext
    from frazil.config.dialect.session import Session
    from frazil.config.starlark.values import Builtin

    Items = Any

MOST_FILES: Final = 200_000
"""That a pattern may match: enough for any tree, few enough for links that go in circles."""
MOST_BYTES: Final = 1 << 30
"""Of a file that ``force_read`` reads."""
_EXECUTABLE: Final = 0o100


def functions(session: Session) -> dict[str, Builtin]:
    """What programs call."""

    def set_build_path(path: str) -> None:
        if not path or "\0" in path:
            raise Fault("the build path is empty or no path", 'Name a directory: set_build_path("build").')
        session.build_path = session.absolute(path)

    def glob(include: list[str], exclude: list[str] | None = None, strip_prefix: str | None = None) -> FileManifest:
        return _glob(session, include, exclude or [], strip_prefix)

    def file_content(
        path: str | None = None, filename: str | None = None, content: str | None = None, executable: bool | None = None
    ) -> FileContent:
        return FileContent.made(session, path, filename, content, executable)

    def file_manifest() -> FileManifest:
        return FileManifest(session)

    return {
        "FileContent": builtin(file_content, "FileContent"),
        "FileManifest": builtin(file_manifest, "FileManifest"),
        "glob": builtin(glob),
        "set_build_path": builtin(set_build_path),
    }


def _filename(value: str) -> str:
    if not value or value in {".", ".."} or "/" in value or "\0" in value:
        raise Fault(f"{value!r} is no name of a file", "Write the name alone, without a directory.")
    return value


class FileContent(HostObject, starlark_type="FileContent"):
    """A file's content, its name and whether it is executable."""

    executable = Attribute("bool", False)
    filename = Attribute("str", "", check=_filename)

    def __init__(self, session: Session, content: Path | bytes, filename: str, *, executable: bool) -> None:
        self.session = session
        self.content = content
        self.filename = filename
        self.executable = executable

    @classmethod
    def made(
        cls, session: Session, path: str | None, filename: str | None, content: str | None, executable: bool | None
    ) -> FileContent:
        """What a program asks for. Raises Fault."""
        if (path is None) == (content is None):
            raise Fault("FileContent() needs either path or content", 'FileContent(filename="a.txt", content="text")')
        if filename is not None:
            _filename(filename)
        if content is not None:
            if filename is None:
                raise Fault("FileContent() with content needs filename", 'FileContent(filename="a.txt", content="text")')
            return cls(session, content.encode(errors="surrogatepass"), filename, executable=bool(executable))
        place = _file(session, path or "")
        return cls(
            session,
            place,
            filename or place.name,
            executable=_is_executable(place) if executable is None else executable,
        )

    @property
    def data(self) -> FileData:
        """As installers take it."""
        return FileData(self.content, self.executable)

    @method
    def write_to_directory(self, path: str) -> str:
        """``write_to_directory(path)``: install this file alone; where it will be."""
        whole = FileManifest(self.session)
        whole.entries.append(Entry(self.filename, self.data))
        whole.install(path, replace=False)
        return str(self.session.installations[-1].directory / self.filename)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a manifest: a file at ``path``, or what builds itself into the directory ``path``."""

    path: str
    what: FileData | Buildable


@dataclass(frozen=True, slots=True)
class Installation:
    """What ``FileManifest.install`` asks for."""

    target: str | None
    """The target whose function asked, if one did."""
    place: str
    """Where it asked."""
    directory: Path
    replace: bool
    entries: tuple[Entry, ...]

    def build(self, context: BuildContext) -> Built:
        """Write the files."""
        return put(self.entries, context)

    def inputs(self) -> Sequence[object] | None:
        """See Buildable."""
        own = inputs_of(self.entries)
        return None if own is None else [str(self.directory), self.replace, *own]


def inputs_of(entries: Sequence[Entry]) -> list[object] | None:
    """What entries are made of, or None when one of them cannot tell."""
    found: list[object] = []
    for entry in entries:
        if isinstance(entry.what, FileData):
            found.append(entry)
            continue
        inner = entry.what.inputs()
        if inner is None:
            return None
        found += [entry.path, *inner]
    return found


class FileManifest(HostObject, starlark_type="FileManifest"):
    """Files by relative path, and executables that are built among them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.entries: list[Entry] = []

    @method
    def add_manifest(self, other: FileManifest) -> None:
        """``add_manifest(other)``: lay another manifest over this one."""
        self.entries += other.entries

    @method
    def add_file(self, content: FileContent, path: str | None = None, directory: str | None = None) -> None:
        """``add_file(content, path=None, directory=None)``."""
        if path is not None and directory is not None:
            raise Fault("add_file() takes path or directory, not both", "path names the file, directory what it stands in.")
        inner = content.filename if path is None else path
        self.entries.append(Entry(relative(inner if directory is None else posixpath.join(directory, inner)), content.data))

    @method
    def add_path(self, path: str, strip_prefix: str, force_read: bool = False) -> None:
        """``add_path(path, strip_prefix, force_read=False)``: a file under its own path without the prefix."""
        place = _file(self.session, path)
        content = _read(place) if force_read else place
        self.entries.append(Entry(_stripped(self.session, place, strip_prefix), FileData(content, _is_executable(place))))

    @method
    def add_python_resource(self, prefix: str, value: object) -> None:
        """``add_python_resource(prefix, value)``: an executable, what it has embedded, or a resource as files."""
        if isinstance(value, FileManifest) or not isinstance(value, Buildable | Installable):
            problem = f"value of add_python_resource(): expected an executable or a Python resource, got {a_type(value)}"
            raise Fault(problem, "Use add_manifest() or add_file() for files.")
        directory = relative(prefix, directory=True)
        if isinstance(value, Buildable):
            self.entries.append(Entry(directory, value))
        else:
            self.entries += [Entry(relative(posixpath.join(directory, to)), data) for to, data in value.files().items()]

    @method
    def add_python_resources(self, prefix: str, values: Items) -> None:
        """``add_python_resources(prefix, values)``: several of them."""
        for value in values:
            self.add_python_resource(prefix, value)

    @method
    def install(self, path: str, replace: bool = True) -> None:
        """``install(path, replace=True)``: write what the manifest holds now, below the build path, when targets are built."""
        if not path or "\0" in path:
            raise Fault("install() needs the path of a directory")
        session = self.session
        whole = Path(os.path.normpath(session.build_path / path))
        installation = Installation(session.target(), str(session.site() or session.path), whole, replace, tuple(self.entries))
        session.installations.append(installation)

    @method
    def paths(self) -> list[str]:
        """``paths()``: of the files; what is yet to be built has none."""
        return sorted(self._files())

    @method
    def get_file(self, path: str) -> FileContent | None:
        """``get_file(path)``: a file's content, or None."""
        held = self._files().get(relative(path))
        return None if held is None else self._content(path, held)

    @method
    def remove(self, path: str) -> FileContent | None:
        """``remove(path)``: take a file out and return its content, or None."""
        held = self.get_file(path)
        self.entries = [one for one in self.entries if not (isinstance(one.what, FileData) and one.path == relative(path))]
        return held

    def inputs(self) -> Sequence[object] | None:
        """See Buildable."""
        return inputs_of(self.entries)

    def build(self, context: BuildContext) -> Built:
        """See Buildable."""
        return put(self.entries, context)

    def _files(self) -> dict[str, FileData]:
        return {one.path: one.what for one in self.entries if isinstance(one.what, FileData)}

    def _content(self, path: str, data: FileData) -> FileContent:
        return FileContent(self.session, data.content, posixpath.basename(relative(path)), executable=data.executable)


def relative(path: str, *, directory: bool = False) -> str:
    """A path inside a manifest, normalised; ``.`` for the whole is only a directory. Raises Fault when it leads out."""
    clean = posixpath.normpath(path)
    if not path or "\0" in path or clean == ".." or clean.startswith(("/", "../")):
        raise Fault(f"{path!r} is not below the manifest's directory", "Write a relative path without '..'.")
    if clean == "." and not directory:
        raise Fault(f"{path!r} names a directory, and a file is needed")
    return clean


def _file(session: Session, path: str) -> Path:
    """A file that a program names. Raises Fault when it is none."""
    place = session.absolute(path) if path and "\0" not in path else Path()
    if not place.is_file():
        problem = "it is a directory" if place.is_dir() else "there is no such file"
        remedy = "Use glob() for what is in a directory." if place.is_dir() else "Paths are relative to the configuration."
        raise Fault(f"{path}: {problem}", remedy)
    return place


def _read(place: Path) -> bytes:
    if place.stat().st_size > MOST_BYTES:
        raise Fault(f"{place} is larger than {MOST_BYTES:,} bytes", "Leave force_read out: the file is then copied.")
    return place.read_bytes()


def _is_executable(place: Path) -> bool:
    return bool(place.stat().st_mode & _EXECUTABLE)


def _stripped(session: Session, place: Path, prefix: str | None) -> str:
    """The path of a file in a manifest: without the prefix, or relative to the configuration. Raises Fault."""
    start = session.directory if prefix is None else session.absolute(prefix)
    whole = os.path.normpath(place)
    stem = os.path.normpath(start)
    # A prefix is text, as in "build/lib-": what it ends in need not be a whole directory.
    if not whole.startswith(stem):
        if prefix is None:
            raise Fault(f"{place} is not below the configuration's directory", "Give strip_prefix.")
        raise Fault(f"{place} does not begin with the prefix {prefix}", "strip_prefix is a directory above the file.")
    return relative(whole[len(stem) :].lstrip("/"))


def _glob(session: Session, include: Sequence[str], exclude: Sequence[str], strip_prefix: str | None) -> FileManifest:
    found: dict[Path, None] = {}
    for pattern in include:
        matched = list(_matches(session, pattern))
        if not matched:
            session.note(f"glob: {pattern} matches no file")
        found |= dict.fromkeys(matched)
    for pattern in exclude:
        for place in _matches(session, pattern):
            found.pop(place, None)
    manifest = FileManifest(session)
    for place in found:
        manifest.entries.append(Entry(_stripped(session, place, strip_prefix), FileData(place, _is_executable(place))))
    return manifest


def _matches(session: Session, pattern: str) -> Iterator[Path]:
    """The files that a pattern matches, sorted. Raises Fault when they are too many."""
    if not pattern or "\0" in pattern:
        raise Fault(f"{pattern!r} is no pattern")
    found = []
    paths = globbing.iglob(pattern, root_dir=session.directory, recursive=True, include_hidden=True)  # noqa: PTH207 - root_dir
    for count, path in enumerate(paths):
        if count > MOST_FILES:
            raise Fault(f"{pattern} matches more than {MOST_FILES:,} paths", "Do symbolic links go in circles?")
        place = session.directory / path
        if place.is_file():
            found.append(place)
    yield from sorted(found)
