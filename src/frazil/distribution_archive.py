"""Unpacks a Python from an archive of python-build-standalone, and describes it.

Two layouts: ``install_only`` has an installation in ``python/``; ``full`` has one in ``python/install/``, with
``python/PYTHON.json`` that says where everything is and ``python/build/`` with what static linking needs.

An archive is not trusted. Members may only be directories, regular files and links that stay inside; files are written before
any symbolic link exists, so none is written through a link; sizes and counts are bounded. It is unpacked beside its place in
the cache and appears there only when everything held.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import http.client
import json
import os
import posixpath
import shutil
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil.cache import digest, file_digest
from frazil.distribution import Overrides, PythonDistribution, describe
from frazil.errors import DistributionError, UsageError
from frazil.tar_stream import BoundedStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frazil.cache import ContentCache
    from frazil.tar_stream import Readable

MAX_DOWNLOAD: Final = 2 * 2**30
MAX_UNPACKED: Final = 8 * 2**30
MAX_MEMBERS: Final = 200_000
_MAX_METADATA: Final = 16 * 2**20
_CHUNK: Final = 2**20
_TIMEOUT: Final = 60
# What the names in a corrupt archive lead to; other errors are the disk's.
_NAME_FAULTS: Final = {errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
_DIGEST_LENGTH: Final = 64
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def unpack(source: str, sha256: str | None, cache: ContentCache) -> PythonDistribution:
    """The distribution in the archive ``source``, a path or an ``http(s)`` URL.

    Raises UsageError for a URL without digest, DistributionError for everything that is wrong with the archive.
    """
    wanted = _checked_digest(sha256)
    if "://" in source:
        if wanted is None:
            remedy = "Give it with --sha256; publishers list it beside the archive."
            raise UsageError("a Python that is downloaded needs its SHA-256 digest", where=source, remedy=remedy)
        place = cache.place("distribution", wanted)
        if not place.exists():
            archive = cache.entry("download", wanted, lambda path: _download(source, wanted, path))
            _unpacked(archive, wanted, source, cache)
            cache.discard("download", wanted)
        return _described(place, wanted, source, cache)
    path = Path(source).absolute()
    found = _digest_of(path, cache)
    if wanted is not None and found != wanted:
        raise _mismatch(source, wanted, found)
    return _described(_unpacked(path, found, source, cache), found, source, cache)


def _checked_digest(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    wanted = sha256.strip().lower().removeprefix("sha256:")
    if len(wanted) != _DIGEST_LENGTH or set(wanted) - set("0123456789abcdef"):
        raise UsageError("this is no SHA-256 digest", where=sha256, remedy="A digest has 64 hexadecimal digits.")
    return wanted


def _mismatch(source: str, wanted: str, found: str) -> DistributionError:
    return DistributionError(
        "the archive is not the one that was asked for: its SHA-256 differs",
        where=source,
        details=f"  wanted {wanted}\n  found  {found}",
        remedy="Check the digest, or get the archive again.",
    )


def _digest_of(path: Path, cache: ContentCache) -> str:
    try:
        status = path.stat()
        key = digest(os.fspath(path), str(status.st_size), str(status.st_mtime_ns), str(status.st_ino))
        stored = cache.read("archive-digest", key)
        if stored is not None and len(stored) == _DIGEST_LENGTH:
            return stored.decode("ascii")
        found = file_digest(path)
    except (OSError, UnicodeDecodeError) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        remedy = "Name an archive or an interpreter with --python."
        raise DistributionError(f"the archive cannot be read: {what}", where=path, remedy=remedy) from error
    cache.write("archive-digest", key, found.encode("ascii"))
    return found


def _download(url: str, wanted: str, path: Path) -> None:
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise UsageError("an archive is downloaded with http or https only", where=url)
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, path.open("wb") as file:  # noqa: S310 -- scheme checked above
            while chunk := answer.read(_CHUNK):
                received += len(chunk)
                if received > MAX_DOWNLOAD:
                    raise DistributionError(f"the archive is larger than {MAX_DOWNLOAD // 2**20} MiB", where=url)
                file.write(chunk)
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        remedy = "Check the URL and the network, or get the archive by other means and name the file."
        raise DistributionError(f"the archive cannot be downloaded: {reason}", where=url, remedy=remedy) from error
    found = file_digest(path)
    if found != wanted:
        raise _mismatch(url, wanted, found)


def _unpacked(archive: Path, found: str, source: str, cache: ContentCache) -> Path:
    def make(place: Path) -> None:
        place.mkdir()
        try:
            _extract(archive, place)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError, ValueError, _corrupt_zstd()) as error:
            raise DistributionError(f"the archive is corrupt: {error}", where=source, remedy="Get it again.") from error
        except OSError as error:
            if error.errno not in _NAME_FAULTS:
                raise
            raise DistributionError(f"the archive is corrupt: {error}", where=source, remedy="Get it again.") from error
        except DistributionError as error:
            raise DistributionError(error.problem, where=source, remedy=error.remedy, details=error.details) from error
        _layout(place, source)

    return cache.entry("distribution", found, make)


def _corrupt_zstd() -> type[Exception]:
    zstandard = sys.modules.get("zstandard")
    return ValueError if zstandard is None else zstandard.ZstdError


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[Readable]:
    with archive.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(_GZIP_MAGIC):
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        elif magic == _ZSTD_MAGIC:
            import zstandard  # noqa: PLC0415 -- only archives need it

            # 128 MiB is the window of `zstd --long=27`, the most that decoders accept by default.
            with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file, read_across_frames=True) as reader:
                yield reader
        else:
            remedy = "Give an archive of python-build-standalone."
            raise DistributionError("this is neither a .tar.gz nor a .tar.zst archive", remedy=remedy)


def _extract(archive: Path, root: Path) -> None:
    links: dict[str, str] = {}
    total = 0
    with _opened(archive) as stream:
        bounded = BoundedStream(stream)
        with tarfile.open(fileobj=bounded, mode="r|") as tar:  # type: ignore[call-overload]  # reads, and never seeks
            count = 0
            while (member := tar.next()) is not None:
                count += 1
                total += member.size if member.isreg() else 0
                if count > MAX_MEMBERS or total > MAX_UNPACKED or member.size < 0:
                    raise DistributionError("the archive is too large: it would fill the disk")
                bounded.expect(member.size)
                _place(tar, member, root, links)
                tar.members.clear()
        bounded.finish()
    _link(root, links)


def _inside(name: str) -> str:
    path = posixpath.normpath(name)
    if name.startswith("/") or path == ".." or path.startswith("../") or "\0" in name:
        raise DistributionError(f"the archive is unsafe: {name!r} lies outside it")
    return path


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, links: dict[str, str]) -> None:
    path = _inside(member.name)
    if any(path == link or path.startswith(f"{link}/") for link in _prefixes(path) if link in links):
        raise DistributionError(f"the archive is unsafe: {member.name!r} would be written through a link")
    target = root / path
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        if target.exists():
            raise DistributionError(f"the archive is corrupt: {member.name!r} occurs twice")
        links[path] = member.linkname
    elif member.islnk():
        original = root / _inside(member.linkname)
        if not original.is_file():
            raise DistributionError(f"the archive is unsafe: {member.name!r} links to what is not in it")
        target.unlink(missing_ok=True)
        os.link(original, target)
    elif member.isreg() and not member.issparse():
        _write(tar, member, target)
    else:
        raise DistributionError(f"the archive is unsafe: {member.name!r} is no file, directory or link")


def _prefixes(path: str) -> Iterator[str]:
    while path:
        yield path
        path = posixpath.dirname(path)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member)
    if content is None:
        raise DistributionError(f"the archive is corrupt: {member.name!r} has no content")
    target.unlink(missing_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        if file.tell() != member.size:
            raise DistributionError(f"the archive is corrupt: it ends within {member.name!r}")
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
    # Bytecode files name the time of their source.
    os.utime(target, (int(member.mtime), int(member.mtime)))


def _link(root: Path, links: dict[str, str]) -> None:
    for path, linked in links.items():
        if linked.startswith("/") or "\0" in linked:
            raise DistributionError(f"the archive is unsafe: the link {path!r} leaves it")
        (root / path).symlink_to(linked)
    inside = root.resolve()
    for path in links:
        try:
            resolved = (root / path).resolve()
        except (OSError, RuntimeError) as error:
            raise DistributionError(f"the archive is unsafe: the link {path!r} leads nowhere") from error
        if not resolved.is_relative_to(inside):
            raise DistributionError(f"the archive is unsafe: the link {path!r} leaves it")


def _layout(place: Path, source: str) -> tuple[Path, Overrides]:
    """The interpreter of an unpacked archive, and what the archive says about it."""
    python = place / "python"
    if (python / "PYTHON.json").is_file():
        return _full_layout(python, source)
    for name in ("python3", "python"):
        if os.access(python / "bin" / name, os.X_OK):
            return python / "bin" / name, Overrides()
    remedy = "Give an archive of python-build-standalone, of the install_only or the full kind."
    raise DistributionError("the archive holds no python/bin/python3 and no python/PYTHON.json", where=source, remedy=remedy)


def _full_layout(python: Path, source: str) -> tuple[Path, Overrides]:
    try:
        with (python / "PYTHON.json").open("rb") as file:
            metadata: dict[str, Any] = json.loads(file.read(_MAX_METADATA))
        core = metadata["build_info"]["core"]
        executable = _part(python, metadata["python_exe"])
        if executable is None:
            raise DistributionError(f"the archive lacks the interpreter that it names, {metadata['python_exe']}", where=source)
        return executable, Overrides(
            static_library=_part(python, core.get("static_lib")),
            shared_library=_part(python, core.get("shared_lib")),
            include=_part(python, metadata["python_paths"].get("include")),
            link_libraries=_links(python, metadata["build_info"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DistributionError(f"python/PYTHON.json in the archive is not understood ({error!r})", where=source) from error


def _part(python: Path, name: str | None) -> Path | None:
    if not name:
        return None
    place = python / _inside(name)
    return place if place.exists() else None


def _links(python: Path, build: dict[str, Any]) -> tuple[str, ...]:
    """What the interpreter links with: libraries of the archive by path, those of the system by name."""
    links = list(build["core"].get("links", ()))
    for variants in build.get("extensions", {}).values():
        # The first variant of an extension module is the one that was built; without a file of its own it is in libpython.
        links += [link for one in variants[:1] if not one.get("shared_lib") for link in one.get("links", ())]
    words = []
    for link in links:
        static = _part(python, link.get("path_static"))
        if static is not None:
            words.append(os.fspath(static))
        elif link.get("system"):
            words.append(f"-l{link['name']}")
    return tuple(dict.fromkeys(words))


def _described(place: Path, found: str, source: str, cache: ContentCache) -> PythonDistribution:
    try:
        executable, overrides = _layout(place, source)
        return describe(executable, cache, overrides)
    except DistributionError:
        cache.discard("distribution", found)
        raise
