"""Decide which native modules are linked into the launcher, and prepare them; why not is said for each of the others.

Theory of operation. A module can go in when its objects hold machine code and everything that they want is there: in the
launcher (libpython's API and the libc functions that memfs takes over), in the C library and the compiler's own, or in static
libraries that stand where the module was linked. A static library that one module uses becomes part of that module's object.
One that several use is linked once, and its symbols are kept from shared libraries that are loaded later; before that, the
members that the linker would take are compared with each other and with libpython, so that what collides is named here rather
than by the linker. A module that cannot go in is linked as a shared object, to be loaded from memory.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from frazil.builder.host import NativeOutcome
from frazil.builder.launcher import StaticModules, make_launcher
from frazil.cache import digest, file_digest
from frazil.errors import DistributionError, FrazilError, HostError, SourceError
from frazil.native.relocatable import relocatable, unique_symbol
from frazil.native.shared import module_place, shared_object, stub
from frazil.native.symbols import exported_symbols, object_symbols, pulled, static_library
from frazil.plan import LinkMode, NativeLink
from frazil.resources.kinds import ExtensionModule
from frazil.toolchain import find_compiler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from frazil.builder.launcher import Launcher
    from frazil.cache import ContentCache
    from frazil.native.record import NativeModule
    from frazil.native.symbols import StaticLibrary, Symbols
    from frazil.plan import Plan
    from frazil.toolchain import Compiler

_LAYOUT: Final = "1"
_GLIBC: Final = frozenset(
    {"c", "m", "dl", "pthread", "rt", "util", "resolv", "anl", "mvec", "gcc", "gcc_s", "gcc_eh", "stdc++"}
)
_SYSTEM_LIBRARIES: Final = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libmvec.so.1",
                            "libresolv.so.2", "ld-linux-x86-64.so.2")  # fmt: skip
_COMPILER_LIBRARIES: Final = ("libgcc.a", "libgcc_eh.a", "libc_nonshared.a")
_CXX_LIBRARY: Final = "libstdc++.a"
# What the linker and the start files define.
_OF_THE_LINKER: Final = frozenset(
    {"_GLOBAL_OFFSET_TABLE_", "__dso_handle", "__TMC_END__", "_end", "end", "_edata", "edata", "_etext", "etext",
     "__bss_start", "__ehdr_start", "__executable_start", "__tls_get_addr"}
)  # fmt: skip
_OWN_FILE: Final = ("dladdr", "dladdr1")
_LIBPYTHON: Final = re.compile(r"python3(?:\.\d+t?)?")


@dataclass(frozen=True, slots=True)
class LinkedModules:
    """The launcher, and the native modules of a plan as files of the image."""

    launcher: Launcher
    outcomes: tuple[NativeOutcome, ...] = ()
    read: tuple[ExtensionModule, ...] = ()
    """The modules with the content that tells what they import."""
    packed: tuple[ExtensionModule, ...] = ()
    """The modules as they stand in the image: stubs of those that are linked into the program."""

    @property
    def static(self) -> tuple[str, ...]:
        """The names of those that are linked into the program."""
        return tuple(one.name for one in self.outcomes if one.how == "static")


def link_modules(plan: Plan, cache: ContentCache, *, elsewhere: bool = False) -> LinkedModules:
    """The launcher of a plan with as many of its native modules as can go in; none where the image is linked ``elsewhere``.

    Raises DistributionError or HostError; SourceError when a module must go in (``NativeLink.STATIC``) and cannot.
    """
    if not plan.static_modules:
        return LinkedModules(make_launcher(plan.distribution, plan.link, cache, warm=plan.warm is not None))
    work = _Work(plan, cache, find_compiler(cache), elsewhere=elsewhere)
    launcher = work.link()
    refused = work.reasons
    if plan.native_link is NativeLink.STATIC and refused:
        details = "\n".join(f"  {name}: {reason}" for name, reason in sorted(refused.items()))
        problem = "native modules cannot be linked into the program"
        raise SourceError(problem, where=plan.name, details=details, remedy="Let them be loaded from memory: --native auto.")
    outcomes, read, packed = [], [], []
    for module in sorted(plan.static_modules, key=lambda one: one.name):
        reason = refused.get(module.name)
        outcomes.append(NativeOutcome(module.name, "static" if reason is None else "memory", reason or ""))
        place = work.place(module)
        if reason is None:
            read.append(replace(place, content=work.objects[module.name]))
            packed.append(replace(place, content=stub(module, work.compiler, cache)))
        else:
            whole = place if place.content else replace(place, content=_shared(module, reason, work.compiler, cache))
            read.append(whole)
            packed.append(whole)
    return LinkedModules(launcher, tuple(outcomes), tuple(read), tuple(packed))


def _shared(module: NativeModule, reason: str, compiler: Compiler, cache: ContentCache) -> Path:
    try:
        return shared_object(module, compiler, cache)
    except HostError as error:
        problem = f"{module.name} can be linked neither into the program nor as a shared object"
        details = f"  {reason}\n{error.details}"
        remedy = "Install the libraries that it names, or say with library-dirs where they are."
        raise SourceError(problem, where=compiler.command[0], details=details, remedy=remedy) from error


@dataclass(slots=True)
class _Work:
    plan: Plan
    cache: ContentCache
    compiler: Compiler
    elsewhere: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a module is not linked into the program, by its name."""
    objects: dict[str, Path] = field(default_factory=dict)
    libraries: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    """The static libraries that a module needs."""
    read: dict[Path, StaticLibrary] = field(default_factory=dict)

    def link(self) -> Launcher:
        """The launcher; ``reasons`` then say what is not in it."""
        plan = self.plan
        if self.elsewhere:
            return self._without("the image is written without a program to link it into")
        if plan.native_link is NativeLink.MEMORY:
            return self._without("--native memory asks for it")
        if plan.link is LinkMode.SHARED:
            return self._without("libpython is a shared library here, which static modules cannot be linked with")
        return self._without("the compiler, zig, has no tools to join objects with") if self.compiler.zig else self._static()

    def _static(self) -> Launcher:
        plan = self.plan
        try:
            plain = make_launcher(
                plan.distribution, LinkMode.STATIC, self.cache, compiler=self.compiler, warm=plan.warm is not None
            )
        except DistributionError as error:
            return self._without(f"libpython is a shared library here: {error.problem}")
        self._prepare(plain.path)
        return self._link_chosen() if self.objects else plain

    def _link_chosen(self) -> Launcher:
        plan = self.plan
        try:
            return make_launcher(
                plan.distribution,
                LinkMode.STATIC,
                self.cache,
                compiler=self.compiler,
                modules=self._modules(),
                warm=plan.warm is not None,
            )
        except DistributionError as error:
            first = next((line for line in error.details.splitlines() if line.strip()), error.problem)
            return self._without(f"the linker refuses: {first}")

    def _without(self, reason: str) -> Launcher:
        for module in self.plan.static_modules:
            self._refuse(module.name, reason)
        return make_launcher(
            self.plan.distribution,
            self.plan.link,
            self.cache,
            compiler=self.compiler,
            warm=self.plan.warm is not None,
        )

    def _refuse(self, name: str, reason: str) -> None:
        self.reasons.setdefault(name, reason)
        self.objects.pop(name, None)

    def _modules(self) -> StaticModules:
        chosen = [module for module in self.plan.static_modules if module.name in self.objects]
        used = Counter(path for module in chosen for path in self.libraries[module.name])
        return StaticModules(
            symbols=tuple((name, unique_symbol(name)) for name in sorted(self.objects)),
            objects=tuple(self.objects[name] for name in sorted(self.objects)),
            libraries=tuple(path for path, users in used.items() if users > 1),
            cxx=self.compiler.file(_CXX_LIBRARY) if any(module.language == "c++" for module in chosen) else None,
        )

    def _prepare(self, plain: Path) -> None:
        """Fill ``objects`` with what can be linked, ``reasons`` with why the rest cannot."""
        for module in self.plan.static_modules:
            found = self._find_libraries(module)
            if found is not None:
                self.libraries[module.name] = found
        users = Counter(path for paths in self.libraries.values() for path in paths)
        key = self._decision_key(plain)
        known = _reasons(self.cache.read("static-link", key))
        if known is None:
            self._decide(plain, users)
            self.cache.write("static-link", key, json.dumps(self.reasons).encode())
            return
        for name, reason in known.items():
            self._refuse(name, reason)
        for module in self.plan.static_modules:
            if module.name not in self.reasons:
                self.objects[module.name] = self._joined(module, users)

    def _decision_key(self, plain: Path) -> str:
        parts: list[str] = [_LAYOUT, os.fspath(plain), self.compiler.identity]
        for module in self.plan.static_modules:
            parts += [module.name, module.init_symbol, module.language, *(one.digest for one in module.objects)]
            parts += [file_digest(one) for one in self.libraries.get(module.name, ())]
        return digest(*parts, *self.reasons)

    def _decide(self, plain: Path, users: Mapping[Path, int]) -> None:
        provided = self._provided(plain)
        for module in self.plan.static_modules:
            if module.name not in self.libraries:
                continue
            try:
                self._prepare_one(module, users, provided)
            except FrazilError as error:
                first = next((line for line in error.details.splitlines() if line.strip()), "")
                self._refuse(module.name, f"{error.problem}{': ' if first else ''}{first}")
        while self._drop_collisions(users, provided):
            pass

    def _joined(self, module: NativeModule, users: Mapping[Path, int]) -> Path:
        private = [one for one in self.libraries[module.name] if users[one] == 1]
        return relocatable(module, private, self.compiler, self.cache)

    def _prepare_one(self, module: NativeModule, users: Mapping[Path, int], provided: frozenset[str]) -> None:
        if any(object_symbols(one.path.read_bytes(), one.path).only_lto for one in module.objects if one.path.suffix != ".a"):
            self._refuse(module.name, "its objects hold no machine code, only what link-time optimisation reads")
            return
        paths = self.libraries[module.name]
        made = self._joined(module, users)
        symbols = object_symbols(made.read_bytes(), made)
        known = provided | self._cxx(module)
        known = known.union(*(self._library(one).defined() for one in paths if users[one] > 1))
        missing = sorted(one for one in symbols.wanted - known if not one.startswith(("__start_", "__stop_")))
        if unique_symbol(module.name) not in symbols.strong:
            self._refuse(module.name, f"its objects do not define {module.init_symbol}")
        elif missing:
            more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
            self._refuse(module.name, f"{missing[0]}{more} defined nowhere")
        elif own := sorted(symbols.wanted.intersection(_OWN_FILE)):
            self._refuse(module.name, f"it looks for its own file ({own[0]})")
        else:
            self.objects[module.name] = made

    def _drop_collisions(self, users: Mapping[Path, int], provided: frozenset[str]) -> bool:
        """Refuse modules for whose common libraries the linker would find a symbol twice, or not at all; whether any were."""
        chosen = [module for module in self.plan.static_modules if module.name in self.objects]
        shared = list(dict.fromkeys(one for module in chosen for one in self.libraries[module.name] if users[one] > 1))
        if not shared:
            return False
        wanted = [object_symbols(self.objects[module.name].read_bytes(), module.name).wanted for module in chosen]
        taken = pulled(frozenset().union(*wanted), [self._library(one) for one in shared])
        static = self.plan.distribution.static_library
        owners: dict[str, str] = {}
        if static is not None:
            owners = dict.fromkeys(
                frozenset().union(*(one.strong for one in self._library(static).members.values())), static.name
            )
        everything = provided.union(*(one.strong | one.weak for one in taken.values()))
        for (path, member), symbols in sorted(taken.items()):
            place = f"{path.name}({member})"
            reason = _collision(place, symbols, owners)
            if not reason and (missing := sorted(symbols.wanted - everything - self._cxx(None))):
                reason = f"{place} needs {missing[0]}, which is defined nowhere"
            if reason:
                for module in chosen:
                    if path in self.libraries[module.name]:
                        self._refuse(module.name, reason)
                return True
            owners |= dict.fromkeys(symbols.strong, place)
        return False

    def _find_libraries(self, module: NativeModule) -> tuple[Path, ...] | None:
        """The static libraries that a module is linked with; None when one is missing."""
        found = []
        for name in module.libraries:
            if name in _GLIBC or _LIBPYTHON.fullmatch(name):
                continue
            static, shared = self._search(name, module.library_directories)
            if static is None:
                there = (
                    f"only as a shared library ({shared})"
                    if shared is not None
                    else "neither as a static library nor as a shared one"
                )
                self._refuse(module.name, f"lib{name} is there {there}")
                return None
            found.append(static)
        return tuple(dict.fromkeys(found))

    def _search(self, name: str, directories: Iterable[Path]) -> tuple[Path | None, Path | None]:
        static, shared = (name[1:], "") if name.startswith(":") else (f"lib{name}.a", f"lib{name}.so")
        for directory in directories:
            if (directory / static).is_file():
                return (directory / static).resolve(), None
        here = next((directory / shared for directory in directories if shared and (directory / shared).is_file()), None)
        if here is not None:
            return None, here
        found = self.compiler.file(static)
        return (None if found is None else found.resolve()), (self.compiler.file(shared) if shared else None)

    def _provided(self, plain: Path) -> frozenset[str]:
        """What the launcher and the C library give to every module."""
        names = set(_OF_THE_LINKER)
        own = exported_symbols(plain.read_bytes(), plain)
        names |= own.strong | own.weak
        for name in _SYSTEM_LIBRARIES:
            path = self.compiler.file(name)
            if path is not None:
                symbols = exported_symbols(path.read_bytes(), path)
                names |= symbols.strong | symbols.weak
        others = [one.removeprefix("-l") for one in self.plan.distribution.link_libraries]
        for file in (*_COMPILER_LIBRARIES, *(f"lib{name}.a" for name in others if name not in _GLIBC)):
            path = self.compiler.file(file)
            if path is not None:
                names |= self._library(path).defined()
        return frozenset(names)

    def _cxx(self, module: NativeModule | None) -> frozenset[str]:
        path = self.compiler.file(_CXX_LIBRARY) if module is None or module.language == "c++" else None
        return frozenset() if path is None else self._library(path).defined()

    def _library(self, path: Path) -> StaticLibrary:
        if path not in self.read:
            self.read[path] = static_library(path)
        return self.read[path]

    def place(self, module: NativeModule) -> ExtensionModule:
        """The module as a file below the mount; its content is empty when its shared object has yet to be linked."""
        held = [one for one in self.plan.collection.modules() if one.name == module.name and isinstance(one, ExtensionModule)]
        if held:
            return held[0]
        parent = module.name.rpartition(".")[0]
        above = [one for one in self.plan.collection.modules() if one.name == parent and one.package]
        if above and module.directory is None:
            module = replace(module, directory=posixpath.dirname(above[0].path))
        path, directory = module_place(module, self.plan.application, self.plan.distribution.soabi)
        return ExtensionModule(module.name, module.package, b"", path, directory, module.owner)


def _reasons(stored: bytes | None) -> dict[str, str] | None:
    try:
        found = json.loads(stored) if stored is not None else None
    except ValueError:
        return None  # a damaged entry is made again
    return {str(name): str(reason) for name, reason in found.items()} if isinstance(found, dict) else None


def _collision(place: str, symbols: Symbols, owners: Mapping[str, str]) -> str:
    both = sorted(symbols.strong & owners.keys())
    return f"{both[0]} is both in {place} and in {owners[both[0]]}" if both else ""
