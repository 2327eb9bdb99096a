"""Reads archives: a directory in its place, a ``.tar.gz`` unpacked into the cache. Nothing of either is trusted.

``docs/spec/archive.md``, "Reading", says what is refused. A tar is read by its members, front to back, and only regular files
and directories are written, each at a path that was checked; so there is nothing to write through.
"""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import stat
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.archive.content import Archive, facts_of
from frazil.archive.metadata_reader import MAX_SIZE, read_metadata
from frazil.archive.paths import BY_HAND, ELSEWHERE, FOLDERS, METADATA, path_problem
from frazil.cache import digest, file_digest
from frazil.errors import FrazilError, SourceError
from frazil.resources.scan import Tree
from frazil.tar_stream import BoundedStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frazil.archive.metadata import FileFacts, Metadata
    from frazil.cache import ContentCache
    from frazil.resources.kinds import Content

MAX_MEMBERS: Final = 200_000
MAX_UNPACKED: Final = 8 * 2**30
_CHUNK: Final = 1 << 20
_KIND: Final = "archive"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_PROBLEMS_SHOWN: Final = 20
_REMEDY: Final = "Get the archive again, or build it again with frazil archive build."
# What a hostile name leads to; other errors are the disk's.
_NAME_FAULTS: Final = {errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}


def read_archive(place: Path, cache: ContentCache, name: str = "") -> Archive:
    """The archive at ``place``, a directory or a ``.tar.gz``, every listed file checked; ``name`` is what people called it.

    Raises SourceError for everything that is wrong with it, HostError when the cache cannot hold what is unpacked.
    """
    name = name or str(place)
    path = Path(os.path.abspath(place))  # noqa: PTH100 - a link keeps its name in messages
    try:
        kind = path.stat().st_mode
    except OSError as error:
        problem = "no such archive" if error.errno == errno.ENOENT else f"cannot be read: {error.strerror}"
        raise SourceError(problem, where=name, remedy="Name a directory or .tar.gz that frazil archive build wrote.") from error
    if stat.S_ISDIR(kind):
        return _directory(path, name)
    if not stat.S_ISREG(kind):
        raise SourceError("neither a directory nor a file", where=name, remedy=_REMEDY)
    return _packed(path, name, cache)


def _directory(root: Path, name: str) -> Archive:
    metadata = read_metadata(_metadata_bytes(root), root / METADATA)
    by_hand: dict[str, Content] = {}
    for folder in BY_HAND:
        by_hand |= _files_by_hand(root, folder)
    listed: dict[str, Content] = {path: root / path for path in metadata.files}
    _require_listed(root, metadata.files)
    unlisted = {path: content for path, content in by_hand.items() if path not in listed}
    facts = {path: facts_of(content) for path, content in unlisted.items()}
    return Archive(name, replace(metadata, files={**metadata.files, **facts}), {**listed, **unlisted}, root)


def _metadata_bytes(root: Path) -> bytes:
    try:
        with (root / METADATA).open("rb") as file:
            return file.read(MAX_SIZE + 1)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EISDIR}:
            problem = f"this is no archive: it has no {METADATA}"
            raise SourceError(problem, where=root, remedy="Name what frazil archive build wrote.") from error
        raise SourceError(f"cannot be read: {error.strerror}", where=root / METADATA) from error


