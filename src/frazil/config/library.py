"""The front-end for what has nothing to run: distributions that are to be archived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from frazil.config.assembly import Draft
from frazil.config.requirements import parsed
from frazil.errors import UsageError

if TYPE_CHECKING:
    from frazil.cache import ContentCache
    from frazil.config.options import SourceOptions
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan


def requirements_plan(options: SourceOptions, distribution: PythonDistribution, cache: ContentCache) -> Plan:
    """The plan of what ``options.requirements`` name and all that they require; it starts nothing.

    Raises UsageError when there are none, DependencyError when they cannot be installed.
    """
    if not options.requirements:
        raise UsageError("nothing is named to archive", remedy="Name a SOURCE, or requirements with --with.")
    draft = Draft(options, distribution, cache)
    draft.add_third_party({}, (), "--with")
    return draft.plan(options.name or canonicalize_name(parsed(options.requirements[0], "--with").name), ())
