"""Which threads are asking a storage: what a storage itself imports is never looked for in storages.

Without this a storage that imports something while it is asked, such as the codec of a file name, would be asked for that.
"""

from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from frazil_runtime.pmm.protocol import Storage

_threads: set[int] = set()


def is_asking() -> bool:
    """Whether the current thread is asking a storage, or works for one."""
    return get_ident() in _threads


def ask(storage: "Storage", key: str, limit: int) -> "bytes | None":
    """``storage.load(key, limit)``."""
    thread = get_ident()
    if thread in _threads:
        return storage.load(key, limit)
    _threads.add(thread)
    try:
        return storage.load(key, limit)
    finally:
        _threads.discard(thread)


def works_for_a_storage(thread: int) -> None:
    """Keep a thread that some storage has started for its own use from being served by storages."""
    _threads.add(thread)
