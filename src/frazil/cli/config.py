"""``frazil config``: what concerns configuration files themselves."""

from __future__ import annotations

from pathlib import Path

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT


@click.group("config", short_help="Check a configuration.", context_settings=CONTEXT)
def command() -> None:
    """Check a configuration, frazil.bzl or pyoxidizer.bzl."""


@command.command("check", context_settings=CONTEXT)
@click.argument("config", metavar="[CONFIG]", default=".")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def check(config: str, *, quiet: bool) -> None:
    """Find what is wrong with CONFIG and the files that it loads: syntax and unknown names. Nothing of them runs."""
    from frazil.config.dialect import configuration  # noqa: PLC0415 - --help needs none
    from frazil.config.starlark.errors import StaticError  # noqa: PLC0415 - likewise

    path = configuration.find(Path(config))
    diagnostics = configuration.check(path)
    if diagnostics:
        raise StaticError(diagnostics)
    if not quiet:
        screen.line(f"{path}: nothing wrong is found")
