"""The tables ``[[tool.frazil.native]]``: native modules that a project declares, checked and compiled."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from frazil.native.source import SUFFIXES, NativeSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from frazil.archive.contribution import Rebuild
    from frazil.archive.use import Archives
    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.native.compile import CompiledModules

_MACRO: Final = re.compile(r"[A-Za-z_]\w*(?:\([^)]*\))?(?:=.*)?", re.DOTALL)
_LANGUAGES: Final = ("c", "c++")
_LISTS: Final = ("sources", "include-dirs", "define", "libraries", "library-dirs", "flags")
_KEYS: Final = ("module", *_LISTS, "language", "package")
# They decide what is made, and the builder has decided that.
_NOT_FLAGS: Final = ("-o", "-c", "-E", "-S", "-MD", "-MF", "-flto", "-shared", "-static")


def native_issues(path: str, value: Any) -> list[str]:
    """What is wrong with the value of ``tool.frazil.native``, each with the path of what it is about."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return [f"{path}: must be an array of tables: write [[tool.frazil.native]]"]
    issues: list[str] = []
    for index, table in enumerate(value):
        issues += [f"{path}[{index}].{issue}" for issue in _table_issues(table)]
    names = [one.get("module") for one in value]
    issues += [
        f"{path}[{index}].module: {name!r} is declared twice" for index, name in enumerate(names) if name in names[:index]
    ]
    return issues


def _table_issues(table: Mapping[str, Any]) -> list[str]:
    issues = [f"{key}: is not known; there are {', '.join(_KEYS)}" for key in table if key not in _KEYS]
    module = table.get("module")
    if not isinstance(module, str) or not all(map(str.isidentifier, module.split("."))):
        issues.append(f"module: must be the dotted name of a module, not {module!r}")
    for key in _LISTS:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() and "\0" not in one for one in value):
            issues.append(f"{key}: must be an array of strings, none of them empty")
        else:
            issues += _list_issues(key, value)
    if not table.get("sources"):
        issues.append("sources: names no file")
    if table.get("language", "c") not in _LANGUAGES:
        issues.append('language: must be "c" or "c++"')
    if not isinstance(table.get("package", False), bool):
        issues.append("package: must be true or false")
    return issues


def _list_issues(key: str, value: list[str]) -> list[str]:
    checks: Mapping[str, tuple[Callable[[str], object], str]] = {
        "sources": (lambda one: "." + one.rpartition(".")[2] in SUFFIXES, "is no C, C++, Cython or Python source"),
        "define": (_MACRO.fullmatch, "is not of the form NAME or NAME=VALUE"),
        "libraries": (lambda one: "/" not in one and not one.startswith("-"), "is not the name of a library, such as z"),
        "flags": (lambda one: one.startswith("-") and not one.startswith(_NOT_FLAGS), "is no flag that can be added"),
    }
    check, text = checks.get(key, (lambda _one: True, ""))
    return [f"{key}[{index}]: {one!r} {text}" for index, one in enumerate(value) if not check(one)]


def native_sources(value: list[dict[str, Any]], base: Path) -> tuple[NativeSource, ...]:
    """The declarations of a table without issues; paths are relative to ``base``."""
    return tuple(
        NativeSource(
            module=one["module"],
            sources=tuple(base / name for name in one["sources"]),
            include_directories=tuple(base / name for name in one.get("include-dirs", ())),
            define=tuple(one.get("define", ())),
            libraries=tuple(one.get("libraries", ())),
            library_directories=tuple(base / name for name in one.get("library-dirs", ())),
            flags=tuple(one.get("flags", ())),
            package=one.get("package", False),
            base=base,
            cxx=one.get("language", "c") == "c++",
        )
        for one in value
    )


def compile_native(
    sources: tuple[NativeSource, ...], archives: Archives, distribution: PythonDistribution, cache: ContentCache
) -> CompiledModules:
    """The declared modules, compiled; headers and libraries of ``archives`` are found. Raises SourceError, HostError."""
    from frazil.native.compile import CompiledModules, compile_modules  # noqa: PLC0415 - most builds declare none
    from frazil.toolchain import find_compiler  # noqa: PLC0415 - likewise

    if not sources:
        return CompiledModules()
    sources = tuple(
        replace(
            one,
            include_directories=(*one.include_directories, *archives.include_directories),
            library_directories=(*one.library_directories, *archives.library_directories),
        )
        for one in sources
    )
    return compile_modules(sources, distribution, find_compiler(cache), cache)


def compile_rebuilds(
    rebuilds: Iterable[Rebuild], archives: Archives, distribution: PythonDistribution, cache: ContentCache
) -> CompiledModules:
    """Modules of archives whose objects do not fit, compiled again and put where they stood. Raises SourceError, HostError."""
    places = {one.source.module: one for one in rebuilds}
    done = compile_native(tuple(one.source for one in places.values()), archives, distribution, cache)
    modules = (replace(one, directory=places[one.name].directory, owner=places[one.name].owner) for one in done.modules)
    return replace(done, modules=tuple(modules))
