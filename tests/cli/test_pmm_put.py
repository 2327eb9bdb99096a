from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from frazil_runtime.pmm.flash import FlashStorage
from frazil_runtime.pmm.sqlite import SqliteStorage


def pmm(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", "pmm", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def place(tmp_path: Path, build_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAZIL_CACHE_DIR", build_environment["FRAZIL_CACHE_DIR"])
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f"NAME = {name!r}\n")
        assert pmm("compile", f"{name}.py", cwd=tmp_path).returncode == 0
    return tmp_path


def test_flash(place: Path) -> None:
    answer = pmm("flash", "m.flash", "--size", "64K", cwd=place)
    assert (answer.returncode, answer.stdout) == (0, "m.flash  64.0 KiB, empty\n"), answer.stderr
    assert (place / "m.flash").stat().st_size == 65536
    answer = pmm("put", f"flash:{place}/m.flash", "one.pmm", "two.pmm", cwd=place)
    assert (answer.returncode, answer.stdout) == (0, f"flash:{place}/m.flash  one\nflash:{place}/m.flash  two\n"), answer.stderr
    storage = FlashStorage(f"{place}/m.flash")
    assert storage.keys() == ["one", "two"]
    assert storage.load("one", 1000) == (place / "one.pmm").read_bytes()


def test_other_storages(place: Path) -> None:
    assert pmm("put", f"sqlite:{place}/m.db", "one.pmm", "-q", cwd=place).stdout == ""
    assert SqliteStorage(f"{place}/m.db").load("one", 1000) == (place / "one.pmm").read_bytes()
    assert pmm("put", "directory", "one.pmm", cwd=place).returncode == 0
    assert (place / "directory/one.pmm").read_bytes() == (place / "one.pmm").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ["flash", "x", "--size", "10000"],
            2,
            "--size 10000: a flash storage has a multiple of 8192 bytes, and 16384 at least",
        ),
        (["flash", "x", "--size", "8K"], 2, "--size 8192: a flash storage has a multiple of 8192 bytes"),
        (["flash", "/dev/null"], 1, "/dev/null: this is no regular file"),
        (["flash", "none/x"], 1, "none/x: cannot be written: No such file or directory"),
        (["put", "d", "one.py"], 1, "one.py: this is not named like a module"),
        (["put", "d", "none.pmm"], 1, "none.pmm: cannot be read: No such file or directory"),
        (["put", "d", "bad.pmm"], 1, "bad.pmm: this is no module to put anywhere: it ends after 3 bytes, within its header"),
        (["put", "zip:/x.zip", "one.pmm"], 1, "zip:/x.zip: this storage cannot be written to"),
        (["put", "flash:/nonexistent/x", "one.pmm"], 1, "there is no such file; it is made with 'frazil pmm flash'"),
    ],
)
def test_bad_input(place: Path, arguments: list[str], code: int, told: str) -> None:
    (place / "bad.pmm").write_bytes(b"bad")
    answer = pmm(*arguments, cwd=place)
    assert answer.returncode == code, answer.stderr
    assert told in answer.stderr
    assert not (place / "x").exists()
    assert not (place / "d").exists()
