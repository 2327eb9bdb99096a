"""Third-party code of a plan: from an environment that was installed for it, or out of a virtual environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from frazil.config.modules import ModuleSearch, Use, classifier_of
from frazil.config.requirements import marker_environment
from frazil.errors import DependencyError
from frazil.resources.installed import SitePackages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from frazil.config.parsing import Parser
    from frazil.distribution import PythonDistribution
    from frazil.resources.kinds import Resource


@dataclass(slots=True)
class ThirdParty:
    """What was taken. ``found`` are the wanted modules that some distribution provides."""

    resources: list[Resource] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    extra_paths: list[str] = field(default_factory=list)
    found: set[str] = field(default_factory=set)
    distributions: list[str] = field(default_factory=list)


def site_prefix(distribution: PythonDistribution) -> str:
    """Where ``site-packages`` stands below the mount."""
    return f"lib/python{distribution.short_version}/site-packages"


def site_packages(root: Path, parser: Parser, *, application: str | None = None) -> SitePackages:
    """The distributions of a ``site-packages`` directory; ``application`` names the one that is the application itself."""
    return SitePackages(root, site_prefix(parser.distribution), classifier_of(parser), application=application)


def whole(site: SitePackages, *, import_site: bool) -> ThirdParty:
    """Every distribution of an environment that was installed for this plan."""
    taken = ThirdParty(distributions=sorted(site.distributions))
    _take(site, taken, import_site=import_site)
    providers = site.providers()
    taken.found.update(providers.modules, providers.namespaces)
    return taken


def needed(
    site: SitePackages,
    roots: Iterable[Requirement],
    wanted: Mapping[str, Use],
    parser: Parser,
    excluded: Callable[[str], bool],
    *,
    import_site: bool,
) -> ThirdParty:
    """The distributions of a virtual environment that the roots and the wanted modules need, and all that those require.

    What path files lead to outside ``site-packages`` is searched for the modules that no distribution has.
    """
    taken = ThirdParty()
    providers = site.providers()
    asked = list(roots)
    waiting = dict(wanted)
    searches = _searches(site, parser, excluded)
    while waiting:
        name, use = waiting.popitem()
        if name in taken.found or name.partition(".")[0] in parser.distribution.stdlib_modules:
            continue
        names = providers.of(name)
        if names or providers.knows(name):
            taken.found.add(name)
            asked += [Requirement(one) for one in names]
            continue
        for search in searches:
            if search.take(name):
                taken.found.add(name)
                search.follow()
                waiting.update(
                    {one: each for one, each in search.wanted.items() if one not in wanted or one not in taken.found}
                )
                search.wanted.clear()
                break
        else:
            legacy = site.legacy.get(canonicalize_name(name))
            if legacy is not None and not use.optional:
                problem = f"{name} is installed in an old form that does not say which files belong to it"
                remedy = f"Install it again with a current pip: pip install --force-reinstall {name}"
                raise DependencyError(problem, where=legacy, remedy=remedy)
    taken.distributions = site.closure(asked, marker_environment(parser.distribution))
    _take(site, taken, import_site=import_site)
    for search in searches:
        if search.resources:
            taken.resources += search.resources.values()
            taken.extra_paths.append(search.prefix)
            taken.warnings += search.warnings
    return taken


def _searches(site: SitePackages, parser: Parser, excluded: Callable[[str], bool]) -> list[ModuleSearch]:
    """A search for each directory outside ``site-packages`` that a path file without distribution leads to."""
    found: list[ModuleSearch] = []
    for place in site.path_files(()):
        for directory in place.directories:
            if not directory.is_relative_to(site.root):
                prefix = f"{site.prefix.rpartition('/')[0]}/path-files/{len(found)}"
                owner = canonicalize_name(place.place.stem)
                found.append(ModuleSearch(directory, parser, excluded, prefix=prefix, owner=owner, data=True))
    return found


def _take(site: SitePackages, taken: ThirdParty, *, import_site: bool) -> None:
    """The resources of the chosen distributions, and what their path files say."""
    for name in taken.distributions:
        if name in site.distributions:
            taken.resources += site.resources(name)
    for place in site.path_files(taken.distributions):
        for directory in place.directories:
            if directory != site.root and directory.is_relative_to(site.root):
                taken.extra_paths.append(f"{site.prefix}/{directory.relative_to(site.root).as_posix()}")
        if not place.harmless and not import_site:
            code = place.code[0] if len(place.code[0]) <= 60 else f"{place.code[0][:60]}..."  # noqa: PLR2004 - a screen's width
            taken.warnings.append(f"{place.place}: its code runs only with --site: {code}")
    taken.warnings += site.warnings


def virtual_environment(place: Path, distribution: PythonDistribution) -> Path:
    """The ``site-packages`` of a virtual environment. Raises DependencyError when it is none, or of another Python."""
    place = place.absolute()
    remedy = f"Make one with {distribution.executable} -m venv, or leave --venv out to have requirements installed."
    if not place.is_dir():
        problem = "not a directory" if place.exists() else "no such virtual environment"
        raise DependencyError(problem, where=place, remedy=remedy)
    if not (place / "pyvenv.cfg").is_file():
        raise DependencyError("not a virtual environment: it has no pyvenv.cfg", where=place, remedy=remedy)
    site = place / "lib" / f"python{distribution.short_version}" / "site-packages"
    if not site.is_dir():
        others = sorted(one.name.removeprefix("python") for one in (place / "lib").glob("python*"))
        have = f"is for Python {' and '.join(others)}" if others else "holds no Python"
        problem = f"this virtual environment {have}, but the Python to build with is {distribution.short_version}"
        raise DependencyError(problem, where=place, remedy="Name its Python with --python, or another environment with --venv.")
    return site


def sees_system(place: Path) -> bool:
    """Whether a virtual environment includes the packages of its base Python too."""
    try:
        lines = (place / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    pairs = (line.partition("=") for line in lines)
    return any(
        name.strip().lower() == "include-system-site-packages" and value.strip().lower() == "true" for name, _, value in pairs
    )
