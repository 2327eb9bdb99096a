"""``frazil pmm compile``: a source file becomes a ``.pmm`` file."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT, distribution_of
from frazil.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.pmm.compile import Module

EPILOG = """\b
Examples:
  frazil pmm compile telemetry.py                 writes telemetry.pmm
  frazil pmm compile < telemetry.py > telemetry.pmm
  frazil pmm compile package/ -o modules/         a .pmm file for each module of a package
  frazil pmm compile fix.py --name json.decoder   writes json.decoder.pmm
"""


def _modules(source: str | None, name: str | None, *, package: bool) -> tuple[Module, ...]:
    from frazil.pmm.compile import Module, modules_of  # noqa: PLC0415 - --help compiles nothing
    from frazil_runtime.pmm.keys import is_module_name  # noqa: PLC0415 - likewise

    if name is not None and not is_module_name(name):
        raise UsageError(f"{name!r} is no name of a module", where="--name", remedy="Give it as import statements do.")
    if source is None or source == "-":
        return (Module(name or "", sys.stdin.buffer.read(), package, "<standard input>"),)
    path = Path(source)
    if name is not None and path.is_file():
        return (Module(name, path, package or path.name == "__init__.py", source),)
    found = modules_of(path)
    if name is not None or (package and len(found) > 1):
        raise UsageError("--name and --package are for a single file", where=source)
    return tuple(dataclasses.replace(one, package=one.package or package) for one in found)


def _targets(source: Path, modules: Sequence[Module], output: str | None, name: str | None) -> list[Path]:
    """Where each PMM goes: beside the source under its base name, as the name says, or into a directory."""
    from frazil.pmm.compile import SUFFIX  # noqa: PLC0415 - likewise

    if output is not None and (len(modules) > 1 or output.endswith("/") or Path(output).is_dir()):
        if Path(output).exists() and not Path(output).is_dir():
            raise OutputError("this is a file, and a directory is needed for the modules", where=output)
        return [Path(output) / f"{one.name}{SUFFIX}" for one in modules]
    if output is not None:
        return [Path(output)]
    beside = source.parent.parent if source.name == "__init__.py" else source.parent
    return [beside / f"{name or one.name}{SUFFIX}" for one in modules]


@click.command("compile", short_help="Compile a source file to a .pmm file.", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("source", required=False)
@click.option("-o", "--output", metavar="OUT", help="The file, or a directory. Default: NAME.pmm beside SOURCE.")
@click.option("--name", metavar="NAME", help="The module's dotted name. It names the output and is not in it.")
@click.option("--package", is_flag=True, help="The module is a package. Default: if SOURCE is an __init__.py.")
@click.option(
    "--python",
    metavar="PATH|ARCHIVE|URL",
    help="The Python that the executable was built with: an interpreter or an archive. Default: frazil's own.",
)
@click.option("--sha256", metavar="HEX", help="The digest that the archive must have; needed for a URL.")
@click.option(
    "--optimize", type=click.Choice(["0", "1", "2"]), default="0", show_default=True, help="Bytecode as with -O or -OO."
)
@click.option("--source", "with_source", is_flag=True, help="Put the source in too, for tracebacks and inspect.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    source: str | None,
    output: str | None,
    name: str | None,
    python: str | None,
    sha256: str | None,
    *,
    optimize: str,
    package: bool,
    with_source: bool,
    quiet: bool,
) -> None:
    """Compile SOURCE, a file or the directory of a package; without it, from standard input to standard output."""
    from frazil.cache import default_cache, replace_file  # noqa: PLC0415 - --help compiles nothing
    from frazil.pmm.compile import compile_modules  # noqa: PLC0415 - likewise

    cache = default_cache()
    modules = _modules(source, name, package=package)
    distribution = distribution_of(python, sha256, cache)
    sealed = compile_modules(modules, distribution, cache, optimize=int(optimize), with_source=with_source)
    if output == "-" or (output is None and (source is None or source == "-")):
        if len(modules) > 1:
            raise UsageError("several modules do not go into one stream", where=source, remedy="Name a directory with -o.")
        sys.stdout.buffer.write(sealed[modules[0].name])
        sys.stdout.buffer.flush()
        return
    for module, target in zip(modules, _targets(Path(source or "-"), modules, output, name), strict=True):
        data = sealed[module.name]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, data)
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror or error}", where=target) from error
        if not quiet:
            screen.line(f"{target}  {screen.size_text(len(data))}  for Python {distribution.short_version}")
