"""``frazil pmm``: modules outside the executable. Its verbs stand in files of their own, loaded when they are named."""

from __future__ import annotations

import importlib
from typing import Final

import click

from frazil.cli.options import CONTEXT

VERBS: Final = {
    "compile": ("frazil.cli.pmm_compile", "Compile a source file to a .pmm file."),
    "put": ("frazil.cli.pmm_put", "Put modules into an unsigned storage."),
    "flash": ("frazil.cli.pmm_put", "Make an empty flash storage."),
    "keygen": ("frazil.cli.pmm_keys", "Make pairs of keys."),
    "root": ("frazil.cli.pmm_keys", "Make a root document: who may sign."),
    "revoke": ("frazil.cli.pmm_keys", "Make a root document without a key."),
    "index": ("frazil.cli.pmm_sign", "Make the index of a directory of modules."),
    "sign": ("frazil.cli.pmm_sign", "Sign an index or a root document."),
    "verify": ("frazil.cli.pmm_sign", "Check a storage's set and every module of it."),
    "install": ("frazil.cli.pmm_sets", "Put a signed set into a storage."),
    "list": ("frazil.cli.pmm_list", "List what a storage holds."),
    "publish": ("frazil.cli.pmm_sets", "Make a repository that any web server can serve."),
    "update": ("frazil.cli.pmm_sets", "Fetch a newer set from a repository."),
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
