"""Writes archives: a directory or a ``.tar.gz``, the same content the same bytes, and the output replaced as a whole.

A directory is made beside its place under a temporary name. Then the old one is renamed out of the way and the new one in; when
the second step fails, the first is undone.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from frazil.archive.content import content_of, with_digests
from frazil.archive.metadata import written
from frazil.archive.metadata_reader import nested
from frazil.archive.paths import BY_HAND, METADATA, path_problem
from frazil.errors import OutputError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frazil.archive.content import Archive

SUFFIXES: Final = (".tar.gz", ".tgz")
_LEVEL: Final = 6
_EXECUTABLE: Final = 0o755
_PLAIN: Final = 0o644
_PROBLEMS_SHOWN: Final = 20


def write_archive(archive: Archive, output: Path) -> None:
    """Write ``archive`` to ``output``: a ``.tar.gz`` when its name says so, else a directory.

    Raises OutputError when it cannot stand there, SourceError for content that cannot be in an archive; the old output stays.
    """
    _require_sound(archive)
    require_replaceable(output)
    try:
        if output.name.endswith(SUFFIXES):
            _write_packed(archive, output)
        else:
            _write_directory(archive, output)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", where=error.filename or output) from error


def require_replaceable(output: Path) -> None:
    """Raise OutputError when an archive cannot take the place of what stands at ``output``."""
    packed = output.name.endswith(SUFFIXES)
    if output.name in {"", ".", ".."} or output.is_mount():
        raise OutputError("this directory cannot be replaced", where=output, remedy="Name another place with -o.")
    if not os.path.lexists(output):
        if output.parent.exists() and not output.parent.is_dir():
            raise OutputError("this is no directory", where=output.parent, remedy="Name another place with -o.")
        return
    if packed and not output.is_file():
        raise OutputError("something that is no file stands there", where=output, remedy="Name another file with -o.")
    if packed:
        return
    if not output.is_dir() or output.is_symlink():
        problem = "something that is no directory stands there"
        raise OutputError(problem, where=output, remedy="Name another directory with -o, or a file that ends in .tar.gz.")
    if not (output / METADATA).is_file() and any(output.iterdir()):
        problem = "this directory is no archive and not empty: it is not replaced"
        raise OutputError(problem, where=output, remedy="Name another directory with -o, or remove it first.")


def _require_sound(archive: Archive) -> None:
    """Raise SourceError that lists the paths that cannot be in an archive."""
    problems = [f"{path}: {problem}" for path in archive.files if (problem := path_problem(path)) is not None]
    known: dict[str, str] = {}
    for path in sorted(archive.files):
        other = known.setdefault(path.casefold(), path)
        if other != path:
            problems.append(f"{path}: differs from {other} only in case")
    problems += nested(archive.files)
    if problems:
        lines = [f"  {problem}" for problem in problems[:_PROBLEMS_SHOWN]]
        remedy = "Rename them, or leave them out with --exclude."
        raise SourceError("files that cannot be in an archive", where=archive.name, details="\n".join(lines), remedy=remedy)


def _entries(archive: Archive) -> Iterator[tuple[str, bytes | None, int]]:
    """Path, content and mode of everything in the archive, directories (None) before what is in them."""
    yield METADATA, written(with_digests(archive.metadata)), _PLAIN
    directories = {folder.rstrip("/") for folder in BY_HAND}
    for path in archive.files:
        above = path.rpartition("/")[0]
        while above:
            directories.add(above)
            above = above.rpartition("/")[0]
    for path in sorted(directories | set(archive.files), key=str.encode):
        if path in directories:
            yield path, None, _EXECUTABLE
        else:
            executable = archive.metadata.files[path].executable
            yield path, content_of(path, archive), _EXECUTABLE if executable else _PLAIN


def _write_directory(archive: Archive, output: Path) -> None:
    place = Path(os.path.abspath(output))  # noqa: PTH100 - a symbolic link on the way keeps its name
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as temporary:
        made = Path(temporary) / "new"
        made.mkdir()
        for path, content, mode in _entries(archive):
            target = made / path
            if content is None:
                target.mkdir()
            else:
                target.write_bytes(content)
            target.chmod(mode)
        _exchange(made, place, Path(temporary) / "old")


def _exchange(made: Path, place: Path, old: Path) -> None:
    """Put ``made`` in the place of what stands at ``place``, which goes to ``old``; on failure nothing has changed."""
    with contextlib.suppress(FileNotFoundError):
        place.rename(old)
    try:
        made.rename(place)
    except BaseException:
        if old.exists():
            old.rename(place)
        raise


def _write_packed(archive: Archive, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _pack(archive, file)
            os.fchmod(file.fileno(), _PLAIN)
        Path(name).replace(output)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _pack(archive: Archive, file: IO[bytes]) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, content, mode in _entries(archive):
            member = tarfile.TarInfo(path)
            member.mode = mode
            if content is None:
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
