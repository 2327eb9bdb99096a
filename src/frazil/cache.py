"""The content cache: what was made once from the same inputs is not made again.

An entry is a file or directory named by the digest of everything that went into it. Entries appear whole, by rename, so
readers need no lock; a lock per entry keeps two builds from making the same thing twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from filelock import FileLock

from frazil.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = "1"
"""Raised when the meaning of entries changes."""


def digest(*parts: str | bytes) -> str:
    """A key for these parts: SHA-256 over each with its length, so that no two lists of parts run together."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ContentCache:
    """Entries below ``root``, by kind and key."""

    def __init__(self, root: Path) -> None:
        self.root = root / FORMAT

    def place(self, kind: str, key: str) -> Path:
        """Where the entry stands, if it is there."""
        return self.root / kind / key[:2] / key[2:]

    def entry(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """The entry's path; ``make`` is called with a path to create (file or directory) when it is not there yet."""
        place = self.place(kind, key)
        if place.exists():
            return place
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{place}.lock"):
                if not place.exists():
                    self._make(place, make)
        except OSError as error:
            raise _unwritable(error, place) from error
        return place

    def _make(self, place: Path, make: Callable[[Path], None]) -> None:
        with tempfile.TemporaryDirectory(prefix=".making-", dir=place.parent) as directory:
            made = Path(directory) / "entry"
            make(made)
            made.rename(place)

    def read(self, kind: str, key: str) -> bytes | None:
        """A small entry's bytes, or None."""
        try:
            return self.place(kind, key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable("read", error, self.place(kind, key)) from error

    def write(self, kind: str, key: str, data: bytes) -> None:
        """Store a small entry; the last of several writers wins, all of them write the same."""
        place = self.place(kind, key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            replace_file(place, data)
        except OSError as error:
            raise _unwritable(error, place) from error

    def discard(self, kind: str, key: str) -> None:
        """Forget an entry, for instance one that proved damaged."""
        place = self.place(kind, key)
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes | bytearray | memoryview, mode: int = 0o644) -> None:
    """Write ``path`` whole or not at all: a temporary file beside it, then a rename. OSError leaves the old file as it was."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def default_cache() -> ContentCache:
    """The user's cache, or the directory that ``FRAZIL_CACHE_DIR`` names."""
    named = os.environ.get("FRAZIL_CACHE_DIR")
    return ContentCache(Path(named).absolute() if named else platformdirs.user_cache_path("frazil", appauthor=False))


def _unwritable(error: OSError, place: Path) -> HostError:
    return _unusable("written", error, place)


def _unusable(what: str, error: OSError, place: Path) -> HostError:
    return HostError(
        f"the cache cannot be {what}: {error.strerror or error}",
        where=error.filename or place,
        remedy="Free some space or name another directory in FRAZIL_CACHE_DIR.",
    )
