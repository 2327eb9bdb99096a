"""What stands beside an executable, and how it is found there (``docs/spec/launcher.md``, "Beside the executable"; ADR 12).

``divide`` decides for every resource; ``write_files`` writes. A library stands where what needs it stands: ``dlopen`` of the
ordinary loader knows nothing of the image, so whatever a file needs is a file beside it, or is loaded from the image before it.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.pack import BOOT_MODULES, outside_entries, search_path
from frazil.cache import replace_file
from frazil.errors import OutputError, UsageError
from frazil.plan import EntryKind
from frazil.resources.collection import Collection
from frazil.resources.kinds import (
    APPLICATION,
    RUNTIME,
    DataFile,
    ExtensionModule,
    NativeLibrary,
    SourceModule,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    import icecube
    from frazil.builder.bytecode import Compiled
    from frazil.builder.native import NativeClosure
    from frazil.plan import Plan
    from frazil.resources.kinds import Module, Resource

TABLE: Final = "frazil_runtime/beside.txt"
"""The list of what is split, below the standard library's directory."""
_ORIGIN: Final = "$ORIGIN"
_MOUNT: Final = "/memfs:/"
_EARLY: Final = frozenset({name.partition(".")[0] for name in BOOT_MODULES})
"""Packages and modules that are needed before anything can be imported from a file."""
_ALWAYS_INSIDE: Final = frozenset({"lib/libgcc_s.so.1"})
"""glibc itself loads it, wherever it is."""


@dataclass(frozen=True, slots=True)
class Division:
    """What is in memory and what is not."""

    inside: Collection
    outside: Mapping[str, Resource] = field(default_factory=dict)
    """Resources by their paths relative to the executable's directory."""
    path: tuple[str, ...] = ()
    """``sys.path``, as setting ``path`` has it."""
    standard_library: str | None = None
    """Setting ``stdlib``."""
    table: str | None = None
    """Setting ``beside``."""
    warnings: tuple[str, ...] = ()

    def settings(self) -> dict[str, str]:
        """The settings that say where to look."""
        optional = {"stdlib": self.standard_library, "beside": self.table}
        return {"path": ":".join(self.path), **{name: value for name, value in optional.items() if value is not None}}


def require_memory_for_warm_starts(plan: Plan) -> None:
    """Raise UsageError for a plan with a snapshot and something beside the executable."""
    if plan.warm is not None and not plan.locations.all_in_memory:
        problem = "a warm start needs everything in memory, and something of this is to stand beside the executable"
        raise UsageError(problem, where=plan.name, remedy="Leave the warm start out, or every location in-memory.")


def divide(plan: Plan, collection: Collection, closure: NativeClosure, bound: Container[str]) -> Division:
    """Part a collection that is closed over its libraries. What has a path in ``bound`` stays in memory."""
    if plan.locations.all_in_memory:
        return Division(collection, path=(*search_path(plan), *plan.outside_paths))
    places = _Places(plan, collection, closure, bound)
    inside = Collection()
    outside: dict[str, Resource] = {}
    warnings = []
    for one in sorted(collection, key=_precedence):
        place = places.of(one.path)
        if place is None:
            inside.add(one)
        elif outside.setdefault(place, one) is not one:
            warnings.append(f"{one.path}: left out: {outside[place].path} stands at {place} already")
    library = f"lib/python{plan.distribution.short_version}"
    lines = sorted((*places.splits(), *places.needs()))
    table = f"{library}/{TABLE}"
    inside.add(DataFile("".join(f"{line}\n" for line in lines).encode(), table, RUNTIME))
    standard = plan.locations.standard.prefix
    return Division(
        inside,
        outside,
        path=tuple(dict.fromkeys((*places.search_path(inside, outside), *plan.outside_paths))),
        standard_library=None if standard is None else _origin(standard, library.removeprefix("lib/")),
        table=table,
        warnings=tuple(warnings),
    )


def _precedence(one: Resource) -> tuple[int, str]:
    return (0 if one.owner == APPLICATION else 1, one.path)


