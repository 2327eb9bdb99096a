"""``frazil freeze``: freeze a directory with a boot script into one executable, or into an image to link."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from frazil.cli import screen
from frazil.cli.build import DEFAULT_DIRECTORY, as_json, summarise
from frazil.cli.options import CONTEXT, distribution_of, freeze_options, gather, source_options

if TYPE_CHECKING:
    from frazil.builder.host import Form, Result
    from frazil.cache import ContentCache
    from frazil.plan import Plan

SUFFIXES: Final = {"exe": "", "asm": ".S", "obj": ".o"}
"""What the names of default outputs end in."""

EPILOG: Final = """\b
DIR holds
  BIOS.py    the boot script; its exit code is the program's
  Make.py    run first, if it is there; its failure stops the build
  EXCLUDE    patterns of what stays out, as in .gitignore
and any files: all the others stand at /memfs:/RELATIVE-PATH, also written memfs://RELATIVE-PATH.

\b
Examples:
  frazil freeze sample/ -o sample.exe
  frazil freeze sample/ --emit asm -o sample.S && cc -c sample.S
"""


def _plan(options: Any, cache: ContentCache, target: Path | None, emit: str) -> Plan:
    from frazil.builder.emit import image_path, is_emitted  # noqa: PLC0415 - --help does not build
    from frazil.config.directory import freeze_plan  # noqa: PLC0415 - likewise

    # What an earlier build left in DIR is no part of the program.
    written = [] if target is None or emit == "exe" else [target, image_path(target)]
    distribution = distribution_of(options.python, options.sha256, cache)
    return freeze_plan(source_options(options), distribution, cache, [path for path in written if is_emitted(path)])


def _build(plan: Plan, cache: ContentCache, target: Path, tell: Any, form: Form) -> Result:
    from frazil.builder.build import build  # noqa: PLC0415 - --help does not build
    from frazil.builder.host import Host  # noqa: PLC0415 - likewise

    return build(plan, Host(cache, target, tell, form))


def _use(result: Result, emit: str) -> str:
    """How to go on with what is no executable."""
    return f"cc -c {result.path.name}" if emit == "asm" else f"cc ... {result.path.name}"


@click.command("freeze", short_help="Freeze a directory with a boot script.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("directory", metavar="DIR")
@click.option("-o", "--output", metavar="OUT", help="The executable. Default: dist/NAME.")
@click.option(
    "--emit",
    type=click.Choice(list(SUFFIXES)),
    default="exe",
    show_default=True,
    help="exe: an executable; asm, obj: only the image, as an assembler source or object file to link.",
)
@freeze_options
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "json_wanted", is_flag=True, help="Print what was built as JSON instead of a summary.")
def command(directory: str, output: str | None, emit: str, *, quiet: bool, json_wanted: bool, **options: Any) -> None:
    """Freeze DIR into one native executable."""
    from frazil.builder.host import Form  # noqa: PLC0415 - --help does not build
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    started = time.monotonic()
    cache = default_cache()
    with screen.progress(quiet=quiet or json_wanted) as tell:
        tell("reading the directory")
        given = None if output is None else Path(output)
        plan = _plan(gather(directory, {**options, "multicall": False}), cache, given, emit)
        planned = time.monotonic() - started
        target = given or DEFAULT_DIRECTORY / f"{plan.name}{SUFFIXES[emit]}"
        result = _build(plan, cache, target, tell, Form(emit))
    result = dataclasses.replace(result, timings=(("read", planned), *result.timings))
    if json_wanted:
        click.echo(json.dumps({"executables": [as_json(result)]}, indent=2))
    elif not quiet:
        summarise(result, None if emit == "exe" else ("link it", _use(result, emit)))
        for warning in result.warnings:
            screen.warn(warning)
