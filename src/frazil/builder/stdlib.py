"""Select the part of the standard library that a program can reach.

Theory of operation. The search starts from what the collection imports and from what the interpreter itself needs, and goes
from module to module by their import statements, wave after wave; each wave is compiled in parallel, so that no more is
compiled than goes in. Three tables hold what statements do not say: modules that C code imports (``IMPLIED``), packages whose
parts are named at run time (``WHOLE``), and imports that are not followed since only an interactive interpreter runs them
(``NOT_FOLLOWED``).

What the program reaches has its source beside it; what only the interpreter itself needs goes in as bytecode alone.

CPython's own tests are a package of their own kind: they read each other as files, and some are no valid Python on purpose.
Whoever includes ``test``, or something below it, gets all files of it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.imports import LAZY, MAIN, Import, parents, reach, targets
from frazil.cache import digest
from frazil.errors import DistributionError, SourceError, UsageError
from frazil.plan import StandardLibrary
from frazil.resources.kinds import STANDARD_LIBRARY, BytecodeModule, DataFile, ExtensionModule, SourceModule

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from frazil.builder.bytecode import Compiled, Compiler
    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan
    from frazil.resources.kinds import Content, Resource

BASE: Final = (
    *("abc", "codecs", "encodings", "io", "os", "posixpath", "site", "stat"),  # initialisation
    *("_sitebuiltins", "importlib.machinery", "importlib.util", "zipimport"),  # the run-time
    *("linecache", "traceback", "warnings"),  # reports of the interpreter
    *("copyreg", "types", "typing"),  # pickling of any object; type parameters (PEP 695)
    *("runpy", "signal", "threading"),  # -m; KeyboardInterrupt; shutdown
)
"""What the interpreter may import with no import statement anywhere."""

IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {
    "_asyncio": ("asyncio.base_futures", "asyncio.base_tasks", "asyncio.coroutines", "asyncio.events", "asyncio.exceptions"),
    "_collections": ("collections.abc",),
    "_csv": ("io",),
    "_ctypes": ("ctypes._endian",),
    "_curses": ("curses",),
    "_curses_panel": ("_curses",),
    "_datetime": ("_strptime", "time"),
    "_decimal": ("collections.abc", "numbers"),
    "_elementtree": ("copy", "pyexpat", "xml.etree.ElementPath"),
    "_functools": ("reprlib",),
    "_io": ("_io", "io", "locale"),
    "_json": ("json.decoder",),
    "_lsprof": ("cProfile",),
    "_pickle": ("_compat_pickle", "copyreg", "functools"),
    "_posixsubprocess": ("gc",),
    "_socket": ("encodings.idna", "selectors"),
    "_sqlite3": ("collections.abc", "functools", "sqlite3.dbapi2", "sqlite3.dump"),
    "_sre": ("copyreg", "re"),
    "_ssl": ("_socket", "socket"),
    "_zoneinfo": ("datetime", "io", "zoneinfo._common", "zoneinfo._tzpath"),
    "array": ("collections.abc", "copyreg"),
    "datetime": ("_strptime", "_pydatetime"),
    "importlib.resources": ("importlib.readers", "importlib.simple"),
    "mmap": ("io",),
    "time": ("_strptime",),
    "zoneinfo": ("_zoneinfo",),
}
"""What is imported by C code, or by a name that is put together at run time."""

WHOLE: Final = frozenset(
    {
        "dbm",
        "encodings",
        "importlib.metadata",
        "importlib.resources",
        "lib2to3.fixes",
        "multiprocessing",
        "pydoc_data",
        "xml.dom",
        "xml.etree",
        "xml.parsers",
        "xml.sax",
    }
)
"""Packages of which all is there once they are, since their parts are looked up by names that are data."""

NOT_FOLLOWED: Final = frozenset(
    {
        ("_sitebuiltins", "pydoc"),  # help()
        ("ast", "argparse"),  # command lines, as the next ones
        ("base64", "getopt"),
        ("calendar", "argparse"),
        ("dis", "argparse"),
        ("inspect", "argparse"),
        ("quopri", "getopt"),
        ("tokenize", "argparse"),
        ("multiprocessing.util", "test"),  # called by CPython's own tests
        ("site", "_pyrepl"),  # the interactive interpreter, as the next ones
        ("site", "readline"),
        ("site", "rlcompleter"),
        ("site", "sysconfig"),  # frameworks of macOS
        ("warnings", "tracemalloc"),  # a hint, left out when the module is missing; what traces imports it
        # What a loader provides for importlib.metadata and importlib.resources is asked for by these only.
        ("importlib._bootstrap_external", "importlib.metadata"),
        ("importlib._bootstrap_external", "importlib.readers"),
        ("zipimport", "importlib.readers"),
    }
)
"""Imports that are left alone: the module that has them, and the module or package that it imports."""

ONLY_WHEN_REACHED: Final = frozenset(
    {"ensurepip", "idlelib", "lib2to3", "test", "this", "antigravity", "tkinter", "turtle", "turtledemo", "_tkinter"}
)
"""What ``--stdlib all`` leaves out."""

_STRING: Final = re.compile(rb"(?<=[\0-\x3f])[a-z_][a-z0-9_.]{1,40}(?=[\0-\x3f])")
_RUST: Final = re.compile(rb"pyo3[-_:]")
_DISTINCT: Final = 6
_TEST_DIRECTORIES: Final = frozenset({"test", "tests", "idle_test"})
_PRIVATE: Final = re.compile(r"_sysconfigdata_[\w-]*|test|_?test\w+|_xx\w+|xx\w+|_ctypes_test")
_TESTS: Final = "test"
"""CPython's own tests."""
_TESTS_IN_C: Final = re.compile(r"_test\w+|_xx(?!subinterpreters|interpchannels)\w+|xx\w+|_ctypes_test")
"""Extension modules that test the interpreter."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of the standard library that goes in."""

    resources: tuple[Resource, ...]
    compiled: Mapping[str, Compiled]
    """Bytecode by path."""


