from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import icecube
from icecube import Entry, Module

LIBRARY = "lib/python3.11"
PACKAGES = f"{LIBRARY}/site-packages"
RECORD = b"""rich/__init__.py,sha256=x,5
rich_helper.py,,
rich-13.0.dist-info/RECORD,,
rich.libs/libx.so.1,,
../../../bin/rich,,
"""
ENTRIES = [
    Entry("app/hello.py", b"print(1)\n"),
    Entry("app/__pycache__/hello.cpython-311.pyc", b"x" * 40),
    Entry("app/link", b"hello.py", link=True),
    Entry("bin/hello", b"#!python\n"),
    Entry(f"{LIBRARY}/os.py", b"#os\n" * 1000),
    Entry(f"{LIBRARY}/lib-dynload/_x.so", b"\x7fELF", page_aligned=True),
    Entry(f"{LIBRARY}/frazil_runtime/boot.pyc", b"boot"),
    Entry(f"{PACKAGES}/rich/__init__.py", b"#rich"),
    Entry(f"{PACKAGES}/rich/__pycache__/__init__.cpython-311.pyc", b"y" * 50),
    Entry(f"{PACKAGES}/rich/data.json", b"{}"),
    Entry(f"{PACKAGES}/rich_helper.pyc", b"#helper"),
    Entry(f"{PACKAGES}/rich.libs/libx.so.1", b"\x7fELF more"),
    Entry(f"{PACKAGES}/Rich-13.0.dist-info/RECORD", RECORD),
    Entry(f"{PACKAGES}/Rich-13.0.dist-info/METADATA", b"Name: rich"),
    Entry(f"{PACKAGES}/alone.py", b"#alone"),
    Entry("lib/libz.so.1", b"\x7fELF libz"),
    Entry("lib/libpython3.11.so.1.0", b"\x7fELF python"),
    Entry("lib/libfrazil-embed.so", b"\x7fELF embedding"),
]
MODULES = [
    Module("hello", "app/hello.py", "app", code="app/__pycache__/hello.cpython-311.pyc"),
    Module("_x", f"{LIBRARY}/lib-dynload/_x.so", f"{LIBRARY}/lib-dynload", extension=True),
    Module("rich_helper", f"{PACKAGES}/rich_helper.pyc", PACKAGES, code=f"{PACKAGES}/rich_helper.pyc"),
]
SETTINGS = {
    "name": "hello", "python": "3.11", "python.full": "3.11.7", "platform": "linux-x86_64-gnu", "glibc": "2.34",
    "link": "static", "entry": "1", "entry.0.name": "hello", "entry.0.kind": "script", "entry.0.module": "bin/hello",
}  # fmt: skip


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "hello.icecube"
    path.write_bytes(icecube.write(ENTRIES, MODULES, SETTINGS))
    return path


