"""What Starlark programs mean: each line is an expression and what ``repr`` of it is."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import pytest

from frazil.config.starlark.errors import StarlarkError, StaticError
from frazil.config.starlark.interpreter import Interpreter
from frazil.config.starlark.limits import Limits, Meter
from frazil.config.starlark.text import represent

EXPRESSIONS = r"""
1 + 2 * 3 => 7
-7 // 2, -7 % 2, 7 // -2, 7 % -2 => (-4, 1, -4, -1)
7 / 2, 1.0, 1e100, 3 * 1.5 => (3.5, 1.0, 1e+100, 4.5)
0x1f | 0b10000, 6 & 3, 5 ^ 1, ~5, 1 << 4, -9 >> 1 => (31, 2, 4, -6, 16, -5)
1 == 1.0, True == 1, "a" == None, [1] == (1,) => (True, False, False, False)
[1, 2] < [1, 3], (1,) < (1, 0), "a" < "b", 2 > 1.5 => (True, True, True, True)
not [], not "a", not 0.0, not None, not {} => (True, False, True, True, True)
None or "x", 0 and 1, 1 and 2 or 3 => ("x", 0, 2)
"yes" if [] else "no" => "no"
"ab" + "c", [1] + [2], (1,) + (2,), "ab" * 2 => ("abc", [1, 2], (1, 2), "abab")
3 * [0], -1 * "x", (1, 2) * 2, [] * 9999999999999 => ([0, 0, 0], "", (1, 2, 1, 2), [])
{"b": 1, "a": 2} => {"b": 1, "a": 2}
{"a": 1, "a": 2} => {"a": 2}
{1: "int", True: "bool"}, {1: "a", 1.0: "b"} => ({1: "int", True: "bool"}, {1: "b"})
{"a": 1} | {"b": 2, "a": 3} => {"a": 3, "b": 2}
"b" in "abc", 1 in [1.0], True in [1], "a" in {"a": 1}, 3 in range(5), 1 not in () => (True, True, False, True, True, True)
"abcdef"[1], "abcdef"[-1], "abcdef"[1:4], "abcdef"[::-2], (1, 2, 3)[1:], [1, 2, 3][:-1] => ("b", "f", "bcd", "fdb", (2, 3), [1, 2])
range(5), range(1, 10, 3), range(10)[2:8:2] => (range(5), range(1, 10, 3), range(2, 8, 2))
[x * y for x in range(3) for y in (1, 2) if x] => [1, 2, 2, 4]
{k: len(k) for k in ["a", "bb"]} => {"a": 1, "bb": 2}
[(a, b) for a, (b, _) in [(1, (2, 3))]] => [(1, 2)]
(lambda x, y = 2, *z, k = 4, **n: [x, y, z, k, n])(1, 3, 5, m = 6) => [1, 3, (5,), 4, {"m": 6}]
str("a"), repr("a"), str(["a"]), str(None), repr('"\n\\\x01é') => ("a", "\"a\"", "[\"a\"]", "None", "\"\\\"\\n\\\\\\x01é\"")
type(1), type(""), type(()), type({}), type(len), type(lambda: 1), type(None), type(range(1)), type(1.5) => ("int", "string", "tuple", "dict", "builtin_function_or_method", "function", "NoneType", "range", "float")
"%s %r %d %x %o %c%%" % ("a", "a", 10, 255, 8, "c") => "a \"a\" 10 ff 10 c%"
"%s" % (["a"],), "%s" % ["a"], "%d" % 3.9, "%f" % 1 => ("[\"a\"]", "[\"a\"]", "3", "1.000000")
"%(a)s-%(b)r" % {"a": "x", "b": "y"} => "x-\"y\""
"{} {}".format(1, "a"), "{1}{0}".format(1, 2), "{x!r}{{}}".format(x = "q") => ("1 a", "21", "\"q\"{}")
"a,b,,c".split(","), " a  b ".split(), "a,b,c".split(",", 1), "a,b,c".rsplit(",", 1) => (["a", "b", "", "c"], ["a", "b"], ["a", "b,c"], ["a,b", "c"])
"a-b-c".partition("-"), "a-b-c".rpartition("-"), "abc".partition("x") => (("a", "-", "b-c"), ("a-b", "-", "c"), ("abc", "", ""))
"-".join(["a", "b"]), "banana".replace("a", "o", 2), "banana".count("an"), "banana".find("x"), "banana".rfind("an") => ("a-b", "bonona", 2, -1, 3)
"a\nb\r\nc\x0bd".splitlines(), "a\nb\n".splitlines(True) => (["a", "b", "c\x0bd"], ["a\n", "b\n"])
"Abc".startswith(("x", "A")), "abc".endswith("bc", 2), "abc".startswith("b", 1) => (True, False, True)
"abc".upper(), "aBC".capitalize(), "a bc".title(), "xxaxx".strip("x"), "xxaxx".lstrip("x"), " a ".rstrip() => ("ABC", "Abc", "A Bc", "a", "axx", " a")
"foo.py".removesuffix(".py"), "foo.py".removeprefix("fo"), "1a".isalnum(), "".isdigit(), " ".isspace() => ("foo", "o.py", True, False, True)
"añ".elems(), "ab".codepoint_ords(), "ab".split_codepoints() => (["a", "ñ"], [97, 98], ["a", "b"])
len("añ"), ord("a"), chr(241), hash("hello"), abs(-3) => (2, 97, "ñ", 99162322, 3)
int("12"), int("0x1f", 16), int("-z", 36), int("0b11", 0), int(3.9), int(True), float("1e3"), bool("") => (12, 31, -35, 3, 3, 1, 1000.0, False)
sorted([3, 1, 2], reverse = True), sorted(["bb", "a"], key = len), reversed([1, 2]), list((1, 2)), tuple([1]) => ([3, 2, 1], ["a", "bb"], [2, 1], [1, 2], (1,))
enumerate(["a", "b"], 1), zip([1, 2], "ab".elems(), [3]), any([0, 1]), all([]), min(3, 1), max(["a", "ccc", "bb"], key = len) => ([(1, "a"), (2, "b")], [(1, "a", 3)], True, True, 1, "ccc")
dict([("a", 1)], b = 2), dict({"x": 1}), {"a": 1}.get("b", 7), {"a": 1}.items(), {"a": 1}.keys() => ({"a": 1, "b": 2}, {"x": 1}, 7, [("a", 1)], ["a"])
hasattr("", "join"), hasattr([], "join"), getattr("a", "upper")(), getattr([], "no", 5), "append" in dir([]) => (True, False, "A", 5, True)
"\w", 'a' "b", r"\n" => ("\\w", "ab", "\\n")
"""

PROGRAMS = {
    "closures see later changes": ("def f():\n    x = [1]\n    def g(): return x + [2]\n    x = [3]\n    return g()\nresult = f()", "[3, 2]"),
    "defaults are made once": ("def f(x = []):\n    x.append(1)\n    return x\nf()\nresult = f()", "[1, 1]"),
    "+= changes lists in place": ("a = [1]\nb = a\na += (2,)\nresult = b", "[1, 2]"),
    "|= changes dictionaries in place": ("a = {}\nb = a\na |= {'x': 1}\nresult = b", '{"x": 1}'),
    "targets of += are evaluated once": (
        "seen = []\ndef f():\n    seen.append(1)\n    return 0\na = [1]\na[f()] += 5\nresult = (a, seen)", "([6], [1])"),
    "nested targets": ("(a, [b, c]) = (1, (2, 3))\nresult = (a, b, c)", "(1, 2, 3)"),
    "break and continue": (
        "def f():\n    r = []\n    for i in range(9):\n        if i % 2: continue\n        if i > 5: break\n        r.append(i)\n    return r\nresult = f()",
        "[0, 2, 4]"),
    "return out of loops": ("def f():\n    for i in [1, 2]:\n        for j in [3]:\n            return (i, j)\nresult = f()", "(1, 3)"),
    "comprehensions have scopes of their own": ("x = 1\ny = [x for x in [5]]\nresult = (x, y)", "(1, [5])"),
    "comprehension inside comprehension": ("result = [[y for y in range(x)] for x in range(3)]", "[[], [0], [0, 1]]"),
    "functions change globals' contents": ("s = {}\ndef f(k): s[k] = len(s)\nf('a')\nf('b')\nresult = s", '{"a": 0, "b": 1}'),
    "globals may be assigned again": ("x = 1\nx = x + 1\nresult = x", "2"),
    "given names may be redefined": ("def len(x): return 42\nresult = len([])", "42"),
    "a list inside itself is shown": ("x = [1]\nx.append(x)\nresult = str(x)", '"[1, [...]]"'),
    "list methods": ("x = [3, 1]\nx.insert(-100, 0)\nx.extend([5])\nx.remove(3)\ny = x.pop(0)\nresult = (x, y, x.index(5))", "([1, 5], 0, 1)"),
    "dictionary methods": (
        "d = {'a': 1}\nd.update([('b', 2)], c = 3)\np = d.pop('a')\nq = d.popitem()\nr = d.setdefault('z', [])\nresult = (d, p, q, r)",
        '({"c": 3, "z": []}, 1, ("b", 2), [])'),
    "long elif chains": ("def f(x):\n    if x == 0: return 0\n" + "".join(f"    elif x == {n}: return {n}\n" for n in range(1, 400)) + "result = f(399)", "399"),
    "long sums": ("result = " + " + ".join(["1"] * 900), "900"),
    "starred arguments": ("def f(*a, **k): return (a, k)\nresult = f(1, *[2], **{'x': 3})", '((1, 2), {"x": 3})'),
    "keyword-only parameters": ("def f(a, *, b): return (a, b)\nresult = f(1, b = 2)", "(1, 2)"),
    "windows line ends and a byte order mark": ("\ufeffx = 1\r\nresult = x\r\n", "1"),
}  # fmt: skip

FAILURES = r"""
1 + "a" => int + string is not supported
"a" + 1 => string + int is not supported
True + 1 => bool + int is not supported
[1] + (2,) => list + tuple is not supported
1 < "a" => int and string have no order
None < None => NoneType and NoneType have no order
{} < {} => dict and dict have no order
1 // 0 => division by zero
1 % 0 => division by zero
[1][1] => index 1 is out of range: the list has 1 elements
{"alpha": 1}["alhpa"] => the dictionary has no key "alhpa"
{[]: 1} => a list cannot be a key: it is not hashable
{(1, [2]): 1} => a list cannot be a key: it is not hashable
[x for x in "abc"] => cannot iterate over a value of type string
[x for x in 5] => cannot iterate over a value of type int
1 in "a" => a string contains strings only, not an int
"%d" % "x" => %d needs an int, not a string
"%s %s" % "x" => not enough arguments for this format: it needs more than 1
"%s" % (1, 2) => too many arguments for this format: it uses 1 of 2
"%y" % 1 => %y is no format
"{}".format() => this format has a field 0, but there are 0 arguments
"{a.b}".format(a = 1) => {a.b} is no field of a format
"}".format() => a single } in a format
"a".foo => string has no attribute foo
[1].apend(2) => list has no attribute apend
len(5) => an int has no length
len() => len() needs x, which is not given
len(1, 2) => len() takes 1 argument, but 2 are given
sorted([1], revers = True) => sorted() has no parameter revers
sorted([1], reverse = 1) => reverse of sorted(): expected bool, got int
sorted([1, "a"]) => string and int have no order
int("1_0") => "1_0" is no integer of base 10
int("x", 99) => 99 is no base: it must be 0 or from 2 to 36
",".join([1]) => join() joins strings; element 0 is an int
"a".split("") => the separator is empty
range(1, 2, 0) => the step of range() cannot be 0
[][::0] => the step of a slice cannot be 0
min([]) => min() of nothing
5() => an int cannot be called
(lambda x: x)() => lambda() needs x, which is not given
(lambda: 1)(1) => lambda() takes no arguments by position, but 1 are given
(lambda a: 1)(1, a = 2) => lambda() gets a twice
(lambda a: 1)(b = 2) => lambda() has no parameter b
(lambda **k: 1)(a = 1, **{"a": 2}) => the argument a is given twice
fail("no", 1, sep = "-") => no-1
chr(-1) => -1 is no code point
"abc".index("x") => the substring is not there
1 << -1 => cannot shift by -1
-"a" => -string is not supported
"""


def evaluate(program: str) -> str:
    interpreter = Interpreter()
    return represent(Meter(Limits()), interpreter.run_text(program).variables["result"])


def rows(table: str) -> list[tuple[str, str]]:
    return [(left, right) for left, _, right in (line.partition(" => ") for line in table.strip().splitlines())]


@pytest.mark.parametrize(("expression", "expected"), rows(EXPRESSIONS))
def test_expression(expression: str, expected: str) -> None:
    assert evaluate(f"result = ({expression})") == expected


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    program, expected = PROGRAMS[name]
    assert evaluate(program) == expected


@pytest.mark.parametrize(("expression", "problem"), rows(FAILURES))
def test_failure(expression: str, problem: str) -> None:
    with pytest.raises(StarlarkError) as caught:
        Interpreter().run_text(f"x = {expression}")
    assert caught.value.problem == problem
    assert not isinstance(caught.value, StaticError)
    assert caught.value.span.line == 1


@pytest.mark.parametrize("change", ["x.append(1)", "x.clear()", "x.pop()", "x += [1]", "x[0] = 1", "x.insert(0, 1)"])
def test_a_list_does_not_change_while_it_is_iterated_over(change: str) -> None:
    program = f"x = [1, 2]\ndef f():\n    for y in x:\n        {change.replace('x +=', 'z = x; z +=')}\nf()"
    with pytest.raises(StarlarkError, match="cannot change a list while it is iterated over"):
        Interpreter().run_text(program)


def test_a_list_may_change_after_iteration() -> None:
    program = (
        "x = [1, 2]\ndef f():\n    for y in x:\n        return y\nf()\nx.append(3)\nz = [0 for y in x]\nx.append(4)\nresult = x"
    )
    assert evaluate(program) == "[1, 2, 3, 4]"


def test_a_dictionary_does_not_change_while_it_is_iterated_over() -> None:
    with pytest.raises(StarlarkError, match="cannot change a dict while it is iterated over"):
        Interpreter().run_text("d = {1: 2}\nx = [d.pop(k) for k in d]")


RECURSIVE = {
    "directly": "def f(n): return f(n - 1)\nf(3)",
    "through another": "def f(): return g()\ndef g(): return f()\nf()",
    "through lambda": "y = (lambda f: f(f))\ny(y)",
    "through sorted": "def f(x): return sorted([1, 2], key = f)\nf(1)",
}


@pytest.mark.parametrize("how", RECURSIVE)
def test_recursion_is_refused(how: str) -> None:
    with pytest.raises(StarlarkError, match="has no recursion"):
        Interpreter().run_text(RECURSIVE[how])


def test_a_function_may_be_called_again_after_it_failed() -> None:
    interpreter = Interpreter()
    module = interpreter.run_text("def f(x): return 1 // x")
    with pytest.raises(StarlarkError):
        interpreter.call(module.variables["f"], [0])
    assert interpreter.call(module.variables["f"], [1]) == 1
