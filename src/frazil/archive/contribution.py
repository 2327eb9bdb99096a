"""What one archive gives to a build: resources at their places, native modules whose objects fit, and what to build again.

Files that a distribution's ``RECORD`` lists stand in ``site-packages``, all others where the application stands, so that the
application's own files win path by path.
"""

from __future__ import annotations

import csv
import io
import platform
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from frazil.archive.machine import machine_of
from frazil.archive.metadata import Recipe
from frazil.archive.paths import DATA, DIST_INFO, LIBRARY, PYTHON, SOURCE, project_of
from frazil.errors import HostError, SourceError
from frazil.native.record import BuildKey, NativeModule, NativeObject, fits
from frazil.native.source import NativeSource
from frazil.resources.kinds import BytecodeModule, DataFile, ExtensionModule, NativeLibrary
from frazil.resources.scan import Classifier
from frazil.toolchain import find_compiler

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from frazil.archive.content import Archive
    from frazil.archive.metadata import ModuleFacts
    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.resources.kinds import Content, Resource

PLATFORM: Final = "x86_64-linux-gnu"
"""What frazil builds for."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What goes into a plan."""

    resources: tuple[Resource, ...] = ()
    static_modules: tuple[NativeModule, ...] = ()
    extra_paths: tuple[str, ...] = ()
    rebuilds: tuple[Rebuild, ...] = ()
    """Native modules whose objects cannot serve, and whose sources the archive has."""
    sdist_rebuilds: tuple[SdistRebuild, ...] = ()
    """The same for modules whose source distribution the archive has."""
    misfits: tuple[Misfit, ...] = ()
    """All modules whose objects cannot serve, and what became of them."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A native module that has to be compiled, and then stands in ``directory`` and belongs to ``owner``."""

    source: NativeSource
    directory: str
    owner: str