def inspect(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", "inspect", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def test_summary(image: Path) -> None:
    answer = inspect(image)
    assert (answer.returncode, answer.stderr) == (0, "")
    text = " ".join(answer.stdout.split())
    assert "entry hello: script bin/hello" in text
    assert "python 3.11.7, static link" in text
    assert "glibc 2.34 or later" in text
    assert "modules 3: 1 with source, 1 bytecode only, 1 extension modules" in text
    assert f"3.9 KiB {LIBRARY}/os.py" in text
    assert "\x1b" not in answer.stdout


def test_owners_and_kinds(image: Path) -> None:
    report = json.loads(inspect(image, "--json").stdout)
    found = {one["path"].removeprefix(f"{PACKAGES}/"): (one["owner"], one["kind"]) for one in report["files"]}
    assert found == {
        "app/hello.py": ("<application>", "source"),
        "app/__pycache__/hello.cpython-311.pyc": ("<application>", "bytecode"),
        "app/link": ("<application>", "link"),
        "bin/hello": ("<application>", "data"),
        f"{LIBRARY}/os.py": ("<standard library>", "source"),
        f"{LIBRARY}/lib-dynload/_x.so": ("<standard library>", "native"),
        f"{LIBRARY}/frazil_runtime/boot.pyc": ("<frazil>", "bytecode"),
        "rich/__init__.py": ("rich", "source"),
        "rich/__pycache__/__init__.cpython-311.pyc": ("rich", "bytecode"),
        "rich/data.json": ("rich", "data"),
        "rich_helper.pyc": ("rich", "bytecode"),
        "rich.libs/libx.so.1": ("rich", "native"),
        "Rich-13.0.dist-info/RECORD": ("rich", "data"),
        "Rich-13.0.dist-info/METADATA": ("rich", "data"),
        "alone.py": ("alone", "source"),
        "lib/libz.so.1": ("<system>", "native"),
        "lib/libpython3.11.so.1.0": ("<standard library>", "native"),
        "lib/libfrazil-embed.so": ("<frazil>", "native"),
    }


def test_sizes_add_up_to_the_file(image: Path) -> None:
    report = json.loads(inspect(image, "--json").stdout)
    assert sum(report["sizes"].values()) == report["size"] == image.stat().st_size
    assert report["sizes"]["<standard library>"] == 4000 + 4 + 11
    assert report["settings"] == SETTINGS
    assert report["entries"] == [{"name": "hello", "kind": "script", "module": "bin/hello"}]
    assert report["verified"] is False


def test_compressed_files_show_both_sizes(tmp_path: Path) -> None:
    text = b"a line that comes again\n" * 1000
    encoding, stored = icecube.encode(text)
    path = tmp_path / "x.icecube"
    path.write_bytes(icecube.write([Entry("app/text", stored, encoding=encoding, size=len(text)), Entry("app/raw", b"raw")]))
    report = json.loads(inspect(path, "--json", "--verify").stdout)
    assert [(one["size"], one["stored_size"]) for one in report["files"]] == [(3, 3), (len(text), len(stored))]
    assert sum(report["sizes"].values()) == report["size"]
    assert f"compressed 1 files: 23.4 KiB stored as {len(stored)} B" in " ".join(inspect(path).stdout.split())
    assert inspect(path, "--files").stdout.splitlines()[1].endswith(f"app/text  stored in {len(stored)} B")


def test_lists(image: Path) -> None:
    files = inspect(image, "--files").stdout.splitlines()
    assert len(files) == len(ENTRIES)
    modules = inspect(image, "--modules").stdout.splitlines()
    assert [line.split()[0] for line in modules] == ["_x", "hello", "rich_helper"]


def test_verify(image: Path) -> None:
    answer = inspect(image, "--verify")
    assert answer.returncode == 0
    assert "the SHA-256 and every record hold" in answer.stdout
    assert json.loads(inspect(image, "--verify", "--json").stdout)["verified"] is True


def test_verify_finds_damage(image: Path) -> None:
    data = bytearray(image.read_bytes())
    data[-1] ^= 1
    image.write_bytes(data)
    answer = inspect(image, "--verify")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"error: {image}: this executable is damaged: the image is damaged: its SHA-256")


@pytest.mark.parametrize("size", [0, 7, 8, 100, 191, 192, 4096])
def test_truncated(size: int, image: Path) -> None:
    image.write_bytes(image.read_bytes()[:size])
    answer = inspect(image)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"error: {image}: ")
    assert "Traceback" not in answer.stderr


def test_damaged_tables_are_told(image: Path) -> None:
    whole = image.read_bytes()
    start = icecube.Image(whole).header.nodes_offset
    data = bytearray(whole)
    data[start + 64 * 3 + 20] ^= 4
    image.write_bytes(data)
    answer = inspect(image)
    assert answer.returncode == 1
    assert "this executable is damaged: damaged record" in answer.stderr


@pytest.mark.parametrize(
    ("file", "code", "problem"),
    [
        ("/dev/null/absent", 1, "Not a directory"),
        ("/", 1, "Is a directory"),
        ("/etc/passwd", 1, "no executable and no image"),
        (str(Path(sys.executable).resolve()), 2, "no executable made by frazil"),
    ],
)
def test_files_that_are_none_of_ours(file: str, code: int, problem: str) -> None:
    answer = inspect(file)
    assert answer.returncode == code
    assert answer.stderr.startswith(f"error: {file}: ")
    assert problem in answer.stderr
