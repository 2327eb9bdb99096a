"""Objects and functions of the host, and calls from the host."""

from __future__ import annotations

from typing import Any

import pytest

from frazil.config.starlark.errors import Fault, StarlarkError
from frazil.config.starlark.host import Attribute, HostObject, method
from frazil.config.starlark.interpreter import Interpreter, builtin


class Resource(HostObject, starlark_type="PythonModuleSource"):
    name = Attribute("str", "", read_only=True)
    add_include = Attribute("bool", True)
    add_location = Attribute("str | None")
    paths = Attribute("list[str]", ())
    level = Attribute("int", 0)

    secret = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def hidden(self) -> None:
        raise AssertionError


class Base(HostObject, starlark_type="Base"):
    kept = Attribute("object")

    @method
    def keep(self, thing: object) -> object:
        self.kept = thing
        return thing

    @method
    def data(self) -> dict[str, list[int]]:
        return {"a": [1, 2]}


class Derived(Base, starlark_type="Derived"):
    extra = Attribute("float", 0.5)


def run(program: str, **given: object) -> dict[str, Any]:
    return dict(Interpreter(given).run_text(program).variables)


def test_attributes_are_read_and_assigned() -> None:
    resource = Resource("numpy")
    variables = run("t = type(r)\nn = r.name\nr.add_include = False\nr.add_location = None\nr.level += 2", r=resource)
    assert variables == {"t": "PythonModuleSource", "n": "numpy"}
    assert (resource.add_include, resource.add_location, resource.level) == (False, None, 2)


def test_lists_of_attributes_are_copies() -> None:
    resource = Resource("a")
    variables = run('r.paths = ["x"]\nr.paths.append("y")\np = r.paths\nr.paths += ["z"]', r=resource)
    assert list(variables["p"]) == ["x"]
    assert resource.paths == ["x", "z"]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("r.name = 'x'", "PythonModuleSource.name cannot be assigned"),
        ("r.add_include = 1", "PythonModuleSource.add_include: expected bool, got int"),
        ("r.level = True", "PythonModuleSource.level: expected int, got bool"),
        ("r.add_location = 3", "PythonModuleSource.add_location: expected string or NoneType, got int"),
        ("r.paths = ['a', 1]", "PythonModuleSource.paths: expected list of string, got a list with an element of type int"),
        ("r.secret", "PythonModuleSource has no attribute secret"),
        ("r.hidden()", "PythonModuleSource has no attribute hidden"),
        ("r.__class__", "PythonModuleSource has no attribute __class__"),
        ("r.__init__('x')", "PythonModuleSource has no attribute __init__"),
        ("r.starlark_members", "PythonModuleSource has no attribute starlark_members"),
        ("r.new = 1", "PythonModuleSource has no attribute new"),
        ("''.__class__", "string has no attribute __class__"),
        ("print.receiver", "builtin_function_or_method has no attribute receiver"),
        ("'{0.__class__}'.format(r)", "{0.__class__} is no field of a format"),
        ("getattr(r, '__dict__')", "PythonModuleSource has no attribute __dict__"),
        ("''.x = 1", "attributes of a string cannot be assigned"),
    ],
)
def test_only_what_is_declared_can_be_reached(statement: str, problem: str) -> None:
    with pytest.raises(StarlarkError) as caught:
        run(statement, r=Resource("a"))
    assert caught.value.problem == problem


def test_hasattr_and_dir() -> None:
    variables = run(
        "h = [hasattr(r, n) for n in ['name', 'path', 'hidden']]\nd = dir(r)\ng = getattr(r, 'path', 1)", r=Resource("a")
    )
    assert list(variables["h"]) == [True, False, False]
    assert list(variables["d"]) == ["add_include", "add_location", "level", "name", "paths"]
    assert variables["g"] == 1


def test_members_are_inherited() -> None:
    derived = Derived()
    variables = run("d.extra = 2\nx = d.keep([1])\ny = d.data()\ny['a'].append(3)\nm = d.keep\nm(d)", d=derived)
    assert derived.extra == 2.0
    assert list(variables["x"]) == [1]
    assert list(variables["y"]["a"]) == [1, 2, 3]
    assert derived.kept is derived


def test_checks_of_attributes() -> None:
    def check(value: str) -> str:
        if not value:
            raise Fault("a prefix cannot be empty")
        return value.upper()

    class Checked(HostObject, starlark_type="Checked"):
        prefix = Attribute("str", check=check)

    checked = Checked()
    run("c.prefix = 'lib'", c=checked)
    assert checked.prefix == "LIB"
    with pytest.raises(StarlarkError, match="a prefix cannot be empty"):
        run("c.prefix = ''", c=checked)


def test_callbacks_while_the_program_runs() -> None:
    seen = []

    def resolve(callback: Function) -> list[str]:  # type: ignore[name-defined] # noqa: F821 - a Starlark type
        seen.append(interpreter.call(callback, [Resource("a"), {"k": [1]}]))
        return ["done"]

    interpreter = Interpreter({"resolve": builtin(resolve)})
    module = interpreter.run_text(
        "names = []\n"
        "def callback(resource, options):\n"
        "    names.append(resource.name)\n"
        "    resource.add_include = len(names) > 1\n"
        "    return options['k'] + [2]\n"
        "result = resolve(callback)\n"
    )
    assert list(module.variables["names"]) == ["a"]
    assert list(module.variables["result"]) == ["done"]
    assert [list(one) for one in seen] == [[1, 2]]


def test_functions_can_be_called_after_the_file_ran() -> None:
    interpreter = Interpreter()
    module = interpreter.run_text("count = []\ndef f(x, y = 2):\n    count.append(x)\n    return x + y")
    assert interpreter.call(module.variables["f"], [1]) == 3
    assert interpreter.call(module.variables["f"], [1], {"y": 5}) == 6
    assert list(module.variables["count"]) == [1, 1]


def test_wrong_arguments_of_a_call_from_outside() -> None:
    interpreter = Interpreter()
    module = interpreter.run_text("def f(): pass")
    with pytest.raises(StarlarkError, match="takes no arguments by position") as caught:
        interpreter.call(module.variables["f"], [1])
    assert str(caught.value.span) == "<text>:1:1"


def test_print_goes_to_the_host() -> None:
    printed: list[tuple[str, str]] = []
    Interpreter(on_print=lambda text, span: printed.append((text, str(span)))).run_text("print('a', [1], sep = '-')")
    assert printed == [("a-[1]", "<text>:1:1")]


def test_a_mistake_of_the_host_is_not_hidden() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run("broken()", broken=builtin(broken))
