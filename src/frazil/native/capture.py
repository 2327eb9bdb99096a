"""Native modules out of source distributions: what their build backends compiled, as objects.

While a backend runs, ``CC`` and ``CXX`` name drivers that keep what they link (``recorder.py``). From the link step of each
extension module come its objects and libraries; which module that is, is told by the file that was installed.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil.native.compile import build_key
from frazil.native.record import NativeModule, NativeObject, init_symbol
from frazil.native.source import CXX_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from frazil.distribution import PythonDistribution
    from frazil.native.record import Language
    from frazil.resources.kinds import ExtensionModule
    from frazil.toolchain import Compiler

LAYOUT: Final = "1"
"""Raised when what is kept changes."""

_RECORDER: Final = Path(__file__).with_name("recorder.py")
_IGNORED: Final = ("-W", "-I", "-g", "-o", "-M", "-c", "-isystem", "-Q", "-v", "-fdiagnostics")
_OPENMP: Final = "gomp"


def recording(directory: Path, drivers: Path, compiler: Compiler) -> dict[str, str]:
    """Variables for a build backend, so that what it links is kept in ``directory``; ``drivers`` is where scripts may stand."""
    variables = {}
    for variable, name, command in (("CC", "cc", compiler.command), ("CXX", "c++", _cxx(compiler))):
        script = drivers / name
        # The driver is one word to the recorder; further words of the command go before the arguments.
        words = [sys.executable, "-I", "-S", os.fspath(_RECORDER), os.fspath(directory), *command]
        script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        script.chmod(0o755)
        variables[variable] = os.fspath(script)
    return variables


def _cxx(compiler: Compiler) -> tuple[str, ...]:
    """The C++ driver that belongs to a C driver: ``g++`` to ``gcc``, ``clang++-14`` to ``clang-14``."""
    if compiler.zig:
        return compiler.for_cxx().command
    path = Path(compiler.command[0])
    for c, cxx in (("clang", "clang++"), ("gcc", "g++"), ("cc", "c++")):
        other = path.with_name(path.name.replace(c, cxx, 1))
        if c in path.name and other.exists():
            return (os.fspath(other), *compiler.command[1:])
    return compiler.command


@dataclass(frozen=True, slots=True)
class Captured:
    """What came out of the builds of an environment."""

    modules: tuple[NativeModule, ...] = ()
    warnings: tuple[str, ...] = ()


def captured(
    directory: Path, installed: Iterable[ExtensionModule], distribution: PythonDistribution, compiler: Compiler
) -> Captured:
    """The native modules among ``installed`` of which ``directory`` holds the objects."""
    compiled: dict[str, dict[str, Any]] = {}
    links: list[dict[str, Any]] = []
    for record in _records(directory):
        if record["kind"] == "compile":
            compiled[record["output"]] = record
        else:
            links.append(record | {"compiled": [compiled.get(one["path"]) for one in record["inputs"]]})
    modules, warnings = [], []
    for module in installed:
        link = _link_of(module.path, links)
        if link is None:
            continue
        unknown = [one for one in link["others"] if not one.startswith("-")]
        if unknown:
            warnings.append(f"{module.name}: was linked with {unknown[0]}, which is neither object nor library")
        else:
            modules.append(_module(module, link, directory, distribution, compiler))
    return Captured(tuple(modules), tuple(warnings))


def _records(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(directory.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record


def _link_of(installed: str, links: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The link step that made an installed file: the last one of its name, whose path has most of its end in common."""
    parts = installed.split("/")
    best: tuple[int, Mapping[str, Any]] | None = None
    for link in links:
        made = link["output"].split("/")
        if made[-1] != parts[-1]:
            continue
        common = next((n for n, (a, b) in enumerate(zip(reversed(made), reversed(parts), strict=False)) if a != b), len(parts))
        if best is None or common >= best[0]:
            best = (common, link)
    return None if best is None else best[1]


def _module(
    module: ExtensionModule, link: Mapping[str, Any], directory: Path, distribution: PythonDistribution, compiler: Compiler
) -> NativeModule:
    records = [one for one in link["compiled"] if one is not None]
    flags = tuple(dict.fromkeys(flag for one in records for flag in _flags(one["words"])))
    openmp = [_OPENMP] if any(one.startswith("-fopenmp") for one in (*link["others"], *flags)) else []
    return NativeModule(
        name=module.name,
        init_symbol=init_symbol(module.name),
        package=module.package,
        objects=tuple(_objects(link["inputs"], directory)),
        libraries=(*link["libraries"], *openmp),
        language=_language(link, records),
        key=build_key(distribution, compiler, flags),
        library_directories=tuple(Path(one) for one in dict.fromkeys(link["directories"]) if Path(one).is_dir()),
        directory=module.directory,
        owner=module.owner,
    )


def _objects(inputs: Iterable[Mapping[str, str]], directory: Path) -> Iterator[NativeObject]:
    taken: set[str] = set()
    for one in {one["digest"]: one for one in inputs}.values():
        path = Path(one["path"])
        name, count = path.name, 2
        while name in taken:
            name, count = f"{path.stem}-{count}{path.suffix}", count + 1
        taken.add(name)
        yield NativeObject(directory / one["file"], name, one["digest"])


def _language(link: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> Language:
    by_driver = "++" in Path(link["driver"]).name or any("++" in Path(one["driver"]).name for one in records)
    by_source = any(Path(word).suffix in CXX_SUFFIXES for one in records for word in one["words"])
    return "c++" if by_driver or by_source or "stdc++" in link["libraries"] else "c"


def _flags(words: Sequence[str]) -> Iterator[str]:
    """The flags that change what is made: no warnings, no places."""
    for at, word in enumerate(words):
        if word in {"-D", "-U"} and at + 1 < len(words):
            yield word + words[at + 1]
        elif word.startswith(("-D", "-U", "-f", "-m", "-O", "-std")) and len(word) > len("-D"):
            if not word.startswith(_IGNORED) and "prefix-map" not in word:
                yield word
        elif word == "-O":
            yield word
