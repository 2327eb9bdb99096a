"""From the URL of a storage to the storage. Each kind stands in a file of its own, imported when a URL names it."""

from frazil_runtime.pmm.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from frazil_runtime.pmm.protocol import Storage

FUNCTION = "function"
ENTRY_POINTS = "frazil.pmm_storages"


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

        return DirectoryStorage(f"/memfs:/{rest.removeprefix('//').strip('/')}", url)
    if scheme == "dir":
        from frazil_runtime.pmm.directory import DirectoryStorage

        return DirectoryStorage(_absolute(rest, url))
    if scheme == "sqlite":
        from frazil_runtime.pmm.sqlite import SqliteStorage

        return SqliteStorage(_absolute(rest, url))
    if scheme == "zip":
        from frazil_runtime.pmm.archive import ZipStorage

        return ZipStorage(_absolute(rest, url))
    if scheme == "flash":
        from frazil_runtime.pmm.flash import FlashStorage

        return FlashStorage(_absolute(rest, url))
    if scheme in {"redis", "redis+unix"}:
        from frazil_runtime.pmm.redis import RedisStorage

        return RedisStorage(url)
    if rest.startswith("//"):
        from frazil_runtime.pmm.remote import RemoteStorage

        return RemoteStorage(url, cache)
    return _third_party(scheme, rest, url)


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
