"""The import graph: what modules import, where Python would find it, and what is reached. Pure; this file does no I/O."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from frazil.resources.kinds import Module

GUARDED: Final = 1
"""The program goes on without the module: the import stands where ``ImportError`` is caught, or is a call."""
LAZY: Final = 2
"""The import stands in a function."""
MAIN: Final = 4
"""The import runs only when the module is started as a program or tests itself."""


class Import(NamedTuple):
    """One import as it stands in a module. ``names`` are those after ``from name import``, ``*`` included."""

    name: str
    """Absolute; relative imports have been resolved."""
    names: tuple[str, ...] = ()
    line: int = 0
    flags: int = 0


def targets(one: Import) -> Iterator[str]:
    """The modules that an import may load, parents first: all it names, and each ``name.x`` of ``from name import x``."""
    parts = one.name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])
    for name in one.names:
        if name != "*":
            yield f"{one.name}.{name}"


def parents(name: str) -> Iterator[str]:
    """The packages above a module, outermost first."""
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


def reach(roots: Iterable[str], expand: Callable[[list[str]], Iterable[str]]) -> set[str]:
    """Every name that is reached from ``roots``.

    ``expand`` is called wave after wave with the names that are new, sorted, and returns the names that they lead to.
    """
    reached: set[str] = set()
    wave = sorted(set(roots))
    while wave:
        reached.update(wave)
        wave = sorted(set(expand(wave)) - reached)
    return reached


def importable(modules: Iterable[Module], path: Sequence[str]) -> dict[str, Module]:
    """The modules by the name under which Python would import them, given the ``sys.path`` entries ``path`` (empty: the mount).

    Of several files that claim a name, the one wins that Python's own search finds first. A module outside of what its parent
    package searches (the package may add to its ``__path__``) is taken when nothing else has its name.
    """
    claims: dict[str, list[Module]] = {}
    for module in modules:
        claims.setdefault(module.name, []).append(module)
    found: dict[str, Module] = {}
    places: dict[str, Sequence[str]] = {"": path}

    def search(name: str) -> Sequence[str]:
        """Where submodules of ``name`` are looked for: the package's directory, or each portion of a namespace package."""
        if name not in places:
            above, _, last = name.rpartition(".")
            portions = [posixpath.join(directory, last) for directory in search(above)]
            winner = found.get(name)
            places[name] = portions if winner is None else [_directory(winner)] if winner.package else []
        return places[name]

    for name in sorted(claims, key=lambda name: (name.count("."), name)):
        order = {directory: number for number, directory in reversed(list(enumerate(search(name.rpartition(".")[0]))))}
        inside = [module for module in claims[name] if module.directory in order]
        if not inside and (not name.count(".") or name.rpartition(".")[0] in found):
            inside = [] if _hidden(name, claims[name], found) else claims[name][:1]
        if inside:
            found[name] = min(inside, key=lambda module: (order.get(module.directory, 0), _preference(module), module.path))
    return found


def _directory(package: Module) -> str:
    return package.path.rpartition("/")[0]


def _hidden(name: str, claims: Iterable[Module], found: dict[str, Module]) -> bool:
    """Whether what claims ``name`` lies in a package that lost its own name to another one, or in no ``sys.path`` entry."""
    parent = found.get(name.rpartition(".")[0])
    return parent is None or not parent.package or not any(one.owner != parent.owner for one in claims)


def _preference(module: Module) -> int:
    """CPython's order within a directory: packages, extension modules, source, bytecode."""
    kinds = {"ExtensionModule": 1, "SourceModule": 2, "BytecodeModule": 3}
    return 0 if module.package else kinds[type(module).__name__]


def unresolved(imports: Iterable[Import], known: Container[str], owned: Container[str]) -> Iterator[Import]:
    """The imports that will fail when they run and that nothing guards.

    ``known`` are the top-level names that exist, ``owned`` those of the application: only of its own packages is it known that
    they have no other submodules than their files.
    """
    for one in imports:
        if one.flags & GUARDED:
            continue
        top = one.name.partition(".")[0]
        if top not in known or (top in owned and one.name not in owned):
            yield one
