"""A configuration file, evaluated: its targets, or what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.config.dialect.targets import Targets
from frazil.config.dialect.vocabulary import refusals
from frazil.config.starlark.host import HostObject
from frazil.config.starlark.interpreter import Interpreter
from frazil.config.starlark.values import to_value
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from frazil.config.starlark.errors import Diagnostic, Span
    from frazil.config.starlark.values import Value

NAMES: Final = ("frazil.bzl", "pyoxidizer.bzl")
"""What a configuration is called, in the order of looking."""
TRIPLE: Final = "x86_64-unknown-linux-gnu"


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


def targets(
    path: Path,
    *,
    wanted: Sequence[str] | None = None,
    variables: Mapping[str, str | None] | None = None,
    on_print: Callable[[str, Span | None], None] = lambda _text, _span: None,
) -> Targets:
    """Run a configuration and return its targets.

    ``wanted`` is what its ``resolve_targets()`` resolves: names, or nothing for the default target. None runs no target.
    ``variables`` is ``VARS``. Raises StarlarkError.
    """

    def call(function: Value, arguments: Sequence[Value]) -> Value:
        return interpreter.call(function, arguments)

    def place() -> str:
        return str(interpreter.site or path)

    made = Targets(call, place, wanted)
    interpreter = Interpreter(_given(path, variables or {}, made), on_print=on_print)
    interpreter.run_file(path)
    return made


def check(path: Path) -> list[Diagnostic]:
    """All that can be found in a configuration and the files that it loads without running anything."""
    unused = Targets(lambda _function, _arguments: None, lambda: "", None)
    return Interpreter(_given(path, {}, unused)).check_file(path)


def _given(path: Path, variables: Mapping[str, str | None], made: Targets) -> dict[str, Value]:
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - a symbolic link keeps its place
    return {
        **refusals(),
        **made.functions(),
        "BUILD_TARGET_TRIPLE": TRIPLE,
        "CONFIG_PATH": str(whole),
        "CONTEXT": _Context(),
        "CWD": str(whole.parent),
        "VARS": to_value(dict(variables)),
    }
