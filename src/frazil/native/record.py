"""The records of native modules: what a module consists of before it is linked, and under what it was built.

Pure; this file does no I/O. Objects are relocatable files that wait for the linker: the builder makes built-in modules of the
launcher of them, or shared objects that are loaded from memory; an archive carries them from one machine to the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from frazil.resources.kinds import APPLICATION

if TYPE_CHECKING:
    from pathlib import Path

Language = Literal["c", "c++"]
"""Which compiler driver has to link a module: C++ needs its run-time library."""


@dataclass(frozen=True, slots=True)
class BuildKey:
    """What objects depend on beside their sources. In a key that is *wanted*, an empty field is one that does not matter."""

    soabi: str = ""
    """Such as ``cpython-311-x86_64-linux-gnu``."""
    python: str = ""
    """The full version, such as ``3.11.7``; objects fit every patch version of it."""
    platform: str = ""
    """Such as ``x86_64-linux-gnu``."""
    compiler: str = ""
    """Name and version, such as ``gcc 12.2.0``; objects fit the same compiler of the same major version."""
    flags: tuple[str, ...] | None = None
    """Flags that change what the compiler makes, in their order; None where they do not matter, or are not known."""
    optimisation: str = ""
    """Such as ``-O2``."""
    glibc: str = ""
    """The glibc that the objects were compiled against, such as ``2.36``; they fit this one and newer ones."""


@dataclass(frozen=True, slots=True)
class NativeObject:
    """A relocatable object, or a static library that the module alone uses."""

    path: Path
    """On the build machine."""
    name: str
    """Its file name, unique within the module: ``speedups.o``, ``libyaml.a``."""
    digest: str
    """SHA-256 of its content, hexadecimal."""


@dataclass(frozen=True, slots=True)
class NativeModule:
    """An extension module that has been compiled and not been linked."""

    name: str
    """Dotted, such as ``markupsafe._speedups``."""
    init_symbol: str
    """Such as ``PyInit__speedups``."""
    package: bool
    objects: tuple[NativeObject, ...]
    libraries: tuple[str, ...]
    """Names for the linker, without ``-l``, in its order."""
    language: Language
    key: BuildKey
    sources: tuple[Path, ...] = ()
    """What the objects were compiled from, as far as it is still there."""
    library_directories: tuple[Path, ...] = ()
    """Where ``libraries`` are looked for before the system's directories."""
    directory: str | None = None
    """The ``sys.path`` or ``__path__`` entry that it stands in, below the mount; None: by its name in ``app``."""
    owner: str = APPLICATION
    """The distribution it belongs to (``frazil.resources.kinds``)."""
    include_directories: tuple[Path, ...] = field(default=(), compare=False)
    """Where headers were looked for."""
    headers: tuple[Path, ...] = field(default=(), compare=False)
    """What the compiler read beside the sources and below ``base``: an archive carries it with them."""
    sdist: Path | None = field(default=None, compare=False)
    """The source distribution that it was built from as a whole."""
    base: Path | None = field(default=None, compare=False)
    """The directory that the sources belong to."""


def init_symbol(name: str) -> str:
    """The function that CPython calls to make the module ``name`` (PEP 489, "Export Hook Name")."""
    last = name.rpartition(".")[2]
    if last.isascii():
        return f"PyInit_{last}"
    return "PyInitU_" + last.encode("punycode").decode().replace("-", "_")


def fits(key: BuildKey, wanted: BuildKey) -> list[str]:
    """Why objects under ``key`` cannot serve where ``wanted`` is asked for, a line for each field; empty when they can."""
    pairs = (
        ("soabi", key.soabi, wanted.soabi, key.soabi == wanted.soabi),
        ("python", key.python, wanted.python, _numbers(key.python)[:2] == _numbers(wanted.python)[:2]),
        ("platform", key.platform, wanted.platform, key.platform == wanted.platform),
        ("compiler", key.compiler, wanted.compiler, _major(key.compiler) == _major(wanted.compiler)),
        ("optimisation", key.optimisation, wanted.optimisation, key.optimisation == wanted.optimisation),
        ("glibc", key.glibc, wanted.glibc, _numbers(key.glibc) <= _numbers(wanted.glibc)),
    )
    reasons = [_reason(name, built, this) for name, built, this, good in pairs if this and not good]
    if wanted.flags is not None and key.flags is not None and key.flags != wanted.flags:
        reasons.append(_reason("flags", " ".join(key.flags), " ".join(wanted.flags)))
    return reasons


def _reason(name: str, built: str, this: str) -> str:
    return f"{name}: built for {built or 'nothing that is known'}, this is {this or 'none'}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _major(compiler: str) -> tuple[str, tuple[int, ...]]:
    name, _, version = compiler.partition(" ")
    return name, _numbers(version)[:1]
