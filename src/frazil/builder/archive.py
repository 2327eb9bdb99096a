"""Make an archive of a plan: eat a plan, give its resources and native modules the places of ``docs/spec/archive.md``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil import __version__
from frazil.archive.content import Archive, facts_of, with_digests
from frazil.archive.contribution import PLATFORM, Contribution
from frazil.archive.merge import numbers
from frazil.archive.metadata import CompilerFacts, Metadata, Mode, ModuleFacts, PythonFacts, Recipe
from frazil.archive.paths import DATA, DIST_INFO, OBJECT, PYTHON, SDIST, SOURCE, imported_name, module_of
from frazil.builder.bytecode import Compiler
from frazil.errors import SourceError
from frazil.resources.kinds import APPLICATION, BytecodeModule, DataFile, ExtensionModule, Link, SourceModule
from frazil.resources.scan import module_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frazil.cache import ContentCache
    from frazil.native.record import NativeModule
    from frazil.plan import Plan
    from frazil.resources.kinds import Content, Resource


NAME: Final = "the new build"
"""What it is called beside others that it is merged with."""


@dataclass(frozen=True, slots=True)
class Made:
    """An archive, and what its author should know, a line each."""

    archive: Archive
    warnings: tuple[str, ...]


def archive_of(plan: Plan, cache: ContentCache) -> Made:
    """The archive of all that a plan's executable would consist of, but Python itself and what its archives contribute.

    Raises SourceError for a module that cannot be compiled where only bytecode is wanted, or a file that cannot be read.
    """
    making = _Making(plan)
    bytecode = {} if plan.with_source else _bytecode(plan, cache)
    archived = Contribution()
    if plan.archives is not None:
        archived = plan.archives.contribution(plan.distribution, plan.application, cache)
    others = frozenset(archived.resources)
    for resource in sorted(plan.collection, key=lambda one: (not making.is_own(one.path), one.path)):
        if resource not in others:
            making.add(resource, bytecode.get(resource.path))
    making.natives = tuple(one for one in plan.static_modules if one not in archived.static_modules)
    for module in making.natives:
        making.add_native(module)
    metadata = with_digests(making.metadata())
    return Made(Archive(NAME, metadata, making.files), (*plan.warnings, *making.warnings))


def _bytecode(plan: Plan, cache: ContentCache) -> dict[str, bytes]:
    """The bytecode of all sources by path. Raises SourceError for a module of the application that is no valid Python."""
    sources = [one for one in plan.collection.modules() if isinstance(one, SourceModule)]
    found = {}
    with Compiler(plan.distribution, plan.interpreter.optimize, cache) as compiler:
        compiled = compiler.compile(sources)
    for module in sources:
        one = compiled[module.path]
        if one.error is None:
            found[module.path] = one.pyc
        elif module.owner == APPLICATION:
            where = f"{module.content}:{one.error.line}" if isinstance(module.content, Path) else module.path
            raise SourceError(f"syntax error: {one.error.message}", where=where, details=one.error.marked())
    return found


@dataclass(slots=True)
class _Making:
    plan: Plan
    files: dict[str, Content] = field(default_factory=dict)
    executables: set[str] = field(default_factory=set)
    modules: dict[str, ModuleFacts] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    app_version: str = ""
    natives: tuple[NativeModule, ...] = ()
    _own: str = field(init=False)
    _site: str = field(init=False)
    _roots: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        self._own = f"{plan.application}/" if plan.application else ""
        self._site = f"lib/python{plan.distribution.short_version}/site-packages/"
        outside = (f"{path}/" for path in plan.extra_paths if not path.startswith(self._site))
        self._roots = (*outside, self._site, self._own)

    def is_own(self, path: str) -> bool:
        """Whether a path below the mount is the application's; those come first, as on ``sys.path``."""
        return path.startswith(self._own)

    def _relative(self, path: str) -> str | None:
        """A path below the mount as one below a ``sys.path`` entry."""
        return next((path[len(root) :] for root in self._roots if path.startswith(root)), None)

    def add(self, resource: Resource, bytecode: bytes | None) -> None:
        """Place one resource, or its bytecode instead."""
        if isinstance(resource, Link):
            self.warnings.append(f"{resource.path}: left out: a symbolic link, and archives hold none")
            return
        relative = self._relative(resource.path)
        if relative is None:
            self._place(DATA + resource.path, resource)
            return
        top = relative.partition("/")[0]
        if top.endswith(".dist-info"):
            if resource.owner == APPLICATION:
                self.app_version = top.removesuffix(".dist-info").rpartition("-")[2]
            self._place(DIST_INFO + relative, resource)
        elif isinstance(resource, SourceModule) and bytecode is not None:
            self._add_bytecode(relative, resource, bytecode)
        elif isinstance(resource, SourceModule):
            self._add_source(relative, resource)
        elif isinstance(resource, BytecodeModule) and self._fits(resource.content):
            self._add_bytecode(f"{relative.removesuffix('c')}", resource, resource.content)
        elif isinstance(resource, ExtensionModule) and imported_name(relative) == resource.name:
            path = self._place(PYTHON + relative, resource)
            self._record(resource.name, replace(self._held(resource.name), native=True, shared=path, package=resource.package))
        else:
            self._place(PYTHON + relative, resource)

    def _fits(self, content: Content) -> bool:
        magic = self.plan.distribution.magic
        if isinstance(content, bytes):
            return content.startswith(magic)
        with content.open("rb") as file:
            return file.read(len(magic)) == magic

    def _add_source(self, relative: str, module: SourceModule) -> None:
        path = self._place(PYTHON + relative, module)
        name = module_of(path)
        if name is not None and path in self.files:
            self._record(name, replace(self._held(name), package=module.package, source=path))

    def _add_bytecode(self, relative: str, module: SourceModule | BytecodeModule, content: Content) -> None:
        found = module_name(relative.removesuffix(".py"))
        if found is None:
            self._place(PYTHON + relative, module)
            return
        name, package = found
        stem = relative.rpartition("/")[2].removesuffix(".py")
        optimize = self.plan.interpreter.optimize
        tag = self.plan.distribution.cache_tag + (f".opt-{optimize}" if optimize else "")
        path = f"{OBJECT}{name}/{stem}.{tag}.pyc"
        if not self._held(name).bytecode and not self._held(name).source:
            self.files[path] = content
            self._record(name, replace(self._held(name), precompile=True, package=package, bytecode=path))

    def _held(self, name: str) -> ModuleFacts:
        return self.modules.get(name, ModuleFacts())

    def _record(self, name: str, facts: ModuleFacts) -> None:
        self.modules[name] = facts

    def _place(self, path: str, resource: Resource) -> str:
        """Put the content of a resource at ``path``; what is there already stays, since it comes first on ``sys.path``."""
        if isinstance(resource, Link):
            return path
        if path in self.files:
            self.warnings.append(f"{path}: the file of {resource.owner} is left out: another one comes first on sys.path")
            return path
        self.files[path] = resource.content
        if isinstance(resource, DataFile) and resource.executable:
            self.executables.add(path)
        return path

    def add_native(self, module: NativeModule) -> None:
        """Place the objects of a native module, and what they were built from."""
        objects = []
        for one in module.objects:
            path = f"{OBJECT}{module.name}/{one.name}"
            self.files[path] = one.path
            objects.append(path)
        sources, recipe = self._sources(module)
        sdist = ""
        if module.sdist is not None:
            sdist = f"{SDIST}{module.sdist.name}"
            self.files[sdist] = module.sdist
        facts = replace(
            self._held(module.name),
            native=True,
            precompile=any(source.suffix == ".py" for source in module.sources),
            package=module.package,
            init_symbol=module.init_symbol,
            objects=tuple(objects),
            libraries=module.libraries,
            language=module.language,
            key=module.key,
            native_sources=sources,
            recipe=recipe,
            sdist=sdist,
        )
        self._record(module.name, facts)

    def _sources(self, module: NativeModule) -> tuple[tuple[str, ...], Recipe | None]:
        """The native sources of a module, at places that keep how they stand to each other."""
        base = module.base
        if base is None or not module.sources:
            return (), None
        outside = [source for source in module.sources if not source.is_relative_to(base)]
        if outside:
            self.warnings.append(f"{outside[0]}: left out: this source of {module.name} is outside {base}")
            return (), None
        folder = f"{SOURCE}{module.name}/"
        for file in (*module.headers, *module.sources):
            self.files[folder + file.relative_to(base).as_posix()] = file
        inside = [one for one in module.include_directories if one.is_relative_to(base)]
        recipe = Recipe(flags=module.key.flags or (), include_dirs=tuple(one.relative_to(base).as_posix() for one in inside))
        return tuple(folder + source.relative_to(base).as_posix() for source in module.sources), recipe

    def metadata(self) -> Metadata:
        """What the archive says about itself."""
        distribution = self.plan.distribution
        facts = {path: facts_of(content, executable=path in self.executables) for path, content in self.files.items()}
        keys = [module.key for module in self.natives]
        return Metadata(
            app_name=self.plan.name,
            app_version=self.app_version,
            frazil_version=__version__,
            python=PythonFacts("cpython", distribution.full_version, distribution.soabi),
            mode=Mode(
                platform=PLATFORM,
                glibc=max((key.glibc for key in keys), key=numbers, default=""),
                optimization=str(self.plan.interpreter.optimize),
            ),
            compiler=_compiler(keys[0].compiler, [key.flags or () for key in keys]) if keys else None,
            modules=self.modules,
            files=facts,
            paths=tuple(
                path[len(self._site) :] for path in self.plan.extra_paths if path.startswith(self._site) and path != self._site
            ),
        )


def _compiler(text: str, flags: Iterable[tuple[str, ...]]) -> CompilerFacts:
    """The compiler as words, with those flags that all modules were compiled with."""
    name, _, version = text.partition(" ")
    listed = list(flags)
    shared = [flag for flag in listed[0] if all(flag in others for others in listed)]
    return CompilerFacts(name, version, tuple(shared))
