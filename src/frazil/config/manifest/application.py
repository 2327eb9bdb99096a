"""The front-end for ``frazil build --manifest``: what a manifest lists, and nothing else of its own, becomes a plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from frazil.config.assembly import Draft
from frazil.config.manifest.errors import ManifestError
from frazil.config.modules import Use
from frazil.config.parsing import read_source
from frazil.config.script import warn_unless_defined
from frazil.errors import SourceError, UsageError
from frazil.frozen import Kind, Platform, with_version
from frazil.plan import EntryKind, EntryPoint
from frazil.resources.kinds import APPLICATION, BytecodeModule, SourceModule
from frazil.resources.scan import module_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.config.manifest.evaluator import Evaluation
    from frazil.config.options import SourceOptions
    from frazil.distribution import PythonDistribution
    from frazil.frozen import FrozenModule
    from frazil.plan import Plan
    from frazil.resources.kinds import Resource

_DOTTED: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_ENTRY: Final = re.compile(rf"({_DOTTED})(?::({_DOTTED}))?")
_STRONGEST: Final = 2
"""CPython's levels end where those of MicroPython go on: its level 3 drops line numbers."""


def manifest_plan(
    evaluation: Evaluation, entry: str, options: SourceOptions, distribution: PythonDistribution, cache: ContentCache
) -> Plan:
    """The plan of the modules that a manifest lists; ``entry`` is ``package.module:function`` or a module that runs.

    Raises UsageError, ManifestError, SourceError, DependencyError, DistributionError, or HostError.
    """
    found = _ENTRY.fullmatch(entry)
    if found is None:
        problem = f"{entry!r} names no entry point"
        raise UsageError(problem, where="--entry", remedy="Write package.module:function, or the name of a module to run.")
    module, function = found.groups()
    if evaluation.platform is not Platform.CPYTHON:
        raise UsageError("the manifest was read for MicroPython", where="--manifest")
    draft = Draft(options, distribution, cache)
    draft.resources += manifest_resources(evaluation.modules, distribution, draft.prefix)
    draft.warnings += warnings_of(evaluation)
    _require_entry(module, evaluation)
    draft.add_third_party(_wanted(draft, evaluation.modules), (), "--manifest")
    if function is not None:
        warn_unless_defined(draft, module, function)
    name = options.name or module.partition(".")[0]
    kind = EntryKind.MODULE if function is None else EntryKind.FUNCTION
    return draft.plan(name, (EntryPoint(name, kind, entry),))


def warnings_of(evaluation: Evaluation) -> list[str]:
    """What the author should know: the manifests' own warnings, and what CPython has no use for."""
    return [
        *evaluation.warnings,
        *(
            f"{one.place}: {one.path} is left out: modules in C are for the firmware's own build"
            for one in evaluation.modules
            if one.kind is Kind.C_MODULE
        ),
    ]


def manifest_resources(modules: Iterable[FrozenModule], distribution: PythonDistribution, prefix: str) -> list[Resource]:
    """Modules of a manifest as resources below ``prefix``, a ``sys.path`` entry below the mount.

    Raises ManifestError for MicroPython's bytecode and for bytecode of another version of Python.
    """
    return [_resource(module, distribution, prefix) for module in modules if module.kind is not Kind.C_MODULE]


def _resource(module: FrozenModule, distribution: PythonDistribution, prefix: str) -> Resource:
    path = f"{prefix}/{module.target}" if prefix else module.target
    found = module_name(module.target.rpartition(".")[0])
    if found is None:
        problem = f"{module.target} cannot be imported: part of it is no identifier"
        raise ManifestError(problem, where=module.place, remedy="Rename the file.")
    name, package = found
    directory = path.rpartition("/")[0]
    directory = directory.rpartition("/")[0] if package else directory
    if module.kind is Kind.PYC:
        _require_bytecode(module, distribution)
        return BytecodeModule(name, package, module.path, path, directory, APPLICATION)
    if module.kind is Kind.MPY:
        problem = f"{module.path}: this is bytecode of MicroPython, which CPython cannot run"
        raise ManifestError(problem, where=module.place, remedy="Freeze its source instead.")
    source = None if module.version is None else read_source(module.path)
    content = module.path if source is None else with_version(source, module.version)
    level = None if module.opt is None else min(module.opt, _STRONGEST)
    return SourceModule(
        name,
        package,
        module.path if content == source else content,
        path,
        directory,
        APPLICATION,
        optimize=level,
        as_source=module.kind is Kind.STRING,
    )


def _require_bytecode(module: FrozenModule, distribution: PythonDistribution) -> None:
    magic = _start(module.path, len(distribution.magic))
    if magic != distribution.magic:
        version = distribution.short_version
        problem = f"{module.path}: this is no bytecode of Python {version}"
        raise ManifestError(problem, where=module.place, remedy=f"Compile it with Python {version}, or freeze its source.")


def _start(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error


def _require_entry(module: str, evaluation: Evaluation) -> None:
    names = {one.name for one in evaluation.modules if one.kind is not Kind.C_MODULE}
    if module not in names:
        listed = ", ".join(sorted(names)[:10]) or "none"
        raise UsageError(f"the manifest freezes no module {module}", where="--entry", remedy=f"It freezes: {listed}.")


def _wanted(draft: Draft, modules: Sequence[FrozenModule]) -> dict[str, Use]:
    """What the modules import that the manifest does not list; where it has a package, all of that is its business."""
    own = {one.target.partition("/")[0].partition(".")[0] for one in modules}
    builtin = draft.distribution.builtin_modules
    wanted: dict[str, Use] = {}
    for module in modules:
        if module.kind not in {Kind.SOURCE, Kind.STRING} or draft.excluded(module.name):
            continue
        for level, target, names, line, optional in draft.parser.imports(module.path):
            top = target.partition(".")[0]
            if level or not top or top in own or top in builtin:
                continue
            where = f"{module.path}:{line}"
            for name, surely in ((target, not optional), *((f"{target}.{name}", False) for name in names)):
                held = wanted.get(name)
                if held is None or (held.optional and surely):
                    wanted[name] = Use(where, optional=not surely)
    return wanted
