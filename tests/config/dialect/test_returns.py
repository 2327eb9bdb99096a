"""What the text of a target's function tells of its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frazil.config.dialect import configuration
from frazil.config.dialect.returns import types

if TYPE_CHECKING:
    from front_end import Write

PROGRAM = """\
def make_dist():
    return default_python_distribution()

def helper(dist):
    def inner():
        return 1
    exe = inner()
    exe = dist.to_python_executable(name = "app")
    exe.add_python_resources(exe.pip_install(["x"]))
    return exe

def again(n):
    return again(n)

BODY

register_target("dist", make_dist)
register_target("exe", helper, depends = ["dist"])
register_target("it", make, depends = ["dist", "exe"])
"""
BODIES = {
    "a call": ("def make(d, e):\n    return FileManifest()", "FileManifest"),
    "a method": ("def make(d, e):\n    return e.to_embedded_resources()", "PythonEmbeddedResources"),
    "a variable": ("def make(d, e):\n    m = 1\n    m = glob(['x'])\n    return m", "FileManifest"),
    "a parameter": ("def make(d, e):\n    return e", "PythonExecutable"),
    "another function": ("def make(d, e):\n    return helper(d)", "PythonExecutable"),
    "a lambda": ("make = lambda d, e: d", "PythonDistribution"),
    "two types": ("def make(d, e):\n    if d:\n        return d\n    return e", "PythonDistribution or PythonExecutable"),
    "nothing": ("def make(d, e):\n    d.x()", "nothing"),
    "a plain return": ("def make(d, e):\n    return", "nothing"),
    "None": ("def make(d, e):\n    return None", "nothing"),
    "foreign": ("def make(d, e):\n    return WiXInstaller('a', 'b')", "WiXInstaller"),
    "unknown": ("def make(d, e):\n    return e.what()", None),
    "one of two unknown": ("def make(d, e):\n    if d:\n        return d\n    return d.x", None),
    "recursion": ("def make(d, e):\n    return again(1)", None),
    "a function of the host": ("make = glob", None),
}


@pytest.mark.parametrize("name", BODIES)
def test_types(write: Write, name: str) -> None:
    body, expected = BODIES[name]
    path = write({"frazil.bzl": ""}) / "frazil.bzl"
    path.write_text(PROGRAM.replace("BODY", body))
    assert types(configuration.targets(path)) == {"dist": "PythonDistribution", "exe": "PythonExecutable", "it": expected}


def test_targets_that_need_each_other(write: Write) -> None:
    path = write({"frazil.bzl": ""}) / "frazil.bzl"
    path.write_text(
        "def same(x):\n    return x\nregister_target('a', same, depends = ['b'])\nregister_target('b', same, depends = ['a'])\n"
    )
    assert types(configuration.targets(path)) == {"a": None, "b": None}
