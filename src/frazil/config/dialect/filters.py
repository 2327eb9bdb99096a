"""Lists of names in files, by which resources are kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from frazil.config.dialect.resource_types import PythonExtensionModule, PythonModuleSource, PythonPackageResource
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from frazil.config.dialect.resource_types import PythonResource

_AT_MOST = 16 << 20


def names_in(directory: Path, files: Iterable[str], patterns: Iterable[str]) -> set[str]:
    """The names in files, relative to ``directory``, and in those that glob patterns match. Raises SourceError."""
    places = [directory / name for name in files]
    for pattern in patterns:
        base = directory.anchor if pattern.startswith("/") else os.fspath(directory)
        found = sorted(type(directory)(base).glob(pattern.lstrip("/")))
        if not found:
            raise SourceError("no file matches this pattern", where=pattern)
        places += found
    names: set[str] = set()
    for place in places:
        try:
            with place.open(encoding="utf-8") as lines:
                text = lines.read(_AT_MOST)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            raise SourceError(f"this list of names cannot be read: {reason}", where=place) from error
        names.update(line.partition("#")[0].strip() for line in text.splitlines())
    return names - {""}


def kept(resources: Mapping[str, PythonResource], names: set[str]) -> dict[str, PythonResource]:
    """The resources that ``names`` has: modules by name, other files of a package where the package is kept."""
    return {path: one for path, one in resources.items() if _name(one) in names}


def _name(one: PythonResource) -> str:
    if isinstance(one, PythonModuleSource | PythonExtensionModule):
        return str(one.name)
    return str(one.package) if isinstance(one, PythonPackageResource) else one.relative
