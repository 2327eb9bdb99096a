"""Put a signed set of modules into a storage (``docs/spec/pmm-index.md``, "The pointer").

The order of the writes is what makes an installation whole or not at all: root documents, modules, the index, then the pointer.
Nothing that the installed set needs is altered or removed before the pointer names another.
"""

from typing import NamedTuple

from frazil_runtime.pmm import documents, sets, trust
from frazil_runtime.pmm.counter import Count, Counter
from frazil_runtime.pmm.failures import MalformedError, MismatchError, RollbackError, TrustError
from frazil_runtime.pmm.sets import Chosen, Pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frazil_runtime.pmm.documents import Entry, Root
    from frazil_runtime.pmm.protocol import Storage, TrustSettings, WritableStorage


class Release(NamedTuple):
    """A set that is to be installed: root documents after the program's, the index, and where its modules come from."""

    roots: "Mapping[int, bytes]"
    document: bytes
    """The index."""
    fetch: "Callable[[Entry], bytes]"


class Installed(NamedTuple):
    """What an installation did."""

    version: int
    """Of the index."""
    changed: bool
    """Whether this set was not the current one before."""
    fetched: tuple[str, ...]
    """Modules that were not in the storage before."""


def release_in(storage: "Storage", settings: "TrustSettings") -> Release:
    """The set that a flat storage holds. TrustError: it has none."""
    roots: dict[int, bytes] = {}

    def load(version: int) -> bytes | None:
        data = storage.load(documents.root_key(version), documents.MAX_ROOT)
        if data is not None:
            roots[version] = data
        return data

    def fetch(entry: "Entry") -> bytes:
        data = storage.load(entry.name, entry.size)
        if data is None:
            raise MismatchError("the index names a module that is not there", where=f"{storage.name}: {entry.name}")
        return data

    index = sets.read_index(storage, None)
    trust.read_roots(settings, load, last=None, where=storage.name)
    return Release(roots, index, fetch)


def install(
    storage: "WritableStorage",
    settings: "TrustSettings",
    release: Release,
    *,
    trial: bool,
    attempts: int = sets.ATTEMPTS,
    counter: Counter | None = None,
) -> Installed:
    """Make a release the storage's current set; ``trial``: only until it is confirmed or has failed ``attempts`` starts.

    Raises TrustError and StorageError, with the storage's set as it was.
    """
    counter = counter or Counter(settings.state, storage.name)
    with counter.locked():
        return _install(storage, settings, release, counter, trial=trial, attempts=attempts)


def _install(
    storage: "WritableStorage",
    settings: "TrustSettings",
    release: Release,
    counter: Counter,
    *,
    trial: bool,
    attempts: int,
) -> Installed:
    count = counter.read()
    old = _old_pointer(storage)

    def load(version: int) -> bytes | None:
        stored = storage.load(documents.root_key(version), documents.MAX_ROOT)
        return release.roots.get(version, stored)

    root = trust.read_roots(settings, load, last=None, where=storage.name)
    accepted = trust.check_index(release.document, root, settings, count, where=storage.name, installed=True)
    index = accepted.signed
    if index.digest in count.failed:
        raise RollbackError(
            f"version {index.version} was rolled back here, as no start of it was confirmed",
            where=storage.name,
            remedy="Publish a later version.",
        )
    current = Chosen(index.digest, root.version)
    if old is not None and old.current.is_same(current) and (trial or not old.on_trial(count)):
        return Installed(index.version, changed=False, fetched=())
    for version, data in sorted(release.roots.items()):
        if version <= root.version:
            storage.store(documents.root_key(version), data)
    fetched = sets.put_objects(storage, index.modules, release.fetch)
    storage.store(documents.object_key(index.digest), release.document)
    again = old is not None and old.current.is_same(current)
    previous = old.previous if old is not None and again else _previous(storage, settings, old, count, root)
    sets.write_pointer(storage, Pointer(current, previous, trial=trial, attempts=attempts))
    if not trial:
        counter.write(counter.read().accept(root.version, index, accepted.now))
    _sweep(storage, current, previous)
    return Installed(index.version, changed=True, fetched=tuple(fetched))


def _old_pointer(storage: "Storage") -> "Pointer | None":
    """The pointer that is replaced; one that is damaged is as good as none, since installing is how it is repaired."""
    try:
        return sets.read_pointer(storage)
    except MalformedError:
        return None


def _previous(
    storage: "Storage", settings: "TrustSettings", old: "Pointer | None", count: "Count", root: "Root"
) -> "Chosen | None":
    """The last good set, to come back to; under the new root document if its signatures hold under that too."""
    good = None if old is None else old.good(count)
    if good is None:
        return None
    try:
        trust.check_index(sets.read_index(storage, good), root, settings, count, where=storage.name, installed=True)
    except TrustError:
        return good
    return Chosen(good.digest, root.version)


def _sweep(storage: "WritableStorage", current: Chosen, previous: "Chosen | None") -> None:
    """Remove the objects that neither set needs: those of earlier sets, and of installations that were cut off."""
    kept = {documents.object_key(digest) for digest in _objects(storage, current) | _objects(storage, previous)}
    for key in storage.keys():  # noqa: SIM118 - no mapping
        if key.startswith(documents.OBJECT) and key not in kept:
            storage.remove(key)


def _objects(storage: "Storage", chosen: "Chosen | None") -> set[str]:
    """Digests of all objects of a set."""
    if chosen is None:
        return set()
    try:
        _, body = documents.split(sets.read_index(storage, chosen), documents.MAX_INDEX, storage.name)
        index = documents.read_index(body, chosen.digest, storage.name, installed=True)
    except TrustError:  # a damaged set before this one, of which nothing can be used
        return {chosen.digest}
    return {chosen.digest, *(entry.digest for entry in index.modules.values())}


def verify(storage: "Storage", settings: "TrustSettings", counter: Counter | None = None) -> "trust.Accepted":
    """Check a storage's current set and every module of it, changing nothing; what was accepted."""
    count = Count() if counter is None else counter.read()
    pointer = sets.read_pointer(storage)
    chosen = None if pointer is None else pointer.current
    accepted = trust.accept_stored(storage, settings, chosen, count)
    for name, entry in sorted(accepted.signed.modules.items()):
        data = storage.load(entry.key, entry.size)
        if data is None:
            raise MismatchError("the index names a module that is not there", where=f"{storage.name}: {name}")
        documents.check_module(data, entry, storage.name)
    return accepted
