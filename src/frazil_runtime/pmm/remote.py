"""Whatever fsspec reaches as a storage: HTTP, S3 and others; read only, with a local cache of what never changes.

Keys ``@object.DIGEST`` and ``@root.N`` name content that stays the same. What the cache holds is believed no more than what the
network says: whoever loads a module checks its bytes against the index.
"""

import encodings.idna  # noqa: F401 - the thread that looks up addresses would import it while it is asked
import os
from _thread import allocate_lock

import fsspec
import fsspec.asyn

from frazil_runtime.pmm import files
from frazil_runtime.pmm.asking import works_for_a_storage
from frazil_runtime.pmm.digest import sha256
from frazil_runtime.pmm.errors import StorageError
from frazil_runtime.pmm.keys import is_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OBJECT = "@object."
_STEP = 1 << 16


class RemoteStorage:
    """Files ``NAME.pmm`` below a URL. ``cache`` is a directory that this program alone writes to, or None."""

    def __init__(self, url: str, cache: "str | None" = None) -> None:
        self._url = url.rstrip("/")
        self.name = _without_password(self._url)
        self._cache = cache
        self._system: Any = None
        self._lock = allocate_lock()
        # Asking for the size first, fsspec takes a web server that does not answer for one that has no such file: it is told
        # a size, and streams what comes.
        self._options = {"block_size": 0, "size": 1} if url.startswith("http") else {"cache_type": "none"}

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        if not is_key(key):
            return None
        digest = key.removeprefix(_OBJECT) if key.startswith(_OBJECT) else ""
        cached = self._cached(digest, limit) if digest else None
        if cached is not None:
            return cached
        data = self._fetch(key if key.startswith("@") else f"{key}.pmm", limit)
        if digest and data is not None and sha256(data).hexdigest() == digest:
            self._keep(digest, data)
        return data

    def _fetch(self, file: str, limit: int) -> "bytes | None":
        url = f"{self._url}/{file}"
        try:
            with self._lock:
                if self._system is None:
                    self._system = self._made()
            with self._system.open(url, "rb", **self._options) as source:
                parts = []
                left = limit + 1
                while left and (part := source.read(min(left, _STEP))):
                    parts.append(part)
                    left -= len(part)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._broken(f"{type(error).__name__}: {error}") from error
        if not left:
            raise self._broken(f"{file} has more than {limit} bytes")
        return b"".join(parts)

    def _made(self) -> "Any":
        """The file system of fsspec. Its thread is known before it works."""
        fsspec.asyn.get_loop()
        works_for_a_storage(fsspec.asyn.iothread[0].ident)
        # No directory listings, no caches of its own: each load asks the server.
        system, _ = fsspec.core.url_to_fs(self._url, use_listings_cache=False, skip_instance_cache=True)
        return system

    def _cached(self, digest: str, limit: int) -> "bytes | None":
        if self._cache is None:
            return None
        try:
            data = files.read(f"{self._cache}/{digest}", limit, self.name)
        except StorageError:
            return None
        return data if data is not None and sha256(data).hexdigest() == digest else None

    def _keep(self, digest: str, data: bytes) -> None:
        """Put content into the cache, if that can be; the program goes on without."""
        if self._cache is None:
            return
        place = f"{self._cache}/.{os.getpid()}"
        try:
            os.makedirs(self._cache, 0o700, exist_ok=True)
            os.makedirs(place, 0o700, exist_ok=True)
            files.write(place, digest, data)
            os.replace(f"{place}/{digest}", f"{self._cache}/{digest}")
            os.rmdir(place)
        except OSError:
            return

    def _broken(self, what: str) -> StorageError:
        return StorageError(f"the storage {self.name} is broken: {what}")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
