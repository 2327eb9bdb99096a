"""Which modules a snapshot imports when its author names none: what importing the entry points would import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from frazil.builder.bytecode_worker import GUARDED, LAZY, MAIN
from frazil.plan import EntryKind
from frazil.resources.kinds import SourceModule

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from frazil.builder.bytecode import Compiled
    from frazil.plan import EntryPoint, Plan
    from frazil.resources.collection import Collection

_NOT_AT_ONCE: Final = GUARDED | LAZY | MAIN


def snapshot_modules(plan: Plan, collection: Collection, compiled: Mapping[str, Compiled]) -> tuple[str, ...]:
    """The names to import, in the order of the entry points and of their import statements."""
    if plan.warm is not None and plan.warm.modules:
        return plan.warm.modules
    names = [name for entry in plan.entries for name in _of_entry(entry, collection, compiled)]
    return tuple(dict.fromkeys(names))


def _of_entry(entry: EntryPoint, collection: Collection, compiled: Mapping[str, Compiled]) -> Iterator[str]:
    if entry.kind is EntryKind.FUNCTION:
        yield entry.target.partition(":")[0]
        return
    known = {module.name for module in collection.modules()}
    for module in collection.modules():
        if not isinstance(module, SourceModule) or module.path not in compiled:
            continue
        if module.path == entry.target or module.name in {entry.target, f"{entry.target}.__main__"}:
            if module.name == entry.target and module.package and entry.kind is EntryKind.MODULE:
                yield module.name
            else:
                yield from _at_once(compiled[module.path], known)


def _at_once(module: Compiled, known: Container[str]) -> Iterator[str]:
    """What importing the module imports, submodules too."""
    for one in module.imports:
        if not one.flags & _NOT_AT_ONCE and one.name:
            yield one.name
            yield from (full for name in one.names if (full := f"{one.name}.{name}") in known)


class Imports:
    """What each module imports when it is imported itself."""

    def __init__(self, collection: Collection, compiled: Mapping[str, Compiled]) -> None:
        self._paths = {one.name: one.path for one in collection.modules() if isinstance(one, SourceModule)}
        self._known = {one.name for one in collection.modules()}
        self._compiled = compiled

    def of(self, name: str) -> tuple[str, ...]:
        """The names, in order; none for modules without source."""
        found = self._compiled.get(self._paths.get(name, ""))
        return () if found is None else tuple(dict.fromkeys(_at_once(found, self._known)))
