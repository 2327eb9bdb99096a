"""A stand-in for MicroPython's mpy-tool.py: freezes .mpy files as bytes under the names that they hold."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number, and where it ends."""
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7F
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def name_of(data: bytes) -> str:
    """The first string of a .mpy file: the name of its source."""
    _, at = number(data, 4)
    _, at = number(data, at)
    length, at = number(data, at)
    return data[at : at + (length >> 1)].decode()


def generated(options: argparse.Namespace) -> list[str]:
    """The lines of C."""
    header = options.qstr_header.read_text()
    if "broken" in header:
        sys.exit("the table of strings is broken")
    lines = ['#include "py/emitglue.h"', f"// {options.longint} {header.strip()} {'PYTHONPATH' in os.environ}"]
    names = []
    for index, file in enumerate(options.files):
        data = file.read_bytes()
        if data[:1] != b"M":
            sys.exit(f"not a valid .mpy file: {file}")
        names.append(name_of(data))
        lines.append(f"static const unsigned char data_{index}[] = {{ {', '.join(map(str, data))} }};")
        lines.append(f"static const mp_frozen_module_t module_{index} = {{ sizeof data_{index}, data_{index} }};")
    lines.append("const qstr_pool_t mp_qstr_frozen_const_pool = { &mp_qstr_const_pool, MP_QSTRnumber_of, 0 };")
    lines += ["const char mp_frozen_names[] = {", "#ifdef MP_FROZEN_STR_NAMES", "    MP_FROZEN_STR_NAMES", "#endif"]
    lines += [f'    "{name}\\0"' for name in names]
    pointers = "".join(f"&module_{index}, " for index in range(len(names)))
    lines += ['    "\\0"', "};", f"const mp_frozen_module_t *const mp_frozen_mpy_content[] = {{ {pointers}NULL }};", ""]
    return lines


def main() -> None:
    """Parse the options that the real one is called with, and print C."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", "--freeze", action="store_true", required=True)
    parser.add_argument("-q", "--qstr-header", type=Path, required=True)
    parser.add_argument("-mlongint-impl", dest="longint", default="mpz")
    parser.add_argument("files", nargs="*", type=Path)
    sys.stdout.write("\n".join(generated(parser.parse_args())))


main()
