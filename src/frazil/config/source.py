"""The front-end for ordinary sources: what the user named becomes plans."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.config.options import SourceOptions
from frazil.config.project import is_project, project_plans, read_project
from frazil.config.script import directory_plan, function_plan, script_plan
from frazil.errors import SourceError, UsageError

if TYPE_CHECKING:
    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan

__all__ = ["SourceOptions", "plans"]

_FUNCTION: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_FORMS: Final = (
    "Name a script, a directory with __main__.py, a project directory with pyproject.toml, "
    "or a function as package.module:function."
)


def plans(options: SourceOptions, distribution: PythonDistribution, cache: ContentCache) -> tuple[Plan, ...]:
    """The executables that ``options.source`` stands for: one, or for a project one for each of its scripts.

    Installs requirements into the cache when they are not there. Raises UsageError, SourceError, DependencyError,
    DistributionError, or HostError.
    """
    try:
        return _plans(options, distribution, cache)
    except RecursionError as error:
        raise SourceError("nested too deeply to be read", where=options.source) from error


def _plans(options: SourceOptions, distribution: PythonDistribution, cache: ContentCache) -> tuple[Plan, ...]:
    if not options.source or "\0" in options.source:
        raise UsageError("no source is named", where=repr(options.source), remedy=_FORMS)
    # The current directory's own name counts for ".", and symbolic links keep theirs.
    path = Path(os.path.abspath(options.directory / options.source))  # noqa: PTH100 - resolve() follows links
    try:
        if path.is_dir():
            return _directory(path, options, distribution, cache)
        exists, is_file = os.path.lexists(path), path.is_file()
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    if not exists and _FUNCTION.fullmatch(options.source):
        return (function_plan(options.source, options, distribution, cache),)
    if not exists:
        raise SourceError("no such file or directory", where=options.source, remedy=_FORMS)
    if not is_file:
        kind = "neither a file nor a directory" if path.exists() else "a symbolic link that leads nowhere"
        raise SourceError(kind, where=path, remedy=_FORMS)
    if options.multicall:
        raise UsageError("--multicall joins the scripts of a project, and this is no project", where=path)
    return (script_plan(path, options, distribution, cache),)


def _directory(path: Path, options: SourceOptions, distribution: PythonDistribution, cache: ContentCache) -> tuple[Plan, ...]:
    has_main = (path / "__main__.py").is_file()
    if (path / "pyproject.toml").is_file():
        document = read_project(path / "pyproject.toml")
        if is_project(document):
            return project_plans(path, document, options, distribution, cache)
        if not has_main:
            problem = "this pyproject.toml describes no project: it has neither [project] nor [build-system]"
            raise SourceError(problem, where=path / "pyproject.toml", remedy=_FORMS)
    if options.multicall:
        raise UsageError("--multicall joins the scripts of a project, and this is no project", where=path)
    if has_main:
        return (directory_plan(path, options, distribution, cache),)
    try:
        empty = next(path.iterdir(), None) is None
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    problem = "the directory is empty" if empty else "nothing to run: neither __main__.py nor pyproject.toml is here"
    raise SourceError(problem, where=path, remedy=_FORMS)
