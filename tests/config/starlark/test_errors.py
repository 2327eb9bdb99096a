"""What users see for the commonest mistakes, whole. Write them anew with ``FRAZIL_UPDATE_GOLDEN=1`` and read the difference."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from frazil.config.starlark.errors import StarlarkError, StaticError
from frazil.config.starlark.host import Attribute, HostObject, method
from frazil.config.starlark.interpreter import Interpreter, builtin
from frazil.config.starlark.limits import Limits
from frazil.errors import DependencyError

GOLDEN = Path(__file__).parent / "golden"

MISTAKES = {
    "import": "import os\n",
    "while": "def f():\n    while True:\n        pass\n",
    "try": "def f():\n    try:\n        return 1\n    except ValueError:\n        return 2\n",
    "f_string": 'name = "app"\nfile = f"{name}.py"\n',
    "class": "class App:\n    pass\n",
    "top_level_if": "DEBUG = True\nif DEBUG:\n    print(1)\n",
    "misspelt_name": "def make_exe():\n    return default_distribution()\n\nregister_target('exe', make_exe)\n",
    "two_misspelt_names": "policy = 1\nx = polcy\ny = make_ploicy\n",
    "misspelt_attribute": "policy = Policy()\npolicy.include_tests = True\n",
    "misspelt_method": "policy = Policy()\npolicy.regster_callback(print)\n",
    "wrong_attribute_type": 'policy = Policy()\npolicy.include_test = "yes"\n',
    "unknown_choice": 'policy = Policy()\npolicy.extension_module_filter = "al"\n',
    "wrong_argument_type": 'policy = Policy()\npolicy.pip_install("requests")\n',
    "wrong_element_type": 'policy = Policy()\npolicy.pip_install(["requests", 3])\n',
    "misspelt_argument": 'register_target("exe", print, defualt = True)\n',
    "missing_argument": 'register_target("exe")\n',
    "string_and_int": 'def version():\n    return "1." + 2\n\ndef name():\n    return "app-" + version()\n\nprint(name())\n',
    "missing_key": 'VARS = {"build_dir": "x"}\nplace = VARS["buid_dir"]\n',
    "missing_colon": "def make_exe()\n    return 1\n",
    "unclosed_bracket": 'packages = ["a",\n    "b"\n\ndef f():\n    pass\n',
    "print_statement": 'print "hello"\n',
    "indentation": "def f():\n    x = 1\n      y = 2\n",
    "recursion": "def f(n):\n    return f(n - 1) if n else 0\n\nf(3)\n",
    "endless_loop": "def f():\n    for i in range(1 << 40):\n        pass\n\nf()\n",
    "huge_allocation": 'x = "a" * (1 << 40)\n',
    "deep_nesting": "x = " + "[" * 120 + "]" * 120 + "\n",
    "host_failure": "def make_exe():\n    Policy().fails()\n\nmake_exe()\n",
    "callback": "def callback(policy):\n    policy.include_tset = True\n\ndef make():\n    Policy().run(callback)\n\nmake()\n",
    "fail": 'def f(x):\n    fail("no such flavour:", x)\n\nf("static")\n',
    "call_of_a_string": 'name = "app"\nname()\n',
}  # fmt: skip


def interpreter() -> Interpreter:
    class Policy(HostObject, starlark_type="PythonPackagingPolicy"):
        include_test = Attribute("bool", False)
        extension_module_filter = Attribute("str", "all", choices=("all", "minimal", "no-libraries"))

        @method
        def register_callback(self, func: Function) -> None:  # type: ignore[name-defined] # noqa: F821 - a Starlark type
            pass

        @method
        def run(self, func: Function) -> None:  # type: ignore[name-defined] # noqa: F821 - likewise
            made.call(func, [self])

        @method
        def pip_install(self, args: list[str], extra_envs: dict[str, str] | None = None) -> None:
            pass

        @method
        def fails(self) -> None:
            raise DependencyError("pip failed", where="requests", details="ERROR: no network", remedy="Is there a network?")

    def default_python_distribution() -> None:
        pass

    def register_target(target: str, callable_: Function, default: bool = False) -> None:  # type: ignore[name-defined] # noqa: F821, FBT001, FBT002 - likewise
        pass

    made = Interpreter(
        {
            "Policy": builtin(Policy),
            "default_python_distribution": builtin(default_python_distribution),
            "register_target": builtin(register_target),
        },
        limits=Limits(steps=1_000_000),
    )
    return made


@pytest.mark.parametrize("name", MISTAKES)
def test_message(name: str) -> None:
    with pytest.raises(StarlarkError) as caught:
        interpreter().run_text(MISTAKES[name], "frazil.bzl")
    told = f"{caught.value}\n"
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("FRAZIL_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


SYNTAX = {
    "x = y = 1": "Starlark assigns one target at a time",
    "x: int = 1": "a type annotation is not Starlark",
    "def f(x: int): pass": "a type annotation is not Starlark",
    "def f() -> int: pass": "a type annotation is not Starlark",
    "def f(x, x): pass": "there are two parameters x",
    "def f(x, /): pass": "Starlark has no / among parameters",
    "@f\ndef g(): pass": "Starlark has no decorators",
    "x = (1 is 1)": "Starlark has no is",
    "x = 1 < 2 < 3": "comparisons cannot be chained",
    "x = 2 ** 3": "Starlark has no **",
    "x **= 3": "Starlark has no **=",
    "x = {1, 2}": "a set display is not Starlark",
    "x = (i for i in [])": "a generator expression is not Starlark",
    "x = {i for i in []}": "a set comprehension is not Starlark",
    "x = (y := 1)": "Starlark has no :=",
    "x = [*[1]]": "Starlark has no * in lists and tuples",
    "x = {**{}}": "Starlark has no ** in dictionaries",
    "a, *b = [1]": "Starlark has no * in assignments",
    "x = []\nx[1:] = []": "a slice cannot be assigned",
    "x = [][1:2, 3]": "an index has one slice",
    "x = b''": "Starlark has no bytes",
    "x = 1j": "Starlark has no complex numbers",
    "x = ...": "Starlark has no ...",
    "x = '\\ud800'": "this string has half of a surrogate pair, which is no character",
    "del x": "Starlark has no del",
    "global x": "Starlark has no global",
    "assert True": "Starlark has no assert",
    "raise x": "Starlark has no raise",
    "with x: pass": "Starlark has no with",
    "async def f(): pass": "Starlark has no async",
    "def f():\n    yield 1": "Starlark has no yield",
    "def f():\n    for x in []: pass\n    else: pass": "Starlark has no else of a for loop",
    "for x in []: pass": "for at the top level of a file",
    "return 1": "return outside of a function",
    "def f(): break": "break outside of a loop",
    "def f():\n    for x in []:\n        def g(): continue": "continue outside of a loop",
    "def f(): load('a', 'b')": "load inside of a function",
    "load('a')": "load takes a file and names",
    "load('a', b)": "load takes literal strings only",
    "load('a', '_b')": "_b is private to its file: its name begins with an underscore",
    "load('a', 'b c')": "'b c' is no name",
    "x = load": "load stands on a line of its own at the top level of the file",
    "f(a = 1, a = 2)": "there are two arguments a",
    "x = )": "syntax error: unmatched ')'",
    "x = '\0'": "a null byte",
}


@pytest.mark.parametrize("text", SYNTAX)
def test_what_starlark_lacks(text: str) -> None:
    ran: list[str] = []
    with pytest.raises(StarlarkError) as caught:
        Interpreter(on_print=lambda line, _: ran.append(line)).run_text(f"print('before')\n{text}")
    assert caught.value.problem == SYNTAX[text]
    assert caught.value.span.line >= 2
    assert not ran, "nothing runs before the whole file is checked"


def test_all_findings_are_told() -> None:
    with pytest.raises(StaticError) as caught:
        Interpreter().run_text("import os\nx = 2 ** 3\nclass A: pass\n")
    assert [one.span.line for one in caught.value.diagnostics] == [1, 2, 3]


def test_columns_count_characters() -> None:
    with pytest.raises(StarlarkError) as caught:
        Interpreter().run_text('x = "äöü" + unknown')
    assert str(caught.value.span) == "<text>:1:13"
    assert caught.value.details == '    x = "äöü" + unknown\n                ^^^^^^^'


def test_a_local_variable_before_it_has_a_value() -> None:
    program = textwrap.dedent("""
        def f(x):
            if x:
                y = 1
            return y
        f(0)
        """)
    with pytest.raises(StarlarkError, match="y is used before it has a value"):
        Interpreter().run_text(program)


def test_a_global_variable_before_it_has_a_value() -> None:
    with pytest.raises(StarlarkError, match="y is used before it has a value"):
        Interpreter().run_text("def f(): return y\nf()\ny = 1")
