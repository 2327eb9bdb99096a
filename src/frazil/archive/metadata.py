"""``frazil-archive.json`` as records, and written. Pure; this file does no I/O. Reading is in ``metadata_reader.py``.

``extra`` holds the fields that this version does not know, so that they survive being read and written.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from frazil.native.record import BuildKey

MAJOR: Final = 1
MINOR: Final = 0
VERSION: Final = f"{MAJOR}.{MINOR}"


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """The Python that an archive was made with."""

    implementation: str
    version: str
    soabi: str
    debug: bool = False
    free_threaded: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mode:
    """How an archive was built. ``platform`` is a triple, ``glibc`` the oldest that its objects run with."""

    platform: str
    glibc: str = ""
    build: str = "release"
    optimization: str = "0"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompilerFacts:
    """What compiled an archive's objects."""

    name: str
    version: str
    flags: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the objects of sources that were named one by one are made."""

    flags: tuple[str, ...] = ()
    define: tuple[str, ...] = ()
    include_dirs: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """One module of an archive; all file names are paths in the archive."""

    native: bool = False
    precompile: bool = False
    package: bool = False
    digest: str = ""
    source: str = ""
    bytecode: str = ""
    shared: str = ""
    init_symbol: str = ""
    objects: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    language: str = ""
    key: BuildKey | None = None
    """What the objects were built under."""
    key_extra: Mapping[str, Any] = field(default_factory=dict)
    native_sources: tuple[str, ...] = ()
    recipe: Recipe | None = None
    sdist: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def files(self) -> tuple[str, ...]:
        """The paths that the record names."""
        single = (self.source, self.bytecode, self.shared, self.sdist)
        return (*(path for path in single if path), *self.objects, *self.native_sources)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A listed file: bytes, digest, and whether it may be executed."""

    size: int
    sha256: str
    executable: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an archive says about itself."""

    app_name: str
    frazil_version: str
    python: PythonFacts
    mode: Mode
    app_version: str = ""
    compiler: CompilerFacts | None = None
    modules: Mapping[str, ModuleFacts] = field(default_factory=dict)
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    archive_version: str = VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)


_REQUIRED: Final = frozenset(
    {
        *("archive_version", "app_name", "frazil_version", "implementation", "version", "soabi", "platform", "name"),
        *("python", "compiler", "size", "sha256", "modules", "files", "mode", "flags"),
    }
)
"""Fields that are written even when they are empty."""

_APART: Final = frozenset({"extra", "key_extra"})


def written(metadata: Metadata) -> bytes:
    """The file ``frazil-archive.json``."""
    return json.dumps(as_json(metadata), indent=2, sort_keys=True).encode() + b"\n"


def as_json(record: Any) -> Any:
    """A record, or what stands in one, in the types of JSON; what is absent is left out."""
    if isinstance(record, bool):
        return int(record)
    if isinstance(record, tuple):
        return [as_json(one) for one in record]
    if isinstance(record, str | int):
        return record
    if not hasattr(record, "__dataclass_fields__"):
        return {name: as_json(one) for name, one in record.items()}
    return {**getattr(record, "extra", {}), **dict(_present(record))}


def _present(record: Any) -> Iterator[tuple[str, Any]]:
    for one in fields(record):
        value = getattr(record, one.name)
        if one.name in _APART or value is None or (not value and one.name not in _REQUIRED):
            continue
        made = as_json(value)
        yield one.name, {**record.key_extra, **made} if one.name == "key" else made


def module_digest(paths: Iterable[str], files: Mapping[str, FileFacts]) -> str:
    """The digest of a module with these files (``docs/spec/archive.md``, "Metadata")."""
    lines = "".join(f"{path}\0{files[path].sha256}\n" for path in sorted(set(paths)))
    return hashlib.sha256(lines.encode()).hexdigest()
