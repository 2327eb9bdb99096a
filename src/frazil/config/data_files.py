"""``--include-data SRC=DEST``: files and directories that stand beside the application."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from frazil.errors import SourceError, UsageError
from frazil.resources.kinds import APPLICATION, DataFile
from frazil.resources.scan import Tree, is_text

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.resources.kinds import Resource
    from frazil.resources.scan import Classifier

_REMEDY = "Write SRC=DEST, as in --include-data assets=assets; DEST is relative to the application's directory."


def split(text: str) -> tuple[str, str]:
    """``SRC`` and ``DEST``, the latter normalised. Raises UsageError when either is missing or DEST leads out."""
    source, separator, target = text.rpartition("=")
    if not separator or not source or not target:
        raise UsageError(f"{text!r} is not of the form SRC=DEST", where="--include-data", remedy=_REMEDY)
    clean = posixpath.normpath(target)
    if clean == ".." or clean.startswith(("/", "../")) or "\0" in target or not is_text(target):
        raise UsageError(f"{target!r} is not below the application's directory", where="--include-data", remedy=_REMEDY)
    return source, clean + "/" if target.endswith("/") and clean != "." else clean


def data_files(texts: tuple[str, ...], base: Path, prefix: str, classifier: Classifier, warnings: list[str]) -> list[Resource]:
    """The files that ``texts`` name, below ``prefix``, where the application stands.

    A DEST that ends in a slash, or is ``.``, is a directory to put a file into.
    """
    found: list[Resource] = []
    for text in texts:
        source, target = split(text)
        place = base / source
        if place.is_dir():
            tree = Tree(place)
            below = "" if target == "." else target.rstrip("/") + "/"
            found += [_resource(file, below + inner, prefix, classifier) for inner, file in tree.files()]
            warnings += tree.warnings
        elif place.is_file():
            into = target == "." or target.endswith("/")
            relative = posixpath.normpath(posixpath.join(target, place.name)) if into else target
            found.append(_resource(place, relative, prefix, classifier))
        else:
            problem = "neither a file nor a directory" if place.exists() else "no such file or directory"
            raise SourceError(problem, where=place, remedy="It is named by --include-data; SRC is relative to where you are.")
    return found


def _resource(file: Path, relative: str, prefix: str, classifier: Classifier) -> Resource:
    """Shared objects are libraries, whose own needs the builder looks after; all else is data, Python files too."""
    made = classifier.resource(file, relative, prefix, APPLICATION)
    if relative.endswith((".py", ".pyc")):
        return DataFile(file, made.path, APPLICATION)
    return made
