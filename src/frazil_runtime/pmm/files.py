"""Reading and writing files whole: bounded reads, writes that are there or not, also after a power cut."""

import os
import stat

from frazil_runtime.pmm.errors import StorageError


def read(path: str, limit: int, where: str) -> "bytes | None":
    """The bytes of a file; None when there is none of that name. Raises StorageError for all else."""
    try:
        # Without blocking: somebody may have put a named pipe there.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise broken(where, f"{path} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise broken(where, f"{path} is no regular file")
        if status.st_size > limit:
            raise too_long(where, path, limit)
        return _bounded(handle, limit, where, path)
    except OSError as error:
        raise broken(where, f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(handle)


def _bounded(handle: int, limit: int, where: str, path: str) -> bytes:
    """All bytes up to the end; a file may grow while it is read."""
    parts = []
    left = limit + 1
    while left and (part := os.read(handle, min(left, 1 << 20))):
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
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(new, f"{directory}/{name}")


def settle(directory: str) -> None:
    """Let what was renamed in a directory reach the medium."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def broken(where: str, what: str) -> StorageError:
    """The error for a storage that cannot answer."""
    return StorageError(f"the storage {where} is broken: {what}")


def too_long(where: str, what: str, limit: int) -> StorageError:
    """The error for content beyond the limit."""
    return broken(where, f"{what} has more than {limit} bytes")
