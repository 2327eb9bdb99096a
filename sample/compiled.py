"""Make.py compiles this; only the bytecode goes in."""

import textwrap


def wrapped(text: str, width: int) -> str:
    return " / ".join(textwrap.wrap(text, width))
