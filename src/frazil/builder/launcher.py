"""Compiles and links the launcher, through the cache (``docs/spec/launcher.md``).

The C sources are two pieces: the core, which knows nothing of Python, and the embedding, which needs ``Python.h``. Link mode
``static`` makes one program of both and ``libpython*.a``; ``shared`` makes a program of the core, and a library of the
embedding that is loaded from the image after libpython.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder import elf
from frazil.builder.shared_objects import PROVIDED_BY_GLIBC, SharedObjectError, facts_of, read_facts
from frazil.cache import digest, file_digest
from frazil.errors import DistributionError, HostError
from frazil.plan import LinkMode
from frazil.resources.kinds import RUNTIME, STANDARD_LIBRARY, NativeLibrary, Resource
from frazil.toolchain import Compiler, find_compiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution

SOURCES: Final = Path(__file__).parent.parent / "launcher"
EMBEDDING_PATH: Final = "lib/libfrazil-embed.so"
_EMBEDDING_SOURCES: Final = "python"
_WARM: Final = "warm"
"""The folder, and the file of the embedding, that only launchers of warm executables have."""

_PROCESSES: Final = 2
_WARNINGS: Final = ("-Wall", "-Wextra")
# No -fvisibility=hidden: the libc functions that the core defines must be visible to every library, and
# the embedding library finds the core's functions in the program.
# Fortified headers would rename the functions that the core defines.
_COMPILE: Final = (
    "-std=gnu11", "-D_GNU_SOURCE=", "-U_FORTIFY_SOURCE", "-O1", "-fno-semantic-interposition", "-fno-plt", *_WARNINGS,
)  # fmt: skip
# The image's reader and memfs; all else runs once, or hands over to the kernel. Whoever builds for the first time waits for
# the compiler: -O2 everywhere would take a third longer.
_HOT_SOURCES: Final = frozenset({"image", "memfs"})
_HOT: Final = ("-O2",)
_PROGRAM: Final = ("-fno-pie",)
_LIBRARY: Final = ("-fPIC",)
# ET_EXEC, so that neither the kernel nor the dynamic linker relocates anything; -rdynamic makes the interposed functions and
# libpython's API visible to libraries; -s leaves .dynsym alone.
_LINK_PROGRAM: Final = ("-no-pie", "-rdynamic")
_JOIN: Final = ("-no-pie", "-nostdlib", "-r")
_MAIN: Final = "main.c"
_LINK_COMMON: Final = ("-s", "-Wl,--build-id=sha1", "-Wl,--hash-style=gnu", "-Wl,-O1", "-Wl,-z,lazy")
_GLIBC_NAMES: Final = frozenset({"c", "m", "dl", "pthread", "rt", "util", "resolv"})
_SYSTEM: Final = ("-ldl", "-lpthread", "-lm")
_EMPTY_SOURCE: Final = "/* The program itself holds libpython: this library only bears its name. */\n"


@dataclass(frozen=True, slots=True)
class Linkable:
    """A launcher without a main function, for programs that have their own (``frazil.h``)."""

    object: Path
    """All of it in one relocatable object."""
    archives: tuple[Path, ...]
    """Static libraries of native modules, which stand in the cache."""
    words: tuple[str, ...]
    """What a linker's command line must have before all objects."""
    libraries: tuple[str, ...]
    """What stands behind the object and the archives."""


@dataclass(frozen=True, slots=True)
class Launcher:
    """A launcher without an image."""

    path: Path
    link: LinkMode
    """STATIC or SHARED."""
    reason: str
    """Why this link mode, for people; empty when it was asked for."""
    resources: tuple[Resource, ...]
    """What must go into the image for it."""
    key: str
    """A digest of everything that went into it."""
    linkable: Callable[[], Linkable] = field(compare=False, repr=False)
    """Makes the same for linking. Raises HostError."""


