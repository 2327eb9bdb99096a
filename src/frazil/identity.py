"""Tells whether what a build is made of has changed: a digest of plans and other records, and of the files that they name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from pathlib import Path

from frazil import __version__
from frazil.cache import digest
from frazil.distribution import PythonDistribution
from frazil.resources.collection import Collection

_ENVIRONMENT = ("CC", "SOURCE_DATE_EPOCH")
"""Variables that change what a build makes (see the builder's ``toolchain.py`` and ``build.py``)."""

_NOT_READ = frozenset({"__pycache__", "site-packages", "dist-packages"})
"""Directories of a standard library that builds do not read from there."""


def identity_of(*values: object) -> str:
    """A digest of values: strings, bytes, numbers, dataclasses, mappings, sequences, sets, collections of resources, paths.

    A path counts by the identity and times of the file or directory, not by what is below it; a distribution by its own
    identity and the files of its standard library. Fields of dataclasses that do not take part in comparisons are left out. A
    value of another type counts by its ``repr``, so one that does not show itself is never equal to an earlier one.
    """
    return digest(__version__, *_environment(), *(part for one in values for part in _described(one)))


def file_identity(path: Path) -> str:
    """What changes when a file changes."""
    try:
        state = path.stat()
    except OSError:
        return f"{path} is not there"
    return f"{path} {state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_mode}"


def _environment() -> Iterator[str]:
    yield from (f"{name}={os.environ.get(name, '')}" for name in _ENVIRONMENT)
    yield from map(file_identity, _tool_files())


def _tool_files() -> Iterator[Path]:
    """What makes executables: our own files, and the list of the system's libraries."""
    above = Path(__file__).resolve().parents[1]
    for package in ("frazil", "frazil_runtime", "icecube"):
        for pattern in ("*.py", "*.[ch]"):
            yield from sorted((above / package).rglob(pattern))
    yield Path("/etc/ld.so.cache")


def _described(value: object) -> Iterator[str | bytes]:
    """A value as parts of a digest, in a defined order."""
    if isinstance(value, Path):
        yield file_identity(value)
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, PythonDistribution):
        yield from _library(value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__
        for field in fields(value):
            if not field.compare:  # what tells of a record's making, not of what it says
                continue
            yield field.name
            yield from _described(getattr(value, field.name))
    else:
        yield from _several(value)


def _several(value: object) -> Iterator[str | bytes]:
    if isinstance(value, Mapping):
        yield f"{len(value)} pairs"
        for name in sorted(value, key=repr):
            yield from _described(name)
            yield from _described(value[name])
    elif isinstance(value, Collection | Sequence) and not isinstance(value, str):
        yield f"{len(value)} items"
        for item in value:
            yield from _described(item)
    elif isinstance(value, AbstractSet):
        yield f"{len(value)} members"
        yield from sorted(map(repr, value))
    else:
        yield repr(value)


def _library(distribution: PythonDistribution) -> Iterator[str]:
    """What a Python is: nobody tells when somebody mends a file of its standard library, or installs another patch release."""
    yield distribution.identity
    for place in (distribution.stdlib, distribution.dynload):
        if place is not None:
            yield from _files_below(place)


def _files_below(directory: Path) -> Iterator[str]:
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda one: one.name)
    except OSError:
        yield f"{directory} cannot be read"
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _NOT_READ:
                yield from _files_below(Path(entry.path))
        elif entry.name.endswith((".py", ".so")):
            yield file_identity(Path(entry.path))
