"""Project directories: built by their own backend, installed like any distribution, one plan for each console script."""

from __future__ import annotations

import configparser
import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from frazil.config.assembly import Draft
from frazil.config.install import environment
from frazil.config.modules import Use
from frazil.config.requirements import check_python, parsed
from frazil.config.script import warn_unless_defined
from frazil.config.settings import merged
from frazil.config.third_party import needed, site_packages, whole
from frazil.errors import DependencyError, FrazilError, SourceError, UsageError
from frazil.plan import EntryKind, EntryPoint
from frazil.resources.kinds import APPLICATION, BytecodeModule, ExtensionModule, SourceModule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.config.options import SourceOptions
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan
    from frazil.resources.installed import InstalledDistribution, SitePackages

_TARGET: Final = re.compile(r"^\s*(?P<module>[\w.]+)\s*(:\s*(?P<attribute>[\w.]+))?\s*(\[.*\])?\s*$")
_AT_LINE: Final = re.compile(r" ?\(at line (\d+), column \d+\)")
_GROUPS: Final = ("console_scripts", "gui_scripts")
_ADD_SCRIPTS: Final = 'Add to pyproject.toml: [project.scripts] and a line such as NAME = "package.module:function".'


def read_project(file: Path) -> dict[str, Any]:
    """A parsed ``pyproject.toml``. Raises SourceError with the line that is wrong."""
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=file) from error
    except UnicodeDecodeError as error:
        raise SourceError("is not UTF-8, as TOML must be", where=file) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _AT_LINE.search(message)
        where = f"{file}:{place[1]}" if place else file
        lines = text.splitlines()
        line = int(place[1]) if place else 0
        details = f"    {lines[line - 1]}" if 0 < line <= len(lines) else ""
        raise SourceError(f"is no valid TOML: {_AT_LINE.sub('', message)}", where=where, details=details) from error


def is_project(document: Mapping[str, Any]) -> bool:
    """Whether a ``pyproject.toml`` describes something to build, rather than settings of tools alone."""
    return "project" in document or "build-system" in document


def project_plans(
    directory: Path,
    document: Mapping[str, Any],
    options: SourceOptions,
    distribution: PythonDistribution,
    cache: ContentCache,
) -> tuple[Plan, ...]:
    """The plans of a project: one for each script, or one with all of them for ``multicall``."""
    file = directory / "pyproject.toml"
    options = merged(options, document, file)
    table = document.get("project", {})
    _check_table(table, file, distribution)
    draft = Draft(options, distribution, cache)
    name, installed = _install(directory, table, draft)
    entries = _entries(installed, name, draft, file)
    if options.multicall or options.library:
        return (draft.plan(options.name or _display_name(table, name), entries),)
    if options.name is not None:
        if len(entries) > 1:
            names = ", ".join(entry.name for entry in entries)
            problem = f"one name for several executables: {names}"
            raise UsageError(problem, where="--name", remedy="Leave --name out, or join them in one with --multicall.")
        entries = (replace(entries[0], name=options.name),)
    return tuple(draft.plan(entry.name, (entry,)) for entry in entries)


def _check_table(table: object, file: Path, distribution: PythonDistribution) -> None:
    """What can be said before anything is built."""
    if not isinstance(table, dict):
        raise SourceError("project must be a table", where=file)
    python = table.get("requires-python")
    if isinstance(python, str):
        check_python(python, file, distribution)
    issues = []
    for index, text in enumerate(table.get("dependencies", []) if isinstance(table.get("dependencies", []), list) else []):
        try:
            parsed(text if isinstance(text, str) else repr(text), file)
        except FrazilError as error:
            issues.append(f"  project.dependencies[{index}]: {error.problem}")
    if issues:
        raise DependencyError("requirements are not valid", where=file, details="\n".join(issues))
    for group in ("scripts", "gui-scripts"):
        scripts = table.get(group, {})
        for name, target in scripts.items() if isinstance(scripts, dict) else ():
            if not isinstance(target, str) or not (match := _TARGET.match(target)) or not match["attribute"]:
                problem = f"project.{group}.{name}: {target!r} is not of the form package.module:function"
                raise SourceError(problem, where=file)


def _display_name(table: Mapping[str, Any], normalised: str) -> str:
    name = table.get("name")
    return name if isinstance(name, str) and name else normalised


