"""A damaged executable runs as if it were whole, or says that it is damaged; it never crashes."""

from __future__ import annotations

import mmap
import os
import random
import shutil
import stat
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import icecube
from frazil.builder.elf import ElfFile
from icecube import layout
from support import Build

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
IMAGE_ADDRESS = 0x2000000000
PAGE = 4096
GREETING = "Hello from one file.\n"
# Imports native modules that nothing replaces, and reads a file of the image.
BUSY = """\
import bz2, ctypes, decimal, json, lzma, socket, sqlite3, ssl, zlib
from pathlib import Path
assert Path(json.__file__).read_text().startswith('r\"\"\"JSON')
assert ssl.create_default_context() and sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
print("crc", zlib.crc32(b"frazil"), decimal.Decimal(1) / 4)
"""


@dataclass(frozen=True, slots=True)
class Victim:
    """A copy of an executable, to be damaged and mended in place."""

    path: Path
    start: int
    """Where the image starts in the file."""
    size: int
    expected: str

    @contextmanager
    def with_bytes(self, at: int, data: bytes) -> Iterator[None]:
        """Overwrite bytes of the image for as long as the context lasts."""
        with self.path.open("r+b", buffering=0) as file:
            file.seek(self.start + at)
            before = file.read(len(data))
            file.seek(self.start + at)
            file.write(data)
        yield
        with self.path.open("r+b", buffering=0) as file:
            file.seek(self.start + at)
            file.write(before)

    def read(self, at: int, length: int) -> bytes:
        """Bytes of the image."""
        with self.path.open("rb") as file:
            file.seek(self.start + at)
            return file.read(length)

    def image(self) -> icecube.Image:
        """The image of the file, mapped."""
        with self.path.open("rb") as file:
            mapping = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return icecube.Image(mapping[self.start : self.start + self.size])

    def run(self, *, cold: bool = False) -> subprocess.CompletedProcess[bytes]:
        """Run it, with an empty environment."""
        env = {"FRAZIL_START_COLD": "1"} if cold else {}
        return subprocess.run([self.path], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)

    def judge(self, what: str, *, cold: bool = False) -> bool:
        """Whether it said that it is damaged; fails unless it did so properly or ran as if it were whole.

        ``cold``: what a warm start (``pytest --warm``) does not look at.
        """
        done = self.run(cold=cold)
        output, errors = done.stdout.decode(), done.stderr.decode(errors="backslashreplace")
        if done.returncode == 0:
            assert (output, errors) == (self.expected, ""), what
            return False
        assert done.returncode == 1, (what, done.returncode, errors)
        last = errors.rstrip("\n").rpartition("\n")[2]
        if errors.startswith("Traceback "):
            kind = last.partition(": ")[0]
            assert kind in {"ImportError", "OSError"}, (what, errors)
            assert "damaged" in last or "[Errno 5] Input/output error: '/memfs:/" in last, (what, errors)
        else:
            assert errors.count("\n") == 1, (what, errors)
            assert last.startswith(f"{self.path.name}: this executable is damaged: "), (what, errors)
        return True


def _victim(executable: Path, directory: Path, expected: str) -> Victim:
    path = directory / expected.partition(" ")[0] / "victim"
    path.parent.mkdir()
    shutil.copy(executable, path)
    elf = ElfFile.parse(path.read_bytes())
    (segment,) = [one for one in elf.loads() if one.address == IMAGE_ADDRESS]
    return Victim(path, segment.offset, segment.file_size, expected)


@pytest.fixture
def hello(build: Build, target: Path, tmp_path: Path) -> Victim:
    return _victim(build(EXAMPLES / "hello.py", target), tmp_path, GREETING)


@pytest.fixture
def busy(build: Build, target: Path, shared_directory: Path, tmp_path: Path) -> Victim:
    script = shared_directory / "busy.py"
    script.write_text(BUSY)
    return _victim(build(script, target), tmp_path, f"crc {zlib.crc32(b'frazil')} 0.25\n")


@pytest.fixture
def shared(build: Build, target: Path, tmp_path: Path) -> Victim:
    return _victim(build(EXAMPLES / "hello.py", target, "--link=shared"), tmp_path, GREETING)


def _tables(victim: Victim) -> range:
    """The bytes before the blobs: header, tables, indexes, settings, names."""
    return range(victim.image().header.data_offset)


def _code_ranges(victim: Victim, names: set[str]) -> list[range]:
    """Where the code of these modules lies."""
    image = victim.image()
    nodes = [image.node(module.code_node) for module in image.modules()
             if module.name in names and module.code_node != layout.NO_NODE]  # fmt: skip
    return [range(node.data_offset, node.data_offset + node.stored_size) for node in nodes]


def _boot_modules(victim: Victim) -> set[str]:
    return set(victim.image().settings()["boot"].split(":"))


def test_the_copy_is_whole(hello: Victim, busy: Victim) -> None:
    assert hello.judge("hello") is False
    assert busy.judge("busy") is False


def test_truncated_files_say_so(hello: Victim) -> None:
    chance = random.Random(50)
    sizes = {hello.start + hello.size - 1, hello.start + PAGE + 1, hello.start + PAGE, hello.start + 1, hello.start}
    sizes |= {hello.start + chance.randrange(hello.size - PAGE) for _ in range(45)}
    for size in sorted(sizes, reverse=True):
        os.truncate(hello.path, size)
        said = hello.judge(f"truncated to {size}")
        # Within the last page the kernel fills up with zeros, and only the blob that ends there is damaged.
        assert said or hello.start + hello.size - size < PAGE, size


