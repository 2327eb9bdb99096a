"""Closes a collection over shared libraries: what its native code needs of the system goes in, what glibc provides stays out.

The search is that of ld.so (ld.so(8)), with two changes: the collection itself is searched first, as the launcher will at run
time, and the environment has no say. What was read from a file is remembered in one cache file, by path, size and time.
"""

from __future__ import annotations

import functools
import json
import os
import posixpath
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder import elf
from frazil.builder.host import GlibcFloor
from frazil.builder.shared_objects import PROVIDED_BY_GLIBC, Facts, SharedObjectError, facts_of, read_facts
from frazil.cache import digest
from frazil.errors import DependencyError, FrazilError, SourceError
from frazil.resources.kinds import APPLICATION, SYSTEM, ExtensionModule, NativeLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.resources.collection import Collection

_LIBRARIES: Final = "lib"
_FACTS_KIND: Final = "shared-objects"
_FACTS_KEY: Final = digest("1", *(name for name in Facts.__dataclass_fields__))
# glibc itself loads it, by this name, for pthread_exit and pthread_cancel, and aborts where it is not installed.
_ALWAYS: Final = ("libgcc_s.so.1",)
_MAX_REMEMBERED: Final = 20_000
_DEFAULT_DIRECTORIES: Final = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
_CONFIGURATION: Final = Path("/etc/ld.so.conf")
_MAX_INCLUDES: Final = 16
# libpython is in the program (static), or among the launcher's resources: another one must never be added.
_LIBPYTHON: Final = re.compile(r"libpython3(?:\.\d+t?)?\.so")
_ORIGIN: Final = re.compile(r"\$(?:ORIGIN\b|\{ORIGIN\})")


@dataclass(frozen=True, slots=True)
class Edge:
    """One object needs the library at ``path``; ``by_origin``: it says where, relative to itself."""

    path: str
    by_origin: bool = False


@dataclass(frozen=True, slots=True)
class NativeClosure:
    """What a collection's native code needs beside itself."""

    libraries: tuple[NativeLibrary, ...]
    """Libraries of the build machine, to be added to the collection."""
    missing: tuple[tuple[str, str], ...]
    """Libraries that were found nowhere: the name that is needed, and the path of what needs it."""
    floor: GlibcFloor
    edges: Mapping[str, tuple[Edge, ...]]
    """What each object needs of the collection and of ``libraries``, by path."""
    warnings: tuple[str, ...] = ()
    """Sentences for people: missing libraries, and files for other machines."""


@dataclass(frozen=True, slots=True)
class _Object:
    """A shared object of the closure."""

    path: str
    """Below the mount."""
    facts: Facts
    file: Path | None
    """On the build machine; None for bytes."""
    inherited: tuple[Path, ...] = ()
    """``DT_RPATH`` directories of those that need it, which hold for it too."""


def find_libraries(
    collection: Collection, distribution: PythonDistribution, cache: ContentCache, launcher: Path | None = None
) -> NativeClosure:
    """The libraries that the extension modules and libraries of ``collection`` need, transitively.

    ``launcher`` is counted for the glibc floor. Raises SourceError or DependencyError for an extension module that is for
    another machine or damaged.
    """
    memory = _Memory(cache)
    search = _Search(collection, distribution, memory)
    if launcher is not None:
        search.floor = (memory.of_file(launcher).glibc, "the launcher")
    search.run()
    memory.save()
    missing = tuple(sorted(set(search.missing)))
    warnings = [f"{path} needs {name}, which was not found: importing it will fail" for name, path in missing]
    version, set_by = search.floor
    return NativeClosure(
        libraries=tuple(search.found[name] for name in sorted(search.found)),
        missing=missing,
        floor=GlibcFloor(".".join(map(str, version)), set_by),
        edges={path: tuple(edges) for path, edges in search.edges.items()},
        warnings=(*warnings, *search.warnings),
    )


