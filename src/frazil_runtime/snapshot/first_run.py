"""Makes the snapshot of the executable that runs, in the cache (``docs/spec/snapshot.md``, "Made at first start").

The launcher starts it (``launcher/warm/cache.c``), with the directory and the files' name as arguments and the note of the
attempt, locked, as a descriptor: that goes when the snapshot stands, or receives why there is none. Nobody waits for it, or
reads what it prints.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import _frazil

from frazil_runtime.snapshot import format as layout
from frazil_runtime.snapshot.environment import variables_for_imports
from frazil_runtime.snapshot.search import Search, SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frazil_runtime.snapshot.report import Report

_ATTEMPT: Final = 3
_SELF: Final = Path("/proc/self/exe")
_SECONDS_UNUSED: Final = 30 * 86400
"""Files that nobody has looked at for so long are removed."""
_LINE_AT_MOST: Final = 400
_SUFFIXES: Final = frozenset({".snapshot", ".attempt"})


def main() -> None:
    """Make it."""
    directory, name = Path(sys.argv[1]), sys.argv[2]
    try:
        _make(directory, name)
    except Exception as error:
        os.write(_ATTEMPT, _line(error).encode(errors="backslashreplace"))
        raise SystemExit(1) from error
    (directory / f"{name}.attempt").unlink(missing_ok=True)
    _remove_unused(directory)


def _line(error: Exception) -> str:
    if not isinstance(error, SnapshotError):
        return f"{type(error).__name__}: {error}"[:_LINE_AT_MOST]
    details = " ".join(error.details.split())
    return f"{error} {'' if details in str(error) else details}"[:_LINE_AT_MOST]


def _make(directory: Path, name: str) -> None:
    settings = _frazil.settings()
    modules = [one for one in settings["warm.modules"].split(",") if one]
    flags = layout.HONOURS_ENVIRONMENT if settings.get("environment") == "1" else 0
    with _work_directory(directory / f"{name}.making") as work:
        trial, made = work / "trial", work / "made"

        def place(snapshot: bytes) -> tuple[Path, ...]:
            _write(trial, snapshot)
            return _SELF, trial

        def find() -> tuple[bytes, Report]:
            return Search(_SELF, work, flags, {}, place, known=variables_for_imports()).find(modules)

        snapshot, report = find()
        if report.left_out:  # nobody reads why, and a thread that ends late on a busy machine is no reason for ever
            snapshot, report = max((snapshot, report), find(), key=lambda found: len(found[1].modules))
        _write(made, snapshot)
        made.replace(directory / f"{name}.snapshot")


@contextlib.contextmanager
def _work_directory(path: Path) -> Iterator[Path]:
    """A directory for files of ours. Who was killed may have left it: the lock says that nobody uses it."""
    _remove(path)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        _remove(path)


def _remove(directory: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for one in directory.iterdir():
            one.unlink()
        directory.rmdir()


def _write(path: Path, data: bytes) -> None:
    """A new file that stays as it is: a process that maps it would see changes."""
    path.unlink(missing_ok=True)
    with open(path, "xb", opener=lambda file, flags: os.open(file, flags, 0o400)) as file:
        file.write(data)


def _remove_unused(directory: Path) -> None:
    """Remove what other executables left, or this one under another C library."""
    for one in directory.iterdir():
        with contextlib.suppress(OSError):
            status = one.stat(follow_symlinks=False)
            if one.suffix in _SUFFIXES and time.time() - max(status.st_atime, status.st_mtime) > _SECONDS_UNUSED:
                one.unlink()
