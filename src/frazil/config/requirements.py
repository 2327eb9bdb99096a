"""Requirements and the Python they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from frazil.errors import DependencyError, DistributionError

if TYPE_CHECKING:
    from frazil.distribution import PythonDistribution


def parsed(text: str, where: object) -> Requirement:
    """A requirement (PEP 508). Raises DependencyError, whose details mark the place in the text."""
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        problem = f"{text!r} is no valid requirement"
        remedy = "Write it as in 'rich>=13' or 'name @ https://...' (PEP 508)."
        raise DependencyError(problem, where=where, details=str(error), remedy=remedy) from error


def check_python(specifier: str, where: object, distribution: PythonDistribution) -> None:
    """Raise DistributionError unless the distribution's version is one that ``requires-python`` allows."""
    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier as error:
        remedy = "Write it as in '>=3.11' (PEP 440)."
        raise DependencyError(f"requires-python {specifier!r} is no valid specifier", where=where, remedy=remedy) from error
    if not allowed.contains(distribution.full_version, prereleases=True):
        problem = f"needs Python {specifier}, but the Python to build with is {distribution.full_version}"
        raise DistributionError(problem, where=where, remedy="Name another with --python, or change requires-python.")


def marker_environment(distribution: PythonDistribution) -> dict[str, str]:
    """What environment markers (PEP 508) are evaluated for: the distribution, not the Python that runs frazil."""
    return {
        "implementation_name": "cpython",
        "implementation_version": distribution.full_version,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": distribution.full_version,
        "python_version": distribution.short_version,
        "sys_platform": "linux",
        "extra": "",
    }
