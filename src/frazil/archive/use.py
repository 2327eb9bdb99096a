"""The archives of a build, opened, and merged the earlier one first; what they serve it with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from frazil.archive.contribution import PLATFORM, Contributing, Contribution
from frazil.archive.machine import require_machines
from frazil.archive.merge import merge
from frazil.archive.paths import DIST_INFO, project_of
from frazil.archive.reader import read_archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from packaging.requirements import Requirement

    from frazil.archive.content import Archive
    from frazil.archive.merge import Conflict
    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution


@dataclass(frozen=True, slots=True)
class Archives:
    """The archives of a build, the first of which wins."""

    archives: tuple[Archive, ...] = ()
    merged: Archive | None = None
    conflicts: tuple[Conflict, ...] = ()
    distributions: Mapping[str, str] = field(default_factory=dict)
    """Versions by normalised name."""

    @property
    def modules(self) -> frozenset[str]:
        """The names of all modules, and of the packages that they are in."""
        names = set(self.merged.metadata.modules) if self.merged is not None else set()
        return frozenset(names | {above for name in names for above in _above(name)})

    @property
    def include_directories(self) -> tuple[Path, ...]:
        """Where headers are looked for, in order."""
        return tuple(one.root / "include" for one in self.archives if one.root is not None)

    @property
    def library_directories(self) -> tuple[Path, ...]:
        """Where libraries are looked for by name, in order."""
        roots = [one.root for one in self.archives if one.root is not None]
        return tuple(place for root in roots for place in (root / "lib" / PLATFORM, root / "lib") if place.is_dir())

    def satisfies(self, requirement: Requirement) -> bool:
        """Whether an archive has the distribution that is required, so that it need not be installed."""
        version = self.distributions.get(canonicalize_name(requirement.name))
        if version is None or requirement.extras or requirement.url:
            return False
        return requirement.specifier.contains(version, prereleases=True)

    def contribution(
        self, distribution: PythonDistribution, prefix: str, cache: ContentCache, *, without: AbstractSet[str] = frozenset()
    ) -> Contribution:
        """What the archives give to an application that stands at ``prefix``, but the distributions ``without``.

        Raises SourceError that lists the native modules that cannot be used and have nothing in their place.
        """
        if self.merged is None:
            return Contribution()
        return Contributing(
            self.merged, distribution, prefix, cache, without=without, library_directories=self.library_directories
        ).run()


def _above(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def open_archives(places: Sequence[Path], directory: Path, cache: ContentCache) -> Archives:
    """The archives at these places, in order of precedence; relative ones are below ``directory``.

    Raises SourceError for one that is not sound.
    """
    opened = tuple(read_archive(directory / place, cache, str(place)) for place in places)
    if not opened:
        return Archives()
    for archive in opened:
        require_machines(archive)
    merged = merge(opened, " + ".join(one.name for one in opened))
    distributions = {}
    for path in merged.archive.below(DIST_INFO):
        project = project_of(path)
        if project is not None:
            distributions[project] = path.split("/")[1].removesuffix(".dist-info").rpartition("-")[2]
    return Archives(opened, merged.archive, merged.conflicts, distributions)