@dataclass(slots=True)
class Library:
    """The standard library on the build machine: finds its modules by name, reading each directory once."""

    distribution: PythonDistribution
    _listings: dict[Path, dict[str, bool]] = field(default_factory=dict)
    _found: dict[str, SourceModule | ExtensionModule | None] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """Where it stands below the mount."""
        return f"lib/python{self.distribution.short_version}"

    def find(self, name: str) -> SourceModule | ExtensionModule | None:
        """The module of that name; None for built-in ones and what is no part of the standard library."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> SourceModule | ExtensionModule | None:
        above, _, last = name.rpartition(".")
        if not above:
            known = name in self.distribution.stdlib_modules or _PRIVATE.fullmatch(name)
            if not known or name in self.distribution.builtin_modules:
                return None
            return self._source(name, last, self.distribution.stdlib, self.root) or self._extension(name)
        parent = self.find(above)
        if parent is None or not parent.package or not isinstance(parent.content, Path):
            return None
        return self._source(name, last, parent.content.parent, parent.path.rpartition("/")[0])

    def _source(self, name: str, last: str, directory: Path, place: str) -> SourceModule | None:
        listing = self.listing(directory)
        if listing.get(last) and "__init__.py" in self.listing(directory / last):
            file = directory / last / "__init__.py"
            return SourceModule(name, True, file, f"{place}/{last}/__init__.py", place, STANDARD_LIBRARY)
        if listing.get(f"{last}.py") is False:
            return SourceModule(name, False, directory / f"{last}.py", f"{place}/{last}.py", place, STANDARD_LIBRARY)
        return None

    def _extension(self, name: str) -> ExtensionModule | None:
        dynload = self.distribution.dynload
        for suffix in self.distribution.extension_suffixes if dynload is not None else ():
            if dynload is not None and self.listing(dynload).get(name + suffix) is False:
                place = f"{self.root}/lib-dynload"
                path = f"{place}/{name}{suffix}"
                return ExtensionModule(name, False, dynload / (name + suffix), path, place, STANDARD_LIBRARY)
        return None

    def listing(self, directory: Path) -> dict[str, bool]:
        """The names in a directory, and whether each is a directory itself; empty when it cannot be read."""
        if directory not in self._listings:
            try:
                with os.scandir(directory) as entries:
                    self._listings[directory] = {one.name: one.is_dir() for one in entries}
            except OSError:
                self._listings[directory] = {}
        return self._listings[directory]

    def top_level(self) -> Iterator[str]:
        """The names of all top-level modules."""
        for name in sorted(self.distribution.stdlib_modules):
            if self.find(name) is not None:
                yield name
        yield from self.sysconfigdata()

    def sysconfigdata(self) -> list[str]:
        """The modules that ``sysconfig`` finds its variables in, named after the platform."""
        names = (name.removesuffix(".py") for name in self.listing(self.distribution.stdlib))
        return sorted(name for name in names if name.startswith("_sysconfigdata_"))

    def below(self, package: str) -> Iterator[str]:
        """All modules below a package, except its tests."""
        module = self.find(package)
        if module is None or not module.package or not isinstance(module.content, Path):
            return
        for entry, is_directory in sorted(self.listing(module.content.parent).items()):
            base = entry if is_directory else entry.removesuffix(".py")
            if base in _TEST_DIRECTORIES or base.startswith("__") or not base.isidentifier():
                continue
            if (is_directory or entry.endswith(".py")) and self.find(f"{package}.{base}") is not None:
                yield f"{package}.{base}"
                yield from self.below(f"{package}.{base}")

    def data(self, package: SourceModule) -> Iterator[DataFile]:
        """The files of a package that are no modules, such as grammars and bundled wheels."""
        if isinstance(package.content, Path):
            yield from self._data(package.content.parent, package.path.rpartition("/")[0])

    def files(self, package: str) -> Iterator[DataFile]:
        """All files of a package, modules too, except bytecode and shared objects."""
        module = self.find(package)
        if isinstance(module, SourceModule) and module.package and isinstance(module.content, Path):
            yield from self._files(module.content.parent, module.path.rpartition("/")[0])

    def _files(self, directory: Path, place: str) -> Iterator[DataFile]:
        for name, is_directory in sorted(self.listing(directory).items()):
            if is_directory and name != "__pycache__":
                yield from self._files(directory / name, f"{place}/{name}")
            elif not is_directory and not name.endswith((".pyc", ".so")):
                yield DataFile(directory / name, f"{place}/{name}", STANDARD_LIBRARY)

    def _data(self, directory: Path, place: str) -> Iterator[DataFile]:
        for name, is_directory in sorted(self.listing(directory).items()):
            if is_directory:
                inside = self.listing(directory / name)
                if name != "__pycache__" and name not in _TEST_DIRECTORIES and "__init__.py" not in inside:
                    yield from self._data(directory / name, f"{place}/{name}")
            elif not name.endswith((".py", ".pyc", ".so", ".pickle")):
                yield DataFile(directory / name, f"{place}/{name}", STANDARD_LIBRARY)


def select(
    plan: Plan, library: Library, imports: Iterable[str], compiler: Compiler, known: Container[str] = frozenset()
) -> Selection:
    """The modules of the standard library that ``imports`` and the plan's ``include`` lead to, with their bytecode.

    Raises UsageError for an ``include`` that is no module of it nor among ``known``, the modules of the collection, and
    DistributionError when the standard library is damaged.
    """
    search = _Search(library, compiler, _matcher(plan.exclude))
    roots = {*imports, *_included(plan, library, known)}
    if plan.stdlib is StandardLibrary.ALL:
        roots.update(_all(library))
    reached = search.run({*BASE, *roots})
    # Codecs are looked up by name: those that nothing imports are tables, generated ones.
    by_program = reach(roots, lambda wave: (one for name in wave if name != "encodings" for one in search.leads[name]))
    tests = any(map(_is_test, plan.include))
    resources: list[Resource] = []
    for name in sorted(reached):
        module = search.find(name)
        if isinstance(module, SourceModule):
            if search.compiled[module.path].error is not None:
                continue
            resources.append(module if name in by_program else _sourceless(module, search.compiled[module.path]))
            resources.extend(library.data(module) if module.package and not (tests and _is_test(name)) else ())
        elif module is not None:
            resources.append(module)
    if tests:
        taken = {resource.path for resource in resources}
        resources.extend(file for file in library.files(_TESTS) if file.path not in taken)
    return Selection(tuple(resources), search.compiled)


@dataclass(slots=True)
class _Search:
    """Goes from module to module, compiling what it comes to."""

    library: Library
    compiler: Compiler
    excluded: Callable[[str], bool]
    compiled: dict[str, Compiled] = field(default_factory=dict)
    leads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What each module leads to."""

    def run(self, roots: Iterable[str]) -> set[str]:
        """All names that are reached from ``roots``, whether they are modules of the standard library or not."""
        return reach(roots, self._expand)

    def find(self, name: str) -> SourceModule | ExtensionModule | None:
        """The module of that name, unless it is excluded."""
        return None if self.excluded(name) else self.library.find(name)

    def _expand(self, wave: list[str]) -> Iterator[str]:
        found = {name: self.find(name) for name in wave}
        self.compiled |= self.compiler.compile(one for one in found.values() if isinstance(one, SourceModule))
        for name, module in found.items():
            self.leads[name] = tuple(dict.fromkeys(self._leads(name, module)))
            yield from self.leads[name]

    def _leads(self, name: str, module: SourceModule | ExtensionModule | None) -> Iterator[str]:
        yield from IMPLIED.get(name, ())
        yield from parents(name)
        if isinstance(module, SourceModule):
            if name in WHOLE:
                yield from self.library.below(name)
            if name == "sysconfig":
                yield from self.library.sysconfigdata()
            compiled = self.compiled[module.path]
            for one in compiled.imports if _is_test(name) else _valid(module, compiled).imports:
                if not one.flags & MAIN:
                    yield from _followed(name, targets(one))


