"""A zip file as a storage; read only."""

import os
import zipfile
import zlib
from _thread import allocate_lock

from frazil_runtime.pmm.errors import StorageError
from frazil_runtime.pmm.keys import is_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What ``zipfile`` raises for files that are damaged, encrypted, or of methods that it does not know."""


class ZipStorage:
    """Members ``NAME.pmm``, stored or deflated. The table of contents is read again when the file has changed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"zip:{path}"
        self._identity: tuple[int, ...] = ()
        self._file: ZipFile | None = None
        self._lock = allocate_lock()

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        if not is_key(key):
            return None
        try:
            with self._lock:
                archive = self._open()
                if archive is None:
                    return None
                try:
                    member = archive.getinfo(key if key.startswith("@") else f"{key}.pmm")
                except KeyError:
                    return None
                return self._read(archive, member, limit)
        except _DAMAGE as error:
            raise self._broken(str(error) or type(error).__name__) from error

    def _read(self, archive: "ZipFile", member: "ZipInfo", limit: int) -> bytes:
        # What it says of its size is not believed: as many bytes are read as may be, and one more.
        with archive.open(member) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise self._broken(f"{member.filename} has more than {limit} bytes")
        return data

    def close(self) -> None:
        """Let the file go; the next question opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> "ZipFile | None":
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if self._file is None or identity != self._identity:
            self.close()
            self._file = zipfile.ZipFile(self.path)
            self._identity = identity
        return self._file

    def _broken(self, what: str) -> StorageError:
        return StorageError(f"the storage {self.name} is broken: {what}")
