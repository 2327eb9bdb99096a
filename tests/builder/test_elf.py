"""Segments added to programs, and found again."""

from __future__ import annotations

import os
import random
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from frazil.builder import elf
from frazil.cache import ContentCache
from frazil.errors import HostError, OutputError, UsageError
from frazil.toolchain import find_compiler

STUB = Path(__file__).parent / "stub_launcher"
IMAGE = b"image\0" + random.Random(1).randbytes(50_000)


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints the segments that it was given."""
    directory = tmp_path_factory.mktemp("launcher")
    output = directory / "launcher"
    find_compiler(ContentCache(directory / "cache")).compile_c([STUB / "main.c"], ["-no-pie", "-rdynamic", "-O1"], output)
    return output


def _output(program: Path) -> bytes:
    return subprocess.run([program], capture_output=True, check=True).stdout


def test_executable_sees_its_image(launcher: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "directory" / "app"
    size = elf.assemble(launcher, IMAGE, output)
    assert _output(output) == IMAGE
    assert output.stat().st_size == size
    assert elf.read_image(output) == IMAGE


def test_tools_see_the_section(launcher: Path, tmp_path: Path) -> None:
    output = tmp_path / "app"
    elf.assemble(launcher, IMAGE, output)
    shown = subprocess.run(["readelf", "-SlW", output], capture_output=True, text=True, check=True)
    assert ".frazil.image" in shown.stdout
    assert "arning" not in shown.stderr
    dumped = tmp_path / "dumped"
    subprocess.run(["objcopy", "-O", "binary", "--only-section=.frazil.image", output, dumped], check=True)
    assert dumped.read_bytes() == IMAGE


@pytest.mark.parametrize("tool", ["strip", "llvm-strip", "llvm-strip-14"])
def test_image_survives_strip(launcher: Path, tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    output = tmp_path / "app"
    elf.assemble(launcher, IMAGE, output)
    subprocess.run([tool, output], check=True)
    assert _output(output) == IMAGE
    assert elf.read_image(output) == IMAGE


def test_second_segment(launcher: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    elf.assemble(launcher, IMAGE, first)
    elf.write_segment(first, b"snapshot" * 1000, elf.SNAPSHOT_ADDRESS, elf.SNAPSHOT_SECTION, second)
    assert _output(second) == IMAGE + b"snapshot" * 1000
    assert elf.read_segment(second, elf.SNAPSHOT_ADDRESS, "its snapshot") == b"snapshot" * 1000
    assert elf.read_image(second) == IMAGE


def test_segment_is_added_once(launcher: Path, tmp_path: Path) -> None:
    output = tmp_path / "app"
    elf.assemble(launcher, IMAGE, output)
    with pytest.raises(HostError, match="reaches beyond the address"):
        elf.assemble(output, IMAGE, tmp_path / "again")
    with pytest.raises(elf.ElfError, match="already has a section"):
        elf.add_segment(output.read_bytes(), b"x", elf.SNAPSHOT_ADDRESS, elf.IMAGE_SECTION)


def test_same_input_gives_same_bytes(launcher: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        elf.assemble(launcher, IMAGE, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_running_output_is_replaced(launcher: Path, tmp_path: Path) -> None:
    output = tmp_path / "app"
    shutil.copy2("/bin/sleep", output)
    with subprocess.Popen([output, "60"]) as running:
        elf.assemble(launcher, IMAGE, output)
        assert running.poll() is None
        running.kill()
    assert _output(output) == IMAGE


def test_mode_follows_the_umask(launcher: Path, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        elf.assemble(launcher, IMAGE, tmp_path / "app")
    finally:
        os.umask(old)
    assert (tmp_path / "app").stat().st_mode & 0o777 == 0o750


def test_output_that_is_a_directory(launcher: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a directory"):
        elf.assemble(launcher, IMAGE, tmp_path)


def test_output_below_a_file(launcher: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="cannot be written"):
        elf.assemble(launcher, IMAGE, tmp_path / "file" / "app")
    assert (tmp_path / "file").read_text() == "kept"


def test_full_disk_leaves_the_old_output(launcher: Path, tmp_path: Path) -> None:
    output = tmp_path / "app"
    output.write_text("old")
    program = (
        "import sys; from pathlib import Path; from frazil.builder import elf; from frazil.errors import OutputError\n"
        "try: elf.assemble(Path(sys.argv[1]), bytes(10**6), Path(sys.argv[2]))\n"
        "except OutputError as error: print(error.problem)"
    )
    limited = subprocess.run(
        [sys.executable, "-c", program, launcher, output],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    assert "cannot be written: File too large" in limited.stdout
    assert output.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["app"]


def _changed(data: bytes, offset: int, layout: str, value: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into(layout, copy, offset, value)
    return bytes(copy)


def _without_notes(data: bytes) -> bytes:
    copy = bytearray(data)
    (offset,) = struct.unpack_from("<Q", copy, 32)
    (count,) = struct.unpack_from("<H", copy, 56)
    for index in range(count):
        if struct.unpack_from("<I", copy, offset + index * 56)[0] == elf.PT_NOTE:
            struct.pack_into("<I", copy, offset + index * 56, 0)
    return bytes(copy)


def test_unusable_launchers_are_refused(launcher: Path) -> None:
    data = launcher.read_bytes()
    cases = {
        "is no ELF file": b"#!/bin/sh\n",
        "is for AArch64, not for x86-64": _changed(data, 18, "<H", 183),
        "is not a 64-bit little-endian ELF file": _changed(data, 4, "<B", 1),
        "is not a position-dependent program": _changed(data, 16, "<H", 3),
        "program headers lie outside": _changed(data, 32, "<Q", len(data)),
        "has no section headers": _changed(data, 60, "<H", 0),
        "has no section names": _changed(data, 62, "<H", 0),
        "has no PT_NOTE": _without_notes(data),
    }
    for message, broken in cases.items():
        with pytest.raises(elf.ElfError, match=message):
            elf.add_segment(broken, IMAGE, elf.IMAGE_ADDRESS, elf.IMAGE_SECTION)


def test_truncated_programs_are_refused_cleanly(launcher: Path) -> None:
    data = launcher.read_bytes()
    for size in (*range(0, 1200, 7), *range(1200, len(data), 997)):
        with pytest.raises(elf.ElfError):
            elf.add_segment(data[:size], IMAGE, elf.IMAGE_ADDRESS, elf.IMAGE_SECTION)


def test_damaged_headers_never_crash(launcher: Path) -> None:
    data = launcher.read_bytes()
    shuffle = random.Random(2)
    for _ in range(2000):
        broken = bytearray(data)
        for _ in range(3):
            broken[shuffle.randrange(16, 64 + 13 * 56)] = shuffle.randrange(256)
        try:
            pieces = elf.add_segment(bytes(broken), b"x", elf.IMAGE_ADDRESS, elf.IMAGE_SECTION)
        except elf.ElfError:
            continue
        assert sum(len(piece) for piece in pieces) > len(data) // 2


def test_files_that_are_no_executable_of_frazil(launcher: Path, tmp_path: Path) -> None:
    empty, text = tmp_path / "empty", tmp_path / "text"
    empty.touch()
    text.write_text("text " * 100)
    for path, message in (
        (empty, "the file is empty"),
        (text, "it is no ELF file"),
        (launcher, "its image is missing"),
        (tmp_path, "Is a directory"),
        (tmp_path / "absent", "No such file"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            elf.read_image(path)
        assert caught.value.where == str(path)


def test_trimmed_library_loads_the_same(tmp_path: Path) -> None:
    source = tmp_path / "lib.c"
    source.write_text("#include <math.h>\nint answer(void) { return 42; }\ndouble root(double x) { return sqrt(x); }\n")
    library, trimmed = tmp_path / "lib.so", tmp_path / "trimmed.so"
    find_compiler(ContentCache(tmp_path / "cache")).compile_c([source], ["-shared", "-fPIC", "-g", "-lm"], library)
    trimmed.write_bytes(elf.trim(library.read_bytes()))
    assert trimmed.stat().st_size < library.stat().st_size
    assert elf.trim(trimmed.read_bytes()) == trimmed.read_bytes()
    code = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())"
    loaded = subprocess.run([sys.executable, "-c", code, trimmed], capture_output=True, text=True, check=True)
    assert loaded.stdout == "42\n"


def test_trim_leaves_other_files_alone(launcher: Path) -> None:
    assert elf.trim(b"INPUT(libc.so.6)") == b"INPUT(libc.so.6)"
    truncated = launcher.read_bytes()[:3000]
    assert elf.trim(truncated) == truncated
