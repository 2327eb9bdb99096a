"""What can be wrong with an image."""

from __future__ import annotations


class IcecubeError(Exception):
    """The bytes are no image, or a damaged one.

    ``problem`` says what is wrong, ``offset`` at which byte of the image (None where no single byte is to blame).
    """

    def __init__(self, problem: str, offset: int | None = None) -> None:
        self.problem = problem
        self.offset = offset
        super().__init__(problem if offset is None else f"{problem} (at byte {offset} of the image)")


class UnsupportedVersionError(IcecubeError):
    """The image was written in a format that this reader does not know."""
