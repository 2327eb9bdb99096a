"""Source text to a syntax tree, by Python's own parser; its errors get Starlark's words and places."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Final

from frazil.config.starlark.errors import Diagnostic, Source, Span, StarlarkError, StaticError
from frazil.config.starlark.limits import MAXIMUM_SOURCE
from frazil.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

_REMEDIES: Final = (
    ("expected ':'", "A line that opens a block ends with a colon."),
    ("Maybe you meant '=='", "A comparison is written ==."),
    ("unterminated string", "Close the string on its line, or use three quotes."),
    ("was never closed", "Is a closing bracket missing?"),
    ("Perhaps you forgot a comma", "Is a comma missing?"),
    ("leading zeros", "Write 0o755 for an octal number."),
)


def read(path: Path, name: str) -> Source:
    """A file as a source called ``name``. Raises SourceError when it cannot be read or is no UTF-8."""
    try:
        with path.open("rb") as opened:
            data = opened.read(MAXIMUM_SOURCE + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    if len(data) > MAXIMUM_SOURCE:
        raise SourceError(f"this configuration is larger than {MAXIMUM_SOURCE >> 20} MiB", where=path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{data[error.start]:02x} is not valid in UTF-8"
        raise SourceError(problem, where=f"{path}:{line}", remedy="Save the file as UTF-8.") from error
    return source_of(text, name)


def source_of(text: str, name: str) -> Source:
    """A text as a source, with one kind of line end. Raises StarlarkError for what no text file holds."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        source = Source(name, text.replace("\0", " "))
        raise StarlarkError("a null byte", Span(source, line, 0, line, 1), remedy="Is this a text file?")
    return Source(name, text)


def parse(source: Source) -> ast.Module:
    """The tree of a source. Raises StaticError with the place of a syntax error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\w" is a backslash and a w, as configurations have always had it
            return ast.parse(source.text)
    except SyntaxError as error:
        problem = f"syntax error: {error.msg}"
        remedy = next((remedy for mark, remedy in _REMEDIES if mark in error.msg), "")
        raise StaticError([Diagnostic(_place(source, error), problem, remedy)]) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        problem = f"this cannot be parsed: {'it is nested too deeply' if not isinstance(error, ValueError) else error}"
        raise StaticError([Diagnostic(Span(source, 1, 0, 1, 0), problem)]) from None


def _place(source: Source, error: SyntaxError) -> Span:
    line = min(max(error.lineno or 1, 1), len(source.lines))
    text = source.lines[line - 1]
    start = max((error.offset or 1) - 1, 0)
    if isinstance(error, IndentationError):
        start = len(text) - len(text.lstrip())
    end = error.end_offset - 1 if error.end_offset and error.end_lineno == error.lineno else start + 1

    def in_bytes(column: int) -> int:
        return len(text[:column].encode("utf-8", "replace")) + max(0, column - len(text))

    return Span(source, line, in_bytes(start), line, in_bytes(max(end, start + 1)))
