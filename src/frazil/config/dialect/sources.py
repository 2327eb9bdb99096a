"""Where the resources of an executable come from: installers, virtual environments, directories of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frazil.config import third_party
from frazil.config.exclusion import Exclusion
from frazil.config.install import arguments_environment
from frazil.config.modules import ModuleSearch
from frazil.config.parsing import Parser
from frazil.config.starlark.errors import Fault, suggestion
from frazil.config.starlark.text import quoted
from frazil.errors import DependencyError, SourceError
from frazil.plan import APPLICATION_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from frazil.config.dialect.session import Session
    from frazil.distribution import PythonDistribution
    from frazil.resources.kinds import Resource


class Sources:
    """Finds resources, and keeps what else a plan must know of them."""

    def __init__(self, session: Session, distribution: PythonDistribution) -> None:
        self._session = session
        self._distribution = distribution
        self._parser = Parser(distribution, session.cache)
        self.warnings: list[str] = []
        self.extra_paths: list[str] = []

    def installed(self, arguments: Sequence[str], variables: Mapping[str, str]) -> list[tuple[str, list[Resource]]]:
        """What an installer's arguments install, with what that requires."""
        session = self._session
        root = arguments_environment(arguments, session.directory, variables, self._distribution, session.cache)
        return self._all(root)

    def virtual_environment(self, place: Path) -> list[tuple[str, list[Resource]]]:
        """Every distribution of a virtual environment."""
        try:
            return self._all(third_party.virtual_environment(place, self._distribution))
        except DependencyError as error:
            raise DependencyError(
                error.problem,
                where=error.where,
                remedy=f"Make one with python{self._distribution.short_version} -m venv, install into it, and name it.",
            ) from error

    def _all(self, root: Path) -> list[tuple[str, list[Resource]]]:
        site = third_party.site_packages(root, self._parser)
        taken = third_party.whole(site, import_site=False)
        self.warnings += [one for one in taken.warnings if one not in self.warnings]
        self.extra_paths += [one for one in taken.extra_paths if one not in self.extra_paths]
        return [(third_party.site_prefix(self._distribution), taken.resources)]

    def packages(self, root: Path, names: Sequence[str]) -> list[Resource]:
        """Packages and modules directly below ``root``, with all files of the packages. Raises SourceError, Fault."""
        if not root.is_dir():
            raise SourceError(
                "no such directory", where=root, remedy="read_package_root() takes the directory that holds packages."
            )
        search = ModuleSearch(root, self._parser, Exclusion(()), prefix=APPLICATION_DIRECTORY, data=True)
        for name in names:
            directory = root.joinpath(*name.split("."))
            if not (search.take(name) or search.take_below(name)):
                there = [one.name.partition(".")[0] for one in sorted(root.iterdir())]
                raise Fault(f"there is no package or module {quoted(name)} in {root}", suggestion(name, there))
            if directory.is_dir() and not (directory / "__init__.py").exists():
                search.take_below(name)
        self.warnings += search.warnings
        return list(search.resources.values())
