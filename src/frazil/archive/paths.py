"""The rules for paths in archives, and which unit of merging a path belongs to. Pure; this file does no I/O."""

from __future__ import annotations

import re
from typing import Final

from packaging.utils import canonicalize_name

from frazil.resources.scan import module_name

METADATA: Final = "frazil-archive.json"
PYTHON: Final = "python/"
OBJECT: Final = "object/"
SOURCE: Final = "source/"
SDIST: Final = "sdist/"
LIBRARY: Final = "lib/"
INCLUDE: Final = "include/"
DIST_INFO: Final = "dist-info/"
DATA: Final = "data/"
FOLDERS: Final = (DATA, DIST_INFO, INCLUDE, LIBRARY, OBJECT, PYTHON, SDIST, SOURCE)
BY_HAND: Final = (INCLUDE, LIBRARY)
"""Where people may add files that are not listed; always there, even when empty."""

ELSEWHERE: Final = "stands in none of the folders of an archive"
MAX_PATH: Final = 1024
_SHARED_OBJECT: Final = re.compile(r"(?P<stem>[^/.]+)(\.(cpython-|abi3)[^/]*)?\.so")
_NOT_IN_PATHS: Final = re.compile(r"[\\\x00-\x1f\x7f]")

Unit = tuple[str, str]
"""``("module", NAME)``, ``("distribution", PROJECT)`` or ``("file", PATH)``; what differs only in case is one unit."""


def path_problem(path: str) -> str | None:
    """What is wrong with a path, for a sentence that starts with it; None when nothing is."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    parts = path.split("/")
    rules = (
        ("is empty", not path),
        (f"is longer than {MAX_PATH} bytes", size > MAX_PATH),
        ("is absolute", path.startswith("/")),
        ("holds a character that no path may hold", _NOT_IN_PATHS.search(path) is not None),
        ("leads outside", ".." in parts),
        ("is not in its shortest form", "" in parts or "." in parts),
        (ELSEWHERE, path != METADATA and not path.startswith(FOLDERS)),
    )
    return next((problem for problem, broken in rules if broken), None)


def module_of(path: str) -> str | None:
    """The module that a path stands for or belongs to, by its name alone; None when it is no module's."""
    for folder in (OBJECT, SOURCE):
        if path.startswith(folder):
            name, slash, _ = path[len(folder) :].partition("/")
            return name if slash else None
    return imported_name(path[len(PYTHON) :]) if path.startswith(PYTHON) else None


def imported_name(relative: str) -> str | None:
    """The module that a file below a ``sys.path`` entry is: a source, or a shared object."""
    if relative.endswith(".py"):
        found = module_name(relative[:-3])
        return found[0] if found is not None else None
    directory, slash, filename = relative.rpartition("/")
    match = _SHARED_OBJECT.fullmatch(filename)
    found = module_name(directory + slash + match["stem"]) if match is not None else None
    return found[0] if found is not None else None


def project_of(path: str) -> str | None:
    """The normalised name of the project whose metadata directory a path below ``dist-info/`` is in."""
    if not path.startswith(DIST_INFO):
        return None
    directory, slash, _ = path[len(DIST_INFO) :].partition("/")
    if not slash or not directory.endswith(".dist-info"):
        return None
    stem = directory.removesuffix(".dist-info")
    return canonicalize_name(stem.rpartition("-")[0] or stem)


def unit_of(path: str) -> Unit:
    """The unit that a path is merged with."""
    module = module_of(path)
    if module is not None:
        return module_unit(module)
    project = project_of(path)
    return ("distribution", project) if project is not None else ("file", path.casefold())


def module_unit(name: str) -> Unit:
    """The unit of a module."""
    return ("module", name.casefold())
