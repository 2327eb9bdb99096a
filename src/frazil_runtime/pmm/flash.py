"""A flash memory or EEPROM as a storage: one file or block device (``docs/spec/pmm.md``, "Flash").

Theory of operation. Records are only ever appended, so that no place is written more often than others; the header of a change
is written last. Two halves take turns: what counts is written into the erased one, whose header then makes it the current one.
After a power cut at any write, what was cut off is told from what is damaged by the last byte of a header: erased, or 0.
"""

import os
import struct
from binascii import crc32

from frazil_runtime.pmm.errors import StorageError
from frazil_runtime.pmm.keys import is_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"\x89FRZFLS\n"
RECORD = b"FZRC"
MAJOR = 1
BLOCK = 4096
HEADER_SIZE = 32
UNIT = 16
REMOVED = 1
MORE = 2
_ERASED = 0xFF
_END = bytes(4)
_HALF = struct.Struct("<8sHHIQ")
_RECORD = struct.Struct("<4sHHII8s")
_LEAST_BLOCKS = 2


class _DamageError(Exception):
    """What is there does not hold."""


class Medium:
    """A file or block device that is written at places, and synced."""

    def __init__(self, path: str, *, writable: bool) -> None:
        self._handle = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK)
        self.size = os.lseek(self._handle, 0, os.SEEK_END)
        status = os.fstat(self._handle)
        self.identity = (status.st_dev, status.st_ino)

    def lock(self) -> None:
        """Keep other writers out until this is closed."""
        os.lockf(self._handle, os.F_LOCK, 0)

    def read(self, at: int, size: int) -> bytes:
        """Bytes; fewer at the end."""
        return os.pread(self._handle, size, at)

    def write(self, at: int, data: bytes) -> None:
        """Put bytes at a place."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self._handle, view, at)
            at += done
            view = view[done:]

    def sync(self) -> None:
        """Let all that was written reach the medium."""
        os.fsync(self._handle)

    def close(self) -> None:
        """Forget it; the lock goes."""
        os.close(self._handle)


class _Directory:
    """What one half holds: where the data of each key stands, and where the next record goes."""

    def __init__(self, medium: Medium, half: int, blocks: int, generation: int) -> None:
        self.half = half
        self.blocks = blocks
        self.generation = generation
        self.entries: dict[str, tuple[int, int, int]] = {}
        self._limit = (half + 1) * blocks * BLOCK
        self.end = self._scan(medium, half * blocks * BLOCK + BLOCK)

    def _scan(self, medium: Medium, at: int) -> int:
        more = False
        while at + HEADER_SIZE <= self._limit:
            head = medium.read(at, HEADER_SIZE)
            if _is_absent(head):
                break
            flags, name, data_size, data_crc = _record(medium, head, at)
            place = at + HEADER_SIZE + len(name)
            following = at + HEADER_SIZE + _padded(len(name) + data_size)
            key = name.decode("utf-8", "replace")
            if following > self._limit or not is_key(key):
                raise _DamageError(f"the record at byte {at} does not hold")
            if flags & REMOVED:
                self.entries.pop(key, None)
            else:
                self.entries[key] = (place, data_size, data_crc)
            more = bool(flags & MORE)
            at = following
        if more:
            raise _DamageError("its last change is not whole")
        return at

    def is_current(self, medium: Medium) -> bool:
        """Whether nothing was written since: the half has its header, and nothing follows the last record."""
        half = _half(medium.read(self.half * self.blocks * BLOCK, HEADER_SIZE), "its header")
        full = self.end + HEADER_SIZE > self._limit
        return half == (self.blocks, self.generation) and (full or _is_absent(medium.read(self.end, HEADER_SIZE)))

    def data(self, medium: Medium, key: str) -> bytes:
        """The bytes of a key that is there."""
        place, size, crc = self.entries[key]
        data = medium.read(place, size)
        if crc32(data) != crc:
            raise _DamageError(f"{key}, at byte {place}, does not hold")
        return data

    def has_room(self, medium: Medium, size: int) -> bool:
        """Whether so many bytes can be appended: they fit, and what stands there is erased."""
        left = min(self._limit - self.end, size + UNIT)
        return self.end + size <= self._limit and _is_erased(medium.read(self.end, left))


class FlashStorage:
    """Keys and bytes on a medium."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"flash:{path}"
        self._known: tuple[tuple[int, int], _Directory] | None = None

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        if not is_key(key):
            return None
        try:
            medium = self._open(writable=False)
            if medium is None:
                return None
            try:
                directory = self._directory(medium)
                entry = directory.entries.get(key)
                if entry is None:
                    return None
                if entry[1] > limit:
                    raise self._broken(f"{key} has more than {limit} bytes")
                return directory.data(medium, key)
            finally:
                medium.close()
        except (OSError, _DamageError) as error:
            raise self._broken(str(error)) from error

    def keys(self) -> list[str]:
        """See ``protocol.WritableStorage``."""
        try:
            medium = self._open(writable=False)
            if medium is None:
                return []
            try:
                return sorted(self._directory(medium).entries)
            finally:
                medium.close()
        except (OSError, _DamageError) as error:
            raise self._broken(str(error)) from error

    def store(self, key: str, data: bytes) -> None:
        """See ``protocol.WritableStorage``."""
        self.replace({key: data})

    def remove(self, key: str) -> None:
        """See ``protocol.WritableStorage``."""
        self.replace({key: None})

    def replace(self, changes: "Mapping[str, bytes | None]") -> None:
        """See ``protocol.TransactionalStorage``."""
        for key in changes:
            if not is_key(key):
                raise self._broken(f"{key!r} cannot be the name of a module")
        try:
            medium = self._open(writable=True)
            if medium is None:
                raise self._broken("there is no such file; it is made with 'frazil pmm flash'")
            try:
                medium.lock()
                write(medium, changes)
            finally:
                medium.close()
        except (OSError, _DamageError) as error:
            raise self._broken(f"it cannot be written: {error}") from error

    def _open(self, *, writable: bool) -> "Medium | None":
        try:
            return Medium(self.path, writable=writable)
        except FileNotFoundError:
            return None

    def _directory(self, medium: Medium) -> _Directory:
        """The current half's directory; read again only when something was written."""
        if self._known is not None and self._known[0] == medium.identity and self._known[1].is_current(medium):
            return self._known[1]
        directory = current(medium)
        self._known = medium.identity, directory
        return directory

    def _broken(self, what: str) -> StorageError:
        return StorageError(f"the storage {self.name} is broken: {what}")


