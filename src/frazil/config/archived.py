"""Joins what the archives of a build contribute with what the build itself brings, which wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frazil.archive.paths import DIST_INFO, project_of
from frazil.resources.kinds import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frazil.archive.contribution import Contribution
    from frazil.config.assembly import Draft
    from frazil.resources.kinds import Resource


def combine(draft: Draft) -> Contribution:
    """The contribution of the draft's archives; the draft loses what they have just as well, and gets the warnings.

    A distribution that the build brings too, for instance since another one requires it, is taken from the archive when it is
    of the same version, for there its native modules can be linked statically; else the build's own one is taken whole.
    """
    own = own_versions(draft.resources)
    both = {name: version for name, version in own.items() if name in draft.archives.distributions}
    same = {name for name, version in both.items() if version == draft.archives.distributions[name]}
    draft.resources = [one for one in draft.resources if one.owner not in same]
    for name in sorted(both.keys() - same):
        version = draft.archives.distributions[name]
        draft.warnings.append(f"{name}: {both[name]} was installed and taken, {version} of the archives left out")
    found = draft.archives.contribution(draft.distribution, draft.prefix, draft.cache, without=both.keys() - same)
    draft.warnings += [f"{conflict}" for conflict in draft.archives.conflicts]
    declared = {one.module for one in draft.options.native} | {one.name for one in draft.native}
    misfits = [one for one in found.misfits if one.module not in declared and not draft.excluded(one.module)]
    draft.warnings += [f"{misfit}" for misfit in misfits]
    draft.extra_paths += [path for path in found.extra_paths if path not in draft.extra_paths]
    return found


def own_versions(resources: Iterable[Resource]) -> dict[str, str]:
    """The versions of the third-party distributions among ``resources``, by normalised name."""
    found: dict[str, str] = {}
    for resource in resources:
        directory, _, name = resource.path.rpartition("/")
        info = directory.rpartition("/")[2]
        project = project_of(f"{DIST_INFO}{info}/{name}")
        if name == "METADATA" and project is not None and resource.owner != APPLICATION:
            found[project] = info.removesuffix(".dist-info").rpartition("-")[2]
    return found