def _sourceless(module: SourceModule, compiled: Compiled) -> BytecodeModule:
    """The module as bytecode alone: nobody reads the source of what only the interpreter itself needs."""
    path = f"{module.path.removesuffix('.py')}.pyc"
    return BytecodeModule(module.name, module.package, compiled.pyc, path, module.directory, module.owner)


def _is_test(name: str) -> bool:
    """Whether a module belongs to CPython's tests, some of which are no valid Python on purpose."""
    return name.partition(".")[0] == _TESTS


def _followed(name: str, wanted: Iterable[str]) -> Iterator[str]:
    for target in wanted:
        if (name, target) in NOT_FOLLOWED:
            return  # nor is what lies below it
        yield target


def _valid(module: SourceModule, answer: Compiled) -> Compiled:
    if answer.error is not None:
        problem = f"the standard library is damaged: {answer.error.message}"
        where = f"{module.path}:{answer.error.line}"
        raise DistributionError(problem, where=where, remedy="Install this Python again.", details=answer.error.marked())
    return answer


def _included(plan: Plan, library: Library, known: Container[str]) -> Iterator[str]:
    for name in plan.include:
        base = name.removesuffix(".*")
        if base not in known and library.find(base) is None and base not in plan.distribution.builtin_modules:
            remedy = "Check the name, and that what provides it is among the dependencies."
            raise UsageError("no such module to include", where=name, remedy=remedy)
        yield base
        if base != name:
            yield from library.below(base)