@dataclass(frozen=True, slots=True)
class StaticModules:
    """Extension modules that become part of the program; what ``frazil.builder.static_link`` has prepared."""

    symbols: tuple[tuple[str, str], ...]
    """Dotted names, sorted, and the functions that make the modules."""
    objects: tuple[Path, ...]
    """One for each module; nothing but that function can be seen from outside."""
    libraries: tuple[Path, ...] = ()
    """Static libraries that several of them need."""
    cxx: Path | None = None
    """The run-time library of C++, where one of them needs it."""

    def table(self) -> str:
        """The C source of ``frazil_static_modules`` (``python/static.h``)."""
        declared = [f"extern PyObject *{symbol}(void);" for _, symbol in self.symbols]
        rows = [f'    {{"{_c_string(name)}", {symbol}}},' for name, symbol in self.symbols]
        lines = ['#include "python/static.h"', *declared, "const frazil_static_module frazil_static_modules[] = {", *rows, "};"]
        return "\n".join([*lines, f"const size_t frazil_static_count = {len(rows)};", ""])

    @property
    def archives(self) -> tuple[Path, ...]:
        """All static libraries."""
        return (*self.libraries, *([] if self.cxx is None else [self.cxx]))

    def words(self) -> list[str]:
        """What stands behind the launcher's own objects on the linker's command line."""
        libraries = self.archives
        group = ["-Wl,--start-group", *map(os.fspath, libraries), "-Wl,--end-group"] if libraries else []
        return [*map(os.fspath, self.objects), *group, *self.settings()]

    def settings(self) -> list[str]:
        """Those of the words that are no files."""
        # Shared libraries that are loaded later shall find their own symbols, not these.
        hidden = ":".join([*(one.name for one in self.archives), "libgcc.a", "libgcc_eh.a"])
        return [f"-Wl,--exclude-libs,{hidden}", *(["-static-libgcc"] if self.cxx is not None else [])]


def _c_string(text: str) -> str:
    return "".join(f"\\{byte:03o}" if byte > 0x7E else chr(byte) for byte in text.encode())  # noqa: PLR2004 - ASCII


def make_launcher(
    distribution: PythonDistribution,
    link: LinkMode,
    cache: ContentCache,
    *,
    sources: Path = SOURCES,
    compiler: Compiler | None = None,
    modules: StaticModules | None = None,
    warm: bool = False,
) -> Launcher:
    """The launcher for this Python; compiled only when it is not in the cache. ``modules`` go with link mode ``static``.

    Raises DistributionError when the Python lacks what the link mode needs, HostError when there is no working compiler.
    """
    work = _Work(distribution, compiler or find_compiler(cache), cache, sources, modules, warm)
    if distribution.include is None or distribution.platform_include is None:
        raise DistributionError(
            f"Python {distribution.full_version} has no {'Python.h' if distribution.include is None else 'pyconfig.h'}",
            where=distribution.executable,
            remedy=f"Install its headers (Debian, Ubuntu: `apt install python{distribution.short_version}-dev`).",
        )
    if link is LinkMode.SHARED:
        return work.shared("")
    if link is LinkMode.STATIC:
        return work.static("")
    try:
        return work.static(f"lib{_name(distribution)}.a is there")
    except DistributionError as error:
        if distribution.shared_library is None:
            raise _no_libpython(distribution, f"libpython{distribution.short_version}") from error
        return work.shared(error.problem)


def _name(distribution: PythonDistribution) -> str:
    return f"python{distribution.short_version}"


def _no_libpython(distribution: PythonDistribution, what: str) -> DistributionError:
    return DistributionError(
        f"no {what}",
        where=distribution.executable,
        remedy=(
            f"Install it (Debian, Ubuntu: `apt install python{distribution.short_version}-dev`; pyenv: "
            f"`PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {distribution.full_version}`)."
        ),
    )


