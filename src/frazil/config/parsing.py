"""Source files read for what they import and define; errors in them told with their place."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tokenize
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

from frazil.cache import digest
from frazil.config import imports
from frazil.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.config.imports import RawImport
    from frazil.distribution import PythonDistribution

_KIND: Final = "imports"
_TOO_LARGE: Final = 64 << 20
_TIMEOUT: Final = 120


def read_source(path: Path) -> bytes:
    """A source file's bytes. Raises SourceError when it cannot be read or is no text of the encoding that it declares."""
    try:
        if path.stat().st_size > _TOO_LARGE:
            raise SourceError(f"this source file is larger than {_TOO_LARGE >> 20} MiB", where=path)
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    decoded(data, path)
    return data


def decoded(data: bytes, path: Path) -> str:
    """The text of a source file, with ``\\n`` at the end of each line (PEP 263)."""  # noqa: D301 - the escape is meant
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    except SyntaxError as error:
        problem = f"its encoding is not understood: {error.msg}"
        raise SourceError(problem, where=f"{path}:1", remedy="Save it as UTF-8, or correct its coding line.") from error
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{data[error.start]:02x} is not valid in {encoding}"
        remedy = "Save it as UTF-8, or declare its encoding in the first line: # -*- coding: latin-1 -*-"
        raise SourceError(problem, where=f"{path}:{line}", remedy=remedy) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SourceError("a null byte in source code", where=f"{path}:{line}", remedy="Is this a Python source file?")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True, slots=True)
class Parser:
    """Reads sources as the distribution's Python does, even where that is newer than the Python that runs frazil."""

    distribution: PythonDistribution
    cache: ContentCache

    def imports(self, path: Path) -> list[RawImport]:
        """The import statements of a file. Raises SourceError with the line and a mark below it for a syntax error."""
        data = read_source(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a program's invalid escapes are between it and its Python
                return imports.read(data, str(path))
        except SyntaxError as error:
            if self.distribution.version[:2] > sys.version_info[:2]:
                return self._by_target(path, data)
            raise _syntax(error.msg, path, error.lineno, error.offset, data) from error
        except (ValueError, RecursionError, MemoryError) as error:
            problem = f"cannot be parsed: {str(error) or 'it is nested too deeply'}"
            raise SourceError(
                problem, where=path, remedy="Python itself cannot compile this file; is it a source file?"
            ) from error

    def _by_target(self, path: Path, data: bytes) -> list[RawImport]:
        key = digest(self.distribution.identity, imports.__file__, data)
        stored = self.cache.read(_KIND, key)
        if stored is None:
            command = [str(self.distribution.executable), "-I", "-S", imports.__file__, str(path)]
            try:
                result = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                raise SourceError(f"cannot be parsed by {self.distribution.executable}: {error}", where=path) from error
            stored = result.stdout
        answer = json.loads(stored)
        if "error" in answer:
            message, line, offset, _ = answer["error"]
            raise _syntax(message, path, line, offset, data)
        self.cache.write(_KIND, key, stored)
        return [(level, module, names, line, optional) for level, module, names, line, optional in answer["imports"]]


def _syntax(message: str, path: Path, line: int | None, offset: int | None, data: bytes) -> SourceError:
    where = path if line is None else f"{path}:{line}"
    details = ""
    lines = decoded(data, path).splitlines()
    if line is not None and 0 < line <= len(lines):
        text = lines[line - 1].rstrip()
        details = f"    {text}"
        if offset is not None and offset > 0:
            below = "".join("\t" if each == "\t" else " " for each in text[: offset - 1])
            details += f"\n    {below.ljust(offset - 1)}^"
    return SourceError(
        f"syntax error: {message}", where=where, details=details, remedy="Correct it, or leave it out with --exclude."
    )


def defines(data: bytes, name: str) -> bool | None:
    """Whether a module's top level defines ``name``; None when that cannot be told, as with ``import *``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return None
    names: set[str] = set()
    for node in _top_level(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name.split(".")[0]) for alias in node.names)
        else:
            names.update(each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
            if any(isinstance(each, ast.Name) and each.id in {"globals", "exec", "setattr"} for each in ast.walk(node)):
                names.add("*")
    if name in names:
        return True
    return None if names & {"*", "__getattr__"} else False


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block with those inside ``if``, ``try``, ``with`` and loops."""
    found = []
    for node in body:
        found.append(node)
        for part in ("body", "orelse", "finalbody", "handlers"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for inner in getattr(node, part, []):
                    found.extend(_top_level(inner.body if isinstance(inner, ast.ExceptHandler) else [inner]))
    return found
