"""Reading and writing files whole: bounded reads, writes that are there or not, also after a power cut.

Like all that a start imports of this package, this file does without ``os``, which costs more than the rest of it.
"""

import posix

from frazil_runtime.pmm.errors import StorageError

_TYPE = 0o170000
_REGULAR = 0o100000
"""As in ``stat``."""


def read(path: str, limit: int, where: str) -> "bytes | None":
    """The bytes of a file; None when there is none of that name. Raises StorageError for all else."""
    try:
        # Without blocking: somebody may have put a named pipe there.
        handle = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise broken(where, f"{path} cannot be opened: {error.strerror}") from error
    try:
        status = posix.fstat(handle)
        if status.st_mode & _TYPE != _REGULAR:
            raise broken(where, f"{path} is no regular file")
        if status.st_size > limit:
            raise too_long(where, path, limit)
        return _bounded(handle, limit, where, path)
    except OSError as error:
        raise broken(where, f"{path} cannot be read: {error.strerror}") from error
    finally:
        posix.close(handle)


def _bounded(handle: int, limit: int, where: str, path: str) -> bytes:
    """All bytes up to the end; a file may grow while it is read."""
    parts = []
    left = limit + 1
    while left and (part := posix.read(handle, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise too_long(where, path, limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write(directory: str, name: str, data: bytes) -> None:
    """Write a file whole, to the medium, then rename it into place. OSError leaves the old one.

    The caller holds the directory's lock, so that the name of the new file may be a fixed one.
    """
    new = f"{directory}/.new"
    handle = posix.open(new, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC | posix.O_NOFOLLOW, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[posix.write(handle, view) :]
        posix.fsync(handle)
    finally:
        posix.close(handle)
    posix.replace(new, f"{directory}/{name}")


def make_directory(path: str) -> None:
    """Make a directory, and those above it, unless it is there."""
    try:
        posix.mkdir(path, 0o755)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_directory(path.rpartition("/")[0])
        posix.mkdir(path, 0o755)


def settle(directory: str) -> None:
    """Let what was renamed in a directory reach the medium."""
    handle = posix.open(directory, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        posix.fsync(handle)
    finally:
        posix.close(handle)


def broken(where: str, what: str) -> StorageError:
    """The error for a storage that cannot answer."""
    return StorageError(f"the storage {where} is broken: {what}")


def too_long(where: str, what: str, limit: int) -> StorageError:
    """The error for content beyond the limit."""
    return broken(where, f"{what} has more than {limit} bytes")
