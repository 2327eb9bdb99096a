# ruff: noqa: E501 - tables
"""Programs that ask for too much end with an error, soon and by themselves."""

from __future__ import annotations

import pytest

from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.interpreter import Interpreter
from frazil.config.starlark.limits import Limits

BOMBS = {
    "loop": "def f():\n    for i in range(1 << 50):\n        pass\nf()",
    "comprehension": "x = [0 for i in range(1 << 50) if False]",
    "repeated string": "x = 'a' * (1 << 50)",
    "repeated list": "x = [1] * (1 << 40)",
    "list of a range": "x = list(range(1 << 40))",
    "sorted range": "x = sorted(range(1 << 40))",
    "largest of a range": "x = max(range(1 << 40))",
    "any of a range": "x = any(range(0, 1 << 60, 1 << 8))",
    "arguments of a range": "def f(*a): pass\nf(*range(1 << 40))",
    "list += range": "x = []\nx += range(1 << 40)",
    "extend by a range": "x = []\nx.extend(range(1 << 40))",
    "zip": "x = zip(range(1 << 40), range(1 << 40))",
    "enumerate": "x = enumerate(range(1 << 40))",
    "reversed": "x = reversed(range(1 << 40))",
    "doubling string": "def f():\n    s = 'ab'\n    for i in range(99):\n        s += s\nf()",
    "doubling list": "def f():\n    s = [1]\n    for i in range(99):\n        s += s\nf()",
    "squaring": "def f():\n    x = 3\n    for i in range(99):\n        x = x * x\nf()",
    "shifting": "def f():\n    x = 3\n    for i in range(9999):\n        x = x << 500\nf()",
    "replace": "x = ('a' * 9999).replace('a', 'b' * 99999)",
    "replace of nothing": "x = ('a' * 99999).replace('', 'b' * 99999)",
    "join": "x = ('a' * 99999).join(['b'] * 99999)",
    "format": "def f():\n    s = 'ab'\n    for i in range(99):\n        s = '{0}{0}'.format(s)\nf()",
    "percent": "def f():\n    s = 'ab'\n    for i in range(99):\n        s = '%s%s' % (s, s)\nf()",
    "repr of shared lists": "def f():\n    s = [1]\n    for i in range(99):\n        s = [s, s]\n    return s\nx = repr(f())",
    "equality of shared lists": "def f():\n    s = [1]\n    for i in range(99):\n        s = [s, s]\n    return s\nx = f() == f()",
    "hash of shared tuples": "def f():\n    s = (1,)\n    for i in range(90):\n        s = (s, s)\n    return s\nx = {f(): 1}",
    "many searches": "x = [0] * 100000\ny = [i in x for i in range(1, 1000000)]",
    "many small lists": "x = [[0] * 1000 for i in range(1 << 30)]",
    "deep list": "def f():\n    s = []\n    for i in range(100000):\n        s = [s]\n    return s\nx = repr(f())",
    "deep comparison": "def f():\n    s = []\n    for i in range(100000):\n        s = [s]\n    return s\nx = f() == f()",
    "deep tuple as key": "def f():\n    s = ()\n    for i in range(100000): s = (s,)\n    return s\nx = {f(): 1}",
    "brackets": "x = " + "[" * 5000 + "]" * 5000,
    "operators": "x = " + "-" * 5000 + "1",
    "attributes": "x = ''" + ".a" * 5000,
    "long sum": "x = " + "+".join(["1"] * 50000),
    "calls": "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(500)) + "def f500(): pass\nf0()",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str) -> None:
    limits = Limits(steps=300_000, allocation=64 << 20, single=16 << 20)
    with pytest.raises(StarlarkError) as caught:
        Interpreter(limits=limits).run_text(BOMBS[name])
    assert caught.value.problem
    assert len(str(caught.value)) < 20_000


def test_a_deep_value_is_freed() -> None:
    Interpreter().run_text("def f():\n    s = []\n    for i in range(100000):\n        s = [s]\nf()")


def test_deep_calls_below_the_limit() -> None:
    program = "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(60)) + "def f60(): return 7\nx = f0()"
    assert Interpreter().run_text(program).variables["x"] == 7


def test_big_numbers_are_shown() -> None:
    assert len(Interpreter().run_text("x = str((1 << 500) * (1 << 500) * (1 << 500))").variables["x"]) == 452
