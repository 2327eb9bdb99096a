"""What ``build``, ``run`` and ``run-build-script`` share when a Starlark configuration says what to build."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from frazil.cli import screen
from frazil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from frazil.builder.host import Result
    from frazil.cache import ContentCache
    from frazil.config.dialect.configuration import Configuration
    from frazil.config.dialect.output import Outcome
    from frazil.plan import Plan

SUFFIX: Final = ".bzl"
TARGET: Final = click.option(
    "-t", "--target", "targets", metavar="TARGET", multiple=True, help="A target of the configuration. Default: its default."
)
VARIABLE: Final = click.option(
    "--var", "variables", metavar="NAME=VALUE", multiple=True, help="A value of VARS; may be given several times."
)
VARIABLE_FROM_ENVIRONMENT: Final = click.option(
    "--var-env",
    "environment_variables",
    metavar="NAME=ENV",
    multiple=True,
    help="A value of VARS from the environment variable ENV; None when that is not set.",
)
RELEASE: Final = click.option("--release", is_flag=True, help="Build into build/TRIPLE/release instead of .../debug.")


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says about a configuration."""

    path: Path
    targets: tuple[str, ...]
    variables: Mapping[str, str | None]
    release: bool


def variables_of(given: Sequence[str], from_environment: Sequence[str] = ()) -> dict[str, str | None]:
    """``--var`` and ``--var-env`` options as ``VARS``. Raises UsageError."""
    found: dict[str, str | None] = {}
    pairs = [("--var", one, "NAME=VALUE") for one in given] + [("--var-env", one, "NAME=ENV") for one in from_environment]
    for option, one, form in pairs:
        name, equals, value = one.partition("=")
        if not equals or not name or (option == "--var-env" and not value):
            raise UsageError(f"{option} {one} is not {form}")
        if name in found:
            raise UsageError(
                f"{option} {name} is given twice" if option == "--var" else f"{option} {name}: it is given already"
            )
        found[name] = value if option == "--var" else os.environ.get(value)
    return found


def configuration_at(source: str | None, *, surely: bool = False) -> Path | None:
    """The configuration that SOURCE names, if it does: a ``.bzl`` file, or a directory with one.

    A directory that can be built without one, a project or package, is built with it only when nothing was named or ``surely``.
    """
    from frazil.config.dialect.configuration import NAMES, find  # noqa: PLC0415 - --help needs none

    where = Path("." if source is None else source)
    if where.suffix == SUFFIX:
        return where
    if surely:
        return find(where)
    if source is not None and any((where / name).exists() for name in ("pyproject.toml", "setup.py", "__main__.py")):
        return None
    return next((where / name for name in NAMES if (where / name).is_file()), None)


class _Person:
    """Who sits at the terminal."""

    def confirm(self, prompt: str, default: bool | None) -> bool:  # noqa: FBT001 - as the dialect has it
        return click.confirm(prompt, default=default, err=True)

    def text(self, prompt: str, default: str | None) -> str:
        answer: str = click.prompt(prompt, default=default, err=True)
        return answer

    def password(self, prompt: str, *, confirm: bool, default: str | None) -> str:
        answer: str = click.prompt(
            prompt, default=default, hide_input=True, confirmation_prompt=confirm, show_default=False, err=True
        )
        return answer


def evaluate(asked: Asked, cache: ContentCache, *, quiet: bool, build_script: bool = False) -> Configuration:
    """Run the configuration; what it prints, long steps and notes go to the standard error stream."""
    from frazil.config.dialect import configuration  # noqa: PLC0415 - --help needs none
    from frazil.config.dialect.session import Surroundings  # noqa: PLC0415 - likewise

    def progress(step: str) -> None:
        if not quiet:
            click.echo(f"{step} ...", err=True)

    return configuration.run(
        asked.path,
        Surroundings(cache, asked.release, progress, screen.warn, _Person() if sys.stdin.isatty() else None),
        wanted=asked.targets,
        variables=asked.variables,
        build_script=build_script,
        on_print=lambda text, _span: click.echo(text, err=True),
    )


def build(asked: Asked, cache: ContentCache, *, quiet: bool) -> tuple[list[Outcome], dict[str, list[Result]]]:
    """Build the targets; what became of each, and what was built for each."""
    from frazil.builder import build as builder  # noqa: PLC0415 - --help does not build
    from frazil.builder.host import Host  # noqa: PLC0415 - likewise
    from frazil.config.dialect.output import Production, produce  # noqa: PLC0415 - likewise

    configuration = evaluate(asked, cache, quiet=quiet)
    results: dict[str, list[Result]] = {}
    with screen.progress(quiet=quiet) as tell:

        def make(target: str, plan: Plan, path: Path) -> None:
            def tell_of(step: str) -> None:
                tell(f"{target}: {step}")

            results.setdefault(target, []).append(builder.build(plan, Host(cache, path, tell_of)))

        workers = min(os.cpu_count() or 1, 4)
        outcomes = produce(configuration, Production(cache, asked.release, make, tell, workers))
    return outcomes, results


def refuse_options(context: click.Context, allowed: Container[str]) -> None:
    """Raise UsageError for an option on the command line that says what the configuration says itself."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name not in allowed:
            problem = f"{max(parameter.opts, key=len)} goes with SOURCE"
            raise UsageError(problem, remedy="A configuration says such things itself; -h tells which options go with it.")


def shown(path: Path) -> Path:
    """A path as short as it can be from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
