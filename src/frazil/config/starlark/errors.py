"""What goes wrong in a Starlark file, with its place, a marked line and the calls that led there."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from frazil.errors import FrazilError

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Sequence

TOP_LEVEL: Final = "<toplevel>"
_WIDTH: Final = 160


class Fault(Exception):  # noqa: N818 - no error yet: it becomes one when the node that runs adds its place
    """An operation on values that cannot be done; its place is added by the node that asked for it."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem)


class NoAttributeFault(Fault):
    """A value has no such attribute; ``hasattr`` and ``getattr`` with a default answer it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text. ``name`` is what messages call it."""

    name: str
    text: str
    lines: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.text.split("\n")))


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a source: lines from 1, columns in bytes of UTF-8 from 0, as ``ast`` counts them."""

    source: Source
    line: int
    start: int
    end_line: int
    end: int

    @classmethod
    def of(cls, source: Source, node: ast.stmt | ast.expr | ast.arg | ast.keyword) -> Span:
        """The piece that ``node`` was read from."""
        end_line = node.lineno if node.end_lineno is None else node.end_lineno
        return cls(source, node.lineno, node.col_offset, end_line, node.end_col_offset or node.col_offset)

    def _text(self) -> str:
        lines = self.source.lines
        return lines[self.line - 1] if 0 < self.line <= len(lines) else ""

    @property
    def column(self) -> int:
        """The column, from 1, in characters."""
        return len(self._text().encode("utf-8", "replace")[: self.start].decode(errors="ignore")) + 1

    def __str__(self) -> str:
        """The place as compilers write it."""
        return f"{self.source.name}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """The first line of the piece with marks below it."""
        text = self._text()
        first = self.column - 1
        if self.end_line == self.line:
            last = len(text.encode("utf-8", "replace")[: self.end].decode(errors="ignore"))
        else:
            last = len(text.rstrip())
        indent = len(text) - len(text.lstrip())
        shown = text.rstrip()[indent : indent + _WIDTH]
        if not shown:
            return ""
        below = "".join("\t" if each == "\t" else " " for each in text[indent:first])
        marks = "^" * max(1, min(last, indent + _WIDTH) - first) if first <= indent + _WIDTH else ""
        return f"    {shown}\n    {below}{marks}" if marks else f"    {shown}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding of the static checks."""

    span: Span
    problem: str
    remedy: str = ""


class StarlarkError(FrazilError):
    """An error in a Starlark file. ``trace`` is the active calls, outermost first: function and place in it."""

    def __init__(
        self, problem: str, span: Span, *, remedy: str = "", output: str = "", trace: Sequence[tuple[str, Span]] = ()
    ) -> None:
        self.span = span
        self.trace = tuple(trace)
        parts = [span.excerpt(), output.rstrip()]
        if len(self.trace) > 1:
            calls = "\n".join(f"  {place}: in {name}" for name, place in self.trace)
            parts.append(f"Traceback (most recent call last):\n{calls}")
        super().__init__(problem, where=span, remedy=remedy, details="\n".join(part for part in parts if part))


class StaticError(StarlarkError):
    """What the checks before running found; ``diagnostics`` is all of it, in the order of the text."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        first, *others = self.diagnostics
        more = "\n".join(
            f"{other.span}: {other.problem}\n{other.span.excerpt()}" + (f"\n{other.remedy}" if other.remedy else "")
            for other in others
        )
        if more:
            super().__init__(first.problem, first.span, output=f"{first.remedy}\n{more}".strip())
        else:
            super().__init__(first.problem, first.span, remedy=first.remedy)


def suggestion(name: str, known: Iterable[str]) -> str:
    """``Did you mean ...?`` for the nearest known name, or nothing."""
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"Did you mean {near[0]}?" if near else ""