@dataclass(frozen=True, slots=True)
class _Work:
    distribution: PythonDistribution
    compiler: Compiler
    cache: ContentCache
    sources: Path
    modules: StaticModules | None = None
    warm: bool = False
    """Whether executables made of it may start warm (``docs/spec/snapshot.md``)."""

    def static(self, reason: str) -> Launcher:
        archive = self.distribution.static_library
        if archive is None:
            raise _no_libpython(self.distribution, f"lib{_name(self.distribution)}.a")
        core, embedding = self._split()
        # Whole: extension modules may use any function of the API.
        python = ["-Wl,--whole-archive", os.fspath(archive), "-Wl,--no-whole-archive"]
        words = [*_LINK_PROGRAM, *_LINK_COMMON]
        libraries = _link_words(self.distribution.link_libraries)
        stand_in = self._stand_in()
        chosen = self.modules
        native = (
            [] if chosen is None else [chosen.table(), *chosen.words(), *map(file_digest, chosen.objects + chosen.libraries)]
        )
        key = self._key("static", [*core, *embedding], [*words, *python, *libraries, *native])

        def make(path: Path) -> None:
            objects = self._objects([(one, False) for one in core] + [(one, True) for one in embedding], _PROGRAM)
            added = [] if chosen is None else [os.fspath(self._table(chosen)), *chosen.words()]
            try:
                self.compiler.link([*words, *map(os.fspath, objects), *python, *added, *libraries], path)
            except HostError as error:
                problem = f"{archive.name} cannot be linked"
                remedy = "Install what is missing, or use --link shared."
                raise DistributionError(problem, where=archive, details=error.details, remedy=remedy) from error
            self._check_program(path)

        def linkable() -> Linkable:
            sources = [(one, False) for one in core if one.name != _MAIN] + [(one, True) for one in embedding]
            added = () if chosen is None else (self._table(chosen), *chosen.objects)
            archives, settings = ((), []) if chosen is None else (chosen.archives, chosen.settings())
            return Linkable(self._joined(key, sources, added), archives, _LINK_PROGRAM, (*python, *settings, *libraries))

        path = self.cache.entry("launcher", key, make)
        return Launcher(path, LinkMode.STATIC, reason, (stand_in,), key, linkable)

    def shared(self, reason: str) -> Launcher:
        library = self.distribution.shared_library
        if library is None:
            raise _no_libpython(self.distribution, f"libpython{self.distribution.short_version}.so")
        core, embedding = self._split()
        words = [*_LINK_PROGRAM, *_LINK_COMMON]
        key = self._key("shared", core, words)
        library_words = ["-shared", *_LINK_COMMON, f"-Wl,-soname,{Path(EMBEDDING_PATH).name}"]
        embedding_key = self._key("embedding", embedding, library_words)

        def make_program(path: Path) -> None:
            objects = self._objects([(one, False) for one in core], _PROGRAM)
            self.compiler.link([*words, *map(os.fspath, objects), *_SYSTEM], path)
            self._check_program(path)

        def make_embedding(path: Path) -> None:
            objects = self._objects([(one, True) for one in embedding], _LIBRARY)
            made = path.with_suffix(".so")
            self.compiler.link([*library_words, *map(os.fspath, objects)], made)
            path.write_bytes(elf.trim(made.read_bytes()))

        path = self.cache.entry("launcher", key, make_program)
        trimmed = self.cache.entry(
            "libpython", digest(self.distribution.identity, os.fspath(library)), lambda to: _write_libpython(library, to)
        )
        soname = facts_of(trimmed).soname
        resources = (
            NativeLibrary(trimmed, f"lib/{soname or library.name}", STANDARD_LIBRARY),
            NativeLibrary(self.cache.entry("launcher", embedding_key, make_embedding), EMBEDDING_PATH, RUNTIME),
        )

        def linkable() -> Linkable:
            sources = [(one, False) for one in core if one.name != _MAIN]
            return Linkable(self._joined(key, sources, ()), (), _LINK_PROGRAM, _SYSTEM)

        return Launcher(path, LinkMode.SHARED, reason, resources, digest(key, embedding_key), linkable)

    def _joined(self, key: str, sources: Iterable[tuple[Path, bool]], added: Iterable[Path]) -> Path:
        """Objects as one, for the launcher of that key."""

        def make(path: Path) -> None:
            path.mkdir()
            objects = [*self._objects(sources, _PROGRAM), *added]
            self.compiler.link([*_JOIN, *map(os.fspath, objects)], path / "launcher.o")

        return self.cache.entry("object", digest("joined", key, *_JOIN), make) / "launcher.o"

    def _table(self, modules: StaticModules) -> Path:
        """The object that holds the table of static modules."""
        words = [*_COMPILE, *_PROGRAM, "-c", f"-I{self.sources}", *self._python_headers()]
        text = modules.table()
        key = digest(text, self._headers(), self.compiler.identity, *_COMPILE, *_PROGRAM, self.distribution.identity)

        def make(path: Path) -> None:
            path.mkdir()
            source = path / "static_modules.c"
            source.write_text(text)
            self.compiler.compile_c([source], words, path / "static_modules.o")

        return self.cache.entry("object", key, make) / "static_modules.o"

    def _python_headers(self) -> list[str]:
        # -isystem: warnings in Python's own headers are not ours to repair.
        return [word for one in self.distribution.include_directories for word in ("-isystem", os.fspath(one))]

    def _split(self) -> tuple[list[Path], list[Path]]:
        files = sorted(one for one in self.sources.rglob("*.c") if self.warm or not self._is_warm(one))
        embedding = [one for one in files if one.parent.name == _EMBEDDING_SOURCES]
        return [one for one in files if one not in embedding], embedding

    def _is_warm(self, source: Path) -> bool:
        return _WARM in {source.parent.name, source.stem}

    def _relative(self, source: Path) -> str:
        return source.relative_to(self.sources).as_posix()

    def _headers(self) -> str:
        files = sorted(self.sources.rglob("*.h"))
        return digest(*(part for one in files for part in (self._relative(one), one.read_bytes())))

    def _stand_in(self) -> NativeLibrary:
        """An empty library under libpython's SONAME, for extension modules that were linked against it."""
        soname = f"lib{_name(self.distribution)}.so.1.0"
        words = ["-shared", "-nostdlib", *_LINK_COMMON, f"-Wl,-soname,{soname}"]
        key = digest(self.compiler.identity, *words, _EMPTY_SOURCE)

        def make(path: Path) -> None:
            source = path.with_suffix(".c")
            source.write_text(_EMPTY_SOURCE)
            made = path.with_suffix(".so")
            self.compiler.compile_c([source], words, made)
            path.write_bytes(elf.trim(made.read_bytes()))

        return NativeLibrary(self.cache.entry("launcher", key, make), f"lib/{soname}", RUNTIME)

    def _objects(self, files: Iterable[tuple[Path, bool]], flags: Sequence[str]) -> list[Path]:
        headers = self._headers()
        with ThreadPoolExecutor(_PROCESSES) as pool:
            return list(pool.map(lambda one: self._object(one[0], flags, headers, python=one[1]), files))

    def _object(self, source: Path, flags: Sequence[str], headers: str, *, python: bool) -> Path:
        flags = [*flags, *_HOT] if source.parent.name in _HOT_SOURCES else flags
        words = [*_COMPILE, *flags, "-c", f"-I{self.sources}", f"-ffile-prefix-map={self.sources}=launcher"]
        if python:
            words += self._python_headers()
        parts: list[str | bytes] = [
            self._relative(source),
            source.read_bytes(),
            headers,
            self.compiler.identity,
            *_COMPILE,
            *flags,
        ]
        if python:
            parts.append(self.distribution.identity)

        def make(path: Path) -> None:
            path.mkdir()
            self.compiler.compile_c([source], words, path / name)

        # zig tells objects from sources by the end of their names.
        name = f"{source.stem}.o"
        return self.cache.entry("object", digest(*parts), make) / name

    def _key(self, mode: str, files: Iterable[Path], words: Iterable[str]) -> str:
        contents: list[str | bytes] = [part for one in files for part in (self._relative(one), one.read_bytes())]
        flags = [*_COMPILE, *_HOT, *_PROGRAM, *_LIBRARY, *words]
        return digest(mode, *contents, self._headers(), *flags, self.compiler.identity, self.distribution.identity)

    def _check_program(self, path: Path) -> None:
        data = path.read_bytes()
        foreign = [name for name in read_facts(data).needed if not PROVIDED_BY_GLIBC.match(name)]
        if foreign:
            raise DistributionError(
                f"{', '.join(foreign)} would be needed on every machine",
                where=self.distribution.static_library,
                remedy="Install the static form of these libraries, or use --link shared.",
            )
        if not elf.spare_headers(data):
            raise HostError("the linker leaves no PT_NOTE header to put the image in", where=self.compiler.command[0])


def _link_words(libraries: Iterable[str]) -> list[str]:
    """What stands behind libpython on the linker's command line: glibc's libraries shared, all others static."""
    foreign = [one for one in libraries if one.removeprefix("-l") not in _GLIBC_NAMES]
    own = [one for one in libraries if one not in foreign]
    static = ["-Wl,-Bstatic", "-Wl,--start-group", *foreign, "-Wl,--end-group", "-Wl,-Bdynamic"] if foreign else []
    return [*static, "-Wl,--as-needed", *dict.fromkeys((*own, *_SYSTEM, "-lutil"))]


def _write_libpython(library: Path, path: Path) -> None:
    try:
        data = library.read_bytes()
        facts = read_facts(data)
    except OSError as error:
        raise DistributionError(f"libpython cannot be read: {error.strerror}", where=library) from error
    except SharedObjectError as error:
        raise DistributionError(f"libpython {error}", where=library) from error
    if facts.foreign:
        raise DistributionError(f"libpython is for {facts.machine}, not for x86-64", where=library)
    path.write_bytes(elf.trim(data))
