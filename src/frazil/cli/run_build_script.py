"""``frazil run-build-script``: write what another build system links to have Python and a program inside its own."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from frazil.cli import configured, screen
from frazil.cli.options import CONTEXT
from frazil.errors import UsageError

if TYPE_CHECKING:
    from frazil.builder.host import Result
    from frazil.plan import Plan

EPILOG: Final = """\b
Examples:
  frazil run-build-script --out build
  cc -c main.c $(pkg-config --cflags build/app.pc) && cc main.o $(pkg-config --libs build/app.pc) -o program
"""


@click.command(
    "run-build-script",
    short_help="Write what another build system links.",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("config", metavar="[CONFIG]", default=".")
@click.option("--out", metavar="DIR", required=True, help="Where the files go; others may stand there.")
@configured.TARGET
@configured.VARIABLE
@configured.VARIABLE_FROM_ENVIRONMENT
@configured.RELEASE
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    config: str,
    out: str,
    targets: tuple[str, ...],
    variables: tuple[str, ...],
    environment_variables: tuple[str, ...],
    *,
    release: bool,
    quiet: bool,
) -> None:
    """Resolve CONFIG's target for build scripts and write into DIR what a program links to have it inside.

    The target is the one registered with default_build_script=True. DIR gets NAME.o, which holds Python and all that belongs to
    it; frazil.h, which declares frazil_main and frazil_initialize; NAME.json and NAME.pc, the flags to compile and link with.
    """
    from frazil.builder import build as builder  # noqa: PLC0415 - --help does not build
    from frazil.builder.host import Form, Host  # noqa: PLC0415 - likewise
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise
    from frazil.config.dialect.configuration import find  # noqa: PLC0415 - likewise
    from frazil.config.dialect.output import Production, State, produce_in  # noqa: PLC0415 - likewise

    if len(targets) > 1:
        raise UsageError("--target is given twice, and one program is linked")
    directory = Path(os.path.abspath(out))  # noqa: PTH100 - a symbolic link keeps its place
    variables_given = configured.variables_of(variables, environment_variables)
    asked = configured.Asked(find(Path(config)), targets, variables_given, release)
    cache = default_cache()
    configuration = configured.evaluate(asked, cache, quiet=quiet, build_script=True)
    results: list[Result] = []
    with screen.progress(quiet=quiet) as tell:

        def make(_target: str, plan: Plan, path: Path) -> None:
            host = Host(cache, path, tell, Form.LINKABLE, directory)
            results.append(builder.build(plan, host))

        outcome = produce_in(configuration, directory, Production(cache, release, make, tell))
    if quiet:
        return
    if outcome.state is State.UNCHANGED:
        screen.line(f"{outcome.name}: nothing has changed: {configured.shown(directory)}")
    for result in results:
        _show(dataclasses.replace(result, path=configured.shown(directory) / f"{result.path.name}.o"))


def _show(result: Result) -> None:
    from frazil.cli.build import summarise  # noqa: PLC0415 - --help does not build

    package = result.path.with_suffix(".pc")
    summarise(result, ("link it", f"cc main.o $(pkg-config --libs {package}) -o program"))
    for warning in result.warnings:
        screen.warn(warning)
