"""Resources by path and modules by name, with rules for conflicts and a defined order. Pure; this file does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frazil.errors import SourceError
from frazil.resources.kinds import (
    APPLICATION,
    RUNTIME,
    STANDARD_LIBRARY,
    SYSTEM,
    BytecodeModule,
    ExtensionModule,
    Module,
    Resource,
    SourceModule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _rank(owner: str) -> int:
    return {APPLICATION: 0, RUNTIME: 1, STANDARD_LIBRARY: 3, SYSTEM: 4}.get(owner, 2)


class Collection:
    """What goes into an executable.

    One path holds one resource. Of two owners the application wins over third parties, and those over the standard library;
    of two third-party distributions the first wins. Each pair is listed in ``conflicts``.
    """

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._by_path: dict[str, Resource] = {}
        self.conflicts: list[tuple[Resource, Resource]] = []
        """Pairs of the resource that was kept and the one that was dropped."""
        self.update(resources)

    def add(self, resource: Resource) -> None:
        """Add one resource; see the class for what happens to a path that is taken."""
        held = self._by_path.get(resource.path)
        if held is None or held == resource:
            self._by_path[resource.path] = resource
            return
        if held.owner == resource.owner == APPLICATION:
            problem = f"two files of the application want to be {resource.path}"
            raise SourceError(problem, remedy="Rename one, or leave one out with --exclude.")
        kept, dropped = (held, resource) if _rank(held.owner) <= _rank(resource.owner) else (resource, held)
        self._by_path[resource.path] = kept
        self.conflicts.append((kept, dropped))

    def update(self, resources: Iterable[Resource]) -> None:
        """Add several resources, in their order."""
        for resource in resources:
            self.add(resource)

    def discard(self, path: str) -> None:
        """Remove what stands at ``path``, if anything does."""
        self._by_path.pop(path, None)

    def get(self, path: str) -> Resource | None:
        """What stands at ``path``."""
        return self._by_path.get(path)

    def __contains__(self, path: object) -> bool:
        return path in self._by_path

    def __len__(self) -> int:
        return len(self._by_path)

    def __iter__(self) -> Iterator[Resource]:
        """All resources, by path."""
        return (self._by_path[path] for path in sorted(self._by_path))

    def modules(self) -> Iterator[Module]:
        """All modules, by path."""
        return (one for one in self if isinstance(one, SourceModule | BytecodeModule | ExtensionModule))

    def copy(self) -> Collection:
        """A collection with the same content that can change on its own."""
        twin = Collection()
        twin._by_path = dict(self._by_path)
        twin.conflicts = list(self.conflicts)
        return twin
