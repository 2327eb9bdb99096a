"""How the contents of files are stored: raw, or deflated (RFC 1951). Bytes in, bytes out; this file does no I/O."""

from __future__ import annotations

import zlib
from typing import Final

from icecube import layout

_LEVEL: Final = 6
"""Level 9 takes three times as long and saves less than a hundredth more."""
_WINDOW: Final = -15
"""32 KiB; negative: no header, no checksum."""


def encode(data: bytes | memoryview) -> tuple[int, bytes | memoryview]:
    """An encoding and the content in it: deflated if that saves at least an eighth, else raw."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW)
    packed = packer.compress(data) + packer.flush()
    if data and (len(data) - len(packed)) * 8 >= len(data):
        return layout.ENCODING_DEFLATE, packed
    return layout.ENCODING_RAW, data


def decode(encoding: int, stored: bytes | memoryview, size: int) -> bytes | None:
    """The content of ``size`` bytes, or None when ``stored`` is not one whole stream of exactly that content."""
    if encoding != layout.ENCODING_DEFLATE:
        return None
    unpacker = zlib.decompressobj(_WINDOW)
    try:
        content = unpacker.decompress(stored, size + 1)
    except zlib.error:
        return None
    return content if unpacker.eof and not unpacker.unused_data and len(content) == size else None