@dataclass(slots=True)
class _Search:
    collection: Collection
    distribution: PythonDistribution
    memory: _Memory
    found: dict[str, NativeLibrary] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    floor: tuple[tuple[int, int], str] = ((0, 0), "")
    edges: dict[str, list[Edge]] = field(default_factory=dict)
    by_name: dict[str, str] = field(default_factory=dict)
    """Paths of the collection's objects by SONAME and file name."""

    def run(self) -> None:
        objects = list(self._own_objects())
        for one in objects:
            self.by_name.setdefault(one.facts.soname or posixpath.basename(one.path), one.path)
            self.by_name.setdefault(posixpath.basename(one.path), one.path)
        for name in _ALWAYS:
            added = self._system_library(name, self._system(), ())
            if added is not None:
                objects.append(added)
        while objects:
            one = objects.pop(0)
            if one.facts.glibc > self.floor[0]:
                self.floor = (one.facts.glibc, one.path)
            for name in one.facts.needed:
                added = self._resolve(name, one)
                if added is not None:
                    objects.append(added)

    def _own_objects(self) -> Iterator[_Object]:
        for resource in self.collection:
            if not isinstance(resource, ExtensionModule | NativeLibrary):
                continue
            file = resource.content if isinstance(resource.content, Path) else None
            try:
                facts = self.memory.of_content(resource.content)
            except OSError as error:
                raise _fault(resource, f"cannot be read: {error.strerror}") from error
            except SharedObjectError as error:
                if isinstance(resource, ExtensionModule):
                    raise _fault(resource, str(error)) from error
                self.warnings.append(f"{resource.path} {error}: it cannot be loaded")
                continue
            if not facts.foreign:
                yield _Object(resource.path, facts, file)
            elif isinstance(resource, ExtensionModule):
                raise _fault(resource, _foreign(facts))
            # Packages carry libraries for several machines and load the right one; text files are linker scripts.
            elif facts.machine != elf.NO_ELF:
                self.warnings.append(f"{resource.path} {_foreign(facts)}: it cannot be loaded")

    def _resolve(self, name: str, needer: _Object) -> _Object | None:
        """See to it that ``name`` is there at run time; the object to add for that, if one is needed."""
        if PROVIDED_BY_GLIBC.match(name) or _LIBPYTHON.match(name):
            return None
        if "/" in name:  # a path: taken as it is, at run time too
            return None
        edges = self.edges.setdefault(needer.path, [])
        own_place = f"{_LIBRARIES}/{name}"
        by_origin = self._in_collection(name, needer)
        if name in self.found or own_place in self.collection:
            edges.append(Edge(own_place))
            return None
        if by_origin is not None:
            edges.append(Edge(by_origin, by_origin=True))
            return None
        rpath = () if needer.facts.runpath else needer.facts.rpath
        own = self._directories(rpath, needer)
        directories = (*own, *needer.inherited, *self._directories(needer.facts.runpath, needer), *self._system())
        added = self._system_library(name, directories, (*own, *needer.inherited))
        # A package may load its libraries itself, in the right order; then the name is known when it is needed.
        if added is not None:
            edges.append(Edge(added.path))
        elif name in self.by_name:
            edges.append(Edge(self.by_name[name]))
        else:
            self.missing.append((name, needer.path))
        return added

    def _system_library(self, name: str, directories: Iterable[Path], inherited: tuple[Path, ...]) -> _Object | None:
        path = f"{_LIBRARIES}/{name}"
        for directory in directories if path not in self.collection else ():
            facts = self._usable(directory / name)
            if facts is not None:
                self.found[name] = NativeLibrary(directory / name, path, SYSTEM)
                return _Object(path, facts, directory / name, inherited)
        return None

    def _in_collection(self, name: str, needer: _Object) -> str | None:
        """The path of the library in the collection that the needer's run path leads to."""
        origin = posixpath.dirname(needer.path)
        for entry in (*needer.facts.rpath, *needer.facts.runpath):
            if not _ORIGIN.match(entry):
                continue
            place = posixpath.normpath(posixpath.join(origin, _ORIGIN.sub(".", entry), name))
            if place in self.collection:
                return place
        return None

    def _directories(self, entries: Iterable[str], needer: _Object) -> tuple[Path, ...]:
        """Run path entries as directories of the build machine."""
        origin = "" if needer.file is None else os.fspath(needer.file.resolve().parent)
        places = [_ORIGIN.sub(lambda _: origin, entry) for entry in entries]
        return tuple(Path(one) for one in places if one.startswith("/") and "$" not in one)

    def _system(self) -> tuple[Path, ...]:
        return (*self.distribution.library_directories, *system_directories())

    def _usable(self, path: Path) -> Facts | None:
        """The facts of a library that ld.so would take; it passes over files for other machines."""
        try:
            facts = self.memory.of_file(path)
        except (OSError, SharedObjectError):
            return None
        return None if facts.foreign else facts


