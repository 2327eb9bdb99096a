"""Scripts, packages with ``__main__``, and functions named as ``pkg.mod:function``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from frazil.config.assembly import Draft
from frazil.config.modules import Use
from frazil.config.parsing import decoded, defines, read_source
from frazil.config.requirements import check_python
from frazil.config.script_metadata import script_metadata
from frazil.config.settings import merged
from frazil.errors import SourceError
from frazil.plan import APPLICATION_DIRECTORY, EntryKind, EntryPoint
from frazil.resources.kinds import ExtensionModule, SourceModule

if TYPE_CHECKING:
    from frazil.cache import ContentCache
    from frazil.config.options import SourceOptions
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan

_FOREIGN = {
    b"\x7fELF": ("this is an executable program already, not Python source", "Name the script that it was built from."),
    b"PK\x03\x04": ("this is a zip archive, not Python source", "Unpack it and name its directory."),
}

_OUTPUTS = frozenset({"build", "dist"})
"""Where building leaves executables, in a directory that is no package."""


def script_plan(file: Path, options: SourceOptions, distribution: PythonDistribution, cache: ContentCache) -> Plan:
    """The plan of a script; it runs as ``python FILE`` would run it."""
    _refuse_foreign(file)
    metadata = script_metadata(decoded(read_source(file), file), file)
    options = merged(options, metadata.document, file)
    if metadata.requires_python is not None:
        check_python(metadata.requires_python, file, distribution)
    draft = Draft(options, distribution, cache)
    search = draft.search(file.parent)
    script = search.take_script(file)
    wanted = draft.add_application(search)
    where = f"{file}:{metadata.line}" if metadata.line else file
    draft.add_third_party(wanted, metadata.requirements, where)
    name = options.name or Path(script.path).stem
    return draft.plan(name, (EntryPoint(name, EntryKind.SCRIPT, script.path),))


def _refuse_foreign(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            start = opened.read(4)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=file) from error
    if start in _FOREIGN:
        problem, remedy = _FOREIGN[start]
        raise SourceError(problem, where=file, remedy=remedy)
    if file.suffix == ".pyc":
        problem = "this is bytecode, not Python source"
        raise SourceError(problem, where=file, remedy="Name the .py file that it was compiled from.")
    if file.suffix == ".ipynb":
        raise SourceError("this is a notebook, not Python source", where=file, remedy="Export it as a script first.")


def directory_plan(directory: Path, options: SourceOptions, distribution: PythonDistribution, cache: ContentCache) -> Plan:
    """The plan of a directory with ``__main__.py``: a package runs as ``python -m``, any other directory as ``python DIR``."""
    draft = Draft(options, distribution, cache)
    name = options.name or directory.name
    if directory.name.isidentifier() and (directory / "__init__.py").is_file():
        search = draft.search(directory.parent)
        search.take_tree(directory, f"{directory.name}/", data=True)
        entry = EntryPoint(name, EntryKind.MODULE, directory.name)
    else:
        search = draft.search(directory)
        search.take_tree(directory, "", data=True, leave=_OUTPUTS)
        entry = EntryPoint(name, EntryKind.SCRIPT, f"{APPLICATION_DIRECTORY}/__main__.py")
    draft.add_third_party(draft.add_application(search), (), directory)
    return draft.plan(name, (entry,))


def function_plan(target: str, options: SourceOptions, distribution: PythonDistribution, cache: ContentCache) -> Plan:
    """The plan of ``pkg.mod:function``, looked for in the current directory, in ``src`` below it, and in third-party code."""
    module, _, attribute = target.partition(":")
    draft = Draft(options, distribution, cache)
    base = Path(os.path.abspath(options.directory))  # noqa: PTH100 - a symbolic link keeps its name
    searches = [draft.search(place, data=True) for place in (base, base / "src") if place.is_dir()]
    search = next((one for one in searches if one.take(module)), searches[0])
    wanted = draft.add_application(search)
    if not search.take(module):
        wanted[module] = Use(target, optional=True)
    draft.add_third_party(wanted, (), target)
    _require_module(module, target, draft, base)
    warn_unless_defined(draft, module, attribute)
    name = options.name or module.partition(".")[0]
    return draft.plan(name, (EntryPoint(name, EntryKind.FUNCTION, f"{module}:{attribute}"),))


def _require_module(module: str, target: str, draft: Draft, base: Path) -> None:
    present = any(isinstance(one, SourceModule | ExtensionModule) and one.name == module for one in draft.resources)
    present = present or module in draft.archives.modules
    if not present and module.partition(".")[0] not in draft.distribution.stdlib_modules:
        places = [str(base), str(base / "src")]
        if draft.options.venv is not None:
            places.append(str(draft.options.venv))
        if draft.options.requirements:
            places.append(" ".join(draft.options.requirements))
        remedy = "Start where the package is, or say what provides it with --with or --venv."
        raise SourceError(f"no module {module} in {', '.join(places)}", where=target, remedy=remedy)


def warn_unless_defined(draft: Draft, module: str, attribute: str) -> None:
    """A warning when the source of ``module`` visibly defines no ``attribute``."""
    for one in draft.resources:
        if isinstance(one, SourceModule) and one.name == module and isinstance(one.content, Path):
            if defines(read_source(one.content), attribute.partition(".")[0]) is False:
                problem = (
                    f"{one.content}: defines no {attribute.partition('.')[0]!r}, which the entry point {module}:{attribute}"
                )
                draft.warnings.append(f"{problem} names")
            return
