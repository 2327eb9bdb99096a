"""The last step of every front-end for ordinary sources: application and third-party code become a plan."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from frazil.archive.use import Archives, open_archives
from frazil.config import pmm
from frazil.config.archived import combine
from frazil.config.data_files import data_files
from frazil.config.exclusion import Exclusion
from frazil.config.install import FromSource, environment, objects_of
from frazil.config.modules import ModuleSearch, Use, classifier_of
from frazil.config.native import compile_native, compile_rebuilds
from frazil.config.parsing import Parser
from frazil.config.requirements import marker_environment, parsed
from frazil.config.source_distribution import rebuilt, source_distribution
from frazil.config.third_party import ThirdParty, needed, sees_system, site_packages, site_prefix, virtual_environment, whole
from frazil.distribution import TEST_MODULES
from frazil.errors import SourceError, UsageError
from frazil.native.capture import captured
from frazil.plan import APPLICATION_DIRECTORY, EntryKind, Plan
from frazil.resources.collection import Collection
from frazil.resources.kinds import ExtensionModule
from frazil.toolchain import find_compiler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement

    from frazil.archive.contribution import Rebuild, SdistRebuild
    from frazil.cache import ContentCache
    from frazil.config.options import SourceOptions
    from frazil.distribution import PythonDistribution
    from frazil.native.compile import CompiledModules
    from frazil.native.record import NativeModule
    from frazil.plan import EntryPoint
    from frazil.resources.installed import SitePackages
    from frazil.resources.kinds import Resource


@dataclass(slots=True)
class Draft:
    """A plan in the making."""

    options: SourceOptions
    distribution: PythonDistribution
    cache: ContentCache
    prefix: str = APPLICATION_DIRECTORY
    """Where the application stands below the mount; empty for the mount itself."""
    directories: tuple[str, ...] = ()
    resources: list[Resource] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    extra_paths: list[str] = field(default_factory=list)
    native: list[NativeModule] = field(default_factory=list)
    """Native modules of third-party code whose objects are there."""
    parser: Parser = field(init=False)
    excluded: Exclusion = field(init=False)
    archives: Archives = field(init=False)

    def __post_init__(self) -> None:
        if self.options.pmm is not None:
            self.options = replace(self.options, pmm=pmm.trusted(self.options.pmm))
        needed = (*self.options.requirements, *pmm.requirements(self.options.pmm))
        self.options = replace(self.options, requirements=tuple(dict.fromkeys(needed)))
        self.parser = Parser(self.distribution, self.cache)
        self.excluded = Exclusion(self.options.exclude)
        self.archives = open_archives(self.options.archives, self.options.directory, self.cache)

    def search(self, root: Path, *, data: bool = False) -> ModuleSearch:
        """A search for modules of the application below ``root``."""
        return ModuleSearch(root, self.parser, self.excluded, prefix=self.prefix, data=data)

    def add_application(self, search: ModuleSearch) -> dict[str, Use]:
        """Follow imports, ``--include`` among them, and add what is found; the modules wanted from elsewhere are returned."""
        unknown: list[str] = []
        for name in self.options.include:
            below = name.removesuffix(".*")
            if not all(map(str.isidentifier, below.split("."))):
                raise UsageError(f"{name!r} is no module name", where="--include", remedy="Write pkg.module, or pkg.*")
            if not (search.take_below(below) if name.endswith(".*") else search.take(below)):
                unknown.append(below)
        search.follow()
        wanted = dict(search.wanted)
        for name in unknown:
            wanted[name] = Use("--include", optional=False)
        self.resources += search.resources.values()
        self.warnings += search.warnings
        return wanted

    def add_third_party(self, wanted: Mapping[str, Use], requirements: Sequence[str], where: object) -> None:
        """Add what ``--venv`` or the requirements provide; a warning for each module that is then still not found."""
        for text in requirements:
            parsed(text, where)
        for text in self.options.requirements:
            parsed(text, "--with")
        wanted = {name: use for name, use in wanted.items() if not self._is_archived(name)}
        every = self.to_install([*requirements, *self.options.requirements], where)
        taken = ThirdParty()
        if self.options.venv is not None:
            site = self.virtual_environment()
            roots = [one for one in (parsed(text, where) for text in every) if self.applies(one)]
            taken = needed(site, roots, wanted, self.parser, self.excluded, import_site=self.options.interpreter.import_site)
        elif every:
            root = self.install(every, None)
            taken = whole(site_packages(root, self.parser), import_site=self.options.interpreter.import_site)
            self.take_objects(root, taken)
        self.add(taken)
        self._warn(wanted, taken.found)

    def _is_archived(self, name: str) -> bool:
        """Whether an archive has the module ``name``, or the module whose attribute it may be."""
        known = self.archives.modules
        return name in known or name.rpartition(".")[0] in known

    def to_install(self, requirements: Sequence[str], where: object) -> list[str]:
        """The requirements that no archive satisfies."""
        return [text for text in requirements if not self.archives.satisfies(parsed(text, where))]

    def install(self, requirements: Sequence[str], project: Path | None) -> Path:
        """The ``site-packages`` of an environment for this plan; what ``from_source`` names is built, its objects kept."""
        names = tuple(sorted({canonicalize_name(one) for one in self.options.from_source}))
        from_source = FromSource(names, find_compiler(self.cache)) if names else None
        return environment(requirements, project, self.distribution, self.cache, from_source=from_source)

    def take_objects(self, root: Path, taken: ThirdParty) -> None:
        """Add the native modules of which ``install`` has kept the objects."""
        if not self.options.from_source:
            return
        extensions = [one for one in taken.resources if isinstance(one, ExtensionModule)]
        found = captured(objects_of(root), extensions, self.distribution, find_compiler(self.cache))
        self.native += self._with_sources(root, found.modules) if self.options.library else found.modules
        self.warnings += found.warnings

    def _with_sources(self, root: Path, modules: Sequence[NativeModule]) -> list[NativeModule]:
        """The modules with the source distributions that they were built from, for an archive; a warning for one without."""
        site = site_packages(root, self.parser)
        places: dict[str, Path | None] = {}
        kept = []
        for module in modules:
            if module.owner not in places:
                name = module.owner if module.owner in site.distributions else _of_directory(site)
                places[module.owner] = self._source_of(site, name) if name in site.distributions else None
            kept.append(replace(module, sdist=places[module.owner]))
        return kept

    def _source_of(self, site: SitePackages, name: str) -> Path | None:
        one = site.distributions[name]
        text = one.file("direct_url.json")
        url = str(json.loads(text).get("url", "")) if text else ""
        found = source_distribution(name, one.version, url, self.distribution, self.cache)
        if found is None:
            self.warnings.append(f"{name}: its source distribution cannot be had: its objects serve this Python alone")
        return found

    def applies(self, requirement: Requirement) -> bool:
        """Whether a requirement's marker holds for the distribution."""
        return requirement.marker is None or requirement.marker.evaluate(marker_environment(self.distribution))

    def virtual_environment(self, *, application: str | None = None) -> SitePackages:
        """The distributions of ``--venv``."""
        assert self.options.venv is not None  # noqa: S101 - callers look first
        place = self.options.directory / self.options.venv
        site = site_packages(virtual_environment(place, self.distribution), self.parser, application=application)
        if sees_system(place):
            self.warnings.append(f"{place}: packages of the system that this environment includes are left out")
        return site

    def add(self, taken: ThirdParty) -> None:
        """Add third-party code."""
        self.resources += taken.resources
        self.warnings += taken.warnings
        self.extra_paths += [path for path in taken.extra_paths if path not in self.extra_paths]

    def _warn(self, wanted: Mapping[str, Use], found: set[str]) -> None:
        known = {name.partition(".")[0] for name in found}
        missing: dict[str, Use] = {}
        known |= {one.module.partition(".")[0] for one in self.options.native}
        # Whether this Python comes with its tests is seen when they are collected.
        known |= set(filter(TEST_MODULES.fullmatch, (name.partition(".")[0] for name in self.options.include)))
        for name, use in wanted.items():
            top = name.partition(".")[0]
            if top in known or top in self.distribution.stdlib_modules or use.optional:
                continue
            if self.options.pmm is not None and use.where != "--include":
                continue  # a storage may have it
            if use.where == "--include":
                raise UsageError(f"no module {name!r} is found", where="--include", remedy=_remedy(self.options, top))
            missing.setdefault(top, use)
        for top, use in sorted(missing.items()):
            self.warnings.append(f"{use.where}: module {top!r} is not found. {_remedy(self.options, top)}")

    def plan(self, name: str, entries: tuple[EntryPoint, ...]) -> Plan:
        """The plan. Raises UsageError for a name that no file can have."""
        options = self.options
        check_name(name)
        for entry in entries:
            check_name(entry.name)
        archived = combine(self)
        collection = Collection([*self.resources, *archived.resources])
        classifier = classifier_of(self.parser)
        collection.update(data_files(options.include_data, options.directory, self.prefix, classifier, self.warnings))
        prefixes = (site_prefix(self.distribution), *self.extra_paths, self.prefix)
        self.excluded.apply(collection, prefixes)
        for entry in entries:
            self._check_entry(entry, collection)
        native = self._compile(archived.rebuilds, archived.sdist_rebuilds)
        own = (*native.modules, *self.native)
        held = {one.name for one in own}
        others = (one for one in archived.static_modules if one.name not in held and not self.excluded(one.name))
        return Plan(
            name=name,
            distribution=self.distribution,
            collection=collection,
            entries=entries,
            link=options.link,
            stdlib=options.stdlib,
            include=options.include,
            exclude=options.exclude,
            with_source=options.with_source,
            compression=options.compression,
            memfs_limit=options.memfs_limit,
            warm=options.warm,
            interpreter=options.interpreter,
            pmm=options.pmm,
            application=self.prefix,
            directories=self.directories,
            extra_paths=tuple(self.extra_paths),
            static_modules=(*own, *others),
            native_link=options.native_link,
            objects_compiled=native.compiled,
            archives=self.archives if self.archives.archives else None,
            warnings=tuple(dict.fromkeys(self.warnings)),
        )

    def _compile(self, rebuilds: Sequence[Rebuild], sdists: Sequence[SdistRebuild]) -> CompiledModules:
        """The declared native modules, and those of archives that have to be built again."""
        declared = {one.module for one in self.options.native} | {one.name for one in self.native}
        again = {one.source.module: one for one in rebuilds if one.source.module not in declared}
        again = {name: one for name, one in again.items() if not self.excluded(name)}
        mine = compile_native(self.options.native, self.archives, self.distribution, self.cache)
        for one in sdists:
            names = tuple(name for name in one.modules if name not in declared and not self.excluded(name))
            self.native += rebuilt(replace(one, modules=names), self.parser, self.cache) if names else []
        theirs = compile_rebuilds(again.values(), self.archives, self.distribution, self.cache)
        return replace(theirs, modules=(*mine.modules, *theirs.modules), compiled=mine.compiled + theirs.compiled)

    def _check_entry(self, entry: EntryPoint, collection: Collection) -> None:
        if entry.kind in {EntryKind.SCRIPT, EntryKind.COMMAND}:
            present = entry.target in collection
        else:
            module = entry.target.partition(":")[0]
            names = {one.name for one in collection.modules()}
            if entry.kind is EntryKind.MODULE:
                present = module in names or f"{module}.__main__" in names
            else:
                present = module in names or module.partition(".")[0] in self.distribution.stdlib_modules
            if not present and not self.excluded(module):
                raise SourceError(f"module {module} is not there", where=entry.target, remedy=_remedy(self.options, module))
        if not present:
            raise UsageError(f"the entry point {entry.target} is excluded", where="--exclude", remedy="Take the pattern out.")


def check_name(name: str) -> None:
    """Raise UsageError unless ``name`` can be the name of a file."""
    if not name or name in {".", ".."} or any(each in name for each in "/\0\n"):
        problem = f"{name!r} cannot be the name of an executable"
        raise UsageError(problem, where="--name", remedy="Give a name without a slash; --output says where the file goes.")


def _remedy(options: SourceOptions, top: str) -> str:
    if options.venv is not None:
        return f"Install what provides it into {options.venv}, or leave it out with --exclude {top}."
    return (
        f"Name what provides it with --with {canonicalize_name(top)}, in the script's `# /// script` block, "
        f"or take it from an environment with --venv; --exclude {top} silences this."
    )


def _of_directory(site: SitePackages) -> str:
    """The distribution that was installed from a directory: the application itself. Empty when there is none."""
    return next((name for name, one in sorted(site.distributions.items()) if '"dir_info"' in one.file("direct_url.json")), "")
