"""``frazil inspect``: list what is inside an executable."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from frazil.builder.warm.inspection import WarmStart
    from frazil.inspection import File, Inspection

BIGGEST: Final = 10
"""So many of the largest files are listed."""

_WAYS: Final = {"static": "static", "memory": "from memory", "file": "from files beside the executable"}

EPILOG: Final = """\b
Examples:
  frazil inspect dist/hello
  frazil inspect dist/hello --verify
  frazil inspect dist/hello --explain-warm
  frazil inspect dist/hello --json | jq .sizes
"""


def _as_json(found: Inspection, *, verified: bool) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "size": found.size,
        "image_size": found.image_size,
        "verified": verified,
        "settings": dict(found.settings),
        "entries": [asdict(entry) for entry in found.entries],
        "sizes": dict(found.sizes),
        "modules": [asdict(module) for module in found.modules],
        "files": [asdict(file) for file in found.files],
        "warm": _warm_as_json(found.warm) if found.warm else None,
    }


def _warm_as_json(warm: WarmStart) -> dict[str, Any]:
    from frazil.builder.warm.words import in_words  # noqa: PLC0415 - as above

    return {
        "size": warm.size,
        **asdict(warm.report),
        "conditions": [{"question": one.question.name.lower(), "words": in_words(one)} for one in warm.conditions],
        "objects": [{"name": one.name, "build": one.build} for one in warm.objects],
        "environment": warm.environment,
    }


def _head(found: Inspection, *, verified: bool) -> None:
    settings = found.settings
    screen.heading(f"{found.path}  {screen.size_text(found.size)}")
    rows: list[tuple[str, str]] = []
    if "name" in settings:
        rows.append(("name", settings["name"]))
    rows += [("entry", f"{entry.name}: {entry.kind} {entry.module}") for entry in found.entries]
    python = settings.get("python.full", settings.get("python", "unknown"))
    rows.append(("python", f"{python}, {settings.get('link', 'unknown')} link, optimize {settings.get('optimize', '0')}"))
    rows.append(("runs on", f"{settings.get('platform', 'unknown')}, glibc {settings.get('glibc', 'unknown')} or later"))
    rows.append(("frazil", settings.get("frazil", "unknown")))
    if settings.get("warm.first-run") == "1":
        modules = settings.get("warm.modules", "").replace(",", ", ") or "no modules"
        rows.append(("warm start", f"from a snapshot that is made at the first start on each machine, of {modules}"))
    extensions = sum(module.extension for module in found.modules)
    sources = sum(module.has_source for module in found.modules)
    sourceless = len(found.modules) - extensions - sources
    rows.append(
        ("modules", f"{len(found.modules)}: {sources} with source, {sourceless} bytecode only, {extensions} extension modules")
    )
    ways: Counter[str] = Counter(module.how for module in found.modules if module.extension)
    if ways:
        rows.append(("extensions", ", ".join(f"{ways[how]} {text}" for how, text in _WAYS.items() if ways[how])))
    kinds = Counter(file.kind for file in found.files)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0])))
    rows.append(("files", f"{len(found.files)}: {counts}" if counts else "0"))
    if packed := [file for file in found.files if file.stored_size != file.size]:
        real, stored = sum(file.size for file in packed), sum(file.stored_size for file in packed)
        rows.append(("compressed", f"{len(packed)} files: {screen.size_text(real)} stored as {screen.size_text(stored)}"))
    if verified:
        rows.append(("verified", "the SHA-256 and every record hold"))
    screen.table(rows)


def _stored_text(file: File) -> str:
    """How small a compressed file is stored."""
    return "" if file.stored_size == file.size else f"stored in {screen.size_text(file.stored_size)}"


def _parts(found: Inspection) -> None:
    files = Counter(file.owner for file in found.files)
    screen.line()
    screen.heading("Sizes")
    screen.table(
        [
            (screen.owner_text(owner), screen.size_text(size), f"{files[owner]} files" if files[owner] else "")
            for owner, size in found.sizes.items()
        ],
        right=frozenset({1, 2}),
    )
    screen.line()
    screen.heading("Biggest files")
    biggest = sorted(found.files, key=lambda file: (-file.stored_size, file.path))[:BIGGEST]
    screen.table([(screen.size_text(file.size), file.path, _stored_text(file)) for file in biggest], right=frozenset({0}))


def _warm(warm: WarmStart) -> None:
    from frazil.builder.warm.words import in_words  # noqa: PLC0415 - as above

    screen.line()
    screen.heading("Warm start")
    rows = [("snapshot", screen.size_text(warm.size))]
    rows += [("modules", name) for name in warm.report.modules]
    rows += [("left out", f"{one.module}: {one.reason}") for one in warm.report.left_out]
    rows += [("if", in_words(one)) for one in warm.conditions]
    rows += [("if", "no variable PYTHON... is set")] if warm.environment else []
    rows += [("with", f"{one.name}, {f'build {one.build}' if one.build else 'as it was'}") for one in warm.objects]
    rows += [("remark", one) for one in warm.report.remarks]
    screen.table(_once(rows))


def _once(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The rows, each word in the first column only where it changes."""
    before = ""
    for word, text in rows:
        yield ("" if word == before else word), text
        before = word


def _explain(file: Path, *, json_wanted: bool) -> None:
    """Say how it would start here; exit with 1 when that is cold."""
    from frazil.builder.warm.inspection import explain_start  # noqa: PLC0415 - as above

    decision = explain_start(file)
    if json_wanted:
        click.echo(json.dumps(asdict(decision), indent=2))
    else:
        screen.line("It starts warm here." if decision.warm else f"It starts cold here: {decision.reason}")
    if not decision.warm:
        raise click.exceptions.Exit(1)


@click.command("inspect", short_help="List what is inside an executable.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--verify", "verify_wanted", is_flag=True, help="Check the SHA-256 and every record; exit 1 when damaged.")
@click.option("--files", "files_wanted", is_flag=True, help="List every file with its size and owner.")
@click.option("--modules", "modules_wanted", is_flag=True, help="List every module with its file.")
@click.option(
    "--explain-warm", "explain_wanted", is_flag=True, help="Say whether it starts warm here, and why not; exit 1 if cold."
)
@click.option("--json", "json_wanted", is_flag=True, help="Print everything as JSON.")
def command(
    file: Path, *, verify_wanted: bool, files_wanted: bool, modules_wanted: bool, explain_wanted: bool, json_wanted: bool
) -> None:
    """List what is inside FILE, an executable that frazil built or a bare image."""
    from frazil.inspection import inspect, open_image, verify  # noqa: PLC0415 - --help reads nothing

    image = open_image(file)
    if verify_wanted:
        verify(file, image)
    if explain_wanted:
        _explain(file, json_wanted=json_wanted)
        return
    found = inspect(file, image)
    if json_wanted:
        click.echo(json.dumps(_as_json(found, verified=verify_wanted), indent=2))
        return
    if not (files_wanted or modules_wanted):
        _head(found, verified=verify_wanted)
        _parts(found)
        if found.warm:
            _warm(found.warm)
        return
    if files_wanted:
        rows = [
            (screen.size_text(one.size), screen.owner_text(one.owner), one.kind, one.path, _stored_text(one))
            for one in found.files
        ]
        screen.table(rows, right=frozenset({0}), indent="")
    if modules_wanted:
        screen.table([(one.name, screen.owner_text(one.owner), one.how, one.file) for one in found.modules], indent="")
