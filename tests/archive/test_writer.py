from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archives import KEY, archive
from frazil.archive.metadata import ModuleFacts
from frazil.archive.reader import read_archive
from frazil.archive.writer import write_archive
from frazil.cache import ContentCache
from frazil.errors import FrazilError, OutputError, SourceError

if TYPE_CHECKING:
    from frazil.archive.content import Archive

FILES = {
    "python/pkg/__init__.py": b"x = 1\n",
    "python/pkg/data.txt": b"data",
    "object/pkg.n/n.o": b"\x7fELFobject",
    "dist-info/pkg-1.dist-info/METADATA": b"Name: pkg\n",
    "lib/x86_64-linux-gnu/libz.a": b"!<arch>\n",
}
FORMS = ["made", "made.tar.gz"]


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(tmp_path / "cache")


def sample(**more: bytes) -> Archive:
    module = ModuleFacts(native=True, objects=("object/pkg.n/n.o",), init_symbol="PyInit_n", key=KEY)
    return archive("sample", {**FILES, **{f"python/{name}.txt": data for name, data in more.items()}}, {"pkg.n": module})


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_again(form: str, tmp_path: Path, cache: ContentCache) -> None:
    made = sample()
    write_archive(made, tmp_path / form)
    found = read_archive(tmp_path / form, cache)
    assert found.metadata == made.metadata
    assert {
        path: content.read_bytes() if isinstance(content, Path) else content for path, content in found.files.items()
    } == FILES


def test_the_places_for_libraries_and_headers_are_always_there(tmp_path: Path) -> None:
    empty = archive("empty", {})
    write_archive(empty, tmp_path / "made")
    write_archive(empty, tmp_path / "made.tar.gz")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["frazil-archive.json", "include", "lib"]
    with tarfile.open(tmp_path / "made.tar.gz") as tar:
        assert tar.getnames() == ["frazil-archive.json", "include", "lib"]


def test_the_directory_and_the_tar_hold_the_same(tmp_path: Path) -> None:
    write_archive(sample(), tmp_path / "made")
    write_archive(sample(), tmp_path / "made.tar.gz")
    subprocess.run(["tar", "-xzf", "made.tar.gz", "--one-top-level=unpacked"], cwd=tmp_path, check=True)
    subprocess.run(["diff", "-r", "made", "unpacked"], cwd=tmp_path, check=True)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "sys.path[:0] = sys.argv[2:]\n"
        "from archives import archive\n"
        "from frazil.archive.writer import write_archive\n"
        "names = {f'n{number}' for number in range(50)}\n"
        "write_archive(archive('x', {f'python/{name}.py': b'1' for name in names}), pathlib.Path(sys.argv[1]))\n"
    )
    found = set()
    for seed, umask, zone in (("1", 0o022, "UTC"), ("2", 0o077, "Asia/Tokyo")):
        place = tmp_path / seed / "made.tar.gz"
        subprocess.run(
            [sys.executable, "-c", code, place, str(Path(__file__).parents[1])],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            umask=umask,
            check=True,
        )
        found.add(place.read_bytes())
    assert len(found) == 1
    assert gzip.decompress(found.pop())


@pytest.mark.parametrize("form", FORMS)
def test_the_output_is_replaced_as_a_whole(form: str, tmp_path: Path, cache: ContentCache) -> None:
    write_archive(sample(old=b"1"), tmp_path / form)
    write_archive(sample(new=b"2"), tmp_path / form)
    assert "python/new.txt" in read_archive(tmp_path / form, cache).files
    if form == "made":
        assert not (tmp_path / "made/python/old.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == [form]


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_written_leaves_the_old_archive(form: str, tmp_path: Path, cache: ContentCache) -> None:
    write_archive(sample(), tmp_path / form)
    gone = tmp_path / "gone.txt"
    gone.write_bytes(b"there")
    broken = sample(new=b"there")
    broken = type(broken)(broken.name, broken.metadata, {**broken.files, "python/new.txt": gone})
    gone.write_bytes(b"another")
    with pytest.raises(SourceError, match="changed while it was read"):
        write_archive(broken, tmp_path / form)
    gone.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        write_archive(broken, tmp_path / form)
    assert read_archive(tmp_path / form, cache).metadata == sample().metadata
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == [form]


def test_a_directory_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="no archive and not empty"):
        write_archive(sample(), tmp_path / "mine")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    write_archive(sample(), tmp_path / "empty")
    assert (tmp_path / "empty/frazil-archive.json").is_file()


@pytest.mark.parametrize("output", ["file", "directory.tar.gz", "file/below", "link", "."])
def test_places_where_no_archive_can_stand(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    Path("directory.tar.gz").mkdir()
    Path("link").symlink_to("directory.tar.gz")
    with pytest.raises(OutputError) as caught:
        write_archive(sample(), Path(output))
    assert caught.value.remedy
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory.tar.gz", "file", "link"]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"python/a.txt": b"", "python/A.txt": b""}, "only in case"),
        ({"python/a": b"", "python/a/b": b""}, "cannot be a directory too"),
        ({"python/" + "x" * 1100: b""}, "longer than 1024 bytes"),
        ({"../x": b""}, "leads outside"),
    ],
)
def test_paths_that_no_archive_holds(files: dict[str, bytes], problem: str, tmp_path: Path) -> None:
    with pytest.raises(FrazilError) as caught:
        write_archive(archive("x", files), tmp_path / "made")
    assert problem in caught.value.details
    assert list(tmp_path.iterdir()) == []
