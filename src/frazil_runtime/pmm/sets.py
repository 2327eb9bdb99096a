"""Sets of modules in a storage: which one is used, and how it is replaced (``docs/spec/pmm-index.md``).

All of a set but the pointer has names that follow from its content, so writing it alters nothing that is in use. The pointer
comes last, in one atomic store.
"""

from frazil_runtime.pmm import documents
from frazil_runtime.pmm.errors import StorageError
from frazil_runtime.pmm.failures import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from frazil_runtime.pmm.counter import Count
    from frazil_runtime.pmm.documents import Entry
    from frazil_runtime.pmm.protocol import Storage, WritableStorage

POINTER = "@set"
INDEX = "@index"
ATTEMPTS = 3
"""Starts that a set on trial has when nobody says another number."""
_LIMIT = 65_536


class Chosen:
    """A set: the digest of its index, and the version of the root document that it is checked with."""

    __slots__ = ("digest", "root")

    def __init__(self, digest: str, root: int) -> None:
        self.digest = digest
        self.root = root

    def is_same(self, other: "Chosen") -> bool:
        """Whether both are one set."""
        return self.digest == other.digest and self.root == other.root

    def members(self) -> "dict[str, object]":
        """What stands in the pointer."""
        return {"digest": self.digest, "root": self.root}


class Pointer:
    """Which sets a storage has."""

    __slots__ = ("attempts", "current", "previous", "trial")

    def __init__(self, current: Chosen, previous: "Chosen | None", *, trial: bool, attempts: int) -> None:
        self.current = current
        self.previous = previous
        self.trial = trial
        self.attempts = attempts

    def on_trial(self, count: "Count") -> bool:
        """Whether the current set waits for a confirmation."""
        return self.trial and count.digest != self.current.digest

    def good(self, count: "Count") -> "Chosen | None":
        """The last set that is known to be good."""
        failed = self.current.digest in count.failed
        return self.previous if failed or self.on_trial(count) else self.current


def read_pointer(storage: "Storage") -> "Pointer | None":
    """The pointer; None in a flat storage. MalformedError: it is damaged."""
    data = storage.load(POINTER, _LIMIT)
    if data is None:
        return None
    where = f"{storage.name}: {POINTER}"
    value = documents.decode(data, where)
    try:
        return _pointer(value)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError(
            "the pointer to the installed set is damaged", where=where, remedy="Install the set again."
        ) from error


def _pointer(value: "dict[str, Any]") -> Pointer:
    if value.pop("format") != documents.FORMAT or value.keys() != set(Pointer.__slots__):
        raise ValueError
    previous = value["previous"]
    return Pointer(
        _chosen(value["current"]),
        None if previous is None else _chosen(previous),
        trial=bool(value["trial"]),
        attempts=int(value["attempts"]),
    )


def _chosen(value: "Mapping[str, object]") -> Chosen:
    digest, root = value["digest"], value["root"]
    if value.keys() != set(Chosen.__slots__) or type(root) is not int or root < 1:
        raise ValueError
    return Chosen(documents.as_digest(digest), root)


def write_pointer(storage: "WritableStorage", pointer: Pointer) -> None:
    """Put the pointer, in one store."""
    value: dict[str, object] = {
        "attempts": pointer.attempts,
        "current": pointer.current.members(),
        "format": documents.FORMAT,
        "previous": None if pointer.previous is None else pointer.previous.members(),
        "trial": pointer.trial,
    }
    storage.store(POINTER, documents.encode(value))


def read_index(storage: "Storage", chosen: "Chosen | None") -> bytes:
    """The bytes of an installed set's index, or of a flat storage's. MalformedError: it is not there."""
    key = INDEX if chosen is None else documents.object_key(chosen.digest)
    data = storage.load(key, documents.MAX_INDEX)
    if data is None:
        raise MalformedError("there is no index, and modules without one are not trusted", where=f"{storage.name}: {key}",
                             remedy="Make it with 'frazil pmm index', sign it with 'frazil pmm sign'.")  # fmt: skip
    if chosen is not None and documents.sha256_hex(data) != chosen.digest:
        raise MalformedError("the index is damaged", where=f"{storage.name}: {key}", remedy="Install the set again.")
    return data


def put_objects(storage: "WritableStorage", entries: "Mapping[str, Entry]", fetch: "Callable[[Entry], bytes]") -> list[str]:
    """Make all modules of an index be there; the names of those that were fetched."""
    fetched = []
    for name, entry in sorted(entries.items()):
        if not _has(storage, entry):
            data = fetch(entry)
            documents.check_module(data, entry, storage.name)
            storage.store(documents.object_key(entry.digest), data)
            fetched.append(name)
    return fetched


def _has(storage: "Storage", entry: "Entry") -> bool:
    try:
        data = storage.load(documents.object_key(entry.digest), entry.size)
    except StorageError:  # larger than it should be, or unreadable: it is written again
        return False
    return data is not None and len(data) == entry.size and documents.sha256_hex(data) == entry.digest
