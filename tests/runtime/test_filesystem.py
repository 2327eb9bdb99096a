"""fsspec's own abstract suite runs on memfs, inside an executable; local files are real ones, then memfs's too."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path

import pytest

import icecube
from frazil.builder.elf import read_image
from frazil.builder.runtime import runtime_resources
from frazil.resources.collection import Collection
from frazil.resources.kinds import DataFile, SourceModule
from support import Build

APPLICATION = Path(__file__).parent / "fsspec_app/main.py"
FEWEST = 150
"""So many tests there are at least."""


@pytest.fixture(scope="session")
def frozen(build: Build, target: Path) -> Path:
    return build(APPLICATION, target, "--include=cases")


@pytest.mark.parametrize("local", ["tmpfs", "memfs"])
def test_fsspecs_own_suite(frozen: Path, tmp_path: Path, local: str) -> None:
    temporary = tmp_path / "temporary" if local == "tmpfs" else Path("/memfs:/temporary")
    done = subprocess.run([frozen, f"--basetemp={temporary}"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= FEWEST
    assert "skipped" not in done.stdout


def test_the_metadata_stands_beside_the_run_time(frozen: Path) -> None:
    image = icecube.Image(read_image(frozen))
    files = {node.path: bytes(image.data(node)) for node in image.nodes() if not node.is_directory}
    (record,) = [path for path in files if re.fullmatch(r"lib/python[\d.]+/frazil_runtime-[^/]+\.dist-info/RECORD", path)]
    library = record.rsplit("/", 2)[0]
    for name, _, size in csv.reader(files[record].decode().splitlines()):
        data = files[f"{library}/{name}"]
        assert not size or len(data) == int(size), name
    entry_points = files[f"{record.removesuffix('RECORD')}entry_points.txt"].decode()
    assert entry_points == "[fsspec.specs]\nmemfs = frazil_runtime.filesystem:MemfsFileSystem\n"


def test_it_goes_in_only_with_fsspec() -> None:
    bare = [one.path for one in runtime_resources(Collection(), "lib")]
    fsspec = SourceModule("fsspec", True, b"", "site/fsspec/__init__.py", "site", "fsspec")
    more = list(runtime_resources(Collection([fsspec]), "lib"))
    assert "lib/frazil_runtime/boot.py" in bare
    assert {one.path for one in more} - set(bare) == {
        "lib/frazil_runtime/filesystem.py",
        *(one.path for one in more if isinstance(one, DataFile)),
    }
    assert not [path for path in bare if "dist-info" in path]