@dataclass(frozen=True, slots=True)
class SdistRebuild:
    """A source distribution that has to be built again, for the sake of ``modules``."""

    project: str
    sdist: Path
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A native module whose objects do not fit this build, and why, field by field."""

    module: str
    reasons: tuple[str, ...]
    instead: str
    """What is used in their place, as a phrase."""

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.module}: {self.instead}, since its objects do not fit: {'; '.join(self.reasons)}"


def wanted_key(distribution: PythonDistribution, cache: ContentCache) -> BuildKey:
    """What objects must fit to be used here: flags and optimisation do not change how they are called."""
    try:
        compiler = find_compiler(cache).name
    except HostError:
        compiler = ""  # then nothing can be linked, which the builder tells
    glibc = platform.libc_ver()[1]
    return BuildKey(distribution.soabi, distribution.full_version, PLATFORM, compiler, glibc=glibc)


class Contributing:
    """Makes a contribution; ``run`` is its one step."""

    def __init__(
        self,
        archive: Archive,
        distribution: PythonDistribution,
        prefix: str,
        cache: ContentCache,
        *,
        without: AbstractSet[str],
        library_directories: tuple[Path, ...],
    ) -> None:
        self._archive = archive
        self._distribution = distribution
        self._prefix = prefix
        self._cache = cache
        self._wanted: BuildKey | None = None
        self._without = without
        self._library_directories = library_directories
        self._site = f"lib/python{distribution.short_version}/site-packages"
        self._classifier = Classifier(tuple(sorted(distribution.extension_suffixes, key=len, reverse=True)))
        self._owners = _owners(archive)
        self._application = canonicalize_name(archive.metadata.app_name) or "archive"
        self._resources: list[Resource] = []
        self._static: list[NativeModule] = []
        self._rebuilds: list[Rebuild] = []
        self._sdists: dict[tuple[str, Path], list[str]] = {}
        self._misfits: list[Misfit] = []
        self._unusable: list[str] = []

    def run(self) -> Contribution:
        """Everything."""
        of_modules = {path for facts in self._archive.metadata.modules.values() for path in (facts.shared, facts.bytecode)}
        for path in self._archive.below(PYTHON):
            if path not in of_modules:
                self._add_file(path[len(PYTHON) :], path)
        for path in self._archive.below(DIST_INFO):
            if project_of(path) not in self._without:
                owner = self._owner(path[len(DIST_INFO) :]) or self._application
                self._add(DataFile(self._content(path), f"{self._site}/{path[len(DIST_INFO) :]}", owner), path)
        for path in self._archive.below(DATA):
            relative = path[len(DATA) :]
            owner = self._owners.get(f"../../../{relative}", self._application)
            if owner not in self._without:
                self._add(DataFile(self._content(path), relative, owner), path)
        for path in self._archive.below(LIBRARY):
            self._add_library(path)
        for name, facts in sorted(self._archive.metadata.modules.items()):
            self._add_module(name, facts)
        if self._unusable:
            raise SourceError(
                "native modules of the archives cannot be used in this build",
                where=self._archive.name,
                details="\n".join(f"  {line}" for line in self._unusable),
                remedy="Build with the Python that they were built for, or get an archive that holds their sources.",
            )
        paths = tuple(f"{self._site}/{path}" for path in self._archive.metadata.paths)
        sdists = tuple(SdistRebuild(project, place, tuple(names)) for (project, place), names in self._sdists.items())
        return Contribution(
            tuple(self._resources), tuple(self._static), paths, tuple(self._rebuilds), sdists, tuple(self._misfits)
        )

    def _content(self, path: str) -> Content:
        return self._archive.files[path]

    def _add(self, resource: Resource, path: str) -> None:
        if isinstance(resource, DataFile):
            resource = replace(resource, executable=self._archive.metadata.files[path].executable)
        self._resources.append(resource)

    def _owner(self, relative: str) -> str | None:
        """The distribution that lists a file, by its path relative to ``site-packages``."""
        return self._owners.get(relative)

    def _place(self, relative: str) -> tuple[str, str] | None:
        """The directory and owner of a file below ``python/``; None for one of a distribution that is left out."""
        owner = self._owner(relative)
        if owner in self._without:
            return None
        return (self._prefix, self._application) if owner is None else (self._site, owner)

    def _add_file(self, relative: str, path: str) -> None:
        place, content = self._place(relative), self._content(path)
        if place is not None and isinstance(content, Path):
            self._add(self._classifier.resource(content, relative, *place), path)

    def _add_library(self, path: str) -> None:
        directory, _, filename = path[len(LIBRARY) :].rpartition("/")
        content = self._content(path)
        shared = directory in {"", PLATFORM} and ".so" in filename and isinstance(content, Path)
        if shared and PLATFORM.startswith(machine_of(content) or "?"):
            self._resources.append(NativeLibrary(content, f"lib/{filename}", self._application))

    def _add_module(self, name: str, facts: ModuleFacts) -> None:
        relative = name.replace(".", "/") + ("/__init__" if facts.package else "")
        if facts.bytecode and not facts.source:
            self._add_bytecode(name, facts, relative)
        if facts.native:
            place = self._place(facts.shared[len(PYTHON) :]) if facts.shared else self._place_of(name, facts, relative)
            if place is not None:
                self._add_native(name, facts, *place)

    def _add_native(self, name: str, facts: ModuleFacts, base: str, owner: str) -> None:
        """Take the objects of a module where they fit; else its native sources, its shared object, or its Python source."""
        directory = posixpath.join(base, name.rpartition(".")[0].replace(".", "/")).rstrip("/")
        reasons = ["it has no objects"]
        if facts.objects and facts.key is not None:
            self._wanted = self._wanted or wanted_key(self._distribution, self._cache)
            reasons = fits(facts.key, self._wanted)
            if not reasons:
                self._static.append(self._native(name, facts, directory, owner))
                return
        if facts.native_sources:
            self._rebuilds.append(Rebuild(self._source(name, facts), directory, owner))
            self._misfits.append(Misfit(name, tuple(reasons), "built from its source"))
        elif facts.objects and facts.sdist and isinstance(sdist := self._content(facts.sdist), Path):
            self._sdists.setdefault((owner, sdist), []).append(name)
            self._misfits.append(Misfit(name, tuple(reasons), f"built from {sdist.name}"))
        elif facts.shared and self._shared_fits(facts.shared):
            path = posixpath.join(base, facts.shared[len(PYTHON) :])
            self._resources.append(ExtensionModule(name, facts.package, self._content(facts.shared), path, directory, owner))
            if facts.objects:
                self._misfits.append(Misfit(name, tuple(reasons), "its shared object is used"))
        else:
            if facts.shared:
                reasons.append(f"{posixpath.basename(facts.shared)} is for another Python")
            if facts.source:
                self._misfits.append(Misfit(name, tuple(reasons), "its Python source is used"))
            else:
                self._unusable.append(f"{name}: {'; '.join(reasons)}")

    def _place_of(self, name: str, facts: ModuleFacts, relative: str) -> tuple[str, str] | None:
        """Where a native module stands that has no shared object: with its source, or with what is beside it."""
        if facts.source:
            return self._place(facts.source[len(PYTHON) :])
        package = name.rpartition(".")[0]
        held = self._archive.metadata.modules.get(package)
        for suffix in self._distribution.extension_suffixes:
            if f"{relative}{suffix}" in self._owners:
                return self._place(f"{relative}{suffix}")
        return self._place(held.source[len(PYTHON) :]) if held is not None and held.source else self._place(f"{relative}.so")

    def _shared_fits(self, path: str) -> bool:
        return any(path.endswith(suffix) for suffix in self._distribution.extension_suffixes if suffix != ".so") or (
            path.rpartition("/")[2].count(".") == 1
        )

    def _source(self, name: str, facts: ModuleFacts) -> NativeSource:
        """How a module is compiled from what the archive holds; all its files are of one archive, so of one directory."""
        sources = [one for path in facts.native_sources if isinstance(one := self._content(path), Path)]
        base = Path(str(sources[0]).removesuffix(facts.native_sources[0])) / SOURCE / name
        recipe = facts.recipe or Recipe()
        return NativeSource(
            module=name,
            sources=tuple(sources),
            include_directories=tuple(base / one for one in recipe.include_dirs),
            define=recipe.define,
            libraries=facts.libraries,
            flags=recipe.flags,
            package=facts.package,
            base=base,
            cxx=facts.language == "c++",
        )

    def _native(self, name: str, facts: ModuleFacts, directory: str, owner: str) -> NativeModule:
        objects = []
        for path in facts.objects:
            content = self._content(path)
            assert isinstance(content, Path)  # noqa: S101 - what was read from a directory has files
            objects.append(NativeObject(content, posixpath.basename(path), self._archive.metadata.files[path].sha256))
        assert facts.key is not None  # noqa: S101 - the reader refuses objects without one
        return NativeModule(
            name=name,
            init_symbol=facts.init_symbol,
            package=facts.package,
            objects=tuple(objects),
            libraries=facts.libraries,
            language="c++" if facts.language == "c++" else "c",
            key=facts.key,
            sources=tuple(one for path in facts.native_sources if isinstance(one := self._content(path), Path)),
            library_directories=self._library_directories,
            directory=directory,
            owner=owner,
        )

    def _add_bytecode(self, name: str, facts: ModuleFacts, relative: str) -> None:
        place = self._place(f"{relative}.py")
        content = self._content(facts.bytecode)
        if place is None or not isinstance(content, Path):
            return
        with content.open("rb") as file:
            magic = file.read(len(self._distribution.magic))
        if magic != self._distribution.magic:
            file_name = posixpath.basename(facts.bytecode)
            short = self._distribution.cache_tag
            self._unusable.append(f"{name}: {file_name} is for another Python, this is {short}, and there is no source")
            return
        path = posixpath.join(place[0], f"{relative}.pyc")
        directory = posixpath.dirname(posixpath.dirname(path) if facts.package else path)
        self._resources.append(BytecodeModule(name, facts.package, content, path, directory, place[1]))


def _owners(archive: Archive) -> dict[str, str]:
    """The distribution that lists each file, by path relative to ``site-packages``."""
    found: dict[str, str] = {}
    for path in archive.below(DIST_INFO):
        project = project_of(path)
        if project is None:
            continue
        found.setdefault(path[len(DIST_INFO) :], project)
        if path.endswith(".dist-info/RECORD"):
            for relative in _recorded(archive.files[path]):
                found.setdefault(relative, project)
    return found


def _recorded(record: Content) -> Iterable[str]:
    data = record if isinstance(record, bytes) else record.read_bytes()
    try:
        return [row[0] for row in csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")) if row]
    except csv.Error:
        return []
