"""A directory as a storage (``docs/spec/pmm.md``, "Directories"); ``memfs:`` is one below the mount."""

import posix

from frazil_runtime.pmm.files import broken, make_directory, read, settle, write
from frazil_runtime.pmm.keys import is_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from frazil_runtime.pmm.errors import StorageError

SUFFIX = ".pmm"


class DirectoryStorage:
    """A directory of ``NAME.pmm`` files, and files of metadata under their own names."""

    def __init__(self, path: str, name: "str | None" = None) -> None:
        self.path = path.rstrip("/") or "/"
        self.name = name or f"dir:{self.path}"

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        return read(f"{self.path}/{_file(key)}", limit, self.name) if is_key(key) else None

    def store(self, key: str, data: bytes) -> None:
        """See ``protocol.WritableStorage``."""
        file = _checked(key, self.name)
        with _Lock(self.path, self.name):
            write(self.path, file, data)
            settle(self.path)

    def remove(self, key: str) -> None:
        """See ``protocol.WritableStorage``."""
        file = _checked(key, self.name)
        with _Lock(self.path, self.name):
            try:
                posix.unlink(f"{self.path}/{file}")
            except FileNotFoundError:
                return
            settle(self.path)

    def keys(self) -> list[str]:
        """See ``protocol.WritableStorage``."""
        try:
            names = posix.listdir(self.path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise broken(self.name, f"it cannot be listed: {error.strerror}") from error
        return sorted(key for key in map(_key, names) if key is not None)


class _Lock:
    """Keeps other writers out of a directory, which it makes if need be. An OSError within becomes a StorageError."""

    def __init__(self, path: str, where: str) -> None:
        self._path = path
        self._where = where
        self._handle = -1

    def __enter__(self) -> None:
        try:
            make_directory(self._path)
            flags = posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW
            self._handle = posix.open(f"{self._path}/.lock", flags, 0o644)
            posix.lockf(self._handle, posix.F_LOCK, 0)
        except OSError as error:
            self._close()
            raise self._broken(error) from error

    def __exit__(self, _type: object, error: object, _trace: object) -> None:
        self._close()
        if isinstance(error, OSError):
            raise self._broken(error) from error

    def _close(self) -> None:
        if self._handle >= 0:
            posix.close(self._handle)

    def _broken(self, error: OSError) -> "StorageError":
        return broken(self._where, f"it cannot be written: {error.strerror or error}")


def _file(key: str) -> str:
    return key if key.startswith("@") else key + SUFFIX


def _key(file: str) -> "str | None":
    key = file if file.startswith("@") else file.removesuffix(SUFFIX)
    return key if is_key(key) and _file(key) == file else None


def _checked(key: str, where: str) -> str:
    """The file of a key. Raises StorageError for what cannot be one."""
    if not is_key(key):
        raise broken(where, f"{key!r} cannot be the name of a module")
    return _file(key)
