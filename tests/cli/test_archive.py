"""What the command line of archives prints, and how it refuses; the walk-throughs are in ``e2e/test_archive.py``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archives import archive
from frazil.archive.writer import write_archive

FIRST = archive("first", {"python/a.py": b"x = 1\n", "include/a.h": b"1"}, app_version="1")
SECOND = archive("second", {"python/a.py": b"x = 2\n", "python/b.py": b""}, app_version="2")


@pytest.fixture
def place(tmp_path: Path, build_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAZIL_CACHE_DIR", build_environment["FRAZIL_CACHE_DIR"])
    write_archive(FIRST, tmp_path / "first")
    write_archive(SECOND, tmp_path / "second.tar.gz")
    (tmp_path / "hello.py").write_text("import a\n")
    return tmp_path


def frazil(*words: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "frazil", *words], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done


def test_inspect(place: Path) -> None:
    text = frazil("archive", "inspect", "first", cwd=place).stdout
    assert re.search(r"application +first 1\n", text)
    assert re.search(r"modules +1: 0 native, 0 compiled ahead\n", text)
    assert re.search(r"^  a +python$", text, re.MULTILINE)
    files = frazil("archive", "inspect", "second.tar.gz", "--files", cwd=place).stdout
    assert files == "6 B  python/a.py\n0 B  python/b.py\n"
    assert json.loads(frazil("archive", "inspect", "first", "--json", cwd=place).stdout)["app_name"] == "first"


def test_diff(place: Path) -> None:
    done = frazil("archive", "diff", "first", "second.tar.gz", cwd=place, code=1)
    lines = done.stdout.splitlines()
    assert "changed  metadata app_version" in lines
    assert "           1, then 2" in lines
    assert "added    module b" in lines
    assert "removed  file include/a.h" in lines
    assert "changed  file python/a.py" in lines
    rows = json.loads(frazil("archive", "diff", "first", "second.tar.gz", "--json", cwd=place, code=1).stdout)
    assert {"kind": "module", "name": "b", "change": "added", "details": []} in rows
    assert frazil("archive", "diff", "first", "first", cwd=place).stdout == ""


def test_merge(place: Path) -> None:
    done = frazil("archive", "merge", "first", "second.tar.gz", "-o", "both", cwd=place)
    assert done.stderr == "warning: python/a.py: that of first was taken, that of second.tar.gz left out\n"
    assert (place / "both/python/a.py").read_bytes() == b"x = 1\n"
    answer = json.loads(frazil("archive", "merge", "second.tar.gz", "first", "-o", "both", "--json", cwd=place).stdout)
    assert answer["conflicts"] == [{"what": "python/a.py", "winner": "second.tar.gz", "loser": "first", "reason": ""}]
    assert (place / "both/python/a.py").read_bytes() == b"x = 2\n"
    done = frazil("archive", "merge", "first", "second.tar.gz", "-o", "both", "--strict", cwd=place, code=1)
    assert done.stderr.startswith("error: both: the archives differ in one thing\n")
    assert (place / "both/python/a.py").read_bytes() == b"x = 2\n"
    assert frazil("archive", "merge", "first", "-o", "quiet.tar.gz", "-q", cwd=place).stdout == ""


def test_verify(place: Path) -> None:
    done = frazil("archive", "verify", "first", "second.tar.gz", cwd=place)
    assert done.stdout == "first: 2 files and 1 modules hold\nsecond.tar.gz: 2 files and 2 modules hold\n"
    (place / "first/python/a.py").write_bytes(b"x = 3\n")
    done = frazil("archive", "verify", "first", cwd=place, code=1)
    assert done.stderr.startswith(f"error: {place}/first/python/a.py: its digest differs from the listed one\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["verify", "nothing"], 1, "error: nothing: no such archive\n"),
        (["inspect", "hello.py"], 1, "error: hello.py: this is neither a directory nor a gzip-compressed tar\n"),
        (["merge", "first", "-o", "hello.py"], 1, "error: hello.py: something that is no directory stands there\n"),
        (["merge", "first", "-o", "."], 1, "error: .: this directory cannot be replaced\n"),
        (["build", "-o", "out"], 2, "error: nothing is named to archive\n"),
        (["build", "-o", "out", "absent.py"], 1, "error: absent.py: no such file or directory\n"),
        (["build", "-o", "hello.py", "hello.py"], 1, "error: hello.py: something that is no directory stands there\n"),
        (["build", "-o", "out", "hello.py", "--multicall"], 2, "error: --multicall is for executables"),
        (["build", "-o", "out", "hello.py", "--use-archive", "nothing"], 1, "error: nothing: no such archive\n"),
    ],
)
def test_bad_input_has_one_clear_message(words: list[str], code: int, message: str, place: Path) -> None:
    done = frazil("archive", *words, cwd=place, code=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place / "out").exists()


def test_requirements_alone_can_be_archived(place: Path) -> None:
    """With an archive that satisfies them, so that nothing is installed."""
    files = {"python/part.py": b"", "dist-info/part-1.dist-info/RECORD": b"part.py,,\n"}
    write_archive(archive("part", files), place / "part")
    frazil("archive", "build", "-q", "-o", "out", "--with", "part", "--use-archive", "part", cwd=place)
    found = json.loads((place / "out/frazil-archive.json").read_text())
    assert (found["app_name"], sorted(found["files"])) == ("part", sorted(files))
