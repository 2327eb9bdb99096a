"""Damaged sources are told as errors: nothing crashes, nothing hangs. ``--starlark-seconds`` says for how long to try."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.interpreter import Interpreter
from frazil.config.starlark.limits import Limits
from mutation import mutated

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