def _files_by_hand(root: Path, folder: str) -> dict[str, Content]:
    """What stands in ``lib/`` and ``include/``, listed or not. Raises SourceError for what no archive may hold."""
    place = root / folder
    if not place.is_dir():
        return {}
    tree = Tree(place, skip=lambda entry: entry.name.startswith("."))
    try:
        found: dict[str, Content] = {folder + relative: file for relative, file in tree.files()}
    except OSError as error:  # a link in a circle
        what = f"this symbolic link cannot be followed: {error.strerror}"
        raise SourceError(what, where=error.filename, remedy="Put the file itself there.") from error
    problems = [warning.replace(f"{root}/", "").replace(": left out", "") for warning in tree.warnings]
    known: dict[str, str] = {}
    inside = os.path.realpath(root) + os.sep
    for path in found:
        problem = path_problem(path)
        if not os.path.realpath(root / path).startswith(inside):
            problem = "is a link that leads outside"
        if problem is not None:
            problems.append(f"{path}: {problem}")
        if known.setdefault(path.casefold(), path) != path:
            problems.append(f"{path}: differs from {known[path.casefold()]} only in case")
    if problems:
        raise _refused(problems, place, "files that were added by hand")
    return found


def _require_listed(root: Path, files: Mapping[str, FileFacts]) -> None:
    """Raise SourceError that lists the files that are missing, or are others than the metadata says."""
    real = os.path.realpath(root) + os.sep
    problems = [f"{path}: {problem}" for path, facts in files.items() if (problem := _difference(root / path, facts, real))]
    if problems:
        raise _refused(problems, root, "files")


def _difference(file: Path, facts: FileFacts, root: str) -> str:
    try:
        status = file.lstat()
        if stat.S_ISLNK(status.st_mode) or not os.path.realpath(file).startswith(root):
            return "is, or is behind, a symbolic link"
        if not stat.S_ISREG(status.st_mode):
            return "is no regular file"
        if status.st_size != facts.size:
            return f"has {status.st_size} bytes, and {facts.size} are listed"
        return "" if file_digest(file) == facts.sha256 else "its digest differs from the listed one"
    except OSError as error:
        missing = error.errno in {errno.ENOENT, errno.ENOTDIR}
        return "is listed, and is missing" if missing else f"cannot be read: {error.strerror}"


def _refused(problems: list[str], where: object, what: str) -> SourceError:
    if len(problems) == 1:
        path, _, problem = problems[0].partition(": ")
        return SourceError(problem, where=f"{where}/{path}", remedy=_REMEDY)
    lines = [f"  {problem}" for problem in sorted(problems)[:_PROBLEMS_SHOWN]]
    lines += [f"  and {len(problems) - _PROBLEMS_SHOWN} more"] if len(problems) > _PROBLEMS_SHOWN else []
    return SourceError(f"{len(problems)} {what} do not hold", where=where, details="\n".join(lines), remedy=_REMEDY)


def _packed(path: Path, name: str, cache: ContentCache) -> Archive:
    try:
        with path.open("rb") as file:
            magic = file.read(2)
        key = digest("1", file_digest(path))
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=name) from error
    if magic != _GZIP_MAGIC:
        remedy = "Name a directory or .tar.gz that frazil archive build wrote."
        raise SourceError("this is neither a directory nor a gzip-compressed tar", where=name, remedy=remedy)
    root = cache.entry(_KIND, key, lambda made: _unpack(path, made, name))
    metadata = read_metadata(_metadata_bytes(root), name)
    return Archive(name, metadata, {one: root / one for one in metadata.files}, root)


def _unpack(path: Path, root: Path, name: str) -> None:
    root.mkdir()
    try:
        with gzip.open(path, "rb") as stream:
            bounded = BoundedStream(stream)
            _Unpacking(root).run(bounded)
            bounded.finish()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError, ValueError) as error:
        raise SourceError(f"the archive is corrupt: {error}", where=name, remedy=_REMEDY) from error
    except OSError as error:
        if error.errno not in _NAME_FAULTS:
            raise
        raise SourceError(f"the archive is corrupt: {error.strerror}", where=name, remedy=_REMEDY) from error
    except FrazilError as error:
        raise SourceError(error.problem, where=name, remedy=error.remedy, details=error.details) from error
    metadata = _metadata_of(root, name)
    _require_complete(root, metadata, name)


