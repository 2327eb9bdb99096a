"""``frazil run``: build through the caches, then become the program.

The executable is kept in the cache under a key made of the plan: names, options and, for each file, its identity and times.
A second run of an unchanged application therefore builds nothing. Executables that nobody ran for a while are dropped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click

from frazil.cli import configured
from frazil.cli.options import CONTEXT, build_options, gather, plans_of
from frazil.errors import HostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.plan import Plan

KIND: Final = "run"
"""The kind of these entries in the cache."""
KEPT_SECONDS: Final = 14 * 24 * 3600
"""An executable that was not run for so long is dropped when another is built."""

EPILOG: Final = """\b
Examples:
  frazil run hello.py
  frazil run hello.py -- --name you
  frazil run . --script hello-admin -- --verbose
  frazil run --target exe -- --name you     a target of frazil.bzl or pyoxidizer.bzl here
"""


def _chosen(plans: Sequence[Plan], script: str | None) -> Plan:
    names = ", ".join(plan.name for plan in plans)
    if script is not None:
        for plan in plans:
            if plan.name == script:
                return plan
        raise UsageError(f"there is no program {script!r} here", remedy=f"These are here: {names}.")
    if len(plans) > 1:
        raise UsageError("several programs are here", remedy=f"Choose one with --script: {names}.")
    return plans[0]


def _drop_stale(cache: ContentCache, now: float) -> None:
    for entry in (cache.root / KIND).glob("*/*"):
        with contextlib.suppress(OSError):
            if entry.is_dir() and entry.stat().st_mtime < now - KEPT_SECONDS:
                shutil.rmtree(entry)


def _executable(plan: Plan, cache: ContentCache) -> Path:
    """The plan's executable, from the cache or built into it."""
    from frazil.builder.build import build  # noqa: PLC0415 - a second run does not build
    from frazil.builder.host import Host  # noqa: PLC0415 - likewise
    from frazil.identity import identity_of  # noqa: PLC0415 - --help does not build

    def make(place: Path) -> None:
        place.mkdir()
        build(plan, Host(cache, place / plan.name))
        _drop_stale(cache, time.time())

    key = identity_of(plan)
    entry = cache.entry(KIND, key, make)
    if not (entry / plan.name).exists():  # a cleaner of old files took it
        cache.discard(KIND, key)
        entry = cache.entry(KIND, key, make)
    with contextlib.suppress(OSError):
        os.utime(entry)
    return entry / plan.name


class _Command(click.Command):
    """What stands behind ``--`` is the program's, also when no SOURCE stands before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" not in args:
            return super().parse_args(ctx, args)
        at = args.index("--")
        rest = super().parse_args(ctx, args[:at])
        ctx.params["arguments"] = (*ctx.params["arguments"], *args[at + 1 :])
        return rest


def _run_configured(asked: configured.Asked, arguments: tuple[str, ...]) -> None:
    """Build the configuration's target and become what it runs."""
    from frazil.cache import default_cache  # noqa: PLC0415 - --help needs none

    outcomes, _ = configured.build(asked, default_cache(), quiet=not sys.stderr.isatty())
    programs = [one.run for one in outcomes if one.run is not None]
    if not programs:
        names = ", ".join(one.name for one in outcomes)
        remedy = "Name a target that makes an executable with --target; frazil targets lists all."
        raise UsageError(f"target {names} makes no program to run", where=asked.path, remedy=remedy)
    _become(programs[-1], arguments)


def _become(executable: Path, arguments: Sequence[str]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(executable, [str(executable), *arguments])  # noqa: S606 - becoming the program is the point
    except OSError as error:
        raise HostError(
            f"the program cannot be started: {error.strerror or error}",
            where=executable,
            remedy="Is this file system mounted noexec? FRAZIL_CACHE_DIR names another directory for the cache.",
        ) from error


@click.command(
    "run",
    cls=_Command,
    short_help="Build an application through the caches and run it.",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("source", required=False)
@click.argument("arguments", metavar="[-- ARGS...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--script", metavar="NAME", help="Which console script of a project to run.")
@configured.TARGET
@configured.VARIABLE
@configured.VARIABLE_FROM_ENVIRONMENT
@configured.RELEASE
@build_options
@click.pass_context
def command(
    context: click.Context, /, source: str | None, arguments: tuple[str, ...], script: str | None, **options: Any
) -> None:
    """Build SOURCE, or a target of a configuration, through the caches and run it with ARGS; the exit code is the program's."""
    from frazil.cache import default_cache  # noqa: PLC0415 - --help needs none

    own = {name: options.pop(name) for name in ("targets", "variables", "environment_variables", "release")}
    path = configured.configuration_at(source, surely=any(own.values()))
    if path is not None:
        configured.refuse_options(context, {"source", "arguments", *own})
        variables = configured.variables_of(own["variables"], own["environment_variables"])
        _run_configured(configured.Asked(path, own["targets"], variables, own["release"]), arguments)
        return
    if source is None:
        raise click.UsageError("Missing argument 'SOURCE'.")
    cache = default_cache()
    _become(_executable(_chosen(plans_of(gather(source, options), cache), script), cache), arguments)
