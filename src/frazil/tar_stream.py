"""A stream for ``tarfile`` that never lets the headers of a member, which are read into memory, grow without end."""

from __future__ import annotations

from typing import Final, Protocol

MAX_HEADERS: Final = 4 * 2**20
"""What the headers of one member may take."""
END_OF_TAR: Final = bytes(1024)


class Readable(Protocol):
    """What can be read."""

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes; none at the end."""


class BoundedStream:
    """A stream that ends the extraction when more comes than the members so far account for.

    Before each member ``expect`` is told its size; at the end, ``finish`` says whether the archive is whole.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._allowed = MAX_HEADERS
        self._last = b""

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes. Raises ValueError for a member with headers without end."""
        data = self._stream.read(size)
        self._allowed -= len(data)
        self._last = (self._last + data)[-len(END_OF_TAR) :]
        if self._allowed < 0:
            raise ValueError(f"a member has headers of more than {MAX_HEADERS >> 20} MiB")
        return data

    def expect(self, size: int) -> None:
        """Let a member of ``size`` bytes come, and the headers of the next one."""
        self._allowed = size + MAX_HEADERS

    def finish(self) -> None:
        """Read to the end, behind which checksums stand. Raises ValueError when the end of the tar is missing."""
        self._allowed = MAX_HEADERS
        while self.read(1 << 20):
            pass
        if self._last != END_OF_TAR:
            raise ValueError("its end is missing")
