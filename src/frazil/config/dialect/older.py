"""What earlier releases of PyOxidizer wrote in another way: keywords that are attributes now, one method for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from frazil.config.dialect.interpreter_config import PythonInterpreterConfig
from frazil.config.dialect.notes import renamed
from frazil.config.starlark.errors import Fault, suggestion
from frazil.config.starlark.values import to_value
from frazil.resources.location import IN_MEMORY, parse_location

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frazil.config.dialect.executables import PythonExecutable
    from frazil.config.dialect.policies import PythonPackagingPolicy
    from frazil.config.dialect.resource_types import PythonResource
    from frazil.config.dialect.session import Session
    from frazil.resources.location import Location

_KEYWORDS: Final = {
    "resources_policy": "resources_policy",
    "extension_module_filter": "extension_module_filter",
    "include_sources": "include_non_distribution_sources",
    "include_resources": "include_distribution_resources",
    "include_test": "include_test",
}
_BYTES_WARNINGS: Final[dict[object, object]] = {0: "none", 1: "warn", 2: "raise"}
_KINDS: Final = (
    *("module_source", "module_bytecode", "package_resource", "package_distribution_resource", "extension_module"),
    "resource_data",
)
_OPTIONS: Final = ("add_source_module", "add_bytecode_module", "optimize_level")
_NO_LONGER: Final = frozenset({"preferred_extension_module_variants"})


def apply_keywords(session: Session, policy: PythonPackagingPolicy, given: Mapping[str, object]) -> None:
    """The keywords of ``to_python_executable`` in 0.7, as attributes of a policy. Raises Fault."""
    for name, value in given.items():
        if name in _NO_LONGER:
            continue
        if name not in _KEYWORDS:
            known = ("name", "packaging_policy", "config", *_KEYWORDS)
            raise Fault(f"to_python_executable() has no parameter {name}", suggestion(name, known))
        renamed(session, f"to_python_executable({name}=...)", f"PythonPackagingPolicy.{_KEYWORDS[name]}", "0.7")
        policy.starlark_set(_KEYWORDS[name], to_value(value))


def interpreter_config(session: Session, given: Mapping[str, object]) -> PythonInterpreterConfig:
    """``PythonInterpreterConfig(...)`` of 0.5 to 0.8: each keyword is an attribute. Raises Fault."""
    renamed(session, "PythonInterpreterConfig(...)", "PythonDistribution.make_python_interpreter_config()", "0.5 to 0.8")
    made = PythonInterpreterConfig(session)
    for name, value in given.items():
        if name == "terminfo_dirs":
            continue  # terminfo is the C library's business
        if name not in made.starlark_members:
            raise Fault(f"PythonInterpreterConfig() has no parameter {name}", suggestion(name, made.starlark_members))
        if value is not None:
            made.starlark_set(name, to_value(_BYTES_WARNINGS.get(value, value) if name == "bytes_warning" else value))
    return made


def adders() -> dict[str, Callable[..., None]]:
    """The methods of executables in 0.5 to 0.7: one for each kind of resource and for each location."""
    made: dict[str, Callable[..., None]] = {}
    for kind in _KINDS:
        made[f"add_{kind}"] = _adder(f"add_{kind}", None)
        made[f"add_in_memory_{kind}"] = _adder(f"add_in_memory_{kind}", IN_MEMORY)
        made[f"add_filesystem_relative_{kind}"] = _adder_below(f"add_filesystem_relative_{kind}")
    for kind in ("python_resource", "python_resources"):
        made[f"add_in_memory_{kind}"] = _adder(f"add_in_memory_{kind}", IN_MEMORY)
        made[f"add_filesystem_relative_{kind}"] = _adder_below(f"add_filesystem_relative_{kind}")
    return made


def _adder(name: str, location: Location | None) -> Callable[..., None]:
    def add(executable: PythonExecutable, value: object, optimize_level: int | None = None, **options: object) -> None:
        executable.add_earlier(
            name, value, None if location is None else str(location), {"optimize_level": optimize_level, **options}
        )

    return add


def _adder_below(name: str) -> Callable[..., None]:
    def add(
        executable: PythonExecutable, prefix: str, value: object, optimize_level: int | None = None, **options: object
    ) -> None:
        location = str(parse_location(f"filesystem-relative:{prefix}"))
        executable.add_earlier(name, value, location, {"optimize_level": optimize_level, **options})

    return add


def apply_options(resource: PythonResource, name: str, options: Mapping[str, object]) -> None:
    """What the options of such a method say of a resource. Raises Fault."""
    for option in options:
        if option not in _OPTIONS:
            raise Fault(f"{name}() has no parameter {option}", suggestion(option, _OPTIONS))
    level = options.get("optimize_level")
    if level is not None:
        if level not in {0, 1, 2}:
            raise Fault(f"{level} is no optimization level", "There are 0, 1 and 2.")
        for number, word in enumerate(("zero", "one", "two")):
            setattr(resource, f"add_bytecode_optimization_level_{word}", number == level)
    if name.endswith("_bytecode") or options.get("add_source_module") is False:
        resource.add_source = False
    if name.endswith("_source") and resource.starlark_type == "PythonModuleSource":
        resource.add_source = True
