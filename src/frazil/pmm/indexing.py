"""Make the index of a directory of modules (``docs/spec/pmm-index.md``, "Index")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frazil.errors import SourceError, UsageError
from frazil.pmm.roots import SPECIFICATION
from frazil.pmm.signing import read_document, refusals
from frazil_runtime.pmm import documents, envelope, sets
from frazil_runtime.pmm.errors import EnvelopeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from frazil_runtime.pmm.documents import Index


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """A module of the directory."""

    name: str
    data: bytes
    package: bool
    magic: bytes


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """What an index says beside its modules."""

    application: str
    python: str
    version: int
    issued: str
    expires: str


def read_modules(directory: Path) -> tuple[ModuleFile, ...]:
    """All modules of a directory. SourceError for a file that is none, or one for another Python than the rest."""
    try:
        files = sorted(one for one in directory.iterdir() if one.suffix == documents.SUFFIX)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=directory) from error
    found = tuple(_read_module(file) for file in files)
    for one in found:
        if one.magic != found[0].magic:
            here, there = envelope.python_of(one.magic), envelope.python_of(found[0].magic)
            raise SourceError(f"this module is for {here}, {found[0].name} for {there}", where=directory / f"{one.name}.pmm",
                              remedy="An index is for one Python: keep a directory for each.")  # fmt: skip
    return found


def _read_module(file: Path) -> ModuleFile:
    name = file.name.removesuffix(documents.SUFFIX)
    if not documents.is_module_name(name):
        raise SourceError(
            "this is no name of a module", where=file, remedy="Name the file as import statements name the module."
        )
    try:
        with file.open("rb") as stream:
            data = stream.read(documents.MAX_MODULE + 1)
        magic = data[envelope.PYTHON_AT : envelope.PYTHON_AT + 4]
        package = envelope.read(data, magic).package
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=file) from error
    except EnvelopeError as error:
        raise SourceError(str(error), where=file, remedy="Make it with 'frazil pmm compile'.") from error
    return ModuleFile(name, data, package, magic)


def python_tag(modules: tuple[ModuleFile, ...], directory: Path) -> str:
    """The tag of the Python that the modules are for, such as ``cpython-311``. SourceError: it is not known."""
    if not modules:
        raise SourceError("there is no .pmm file here", where=directory, remedy="Make them with 'frazil pmm compile -o'.")
    minor = envelope.minor_of(modules[0].magic)
    if minor is None:
        where = directory / f"{modules[0].name}{documents.SUFFIX}"
        raise SourceError(f"this module is for {envelope.python_of(modules[0].magic)}", where=where,
                          remedy="Compile it with a Python that frazil builds for.")  # fmt: skip
    return f"cpython-3{minor}"


def previous_index(path: Path) -> Index | None:
    """The index that was made before, if there is one; its own author reads it, so signatures do not matter."""
    if not path.exists():
        return None
    data = read_document(path)
    with refusals():
        return documents.read_index(documents.split(data, documents.MAX_INDEX, str(path))[1], "", str(path), installed=False)


def index_body(plan: IndexPlan, modules: tuple[ModuleFile, ...], before: Index | None) -> dict[str, object]:
    """The index's body; a module that is not as it was before gets the index's version."""
    if before is not None:
        if (before.application, before.python) != (plan.application, plan.python):
            raise UsageError(f"the index that is there is for {before.application} with {before.python}", where=sets.INDEX,
                             remedy="Use another directory for another application or Python.")  # fmt: skip
        if plan.version <= before.version:
            raise UsageError(f"the index that is there has version {before.version}", where="--version",
                             remedy=f"Take {before.version + 1} or more.")  # fmt: skip
    known = {} if before is None else before.modules
    return {
        "_type": "targets",
        "expires": plan.expires,
        "spec_version": SPECIFICATION,
        "targets": {f"{one.name}{documents.SUFFIX}": _target(one, known, plan.version) for one in modules},
        "version": plan.version,
        "x-frazil": {
            "application": plan.application,
            "format": documents.FORMAT,
            "issued": plan.issued,
            "python": plan.python,
        },
    }


def _target(module: ModuleFile, known: Mapping[str, documents.Entry], current: int) -> dict[str, object]:
    digest = hashlib.sha256(module.data).hexdigest()
    old = known.get(module.name)
    # So the version rises too when a module comes back that was taken out in between.
    version = old.version if old is not None and old.digest == digest else current
    return {
        "custom": {"package": module.package, "version": version},
        "hashes": {"sha256": digest},
        "length": len(module.data),
    }
