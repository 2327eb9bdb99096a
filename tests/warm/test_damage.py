"""An executable whose snapshot is damaged, or was made elsewhere, starts cold and shows the same."""

from __future__ import annotations

import random
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from frazil.builder.elf import SNAPSHOT_ADDRESS, ElfFile
from frazil_runtime.snapshot import format as layout
from started import WARM, Outcome, start
from support import Build

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COLD = "frazil: warm: cold: "
EXPECTED = Outcome(0, "Hello from one file.\n", "")
# Fields of the header and of objects (docs/spec/snapshot.md, "The segment").
VERSION, CRC, TABLES, IMAGE, PROCESSOR, OBJECTS = 8, 12, 24, 32, 64, 144
OBJECT_SIZE, OBJECT_KIND, OBJECT_BUILD = 64, 24, 32
LIBRARY = 1


@dataclass(frozen=True, slots=True)
class Victim:
    """A copy of an executable, whose snapshot is damaged and mended in place."""

    path: Path
    start: int
    size: int

    @contextmanager
    def with_bytes(self, at: int, data: bytes) -> Iterator[None]:
        """Overwrite bytes of the snapshot for as long as the context lasts."""
        before = self.read(at, len(data))
        self._write(at, data)
        yield
        self._write(at, before)

    def read(self, at: int, length: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.start + at)
            return file.read(length)

    def _write(self, at: int, data: bytes) -> None:
        with self.path.open("r+b", buffering=0) as file:
            file.seek(self.start + at)
            file.write(data)

    @property
    def tables(self) -> int:
        """Where the tables begin, that end the snapshot."""
        return int(struct.unpack("<Q", self.read(TABLES, 8))[0])

    @contextmanager
    def with_tables(self, at: int, data: bytes) -> Iterator[None]:
        """Overwrite bytes of header or tables, and make their checksum right."""
        with self.with_bytes(at, data), self.with_bytes(CRC, bytes(4)):
            first, tables = self.read(0, layout.PAGE), self.read(self.tables, self.size - self.tables)
            with self.with_bytes(CRC, struct.pack("<I", zlib.crc32(tables, zlib.crc32(first)))):
                yield


@pytest.fixture
def victim(build: Build, target: Path, tmp_path: Path) -> Victim:
    path = tmp_path / "hello"
    shutil.copy(build(EXAMPLES / "hello.py", target, "--warm"), path)
    (segment,) = [one for one in ElfFile.parse(path.read_bytes()).loads() if one.address == SNAPSHOT_ADDRESS]
    return Victim(path, segment.offset, segment.file_size)


def decision(victim: Victim, what: object) -> str:
    """What it decided; its outcome must be that of the whole program."""
    decided, outcome = start([victim.path])
    assert outcome == EXPECTED, (what, decided)
    return decided


def test_the_copy_starts_warm(victim: Victim) -> None:
    assert decision(victim, "whole") == WARM


def test_random_corruptions(victim: Victim, pytestconfig: pytest.Config, target: Path) -> None:
    source = random.Random(f"corruptions of {target.name}")
    ends = ((0, 200), (0, layout.PAGE), (victim.tables, victim.size), (0, victim.size))
    decisions: set[str] = set()
    for turn in range(pytestconfig.getoption("--corruptions")):
        first, end = ends[turn % 4]
        length = source.choice((1, 1, 2, 8, 64, layout.PAGE))
        at = source.randrange(first, end)
        data = source.choice((source.randbytes(length), bytes(length), b"\xff" * length))[: victim.size - at]
        if data == victim.read(at, len(data)):
            continue
        with victim.with_bytes(at, data):
            decided = decision(victim, (turn, at, data))
            assert decided.startswith(COLD), (turn, at, data, decided)
            decisions.add(decided)
    assert len(decisions) >= 2, decisions


def test_a_truncated_file(victim: Victim) -> None:
    whole = victim.path.read_bytes()
    for keep in (0, 1, 200, layout.PAGE, victim.size // 2, victim.size - layout.PAGE):
        victim.path.write_bytes(whole[: victim.start + keep])
        assert decision(victim, keep).startswith(COLD), keep


def test_another_c_library(victim: Victim) -> None:
    offset, count = struct.unpack("<2I", victim.read(OBJECTS, 8))
    changed = []
    for number in range(count):
        if int.from_bytes(victim.read(victim.tables + offset + number * OBJECT_SIZE + OBJECT_KIND, 4), "little") != LIBRARY:
            continue  # a file, which is known by its size and time
        build = victim.tables + offset + number * OBJECT_SIZE + OBJECT_BUILD
        with victim.with_tables(build, bytes([victim.read(build, 1)[0] ^ 1])):
            decided = decision(victim, number)
            assert decided.startswith(f"{COLD}it was made with another "), decided
            changed.append(Path(decided.split()[-1]).name)
    assert {"libc.so.6", "ld-linux-x86-64.so.2"} <= set(changed)


@pytest.mark.parametrize(
    ("field", "reason"),
    [(PROCESSOR, "it was made on another processor"), (IMAGE, "it was made with another image")],
)
def test_another_key(victim: Victim, field: int, reason: str) -> None:
    with victim.with_tables(field, bytes([victim.read(field, 1)[0] ^ 1])):
        assert decision(victim, reason) == f"{COLD}{reason}"


def test_another_version(victim: Victim) -> None:
    with victim.with_tables(VERSION, b"\xfe"):
        assert decision(victim, "version").startswith(f"{COLD}the snapshot is damaged")