def current(medium: Medium) -> _Directory:
    """The current half. Raises _DamageError when there is none, or it does not hold."""
    found: list[tuple[int, int, int]] = []
    first = _half(medium.read(0, HEADER_SIZE), "the first header")
    if first is not None:
        found.append((first[1], 0, first[0]))
    # Where the other half begins the header of either says; a medium holds as many blocks as fit twice.
    blocks = first[0] if first is not None else medium.size // BLOCK // 2
    second = _half(medium.read(blocks * BLOCK, HEADER_SIZE), "the second header")
    if second is not None and second[0] == blocks:
        found.append((second[1], 1, second[0]))
    if not found:
        raise _DamageError("neither half has a header")
    generation, half, blocks = max(found)
    if 2 * blocks * BLOCK > medium.size:
        raise _DamageError(f"it should have {2 * blocks * BLOCK} bytes, and has {medium.size}")
    return _Directory(medium, half, blocks, generation)


def make(medium: Medium) -> None:
    """Make an empty storage of a medium, whatever it held."""
    blocks = medium.size // BLOCK // 2
    if blocks < _LEAST_BLOCKS:
        msg = f"a flash storage has at least {2 * _LEAST_BLOCKS * BLOCK} bytes, and this has {medium.size}"
        raise OSError(msg)
    for half in (0, 1):
        _erase(medium, half * blocks, blocks)
    medium.sync()
    medium.write(0, _half_header(blocks, 1))
    medium.sync()


