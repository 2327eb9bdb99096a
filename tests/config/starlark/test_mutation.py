# ruff: noqa: E501 - tables
"""Damaged sources are told as errors: nothing crashes, nothing hangs. ``--starlark-seconds`` says for how long to try."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.interpreter import Interpreter
from frazil.config.starlark.limits import Limits

if TYPE_CHECKING:
    import pytest

SOURCE: Final = '''
VERSION = "1.%d" % 2
PACKAGES = ["a", "b", ("c", 1)]
state = {"seen": [], 1: None, True: 0x1f}

def callback(policy, resource = None, *rest, flag = False, **more):
    """Docstring."""
    for index, (name, size) in enumerate([(x, len(x)) for x in ["p", "qq"] if x != "r"]):
        if size > 1 and not flag or name in state:
            state["seen"].append(name)
            continue
        elif size == 0:
            break
        else:
            state[name] = -size // 2 * 3 % 5 << 2 | 1 & ~7 ^ 4
    state["seen"] += [policy, resource]
    return sorted(state["seen"], key = lambda x: str(x)[::-1], reverse = True)

def make(n = 10):
    result = {str(i): [j * 1.5 for j in range(i)] for i in range(n)}
    result |= dict(a = 1, **{"b": 2})
    text = "{} {x!r}".format(VERSION, x = PACKAGES).upper().split(" ")
    return callback(text, *[result.get("3", None)], flag = n > 3)

print(make(4), hasattr(state, "get"), getattr("x", "join")(["y"]), max(1, 2), zip([1], (2,)))
x, [y, z] = 1, "ab".elems()
'''
TOKENS: Final = (
    "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "==", "+", "-", "*", "**", "/", "//", "%", "<", "<<", ">", "|", "&", "^", "~", "@", "!", "\\", "'",
    '"', '"""', "#", ";", "\n", "\n    ", "\t", " ", "0", "1", "999999999999999999999", "1e999", "0x", "1.5", "None", "True", "x", "lambda x: x",
    "for x in y", "if", "else", "def f():", "return", "in", "not", "is", "import", "while", "class", "yield", "await", "async", "load", "print", "range",
    "sorted", "repr", "* 99999999", "é", "\0", "\r", "\x0c", "\ufeff", "\ud800", "\U0001f600", "state", "callback", "make", "PACKAGES", "f'{x}'", "b''",
    ".append", ".format", "[::-1]", "()", "*", "...",
)  # fmt: skip


def mutated(source: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(source) + 1)
        end = min(len(source), start + chance.choice((0, 0, 1, 1, 2, 5, 20, 80)))
        kind = chance.randrange(4)
        if kind == 0:
            new = chance.choice(TOKENS)
        elif kind == 1:
            new = ""
        elif kind == 2:
            other = chance.randrange(len(source) + 1)
            new = source[other : other + chance.randrange(60)]
        else:
            new = chance.choice(TOKENS) * chance.choice((2, 3, 200, 3000))
        source = source[:start] + new + source[end:]
    return source


def test_mutations(request: pytest.FixtureRequest) -> None:
    seconds = request.config.getoption("--starlark-seconds")
    base = random.randrange(1 << 30) if seconds else 0
    end = time.monotonic() + seconds
    count = fine = 0
    while count < 400 or time.monotonic() < end:
        source = mutated(SOURCE, random.Random(base + count))
        count += 1
        try:
            Interpreter(limits=Limits(steps=20_000, allocation=1 << 24, single=1 << 22)).run_text(source)
            fine += 1
        except StarlarkError as error:
            str(error).encode("utf-8", "backslashreplace")
        except BaseException as error:
            error.add_note(f"seed {base + count - 1}:\n{source!r}")
            raise
    assert 0 < fine < count
