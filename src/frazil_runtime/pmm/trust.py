"""Whether the modules of a storage are trusted (``docs/spec/pmm-index.md``, "Checking"): the one way to an index.

``open_index`` is what the finder calls for each signed storage. A start is a start of the application: the interpreters that it
starts for its own use do not count as one while a set is on trial.
"""

import sys
import time

from frazil_runtime.pmm import documents, sets
from frazil_runtime.pmm.counter import Counter
from frazil_runtime.pmm.failures import (
    ExpiredError,
    MalformedError,
    RollbackError,
    SignatureError,
    TargetError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frazil_runtime.pmm.counter import Count
    from frazil_runtime.pmm.documents import Entry, Index, Root
    from frazil_runtime.pmm.protocol import Storage, TrustSettings
    from frazil_runtime.pmm.sets import Chosen, Pointer

_INSTALLED = "installed"


class Accepted:
    """An index that was checked, with what it was checked by and the time that it was."""

    __slots__ = ("now", "root", "signed")

    def __init__(self, signed: "Index", root: "Root", now: str) -> None:
        self.signed = signed
        self.root = root
        self.now = now


class Opened:
    """A storage that this process uses; ``accepted`` is None where the image stands alone."""

    __slots__ = ("accepted", "on_trial", "rolled_back", "settings", "storage")

    def __init__(
        self,
        storage: "Storage",
        settings: "TrustSettings",
        accepted: "Accepted | None",
        *,
        on_trial: bool,
        rolled_back: bool,
    ) -> None:
        self.storage = storage
        self.settings = settings
        self.accepted = accepted
        self.on_trial = on_trial
        self.rolled_back = rolled_back


opened: "dict[str, Opened]" = {}
"""What ``open_index`` was called for in this process, by the storage's name."""


def open_index(storage: "Storage", settings: "TrustSettings") -> "Mapping[str, Entry]":
    """The modules that the storage may give to this program. TrustError: why it may give none; StorageError: it is broken."""
    counter = Counter(settings.state, storage.name)
    count = counter.read()
    pointer = sets.read_pointer(storage)
    if pointer is not None:
        pointer, count = _begin(storage, pointer, counter, count)
    on_trial = pointer is not None and pointer.on_trial(count) and pointer.current.digest not in count.failed
    chosen = None if pointer is None else (pointer.current if on_trial else pointer.good(count))
    rolled_back = pointer is not None and pointer.current.digest in count.failed
    if pointer is not None and chosen is None and count.version:
        raise RollbackError(
            f"no set is left to go back to, and version {count.version} was accepted before (roll-back)",
            where=storage.name,
            remedy="Install a set.",
        )
    if (pointer is not None and chosen is None) or (pointer is None and _is_new(storage, count)):
        opened[storage.name] = Opened(storage, settings, None, on_trial=False, rolled_back=rolled_back)
        return {}
    accepted = accept_stored(storage, settings, chosen, count)
    if not on_trial:
        _remember(counter, count, accepted)
    opened[storage.name] = Opened(storage, settings, accepted, on_trial=on_trial, rolled_back=rolled_back)
    return accepted.signed.modules


def _is_new(storage: "Storage", count: "Count") -> bool:
    """Whether nothing has ever been put into a storage, as before the first installation; then nothing can be missing."""
    keys = getattr(storage, "keys", None)
    return keys is not None and not count.version and not count.failed and not keys()


def accept_stored(storage: "Storage", settings: "TrustSettings", chosen: "Chosen | None", count: "Count") -> Accepted:
    """Check a storage's set, installed or flat, against the counter."""
    data = sets.read_index(storage, chosen)
    root = read_roots(
        settings,
        lambda version: storage.load(documents.root_key(version), documents.MAX_ROOT),
        last=None if chosen is None else chosen.root,
        where=storage.name,
    )
    return check_index(data, root, settings, count, where=storage.name, installed=chosen is not None)


def read_roots(settings: "TrustSettings", load: "Callable[[int], bytes | None]", *, last: int | None, where: str) -> "Root":
    """Follow the chain from the executable's root document to version ``last``, or as far as ``load`` has one."""
    if settings.root is None:
        raise SignatureError("this program was built without a root document, so that nobody's signature counts", where=where,
                             remedy="Name the root document in the plan.")  # fmt: skip
    root = _link(settings.root, None, None, f"{where}: the root document of the program")
    first = root.version
    if root.application != settings.application:
        raise TargetError(f"its root document is for {root.application!r}", where=settings.application)
    end = first + documents.MAX_ROTATIONS if last is None else last
    for version in range(first + 1, end + 1):
        place = f"{where}: {documents.root_key(version)}"
        data = load(version)
        if data is None:
            if last is None:
                break
            raise MalformedError("the chain of root documents has a gap", where=place, remedy="Install the set again.")
        root = _link(data, root, version, place)
    return root


def _link(data: bytes, before: "Root | None", version: int | None, where: str) -> "Root":
    """One root document of the chain: signed by the threshold of the one before, and by its own."""
    signatures, body = documents.split(data, documents.MAX_ROOT, where)
    if before is not None:
        documents.check_signatures(signatures, body, before.roles["root"], where)
    root = documents.read_root(body, where)
    if before is not None:  # the program's own is trusted because it is in the program
        documents.check_signatures(signatures, body, root.roles["root"], where)
    if version is not None and root.version != version:
        raise RollbackError(f"this is version {root.version} of the root document", where=where)
    if before is not None and root.application != before.application:
        raise TargetError(f"this root document is for {root.application!r}, not for {before.application!r}", where=where)
    return root


def check_index(
    data: bytes, root: "Root", settings: "TrustSettings", count: "Count", *, where: str, installed: bool
) -> Accepted:
    """Check an index and the root document that it hangs on, in the order of the specification."""
    if root.version < count.root:
        raise RollbackError(
            f"its root document has version {root.version}, and version {count.root} was accepted before (roll-back)",
            where=where,
            remedy="Nothing of it is used.",
        )
    floor = max(count.time, root.issued, settings.floor)
    now = max(_clock(), floor)
    _check_time(root.expires, now, "root document", where)
    signatures, body = documents.split(data, documents.MAX_INDEX, where)
    documents.check_signatures(signatures, body, root.roles["targets"], where)
    digest = documents.sha256_hex(data)
    index = documents.read_index(body, digest, where, installed=installed, known=digest == count.digest)
    _check_target(index, settings, where)
    _check_rollback(index, root, count, where)
    now = max(now, index.issued)
    accepted_before = settings.expired == _INSTALLED and index.digest == count.digest
    if not accepted_before:
        _check_time(index.expires, now, "index", where)
    return Accepted(index, root, now)


def _clock() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _check_time(expires: str, now: str, what: str, where: str) -> None:
    if expires <= now:
        raise ExpiredError(
            f"the {what} expired at {expires}, and it is {now} at least", where=where, remedy="Install a newer set."
        )


def _check_target(index: "Index", settings: "TrustSettings", where: str) -> None:
    if index.application != settings.application:
        raise TargetError(
            f"this index is for the application {index.application!r}, not for {settings.application!r}", where=where
        )
    if settings.python and index.python != settings.python:  # on a build machine it may not be known
        raise TargetError(f"this index is for {index.python}, and the program has {settings.python}", where=where)


def _check_rollback(index: "Index", root: "Root", count: "Count", where: str) -> None:
    if index.version < root.least:
        raise RollbackError(f"index version {index.version} was withdrawn: {root.least} is the least that counts", where=where,
                            remedy="Install a newer set.")  # fmt: skip
    if index.version < count.version:
        raise RollbackError(
            f"index version {index.version} is older than version {count.version}, which was accepted before (roll-back)",
            where=where,
            remedy="Nothing of it is used.",
        )
    if index.version == count.version and index.digest != count.digest:
        raise RollbackError(
            f"this is another index of version {index.version} than the one accepted before (replay)",
            where=where,
            remedy="A new index needs a new version.",
        )
    if index.digest == count.digest:
        return
    for name, entry in index.modules.items():
        version, digest = count.modules.get(name, (0, ""))
        if entry.version < version:
            raise RollbackError(
                f"version {entry.version} is older than version {version}, which was accepted before (roll-back)",
                where=f"{where}: {name}",
                remedy="Nothing of the index is used.",
            )
        if entry.version == version and entry.digest != digest:
            raise RollbackError(f"these are other bytes than those of version {version} before (replay)",
                                where=f"{where}: {name}", remedy="A module that changes needs a new version.")  # fmt: skip


def _begin(storage: "Storage", pointer: "Pointer", counter: Counter, count: "Count") -> "tuple[Pointer, Count]":
    """Count this start of a set on trial, or roll it back; which may need the pointer again."""
    if not pointer.on_trial(count) or pointer.current.digest in count.failed or not _is_start():
        return pointer, count
    with counter.locked():
        count = counter.read()
        pointer = sets.read_pointer(storage) or pointer
        digest = pointer.current.digest
        if not pointer.on_trial(count) or digest in count.failed:
            return pointer, count
        starts = count.trial[1] if count.trial is not None and count.trial[0] == digest else 0
        if starts >= pointer.attempts:
            count = count.fail(digest)
            fallback = "the set before it" if pointer.previous else "the executable alone"
            sys.stderr.write(f"{storage.name}: {starts} starts did not confirm the new modules: back to {fallback}\n")
        else:
            count = count.start(digest, starts + 1)
        counter.write(count)
    return pointer, count


def _is_start() -> bool:
    """Whether this process is the application, not an interpreter that the application has started."""
    try:
        import _frazil
    except ImportError:
        return True
    return bool(_frazil.process()[2])


def _remember(counter: Counter, count: "Count", accepted: Accepted) -> None:
    """Let the counter rise to what was accepted, if it is not there yet."""
    if count.digest == accepted.signed.digest and count.root >= accepted.root.version:
        return
    with counter.locked():
        latest = counter.read()
        _check_rollback(accepted.signed, accepted.root, latest, counter.path)
        counter.write(latest.accept(accepted.root.version, accepted.signed, accepted.now))


def confirm() -> bool:
    """Say that the set on trial works, so that it stays; whether there was one. Call it when the program has proved to work."""
    confirmed = False
    for name, one in list(opened.items()):
        if one.on_trial and one.accepted is not None:
            counter = Counter(one.settings.state, name)
            pointer = sets.read_pointer(one.storage)
            if pointer is not None and pointer.current.digest == one.accepted.signed.digest:
                _remember(counter, counter.read(), one.accepted)
                one.on_trial = False
                confirmed = True
    return confirmed
