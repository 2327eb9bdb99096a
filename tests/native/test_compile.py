"""Declared modules are compiled side by side, and only what has changed is compiled again."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, running
from frazil.errors import FrazilError, HostError, SourceError
from frazil.native import cython
from frazil.native.compile import compile_modules
from frazil.native.source import NativeSource
from frazil.toolchain import Compiler, find_compiler

PLAIN = '#include "number.h"\nint number_{0}(void) {{ return NUMBER + {0}; }}\n'


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ContentCache:
    return ContentCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def distribution(cache: ContentCache) -> PythonDistribution:
    return running(cache)


@pytest.fixture(scope="module")
def compiler(cache: ContentCache) -> Compiler:
    return find_compiler(cache)


def _declared(place: Path, count: int) -> NativeSource:
    (place / "include").mkdir(exist_ok=True)
    (place / "include/number.h").write_text("#define NUMBER 7\n")
    sources = [place / f"part{number}.c" for number in range(count)]
    for number, source in enumerate(sources):
        source.write_text(PLAIN.format(number))
    return NativeSource("numbers", tuple(sources), (place / "include",), base=place)


def test_of_fifty_files_the_one_that_changes_is_compiled(
    tmp_path: Path, distribution: PythonDistribution, compiler: Compiler, cache: ContentCache
) -> None:
    declared = _declared(tmp_path, 50)
    first = compile_modules([declared], distribution, compiler, cache)
    assert (first.compiled, first.reused) == (50, 0)
    again = compile_modules([declared], distribution, compiler, cache)
    assert (again.compiled, again.reused) == (0, 50)
    assert again.modules == first.modules
    with declared.sources[17].open("a") as file:
        file.write("int more;\n")
    os.utime(declared.sources[18], (1, 1))  # the time of a file does not count
    changed = compile_modules([declared], distribution, compiler, cache)
    assert (changed.compiled, changed.reused) == (1, 49)
    differ = [a.name for a, b in zip(first.modules[0].objects, changed.modules[0].objects, strict=True) if a.digest != b.digest]
    assert differ == ["part17.o"]


def test_a_header_counts_and_what_was_is_found_again(
    tmp_path: Path, distribution: PythonDistribution, compiler: Compiler, cache: ContentCache
) -> None:
    declared = _declared(tmp_path, 2)
    (tmp_path / "alone.c").write_text("int alone;\n")
    declared = replace(declared, sources=(*declared.sources, tmp_path / "alone.c"))
    first = compile_modules([declared], distribution, compiler, cache)
    (tmp_path / "include/number.h").write_text("#define NUMBER 8\n")
    assert compile_modules([declared], distribution, compiler, cache).compiled == 2
    (tmp_path / "include/number.h").write_text("#define NUMBER 7\n")
    back = compile_modules([declared], distribution, compiler, cache)
    assert back.compiled == 0
    assert back.modules == first.modules


@pytest.mark.parametrize("change", [{"define": ("X=1",)}, {"flags": ("-O1",)}])
def test_flags_count(
    change: dict[str, tuple[str, ...]],
    tmp_path: Path,
    distribution: PythonDistribution,
    compiler: Compiler,
    cache: ContentCache,
) -> None:
    declared = _declared(tmp_path, 1)
    compile_modules([declared], distribution, compiler, cache)
    done = compile_modules([replace(declared, **change)], distribution, compiler, cache)  # type: ignore[arg-type]
    assert done.compiled == 1
    assert done.modules[0].key.flags == (("-DX=1",) if "define" in change else ("-O1",))
    assert done.modules[0].key.optimisation == ("-O2" if "define" in change else "-O1")


def test_objects_are_the_same_wherever_the_project_stands(
    tmp_path: Path, distribution: PythonDistribution, compiler: Compiler, cache: ContentCache
) -> None:
    digests = []
    for name in ("one", "another"):
        place = tmp_path / name
        place.mkdir()
        (place / "m.pyx").write_text("def f(x):\n    return x + 1\n")
        (place / "c.c").write_text("const char *file(void) { return __FILE__; }\n")
        declared = NativeSource("pkg.m", (place / "m.pyx", place / "c.c"), base=place)
        digests.append([one.digest for one in compile_modules([declared], distribution, compiler, cache).modules[0].objects])
    assert digests[0] == digests[1]


def test_a_change_in_what_cython_includes_counts(
    tmp_path: Path, distribution: PythonDistribution, compiler: Compiler, cache: ContentCache
) -> None:
    (tmp_path / "part.pxi").write_text("NUMBER = 1\n")
    (tmp_path / "m.pyx").write_text('include "part.pxi"\n')
    declared = NativeSource("m", (tmp_path / "m.pyx",), base=tmp_path)
    compile_modules([declared], distribution, compiler, cache)
    assert compile_modules([declared], distribution, compiler, cache).compiled == 0
    (tmp_path / "part.pxi").write_text("NUMBER = 2\n")
    assert compile_modules([declared], distribution, compiler, cache).compiled == 1


def _error(
    name: str, text: str | None, tmp_path: Path, distribution: PythonDistribution, compiler: Compiler, cache: ContentCache
) -> FrazilError:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError) as caught:
        compile_modules([NativeSource("pkg.m", (tmp_path / name,), base=tmp_path)], distribution, compiler, cache)
    assert caught.value.where == str(tmp_path / name)
    return caught.value


@pytest.mark.parametrize(
    ("name", "text", "problem", "remedy"),
    [
        ("m.c", "int f( {\n", "this source of pkg.m does not compile", ""),
        ("m.c", '#include "gone.h"\n', "this source of pkg.m does not compile",
         "Install what provides gone.h, or name its directory in include-dirs."),
        ("m.pyx", "def f(:\n", "Cython cannot translate this source of pkg.m", ""),
        ("m.c", None, "this source of pkg.m cannot be read: No such file or directory",
         "Correct the list of sources of this module."),
    ],
)  # fmt: skip
def test_what_does_not_compile_is_told(
    name: str,
    text: str | None,
    problem: str,
    remedy: str,
    tmp_path: Path,
    distribution: PythonDistribution,
    compiler: Compiler,
    cache: ContentCache,
) -> None:
    error = _error(name, text, tmp_path, distribution, compiler, cache)
    assert (error.problem, error.remedy) == (problem, remedy)
    assert (text is None) == (error.details == "")


def test_cython_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    cython.cython_version.cache_clear()
    with pytest.raises(HostError) as caught:
        cython.cython_version()
    cython.cython_version.cache_clear()
    assert caught.value.remedy == "Install it beside frazil: pip install 'frazil[cython]'"
