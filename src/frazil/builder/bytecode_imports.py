"""List what modules import of which there is only bytecode.

Run as a script by ``sourceless.py`` with the target interpreter (3.11 and later, standard library only): only that knows its
own instructions. Standard input carries ``.pyc`` files, each behind its size as eight bytes, little-endian; standard output
answers with a line of JSON for each: a list of ``[name, names, line]``, or null for what holds no code.

The import of ``a.b`` with ``c`` from it is LOAD_CONST level, LOAD_CONST names, IMPORT_NAME in all versions.
"""

from __future__ import annotations

import dis
import json
import marshal
import sys
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_HEADER = 16
_SIZE = 8


def imports(code: CodeType) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Absolute imports of a code object and of those inside it: module, names from it, line; relative ones stay inside."""
    line = code.co_firstlineno
    constants: list[object] = []
    for one in dis.get_instructions(code):
        line = one.starts_line if type(one.starts_line) is int else getattr(one, "line_number", None) or line
        if one.opname == "IMPORT_NAME" and constants[-2:-1] == [0]:
            names = constants[-1]
            listed = tuple(name for name in names if isinstance(name, str)) if isinstance(names, tuple) else ()
            yield str(one.argval), listed, line
        if one.opname in {"LOAD_CONST", "LOAD_SMALL_INT"}:
            constants.append(one.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from imports(constant)


def answer(data: bytes) -> str:
    """The line of JSON for one ``.pyc`` file."""
    try:
        code = marshal.loads(data[_HEADER:])  # noqa: S302 - the program will do the same
    except (EOFError, ValueError, TypeError):
        return "null"
    return json.dumps(sorted(imports(code))) if isinstance(code, CodeType) else "null"


def main(files: BinaryIO) -> None:
    """Answer for each file until there are no more."""
    while size := files.read(_SIZE):
        sys.stdout.write(answer(files.read(int.from_bytes(size, "little"))) + "\n")


if __name__ == "__main__":
    main(sys.stdin.buffer)
