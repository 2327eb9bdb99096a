"""Put modules into storages by hand, as they are: for storages whose plan says ``unsigned``, and for making media."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from frazil.errors import OutputError, SourceError, UsageError
from frazil.pmm.compile import SUFFIX
from frazil.pmm.hosting import storage_of, writable
from frazil.pmm.signing import refusals
from frazil_runtime.pmm import envelope, flash
from frazil_runtime.pmm.errors import EnvelopeError
from frazil_runtime.pmm.keys import LIMIT, is_module_name

if TYPE_CHECKING:
    from collections.abc import Sequence


def put(url: str, files: Sequence[Path]) -> tuple[str, ...]:
    """Store ``.pmm`` files under their names, all of them or none where the storage can; the names."""
    modules = {_name(file): _content(file) for file in files}
    storage = writable(storage_of(url), url)
    with refusals():
        if len(modules) > 1 and hasattr(storage, "replace"):
            storage.replace(modules)
        else:
            for name, data in modules.items():
                storage.store(name, data)
    return tuple(modules)


def make_flash(path: Path, size: int) -> None:
    """Make an empty flash storage: a file of that size, whole or not at all."""
    if path.exists() and not path.is_file():
        remedy = "Make a file and copy it to the device: what is there is not erased by mistake."
        raise OutputError("this is no regular file", where=path, remedy=remedy)
    least = 4 * flash.BLOCK
    if size < least or size % (2 * flash.BLOCK):
        problem = f"a flash storage has a multiple of {2 * flash.BLOCK} bytes, and {least} at least"
        raise UsageError(problem, where=f"--size {size}")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        made = Path(name)
        try:
            os.truncate(handle, size)
            os.fchmod(handle, 0o644)
            os.close(handle)
            with closing(flash.Medium(name, writable=True)) as medium:
                flash.make(medium)
            made.replace(path)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", where=path) from error


def _name(file: Path) -> str:
    name = file.name.removesuffix(SUFFIX)
    if name == file.name or not is_module_name(name):
        raise SourceError("this is not named like a module", where=file, remedy=f"Name it package.module{SUFFIX}.")
    return name


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(LIMIT + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=file) from error
    try:
        # For whichever Python it says it is.
        envelope.read(data, data[envelope.PYTHON_AT : envelope.PYTHON_AT + 4])
    except EnvelopeError as error:
        raise SourceError(f"this is no module to put anywhere: {error}", where=file) from error
    return data