def _all(library: Library) -> Iterator[str]:
    for name in library.top_level():
        if name not in ONLY_WHEN_REACHED and not _TESTS_IN_C.fullmatch(name):
            yield name
            yield from library.below(name)


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a module is excluded: a pattern takes what it matches, and all below that."""
    plain = tuple(patterns)
    known: dict[str, bool] = {}

    def excluded(name: str) -> bool:
        if name not in known:
            known[name] = any(fnmatchcase(name, one) for one in plain) or any(map(excluded, parents(name)))
        return known[name]

    return excluded


def imported(imports: Iterable[Import], *, lazily: bool = True) -> Iterator[str]:
    """The names that the imports of one module may load; ``lazily`` counts those inside functions."""
    for one in imports:
        if lazily or not one.flags & LAZY:
            yield from targets(one)


def mentioned(content: Content, library: Library, cache: ContentCache) -> set[str]:
    """The modules of the standard library that a shared object has as a string, and so may import.

    C and Cython keep a name between zero bytes, mypyc behind its length; Rust runs its strings together, so that there longer
    names count wherever they stand. What a file mentions is remembered by its path, size and time.
    """
    if isinstance(content, bytes):
        return set(_mentioned(content, library))
    try:
        status = content.stat()
        key = digest("1", library.distribution.identity, f"{content}:{status.st_size}:{status.st_mtime_ns}")
        stored = cache.read("mentioned", key)
        if stored is None:
            stored = "\n".join(_mentioned(content.read_bytes(), library)).encode()
            cache.write("mentioned", key, stored)
    except OSError as error:
        problem = f"this extension module cannot be read: {error.strerror or error}"
        raise SourceError(problem, where=content, remedy="Make it readable or leave it out with --exclude.") from error
    # The names are looked up again: a damaged entry cannot bring in what does not exist.
    return {name for name in stored.decode("utf-8", "replace").split("\n") if library.find(name) is not None}


def _mentioned(data: bytes, library: Library) -> list[str]:
    names = [name for name in library.distribution.stdlib_modules if name not in ONLY_WHEN_REACHED]
    found = {one.decode() for one in set(_STRING.findall(data))}
    wanted = {name for name in found if name.partition(".")[0] in names}
    if _RUST.search(data):
        wanted.update(name for name in names if len(name) >= _DISTINCT and name.encode() in data)
    return sorted(name for name in wanted if library.find(name) is not None)
