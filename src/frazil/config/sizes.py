"""Sizes as people write them: ``4096``, ``512K``, ``1.5G``."""

from __future__ import annotations

import re
from typing import Final

from frazil.errors import UsageError

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?) ?([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_MOST: Final = 1 << 62


def parse_size(text: str, where: object) -> int:
    """The number of bytes; units are powers of 1024. Raises UsageError for what is no size, and for none and too many."""
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found and "." in found[1] else 0
    if found and "." not in found[1]:
        size = int(found[1]) * _UNITS[found[2].upper()]
    if not 0 < size <= _MOST:
        raise UsageError(f"{text!r} is no size", where=where, remedy="Write a number of bytes, or one with a unit: 512M, 2G.")
    return size
