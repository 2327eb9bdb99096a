"""``frazil targets``: list the targets of a configuration, running none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
    return [
        {
            "name": one.name,
            "depends": list(one.depends),
            "default": one.name == found.default,
            "default_build_script": one.name == found.build_script_default,
            "place": one.place,
        }
        for one in found.registered
    ]


@click.command("targets", short_help="List the targets of a configuration.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("config", metavar="[CONFIG]", default=".")
@configured.VARIABLE
@configured.VARIABLE_FROM_ENVIRONMENT
@click.option("--json", "json_wanted", is_flag=True, help="Print the list as JSON.")
def command(config: str, variables: tuple[str, ...], environment_variables: tuple[str, ...], *, json_wanted: bool) -> None:
    """List the targets of CONFIG: name, what it depends on, which one is the default. None of them runs."""
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
        screen.table(
            [
                (one.name, "default" if one.name == found.default else "", ", ".join(one.depends), one.place)
                for one in found.registered
            ],
            indent="",
        )
