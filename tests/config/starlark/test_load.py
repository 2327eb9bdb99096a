# ruff: noqa: E501 - tables
"""Files that load others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.interpreter import Interpreter
from frazil.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from front_end import Write


def test_names_of_another_file(write: Write) -> None:
    base = write(
        {
            "frazil.bzl": 'load("tools/lib.bzl", "double", three = "THREE")\nload("//tools/lib.bzl", "double")\nx = double(three)\n',
            "tools/lib.bzl": 'load("more.bzl", "TWO")\nTHREE = 3\ndef double(x):\n    return x * TWO\n',
            "tools/more.bzl": "TWO = 2\n",
        }
    )
    module = Interpreter().run_file(base / "frazil.bzl")
    assert module.variables["x"] == 6
    assert Interpreter().check_file(base / "frazil.bzl") == []


def test_a_file_runs_once(write: Write) -> None:
    base = write(
        {
            "a.bzl": 'load("b.bzl", "x")\nload("c.bzl", "y")\n',
            "b.bzl": 'load("c.bzl", "y")\nx = y\n',
            "c.bzl": "print('c')\ny = 1\n",
        }
    )
    printed: list[str] = []
    Interpreter(on_print=lambda text, _: printed.append(text)).run_file(base / "a.bzl")
    assert printed == ["c"]


@pytest.mark.parametrize(
    "change", ["default()", "counter()", "x.append(1)", "d['k'].append(1)", "d['k'] = 1", "add()", "x += [1]"]
)
def test_what_was_loaded_is_frozen(write: Write, change: str) -> None:
    base = write(
        {
            "a.bzl": f'load("b.bzl", "x", "d", "add", "default", "counter")\n{change}\n',
            "b.bzl": "x = []\nd = {'k': [1]}\ndef add():\n    x.append(1)\nadd()\n"
            "def default(y = []):\n    y.append(1)\ndef make():\n    c = []\n    return lambda: c.append(1)\ncounter = make()\ncounter()\n",
        }
    )
    with pytest.raises(StarlarkError, match="is frozen: it comes from a loaded file"):
        Interpreter().run_file(base / "a.bzl")


FAILURES = {
    "missing": ({"a.bzl": 'load("b.bzl", "x")\n'}, "b.bzl: cannot be read: No such file or directory", "a.bzl:1:1"),
    "no name": ({"a.bzl": 'load("b.bzl", "versoin")\n', "b.bzl": "version = 1\n"}, "b.bzl has no versoin", "a.bzl:1:15"),
    "absolute": ({"a.bzl": 'load("/etc/passwd", "x")\n'}, "load finds files relative to this one; '/etc/passwd' is not", "a.bzl:1:1"),
    "repository": ({"a.bzl": 'load("@x//b.bzl", "x")\n'}, "load finds files relative to this one", "a.bzl:1:1"),
    "syntax": ({"a.bzl": 'load("b.bzl", "x")\n', "b.bzl": "x = 1\nimport x\n"}, "Starlark has no import", "b.bzl:2:1"),
    "name": ({"a.bzl": 'load("b.bzl", "x")\n', "b.bzl": "x = y\n"}, "y is not defined", "b.bzl:1:5"),
    "run": ({"a.bzl": 'load("b.bzl", "x")\n', "b.bzl": "x = 1 // 0\n"}, "division by zero", "b.bzl:1:5"),
    "cycle": ({"a.bzl": 'load("b.bzl", "x")\n', "b.bzl": 'load("b.bzl", "x")\nx = 1\n'}, "files load each other: b.bzl loads b.bzl", "b.bzl:1:1"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failure(write: Write, name: str) -> None:
    files, problem, place = FAILURES[name]
    base = write(dict(files))
    with pytest.raises(StarlarkError) as caught:
        Interpreter().run_file(base / "a.bzl")
    assert problem in caught.value.problem
    assert str(caught.value.where).endswith(place)


def test_the_traceback_names_the_load(write: Write) -> None:
    base = write({"a.bzl": '\nload("b.bzl", "x")\n', "b.bzl": "def f():\n    return 1 // 0\nx = f()\n"})
    with pytest.raises(StarlarkError) as caught:
        Interpreter().run_file(base / "a.bzl")
    assert [(name, place.line) for name, place in caught.value.trace] == [("<toplevel>", 2), ("<toplevel>", 3), ("f", 2)]


def test_check_runs_nothing_and_finds_all(write: Write) -> None:
    base = write(
        {
            "a.bzl": 'load("b.bzl", "x", "z")\nload("none.bzl", "y")\nfail("ran")\nw = unknown\n',
            "b.bzl": "x = 1\nfail('ran')\n",
        }
    )
    found = [(one.span.line, one.problem) for one in Interpreter().check_file(base / "a.bzl")]
    assert sorted(found) == [
        (1, "b.bzl has no z"),
        (2, f"{base / 'none.bzl'}: cannot be read: No such file or directory"),
        (4, "unknown is not defined"),
    ]


@pytest.mark.parametrize(
    ("data", "problem"), [(b"x = '\xff'\n", "byte 0xff is not valid in UTF-8"), (b"#" * (5 << 20), "larger")]
)
def test_files_that_are_no_configuration(write: Write, data: bytes, problem: str) -> None:
    base = write({"a.bzl": data})
    with pytest.raises(SourceError, match=problem):
        Interpreter().run_file(base / "a.bzl")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        Interpreter().run_file(tmp_path)
