"""Compile declared native modules: in parallel, and only what has changed.

Theory of operation. What a compiler reads for one source is known only after it has run (``-MD``). So a compilation is
remembered in two steps: under the source's content, the flags, the compiler and the Python stands a list of the headers that
were read, with their digests; when all of them still have these, the object is taken from the cache, else the compiler runs and
the list is written anew. Times of files do not count. A header that did not exist and now comes earlier on the include path is
not noticed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil.cache import digest, file_digest
from frazil.errors import HostError, SourceError
from frazil.native.cython import cython_version, translate
from frazil.native.record import BuildKey, NativeModule, NativeObject, init_symbol
from frazil.native.source import CXX_SUFFIXES, CYTHON_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.native.source import NativeSource
    from frazil.toolchain import Compiler

_LAYOUT: Final = "1"
_OPTIMISATION: Final = "-O2"
_COMPILE: Final = ("-c", "-fPIC", "-fwrapv", "-DNDEBUG", "-Wall", _OPTIMISATION)
_CXX: Final = ("-std=gnu++17",)
# Names that every module of a program would share (STB_GNU_UNIQUE); clang knows none.
_GCC_CXX: Final = ("-fno-gnu-unique",)
_VARIANTS: Final = 8
"""So many lists of headers are kept for one source."""
_ESCAPED: Final = re.compile(r"(?:\\.|[^\s\\])+")
_MISSING_HEADER: Final = re.compile(r"fatal error: (?:'([^']+)' file not found|([^:\s]+): No such file or directory)")


@dataclass(frozen=True, slots=True)
class CompiledModules:
    """Native modules, and how much work they were."""

    modules: tuple[NativeModule, ...] = ()
    compiled: int = 0
    """Objects that the compiler made now."""
    reused: int = 0
    """Objects that were in the cache."""


def build_key(distribution: PythonDistribution, compiler: Compiler, flags: tuple[str, ...] | None) -> BuildKey:
    """What objects that are made here stand under; for ``fits``, with ``flags`` None, what they must."""
    return BuildKey(
        soabi=distribution.soabi,
        python=distribution.full_version,
        platform=compiler.target,
        compiler=compiler.name,
        flags=flags,
        optimisation=_optimisation(flags or ()),
        glibc=platform.libc_ver()[1],
    )


def _optimisation(flags: Iterable[str]) -> str:
    return next((one for one in reversed(list(flags)) if one.startswith("-O")), _OPTIMISATION)


def compile_modules(
    sources: Sequence[NativeSource], distribution: PythonDistribution, compiler: Compiler, cache: ContentCache
) -> CompiledModules:
    """The modules that ``sources`` declare, compiled.

    Raises SourceError for what is missing or does not compile, HostError when there is no compiler for it.
    """
    work = _Work(distribution, compiler, cache)
    jobs = [(one, source) for one in sources for source in one.sources]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(lambda job: work.object(*job), jobs))
    modules = []
    for one in sources:
        own = [made for (declared, _), made in zip(jobs, objects, strict=True) if declared is one]
        modules.append(
            NativeModule(
                name=one.module,
                init_symbol=init_symbol(one.module),
                package=one.package,
                objects=_named_apart(own),
                libraries=one.libraries,
                language="c++" if one.is_cxx else "c",
                key=build_key(distribution, compiler, (*(f"-D{name}" for name in one.define), *one.flags)),
                sources=one.sources,
                library_directories=one.library_directories,
                include_directories=one.include_directories,
                headers=work.headers(one),
                base=one.base,
            )
        )
    return CompiledModules(tuple(modules), work.compiled, len(jobs) - work.compiled)


def _named_apart(objects: Sequence[NativeObject]) -> tuple[NativeObject, ...]:
    """The objects under names of which no two are the same: two sources may be called ``module.c``."""
    taken: set[str] = set()
    named = []
    for one in objects:
        stem, count, name = one.path.stem, 2, one.name
        while name in taken:
            name, count = f"{stem}-{count}.o", count + 1
        taken.add(name)
        named.append(NativeObject(one.path, name, one.digest))
    return tuple(named)


@dataclass(slots=True)
class _Work:
    distribution: PythonDistribution
    compiler: Compiler
    cache: ContentCache
    compiled: int = 0
    digests: dict[Path, str] = field(default_factory=dict)
    read: dict[tuple[str, Path], list[Path]] = field(default_factory=dict)
    """What was read beside it, by module and source."""

    def object(self, declared: NativeSource, source: Path) -> NativeObject:
        """The object of one source."""
        try:
            content = source.read_bytes()
        except OSError as error:
            remedy = "Correct the list of sources of this module."
            problem = f"this source of {declared.module} cannot be read: {error.strerror}"
            raise SourceError(problem, where=source, remedy=remedy) from error
        words = self._words(declared, source)
        own = cython_version() if source.suffix in CYTHON_SUFFIXES else ""
        parts = (*words, declared.module, own, self.compiler.identity, self.distribution.identity)
        key = digest(_LAYOUT, os.fspath(source), content, *parts)
        for variant in self._variants(key):
            if all(self._digest(Path(path)) == value for path, value in variant["read"].items()):
                path = self.cache.place("native-object", variant["object"]) / f"{source.stem}.o"
                if path.exists():
                    self.read[declared.module, source] = [Path(one) for one in variant["read"]]
                    return NativeObject(path, path.name, variant["digest"])
        return self._compile(declared, source, words, key)

    def headers(self, declared: NativeSource) -> tuple[Path, ...]:
        """What the compiler read beside the sources of a module, and that is not the system's."""
        if declared.base is None:
            return ()
        read = {one for source in declared.sources for one in self.read.get((declared.module, source), [])}
        return tuple(sorted(one for one in read - set(declared.sources) if one.is_relative_to(declared.base)))

    def _words(self, declared: NativeSource, source: Path) -> list[str]:
        cxx = source.suffix in CXX_SUFFIXES or (declared.is_cxx and source.suffix in CYTHON_SUFFIXES)
        words = [*_COMPILE, *(_CXX if cxx else ()), *(_GCC_CXX if cxx and self.compiler.name.startswith("gcc") else ())]
        words += [f"-I{one}" for one in declared.include_directories]
        words += [word for one in self.distribution.include_directories for word in ("-isystem", os.fspath(one))]
        words += [f"-D{one}" for one in declared.define]
        words += [f"-ffile-prefix-map={declared.base}=."] if declared.base is not None else []
        return [*words, *declared.flags]

    def _variants(self, key: str) -> list[dict[str, Any]]:
        stored = self.cache.read("native-headers", key)
        try:
            found = json.loads(stored) if stored is not None else []
            return [one for one in found if isinstance(one["read"], dict) and one["object"] and one["digest"]]
        except (ValueError, TypeError, KeyError):
            return []  # a damaged entry is made again

    def _digest(self, path: Path) -> str:
        """The digest of a header, read once; empty when it is not there."""
        if path not in self.digests:
            try:
                self.digests[path] = file_digest(path)
            except OSError:
                self.digests[path] = ""
        return self.digests[path]

    def _compile(self, declared: NativeSource, source: Path, words: list[str], key: str) -> NativeObject:
        self.compiled += 1
        with tempfile.TemporaryDirectory(prefix="frazil-") as directory:
            work = Path(directory)
            given: Path = source
            read: set[Path] = set()
            if source.suffix in CYTHON_SUFFIXES:
                given, read = translate(declared, source, work)
            output, listed = work / f"{source.stem}.o", work / "read.d"
            driver = self.compiler.for_cxx() if declared.is_cxx else self.compiler
            try:
                driver.compile_c([given], [*words, "-MD", "-MF", os.fspath(listed)], output)
            except HostError as error:
                raise _does_not_compile(declared, source, error) from error
            read |= {one for one in _dependencies(listed.read_text()) if not one.is_relative_to(work)}
            self.read[declared.module, source] = sorted(read - {source})
            digests = {os.fspath(one): self._digest(one) for one in sorted(read - {source})}
            made = file_digest(output)
            place = digest(key, json.dumps(digests))
            path = self.cache.entry("native-object", place, lambda to: _keep(output, to)) / output.name
        variant = {"read": digests, "object": place, "digest": made}
        others = [one for one in self._variants(key) if one["read"] != digests]
        self.cache.write("native-headers", key, json.dumps([variant, *others][:_VARIANTS]).encode())
        return NativeObject(path, path.name, made)


def _keep(output: Path, place: Path) -> None:
    place.mkdir()
    shutil.copyfile(output, place / output.name)


def _dependencies(text: str) -> list[Path]:
    """The files that a rule of ``make`` lists behind its target."""
    words = _ESCAPED.findall(text.replace("\\\n", " "))
    return [Path(re.sub(r"\\(.)", r"\1", one)).absolute() for one in words[1:]]


def _does_not_compile(declared: NativeSource, source: Path, error: HostError) -> SourceError:
    problem = f"this source of {declared.module} does not compile"
    remedy = error.remedy
    if missing := _MISSING_HEADER.search(error.details):
        header = missing[1] or missing[2]
        remedy = f"Install what provides {header}, or name its directory in include-dirs."
    elif "cc1plus" in error.details:
        remedy = "Install a C++ compiler (Debian, Ubuntu: `apt install g++`)."
    return SourceError(problem, where=source, details=error.details, remedy=remedy)
