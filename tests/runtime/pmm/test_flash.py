"""Flash storages: the power may go at any write, and what was cut off is told from what is damaged."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from frazil_runtime.pmm import StorageError, flash
from frazil_runtime.pmm.flash import BLOCK, FlashStorage, Medium

BLOCKS = 3
SIZE = 2 * BLOCKS * BLOCK
LIMIT = 1 << 20


def new(path: Path, size: int = SIZE) -> FlashStorage:
    path.write_bytes(bytes(size))
    medium = Medium(str(path), writable=True)
    flash.make(medium)
    medium.close()
    return FlashStorage(str(path))


def content(storage: FlashStorage) -> dict[str, bytes | None]:
    return {key: storage.load(key, LIMIT) for key in storage.keys()}  # noqa: SIM118 - a storage is no mapping


class Recorder:
    """A medium in memory that keeps what is written between two syncs."""

    identity = (0, 0)

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.size = len(data)
        self.steps: list[list[tuple[int, bytes]]] = [[]]

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.data[at : at + size])

    def write(self, at: int, data: bytes) -> None:
        self.data[at : at + len(data)] = data
        self.steps[-1].append((at, data))

    def sync(self) -> None:
        self.steps.append([])


def change(data: bytes, changes: Mapping[str, bytes | None]) -> tuple[bytes, list[list[tuple[int, bytes]]]]:
    medium = Recorder(data)
    flash.write(medium, changes)  # type: ignore[arg-type]  # it has what is needed of a medium
    assert medium.steps[-1] == [], "all is synced at the end"
    return bytes(medium.data), medium.steps


def put(data: bytearray, at: int, piece: bytes) -> None:
    data[at : at + len(piece)] = piece


def cuts(data: bytes, steps: list[list[tuple[int, bytes]]], chance: random.Random) -> list[bytes]:
    """What may be on the medium when the power goes: after each write, within it, and in another order between syncs."""
    found = []
    done = bytearray(data)
    for step in steps:
        for number, (at, piece) in enumerate(step):
            for length in {0, 1, len(piece) // 2, len(piece) - 1, len(piece), *range(min(len(piece), 33))}:
                state = bytearray(done)
                for earlier in step[:number]:
                    put(state, *earlier)
                put(state, at, piece[:length])
                found.append(bytes(state))
        # Nothing was synced: any blocks of this step may have reached the medium, and the others not.
        pieces = [(at + place, piece[place : place + 512]) for at, piece in step for place in range(0, len(piece), 512)]
        for _ in range(20 if pieces else 0):
            state = bytearray(done)
            for one in chance.sample(pieces, chance.randint(0, len(pieces))):
                put(state, *one)
            found.append(bytes(state))
        for one in step:
            put(done, *one)
    return found


def test_what_is_stored_is_loaded(tmp_path: Path) -> None:
    storage = new(tmp_path / "flash")
    assert (storage.keys(), storage.load("a", LIMIT)) == ([], None)
    storage.store("a", b"one")
    storage.replace({"b.c": b"two" * 100, "@index": b"", "a": b"other"})
    assert content(FlashStorage(storage.path)) == {"@index": b"", "a": b"other", "b.c": b"two" * 100}
    storage.remove("a")
    storage.remove("never")
    assert content(storage) == content(FlashStorage(storage.path)) == {"@index": b"", "b.c": b"two" * 100}


def test_a_reader_sees_what_another_process_writes(tmp_path: Path) -> None:
    reader = new(tmp_path / "flash")
    writer = FlashStorage(reader.path)
    for number in range(50):  # which moves several times
        writer.store("a", b"%d" % number * 400)
        assert reader.load("a", LIMIT) == b"%d" % number * 400


def test_wear_is_even(tmp_path: Path) -> None:
    storage = new(tmp_path / "flash")
    data = (tmp_path / "flash").read_bytes()
    wear = [0] * (SIZE // BLOCK)
    for number in range(400):
        data, steps = change(data, {f"m{number % 7}": bytes([number % 256]) * 300})
        for step in steps:
            for at, piece in step:
                if piece == b"\xff" * BLOCK:
                    wear[at // BLOCK] += 1
    (tmp_path / "flash").write_bytes(data)
    assert len(storage.keys()) == 7
    assert max(wear) <= 2 * min(count for count in wear if count) + 2
    assert min(wear) > 0


def test_the_power_goes_at_every_write(tmp_path: Path) -> None:
    """Old or new after each cut, never neither; and what was cut can be written to."""
    chance = random.Random(6)
    file = tmp_path / "flash"
    storage = new(file)
    data = file.read_bytes()
    tried = 0
    for number in range(40):
        keys = chance.sample(["a", "b", "pack.mod", "@index"], chance.randint(1, 3))
        changes = {key: None if chance.random() < 0.2 else bytes([number]) * chance.randint(0, 1500) for key in keys}
        before = content(storage)
        after, steps = change(data, changes)
        file.write_bytes(after)
        expected = {key: value for key, value in (before | changes).items() if value is not None}
        assert content(FlashStorage(str(file))) == expected
        for state in cuts(data, steps, chance):
            file.write_bytes(state)
            found = content(FlashStorage(str(file)))
            assert found in (before, expected), number
            tried += 1
        later = FlashStorage(str(file))
        later.store("later", b"x" * 700)
        assert content(later) == found | {"later": b"x" * 700}
        data = after
        file.write_bytes(data)
        storage = FlashStorage(str(file))
    assert tried > 2000


def test_every_single_bit_flip_is_told(tmp_path: Path) -> None:
    """A damaged module is never taken for one that is not there, or for the one before it."""
    storage = new(tmp_path / "flash")
    storage.replace({"a": b"old" * 30, "b": b"B"})
    storage.store("a", b"new" * 30)
    data = (tmp_path / "flash").read_bytes()
    used = [*range(32), *range(BLOCK, data.rindex(b"new") + 3)]
    for at in used:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            (tmp_path / "flash").write_bytes(flipped)
            try:
                found = FlashStorage(str(tmp_path / "flash")).load("a", LIMIT)
            except StorageError:
                continue
            assert found == b"new" * 30, (at, bit)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "neither half has a header"),
        (bytes(SIZE), "the first header does not hold"),
        (b"\xff" * SIZE, "neither half has a header"),
        (b"#!/bin/sh\n" * 5000, "the first header does not hold"),
    ],
)
def test_what_is_no_flash_storage(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "flash").write_bytes(data)
    storage = FlashStorage(str(tmp_path / "flash"))
    with pytest.raises(StorageError, match=f"the storage flash:{tmp_path}/flash is broken: {told}"):
        storage.load("a", LIMIT)


def test_what_cannot_be_stored(tmp_path: Path) -> None:
    storage = new(tmp_path / "flash")
    storage.store("a", b"a")
    with pytest.raises(StorageError, match=f"it is full: this needs {BLOCK * 2 + 96} bytes, and there are {BLOCK * 2}"):
        storage.store("b", bytes(BLOCK * 2))
    with pytest.raises(StorageError, match="cannot be the name of a module"):
        storage.store("../b", b"")
    with pytest.raises(StorageError, match="more than 0 bytes"):
        storage.load("a", 0)
    assert content(storage) == {"a": b"a"}
    absent = FlashStorage(str(tmp_path / "absent"))
    assert (absent.load("a", LIMIT), absent.keys()) == (None, [])
    with pytest.raises(StorageError, match="there is no such file"):
        absent.store("a", b"")
    (tmp_path / "small").write_bytes(bytes(BLOCK * 3))
    with pytest.raises(OSError, match="a flash storage has at least 16384 bytes, and this has 12288"):
        flash.make(Medium(str(tmp_path / "small"), writable=True))


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    new(tmp_path / "flash")
    head = bytearray((tmp_path / "flash").read_bytes())
    head[:32] = flash._closed(flash._HALF.pack(flash.MAGIC, 2, 0, BLOCKS, 1))
    (tmp_path / "flash").write_bytes(head)
    with pytest.raises(StorageError, match="it has format version 2; this program knows version 1"):
        FlashStorage(str(tmp_path / "flash")).load("a", LIMIT)
