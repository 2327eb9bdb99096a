"""From the URL of a storage to the storage. Each kind stands in a file of its own, imported when a URL names it."""

from frazil_runtime.pmm.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil_runtime.pmm.protocol import Storage

FUNCTION = "function"
ENTRY_POINTS = "frazil.pmm_storages"
_FILES = {
    "dir": ("directory", "DirectoryStorage"),
    "sqlite": ("sqlite", "SqliteStorage"),
    "zip": ("archive", "ZipStorage"),
    "flash": ("flash", "FlashStorage"),
}
_REDIS = frozenset({"redis", "redis+unix"})


def is_trusted(url: str) -> bool:
    """Whether what a URL names belongs to the program, and so needs no signature."""
    return url == FUNCTION or url.startswith("memfs:")


def open_storage(url: str, cache: "str | None" = None) -> "Storage":
    """The storage of a URL without placeholders. ``cache`` is a directory for what comes over the network.

    Raises StorageError for a URL that names none.
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        msg = f"{url!r} names no storage: it has no scheme such as dir:"
        raise StorageError(msg)
    if scheme == "memfs":
        from frazil_runtime.pmm.directory import DirectoryStorage

        return DirectoryStorage(f"/memfs:/{rest.strip('/')}", url)
    if scheme in _FILES:
        module, name = _FILES[scheme]
        made: Storage = _kind(module, name)(_absolute(rest, url))
    elif scheme in _REDIS:
        made = _kind("redis", "RedisStorage")(url)
    elif rest.startswith("//"):
        made = _kind("remote", "RemoteStorage")(url, cache)
    else:
        made = _third_party(scheme, rest, url)
    return made


def _kind(module: str, name: str) -> "Callable[..., Storage]":
    found = __import__(f"frazil_runtime.pmm.{module}", fromlist=[name])
    kind: Callable[..., Storage] = getattr(found, name)
    return kind


def _third_party(scheme: str, rest: str, url: str) -> "Storage":
    """The storage of an entry point: it is called with what follows the colon."""
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINTS, name=scheme):
        storage: Storage = point.load()(rest)
        return storage
    msg = f"{url!r} names no storage: there is none of the kind {scheme}"
    raise StorageError(msg)


def _absolute(path: str, url: str) -> str:
    """The path, as it stands. Nothing is relative to the current directory."""
    if not path.startswith("/") or "\0" in path:
        msg = f"{url!r} names no storage: its path is not absolute"
        raise StorageError(msg)
    return path
