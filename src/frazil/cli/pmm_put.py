"""``frazil pmm put``, ``flash``: put modules into storages by hand, and make media."""

from __future__ import annotations

from pathlib import Path

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT
from frazil.cli.pmm_options import QUIET


@click.command("put", short_help="Put modules into an unsigned storage.", context_settings=CONTEXT)
@click.argument("storage", metavar="STORAGE")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@QUIET
def put(storage: str, files: tuple[Path, ...], *, quiet: bool) -> None:
    """Put .pmm files into STORAGE, a directory or a URL such as sqlite:/var/lib/app/modules.db, as they are.

    For programs built with --pmm-unsigned. Signed sets are put there with 'frazil pmm install'.
    """
    from frazil.pmm.storing import put as store  # noqa: PLC0415 - --help puts nothing

    for name in store(storage, files):
        if not quiet:
            screen.line(f"{storage}  {name}")


@click.command("flash", short_help="Make an empty flash storage.", context_settings=CONTEXT)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--size", default="1M", show_default=True, metavar="SIZE", help="Of the medium: a multiple of 8K, 16K at least.")
@QUIET
def flash(file: Path, size: str, *, quiet: bool) -> None:
    """Make FILE an empty flash storage, to put modules into and to copy to a device."""
    from frazil.config.sizes import parse_size  # noqa: PLC0415 - likewise
    from frazil.pmm.storing import make_flash  # noqa: PLC0415 - likewise

    make_flash(file, parse_size(size, "--size"))
    if not quiet:
        screen.line(f"{file}  {screen.size_text(file.stat().st_size)}, empty")
