# ruff: noqa: E501 - tables
"""Targets of configurations: what is registered, what runs, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frazil.config.dialect import configuration
from frazil.config.starlark.errors import StarlarkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from front_end import Write

PROGRAM = """\
def make_dist():
    print("dist")
    return ["dist"]

def make_exe(dist):
    print("exe")
    return dist + ["exe"]

def make_both(exe, dist):
    print("both")
    return (exe, dist)

register_target("dist", make_dist)
register_target("exe", make_exe, depends = ["dist"])
register_target(target = "both", callable = make_both, depends = ["exe", "dist"])
resolve_targets()
"""


def run(write: Write, program: str, wanted: Sequence[str] | None = ()) -> tuple[list[str], dict[str, object]]:
    printed: list[str] = []
    path = write({"frazil.bzl": program}) / "frazil.bzl"
    found = configuration.targets(path, wanted=wanted, on_print=lambda text, _: printed.append(text))
    return printed, found.results


def test_looking_runs_no_target(write: Write) -> None:
    path = write({"frazil.bzl": PROGRAM}) / "frazil.bzl"
    found = configuration.targets(path)
    assert [(one.name, one.depends) for one in found.registered] == [
        ("dist", ()),
        ("exe", ("dist",)),
        ("both", ("exe", "dist")),
    ]
    assert found.registered[1].place == f"{path}:14:1"
    assert (found.default, found.build_script_default, found.results) == ("dist", "dist", {})


def test_the_first_target_is_the_default(write: Write) -> None:
    printed, results = run(write, PROGRAM)
    assert printed == ["dist"]
    assert list(results) == ["dist"]


def test_what_a_target_needs_runs_first_and_once(write: Write) -> None:
    printed, results = run(write, PROGRAM, ["both", "dist"])
    assert printed == ["dist", "exe", "both"]
    assert list(results) == ["dist", "exe", "both"]


def test_defaults(write: Write) -> None:
    program = """\
def f():
    return 1
register_target("a", f)
register_target("b", f, default = True, default_build_script = True)
register_target("c", f, default = True)
register_target("d", f)
"""
    found = configuration.targets(write({"frazil.bzl": program}) / "frazil.bzl")
    assert (found.default, found.build_script_default) == ("c", "b")


def test_resolve_target_gives_the_value(write: Write) -> None:
    program = """\
def a():
    print("a")
    return [1]
def b():
    return resolve_target("a") + resolve_target("a")
register_target("a", a)
register_target("b", b, default = True)
resolve_targets()
print(resolve_target("b"))
"""
    printed, _ = run(write, program)
    assert printed == ["a", "[1, 1]"]


def test_a_later_registration_replaces_an_earlier_one(write: Write) -> None:
    program = (
        'def f():\n    return 1\ndef g():\n    return 2\nregister_target("a", f)\nregister_target("a", g)\nresolve_targets()\n'
    )
    assert run(write, program)[1] == {"a": 2}


def test_callbacks_change_globals(write: Write) -> None:
    program = """\
seen = []
state = {}
def f():
    seen.append("f")
    state["n"] = len(seen)
register_target("f", f)
resolve_targets()
print(seen, state)
"""
    assert run(write, program)[0] == ['["f"] {"n": 1}']


def test_both_spellings(write: Write) -> None:
    program = """\
def f():
    return 1
register_target(name = "a", fn = f)
register_target("b", fn = f, default = True)
register_target(target = "c", callable = f)
resolve_target("a")
resolve_target(target = "c")
"""
    assert run(write, program)[1] == {"a": 1, "c": 1, "b": 1}


FAILURES = {
    "two spellings": ('register_target("x", target = "y", callable = f)', "register_target() gets target twice", ""),
    "two names": ('register_target(name = "x", target = "y", callable = f)', "register_target() gets target twice", "name is another name for it."),
    "misspelt argument": ('register_target("x", fnn = f)', "register_target() has no parameter fnn", ""),
    "unknown": ('resolve_target("distt")', "there is no target distt", "Did you mean dist?"),
    "unknown dependency": ('register_target("x", f, depends = ["y"])\nresolve_target("x")', "there is no target y, which x depends on", "Registered: dist, x."),
    "cycle": (
        'register_target("a", g, depends = ["b"])\nregister_target("b", g, depends = ["a"])\nresolve_target("a")',
        "targets depend on each other: a needs b needs a", ""),
    "cycle through resolve_target": (
        'def h():\n    return resolve_target("h")\nregister_target("h", h)\nresolve_target("h")',
        "targets depend on each other: h needs h", ""),
    "no function": ('register_target("x", "f")', "callable of register_target(): expected function, got string", ""),
    "depends is a string": ('register_target("x", f, depends = "y")', "depends of register_target(): expected list of string or NoneType, got string", ""),
    "name": ('register_target("a/b", f)', "'a/b' cannot be the name of a target", "It becomes a directory's name."),
    "misspelt": ('register_traget("x", f)', "register_traget is not defined", "Did you mean register_target?"),
    "function needs more": ('register_target("x", g)\nresolve_target("x")', "g() needs y, which is not given", ""),
    "wheels": ("PythonWheelBuilder('a', '1')", "PythonWheelBuilder is for wheels, which frazil does not make",
               "Build another target; frazil targets lists them."),
    "foreign": ("WiXMSIBuilder('a', 'b', arch = 'x64')", "WiXMSIBuilder is for Windows installers, which frazil does not make",
                "Build another target; frazil targets lists them."),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failure(write: Write, name: str) -> None:
    program, problem, remedy = FAILURES[name]
    with pytest.raises(StarlarkError) as caught:
        run(write, f'def f():\n    return 1\ndef g(y):\n    return y\nregister_target("dist", f)\n{program}\n')
    assert (caught.value.problem, caught.value.remedy, caught.value.exit_code) == (problem, remedy, 1)


def test_no_targets(write: Write) -> None:
    with pytest.raises(StarlarkError, match="no target is registered"):
        run(write, "resolve_targets()")


def test_globals(write: Write) -> None:
    path = (
        write({"sub/app.bzl": 'print(CWD)\nprint(CONFIG_PATH)\nprint(VARS.get("K"), BUILD_TARGET_TRIPLE, CONTEXT)\n'})
        / "sub/app.bzl"
    )
    printed: list[str] = []
    configuration.targets(path, variables={"K": "V"}, on_print=lambda text, _: printed.append(text))
    assert printed == [str(path.parent), str(path), "V x86_64-unknown-linux-gnu <PyOxidizerContext>"]
