"""The metadata block inside a script (PEP 723)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from frazil.config.requirements import parsed
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BLOCK: Final = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The expression that PEP 723 gives as the reference."""
_OPENED: Final = re.compile(r"(?m)^# /// script$")
_AT_LINE: Final = re.compile(r" ?\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class ScriptMetadata:
    """What a script's block says; ``requirements`` are valid, ``document`` is all of it."""

    requirements: tuple[str, ...] = ()
    requires_python: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    """Where the block begins; 0 when there is none."""


def script_metadata(text: str, file: Path) -> ScriptMetadata:
    """The metadata of a script's text. Raises SourceError or DependencyError with the line that is wrong."""
    blocks = [one for one in _BLOCK.finditer(text) if one["type"] == "script"]
    if not blocks:
        opened = _OPENED.search(text)
        if opened:
            where = f"{file}:{_line(text, opened.start())}"
            remedy = "Begin every line of it with '# ' and end it with '# ///' (PEP 723)."
            raise SourceError("the script's metadata block is not closed", where=where, remedy=remedy)
        return ScriptMetadata()
    if len(blocks) > 1:
        where = f"{file}:{_line(text, blocks[1].start())}"
        raise SourceError("a second metadata block of the script", where=where, remedy="Join the two (PEP 723 allows one).")
    start = _line(text, blocks[0].start())
    content = "".join(
        line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(keepends=True)
    )
    try:
        document = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _AT_LINE.search(message)
        line = start + int(place[1]) if place else start
        problem = f"the script's metadata is no valid TOML: {_AT_LINE.sub('', message)}"
        raise SourceError(problem, where=f"{file}:{line}", details=_quoted(text, line)) from error
    return _checked(document, content, file, start)


def _checked(document: Mapping[str, Any], content: str, file: Path, start: int) -> ScriptMetadata:
    def where(word: str) -> str:
        index = content.find(word)
        return f"{file}:{start + 1 + content.count(chr(10), 0, index) if index >= 0 else start}"

    dependencies = document.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(one, str) for one in dependencies):
        remedy = 'Write them as in: dependencies = ["rich>=13"]'
        raise SourceError("dependencies must be an array of strings", where=where("dependencies"), remedy=remedy)
    python = document.get("requires-python")
    if python is not None and not isinstance(python, str):
        remedy = 'Write it as in: requires-python = ">=3.11"'
        raise SourceError("requires-python must be a string", where=where("requires-python"), remedy=remedy)
    for text in dependencies:
        parsed(text, where(text))
    return ScriptMetadata(tuple(dependencies), python, document, start)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _quoted(text: str, line: int) -> str:
    lines = text.splitlines()
    return f"    {lines[line - 1]}" if 0 < line <= len(lines) else ""
