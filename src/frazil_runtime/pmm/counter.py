"""The counter: what was accepted before, in a file that the program can write (``docs/spec/pmm-index.md``, "The counter").

Its numbers never get lower. Reading needs no lock, as the file is replaced whole; who changes it reads it again under the lock.
"""

import os

from frazil_runtime.pmm import documents
from frazil_runtime.pmm.digest import sha256
from frazil_runtime.pmm.failures import CounterError, TrustError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from frazil_runtime.pmm.documents import Index

_LIMIT = 16_000_000
_FAILED = 64
_NO_TIME = "1970-01-01T00:00:00Z"
_NOTHING: "Mapping[str, tuple[int, str]]" = {}


class Count:
    """What the file says; the defaults are those of a file that is not there yet.

    ``version`` and ``digest`` are of the index that was accepted last, ``modules`` are version and digest of every module that
    ever was, ``trial`` is the digest of the index on trial with its starts, ``failed`` are indexes that were rolled back.
    """

    __slots__ = ("digest", "failed", "modules", "root", "time", "trial", "version")

    def __init__(
        self,
        *,
        root: int = 0,
        version: int = 0,
        digest: str = "",
        modules: "Mapping[str, tuple[int, str]]" = _NOTHING,
        trial: "tuple[str, int] | None" = None,
        failed: tuple[str, ...] = (),
        time: str = _NO_TIME,
    ) -> None:
        self.root = root
        self.version = version
        self.digest = digest
        self.modules = modules
        self.trial = trial
        self.failed = failed
        self.time = time

    def accept(self, root: int, index: "Index", now: str) -> "Count":
        """The count after that index was accepted, with that root document."""
        modules = {**self.modules, **{name: (one.version, one.digest) for name, one in index.modules.items()}}
        newer = index.version >= self.version
        return Count(
            root=max(root, self.root),
            version=max(index.version, self.version),
            digest=index.digest if newer else self.digest,
            modules=modules,
            failed=self.failed,
            time=max(now, self.time),
        )

    def start(self, digest: str, starts: int) -> "Count":
        """The count after so many starts of the index on trial."""
        return self._with_trial((digest, starts), self.failed)

    def fail(self, digest: str) -> "Count":
        """The count after that index was rolled back."""
        return self._with_trial(None, (*(one for one in self.failed if one != digest), digest)[-_FAILED:])

    def _with_trial(self, trial: "tuple[str, int] | None", failed: tuple[str, ...]) -> "Count":
        return Count(
            root=self.root,
            version=self.version,
            digest=self.digest,
            modules=self.modules,
            trial=trial,
            failed=failed,
            time=self.time,
        )


class _Lock:
    """Holds the lock of an open file for a while, and closes it; without contextlib, which takes a millisecond to import."""

    __slots__ = ("_file",)

    def __init__(self, file: int) -> None:
        self._file = file

    def __enter__(self) -> None:
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            os.close(self._file)
            raise

    def __exit__(self, *_error: object) -> None:
        os.close(self._file)


class Counter:
    """The counter file of one storage."""

    def __init__(self, directory: str, storage: str) -> None:
        self._base = os.path.join(directory, sha256(storage.encode("utf-8", "surrogateescape")).hexdigest()[:32])
        self.path = f"{self._base}.json"

    @property
    def metadata(self) -> str:
        """The directory where a client of TUF may keep what it knows."""
        return f"{self._base}.metadata"

    def read(self) -> Count:
        """What the file says. CounterError: it is there and cannot be understood."""
        try:
            with open(self.path, "rb") as file:
                data = file.read(_LIMIT + 1)
        except FileNotFoundError:
            return Count()
        except OSError as error:
            raise self._unusable("read", error) from error
        try:
            return _parse(documents.decode(data, self.path, canonical=False))
        except (TrustError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise CounterError(
                "the counter is damaged, so an old set could not be told from a new one",
                where=self.path,
                remedy="Remove the file only if you know that the installed set is the newest.",
            ) from error

    def locked(self, what: str = "") -> "_Lock":
        """Keep all others from changing the counter and what goes with it, or something else that is kept beside it."""
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            lock = os.open(f"{self._base}{what}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable("written", error) from error
        return _Lock(lock)

    def write(self, count: Count) -> None:
        """Replace the file; only under the lock."""
        value: dict[str, object] = {name: getattr(count, name) for name in Count.__slots__}
        value["format"] = documents.FORMAT
        value["trial"] = None if count.trial is None else {"digest": count.trial[0], "starts": count.trial[1]}
        try:
            replace_synced(self.path, documents.encode(value))
        except OSError as error:
            raise self._unusable("written", error) from error

    def _unusable(self, what: str, error: OSError) -> CounterError:
        return CounterError(
            f"the counter cannot be {what} ({error.strerror}), so an old set could not be told from a new one",
            where=self.path,
            remedy="Let the program write there, or name another directory in the plan.",
        )


def _parse(value: "dict[str, Any]") -> Count:
    """Raises KeyError, TypeError or ValueError for what no counter holds."""
    if value.pop("format") != documents.FORMAT or value.keys() != set(Count.__slots__):
        raise ValueError
    numbers = all(type(value[name]) is int and value[name] >= 0 for name in ("root", "version"))
    if not numbers or type(value["digest"]) is not str or not documents.is_time(value["time"]):
        raise ValueError
    trial = value["trial"]
    return Count(
        root=value["root"],
        version=value["version"],
        digest=value["digest"],
        modules={name: (int(version), str(digest)) for name, (version, digest) in value["modules"].items()},
        trial=None if trial is None else (str(trial["digest"]), int(trial["starts"])),
        failed=tuple(map(str, value["failed"])),
        time=value["time"],
    )


def replace_synced(path: str, data: bytes) -> None:
    """Write a file whole or not at all, so that it outlives a power cut; mode 0600."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
