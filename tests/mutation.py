# ruff: noqa: E501 - tables
"""Damages Starlark sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

TOKENS: Final = (
    "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "==", "+", "-", "*", "**", "/", "//", "%", "<", "<<", ">", "|", "&", "^", "~", "@", "!", "\\", "'",
    '"', '"""', "#", ";", "\n", "\n    ", "\t", " ", "0", "1", "999999999999999999999", "1e999", "0x", "1.5", "None", "True", "x", "lambda x: x",
    "for x in y", "if", "else", "def f():", "return", "in", "not", "is", "import", "while", "class", "yield", "await", "async", "load", "print", "range",
    "sorted", "repr", "* 99999999", "é", "\0", "\r", "\x0c", "\ufeff", "\ud800", "\U0001f600", "state", "callback", "make", "PACKAGES", "f'{x}'", "b''",
    ".append", ".format", "[::-1]", "()", "*", "...",
)  # fmt: skip


def mutated(source: str, chance: random.Random) -> str:
    """The source with one to six pieces replaced."""
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
