"""What a person reads: progress on the standard error stream, summaries on standard output.

On a terminal rich draws it; elsewhere it is plain lines, and rich is not even imported.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Final, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Style = Literal["", "bold", "dim", "green", "yellow", "red", "cyan"]
Cell = str | tuple[str, Style]
"""One cell of a table, plain or with a style."""

_KIB: Final = 1024


def size_text(size: int) -> str:
    """Bytes for people: ``712 B``, ``9.8 KiB``, ``14.1 MiB``."""
    if size < _KIB:
        return f"{size} B"
    for power, unit in ((1, "KiB"), (2, "MiB")):
        if size < _KIB ** (power + 1):
            return f"{size / _KIB**power:.1f} {unit}"
    return f"{size / _KIB**3:.1f} GiB"


def time_text(seconds: float) -> str:
    """Seconds for people: ``45 ms``, ``1.2 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def owner_text(owner: str) -> str:
    """An owner for people: ``<standard library>`` without its brackets."""
    return owner.strip("<>")


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def heading(text: str) -> None:
    """A heading on standard output."""
    click.secho(text, bold=True)


def line(text: str = "", style: Style = "") -> None:
    """A line on standard output."""
    click.echo(_styled((text, style)))


def _styled(cell: Cell) -> str:
    if isinstance(cell, str) or not cell[1]:
        return _plain(cell)
    text, style = cell
    if style in {"bold", "dim"}:
        return click.style(text, bold=style == "bold" or None, dim=style == "dim" or None)
    return click.style(text, fg=style)


def table(rows: Iterable[Sequence[Cell]], right: frozenset[int] = frozenset(), indent: str = "  ") -> None:
    """Rows as aligned columns on standard output; ``right`` are the columns whose text stands at the right edge."""
    listed = [list(row) for row in rows]
    columns = max((len(row) for row in listed), default=0)
    widths = [max((len(_plain(row[at])) for row in listed if at < len(row)), default=0) for at in range(columns)]
    for row in listed:
        cells = []
        for at, cell in enumerate(row):
            padding = " " * (widths[at] - len(_plain(cell)))
            last = at == len(row) - 1
            cells.append(padding + _styled(cell) if at in right else _styled(cell) + ("" if last else padding))
        click.echo((indent + "  ".join(cells)).rstrip())


def warn(text: str) -> None:
    """A warning on the standard error stream."""
    click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {text}", err=True)


def _quiet(_step: str) -> None:
    pass


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function to call with the name of each step as it begins.

    A terminal shows one line with the step and the time so far, gone at the end; anything else gets a line for each step.
    """
    if quiet:
        yield _quiet
    elif sys.stderr.isatty():
        with _spinner() as tell:
            yield tell
    else:
        yield _say


def _say(step: str) -> None:
    click.echo(f"{step} ...", err=True)


@contextlib.contextmanager
def _spinner() -> Iterator[Callable[[str], None]]:
    from rich import progress as bars  # noqa: PLC0415 - costs more than a warm build's own imports
    from rich.console import Console  # noqa: PLC0415 - likewise
    from rich.markup import escape  # noqa: PLC0415 - likewise

    console = Console(stderr=True)
    columns = (bars.SpinnerColumn(), bars.TextColumn("{task.description}"), bars.TimeElapsedColumn())
    with bars.Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("starting")

        def tell(step: str) -> None:
            display.update(task, description=escape(step))

        yield tell
