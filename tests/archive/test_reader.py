"""Archives that are broken or hostile: each is refused with one clear message, and nothing is left behind."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archives import KEY, archive
from frazil.archive import reader
from frazil.archive.machine import require_machines
from frazil.archive.metadata import ModuleFacts, written
from frazil.archive.reader import read_archive
from frazil.archive.writer import write_archive
from frazil.cache import ContentCache
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil.archive.content import Archive

SAMPLE = archive("sample", {"python/a.py": b"x = 1\n", "lib/libz.a": b"!<arch>\n"})


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(tmp_path / "cache")


def member(name: str, data: bytes = b"", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def packed(*members: tuple[tarfile.TarInfo, bytes], sample: Archive = SAMPLE) -> bytes:
    """A tar with the metadata and files of ``sample``, and more members in front of them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
        for path, content in {"frazil-archive.json": written(sample.metadata), **sample.files}.items():
            assert isinstance(content, bytes)
            tar.addfile(*_with_stream(member(path, content)))
    return gzip.compress(stream.getvalue(), 1)


def _with_stream(pair: tuple[tarfile.TarInfo, bytes]) -> tuple[tarfile.TarInfo, io.BytesIO]:
    return pair[0], io.BytesIO(pair[1])


def refused(place: Path, cache: ContentCache) -> SourceError:
    """The message for a broken archive; nothing of it is in the cache or beside it."""
    before = _beside(place, cache)
    with pytest.raises(SourceError) as caught:
        read_archive(place, cache)
    assert _beside(place, cache) == before
    left = [path for path in cache.root.rglob("*") if path.is_file() and path.suffix != ".lock"] if cache.root.exists() else []
    assert left == []
    assert str(place) in str(caught.value.where)
    return caught.value


def _beside(place: Path, cache: ContentCache) -> list[Path]:
    return sorted(path for path in place.parent.rglob("*") if not path.is_relative_to(cache.root.parent))


