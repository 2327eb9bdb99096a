"""An executable needs nothing of the host but the C library, and writes nothing."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from frazil.inspection import open_image
from support import Build

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# By name, written down here again: what glibc itself brings along.
GLIBC = re.compile(r"(ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libutil|libresolv|libanl|libmvec|libthread_db"
                   r"|libnss_\w+|libBrokenLocale)\.so\.\d")  # fmt: skip
# What libc opens on its own account: its cache, itself, the locale, character sets and the time zone; and what the allocator of
# CPython 3.13 asks the kernel.
LIBRARIES = r"(/usr)?/lib(64|/x86_64-linux-gnu)?"
OF_LIBC = re.compile(
    rf"/etc/ld\.so\.(cache|preload)|{LIBRARIES}(/glibc-hwcaps/[^/]+)?/lib(c|m|dl|pthread|rt|util)\.so\.\d"
    rf"|/usr/(lib|share)/locale(-langpack)?/.*|{LIBRARIES}/(gconv|locale)/.*|/etc/localtime|/usr/share/zoneinfo/.*"
    r"|/proc/(self|\d+|sys/vm/overcommit_memory)(/.*)?|/dev/(null|urandom|random)|/sys/devices/system/cpu/.*"
)
# What the program reads: OpenSSL's configuration, the certificates of the system, how names are resolved.
OF_THE_PROGRAM = re.compile(r"/(etc|usr/lib|usr/local)/ssl(/.*)?|/etc/(resolv\.conf|nsswitch\.conf|hosts|host\.conf|gai\.conf"
                            r"|services|mime\.types|protocols)")  # fmt: skip

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@dataclass(frozen=True, slots=True)
class Object:
    """An ELF file of an executable, or its program."""

    path: str
    soname: str
    needed: tuple[str, ...]
    search: tuple[str, ...]
    glibc: tuple[int, ...]
    """The newest version of glibc that it names."""


def _tags(elf: Any) -> list[Any]:
    return [tag for one in elf.iter_segments() if isinstance(one, DynamicSegment) for tag in one.iter_tags()]


def _read(path: str, data: bytes) -> Object:
    """By segments, since the builder removes sections."""
    elf: Any = ELFFile(io.BytesIO(data))
    soname, needed, search = "", [], []
    for tag in _tags(elf):
        kind = tag.entry.d_tag
        if kind == "DT_SONAME":
            soname = tag.soname
        elif kind == "DT_NEEDED":
            needed.append(tag.needed)
        elif kind in {"DT_RPATH", "DT_RUNPATH"}:
            search += (tag.rpath if kind == "DT_RPATH" else tag.runpath).split(":")
    origin = str(PurePosixPath(path).parent)
    resolved = tuple(one.replace("$ORIGIN", f"$/{origin}").replace("${ORIGIN}", f"$/{origin}") for one in search)
    return Object(path, soname, tuple(needed), resolved, _newest(elf))


def _newest(elf: Any) -> tuple[int, ...]:
    """The newest version of glibc in the version requirements, which a fresh look at the bytes gives."""
    tags = {tag.entry.d_tag: tag.entry.d_val for tag in _tags(elf)}
    if "DT_VERNEED" not in tags:
        return (0, 0)
    data = elf.stream.getvalue()
    (at,) = list(elf.address_offsets(tags["DT_VERNEED"]))[:1]
    (strings,) = list(elf.address_offsets(tags["DT_STRTAB"]))[:1]

    def text(offset: int) -> str:
        start = strings + offset
        return str(data[start : data.index(b"\0", start)].decode())

    found: list[tuple[int, ...]] = [(0, 0)]
    for _ in range(tags["DT_VERNEEDNUM"]):
        _, count, library, first, following = struct.unpack_from("<HHIII", data, at)
        auxiliary = at + first
        for _ in range(count):
            _, _, _, name, after = struct.unpack_from("<IHHII", data, auxiliary)
            if GLIBC.fullmatch(text(library)):
                version = text(name).removeprefix("GLIBC_")
                # Packed relocations, which glibc 2.36 was the first to read.
                found.append((2, 36) if version == "ABI_DT_RELR" else tuple(map(int, version.split("."))))
            auxiliary += after
        at += following
    return max(found)[:2]


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", "$"}:
            parts.append(part)
    return "/".join(parts)


def _objects(executable: Path) -> Iterator[Object]:
    """Every ELF file in the image, and the program itself."""
    yield _read("", executable.read_bytes())
    image = open_image(executable)
    for node in image.nodes():
        if not node.is_directory:
            data = bytes(image.data(node))
            if data.startswith(b"\x7fELF"):
                yield _read(node.path, data)


@pytest.fixture(params=["hello.py", "cli.py", "matrix.py", "cli.py --link=shared"])
def executable(request: pytest.FixtureRequest, build: Build, target: Path) -> Path:
    name, *options = request.param.split()
    return build(EXAMPLES / name, target, *options)


def test_all_that_is_needed_is_inside(executable: Path) -> None:
    objects = list(_objects(executable))
    assert len(objects) > 5
    assert not [one.path for one in objects if GLIBC.fullmatch(PurePosixPath(one.path).name)], "parts of glibc are inside"
    paths = {one.path for one in objects}
    for one in objects:
        for needed in one.needed:
            places = {f"{_normal(directory)}/{needed}" for directory in (*one.search, "lib")}
            assert GLIBC.fullmatch(needed) or places & paths, f"{one.path or 'the program'} needs {needed}"
    assert all(GLIBC.fullmatch(needed) for one in objects if one.path == "" for needed in one.needed)
    assert not [one.path for one in objects if any(not place.startswith("$/") for place in one.search)]


def test_no_place_of_the_build_machine_is_searched(executable: Path) -> None:
    """The program itself has no DT_RPATH and asks for the usual dynamic linker."""
    data = executable.read_bytes()
    assert _read("", data).search == ()
    elf: Any = ELFFile(io.BytesIO(data))
    (interpreter,) = [one.get_interp_name() for one in elf.iter_segments("PT_INTERP")]
    assert interpreter == "/lib64/ld-linux-x86-64.so.2"


def test_the_oldest_glibc_is_what_its_files_ask_for(executable: Path) -> None:
    asked = max((one.glibc, one.path) for one in _objects(executable))[0]
    assert open_image(executable).settings()["glibc"] == ".".join(map(str, asked))


def test_the_build_says_which_file_sets_the_oldest_glibc(target: Path, build: Build, build_environment: dict[str, str],
                                                         tmp_path: Path) -> None:  # fmt: skip
    command: list[str | Path] = [sys.executable, "-m", "frazil", "build", EXAMPLES / "cli.py", "-o", tmp_path / "app"]
    command += ["--python", target, "--json"]
    build(EXAMPLES / "cli.py", target)
    done = subprocess.run(command, env=build_environment, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)["executables"][0]["glibc"]
    objects = list(_objects(tmp_path / "app"))
    asked = max(one.glibc for one in objects)
    assert told["version"] == ".".join(map(str, asked))
    setters = {one.path.rpartition("/")[2] or "the launcher" for one in objects if one.glibc == asked}
    assert told["set_by"].rpartition("/")[2] in setters


# --- what it opens ---

_CALL = re.compile(r"\d+\s+(\w+)\((.*)\)\s*=\s*(-?\d+|\?)")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
CHANGES = {
    "creat", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink",
    "symlinkat", "truncate", "chmod", "fchmodat", "chown", "lchown", "fchownat", "utimensat", "mknod", "mknodat",
}  # fmt: skip


def _calls(executable: Path, *arguments: str, log: Path) -> Iterator[tuple[str, str, str]]:
    """The system calls with paths that a run makes: name, path and arguments."""
    command: list[str | Path] = ["strace", "-f", "-qq", "-s", "4096", "-e", "trace=%file", "-o", log, executable, *arguments]
    done = subprocess.run(command, env={"LANG": "C.UTF-8", "HOME": "/nowhere"}, cwd="/", stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for line in log.read_text().splitlines():
        call = _CALL.match(line)
        path = _PATH.search(call[2]) if call else None
        if call and path:
            yield call[1], path[1], call[2]


@needs_strace
@pytest.mark.parametrize("options", [[], ["--link=shared"]])
def test_hello_opens_nothing_but_the_c_library(build: Build, target: Path, tmp_path: Path, options: list[str]) -> None:
    executable = build(EXAMPLES / "hello.py", target, *options)
    opened = {path for name, path, _ in _calls(executable, log=tmp_path / "log") if name in {"open", "openat", "openat2"}}
    assert "/etc/ld.so.cache" in opened
    assert not [path for path in opened if not OF_LIBC.fullmatch(path)]


@needs_strace
@pytest.mark.parametrize("options", [[], ["--link=shared"]])
def test_the_cli_opens_no_file_of_the_host_and_writes_none(
    build: Build, target: Path, tmp_path: Path, options: list[str]
) -> None:
    executable = build(EXAMPLES / "cli.py", target, *options)
    calls = list(_calls(executable, "--version", log=tmp_path / "log"))
    assert calls
    for name, path, arguments in calls:
        assert name not in CHANGES, (name, arguments)
        if name in {"open", "openat", "openat2"}:
            assert not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|TMPFILE)\b", arguments), arguments
        if path != str(executable) and name != "execve":
            known = OF_LIBC.fullmatch(path) or OF_THE_PROGRAM.fullmatch(path) or path in {"", "/", "/proc", "/etc"}
            assert known or path.isdigit(), (name, arguments)