def _foreign(facts: Facts) -> str:
    return "is no ELF file" if facts.machine == elf.NO_ELF else f"is for {facts.machine}, not for x86-64"


def _fault(resource: ExtensionModule | NativeLibrary, problem: str) -> FrazilError:
    where = resource.content if isinstance(resource.content, Path) else resource.path
    kind = "this extension module" if isinstance(resource, ExtensionModule) else "this library"
    if resource.owner == APPLICATION:
        return SourceError(
            f"{kind} {problem}", where=where, remedy="Build it for this machine, or leave it out with --exclude."
        )
    remedy = f"Install {resource.owner} for this machine."
    return DependencyError(f"{kind} of {resource.owner} {problem}", where=where, remedy=remedy)


class _Memory:
    """Facts by path, size and modification time; by digest for bytes."""

    def __init__(self, cache: ContentCache) -> None:
        self._cache = cache
        self._stored = _decode(cache.read(_FACTS_KIND, _FACTS_KEY))
        self._used: dict[str, Facts] = {}

    def of_content(self, content: Path | bytes) -> Facts:
        """The facts of a resource. Raises OSError, SharedObjectError."""
        if isinstance(content, Path):
            return self.of_file(content)
        return self._remember(digest(content), lambda: read_facts(content))

    def of_file(self, path: Path) -> Facts:
        """The facts of a file. Raises OSError, SharedObjectError."""
        status = os.stat(path)  # noqa: PTH116 -- called for each candidate of each library
        return self._remember(f"{path}:{status.st_size}:{status.st_mtime_ns}", lambda: facts_of(path))

    def _remember(self, key: str, read: Callable[[], Facts]) -> Facts:
        facts = self._used.get(key) or self._stored.get(key)
        if facts is None:
            facts = read()
        self._used[key] = facts
        return facts

    def save(self) -> None:
        """Keep what was read, for later builds."""
        if all(key in self._stored for key in self._used):
            return
        old = {key: facts for key, facts in self._stored.items() if key not in self._used}
        room = max(0, _MAX_REMEMBERED - len(self._used))
        kept = dict(list(old.items())[max(0, len(old) - room) :]) | self._used
        encoded = json.dumps({key: asdict(facts) for key, facts in kept.items()}).encode()
        self._cache.write(_FACTS_KIND, _FACTS_KEY, encoded)


def _decode(data: bytes | None) -> dict[str, Facts]:
    if data is None:
        return {}
    try:
        stored: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(data)
        return {key: _facts(value) for key, value in stored.items()}
    except (ValueError, TypeError, AttributeError, KeyError):
        return {}  # a damaged entry is made again


def _facts(value: Mapping[str, Sequence[str]]) -> Facts:
    major, minor = value["glibc"]
    return Facts(
        needed=tuple(value["needed"]),
        soname=str(value["soname"]),
        rpath=tuple(value["rpath"]),
        runpath=tuple(value["runpath"]),
        glibc=(int(major), int(minor)),
        machine=str(value["machine"]),
    )


@functools.cache
def system_directories() -> tuple[Path, ...]:
    """Where ld.so looks for libraries: what ``/etc/ld.so.conf`` names, then the directories that are built in."""
    named = _configured(_CONFIGURATION, _MAX_INCLUDES)
    return tuple(dict.fromkeys(Path(one) for one in (*named, *_DEFAULT_DIRECTORIES) if Path(one).is_dir()))


def _configured(path: Path, depth: int) -> list[str]:
    try:
        text = path.read_text(errors="surrogateescape")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        word, _, rest = line.partition("#")[0].strip().partition(" ")
        if word == "include" and depth:
            pattern = rest.strip()
            base = Path("/") if pattern.startswith("/") else path.parent
            for one in sorted(base.glob(pattern.lstrip("/"))):
                found += _configured(one, depth - 1)
        elif word.startswith("/"):
            found.append(word.partition("=")[0])
    return found