def _origin(*parts: str) -> str:
    """A path relative to the executable as the settings write it."""
    inner = posixpath.normpath(posixpath.join(*parts))
    return _ORIGIN if inner == "." else f"{_ORIGIN}/{inner}"


class _Places:
    """Where each resource of one collection stands."""

    def __init__(self, plan: Plan, collection: Collection, closure: NativeClosure, bound: Container[str]) -> None:
        self._plan = plan
        self._collection = collection
        self._edges = closure.edges
        self._library = f"lib/python{plan.distribution.short_version}"
        self._prefixes = {one.path: self._prefix(one, bound) for one in collection}
        self._follow(bound)

    def of(self, path: str) -> str | None:
        """The path relative to the executable; None for what is in memory."""
        prefix = self._prefixes[path]
        return None if prefix is None else self._below(prefix, path)

    def _prefix(self, one: Resource, bound: Container[str]) -> str | None:
        scripts = {entry.target for entry in self._plan.entries if entry.kind in {EntryKind.SCRIPT, EntryKind.COMMAND}}
        if one.owner == RUNTIME or one.path in bound or one.path in _ALWAYS_INSIDE or one.path in scripts:
            return None
        if one.path.startswith("bin/") and isinstance(one, SourceModule):
            return None
        if self._is_early(one.path):
            return None
        return self._plan.locations.of(one.path).prefix

    def _is_early(self, path: str) -> bool:
        inner = path.removeprefix(f"{self._library}/")
        return inner != path and inner.partition("/")[0].partition(".")[0] in _EARLY

    def _below(self, prefix: str, path: str) -> str:
        """The layout of the specification."""
        for root in (f"{self._library}/site-packages", self._plan.application):
            if root and path.startswith(f"{root}/"):
                return posixpath.normpath(posixpath.join(prefix, path.removeprefix(f"{root}/")))
        inner = path.removeprefix("lib/") if path.startswith((f"{self._library}/", "lib/")) else path
        return posixpath.normpath(posixpath.join(prefix, inner))

    def _follow(self, bound: Container[str]) -> None:
        """Put libraries where what needs them is: into memory if anything there does, else beside the first of the files."""
        libraries = [one.path for one in self._collection if isinstance(one, NativeLibrary)]
        needed = {edge.path for edges in self._edges.values() for edge in edges}
        within = self._reach(one.path for one in self._collection if not self._waits(one, needed) and self._is_inside(one.path))
        for path in libraries:
            if path in within:
                self._prefixes[path] = None
        for one in self._collection:
            prefix = self._prefixes[one.path]
            if prefix is not None and not self._waits(one, needed):
                for path in self._reach([one.path]) - within:
                    if path in self._prefixes and path not in bound and path not in _ALWAYS_INSIDE:
                        self._prefixes[path] = prefix

    @staticmethod
    def _waits(one: Resource, needed: Container[str]) -> bool:
        """Whether a resource has its place from others."""
        return isinstance(one, NativeLibrary) and one.path in needed

    def _is_inside(self, path: str) -> bool:
        return self._prefixes[path] is None

    def _reach(self, paths: Iterable[str]) -> set[str]:
        """All libraries that those at ``paths`` need, and these need, and so on."""
        reached: set[str] = set()
        waiting = list(paths)
        while waiting:
            for edge in self._edges.get(waiting.pop(), ()):
                if edge.path not in reached:
                    reached.add(edge.path)
                    waiting.append(edge.path)
        return reached

    def search_path(self, inside: Collection, outside: Mapping[str, Resource]) -> Iterator[str]:
        """The entries below the mount that something stands in, and those beside the executable."""
        for entry in search_path(self._plan):
            if entry == self._library or any(_is_below(one.path, entry) for one in inside):
                yield entry
        prefixes = sorted({prefix for prefix in self._prefixes.values() if prefix is not None})
        version = self._library.removeprefix("lib/")
        more = [entry.removeprefix(f"{self._library}/site-packages/") for entry in self._plan.extra_paths]
        for prefix in prefixes:
            for inner in (version, f"{version}/lib-dynload", ".", *more):
                directory = posixpath.normpath(posixpath.join(prefix, inner))
                if any(_is_below(place, "" if directory == "." else directory) for place in outside):
                    yield _origin(directory)

    def _modules(self) -> Iterator[tuple[Module, str]]:
        """Modules with the directory that an import would look for them in."""
        for one in self._collection.modules():
            place = self.of(one.path)
            if place is None:
                yield one, _MOUNT + one.directory
            else:
                file = posixpath.dirname(place) if one.package else place
                yield one, _origin(posixpath.dirname(file) or ".")

    def splits(self) -> Iterator[str]:
        """A line for each package that has submodules in other places than its own."""
        packages: dict[str, set[str]] = {}
        found: dict[str, set[str]] = {}
        for one, directory in self._modules():
            if one.package:
                packages.setdefault(one.name, set()).add(posixpath.join(directory, one.name.rpartition(".")[2]))
            above = one.name.rpartition(".")[0]
            if above:
                found.setdefault(above, set()).add(directory)
        for name, directories in found.items():
            if name in packages and directories - packages[name]:
                yield "\t".join(("split", name, *sorted(directories - packages[name])))

    def needs(self) -> Iterator[str]:
        """A line for each extension module beside the executable that needs what the ordinary loader would not find."""
        for one in self._collection:
            if isinstance(one, ExtensionModule) and self.of(one.path) is not None:
                order: dict[str, None] = {}
                self._order(one.path, order, set())
                if order:
                    yield "\t".join(("needs", one.name, *map(self._loaded, order)))

    def _order(self, path: str, order: dict[str, None], seen: set[str]) -> None:
        """What the object at ``path`` needs, each library behind those that it needs itself."""
        for edge in self._edges.get(path, ()):
            if edge.path in seen:
                continue
            seen.add(edge.path)
            self._order(edge.path, order, seen)
            if not edge.by_origin or self.of(edge.path) is None:
                order[edge.path] = None

    def _loaded(self, path: str) -> str:
        place = self.of(path)
        return _MOUNT + path if place is None else _origin(place)


