"""Functions that the program registers as storages, in Python or in C (``docs/spec/pmm.md``, "Functions")."""

from frazil_runtime.pmm.errors import PmmError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frazil_runtime.pmm.protocol import Storage

    Load = Callable[[str], bytes | None]

_functions: "list[_Function]" = []
_locked = False


class _Function:
    """One function as a storage."""

    def __init__(self, load: "Load", name: str) -> None:
        self.name = name
        self._load = load

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        try:
            data = self._load(key)
        except Exception as error:
            raise StorageError(f"the storage {self.name} is broken: {type(error).__name__}: {error}") from error
        if data is None:
            return None
        if not isinstance(data, bytes | bytearray | memoryview):
            raise StorageError(f"the storage {self.name} is broken: it returns {type(data).__name__}, not bytes")
        if len(data) > limit:
            raise StorageError(f"the storage {self.name} is broken: it returns more than {limit} bytes")
        return bytes(data)


class _Native:
    """All functions that C code has registered, as one storage."""

    name = "function:C"

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        import _frazil

        try:
            return _frazil.load_registered(key, limit)
        except OSError as error:
            raise StorageError(f"the storage {self.name} is broken: {error}") from error


_native = _Native()


def register_storage(load: "Load", name: "str | None" = None) -> None:
    """Ask ``load(name) -> bytes | None`` for modules from now on; see ``docs/spec/pmm.md``, "Functions".

    ``name`` is what messages and ``__file__`` call it. Raises PmmError where the executable is locked.
    """
    if _locked:
        raise PmmError("the storages of this executable are locked: no function can be added")
    if not callable(load):
        msg = f"a storage is a function, not {type(load).__name__}"
        raise TypeError(msg)
    _functions.append(_Function(load, f"function:{name or getattr(load, '__qualname__', type(load).__name__)}"))


def lock() -> None:
    """Refuse functions from now on."""
    global _locked  # noqa: PLW0603 - one program, one answer
    _locked = True


def storages() -> "Iterator[Storage]":
    """The functions, in the order in which they were registered; those of C code last."""
    yield from _functions
    if not _locked:
        yield _native
