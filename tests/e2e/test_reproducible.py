"""The same input gives the same bytes: in another directory, with other caches, hash seeds, umasks, locales and time zones."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FIRST = {"PYTHONHASHSEED": "1", "TZ": "Pacific/Auckland", "LANG": "C", "HOME": "/nowhere/one"}
SECOND = {"PYTHONHASHSEED": "4242", "TZ": "America/Lima", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": "/nowhere/another",
          "COLUMNS": "40", "FORCE_COLOR": "1", "USER": "somebody"}  # fmt: skip


def _copy(source: Path, place: Path, *, backwards: bool = False) -> Path:
    """Copy a file or tree, its files made in another order and at another time."""
    copy = place / source.name
    if source.is_file():
        shutil.copy(source, copy)
        os.utime(copy, (1_000_000_000, 1_000_000_000 + backwards))
        return copy
    copy.mkdir()
    for entry in sorted(source.iterdir(), reverse=backwards):
        if entry.name != "__pycache__":
            _copy(entry, copy, backwards=backwards)
    return copy


def _built(source: Path, target: Path, environment: Mapping[str, str], umask: int, *options: str) -> Path:
    """Build in the directory of the source; the executable."""
    place = source.parent
    output = place / "out" / "app"
    command = [sys.executable, "-m", "frazil", "build", source.name, "-q", "-o", str(output), "--python", str(target), *options]
    kept = {name: os.environ[name] for name in ("PATH", "UV_CACHE_DIR", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL",
                                                "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY") if name in os.environ}  # fmt: skip
    done = subprocess.run(command, cwd=place, env={**kept, **environment}, umask=umask, capture_output=True, text=True,
                          check=False, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return output


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


READING = """\
import mmap

with open(__file__) as file:
    OWN = file.read()
with open(__file__) as file:  # by a descriptor of the system's
    COPY = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:].decode()
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Two directories whose names differ in length."""
    first, second = tmp_path / "a", tmp_path / "another place" / "further down"
    first.mkdir()
    second.mkdir(parents=True)
    return first, second


def test_cold_caches_and_directories(target: Path, places: tuple[Path, Path], build_environment: dict[str, str]) -> None:
    """hello, twice from nothing: the launcher is compiled anew, too."""
    first, second = places
    one = _built(_copy(EXAMPLES / "hello.py", first), target, {**FIRST, "FRAZIL_CACHE_DIR": str(first / "cache")}, 0o022)
    other = _built(_copy(EXAMPLES / "hello.py", second, backwards=True), target,
                   {**SECOND, "FRAZIL_CACHE_DIR": str(second / "cache")}, 0o077)  # fmt: skip
    assert _digest(one) == _digest(other)
    assert (one.stat().st_mode & 0o777, other.stat().st_mode & 0o777) == (0o755, 0o700)
    warm = _built(first / "hello.py", target, {**SECOND, "FRAZIL_CACHE_DIR": build_environment["FRAZIL_CACHE_DIR"]}, 0o022)
    assert _digest(warm) == _digest(other)


def _private_cache(shared: Path, place: Path) -> str:
    """A cache that holds the compiled launchers of another, and nothing else: compiling them again shows nothing new."""
    cache = place / "cache"
    for kind in ("launcher", "object", "embedding", "libpython"):
        for found in shared.glob(f"*/{kind}"):
            shutil.copytree(found, cache / found.parent.name / kind, symlinks=True)
    return str(cache)


@pytest.mark.parametrize(("example", "options"), [("cli.py", ()), ("tools", ("--multicall", "--no-source", "--optimize=2"))])
def test_dependencies_and_projects(
    target: Path, places: tuple[Path, Path], build_environment: dict[str, str], tmp_path: Path, example: str,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """Wheels are installed anew, and their files' times and order differ."""
    known = tmp_path / "known"
    known.mkdir()
    warm = _built(_copy(EXAMPLES / example, known), target, build_environment, 0o022, *options)
    shared = Path(build_environment["FRAZIL_CACHE_DIR"])
    home = {"HOME": os.environ.get("HOME", "/")}  # uv's own cache, and its configuration
    digests = {
        _digest(_built(_copy(EXAMPLES / example, place, backwards=number > 0), target,
                       {**environment, **home, "FRAZIL_CACHE_DIR": _private_cache(shared, place)}, umask, *options))
        for number, (place, environment, umask) in enumerate(zip(places, (FIRST, SECOND), (0o022, 0o077), strict=True))
    }  # fmt: skip
    assert digests == {_digest(warm)}


def test_the_date_of_files_can_be_set(target: Path, places: tuple[Path, Path], build_environment: dict[str, str]) -> None:
    cache = {"FRAZIL_CACHE_DIR": build_environment["FRAZIL_CACHE_DIR"]}
    source = places[0] / "when.py"
    source.write_text("import os\nprint(int(os.stat(__file__).st_mtime))\n")
    output = _built(source, target, {**FIRST, **cache, "SOURCE_DATE_EPOCH": "1234567890"}, 0o022)
    assert subprocess.run([output], capture_output=True, text=True, check=True).stdout == "1234567890\n"
    first = _digest(output)
    assert _digest(_built(source, target, {**FIRST, **cache}, 0o022)) != first


def test_snapshots_of_files_that_were_read(target: Path, places: tuple[Path, Path], build_environment: dict[str, str]) -> None:
    cache = {"FRAZIL_CACHE_DIR": build_environment["FRAZIL_CACHE_DIR"]}
    digests = set()
    for place in places:
        (place / "reads.py").write_text("import reading\nprint(reading.OWN == reading.COPY)\n")
        (place / "reading.py").write_text(READING)
        output = _built(place / "reads.py", target, {**FIRST, **cache}, 0o022, "--warm", "--link=static")
        done = subprocess.run([output], capture_output=True, text=True, check=True, env={"FRAZIL_DEBUG": "warm"})
        assert (done.stdout, done.stderr) == ("True\n", "frazil: warm: warm\n")
        digests.add(_digest(output))
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["hello.py", pytest.param("cli.py", marks=pytest.mark.slow)])
def test_snapshots_are_the_same(name: str, places: tuple[Path, Path], target: Path, build_environment: dict[str, str]) -> None:
    first, second = (_copy(EXAMPLES / name, place) for place in places)
    cache = build_environment["FRAZIL_CACHE_DIR"]
    homes = {"HOME": os.environ.get("HOME", "/"), "LOGNAME": "who-builds-1"}, {"HOME": "/tmp", "LOGNAME": "who-builds-2"}
    one = _built(first, target, {**FIRST, **homes[0], "FRAZIL_CACHE_DIR": cache}, 0o022, "--warm", "--link=static")
    other = _built(second, target, {**SECOND, **homes[1], "FRAZIL_CACHE_DIR": cache}, 0o022, "--warm", "--link=static")
    assert _digest(one) == _digest(other)
    assert b"who-builds" not in one.read_bytes()
