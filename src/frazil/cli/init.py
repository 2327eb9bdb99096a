"""``frazil init``: write a configuration to begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT
from frazil.errors import OutputError

EPILOG: Final = """\b
Examples:
  frazil init
  frazil init app --python-code 'import rich; rich.print("[b]hello")' --pip-install 'rich>=13'
"""


@click.command("init", short_help="Write a Starlark configuration to begin with.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("directory", metavar="[DIRECTORY]", default=".")
@click.option("--name", metavar="NAME", help="The program's name. Default: that of the directory.")
@click.option("--python-code", "code", metavar="CODE", help="What the program runs.")
@click.option("--pip-install", "requirements", metavar="REQ", multiple=True, help="A requirement of the program.")
def command(directory: str, name: str | None, code: str | None, requirements: tuple[str, ...]) -> None:
    """Write DIRECTORY/frazil.bzl, with comments, which frazil build builds as it stands. Nothing is overwritten."""
    from frazil.config.dialect.configuration import NAMES  # noqa: PLC0415 - --help needs none
    from frazil.config.dialect.template import program_name, template  # noqa: PLC0415 - likewise

    where = Path(directory)
    place = where / NAMES[0]
    text = template(program_name(name or where.absolute().resolve().name), code, requirements)
    remedy = f"Edit it, or name another directory: frazil init DIRECTORY writes DIRECTORY/{NAMES[0]}."
    for held in (where / one for one in NAMES):
        if os.path.lexists(held):
            raise OutputError("there is a configuration already", where=held, remedy=remedy)
    try:
        where.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        problem = "there is a configuration already" if place.exists() else "this is no directory"
        raise OutputError(problem, where=error.filename, remedy=remedy) from error
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", where=error.filename or place) from error
    screen.line(f"{place}: written; frazil build builds it")