def _metadata_of(root: Path, name: str) -> Metadata:
    if not (root / METADATA).is_file():
        remedy = "Pack the files of the archive, not its directory: tar -C DIR -czf FILE.tar.gz ."
        raise SourceError(f"this is no archive: it has no {METADATA} at its top", where=name, remedy=remedy)
    return read_metadata(_metadata_bytes(root), f"{name}: {METADATA}")


def _require_complete(root: Path, metadata: Metadata, name: str) -> None:
    present = {relative for relative, _ in Tree(root, skip=lambda _: False).files()}
    problems = [f"{path}: is in the archive, and not listed" for path in present - set(metadata.files) - {METADATA}]
    try:
        _require_listed(root, metadata.files)
    except SourceError as error:
        where = name if error.where is None else error.where.replace(str(root), name)
        raise SourceError(error.problem, where=where, details=error.details, remedy=error.remedy) from error
    if problems:
        raise _refused(problems, name, "files")


class _Unpacking:
    """Writes the members of one tar below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, str] = {}
        self._directories: set[str] = set()
        self._total = 0

    def run(self, stream: BoundedStream) -> None:
        """All members. Raises SourceError for one that no archive may hold."""
        with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]  # reads, and never seeks
            count = 0
            while (member := tar.next()) is not None:
                count += 1
                self._total += member.size if member.isreg() else 0
                if count > MAX_MEMBERS or self._total > MAX_UNPACKED or member.size < 0:
                    limits = f"more than {MAX_MEMBERS} members or {MAX_UNPACKED >> 30} GiB"
                    raise SourceError(f"the archive is too large: {limits}", remedy=_REMEDY)
                stream.expect(member.size)
                self._member(tar, member)
                tar.members.clear()

    def _member(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = member.name.removeprefix("./")
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise SourceError(f"the archive is unsafe: {member.name!r} is {_kind(member)}, and only files may be in it")
        if member.isdir():
            path = path.rstrip("/")
            if path not in {"", "."} and path_problem(f"{path}/x") != ELSEWHERE:  # what is in it is refused
                self._make_directory(path, member.name)
            return
        self._require_sound(path, member.name)
        if path.casefold() in self._seen:
            other = self._seen[path.casefold()]
            how = "occurs twice" if other == path else f"differs from {other!r} only in case"
            raise SourceError(f"the archive is unsafe: {member.name!r} {how}")
        self._seen[path.casefold()] = path
        above = path.rpartition("/")[0]
        if above:
            self._make_directory(above, member.name)
        if path == METADATA and member.size > MAX_SIZE:
            raise SourceError(f"{METADATA} is larger than {MAX_SIZE >> 20} MiB")
        self._write(tar, member, path)

    def _require_sound(self, path: str, shown: str) -> None:
        problem = path_problem(path)
        if problem is None:
            return
        if problem == ELSEWHERE:
            top = path.partition("/")[0]
            nested = path == f"{top}/{METADATA}" or path.startswith(tuple(f"{top}/{folder}" for folder in FOLDERS))
            remedy = f"Pack without the directory itself: tar -C {top} -czf FILE.tar.gz ." if nested else _REMEDY
            raise SourceError(f"this is no archive: {shown!r} {problem}", remedy=remedy)
        raise SourceError(f"the archive is unsafe: {shown!r} {problem}", remedy=_REMEDY)

    def _make_directory(self, path: str, shown: str) -> None:
        if path in self._directories:
            return
        self._require_sound(f"{path}/x", shown)
        (self._root / path).mkdir(parents=True, exist_ok=True)
        self._directories.add(path)

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        content = tar.extractfile(member)
        if content is None:
            raise SourceError(f"the archive is corrupt: {member.name!r} has no content", remedy=_REMEDY)
        with (self._root / path).open("xb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
            if file.tell() != member.size:
                raise SourceError(f"the archive is corrupt: it ends within {member.name!r}", remedy=_REMEDY)


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    if member.ischr() or member.isblk():
        return "a device"
    if member.isfifo():
        return "a pipe"
    return "no regular file"
