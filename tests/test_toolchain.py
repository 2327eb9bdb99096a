"""Compilers: found, identified, run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from frazil.cache import ContentCache
from frazil.errors import HostError
from frazil.toolchain import Compiler, find_compiler


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(tmp_path / "cache")


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _hello(compiler: Compiler, directory: Path) -> str:
    source = directory / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    compiler.compile_c([source], ["-O2"], directory / "hello")
    return subprocess.run([directory / "hello"], capture_output=True, text=True, check=True).stdout


def test_found_compiler_compiles(tmp_path: Path, cache: ContentCache) -> None:
    compiler = find_compiler(cache, {"PATH": os.environ["PATH"]})
    assert compiler.target.startswith("x86_64")
    assert _hello(compiler, tmp_path) == "hello\n"


def test_identity_is_remembered(tmp_path: Path, cache: ContentCache) -> None:
    log = tmp_path / "log"
    _program(tmp_path / "bin" / "cc", f'echo "$1" >> {log}; echo x86_64-linux-gnu')
    variables = {"PATH": str(tmp_path / "bin")}
    first = find_compiler(cache, variables)
    assert find_compiler(cache, variables) == first
    assert log.read_text().split() == ["--version", "-dumpmachine"]
    _program(tmp_path / "bin" / "cc", f'echo "$1" >> {log}; echo x86_64-pc-linux-gnu')
    assert find_compiler(cache, variables).identity != first.identity


def test_compiler_named_by_the_environment(tmp_path: Path, cache: ContentCache) -> None:
    _program(tmp_path / "bin" / "mine", "echo x86_64-linux-gnu")
    compiler = find_compiler(cache, {"PATH": str(tmp_path / "bin"), "CC": "mine -m64"})
    assert compiler.command == (str(tmp_path / "bin" / "mine"), "-m64")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no-such-compiler", "names no program"),
        ("'unbalanced", "cannot be understood"),
        ("cross", "makes programs for aarch64-linux-gnu"),
        ("broken", "does not tell its version"),
    ],
)
def test_wrong_compiler_named_by_the_environment(tmp_path: Path, cache: ContentCache, value: str, message: str) -> None:
    _program(tmp_path / "bin" / "cross", "echo aarch64-linux-gnu")
    _program(tmp_path / "bin" / "broken", "echo it broke >&2; exit 1")
    with pytest.raises(HostError, match=message) as caught:
        find_compiler(cache, {"PATH": str(tmp_path / "bin"), "CC": value})
    assert value in str(caught.value.where)
    assert "CC" in caught.value.remedy


def test_relative_directories_are_no_place_for_a_compiler(
    tmp_path: Path, cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "cc", "echo x86_64-linux-gnu")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(HostError, match="no C compiler") as caught:
        find_compiler(cache, {"PATH": f".{os.pathsep}{os.pathsep}relative"})
    assert "apt install gcc" in caught.value.remedy
    assert "frazil[zig]" in caught.value.remedy


def test_errors_of_the_compiler_are_shown(tmp_path: Path, cache: ContentCache) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int main(void) { return nothing; }\n")
    with pytest.raises(HostError, match=r"could not make wrong\.c") as caught:
        find_compiler(cache).compile_c([source], [], tmp_path / "wrong")
    assert "nothing" in caught.value.details
    assert not (tmp_path / "wrong").exists()


def test_variables_that_steer_compilers_are_withheld(
    tmp_path: Path, cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "stdio.h").write_text("#error found by CPATH\n")
    monkeypatch.setenv("CPATH", str(tmp_path / "include"))
    assert _hello(find_compiler(cache, {"PATH": os.environ["PATH"]}), tmp_path) == "hello\n"


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the ziglang package is not installed")
def test_zig_without_cc(tmp_path: Path, cache: ContentCache) -> None:
    compiler = find_compiler(cache, {"PATH": str(tmp_path)})
    assert compiler.zig
    assert _hello(compiler, tmp_path) == "hello\n"
