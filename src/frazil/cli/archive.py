"""``frazil archive``: build, merge, inspect, compare and check archives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT, build_options, distribution_of, gather, source_options
from frazil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.archive.content import Archive
    from frazil.archive.difference import Difference
    from frazil.archive.merge import Conflict
    from frazil.cache import ContentCache
    from frazil.plan import Plan

DIFFERENT: Final = 1
"""Exit code of ``diff`` when the archives differ."""

EPILOG: Final = """\b
Examples:
  frazil archive build -o speed.tar.gz .           the project here, and all that it requires
  frazil archive build -o markup --with markupsafe
  frazil archive merge new.tar.gz old.tar.gz -o both.tar.gz
  frazil build app.py --use-archive both.tar.gz
"""

_OUTPUT = click.option(
    "-o", "--output", required=True, metavar="DIR|FILE.tar.gz", help="Where the archive goes; it is replaced as a whole."
)
_STRICT = click.option("--strict", is_flag=True, help="Fail when archives differ in what they both have.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
_JSON = click.option("--json", "json_wanted", is_flag=True, help="Print as JSON.")


@click.group("archive", short_help="Bundle modules, objects, libraries and headers.", epilog=EPILOG, context_settings=CONTEXT)
def command() -> None:
    """Make archives: bundles of sources, objects, libraries and headers that other builds use."""


def _opened(paths: Sequence[str], cache: ContentCache) -> list[Archive]:
    from frazil.archive.machine import require_machines  # noqa: PLC0415 - --help reads nothing
    from frazil.archive.reader import read_archive  # noqa: PLC0415 - likewise

    found = [read_archive(Path(path), cache) for path in paths]
    for archive in found:
        require_machines(archive)
    return found


def _plan(source: str | None, options: dict[str, Any], cache: ContentCache) -> Plan:
    """The one plan of SOURCE, a project's scripts all in it; or of requirements alone."""
    from dataclasses import replace  # noqa: PLC0415 - --help plans nothing

    from frazil.config.library import requirements_plan  # noqa: PLC0415 - likewise
    from frazil.config.source import plans  # noqa: PLC0415 - likewise

    if options.pop("multicall"):
        raise UsageError("--multicall is for executables; an archive has all scripts of a project")
    asked = gather(source or "", {**options, "multicall": False})
    wanted = replace(source_options(asked), library=True)
    distribution = distribution_of(asked.python, asked.sha256, cache)
    return requirements_plan(wanted, distribution, cache) if source is None else plans(wanted, distribution, cache)[0]


@command.command("build", short_help="Make an archive of an application or library.", context_settings=CONTEXT)
@click.argument("source", required=False)
@_OUTPUT
@_STRICT
@build_options
@_QUIET
@_JSON
def build_command(source: str | None, output: str, *, strict: bool, quiet: bool, json_wanted: bool, **options: Any) -> None:
    """Make an archive of SOURCE, which is all that `frazil build` takes; or of what --with names alone.

    Archives that are used (--use-archive) are merged in; what this build makes wins over them, an earlier one over a later one.
    """
    from frazil.archive.writer import require_replaceable, write_archive  # noqa: PLC0415 - --help writes nothing
    from frazil.builder.archive import archive_of  # noqa: PLC0415 - likewise
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    cache = default_cache()
    place = Path(output)
    require_replaceable(place)
    with screen.progress(quiet=quiet or json_wanted) as tell:
        tell("reading the application")
        plan = _plan(source, options, cache)
        tell("archive")
        made = archive_of(plan, cache)
        merged = _merged([made.archive, *(plan.archives.archives if plan.archives else ())], output, strict=strict)
        write_archive(merged[0], place)
    _finish(place, merged, made.warnings, quiet=quiet, json_wanted=json_wanted)


def _merged(archives: Sequence[Archive], output: str, *, strict: bool) -> tuple[Archive, tuple[Conflict, ...]]:
    from frazil.archive.merge import merge, require_none  # noqa: PLC0415 - --help merges nothing

    merged = merge(archives, output)
    if strict:
        require_none(merged.conflicts, output)
    return merged.archive, merged.conflicts


@command.command("merge", short_help="Make one archive of several.", context_settings=CONTEXT)
@click.argument("archives", nargs=-1, required=True)
@_OUTPUT
@_STRICT
@_QUIET
@_JSON
def merge_command(archives: tuple[str, ...], output: str, *, strict: bool, quiet: bool, json_wanted: bool) -> None:
    """Make one archive of ARCHIVES, of which an earlier one wins over a later one."""
    from frazil.archive.writer import write_archive  # noqa: PLC0415 - --help writes nothing
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    merged = _merged(_opened(archives, default_cache()), output, strict=strict)
    write_archive(merged[0], Path(output))
    _finish(Path(output), merged, (), quiet=quiet, json_wanted=json_wanted)


