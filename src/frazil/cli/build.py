"""``frazil build``: freeze an application into one executable."""

from __future__ import annotations

import dataclasses
import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from frazil.cli import screen
from frazil.cli.manifest import DIALECT, VARIABLE, manifest_plan_of
from frazil.cli.options import CONTEXT, build_options, gather, plans_of
from frazil.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.builder.host import Result
    from frazil.cache import ContentCache
    from frazil.plan import Plan

DEFAULT_DIRECTORY: Final = Path("dist")
"""Where executables go when ``-o`` does not say."""
SHOWN_OWNERS: Final = 12
"""So many parts of an executable are listed; the rest is summed up."""

EPILOG: Final = """\b
SOURCE is one of
  hello.py           a script; a PEP 723 block in it names its dependencies
  package/           a directory with __main__.py
  package:function   a function, called as console scripts are
  project/           a directory with pyproject.toml; one executable for each console script

\b
Examples:
  frazil build hello.py
  frazil build hello.py -o /tmp/hello --with 'rich>=13'
  frazil build . --multicall --venv .venv
  frazil build hello.py --python python3.12 --link static
  frazil build --manifest manifest.py --entry app:main
"""


def _targets(plans: Sequence[Plan], output: str | None) -> list[Path]:
    """Where each plan's executable goes; OutputError when several would have to be one file."""
    if len(plans) == 1 and output is not None:
        return [Path(output)]
    directory = DEFAULT_DIRECTORY if output is None else Path(output)
    if directory.exists() and not directory.is_dir():
        problem = "this is a file, and a directory is needed for the executables"
        raise OutputError(problem, where=directory, remedy="Name a directory with -o, or one executable with --multicall.")
    return [directory / plan.name for plan in plans]


def as_json(result: Result) -> dict[str, Any]:
    """A result for programs: paths as text, enumerations by value."""
    return {
        "path": str(result.path),
        "size": result.size,
        "sizes": dict(result.sizes),
        "modules": result.modules,
        "timings": [{"step": step, "seconds": round(seconds, 6)} for step, seconds in result.timings],
        "glibc": {"version": result.glibc.version, "set_by": result.glibc.set_by},
        "link": result.link.value,
        "link_reason": result.link_reason,
        "warnings": list(result.warnings),
    }


def _command_to_run(path: Path) -> str:
    text = str(path)
    return shlex.quote(text if "/" in text else f"./{text}")


def summarise(result: Result, last: tuple[str, str] | None = None) -> None:
    """Print what was built: size by part, time by step, glibc floor, how to run it, or the ``last`` row instead of that."""
    name, text = last or ("run it", _command_to_run(result.path))
    screen.line()
    screen.heading(f"{result.path}  {screen.size_text(result.size)}")
    parts = sorted(result.sizes.items(), key=lambda part: (-part[1], part[0]))
    rows: list[tuple[screen.Cell, ...]] = [
        (screen.owner_text(owner), screen.size_text(size), (f"{100 * size / max(result.size, 1):.0f} %", "dim"))
        for owner, size in parts[:SHOWN_OWNERS]
    ]
    if rest := parts[SHOWN_OWNERS:]:
        total = sum(size for _, size in rest)
        rows.append((f"{len(rest)} more", screen.size_text(total), (f"{100 * total / max(result.size, 1):.0f} %", "dim")))
    screen.table(rows, right=frozenset({1, 2}))
    screen.line()
    steps = ", ".join(f"{step} {screen.time_text(seconds)}" for step, seconds in result.timings)
    link = result.link.value + (f" ({result.link_reason})" if result.link_reason else "")
    screen.table(
        [
            ("modules", str(result.modules)),
            ("link", link),
            ("runs on", f"Linux x86-64, glibc {result.glibc.version} or later ({result.glibc.set_by} asks for it)"),
            ("time", f"{screen.time_text(sum(seconds for _, seconds in result.timings))}: {steps}"),
            (name, (text, "cyan")),
        ]
    )


def _plans(source: str | None, options: dict[str, Any], cache: ContentCache) -> tuple[Plan, ...]:
    """The plans of SOURCE, or of ``--manifest``."""
    manifest = {name: options.pop(name) for name in ("manifests", "entry", "variables", "dialect")}
    manifests = manifest["manifests"]
    if manifests and source is not None:
        raise UsageError("both SOURCE and --manifest say what to freeze", where=source, remedy="Name one.")
    if manifests:
        return (manifest_plan_of(manifest, gather("", options), cache),)
    if source is None:
        raise click.UsageError("Missing argument 'SOURCE'.")
    if manifest["entry"] is not None or manifest["variables"]:
        raise UsageError("--entry and -v go with --manifest", where=source)
    return plans_of(gather(source, options), cache)


@click.command("build", short_help="Freeze an application into one executable.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("source", required=False)
@click.option("-o", "--output", metavar="OUT", help="The executable, or a directory for several. Default: dist/NAME.")
@click.option(
    "--manifest", "manifests", multiple=True, metavar="FILE", help="Instead of SOURCE: freeze what this manifest lists."
)
@click.option("--entry", metavar="ENTRY", help="What then runs: package.module:function, or a module.")
@VARIABLE
@DIALECT
@build_options
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "json_wanted", is_flag=True, help="Print what was built as JSON instead of a summary.")
def command(source: str | None, output: str | None, *, quiet: bool, json_wanted: bool, **options: Any) -> None:
    """Freeze SOURCE into one native executable.

    Dependencies are installed with uv, or pip, into a cache; or taken from a virtual environment with --venv. The result needs
    nothing but the C library.
    """
    from frazil.builder.build import build  # noqa: PLC0415 - --help does not build
    from frazil.builder.host import Host  # noqa: PLC0415 - likewise
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    started = time.monotonic()
    cache = default_cache()
    results = []
    with screen.progress(quiet=quiet or json_wanted) as tell:
        tell("reading the application")
        plans = _plans(source, options, cache)
        planned = time.monotonic() - started
        for plan, target in zip(plans, _targets(plans, output), strict=True):
            if target.parent == DEFAULT_DIRECTORY or len(plans) > 1:
                target.parent.mkdir(parents=True, exist_ok=True)
            results.append(build(plan, Host(cache, target, tell)))
    results[0] = dataclasses.replace(results[0], timings=(("read", planned), *results[0].timings))
    if json_wanted:
        click.echo(json.dumps({"executables": [as_json(result) for result in results]}, indent=2))
        return
    if quiet:
        return
    for result in results:
        summarise(result)
        for warning in result.warnings:
            screen.warn(warning)
