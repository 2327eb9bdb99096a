"""``frazil build``: freeze an application into one executable."""

from __future__ import annotations

import dataclasses
import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from frazil.cli import configured, screen
from frazil.cli.manifest import DIALECT, manifest_plan_of
from frazil.cli.options import CONTEXT, build_options, gather, plans_of
from frazil.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from frazil.builder.host import Result
    from frazil.cache import ContentCache
    from frazil.config.dialect.output import Outcome
    from frazil.plan import Plan

DEFAULT_DIRECTORY: Final = Path("dist")
"""Where executables go when ``-o`` does not say."""
SHOWN_OWNERS: Final = 12
"""So many parts of an executable are listed; the rest is summed up."""

CONFIGURED: Final = frozenset({"source", "targets", "variables", "environment_variables", "release", "quiet", "json_wanted"})
"""The parameters that go with a configuration."""

EPILOG: Final = """\b
SOURCE is one of
  hello.py           a script; a PEP 723 block in it names its dependencies
  package/           a directory with __main__.py
  package:function   a function, called as console scripts are
  project/           a directory with pyproject.toml; one executable for each console script
  frazil.bzl         a Starlark configuration, or a directory with frazil.bzl or pyoxidizer.bzl;
                     that of this directory when SOURCE is left out. Its targets are built into
                     build/TRIPLE/debug/TARGET/, or .../release/TARGET/ with --release

\b
Examples:
  frazil build hello.py
  frazil build hello.py -o /tmp/hello --with 'rich>=13'
  frazil build . --multicall --venv .venv
  frazil build hello.py --python python3.12 --link static
  frazil build --manifest manifest.py --entry app:main
  frazil build --target exe --target install --release
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
        "native": [dataclasses.asdict(one) for one in result.native],
        "objects": {"all": result.objects, "compiled": result.objects_compiled},
        "files": [str(one) for one in result.files],
        "warnings": list(result.warnings),
    }


def _beside(result: Result) -> list[tuple[str, str]]:
    """A row for what stands beside the executable."""
    if not result.files:
        return []
    size = screen.size_text(sum(result.file_sizes.values()))
    places = sorted({one.parts[0] for one in result.files})
    return [("beside it", f"{len(result.files)} files, {size}, in {', '.join(places)}")]


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
            *_beside(result),
            ("link", link),
            *_native_rows(result),
            ("runs on", f"Linux x86-64, glibc {result.glibc.version} or later ({result.glibc.set_by} asks for it)"),
            ("time", f"{screen.time_text(sum(seconds for _, seconds in result.timings))}: {steps}"),
            (name, (text, "cyan")),
        ]
    )


def _native_rows(result: Result) -> Iterator[tuple[str, str]]:
    """How the native modules came in, and why not into the program."""
    if result.native:
        linked = [one.name for one in result.native if one.how == "static"]
        compiled = f"; {result.objects_compiled} of {result.objects} objects compiled"
        yield "native", f"{len(linked)} static, {len(result.native) - len(linked)} from memory{compiled}"
    for one in result.native:
        yield "", one.name + (": static" if one.how == "static" else f": from memory, since {one.reason}")


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


def _asked(context: click.Context, source: str | None, options: dict[str, Any]) -> configured.Asked | None:
    """What is asked of a configuration, or None when SOURCE or ``--manifest`` is no configuration's; takes its own options."""
    targets, environment, release = (options.pop(name) for name in ("targets", "environment_variables", "release"))
    surely = bool(targets or environment or release)
    if options["manifests"]:
        if surely:
            raise UsageError("--target, --var-env and --release go with a configuration, not with --manifest")
        return None
    path = configured.configuration_at(source, surely=surely)
    if path is None:
        return None
    configured.refuse_options(context, CONFIGURED)
    return configured.Asked(path, targets, configured.variables_of(options["variables"], environment), release)


def _build_configured(asked: configured.Asked, *, quiet: bool, json_wanted: bool) -> None:
    from frazil.cache import default_cache  # noqa: PLC0415 - --help does not build

    outcomes, results = configured.build(asked, default_cache(), quiet=quiet or json_wanted)
    if json_wanted:
        click.echo(json.dumps({"targets": [_outcome_as_json(one, results) for one in outcomes]}, indent=2))
    elif not quiet:
        for outcome in outcomes:
            _show(outcome, results)


def _show(outcome: Outcome, results: Mapping[str, Sequence[Result]]) -> None:
    """Print what became of a target."""
    from frazil.config.dialect.output import State  # noqa: PLC0415 - --help does not build

    place = configured.shown(outcome.run or outcome.directory)
    if outcome.state is State.UNCHANGED:
        screen.line(f"{outcome.name}: nothing has changed: {place}")
    elif outcome.state is State.NOTHING:
        screen.line(f"{outcome.name}: resolved; its value, of type {outcome.value_type}, is nothing to build")
    elif outcome.executables:
        for result, path in zip(results[outcome.name], outcome.executables, strict=True):
            summarise(dataclasses.replace(result, path=configured.shown(path)))
            for warning in result.warnings:
                screen.warn(warning)
    else:
        screen.line(f"{outcome.name}: {place}")


def _outcome_as_json(outcome: Outcome, results: Mapping[str, Sequence[Result]]) -> dict[str, Any]:
    built = zip(results.get(outcome.name, ()), outcome.executables, strict=False)
    return {
        "name": outcome.name,
        "state": outcome.state.value,
        "type": outcome.value_type,
        "directory": str(outcome.directory),
        "run": None if outcome.run is None else str(outcome.run),
        "executables": [as_json(dataclasses.replace(result, path=path)) for result, path in built],
    }


@click.command("build", short_help="Freeze an application into one executable.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("source", required=False)
@click.option("-o", "--output", metavar="OUT", help="The executable, or a directory for several. Default: dist/NAME.")
@click.option(
    "--manifest", "manifests", multiple=True, metavar="FILE", help="Instead of SOURCE: freeze what this manifest lists."
)
@click.option("--entry", metavar="ENTRY", help="What then runs: package.module:function, or a module.")
@click.option(
    "-v",
    "--var",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of --manifest; a value of VARS of a configuration.",
)
@DIALECT
@configured.TARGET
@configured.VARIABLE_FROM_ENVIRONMENT
@configured.RELEASE
@build_options
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "json_wanted", is_flag=True, help="Print what was built as JSON instead of a summary.")
@click.pass_context
def command(
    context: click.Context, /, source: str | None, output: str | None, *, quiet: bool, json_wanted: bool, **options: Any
) -> None:
    """Freeze SOURCE into one native executable, or build the targets of a configuration.

    Dependencies are installed with uv, or pip, into a cache; or taken from a virtual environment with --venv. The result needs
    nothing but the C library.
    """
    from frazil.builder.build import build  # noqa: PLC0415 - --help does not build
    from frazil.builder.host import Host  # noqa: PLC0415 - likewise
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    asked = _asked(context, source, options)
    if asked is not None:
        _build_configured(asked, quiet=quiet, json_wanted=json_wanted)
        return
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
