"""From the URL of a storage to the storage. Each kind stands in a file of its own, imported when a URL names it."""

from frazil_runtime.pmm.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil_runtime.pmm.protocol import Storage

FUNCTION = "function"
_BY_PATH = {
    "dir": ("directory", "DirectoryStorage"),
    "sqlite": ("sqlite", "SqliteStorage"),
    "zip": ("archive", "ZipStorage"),
    "flash": ("flash", "FlashStorage"),
}
_MEMFS = ("directory", "DirectoryStorage")
_REDIS = ("redis", "RedisStorage")
_REMOTE = ("remote", "RemoteStorage")
_OTHER = ("others", "other_storage")
MODULES = frozenset(module for module, _ in (*_BY_PATH.values(), _REDIS, _REMOTE, _OTHER))
"""The modules beside this one that are each one kind of storage."""


def is_trusted(url: str) -> bool:
    """Whether what a URL names belongs to the program, and so needs no signature."""
    return url == FUNCTION or url.startswith("memfs:")


def kind_of(url: str) -> tuple[str, str]:
    """The module that serves a URL, and what there makes the storage."""
    scheme, _, rest = url.partition(":")
    if scheme == "memfs":
        return _MEMFS
    if scheme in _BY_PATH:
        return _BY_PATH[scheme]
    if scheme in {"redis", "redis+unix"}:
        return _REDIS
    return _REMOTE if rest.startswith("//") else _OTHER


def open_storage(url: str, cache: "str | None" = None) -> "Storage":
    """The storage of a URL without placeholders. ``cache`` is a directory for what comes over the network.

    Raises StorageError for a URL that names none.
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        msg = f"{url!r} names no storage: it has no scheme such as dir:"
        raise StorageError(msg)
    kind = kind_of(url)
    module = __import__(f"frazil_runtime.pmm.{kind[0]}", fromlist=[kind[1]])
    make: Callable[..., Storage] = getattr(module, kind[1])
    if scheme == "memfs":
        return make(f"/memfs:/{rest.strip('/')}", url)
    if scheme in _BY_PATH:
        return make(_absolute(rest, url))
    if kind is _REDIS:
        return make(url)
    return make(url, cache) if kind is _REMOTE else make(scheme, rest, url)


def _absolute(path: str, url: str) -> str:
    """The path, as it stands. Nothing is relative to the current directory."""
    if not path.startswith("/") or "\0" in path:
        msg = f"{url!r} names no storage: its path is not absolute"
        raise StorageError(msg)
    return path
