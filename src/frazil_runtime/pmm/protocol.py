"""What storages and indexes are (``docs/spec/pmm.md``). For type checkers: nothing imports this file at run time."""

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Storage(Protocol):
    """Where modules are looked for."""

    name: str
    """What messages and ``__file__`` call it: its URL, without a password."""

    def load(self, key: str, limit: int) -> "bytes | None":
        """The bytes of a key; None: not here. Raises StorageError when it is broken, or holds more than ``limit`` bytes."""


class WritableStorage(Storage, Protocol):
    """A storage that can be changed. All of these raise StorageError when it cannot be, and have then changed nothing."""

    def store(self, key: str, data: bytes) -> None:
        """Put one key."""

    def remove(self, key: str) -> None:
        """Take one key out, if it is there."""

    def keys(self) -> list[str]:
        """All keys, sorted."""


class TransactionalStorage(WritableStorage, Protocol):
    """A storage that can change several keys at once."""

    def replace(self, changes: "Mapping[str, bytes | None]") -> None:
        """Put several keys, take those out that are None: all or nothing, also after a power cut."""


class Entry(Protocol):
    """What a signed index says of one module."""

    @property
    def digest(self) -> str:
        """SHA-256 of the whole PMM, hexadecimal, in small letters."""

    @property
    def size(self) -> int:
        """Bytes of the whole PMM."""

    @property
    def version(self) -> int:
        """The module's own counter."""

    @property
    def package(self) -> bool:
        """Whether it is a package."""

    @property
    def key(self) -> str:
        """The storage's key that its bytes are under."""


class TrustSettings(Protocol):
    """What the executable says about trust; ``frazil_runtime.pmm.trust.open_index`` gets it."""

    application: str
    """The program's name, which an index must name."""
    python: str
    """The tag of its Python, such as ``cpython-311``."""
    root: "bytes | None"
    """The root document that was put in at build time."""
    state: str
    """A directory where the program may write what must never go back; it may not be there yet."""
    locked: bool
    floor: str
    """The time of the build or earlier, ``YYYY-MM-DDTHH:MM:SSZ``: no clock is before it. Empty: not known."""
    expired: str
    """``installed``: an index that was accepted before it expired stays accepted. Empty: it does not."""
