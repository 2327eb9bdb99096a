"""Prints everything that the Python reader sees in images, in the form of tests/launcher/c/icecube_dump.c.

``python tests/icecube/dump.py FILE``: FILE holds images one after the other, each behind its size as u64.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import icecube

if TYPE_CHECKING:
    from collections.abc import Iterator


def _hex(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").hex() or "-"


def _node(image: icecube.Image, node: icecube.Node) -> Iterator[str]:
    numbers = f"{node.parent} {node.mode:o} {node.size} {node.mtime_ns} {node.data_crc:08x} {node.encoding}"
    yield f"node {node.index} {_hex(node.path)} {numbers}"
    found = image.find(node.path)
    yield "absent" if found is None else f"found {found.index}"
    if node.is_directory:
        for child in image.children(node):
            yield f"child {child.index}"
    else:
        yield f"blob {zlib.crc32(image.stored(node)):08x}"
        yield f"content {zlib.crc32(image.data(node)):08x}"


def _module(image: icecube.Image, index: int) -> Iterator[str]:
    one = image.module(index)
    yield f"module {index} {_hex(one.name)} {one.flags} {one.file_node} {one.code_node} {one.dir_node}"
    found = image.find_module(one.name)
    yield "absent" if found is None else f"found {found.file_node}"


def dump(data: bytes) -> Iterator[str]:
    """The lines for one image."""
    try:
        image = icecube.Image(data)
        settings = image.settings()
        yield f"image {image.header.image_size} {image.header.node_count} {image.header.module_count}"
        for name, value in settings.items():
            yield f"setting {_hex(name)} {_hex(value)}"
        for node in image.nodes():
            yield from _node(image, node)
        for index in range(image.header.module_count):
            yield from _module(image, index)
        yield "absent" if image.find("no/such/path") is None else "found"
        yield "absent" if image.find_module("no.such.module") is None else "found"
    except icecube.IcecubeError as error:
        yield f"damaged: {error}"
    yield "end"


def split(batch: bytes) -> Iterator[bytes]:
    """The images of a batch."""
    at = 0
    while at < len(batch):
        (size,) = struct.unpack_from("<Q", batch, at)
        yield batch[at + 8 : at + 8 + size]
        at += 8 + size


def main() -> int:
    """Dump the images of the file that the command line names; 1 when one is damaged."""
    damaged = False
    lines: list[str] = []
    for data in split(Path(sys.argv[1]).read_bytes()):
        lines += dump(data)
        damaged = damaged or lines[-2].startswith("damaged:")
    sys.stdout.write("\n".join([*lines, ""]))
    return 1 if damaged else 0


if __name__ == "__main__":
    sys.exit(main())
