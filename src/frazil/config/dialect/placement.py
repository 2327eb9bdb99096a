"""Writes the entries of a manifest into a directory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.config.dialect.building import Built, FileData
from frazil.errors import OutputError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.config.dialect.building import BuildContext
    from frazil.config.dialect.files import Entry

_PLAIN: Final = 0o644
_EXECUTABLE: Final = 0o755


def put(entries: Sequence[Entry], context: BuildContext) -> Built:
    """Write files, and let the rest build itself, in order. What ``Built.run`` names is the last executable's.

    Raises FrazilError.
    """
    paths: dict[Path, None] = {}
    run = None
    for entry in entries:
        place = context.directory / entry.path
        if isinstance(entry.what, FileData):
            _write(entry.what, place, entry.path)
            paths[place] = None
            continue
        _make_directory(place, entry.path)
        built = entry.what.build(replace(context, directory=place))
        paths |= dict.fromkeys(built.paths)
        run = built.run or run
    return Built(tuple(paths), run)


def _make_directory(place: Path, inner: str) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _taken(inner) from error
    except OSError as error:
        raise _unwritable(error, inner) from error


def _taken(inner: str) -> OutputError:
    problem = "two entries of the manifest need this path, one as a file and one as a directory"
    return OutputError(problem, where=inner, remedy="Give one of them another path.")


def _unwritable(error: OSError, inner: str) -> OutputError:
    problem = f"cannot be written: {error.strerror or error}"
    return OutputError(problem, where=inner, remedy="Free some space, or set another build path.")


def _write(data: FileData, place: Path, inner: str) -> None:
    _make_directory(place.parent, inner)
    if place.is_dir() and not place.is_symlink():
        raise _taken(inner)
    try:
        place.unlink(missing_ok=True)
        if isinstance(data.content, bytes):
            place.write_bytes(data.content)
        else:
            shutil.copyfile(data.content, place)
        place.chmod(_EXECUTABLE if data.executable else _PLAIN)
    except OSError as error:
        if isinstance(data.content, Path) and error.filename == str(data.content):
            raise SourceError(f"cannot be read: {error.strerror or error}", where=data.content) from error
        raise _unwritable(error, inner) from error
