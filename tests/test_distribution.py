"""Interpreters of this machine, described."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from frazil.cache import ContentCache
from frazil.distribution import describe, running
from frazil.errors import DistributionError


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(tmp_path / "cache")


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _pretender(path: Path, change: str) -> Path:
    """An interpreter that answers the probe like the running one, but for ``change``, a Python statement on ``answer``."""
    source = f"import json, sys\nanswer = json.loads(sys.stdin.read())\n{change}\nprint(json.dumps(answer))"
    program = path.with_suffix(".py")
    program.write_text(source)
    return _script(path, f'"{sys.executable}" -I -S - | "{sys.executable}" "{program}"')


def test_target_is_described(target: Path, cache: ContentCache) -> None:
    found = describe(target, cache)
    asked = subprocess.run(
        [target, "-I", "-c", "import sys; print(sys.version.split()[0], sys.implementation.cache_tag)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [found.full_version, found.cache_tag] == asked.stdout.split()
    assert found.executable == target.resolve()
    assert (found.stdlib / "os.py").is_file()
    assert found.include is not None
    assert (found.include / "Python.h").is_file()
    assert found.platform_include is not None
    assert (found.platform_include / "pyconfig.h").is_file()
    assert found.dynload is not None
    assert any(one.name.endswith(found.extension_suffixes) for one in found.dynload.iterdir())
    assert {"sys", "builtins"} <= found.builtin_modules
    assert {"os", "asyncio"} <= found.stdlib_modules
    assert found.soabi.startswith(found.cache_tag)


def test_running_interpreter_is_the_base_one(cache: ContentCache) -> None:
    found = running(cache)
    assert found.version == sys.version_info[:3]
    assert found.magic == importlib.util.MAGIC_NUMBER
    assert found.stdlib == Path(os.__file__).parent
    assert sys.base_prefix in str(found.executable)


def test_second_description_starts_no_interpreter(tmp_path: Path, cache: ContentCache) -> None:
    copy = tmp_path / "python3"
    shutil.copy2(Path(sys.executable).resolve(), copy)
    status = copy.stat()
    # The copy has no standard library beside it; its own is named by a virtual environment's file.
    (tmp_path / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\n")
    first = describe(copy, cache)
    copy.write_bytes(b"\x7fELF" + bytes(status.st_size - 4))
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert describe(copy, cache) == first


def test_changed_interpreter_is_asked_again(tmp_path: Path, cache: ContentCache) -> None:
    copy = tmp_path / "python3"
    shutil.copy2(Path(sys.executable).resolve(), copy)
    (tmp_path / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\n")
    describe(copy, cache)
    copy.write_bytes(b"\x7fELF, but no program")
    with pytest.raises(DistributionError, match="cannot be started"):
        describe(copy, cache)


def test_damaged_cache_entry_is_made_again(cache: ContentCache) -> None:
    first = running(cache)
    entries = [one for one in (cache.root / "interpreter").rglob("*") if one.is_file()]
    assert entries
    for entry in entries:
        entry.write_bytes(b'{"witnesses": 3')
    assert running(cache) == first


def test_virtual_environment_means_its_base(tmp_path: Path, cache: ContentCache) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    assert describe(tmp_path / "venv" / "bin" / "python", cache) == running(cache)


def test_script_that_starts_an_interpreter_is_followed_each_time(tmp_path: Path, cache: ContentCache) -> None:
    shim = _script(tmp_path / "python3", f'exec "{sys.executable}" "$@"')
    assert describe(shim, cache).executable == running(cache).executable
    _script(shim, "exit 3")
    with pytest.raises(DistributionError, match="ended with 3"):
        describe(shim, cache)


def test_identity_changes_with_the_interpreter(tmp_path: Path, cache: ContentCache) -> None:
    names = ("one", "two")
    for name in names:
        (tmp_path / name / "bin").mkdir(parents=True)
        _script(tmp_path / name / "bin" / "python3", f'exec "{sys.executable}" "$@"')
    first = describe(tmp_path / "one" / "bin" / "python3", cache)
    assert describe(tmp_path / "two" / "bin" / "python3", cache).identity == first.identity
    other = _pretender(tmp_path / "other", "answer['link'] += ' -lz'")
    assert describe(other, cache).identity != first.identity


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("answer['implementation'] = 'pypy'", "is pypy 3"),
        ("answer['version'] = [3, 10, 13]", r"CPython 3\.10\.13 is not supported"),
        ("answer['version'] = [3, 99, 0]", r"CPython 3\.99\.0 is not supported"),
        ("answer['debug'] = True", "debug build"),
        ("answer['free_threaded'] = True", "free-threaded build"),
        ("answer['machine'] = 'aarch64'", "linux aarch64 with glibc"),
        ("answer['libc'] = 'musl'", "x86_64 with musl"),
        ("del answer['stdlib']", "not understood"),
        ("answer = []", "no working Python"),
        ("answer = {'executable': 'python'}", "no working Python"),
    ],
)
def test_unsupported_interpreters_are_refused(tmp_path: Path, cache: ContentCache, change: str, message: str) -> None:
    pretender = _pretender(tmp_path / "python3", change)
    with pytest.raises(DistributionError, match=message) as caught:
        describe(pretender, cache)
    assert caught.value.where == str(pretender)


def test_what_is_no_interpreter_is_refused(tmp_path: Path, cache: ContentCache) -> None:
    with pytest.raises(DistributionError, match="cannot be read: No such file"):
        describe(tmp_path / "absent", cache)
    with pytest.raises(DistributionError, match="cannot be read: Is a directory"):
        describe(tmp_path, cache)
    with pytest.raises(DistributionError, match="no working Python"):
        describe(Path("/bin/true"), cache)
    plain = tmp_path / "plain"
    plain.write_text("print()")
    with pytest.raises(DistributionError, match="cannot be started: Permission denied"):
        describe(plain, cache)