def write(medium: Medium, changes: "Mapping[str, bytes | None]") -> None:
    """Put one change on a medium: all of it or nothing, whenever the power goes."""
    directory = current(medium)
    other = 1 - directory.half
    if not _is_erased(medium.read(other * directory.blocks * BLOCK, HEADER_SIZE)):
        _erase(medium, other * directory.blocks, 1)
        medium.sync()
    changes = {key: data for key, data in changes.items() if data is not None or key in directory.entries}
    records = _records(changes)
    if not records:
        return
    if directory.has_room(medium, len(records)):
        medium.write(directory.end + HEADER_SIZE, records[HEADER_SIZE:])
        medium.sync()
        medium.write(directory.end, records[:HEADER_SIZE])
        medium.sync()
    else:
        _move(medium, directory, changes)


def _move(medium: Medium, directory: _Directory, changes: "Mapping[str, bytes | None]") -> None:
    kept = {key: directory.data(medium, key) for key in directory.entries if key not in changes}
    added = {key: data for key, data in changes.items() if data is not None}
    records = b"".join(_records({key: data}) for key, data in (kept | added).items())
    room = (directory.blocks - 1) * BLOCK
    if len(records) > room:
        msg = f"it is full: this needs {len(records)} bytes, and there are {room}"
        raise OSError(msg)
    first = (1 - directory.half) * directory.blocks
    _erase(medium, first, directory.blocks)
    medium.write((first + 1) * BLOCK, records)
    medium.sync()
    medium.write(first * BLOCK, _half_header(directory.blocks, directory.generation + 1))
    medium.sync()
    _erase(medium, directory.half * directory.blocks, 1)
    medium.sync()


def _erase(medium: Medium, first: int, count: int) -> None:
    """Erase blocks, the first one before all others; those that are erased are let alone."""
    for block in range(first, first + count):
        if not _is_erased(medium.read(block * BLOCK, BLOCK)):
            medium.write(block * BLOCK, bytes([_ERASED]) * BLOCK)
            if block == first:
                medium.sync()


def _half(head: bytes, what: str) -> "tuple[int, int] | None":
    """Blocks and generation of a half's header; None when it is erased or was cut off."""
    if _is_absent(head):
        return None
    magic, major, _, blocks, generation = _HALF.unpack_from(head)
    _check(head, magic == MAGIC, what)
    if major != MAJOR:
        raise _DamageError(f"it has format version {major}; this program knows version {MAJOR}")
    if blocks < _LEAST_BLOCKS:
        raise _DamageError(f"{what} does not hold")
    return blocks, generation


def _half_header(blocks: int, generation: int) -> bytes:
    return _closed(_HALF.pack(MAGIC, MAJOR, 0, blocks, generation))


def _record(medium: Medium, head: bytes, at: int) -> tuple[int, bytes, int, int]:
    """Flags, key, size and checksum of a record."""
    magic, flags, key_size, data_size, data_crc, reserved = _RECORD.unpack_from(head)
    key = medium.read(at + HEADER_SIZE, key_size)
    _check(head, magic == RECORD and not any(reserved), f"the record at byte {at}", key)
    if flags & ~(REMOVED | MORE):
        raise _DamageError(f"the record at byte {at} uses what this version does not know")
    return flags, key, data_size, data_crc


def _records(changes: "Mapping[str, bytes | None]") -> bytes:
    parts = []
    left = len(changes)
    for key, data in changes.items():
        left -= 1
        name, content = key.encode(), data or b""
        flags = (REMOVED if data is None else 0) | (MORE if left else 0)
        parts.append(_closed(_RECORD.pack(RECORD, flags, len(name), len(content), crc32(content), bytes(8)), name))
        parts.append((name + content).ljust(_padded(len(name) + len(content)), b"\0"))
    return b"".join(parts)


def _closed(fields: bytes, key: bytes = b"") -> bytes:
    return fields + crc32(fields + key).to_bytes(4, "little") + _END


def _check(head: bytes, holds: bool, what: str, key: bytes = b"") -> None:  # noqa: FBT001 - an answer, not a switch
    if not holds or head != _closed(head[:-8], key):
        raise _DamageError(f"{what} does not hold")


def _is_absent(head: bytes) -> bool:
    """Whether a header is not there: its first or its last byte is erased, as while it is written or erased."""
    return len(head) < HEADER_SIZE or head[0] == _ERASED or head[-1] == _ERASED


def _is_erased(data: bytes) -> bool:
    return data.count(_ERASED) == len(data)


def _padded(size: int) -> int:
    return -(-size // UNIT) * UNIT
