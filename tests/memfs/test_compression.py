"""Files that are stored deflated are as they were for the program: ``app/reads.py``, with ``--compress`` and without."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

import icecube
from frazil.builder.elf import read_image
from icecube import layout
from support import Build

APPLICATION = Path(__file__).parent / "app/reads.py"
TEXT = b"".join(b"line %d of the text\n" % number for number in range(20_000))
SCRIPT = "#!/bin/sh\n" + "# a comment that makes this longer\n" * 20 + 'echo "from the script $1"\n'
NODE_SIZE = struct.calcsize(layout.struct_format(layout.NODE))


@pytest.fixture(scope="session")
def application(shared_directory: Path) -> Path:
    """The application with its data files."""
    place = shared_directory / "reads"
    if place.exists():
        return place
    made = shared_directory / f"reads-{os.getpid()}"
    info = made / "here-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: here\nVersion: 1.0\n" + "Classifier: None\n" * 30)
    shutil.copy(APPLICATION, made / "reads.py")
    (made / "text.txt").write_bytes(TEXT)
    (made / "script.sh").write_text(SCRIPT)
    (made / "script.sh").chmod(0o755)
    with zipfile.ZipFile(made / "archive.zip", "w") as archive:
        archive.writestr("inside.txt", TEXT)
    try:
        made.rename(place)
    except OSError:
        shutil.rmtree(made)
    return place


@pytest.fixture(scope="session", params=["none", "deflate"])
def program(request: pytest.FixtureRequest, build: Build, application: Path, target: Path) -> Path:
    data = [f"--include-data={name}={name}" for name in ("text.txt", "script.sh", "archive.zip", "here-1.0.dist-info")]
    return build(application / "reads.py", target, "--link=static", f"--compress={request.param}", *data, cwd=application)


def run(program: Path, case: str) -> None:
    done = subprocess.run([program, case], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("case", ["reads", "sources", "programs"])
def test_files_are_as_they_were(case: str, program: Path) -> None:
    run(program, case)


def test_what_is_compressed(program: Path) -> None:
    image = icecube.Image(read_image(program))
    image.verify()
    compressed = {node.path for node in image.nodes() if node.encoding != layout.ENCODING_RAW}
    if "none" in str(program):
        assert compressed == set()
        return
    assert {"app/reads.py", "app/text.txt", "app/script.sh", "app/archive.zip"} <= compressed
    assert "app/here-1.0.dist-info/METADATA" in compressed
    assert not [path for path in compressed if path.endswith((".pyc", ".so"))]
    text = image.find("app/text.txt")
    assert text is not None
    assert (text.size, bytes(image.data(text))) == (len(TEXT), TEXT)
    assert text.stored_size < len(TEXT) / 3


@pytest.mark.parametrize("forged", [False, True], ids=["checksum", "stream"])
def test_damage_is_an_error(*, forged: bool, program: Path, tmp_path: Path) -> None:
    """Damage that the checksum finds; and a stream that does not hold, under a checksum that does."""
    victim = tmp_path / "victim"
    shutil.copy(program, victim)
    data = read_image(program)
    image = icecube.Image(data)
    node = image.find("app/text.txt")
    assert node is not None
    if forged and node.encoding == layout.ENCODING_RAW:
        pytest.skip("what is stored raw has no stream")
    whole = bytearray(victim.read_bytes())
    start = whole.index(bytes(data[: layout.MAX_PATH]))
    for at in range(1000, 1020):
        whole[start + node.data_offset + at] ^= 0x55
    if forged:
        _forge(whole, start, image, node)
    victim.write_bytes(whole)
    run(victim, "damaged")


def _forge(whole: bytearray, start: int, image: icecube.Image, node: icecube.Node) -> None:
    """Make the checksums of the blob and of its record hold."""
    at = start + image.header.nodes_offset + node.index * NODE_SIZE
    names = [field.name for field in layout.NODE]
    crc_at = struct.calcsize(layout.struct_format(layout.NODE[: names.index("data_crc")]))
    blob = whole[start + node.data_offset :][: node.stored_size]
    struct.pack_into("<I", whole, at + crc_at, zlib.crc32(blob))
    record = zlib.crc32(whole[at : at + NODE_SIZE - 4])
    struct.pack_into("<I", whole, at + NODE_SIZE - 4, zlib.crc32(node.path.encode(), record))
