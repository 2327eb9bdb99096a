"""What earlier releases of PyOxidizer wrote in another way: keywords of calls that are attributes now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from frazil.config.dialect.interpreter_config import PythonInterpreterConfig
from frazil.config.dialect.notes import renamed
from frazil.config.starlark.errors import Fault, suggestion
from frazil.config.starlark.values import to_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frazil.config.dialect.policies import PythonPackagingPolicy
    from frazil.config.dialect.session import Session

_KEYWORDS: Final = {
    "resources_policy": "resources_policy",
    "extension_module_filter": "extension_module_filter",
    "include_sources": "include_non_distribution_sources",
    "include_resources": "include_distribution_resources",
    "include_test": "include_test",
}
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
        if name not in made.starlark_members:
            raise Fault(f"PythonInterpreterConfig() has no parameter {name}", suggestion(name, made.starlark_members))
        if value is not None:
            made.starlark_set(name, to_value(value))
    return made
