"""``frazil cache``: show or empty the cache."""

from __future__ import annotations

import shutil

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT


@click.group("cache", short_help="Show or empty the cache.", context_settings=CONTEXT)
def command() -> None:
    """Show or empty the cache; FRAZIL_CACHE_DIR names another directory for it."""


@command.command("path", context_settings=CONTEXT)
def path() -> None:
    """Print where the cache stands."""
    from frazil.cache import default_cache  # noqa: PLC0415 - --help needs none

    click.echo(default_cache().root)


@command.command("clear", context_settings=CONTEXT)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def clear(*, quiet: bool) -> None:
    """Remove everything in the cache; the next build makes it again."""
    from frazil.cache import default_cache  # noqa: PLC0415 - --help needs none

    root = default_cache().root
    size = sum(file.lstat().st_size for file in root.rglob("*") if not file.is_dir())
    if root.is_dir():
        shutil.rmtree(root)
    if not quiet:
        screen.line(f"{root}: {screen.size_text(size)} removed")
