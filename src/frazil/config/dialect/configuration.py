"""A configuration file, evaluated: its targets, or what is wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.cache import default_cache
from frazil.config.dialect import archives, distributions, files, manifests, prompts
from frazil.config.dialect.session import Session, Surroundings
from frazil.config.dialect.targets import Targets
from frazil.config.dialect.vocabulary import refusals
from frazil.config.starlark.errors import Fault, Source, Span, StarlarkError
from frazil.config.starlark.host import HostObject
from frazil.config.starlark.interpreter import Interpreter
from frazil.config.starlark.values import to_value
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from frazil.config.starlark.errors import Diagnostic
    from frazil.config.starlark.values import Value

NAMES: Final = ("frazil.bzl", "pyoxidizer.bzl")
"""What a configuration is called, in the order of looking."""
TRIPLE: Final = "x86_64-unknown-linux-gnu"
BUILD: Final = "build"
"""Where outputs stand, beside the configuration, unless ``set_build_path`` says otherwise."""


class _Context(HostObject, starlark_type="PyOxidizerContext"):
    """``CONTEXT``, of which programs can do nothing but pass it on."""


def find(where: Path) -> Path:
    """The configuration that ``where`` names: a file, or one of the usual names in a directory. Raises SourceError."""
    if not where.is_dir():
        return where
    for name in NAMES:
        if (where / name).is_file():
            return where / name
    raise SourceError(f"there is no {' and no '.join(NAMES)} here", where=where, remedy="Name the configuration's file.")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration that ran."""

    targets: Targets
    session: Session
    files: tuple[Path, ...]
    """Itself and the files that it loaded."""
    variables: Mapping[str, str | None]


def run(
    path: Path,
    surroundings: Surroundings,
    *,
    wanted: Sequence[str] | None = None,
    variables: Mapping[str, str | None] | None = None,
    build_script: bool = False,
    on_print: Callable[[str, Span | None], None] = lambda _text, _span: None,
) -> Configuration:
    """Run a configuration.

    ``wanted`` is what its ``resolve_targets()`` resolves: names, or nothing for the default target, with ``build_script`` that
    of build scripts. None runs no target. ``variables`` is ``VARS``. Raises StarlarkError.
    """

    def call(function: Value, arguments: Sequence[Value]) -> Value:
        return interpreter.call(function, arguments)

    def site() -> Span:
        return interpreter.site or Span(Source(str(path), ""), 1, 0, 1, 0)

    whole = Path(os.path.abspath(path))  # noqa: PTH100 - a symbolic link keeps its place
    made = Targets(call, site, wanted, build_script=build_script)
    session = Session(whole, surroundings, call, lambda: interpreter.site, lambda: made.resolving, whole.parent / BUILD)
    interpreter = Interpreter(_given(session, variables or {}, made), on_print=on_print)
    interpreter.run_file(path)
    if wanted is not None and not made.asked_for:  # a program need not call resolve_targets()
        try:
            made.resolve_wanted()
        except Fault as fault:
            raise StarlarkError(fault.problem, site(), remedy=fault.remedy) from None
    return Configuration(made, session, (whole, *interpreter.loaded), dict(variables or {}))


def targets(
    path: Path,
    *,
    wanted: Sequence[str] | None = None,
    variables: Mapping[str, str | None] | None = None,
    on_print: Callable[[str, Span | None], None] = lambda _text, _span: None,
) -> Targets:
    """The targets of a configuration; see ``run``."""
    return run(path, Surroundings(default_cache()), wanted=wanted, variables=variables, on_print=on_print).targets


def check(path: Path) -> list[Diagnostic]:
    """All that can be found in a configuration and the files that it loads without running anything."""
    return Interpreter(given(path)).check_file(path)


def given(path: Path) -> dict[str, Value]:
    """What configurations may name, for those who call nothing of it."""
    nowhere = Span(Source(str(path), ""), 1, 0, 1, 0)
    unused = Targets(lambda _function, _arguments: None, lambda: nowhere, None)
    surroundings = Surroundings(default_cache())
    session = Session(path.absolute(), surroundings, lambda _f, _a: None, lambda: None, lambda: None, path.parent / BUILD)
    return _given(session, {}, unused)


def _given(session: Session, variables: Mapping[str, str | None], made: Targets) -> dict[str, Value]:
    return {
        **refusals(),
        **made.functions(),
        **distributions.functions(session),
        **files.functions(session),
        **prompts.functions(session),
        **manifests.functions(session, variables),
        **archives.functions(session),
        "BUILD_TARGET_TRIPLE": TRIPLE,
        "CONFIG_PATH": str(session.path),
        "CONTEXT": _Context(),
        "CWD": str(session.directory),
        "VARS": to_value(dict(variables)),
    }
