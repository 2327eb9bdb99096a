"""``manifest(path, **options)``: the modules that a MicroPython manifest lists, as resources of executables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frazil import distribution as interpreters
from frazil.config.dialect.resource_types import PythonResource, Scanner
from frazil.config.manifest import ManifestOptions, evaluate
from frazil.config.manifest.application import manifest_resources, warnings_of
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.interpreter import builtin
from frazil.config.starlark.values import StarlarkDict, StarlarkList, type_name
from frazil.frozen import Platform
from frazil.plan import APPLICATION_DIRECTORY
from frazil.resources.kinds import SourceModule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frazil.config.dialect.session import Session
    from frazil.config.starlark.values import Builtin, Value

_LEVELS = ("zero", "one", "two")


def functions(session: Session, variables: Mapping[str, str | None]) -> dict[str, Builtin]:
    """What programs call; ``variables`` are what ``$(NAME)`` stands for in manifests."""

    def manifest(path: str, /, **options: object) -> list[PythonResource]:
        asked = ManifestOptions(
            (path,),
            {name: value for name, value in variables.items() if value is not None},
            platform=Platform.CPYTHON,
            directory=session.directory,
            given={name: _plain(value, name) for name, value in options.items()},
        )
        evaluation = evaluate(asked)
        for warning in warnings_of(evaluation):
            session.note(warning)
        resources = manifest_resources(evaluation.modules, interpreters.running(session.cache), APPLICATION_DIRECTORY)
        return [_as_it_says(one) for one in Scanner().objects(resources, APPLICATION_DIRECTORY)]

    return {"manifest": builtin(manifest)}


def _plain(value: Value, name: str) -> Any:
    """An option as manifests, which are Python, take it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, StarlarkList):
        return [_plain(one, name) for one in value]
    if isinstance(value, tuple):
        return tuple(_plain(one, name) for one in value)
    if isinstance(value, StarlarkDict):
        return {_plain(key, name): _plain(one, name) for key, one in value.items()}
    raise Fault(f"option {name} of manifest(): a {type_name(value)} means nothing to a manifest")


def _as_it_says(one: PythonResource) -> PythonResource:
    """The bytecode that the manifest asks for, where it asks for one; a policy is not asked."""
    module = one.resource
    if isinstance(module, SourceModule) and (module.as_source or module.optimize is not None):
        for level, name in enumerate(_LEVELS):
            setattr(one, f"add_bytecode_optimization_level_{name}", not module.as_source and level == module.optimize)
    return one
