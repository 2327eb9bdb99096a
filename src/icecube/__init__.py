"""The image format: an immutable, mappable file that holds everything an executable needs. Bytes in, bytes out."""

from __future__ import annotations

from icecube.encoding import encode
from icecube.errors import IcecubeError, UnsupportedVersionError
from icecube.reader import Header, Image, ModuleRecord, Node
from icecube.writer import Entry, Module, write

__all__ = [
    "Entry", "Header", "IcecubeError", "Image", "Module", "ModuleRecord", "Node", "UnsupportedVersionError", "encode", "write",
]  # fmt: skip