HOSTILE: dict[str, tuple[list[tuple[tarfile.TarInfo, bytes]], str]] = {
    "absolute": ([member("/tmp/frazil-was-here")], "'/tmp/frazil-was-here' is absolute"),
    "parent": ([member("../outside")], "'../outside' leads outside"),
    "parent inside": ([member("python/../../outside")], "leads outside"),
    "parent directory": ([member("python/..", type=tarfile.DIRTYPE)], "leads outside"),
    "absolute directory": ([member("/python", type=tarfile.DIRTYPE)], "is absolute"),
    "backslash": ([member("python\\..\\x")], "holds a character"),
    "symbolic link": ([member("python/l", type=tarfile.SYMTYPE, linkname="/etc/passwd")], "'python/l' is a link"),
    "link to a directory": ([member("lib", type=tarfile.SYMTYPE, linkname="/tmp")], "'lib' is a link"),
    "hard link": ([member("python/l", type=tarfile.LNKTYPE, linkname="/etc/passwd")], "is a link"),
    "character device": ([member("python/d", type=tarfile.CHRTYPE, devmajor=1, devminor=3)], "is a device"),
    "block device": ([member("python/d", type=tarfile.BLKTYPE)], "is a device"),
    "pipe": ([member("python/p", type=tarfile.FIFOTYPE)], "is a pipe"),
    "unknown kind": ([member("python/u", type=b"Z")], "is no regular file"),
    "twice": ([member("python/a.py", b"x = 2\n")], "'python/a.py' occurs twice"),
    "case": ([member("python/A.py", b"x = 2\n")], "'python/a.py' differs from 'python/A.py' only in case"),
    "metadata twice": ([member("frazil-archive.json", b"{}")], "'frazil-archive.json' occurs twice"),
    "file as directory": ([member("python", b"")], "stands in none of the folders"),
    "not listed": ([member("python/extra.py")], "is in the archive, and not listed"),
    "elsewhere": ([member("etc/passwd")], "stands in none of the folders"),
    "empty component": ([member("python//x")], "is not in its shortest form"),
    "long": ([member("python/" + "x" * 2000)], "longer than 1024 bytes"),
    "deep": ([member("python/" + "d/" * 600 + "x")], "longer than 1024 bytes"),
    "long component": ([member("python/" + "x" * 600)], "the archive is corrupt"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_member_is_refused(name: str, tmp_path: Path, cache: ContentCache) -> None:
    members, problem = HOSTILE[name]
    place = tmp_path / "bad.tar.gz"
    place.write_bytes(packed(*members))
    assert problem in str(refused(place, cache))


def test_the_tar_of_the_corpus_is_sound_without_its_hostile_members(tmp_path: Path, cache: ContentCache) -> None:
    (tmp_path / "good.tar.gz").write_bytes(
        packed(member("./python/", type=tarfile.DIRTYPE), member("include/", type=tarfile.DIRTYPE))
    )
    assert read_archive(tmp_path / "good.tar.gz", cache).metadata == SAMPLE.metadata


def test_what_tar_itself_packs_is_read(tmp_path: Path, cache: ContentCache) -> None:
    long = archive("long", {"python/" + "deep/" * 60 + "x.txt": b"1", "python/ü.py": b""})
    write_archive(long, tmp_path / "made")
    for number, words in enumerate((["--format=gnu"], ["--format=pax"], ["--format=gnu", "--sparse"])):
        place = tmp_path / f"{number}.tar.gz"
        subprocess.run(["tar", "-C", "made", *words, "-czf", place, "."], cwd=tmp_path, check=True)
        assert read_archive(place, cache).metadata == long.metadata


def test_a_tar_of_the_directory_itself_says_how_to_pack(tmp_path: Path, cache: ContentCache) -> None:
    write_archive(SAMPLE, tmp_path / "made")
    subprocess.run(["tar", "-czf", "made.tar.gz", "made"], cwd=tmp_path, check=True)
    assert (
        refused(tmp_path / "made.tar.gz", cache).remedy == "Pack without the directory itself: tar -C made -czf FILE.tar.gz ."
    )


def test_limits_hold_before_room_is_made(tmp_path: Path, cache: ContentCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_UNPACKED", 1 << 20)
    place = tmp_path / "bomb.tar.gz"
    place.write_bytes(packed(member("lib/zeros", bytes(8 << 20))))
    assert place.stat().st_size < 100_000
    assert "too large" in refused(place, cache).problem
    monkeypatch.setattr(reader, "MAX_MEMBERS", 20)
    place.write_bytes(packed(*(member(f"lib/{number}") for number in range(30))))
    assert "more than 20 members" in refused(place, cache).problem


def test_a_member_that_claims_more_than_there_is(tmp_path: Path, cache: ContentCache) -> None:
    place = tmp_path / "bad.tar.gz"
    claimed = tarfile.TarInfo("lib/huge")
    claimed.size = 1 << 42
    place.write_bytes(gzip.compress(claimed.tobuf()))
    assert "too large" in refused(place, cache).problem
    claimed.size = 1 << 30
    place.write_bytes(gzip.compress(claimed.tobuf() + bytes(2048)))
    assert "corrupt" in refused(place, cache).problem


def test_headers_are_bounded(tmp_path: Path, cache: ContentCache) -> None:
    info = tarfile.TarInfo("python/a")
    info.pax_headers = {"comment": "x" * (8 << 20)}
    place = tmp_path / "bad.tar.gz"
    place.write_bytes(gzip.compress(info.tobuf(tarfile.PAX_FORMAT)))
    assert "headers of more than 4 MiB" in refused(place, cache).problem


CUT: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "without checksum": lambda data: data[:-8],
    "damaged": lambda data: data[:100] + bytes([data[100] ^ 0xFF]) + data[101:],
    "without end": lambda data: gzip.compress(gzip.decompress(data).rstrip(b"\0")),
    "empty tar": lambda _: gzip.compress(bytes(1024)),
    "no tar": lambda _: gzip.compress(b"hello" * 1000),
    "empty gzip": lambda _: gzip.compress(b""),
    "no gzip": lambda _: b"PK\x03\x04",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_is_no_whole_tar(name: str, tmp_path: Path, cache: ContentCache) -> None:
    place = tmp_path / "bad.tar.gz"
    place.write_bytes(CUT[name](packed()))
    error = refused(place, cache)
    assert error.remedy
    assert any(word in error.problem for word in ("corrupt", "no archive", "neither a directory nor"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 3000), byte=st.integers(0, 255), compressed=st.booleans())
def test_a_byte_that_is_another_is_refused_or_does_not_matter(
    *, position: int, byte: int, compressed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(packed() if compressed else gzip.decompress(packed()))
    data[position % len(data)] = byte
    base = tmp_path_factory.mktemp("damage")
    place = base / "bad.tar.gz"
    place.write_bytes(bytes(data) if compressed else gzip.compress(bytes(data), 1))
    cache = ContentCache(base / "cache")
    try:
        found = read_archive(place, cache)
    except SourceError:
        assert {path.name for path in base.iterdir()} <= {"bad.tar.gz", "cache"}
        return
    assert {path: content.read_bytes() for path, content in found.files.items() if isinstance(content, Path)} == SAMPLE.files


@pytest.mark.parametrize("form", ["made", "made.tar.gz"])
def test_metadata_that_does_not_hold(form: str, tmp_path: Path, cache: ContentCache) -> None:
    document = json.loads(written(SAMPLE.metadata))
    document["archive_version"] = "2.0"
    place = tmp_path / form
    if form == "made":
        write_archive(SAMPLE, place)
        (place / "frazil-archive.json").write_text(json.dumps(document))
    else:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            tar.addfile(*_with_stream(member("frazil-archive.json", json.dumps(document).encode())))
        place.write_bytes(gzip.compress(stream.getvalue()))
    assert refused(place, cache).problem == "this archive has format 2.0, and this frazil reads 1.x"


def damage(place: Path, what: str) -> None:
    file = place / "python/a.py"
    if what == "missing":
        file.unlink()
    elif what == "digest":
        file.write_bytes(b"x = 2\n")
    elif what == "size":
        file.write_bytes(b"x = 10\n")
    elif what == "link":
        file.unlink()
        file.symlink_to("/etc/passwd")
    elif what == "directory behind a link":
        (place / "python").rename(place.parent / "elsewhere")
        (place / "python").symlink_to(place.parent / "elsewhere")
    elif what == "directory":
        file.unlink()
        file.mkdir()
    elif what == "pipe":
        file.unlink()
        os.mkfifo(file)


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("missing", "is listed, and is missing"),
        ("digest", "its digest differs from the listed one"),
        ("size", "has 7 bytes, and 6 are listed"),
        ("link", "is, or is behind, a symbolic link"),
        ("directory behind a link", "is, or is behind, a symbolic link"),
        ("directory", "is no regular file"),
        ("pipe", "is no regular file"),
    ],
)
def test_a_directory_whose_files_are_not_those_that_are_listed(
    what: str, problem: str, tmp_path: Path, cache: ContentCache
) -> None:
    write_archive(SAMPLE, tmp_path / "made")
    damage(tmp_path / "made", what)
    error = refused(tmp_path / "made", cache)
    assert (error.problem, error.where) == (problem, f"{tmp_path}/made/python/a.py")
    if not what.startswith(("link", "pipe", "directory")):
        subprocess.run(["tar", "-C", "made", "-czf", "made.tar.gz", "."], cwd=tmp_path, check=True)
        error = refused(tmp_path / "made.tar.gz", cache)
        assert (error.problem, error.where) == (problem, f"{tmp_path}/made.tar.gz/python/a.py")


def test_several_bad_files_are_told_at_once(tmp_path: Path, cache: ContentCache) -> None:
    many = archive("many", {f"python/m{number}.py": b"" for number in range(30)})
    write_archive(many, tmp_path / "made")
    for number in range(25):
        (tmp_path / f"made/python/m{number}.py").unlink()
    error = refused(tmp_path / "made", cache)
    assert error.problem == "25 files do not hold"
    assert "and 5 more" in error.details


def test_what_is_no_archive_at_all(tmp_path: Path, cache: ContentCache) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "nothing", cache).problem == "no such archive"
    assert refused(tmp_path / "empty", cache).problem == "this is no archive: it has no frazil-archive.json"
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe", cache).problem == "neither a directory nor a file"


def test_files_may_be_added_by_hand_only_where_they_belong(tmp_path: Path, cache: ContentCache) -> None:
    place = tmp_path / "made"
    write_archive(SAMPLE, place)
    (place / "lib/x86_64-linux-gnu").mkdir()
    (place / "lib/x86_64-linux-gnu/libmine.a").write_bytes(b"!<arch>\n")
    (place / "include/mine.h").write_text("#define MINE 1\n")
    (place / "include/.hidden").write_text("")
    (place / "python/stray.py").write_text("")
    (place / "object").mkdir()
    (place / "object/stray.o").write_text("")
    found = read_archive(place, cache)
    assert sorted(found.files) == ["include/mine.h", "lib/libz.a", "lib/x86_64-linux-gnu/libmine.a", "python/a.py"]
    assert found.metadata.files.keys() == found.files.keys()
    (place / "include/MINE.h").write_text("")
    assert "only in case" in refused(place, cache).problem


@pytest.mark.parametrize("leads_to", ["/etc/passwd", "../../cache", "link.so", "nowhere"])
def test_a_link_added_by_hand_that_leads_out_or_nowhere_is_refused(leads_to: str, tmp_path: Path, cache: ContentCache) -> None:
    place = tmp_path / "made"
    cache.root.mkdir(parents=True)
    (cache.root.parent / "x.a").write_bytes(b"")
    write_archive(SAMPLE, place)
    (place / "lib/link.so").symlink_to(leads_to)
    assert "link" in refused(place, cache).problem


def test_a_link_added_by_hand_that_stays_inside_counts_as_the_file(tmp_path: Path, cache: ContentCache) -> None:
    place = tmp_path / "made"
    write_archive(SAMPLE, place)
    (place / "lib/liby.a").symlink_to("libz.a")
    found = read_archive(place, cache)
    write_archive(found, tmp_path / "again")
    assert not (tmp_path / "again/lib/liby.a").is_symlink()
    assert (tmp_path / "again/lib/liby.a").read_bytes() == SAMPLE.files["lib/libz.a"]


def compiled(tmp_path: Path) -> bytes:
    (tmp_path / "n.c").write_text("int n;\n")
    subprocess.run(["cc", "-c", "n.c", "-o", "n.o"], cwd=tmp_path, check=True)
    return (tmp_path / "n.o").read_bytes()


def test_objects_of_another_machine_are_told_by_their_headers(tmp_path: Path) -> None:
    data = bytearray(compiled(tmp_path))
    module = ModuleFacts(native=True, objects=("object/n/n.o",), init_symbol="PyInit_n", key=KEY)
    require_machines(archive("good", {"object/n/n.o": bytes(data)}, {"n": module}))
    data[18:20] = (183).to_bytes(2, "little")
    with pytest.raises(SourceError) as caught:
        require_machines(archive("bad", {"object/n/n.o": bytes(data)}, {"n": module}))
    assert caught.value.details == "  object/n/n.o of module n: is for aarch64, and x86_64-linux-gnu is named"
    with pytest.raises(SourceError, match="not for the machine") as caught:
        require_machines(archive("bad", {"object/n/n.o": b"no object"}, {"n": module}))
    assert "is no object and no library" in caught.value.details


def test_libraries_of_another_machine_are_told_by_their_members(tmp_path: Path) -> None:
    data = bytearray(compiled(tmp_path))
    data[18:20] = (183).to_bytes(2, "little")
    (tmp_path / "n.o").write_bytes(data)
    subprocess.run(["ar", "rcs", "libn.a", "n.o"], cwd=tmp_path, check=True)
    library = (tmp_path / "libn.a").read_bytes()
    require_machines(archive("good", {"lib/aarch64-linux-gnu/libn.a": library, "lib/libn.a": library}))
    with pytest.raises(SourceError) as caught:
        require_machines(archive("bad", {"lib/x86_64-linux-gnu/libn.a": library}))
    assert caught.value.details == "  lib/x86_64-linux-gnu/libn.a: is for aarch64, and x86_64-linux-gnu is named"
