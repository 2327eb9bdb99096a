"""``frazil pmm``: modules outside the executable. Its verbs stand in files of their own, loaded when they are named."""

from __future__ import annotations

import importlib
from typing import Final

import click

from frazil.cli.options import CONTEXT

VERBS: Final = {
    "compile": ("frazil.cli.pmm_compile", "Compile a source file to a .pmm file."),
}
"""Each verb's module, which has it as ``command``, and what it does."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        # A module with several verbs has each of them under its own name.
        module = importlib.import_module(VERBS[cmd_name][0])
        found: click.Command = getattr(module, cmd_name, None) or module.command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group("pmm", cls=_Verbs, short_help="Modules outside the executable.", context_settings=CONTEXT)
def command() -> None:
    """Make modules that are added to an executable, or replace some of its own, after it was built."""
