"""What a build backend links is kept, and found again by the file that it installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from frazil.cache import ContentCache
from frazil.distribution import running
from frazil.native.capture import captured, recording
from frazil.resources.kinds import ExtensionModule
from frazil.toolchain import Compiler, find_compiler

BUILD = """\
set -e
mkdir -p build/temp build/lib/pkg other
printf 'int vendored(void) { return 3; }' > vendored.c
printf 'int vendored(void); void *PyInit__fast(void) { return (void *)(long)vendored(); }' > fast.c
printf 'extern "C" void *PyInit__fast() { return new int; }' > fast.cc
$CC -c vendored.c -o build/temp/vendored.o
ar rcs libvendored.a build/temp/vendored.o
$CC -Wall -g -DNDEBUG -O3 -fPIC -flto -Iinclude -c fast.c -o build/temp/fast.o
echo '-shared build/temp/fast.o libvendored.a -L/usr/lib -lm' > words
$CC @words -o build/lib/pkg/_fast.so
$CXX -std=c++17 -c -fPIC fast.cc -o build/temp/fast.o
$CXX -shared build/temp/fast.o -o other/_fast.so
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ContentCache:
    return ContentCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def compiler(cache: ContentCache) -> Compiler:
    return find_compiler(cache)


def _build(script: str, place: Path, compiler: Compiler) -> subprocess.CompletedProcess[str]:
    for name in ("kept", "drivers", "project"):
        (place / name).mkdir()
    environment = {**os.environ, **recording(place / "kept", place / "drivers", compiler)}
    words = ["sh", "-c", script]
    return subprocess.run(words, env=environment, cwd=place / "project", capture_output=True, text=True, check=False)


def _installed(name: str, path: str) -> ExtensionModule:
    return ExtensionModule(name, False, b"", path, path.rpartition("/")[0], "pkg")


def test_objects_libraries_and_flags_are_those_of_the_link(tmp_path: Path, compiler: Compiler, cache: ContentCache) -> None:
    done = _build(BUILD, tmp_path, compiler)
    assert done.returncode == 0, done.stderr
    installed = [_installed("pkg._fast", "site/pkg/_fast.so"), _installed("other._fast", "site/other/_fast.so")]
    found = captured(tmp_path / "kept", [*installed, _installed("x", "site/x.so")], running(cache), compiler)
    assert found.warnings == ()
    first, second = found.modules
    assert (first.name, first.init_symbol, first.language) == ("pkg._fast", "PyInit__fast", "c")
    assert [one.name for one in first.objects] == ["fast.o", "libvendored.a"]
    assert first.libraries == ("m",)
    assert first.library_directories == (Path("/usr/lib"),)
    assert first.key.flags == ("-DNDEBUG", "-O3", "-fPIC", "-flto")
    assert first.key.optimisation == "-O3"
    assert b"__gnu_lto_slim" not in first.objects[0].path.read_bytes()
    assert (second.name, second.language, second.key.flags) == ("other._fast", "c++", ("-std=c++17", "-fPIC"))
    # The object of the same name that was compiled later.
    assert second.objects[0].digest != first.objects[0].digest
    assert (first.directory, first.owner) == ("site/pkg", "pkg")


def test_what_was_compiled_and_linked_in_one_step_has_no_objects(
    tmp_path: Path, compiler: Compiler, cache: ContentCache
) -> None:
    done = _build("printf 'int f;' > m.c; $CC -shared -fPIC m.c -o m.so", tmp_path, compiler)
    assert done.returncode == 0, done.stderr
    found = captured(tmp_path / "kept", [_installed("m", "site/m.so")], running(cache), compiler)
    assert found.modules == ()
    assert found.warnings == ("m: was linked with m.c, which is neither object nor library",)


def test_the_driver_decides_whether_a_build_fails(tmp_path: Path, compiler: Compiler) -> None:
    done = _build("printf 'int f( {' > m.c; $CC -c m.c -o m.o", tmp_path, compiler)
    assert done.returncode == 1
    assert "error" in done.stderr
    assert list((tmp_path / "kept").iterdir()) == []