def _finish(
    place: Path,
    merged: tuple[Archive, tuple[Conflict, ...]],
    warnings: Sequence[str],
    *,
    quiet: bool,
    json_wanted: bool,
) -> None:
    archive, conflicts = merged
    if json_wanted:
        document = {
            "path": str(place),
            "modules": len(archive.metadata.modules),
            "files": len(archive.files),
            "conflicts": [
                {"what": one.what, "winner": one.winner, "loser": one.loser, "reason": one.reason} for one in conflicts
            ],
            "warnings": list(warnings),
        }
        click.echo(json.dumps(document, indent=2))
        return
    if quiet:
        return
    size = place.stat().st_size if place.is_file() else sum(facts.size for facts in archive.metadata.files.values())
    screen.heading(f"{place}  {screen.size_text(size)}")
    _summary(archive)
    for conflict in conflicts:
        screen.warn(str(conflict))
    for warning in dict.fromkeys(warnings):
        screen.warn(warning)


def _summary(archive: Archive) -> None:
    metadata = archive.metadata
    modules = metadata.modules.values()
    native, ahead = sum(one.native for one in modules), sum(one.precompile for one in modules)
    compiler = metadata.compiler
    rows: list[tuple[screen.Cell, ...]] = [
        ("application", f"{metadata.app_name} {metadata.app_version}".strip()),
        ("made with", f"frazil {metadata.frazil_version}, {metadata.python.implementation} {metadata.python.version}"),
        ("for", f"{metadata.python.soabi}, {metadata.mode.platform}"),
        ("modules", f"{len(modules)}: {native} native, {ahead} compiled ahead"),
        ("files", str(len(archive.files))),
    ]
    if compiler is not None:
        rows.insert(3, ("compiler", " ".join((compiler.name, compiler.version, *compiler.flags))))
    screen.table(rows)


@command.command("inspect", short_help="List what is in an archive.", context_settings=CONTEXT)
@click.argument("archive")
@click.option("--files", "files_wanted", is_flag=True, help="List every file with its size.")
@_JSON
def inspect_command(archive: str, *, files_wanted: bool, json_wanted: bool) -> None:
    """List what is in ARCHIVE."""
    from frazil.archive.metadata import as_json  # noqa: PLC0415 - --help reads nothing
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    (found,) = _opened([archive], default_cache())
    if json_wanted:
        click.echo(json.dumps(as_json(found.metadata), indent=2, sort_keys=True))
    elif files_wanted:
        rows = [(screen.size_text(facts.size), path) for path, facts in sorted(found.metadata.files.items())]
        screen.table(rows, right=frozenset({0}), indent="")
    else:
        screen.heading(archive)
        _summary(found)
        screen.line()
        screen.table([_row(name, found) for name in sorted(found.metadata.modules)])


def _row(name: str, archive: Archive) -> tuple[screen.Cell, ...]:
    facts = archive.metadata.modules[name]
    kinds = [word for word, flag in (("native", facts.native), ("precompile", facts.precompile)) if flag]
    notes = (
        [f"{len(facts.objects)} objects", facts.init_symbol, *(f"-l{one}" for one in facts.libraries)] if facts.objects else []
    )
    return name, ", ".join(kinds) or "python", " ".join(notes)


@command.command("diff", short_help="Say in what two archives differ.", context_settings=CONTEXT)
@click.argument("first")
@click.argument("second")
@_JSON
def diff_command(first: str, second: str, *, json_wanted: bool) -> int:
    """Say what was added, removed and changed from FIRST to SECOND; exit code 1 when anything was."""
    from frazil.archive.difference import differences  # noqa: PLC0415 - --help compares nothing
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    before, after = _opened([first, second], default_cache())
    found = differences(before, after)
    if json_wanted:
        rows = [{"kind": one.kind, "name": one.name, "change": one.change, "details": list(one.details)} for one in found]
        click.echo(json.dumps(rows, indent=2))
    else:
        for one in found:
            _show(one)
    return DIFFERENT if found else 0


def _show(one: Difference) -> None:
    screen.line(f"{one.change:<8} {one.kind} {one.name}")
    for detail in one.details:
        screen.line(f"           {detail}", "dim")


@command.command("verify", short_help="Check an archive.", context_settings=CONTEXT)
@click.argument("archives", nargs=-1, required=True)
@_QUIET
def verify_command(archives: tuple[str, ...], *, quiet: bool) -> None:
    """Check everything in ARCHIVES: names, digests, metadata, and which machine native files are for."""
    from frazil.cache import default_cache  # noqa: PLC0415 - --help reads nothing

    for path, found in zip(archives, _opened(archives, default_cache()), strict=True):
        if not quiet:
            screen.line(f"{path}: {len(found.files)} files and {len(found.metadata.modules)} modules hold")
