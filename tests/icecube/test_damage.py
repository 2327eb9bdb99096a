from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import icecube
from icecube import IcecubeError

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).parent / "corpus.py"


def images(kind: str, directory: Path) -> Iterator[bytes]:
    batch = directory / kind
    subprocess.run([sys.executable, CORPUS, kind, batch], check=True)
    data = batch.read_bytes()
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        yield data[at + 8 : at + 8 + size]
        at += 8 + size


def read_everything(data: bytes) -> None:
    """Every method on everything; whatever is damaged may only raise IcecubeError, each time anew."""
    image = icecube.Image(data)
    for index in range(image.header.node_count):
        try:
            node = image.node(index)
            image.find(node.path)
            list(image.children(node)) if node.is_directory else image.data(node)
        except IcecubeError:
            continue
    for index in range(image.header.module_count):
        try:
            image.find_module(image.module(index).name)
        except IcecubeError:
            continue
    image.settings()


def test_golden_images_are_whole(tmp_path: Path) -> None:
    found = list(images("golden", tmp_path))
    assert len(found) == 4
    for data in found:
        icecube.Image(data).verify()


def test_truncated_anywhere(tmp_path: Path) -> None:
    for data in images("truncated", tmp_path):
        with pytest.raises(IcecubeError):
            icecube.Image(data)


@pytest.mark.parametrize("kind", ["flipped", "forged"])
def test_damage_raises_nothing_else(kind: str, tmp_path: Path) -> None:
    harmed = 0
    for data in images(kind, tmp_path):
        try:
            read_everything(data)
        except IcecubeError:
            harmed += 1
    assert harmed > 1000


def test_verify_finds_every_single_bit(tmp_path: Path) -> None:
    for data in images("golden", tmp_path):
        damaged = bytearray(data)
        for at in range(len(data)):
            for bit in range(8):
                damaged[at] ^= 1 << bit
                with pytest.raises(IcecubeError):
                    icecube.Image(damaged).verify()
                damaged[at] ^= 1 << bit
        icecube.Image(damaged).verify()


def test_verify_finds_forgeries(tmp_path: Path) -> None:
    for data in images("forged", tmp_path):
        with pytest.raises(IcecubeError):
            icecube.Image(data).verify()
