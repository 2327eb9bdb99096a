"""Files of memfs that imports read and write: closed ones keep no module out of the snapshot, and are there after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from started import WARM, start
from support import Build

LOOKED = """\
import linecache, os, warnings

with open(__file__) as file:
    OWN = file.read()
LINES = len(linecache.getlines(os.__file__))
warnings.filterwarnings("ignore")
os.makedirs("/memfs:/made", exist_ok=True)
with open("/memfs:/made/file", "w") as file:
    file.write("written at import\\n" * 10000)
with open("/memfs:/made/large", "wb") as file:
    file.write(bytes(100_000))
"""
PROGRAM = """\
import os

import looked

if __name__ == "__main__":
    for name in sorted(os.listdir("/memfs:/made")):
        print(name, os.stat(f"/memfs:/made/{name}").st_size)
    with open("/memfs:/made/file", "a+") as file:
        file.write("and later\\n")
        file.seek(0)
        lines = file.readlines()
    print(len(lines), set(lines), open(looked.__file__).read() == looked.OWN, looked.LINES > 500)
    os.unlink("/memfs:/made/file")
    os.rename("/memfs:/made/large", "/memfs:/made/moved")
    print(os.listdir("/memfs:/made"), os.statvfs("/memfs:/").f_blocks > 0)
"""


@pytest.fixture(scope="module")
def program(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    (place / "looked.py").write_text(LOOKED)
    (place / "files.py").write_text(PROGRAM)
    return build(place / "files.py", target, "--warm")


def test_files_of_imports(program: Path) -> None:
    expected = start([program], cold=True)[1]
    assert expected.code == 0, expected
    for _ in range(3):
        assert start([program]) == (WARM, expected)


def test_an_open_file_keeps_the_module_out(build: Build, target: Path, tmp_path: Path) -> None:
    (tmp_path / "keeps.py").write_text("import json\nFILE = open('/memfs:/kept', 'w+')\n")
    (tmp_path / "app.py").write_text("import keeps\nif __name__ == '__main__':\n    print(keeps.FILE.write('x'))\n")
    executable = build(tmp_path / "app.py", target, "--warm")
    assert start([executable]) == (WARM, (0, "1\n", ""))