def _is_below(path: str, directory: str) -> bool:
    return not directory or path.startswith(f"{directory}/")


@dataclass(frozen=True, slots=True)
class Files:
    """Files to write beside an executable."""

    entries: tuple[icecube.Entry, ...]
    """Paths are relative to the executable's directory."""
    sizes: Mapping[str, int]
    """Bytes by owner."""


def files_of(plan: Plan, division: Division, compiled: Mapping[str, Compiled], mtime_ns: int, output: Path) -> Files:
    """The content of what stands beside ``output``. Raises SourceError; OutputError for what would replace its own source."""
    resources = []
    made = {}
    for place, one in division.outside.items():
        content = getattr(one, "content", None)
        target = output.parent / place
        if isinstance(content, Path) and target.exists() and target.samefile(content):
            problem = "the output would stand in the place of a file that it is made of"
            raise OutputError(problem, where=target, remedy="Build into another directory, or use another prefix.")
        resources.append(replace(one, path=place))
        if one.path in compiled:
            made[place] = compiled[one.path]
    entries, sizes = outside_entries(plan, resources, made, mtime_ns)
    return Files(entries, sizes)


def write_files(files: Files, directory: Path) -> tuple[Path, ...]:
    """Write the files below ``directory``, each whole or not at all; their relative paths. Raises OutputError."""
    written = []
    for entry in files.entries:
        place = directory / entry.path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if entry.link:
                place.unlink(missing_ok=True)
                place.symlink_to(os.fsdecode(bytes(entry.data)))
            else:
                replace_file(place, entry.data, entry.permissions)
                os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns))
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            raise OutputError(problem, where=place, remedy="Name another place for the executable.") from error
        written.append(Path(entry.path))
    return tuple(written)
