"""A tree of files for a device's file system: ``.mpy`` files, and string modules as they are.

What an earlier run left and the manifest does not list any more is removed. Beside the tree a hidden file remembers what was
written, so that nothing else ever is.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.bytecode import read_content
from frazil.builder.micropython.mpy_cross import read_mpy
from frazil.cache import replace_file
from frazil.errors import OutputError
from frazil.frozen import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.builder.micropython.mpy_cross import CrossCompiler
    from frazil.frozen import FrozenModule

_LARGEST_LIST: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class TreeResult:
    """What was done, by target."""

    files: tuple[str, ...]
    written: tuple[str, ...]
    """Those that were new or different."""
    removed: tuple[str, ...]
    size: int


def record_of(output: Path) -> Path:
    """Where it is remembered which files of a tree are ours."""
    return output.parent / f".{output.name}.frazil"


def compile_tree(modules: Sequence[FrozenModule], output: Path, compiler: CrossCompiler | None) -> TreeResult:
    """Make ``output`` hold exactly what the modules come to, beside what others put there.

    ``compiler`` may be None when no module is source. Raises SourceError before anything is written, and OutputError.
    """
    compiled = {} if compiler is None else compiler.compile(modules)
    contents = {_target(module): _content(module, compiled) for module in modules if module.kind is not Kind.C_MODULE}
    if output.exists() and not output.is_dir():
        raise OutputError("this is a file, and the tree needs a directory", where=output)
    record = record_of(output.absolute())
    former = _read(record)
    try:
        output.mkdir(parents=True, exist_ok=True)
        replace_file(record, json.dumps({"files": sorted({*former, *contents})}).encode())
        removed = [target for target in former if target not in contents and _remove(output, target)]
        written = [target for target, data in contents.items() if _write(output / target, data)]
        replace_file(record, json.dumps({"files": sorted(contents)}).encode())
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", where=error.filename or output) from error
    return TreeResult(tuple(contents), tuple(written), tuple(removed), sum(map(len, contents.values())))


def _target(module: FrozenModule) -> str:
    return f"{module.target.removesuffix('.py')}.mpy" if module.kind is Kind.SOURCE else module.target


def _content(module: FrozenModule, compiled: dict[str, bytes]) -> bytes:
    if module.kind is Kind.SOURCE:
        return compiled[module.target]
    return read_mpy(module) if module.kind is Kind.MPY else read_content(module.path)


def _read(record: Path) -> list[str]:
    """The targets that an earlier run wrote; a record that is not what we write counts for nothing."""
    try:
        if record.stat().st_size > _LARGEST_LIST:
            return []
        files = json.loads(record.read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [name for name in files if isinstance(name, str) and _is_inside(name)] if isinstance(files, list) else []


def _is_inside(name: str) -> bool:
    return name.endswith((".mpy", ".py")) and not name.startswith("/") and ".." not in name.split("/")


def _write(place: Path, data: bytes) -> bool:
    if place.is_file() and not place.is_symlink() and place.stat().st_size == len(data) and place.read_bytes() == data:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    replace_file(place, data)
    return True


def _remove(output: Path, target: str) -> bool:
    """Remove a file, and the directories that then are empty."""
    place = output / target
    if place.is_dir() or not place.resolve().is_relative_to(output.resolve()):
        return False
    try:
        place.unlink()
    except FileNotFoundError:
        return False
    for above in place.relative_to(output).parents:
        if above != Path():
            with contextlib.suppress(OSError):
                (output / above).rmdir()
    return True
