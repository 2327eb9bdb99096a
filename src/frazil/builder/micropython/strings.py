r"""The string part of ``frozen_content.c``: source that the firmware compiles on import. Pure; this file does no I/O.

The firmware reads three things (``py/frozenmod.c``): the macro ``MP_FROZEN_STR_NAMES``, names that each end in a zero byte,
which stand first in its table of names; ``mp_frozen_str_sizes``, which a zero ends; and ``mp_frozen_str_content``, where each
file has a zero byte behind it. Since a zero ends the sizes, a file without a byte in it would cut off all that follow: an empty
one is written as one line end, which is the same program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PLAIN: Final = frozenset(range(32, 127)) - frozenset(b'"\\?')
_NAMED: Final = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 92: "\\\\", 63: "\\?"}
_ESCAPES: Final = [_NAMED.get(code) or (chr(code) if code in _PLAIN else f"\\{code:03o}") for code in range(256)]
"""Each byte in a C string: octal, since three digits always end it; ``?`` escaped, lest two make a trigraph."""

_GUARD: Final = """\
#include "py/mpconfig.h"
#if !MICROPY_MODULE_FROZEN_STR
#error "the manifest freezes strings: build with MICROPY_MODULE_FROZEN_STR=1"
#endif
"""
_WIDTH: Final = 1000
"""Bytes of source in one C string at most; longer lines are cut."""


def string_part(modules: Sequence[tuple[str, bytes]]) -> str:
    """C definitions for files by target, in this order."""
    contents = [(target, data or b"\n") for target, data in modules]
    return "".join(_lines(contents))


def _lines(modules: Sequence[tuple[str, bytes]]) -> Iterator[str]:
    yield "#include <stdint.h>\n"
    if modules:
        yield _GUARD
    yield "\n#define MP_FROZEN_STR_NAMES"
    for target, _ in modules:
        yield f' \\\n    "{_escaped(target.encode())}\\0"'
    yield "\n\nconst uint32_t mp_frozen_str_sizes[] = {\n"
    for target, data in modules:
        yield f"    {len(data)}, // {target if target.isprintable() and target.isascii() else ''}".rstrip("/ ") + "\n"
    yield "    0\n};\n\nconst char mp_frozen_str_content[] =\n"
    for _, data in modules:
        for line in data.splitlines(keepends=True):
            for start in range(0, len(line), _WIDTH):
                yield f'    "{_escaped(line[start : start + _WIDTH])}"\n'
        yield '    "\\0"\n'
    yield '    "";\n'


def _escaped(data: bytes) -> str:
    return "".join([_ESCAPES[code] for code in data])
