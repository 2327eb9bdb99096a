"""Storages of third parties, found by their entry points (``docs/spec/pmm.md``, "Storages")."""

from importlib.metadata import entry_points

from frazil_runtime.pmm.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from frazil_runtime.pmm.protocol import Storage

GROUP = "frazil.pmm_storages"


def other_storage(scheme: str, rest: str, url: str) -> "Storage":
    """What the entry point returns when it is called with what follows the colon. Raises StorageError when there is none."""
    for point in entry_points(group=GROUP, name=scheme):
        try:
            storage: Storage = point.load()(rest)
        except StorageError:
            raise
        except Exception as error:
            msg = f"the storage {url} is broken: {type(error).__name__}: {error}"
            raise StorageError(msg) from error
        return storage
    msg = f"{url!r} names no storage: there is none of the kind {scheme}"
    raise StorageError(msg)
