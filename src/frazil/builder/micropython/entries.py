"""Entries of the content cache with a checksum behind them: a damaged one is made again."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from frazil.cache import ContentCache

_CHECKSUM_SIZE: Final = 4


def read_entry(cache: ContentCache, kind: str, key: str) -> bytes | None:
    """What is stored under ``key``; None when there is nothing, or nothing whole."""
    stored = cache.read(kind, key)
    if stored is None:
        return None
    data, checksum = stored[:-_CHECKSUM_SIZE], stored[-_CHECKSUM_SIZE:]
    return data if zlib.crc32(data).to_bytes(_CHECKSUM_SIZE, "little") == checksum else None


def write_entry(cache: ContentCache, kind: str, key: str, data: bytes) -> None:
    """Store ``data`` under ``key``."""
    cache.write(kind, key, data + zlib.crc32(data).to_bytes(_CHECKSUM_SIZE, "little"))
