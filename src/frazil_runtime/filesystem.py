"""memfs for fsspec: the file system ``memfs://`` of this process.

fsspec finds this class by the entry point that stands beside the run-time where fsspec is in an executable; nothing imports it
before. A path is the one that every other call takes: ``memfs://a/b``, ``memfs:/a/b``, ``/memfs:/a/b``, and here ``/a/b`` and
``a/b`` too, name the file that ``ls`` and its like call ``/memfs:/a/b``.
"""

import os
import tempfile

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOUNT = "/memfs:"


class MemfsFileSystem(LocalFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """fsspec's local file system, rooted at the mount of memfs."""

    protocol = "memfs"
    root_marker = MOUNT

    @property
    def fsid(self) -> str:
        """What tells this file system from others."""
        return "memfs"

    @classmethod
    def _strip_protocol(cls, path: "Any") -> "Any":
        """The path that the operating system's calls take, for one path or several."""
        if isinstance(path, list | tuple | set):
            return type(path)(cls._strip_protocol(one) for one in path)
        text = os.fsdecode(path)
        inner = text.removeprefix("/")
        if inner == "memfs:" or inner.startswith("memfs:/"):
            text = inner[len("memfs:") :]
        # As everywhere in fsspec, a slash at the end does not count.
        return "/".join([MOUNT, *(part for part in text.split("/") if part not in {"", "."})])

    def unstrip_protocol(self, name: str) -> str:
        """The URL of a path."""
        path: str = self._strip_protocol(name)
        return "memfs://" + path.removeprefix(MOUNT).removeprefix("/")

    @classmethod
    def _parent(cls, path: str) -> str:
        inner: str = cls._strip_protocol(path)
        return inner.rpartition("/")[0] or MOUNT

    def _open(self, path: str, mode: str = "rb", block_size: "int | None" = None, **options: "Any") -> "Any":  # noqa: ARG002
        place = self._strip_protocol(path)
        if self.auto_mkdir and "r" not in mode:
            self.makedirs(self._parent(place), exist_ok=True)
        return _File(place, mode, fs=self, **options)

    def get_file(self, rpath: str, lpath: "Any", callback: "Any" = None, **options: "Any") -> None:
        """Copy a file of memfs to a local path, which is as it stands."""
        options |= {} if callback is None else {"callback": callback}
        AbstractFileSystem.get_file(self, rpath, lpath, **options)

    def put_file(self, lpath: "Any", rpath: str, callback: "Any" = None, **options: "Any") -> None:
        """Copy a file from a local path, which is as it stands, to memfs."""
        options |= {} if callback is None else {"callback": callback}
        AbstractFileSystem.put_file(self, lpath, rpath, **options)

    def lexists(self, path: str, **_options: "Any") -> bool:
        """Whether a file, directory or link is there, wherever that leads."""
        return os.path.lexists(self._strip_protocol(path))

    def chmod(self, path: str, mode: int) -> None:
        """Change permissions."""
        os.chmod(self._strip_protocol(path), mode)  # noqa: PTH101 - a path in, a path out


class _File(LocalFileOpener):  # type: ignore[misc]  # see above
    """An open file. What a transaction has not committed stands beside its place: nothing goes to the disk."""

    f: "Any"

    def _open(self) -> None:
        if self.autocommit or "w" not in self.mode or (self.f is not None and not self.f.closed):
            super()._open()
            return
        handle, self.temp = tempfile.mkstemp(prefix=".", dir=os.path.dirname(self.path))  # noqa: PTH120 - likewise
        os.close(handle)
        self.f = open(self.temp, mode=self.mode)  # noqa: PTH123, SIM115 - the caller closes it
