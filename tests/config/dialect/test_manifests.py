# ruff: noqa: E501 - tables
"""``manifest()``: what a MicroPython manifest lists, inside an executable of a configuration."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from frazil.cache import default_cache
from frazil.config.dialect import configuration
from frazil.config.dialect.session import Surroundings
from frazil.config.starlark.errors import StarlarkError

if TYPE_CHECKING:
    from pathlib import Path

    from front_end import Write

PROGRAM = """\
def make():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.run_module = "app"
    exe = dist.to_python_executable(name = "app", config = config)
    exe.add_python_resources(manifest("manifest.py", features = ["a", {"b": (1, None)}], debug = True))
    return exe

register_target("exe", make)
resolve_targets()
"""
FILES = {
    "manifest.py": """\
        options.defaults(debug=False, other=2)
        assert (options.debug, options.features, options.other) == (True, ["a", {"b": (1, None)}], 2)
        module("app.py")
        freeze_as_str("$(WHERE)")
        freeze("opt2", opt=2)
        """,
    "app.py": """\
        import os, text, quick
        print(text.__doc__, quick.f.__doc__, __debug__, quick.CHECKED)
        print(os.path.exists(text.__cached__), os.path.exists(quick.__cached__))
        """,
    "strings/text.py": '"doc"\n',
    "opt2/quick.py": 'CHECKED = __debug__\ndef f():\n    "doc"\n',
}


def test_an_executable(write: Write) -> None:
    directory = write({"frazil.bzl": PROGRAM, **FILES})
    command = [sys.executable, "-m", "frazil", "run", "--var", "WHERE=strings"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.stdout == "doc None True False\nFalse True\n", done.stderr


def run(directory: Path, program: str) -> tuple[list[str], list[str]]:
    """What a program prints, and its notes."""
    printed: list[str] = []
    notes: list[str] = []
    (directory / "frazil.bzl").write_text(program)
    surroundings = Surroundings(default_cache(), note=notes.append)
    configuration.run(directory / "frazil.bzl", surroundings, on_print=lambda text, _: printed.append(text))
    return printed, notes


def test_resources(write: Write) -> None:
    directory = write(
        {"manifest.py": 'module("a.py", opt=1)\npackage("p")\n', "a.py": "", "p/__init__.py": "", "p/b.py": "X = 1"}
    )
    printed, notes = run(
        directory,
        'for_each = [print(type(one), one.name, one.is_package, one.add_bytecode_optimization_level_one) for one in manifest("manifest.py")]\n'
        'print(manifest("manifest.py")[2].source)',
    )
    assert printed == [
        "PythonModuleSource a False True",
        "PythonModuleSource p True False",
        "PythonModuleSource p.b False False",
        "X = 1",
    ]
    assert notes == []


def test_what_is_for_firmware_is_left_out(write: Write) -> None:
    directory = write({"manifest.py": 'module("a.py")\nc_module("c")\n', "a.py": "", "c/micropython.mk": ""})
    printed, notes = run(directory, 'print(len(manifest("manifest.py")))')
    assert printed == ["1"]
    assert len(notes) == 1
    assert "is left out: modules in C are for the firmware's own build" in notes[0]


FAILURES = {
    "missing": ('manifest("none.py")', "none.py"),
    "wrong inside": ('manifest("bad.py")', "bad.py:1"),
    "compiled for MicroPython": ('manifest("mpy.py")', "this is bytecode of MicroPython, which CPython cannot run"),
    "an option that is a function": ('manifest("manifest.py", x = print)', "option x of manifest(): a builtin_function_or_method means nothing"),
    "no path": ("manifest(x = 1)", "manifest() needs path, which is not given"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failure(write: Write, name: str) -> None:
    call, problem = FAILURES[name]
    directory = write(
        {"manifest.py": "", "bad.py": "module('none.py')\n", "mpy.py": "freeze('m', 'x.mpy')\n", "m/x.mpy": b"M\x06\x00\x1f"}
    )
    with pytest.raises(StarlarkError) as caught:
        run(directory, f"x = {call}\n")
    assert problem in str(caught.value)
    assert caught.value.span.line == 1
