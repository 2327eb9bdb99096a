"""Editable installations and path files: what stands behind them.

An editable installation (PEP 660) leaves in ``site-packages`` its metadata and something that leads to the sources. Two
forms are understood: a ``.pth`` file with the path of a directory (hatchling, setuptools with a ``src`` layout, poetry,
uv), and setuptools' ``__editable___NAME_finder.py`` with a literal mapping of names to paths.
"""

from __future__ import annotations

import ast
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from frazil.errors import DependencyError
from frazil.resources.scan import CACHE_DIRECTORY, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PROJECT_FILES: Final = ("pyproject.toml", "setup.py", "setup.cfg")
_HARMLESS: Final = ("distutils-precedence.pth", "-nspkg.pth")
"""Path files whose code a frozen program does without: setuptools' shim of distutils, and namespaces before PEP 420."""


@dataclass(frozen=True, slots=True)
class PathFile:
    """A ``.pth`` file: the directories that it names, and its lines that are code."""

    place: Path
    directories: tuple[Path, ...] = ()
    code: tuple[str, ...] = field(default=())

    @property
    def harmless(self) -> bool:
        """Whether nothing is lost when its code does not run."""
        return not self.code or self.place.name.endswith(_HARMLESS)


def path_file(place: Path) -> PathFile:
    """Read a ``.pth`` file as ``site.addpackage`` does: lines of code start with ``import``, the rest are paths that exist."""
    try:
        text = place.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError:
        return PathFile(place)
    lines = [line.rstrip() for line in text.splitlines()]
    code = tuple(line for line in lines if line.startswith(("import ", "import\t")))
    paths = [line for line in lines if line.strip() and not line.startswith("#") and line not in code]
    directories = tuple(Path(os.path.normpath(place.parent / line)) for line in paths)
    return PathFile(place, tuple(one for one in directories if one.is_dir()), code)


def editable_origin(direct_url: str) -> Path | None:
    """The project directory of an editable installation, from ``direct_url.json`` (PEP 610); None for any other."""
    try:
        answer = json.loads(direct_url)
        if not answer["dir_info"].get("editable"):
            return None
        url = urlsplit(answer["url"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Path(unquote(url.path)) if url.scheme == "file" else None


def contents(
    name: str, origin: Path, redirections: Iterable[Path], info: Path, warnings: list[str]
) -> Iterator[tuple[str, Path]]:
    """The files of an editable installation, by their path as it would be in ``site-packages``.

    ``redirections`` are the files that lead to them. Raises DependencyError when none of these is understood.
    """
    understood = False
    for place in redirections:
        if place.suffix == ".pth":
            for directory in path_file(place).directories:
                understood = True
                for top in _top_levels(name, directory, info):
                    yield from _below(directory / top, top, warnings)
        elif place.name.endswith("_finder.py"):
            mapping = _mapping(place)
            understood = understood or mapping is not None
            for module, target in sorted((mapping or {}).items()):
                yield from _module(module, Path(target), warnings)
    if not understood:
        problem = f"the editable installation of {name} is of a kind that is not understood"
        remedy = f"Install it without -e: pip install {origin}"
        raise DependencyError(problem, where=info, remedy=remedy)


def _mapping(place: Path) -> dict[str, str] | None:
    """``MAPPING`` and ``NAMESPACES`` of setuptools' finder, joined."""
    found: dict[str, str] = {}
    known = False
    try:
        tree = ast.parse(place.read_bytes())
        for node in tree.body:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if value is not None and "MAPPING" in names:
                found.update(ast.literal_eval(value))
                known = True
            elif value is not None and "NAMESPACES" in names:
                found.update({module: paths[0] for module, paths in ast.literal_eval(value).items() if paths})
    except (OSError, ValueError, SyntaxError, TypeError, AttributeError):
        return None
    return found if known else None


def _module(module: str, target: Path, warnings: list[str]) -> Iterator[tuple[str, Path]]:
    relative = module.replace(".", "/")
    if target.is_dir():
        yield from _below(target, relative, warnings)
    else:
        for suffix in (".py", ".so"):
            file = target.with_name(target.name + suffix)
            if file.is_file():
                yield relative + suffix, file


def _top_levels(name: str, directory: Path, info: Path) -> list[str]:
    """What of a directory on the path belongs to the distribution.

    All of a source directory; of a project's root, where tests and tools stand too, what the metadata names.
    """
    present = sorted(entry.name for entry in os.scandir(directory) if not _is_foreign(entry))
    if not any(one in _PROJECT_FILES for one in present):
        return present
    named = _named(name, info)
    found = [one for one in present if one.split(".")[0] in named and one not in _PROJECT_FILES]
    if not found:
        problem = f"which of the packages in {directory} belong to {name} cannot be told from its metadata"
        raise DependencyError(problem, where=info, remedy=f"Install it without -e: pip install {directory}")
    return found


def _named(name: str, info: Path) -> set[str]:
    """Top-level names that the metadata gives: ``top_level.txt``, the modules of entry points, the project's own name."""
    found = {name.replace("-", "_")}
    for place in ("top_level.txt", "entry_points.txt"):
        try:
            lines = (info / place).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        if place == "top_level.txt":
            found.update(line.strip() for line in lines if line.strip())
        else:
            values = (line.partition("=")[2].strip() for line in lines if "=" in line)
            found.update(value.split(":")[0].split(".")[0].strip() for value in values)
    return found


def _is_foreign(entry: os.DirEntry[str]) -> bool:
    """Whether something in a source tree is no part of the code: caches, version control, environments, build metadata."""
    name = entry.name
    if name.startswith(".") or name == CACHE_DIRECTORY or name.endswith((".egg-info", ".dist-info")):
        return True
    return entry.is_dir() and Path(entry.path, "pyvenv.cfg").exists()


def _below(place: Path, relative: str, warnings: list[str]) -> Iterator[tuple[str, Path]]:
    if place.is_file():
        yield relative, place
        return
    tree = Tree(place, skip=lambda entry: entry.name == CACHE_DIRECTORY)
    for inner, file in tree.files():
        yield f"{relative}/{inner}", file
    warnings.extend(tree.warnings)