def test_a_truncated_file_says_so_when_it_is_not_found_by_name(hello: Victim) -> None:
    os.truncate(hello.path, hello.start + hello.size // 2)
    file = os.open(hello.path, os.O_RDONLY)
    hello.path.unlink()
    try:
        done = subprocess.run([f"/proc/self/fd/{file}"], pass_fds=[file], env={}, capture_output=True, text=True, check=False)
    finally:
        os.close(file)
    assert done.returncode == 1
    assert "this executable is damaged: truncated" in done.stderr


def test_an_executable_without_an_image_says_so(hello: Victim) -> None:
    data = bytearray(hello.path.read_bytes())
    at = data.index(IMAGE_ADDRESS.to_bytes(8, "little"), 64)
    data[at : at + 8] = (IMAGE_ADDRESS + (1 << 30)).to_bytes(8, "little")
    hello.path.write_bytes(data)
    done = hello.run()
    assert (done.returncode, done.stderr) == (1, b"victim: this executable is damaged: its image is missing\n")


def _flip(victim: Victim, chance: random.Random, at: int) -> bool:
    old = victim.read(at, 1)[0]
    new = chance.choice([old ^ 1 << chance.randrange(8), chance.randrange(256), 0, 255])
    with victim.with_bytes(at, bytes([new])):
        return victim.judge(f"byte {at} of the image: {old:#04x} became {new:#04x}")


def test_single_bytes_in_the_tables(hello: Victim) -> None:
    chance = random.Random(1)
    header = hello.image().header.header_size
    found = sum(_flip(hello, chance, at) for at in chance.sample(range(header), 60))
    assert found > 30, "most bytes of the header matter"
    for at in chance.sample(_tables(hello), 100):
        _flip(hello, chance, at)


def test_single_bytes_in_code_that_runs(hello: Victim) -> None:
    chance = random.Random(2)
    names = _boot_modules(hello) | {"app/hello.py", "_sitebuiltins"}
    for place in _code_ranges(hello, names):
        for at in chance.sample(place, 6):
            with hello.with_bytes(at, bytes([hello.read(at, 1)[0] ^ 1 << chance.randrange(8)])):
                hello.judge(f"byte {at} of the image")


def test_each_boot_module_is_verified(hello: Victim) -> None:
    for place in _code_ranges(hello, _boot_modules(hello)):
        with hello.with_bytes(place[40], bytes([hello.read(place[40], 1)[0] ^ 0x10])):
            assert hello.judge(f"byte {place[40]} of the image", cold=True)


def test_single_bytes_anywhere(hello: Victim) -> None:
    chance = random.Random(3)
    for _ in range(60):
        _flip(hello, chance, chance.randrange(hello.size))


def test_zeroed_pages(hello: Victim) -> None:
    chance = random.Random(4)
    tables = [at // PAGE * PAGE for at in _tables(hello)[::PAGE]]
    code = {at // PAGE * PAGE for place in _code_ranges(hello, _boot_modules(hello)) for at in place[::PAGE]}
    others = {chance.randrange(hello.size) // PAGE * PAGE for _ in range(40)}
    for at in [*chance.sample(tables, min(40, len(tables))), *chance.sample(sorted(code), min(20, len(code))), *others]:
        with hello.with_bytes(at, bytes(min(PAGE, hello.size - at))):
            hello.judge(f"page at {at} of the image zeroed")


def test_libraries_and_files(busy: Victim) -> None:
    """Damage in shared objects, in modules and in data that the program reads."""
    chance = random.Random(5)
    image = busy.image()
    files = [node for node in image.nodes() if stat.S_ISREG(node.mode) and node.stored_size > 0]
    native = [node for node in files if ".so" in node.path]
    assert len(native) > 5
    for node in native:
        for at in (chance.randrange(64), chance.randrange(min(4096, node.stored_size)), chance.randrange(node.stored_size)):
            _flip(busy, chance, node.data_offset + at)
    json_source = image.find(f"lib/python{image.settings()['python']}/json/__init__.py")
    assert json_source is not None
    with busy.with_bytes(json_source.data_offset + 100, b"\0"):
        assert busy.judge("json/__init__.py")
    for node in chance.sample(files, 20):
        _flip(busy, chance, node.data_offset + chance.randrange(node.stored_size))


def test_link_mode_shared(shared: Victim) -> None:
    chance = random.Random(6)
    image = shared.image()
    for node in image.nodes():
        if node.path.startswith(("lib/libpython", "lib/libfrazil")):
            for at in (20, node.stored_size // 2, node.stored_size - 1):
                with shared.with_bytes(node.data_offset + at, bytes([shared.read(node.data_offset + at, 1)[0] ^ 8])):
                    assert shared.judge(f"{node.path} byte {at}", cold=True)
    for at in chance.sample(_tables(shared), 60):
        _flip(shared, chance, at)
    for at in [one // PAGE * PAGE for one in _tables(shared)[::PAGE]][:20]:
        with shared.with_bytes(at, bytes(PAGE)):
            shared.judge(f"page at {at} of the image zeroed")
    os.truncate(shared.path, shared.start + shared.size // 2)
    assert shared.judge("truncated")
