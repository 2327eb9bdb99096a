"""``frazil doctor``: say what this machine has for building, and what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT, distribution_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.diagnosis import Finding


def _show(findings: Sequence[Finding]) -> None:
    colours: dict[str, screen.Style] = {"ok": "green", "warning": "yellow", "missing": "red"}
    screen.table(
        [((one.state.value, colours[one.state.value]), one.subject, one.value) for one in findings],
        indent="",
    )
    remedies = [one for one in findings if one.remedy and one.state.value != "ok"]
    if remedies:
        screen.line()
        screen.heading("What to do")
        screen.table([(one.subject, one.remedy) for one in remedies])


@click.command("doctor", short_help="Say what this machine has for building.", context_settings=CONTEXT)
@click.option("--python", metavar="PATH", help="Look at this Python instead of the one that runs frazil.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(context: click.Context, python: str | None, *, json_wanted: bool) -> None:
    """Say what this machine has for building, and what is missing; exit 0 when a build can work, 1 otherwise."""
    from frazil.cache import default_cache  # noqa: PLC0415 - --help needs none
    from frazil.diagnosis import State, diagnose  # noqa: PLC0415 - likewise

    findings = diagnose(default_cache(), lambda cache: distribution_of(python, None, cache))
    possible = all(one.state is not State.MISSING for one in findings)
    if json_wanted:
        listed = [
            {"subject": one.subject, "state": one.state.value, "value": one.value, "remedy": one.remedy} for one in findings
        ]
        click.echo(json.dumps({"possible": possible, "findings": listed}, indent=2))
    else:
        _show(findings)
        screen.line()
        if possible:
            screen.line("Builds can work here.", "green")
        else:
            screen.line("No build can work here.", "red")
    context.exit(0 if possible else 1)
