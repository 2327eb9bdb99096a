"""``frazil targets``: list the targets of a configuration, running none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from frazil.cli import configured, screen
from frazil.cli.options import CONTEXT

if TYPE_CHECKING:
    from frazil.config.dialect.targets import Targets

EPILOG: Final = """\b
Examples:
  frazil targets                      of frazil.bzl or pyoxidizer.bzl here
  frazil targets app.bzl --var K=V    VARS["K"] is "V" in the configuration
"""


def _listed(found: Targets) -> list[dict[str, object]]:
    from frazil.config.dialect.returns import types  # noqa: PLC0415 - --help needs none

    kinds = types(found)
    return [
        {
            "name": one.name,
            "depends": list(one.depends),
            "type": kinds[one.name],
            "default": one.name == found.default,
            "default_build_script": one.name == found.build_script_default,
            "place": one.place,
        }
        for one in found.registered
    ]


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return (one["name"], one["type"] or "?", "default" if one["default"] else "", ", ".join(one["depends"]), one["place"])


@click.command("targets", short_help="List the targets of a configuration.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("config", metavar="[CONFIG]", default=".")
@configured.VARIABLE
@configured.VARIABLE_FROM_ENVIRONMENT
@click.option("--json", "json_wanted", is_flag=True, help="Print the list as JSON.")
def command(config: str, variables: tuple[str, ...], environment_variables: tuple[str, ...], *, json_wanted: bool) -> None:
    """List the targets of CONFIG: name, type, which one is the default, what it depends on, where it is registered.

    None of them runs: the type of its value is what the text of its function tells, and ? where that does not tell.
    """
    from frazil.config.dialect import configuration  # noqa: PLC0415 - --help needs none

    found = configuration.targets(
        configuration.find(Path(config)),
        variables=configured.variables_of(variables, environment_variables),
        on_print=lambda text, _span: click.echo(text, err=True),
    )
    listed = _listed(found)
    if json_wanted:
        click.echo(json.dumps(listed, indent=2))
    else:
        screen.table(map(_row, listed), indent="")
