"""Makes damaged images of the golden ones, the same every time; and seeds for the fuzz targets.

``python tests/icecube/corpus.py KIND FILE`` writes a batch: images one after the other, each behind its size as u64. KINDs:
``golden`` (whole), ``truncated`` (at every byte), ``flipped`` (every bit of the header, two of every other byte), ``forged``
(the same, with checksums that hold again, as only malice makes them). ``seeds DIRECTORY`` writes a file for each golden image
and for each deflated file in them, in a directory for each fuzz target.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import icecube
from icecube import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden"
HEADER = struct.calcsize(layout.struct_format(layout.HEADER))
NODE = struct.calcsize(layout.struct_format(layout.NODE))
MODULE = struct.calcsize(layout.struct_format(layout.MODULE))
NODE_FIELDS = [field.name for field in layout.NODE]
NODE_CRC = struct.calcsize(layout.struct_format(layout.NODE[: NODE_FIELDS.index("data_crc")]))
HEADER_FIELDS = [field.name for field in layout.HEADER]


def from_hex(text: str) -> bytes:
    """The image of a golden file: lines of an offset and bytes; what no line shows is zero; the last line is the size."""
    *lines, end = text.splitlines()
    image = bytearray(int(end, 16))
    for line in lines:
        offset, _, data = line.partition("  ")
        part = bytes.fromhex(data)
        image[int(offset, 16) : int(offset, 16) + len(part)] = part
    return bytes(image)


def golden() -> Iterator[bytes]:
    """The golden images, by name."""
    return (from_hex(path.read_text()) for path in sorted(GOLDEN.glob("*.hex")))


def truncated() -> Iterator[bytes]:
    """Each golden image cut off at every byte."""
    for image in golden():
        for size in range(len(image)):
            yield image[:size]


def _flips(image: bytes) -> Iterator[bytearray]:
    used = len(image.rstrip(b"\0"))
    for at in range(len(image)):
        if at > used or (at > HEADER and not any(image[at - 8 : at + 8])):
            continue  # of padding a little is enough
        for mask in [1 << bit for bit in range(8)] if at < HEADER else (0x01, 0x80):
            flipped = bytearray(image)
            flipped[at] ^= mask
            yield flipped


def flipped() -> Iterator[bytes]:
    """Each golden image with one bit changed."""
    return (bytes(one) for image in golden() for one in _flips(image))


def _header(image: bytes | bytearray) -> dict[str, int]:
    values = struct.unpack_from(layout.struct_format(layout.HEADER), image)
    return {name: value for name, value in zip(HEADER_FIELDS, values, strict=True) if isinstance(value, int)}


def _forge_blob(image: bytearray, at: int) -> None:
    """Make the checksum of a blob hold, in the record at that place."""
    record = dict(zip(NODE_FIELDS, struct.unpack_from(layout.struct_format(layout.NODE), image, at), strict=True))
    end = record["data_offset"] + record["stored_size"]
    if record["mode"] & layout.MODE_TYPE != layout.MODE_DIRECTORY and end <= len(image):
        struct.pack_into("<I", image, at + NODE_CRC, zlib.crc32(image[record["data_offset"] : end]))


def _forge(image: bytearray, original: dict[str, int]) -> bytes:
    """Make the checksums of settings, records, blobs and header hold again, at the places where they stood."""
    settings = image[original["settings_offset"] :][: original["settings_size"]]
    struct.pack_into("<I", image, HEADER - 4 - 40 - 4, zlib.crc32(settings))
    names = original["names_offset"]
    for start, count, size in (
        (original["nodes_offset"], original["node_count"], NODE),
        (original["modules_offset"], original["module_count"], MODULE),
    ):
        for at in range(start, start + count * size, size):
            offset, length = struct.unpack_from("<IH", image, at)
            name = image[names + offset :][:length]
            if size == NODE:
                _forge_blob(image, at)
            struct.pack_into("<I", image, at + size - 4, zlib.crc32(name, zlib.crc32(image[at : at + size - 4])))
    struct.pack_into("<I", image, HEADER - 4, zlib.crc32(image[: HEADER - 4]))
    return bytes(image)


def forged() -> Iterator[bytes]:
    """Each golden image with one bit changed and all checksums but the digest made to fit."""
    for image in golden():
        header = _header(image)
        yield from (one for one in (_forge(flipped, header) for flipped in _flips(image)) if one != image)


def main() -> None:
    """Write what the command line asks for."""
    kind, target = sys.argv[1], Path(sys.argv[2])
    if kind == "seeds":
        (target / "icecube").mkdir(parents=True, exist_ok=True)
        (target / "inflate").mkdir(exist_ok=True)
        for number, data in enumerate(golden()):
            (target / f"icecube/golden-{number}").write_bytes(data)
            opened = icecube.Image(data)
            for node in opened.nodes():
                if node.encoding == layout.ENCODING_DEFLATE:
                    seed = struct.pack("<H", node.size) + opened.stored(node)
                    (target / f"inflate/golden-{number}-{node.index}").write_bytes(seed)
        return
    kinds = {"golden": golden, "truncated": truncated, "flipped": flipped, "forged": forged}
    with target.open("wb") as file:
        for image in kinds[kind]():
            file.write(struct.pack("<Q", len(image)))
            file.write(image)


if __name__ == "__main__":
    main()
