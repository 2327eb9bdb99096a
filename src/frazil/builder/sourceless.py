"""What modules without source import, told from their bytecode by the target interpreter, through the cache."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.bytecode import read_content
from frazil.builder.imports import Import
from frazil.cache import digest
from frazil.errors import SourceError
from frazil.resources.kinds import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.resources.kinds import BytecodeModule

_WORKER: Final = Path(__file__).with_name("bytecode_imports.py")
_KIND: Final = "sourceless"
_TIMEOUT: Final = 300


def sourceless_imports(
    modules: Iterable[BytecodeModule], distribution: PythonDistribution, cache: ContentCache
) -> dict[str, tuple[Import, ...]]:
    """The imports of each module, by path; none for bytecode of another Python. Raises SourceError for damaged bytecode."""
    files = {one.path: (one, read_content(one.content)) for one in modules}
    files = {path: pair for path, pair in files.items() if pair[1].startswith(distribution.magic)}
    if not files:
        return {}
    key = digest(distribution.identity, _WORKER.read_bytes(), *(data for _, data in files.values()))
    stored = cache.read(_KIND, key)
    lines = _lines(stored) if stored is not None else None
    if lines is None or len(lines) != len(files):
        answers = _ask([data for _, data in files.values()], distribution)
        lines = _lines(answers)
        if lines is None or len(lines) != len(files):
            paths = ", ".join(files)
            raise SourceError("these modules are damaged: the interpreter cannot read their bytecode", where=paths)
        cache.write(_KIND, key, answers)
    found: dict[str, tuple[Import, ...]] = {}
    for (path, (module, _)), line in zip(files.items(), lines, strict=True):
        if line is None and module.owner != APPLICATION:
            continue  # nobody may ever import it
        if line is None:
            where = module.content if isinstance(module.content, Path) else path
            raise SourceError("this is damaged bytecode: it holds no code", where=where, remedy="Compile it again.")
        found[path] = tuple(Import(name, tuple(names), number) for name, names, number in line)
    return found


def _ask(files: list[bytes], distribution: PythonDistribution) -> bytes:
    command = [os.fspath(distribution.executable), "-I", "-S", str(_WORKER)]
    data = b"".join(len(one).to_bytes(8, "little") + one for one in files)
    try:
        return subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"bytecode cannot be read: {error}", where=distribution.executable) from error


def _lines(answers: bytes) -> list[list[tuple[str, list[str], int]] | None] | None:
    """The answers, None for a file without code; None when they are not whole."""
    try:
        return [json.loads(line) for line in answers.splitlines()]
    except ValueError:
        return None