def _install(directory: Path, table: Mapping[str, Any], draft: Draft) -> tuple[str, InstalledDistribution]:
    """Build and install the project, or find it in ``--venv``; its normalised name and what was installed."""
    options = draft.options
    import_site = options.interpreter.import_site
    name: str | None = canonicalize_name(table["name"]) if isinstance(table.get("name"), str) else None
    if options.venv is None:
        root = draft.install(draft.to_install(options.requirements, "--with"), directory)
        name = name or _project_of(root, draft, options.requirements, directory)
        site = site_packages(root, draft.parser, application=name)
        taken = whole(site, import_site=import_site)
        draft.add(taken)
        draft.take_objects(root, taken)
        return name, _held(site, name, directory)
    extra = [parsed(text, "--with") for text in draft.to_install(options.requirements, "--with")]
    own = None
    if name is None or name not in draft.virtual_environment().distributions:
        root = environment((), directory, draft.distribution, draft.cache, dependencies=False)
        name = name or _project_of(root, draft, (), directory)
        own = site_packages(root, draft.parser, application=name)
    site = draft.virtual_environment(application=name)
    if own is None:
        roots = [Requirement(name)]
    else:
        roots = [one for one in own.distributions[name].requires() if draft.applies(one)]
        draft.add(whole(own, import_site=import_site))
    wanted = {one.removesuffix(".*"): Use("--include", optional=True) for one in options.include}
    draft.add(needed(site, [*roots, *extra], wanted, draft.parser, draft.excluded, import_site=import_site))
    return name, _held(own or site, name, directory)


def _held(site: SitePackages, name: str, directory: Path) -> InstalledDistribution:
    try:
        return site.distributions[name]
    except KeyError:
        problem = f"the build backend made a distribution of another name than {name}"
        raise SourceError(problem, where=directory / "pyproject.toml") from None


def _project_of(root: Path, draft: Draft, requirements: tuple[str, ...], directory: Path) -> str:
    """The name of a project whose ``pyproject.toml`` does not tell: the distribution that was installed from a directory."""
    asked = {canonicalize_name(parsed(text, "--with").name) for text in requirements}
    site = site_packages(root, draft.parser)
    for name, one in sorted(site.distributions.items()):
        if '"dir_info"' in one.file("direct_url.json") and name not in asked:
            return name
    raise SourceError("the project's name cannot be told", where=directory / "pyproject.toml", remedy="Add name to [project].")


def _entries(installed: InstalledDistribution, name: str, draft: Draft, file: Path) -> tuple[EntryPoint, ...]:
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way to keep case
    try:
        parser.read_string(installed.file("entry_points.txt"))
    except configparser.Error as error:
        raise SourceError(f"its entry points cannot be read: {error}", where=file) from error
    entries = []
    for group in _GROUPS:
        for script, value in parser.items(group) if parser.has_section(group) else ():
            match = _TARGET.match(value)
            if match is None or match["attribute"] is None:
                raise SourceError(f"script {script}: {value!r} is not of the form package.module:function", where=file)
            warn_unless_defined(draft, match["module"], match["attribute"])
            entries.append(EntryPoint(script, EntryKind.FUNCTION, f"{match['module']}:{match['attribute']}"))
    if draft.options.library:
        return tuple(entries)
    return tuple(entries) if entries else (_main_module(name, draft, file),)


def _main_module(name: str, draft: Draft, file: Path) -> EntryPoint:
    """The entry point of a project without scripts: its one package with ``__main__``."""
    kinds = (SourceModule, ExtensionModule, BytecodeModule)
    modules = [one.name for one in draft.resources if one.owner == APPLICATION and isinstance(one, kinds)]
    runnable = sorted(one.removesuffix(".__main__") for one in modules if one.endswith(".__main__") and one.count(".") == 1)
    own = name.replace("-", "_")
    if own in runnable:
        return EntryPoint(name, EntryKind.MODULE, own)
    if len(runnable) == 1:
        return EntryPoint(name, EntryKind.MODULE, runnable[0])
    if runnable:
        problem = f"no scripts, and several packages with __main__: {', '.join(runnable)}"
        raise SourceError(problem, where=file, remedy=_ADD_SCRIPTS)
    raise SourceError(
        "nothing to run: the project has neither scripts nor a package with __main__.py", where=file, remedy=_ADD_SCRIPTS
    )
