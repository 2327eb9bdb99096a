"""Installed distributions as resources: everything that a ``*.dist-info/RECORD`` lists, with the metadata itself.

Third-party code is taken by whole distribution, so that what no import statement mentions (plug-ins, data files, libraries,
entry points) is there. What installers add for their own use and what differs from machine to machine is left out: scripts,
bytecode caches, ``INSTALLER``, ``REQUESTED``, ``direct_url.json`` with a local path; ``RECORD`` is written anew to match.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from frazil.errors import DependencyError
from frazil.resources.editable import PathFile, contents, editable_origin, path_file
from frazil.resources.kinds import APPLICATION, BytecodeModule, DataFile, ExtensionModule, SourceModule
from frazil.resources.scan import CACHE_DIRECTORY, without_shadowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from frazil.resources.kinds import Resource
    from frazil.resources.scan import Classifier

_OF_INSTALLERS: Final = frozenset(
    {"INSTALLER", "REQUESTED", "RECORD", "RECORD.jws", "RECORD.p7s", "uv_build.json", "uv_cache.json"}
)
_SCRIPTS: Final = ("bin/", "include/")
"""Below the prefix: scripts start the build machine's interpreter, headers are for compilers."""


@dataclass(frozen=True, slots=True)
class InstalledDistribution:
    """A ``*.dist-info`` directory. ``name`` is normalised."""

    name: str
    version: str
    info: Path

    def headers(self, field: str) -> list[str]:
        """All values of a field in ``METADATA``, ``Requires-Dist`` for instance."""
        found = []
        with contextlib.suppress(OSError), (self.info / "METADATA").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line in {"\n", "\r\n"}:
                    break
                name, separator, value = line.partition(":")
                if separator and name.lower() == field.lower():
                    found.append(value.strip())
        return found

    def requires(self) -> list[Requirement]:
        """``Requires-Dist``; what is no valid requirement (old metadata) is passed over."""
        found = []
        for text in self.headers("Requires-Dist"):
            with contextlib.suppress(InvalidRequirement):
                found.append(Requirement(text))
        return found

    def record(self) -> list[list[str]]:
        """The rows of ``RECORD``. Raises DependencyError when it is missing or damaged."""
        place = self.info / "RECORD"
        try:
            with place.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.reader(file) if row]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            problem = f"the list of files of {self.name} {self.version} cannot be read: {reason}"
            remedy = f"Install it again: pip install --force-reinstall {self.name}"
            raise DependencyError(problem, where=place, remedy=remedy) from error
        return rows

    def file(self, name: str) -> str:
        """The text of one of its files, empty when there is none."""
        try:
            return (self.info / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


@dataclass(frozen=True, slots=True)
class Providers:
    """Normalised names of distributions by dotted module name, and by the name of a package without ``__init__``."""

    modules: dict[str, list[str]]
    namespaces: dict[str, list[str]]

    def of(self, name: str) -> list[str]:
        """The distributions that have the module ``name``, or the module whose attribute it may be.

        Of a namespace that several share, that is none: the imports below it tell which ones are needed.
        """
        while name:
            if name in self.modules:
                return self.modules[name]
            if name in self.namespaces:
                return self.namespaces[name] if len(self.namespaces[name]) == 1 else []
            name = name.rpartition(".")[0]
        return []

    def knows(self, name: str) -> bool:
        """Whether ``name`` is there in some form, be it a shared namespace."""
        return name in self.modules or name in self.namespaces


class SitePackages:
    """The distributions of one ``site-packages`` directory.

    ``prefix`` is where it stands below the mount; ``application`` the normalised name of the distribution that is the
    application itself. ``warnings`` grows as resources are asked for.
    """

    def __init__(self, root: Path, prefix: str, classifier: Classifier, *, application: str | None = None) -> None:
        self.root = root
        self.prefix = prefix
        self.application = application
        self.warnings: list[str] = []
        self.distributions: dict[str, InstalledDistribution] = {}
        self.legacy: dict[str, Path] = {}
        """Distributions that do not say which files they consist of, by normalised name."""
        self._classifier = classifier
        self._listings: dict[str, frozenset[str]] = {}
        self._resources: dict[str, list[Resource]] = {}
        self._list()

    def _list(self) -> None:
        try:
            names = sorted(os.listdir(self.root))  # noqa: PTH208 - names are all that is needed
        except OSError as error:
            raise DependencyError(f"cannot be read: {error.strerror}", where=self.root) from error
        for name in names:
            stem, extension = posixpath.splitext(name)
            if extension == ".dist-info":
                self._add(self.root / name, stem)
            elif extension in {".egg-info", ".egg-link", ".egg"}:
                self.legacy[canonicalize_name(stem.split("-")[0])] = self.root / name

    def _add(self, info: Path, stem: str) -> None:
        name, _, version = stem.rpartition("-")
        one = InstalledDistribution(canonicalize_name(name or stem), version, info)
        other = self.distributions.get(one.name)
        if other is not None:
            self.warnings.append(f"{other.info}: left out: {info.name} is the same project")
        self.distributions[one.name] = one

    def resources(self, name: str) -> list[Resource]:
        """Everything that the distribution ``name`` consists of."""
        known = self._resources.get(name)
        if known is None:
            known = self._resources[name] = self._collect(self.distributions[name])
        return known

    def _collect(self, one: InstalledDistribution) -> list[Resource]:
        owner = APPLICATION if one.name == self.application else one.name
        info = one.info.name + "/"
        rows = one.record()
        hashes = {row[0]: row[1:3] for row in rows}
        files = dict(self._recorded(one, rows))
        origin = editable_origin(one.file("direct_url.json"))
        if origin is not None:
            redirections = [file for relative, file in files.items() if _redirects(relative)]
            files = {relative: file for relative, file in files.items() if not _redirects(relative)}
            files.update(contents(one.name, origin, redirections, one.info, self.warnings))
        found: list[Resource] = []
        for relative, file in without_shadowed(files.items()):
            if relative.startswith("../"):
                found.append(DataFile(file, posixpath.normpath(f"{self.prefix}/{relative}"), owner))
            elif relative.startswith(info):
                found.append(DataFile(file, f"{self.prefix}/{relative}", owner))
            else:
                found.append(self._classifier.resource(file, relative, self.prefix, owner))
        listed = sorted((relative, *hashes.get(relative, ("", ""))) for relative in files)
        record = _written([*listed, (f"{info}RECORD", "", "")])
        found.append(DataFile(record, f"{self.prefix}/{info}RECORD", owner))
        return found

    def _recorded(self, one: InstalledDistribution, rows: Iterable[list[str]]) -> Iterator[tuple[str, Path]]:
        """The recorded files that are taken, by their path relative to ``site-packages``."""
        info = one.info.name
        root = os.fspath(self.root)
        missing = []
        for relative, *_ in rows:
            directory, _, name = relative.rpartition("/")
            if name.endswith(".pyc") and directory.endswith(CACHE_DIRECTORY):
                continue
            if directory == info and (name in _OF_INSTALLERS or (name == "direct_url.json" and _is_local(one.file(name)))):
                continue
            if (relative.startswith(("../", "/")) or "/../" in relative) and not self._is_taken(relative):
                continue
            if name in self._listing(directory):
                yield relative, Path(f"{root}/{relative}")
            else:
                missing.append(relative)
        if missing:
            first = missing[0] if len(missing) == 1 else f"{missing[0]} and {len(missing) - 1} more"
            self.warnings.append(f"{one.info / 'RECORD'}: {one.name} {one.version} lists files that are not there: {first}")

    def _is_taken(self, relative: str) -> bool:
        """Whether a file outside ``site-packages`` stands below the prefix, such as ``../../../share/x``, and is no script."""
        path = posixpath.normpath(f"{self.prefix}/{relative}")
        return not relative.startswith("/") and not path.startswith(("../", *_SCRIPTS))

    def _listing(self, directory: str) -> frozenset[str]:
        """Names in a directory: one call for each directory is many times faster than one for each file."""
        known = self._listings.get(directory)
        if known is None:
            try:
                known = frozenset(os.listdir(self.root / directory))  # noqa: PTH208 - names are all that is needed
            except OSError:
                known = frozenset()
            self._listings[directory] = known
        return known

    def path_files(self, taken: Iterable[str]) -> list[PathFile]:
        """The ``.pth`` files of the distributions ``taken`` and those that no distribution owns; never an editable one's."""
        owners = {
            relative: name for name in self.distributions for relative in self._top_files(name) if relative.endswith(".pth")
        }
        chosen = set(taken)
        found = []
        for name in sorted(self._listing("")):
            if not name.endswith(".pth") or name.startswith("."):
                continue
            owner = owners.get(name)
            if owner is None or (
                owner in chosen and editable_origin(self.distributions[owner].file("direct_url.json")) is None
            ):
                found.append(path_file(self.root / name))
        return found

    def _top_files(self, name: str) -> list[str]:
        try:
            return [row[0] for row in self.distributions[name].record() if "/" not in row[0]]
        except DependencyError:
            return []

    def providers(self) -> Providers:
        """Which distributions have which modules."""
        found = Providers({}, {})
        for name in self.distributions:
            try:
                resources = self.resources(name)
            except DependencyError as error:
                self.warnings.append(f"{error.where}: {error.problem}")
                continue
            own = {one.name for one in resources if isinstance(one, SourceModule | ExtensionModule | BytecodeModule)}
            above: set[str] = set()
            for module in own:
                found.modules.setdefault(module, []).append(name)
                parent = module.rpartition(".")[0]
                while parent and parent not in own and parent not in above:
                    above.add(parent)
                    parent = parent.rpartition(".")[0]
            for namespace in above:
                found.namespaces.setdefault(namespace, []).append(name)
        return found

    def closure(self, roots: Iterable[Requirement], environment: Mapping[str, str]) -> list[str]:
        """The roots and all that they require, by name in sorted order.

        ``environment`` is what markers are evaluated for. Raises DependencyError for a root that is not installed, or not in
        a version that fits; anything further down that is missing is a warning, since programs run so.
        """
        seen: set[tuple[str, str]] = set()
        waiting: list[tuple[Requirement, str]] = [(root, "") for root in roots]
        while waiting:
            requirement, wanted_by = waiting.pop()
            name = canonicalize_name(requirement.name)
            one = self._find(requirement, name, wanted_by)
            if one is None:
                continue
            for extra in ["", *sorted(requirement.extras)]:
                if (name, extra) in seen:
                    continue
                seen.add((name, extra))
                marked = {**environment, "extra": extra}
                further = (each for each in one.requires() if each.marker is None or each.marker.evaluate(marked))
                waiting.extend((each, name) for each in further)
        return sorted({name for name, _ in seen})

    def _find(self, requirement: Requirement, name: str, wanted_by: str) -> InstalledDistribution | None:
        one = self.distributions.get(name)
        if one is None:
            if name in self.legacy:
                problem = f"{name} is installed in an old form that does not say which files belong to it"
                remedy = f"Install it again with a current pip: pip install --force-reinstall {name}"
                raise DependencyError(problem, where=self.legacy[name], remedy=remedy)
            if not wanted_by:
                remedy = f"Install it there: pip install '{requirement}'"
                raise DependencyError(f"{requirement} is not installed", where=self.root, remedy=remedy)
            self.warnings.append(f"{self.root}: {wanted_by} requires {requirement}, which is not installed")
        elif not wanted_by and not requirement.specifier.contains(one.version, prereleases=True):
            problem = f"{requirement} is required, but {one.version} is installed"
            raise DependencyError(problem, where=self.root, remedy=f"Install a version that fits: pip install '{requirement}'")
        return one


def _redirects(relative: str) -> bool:
    """Whether a file of an editable installation only leads to the sources: ``x.pth``, ``__editable___x_finder.py``."""
    return "/" not in relative and (relative.endswith(".pth") or "editable" in relative)


def _is_local(direct_url: str) -> bool:
    """Whether ``direct_url.json`` (PEP 610) names a place on this machine."""
    try:
        return str(json.loads(direct_url)["url"]).startswith("file:")
    except (ValueError, KeyError, TypeError):
        return True


def _written(rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
