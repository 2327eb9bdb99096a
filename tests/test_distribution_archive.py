"""Archives of Pythons, packed here from the running installation, and broken ones."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import io
import json
import subprocess
import sys
import sysconfig
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from frazil import distribution_archive
from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, running
from frazil.distribution_archive import unpack
from frazil.errors import DistributionError, UsageError

SHORT = f"{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = {"test", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages", "lib2to3", "__pycache__", "pydoc_data"}


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(tmp_path / "cache")


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if LEFT_OUT & set(Path(member.name).parts) else member


def _add_installation(tar: tarfile.TarFile, base: str, packing: Path) -> PythonDistribution:
    """Pack what a build needs of the running installation."""
    found = running(ContentCache(packing))
    prefix = Path(sys.base_prefix)
    if found.shared_library is None or found.static_library is None or prefix == Path("/usr"):
        pytest.skip("the running Python has no installation of its own with both forms of libpython")
    tar.add(found.executable, f"{base}/bin/python{SHORT}")
    link = tarfile.TarInfo(f"{base}/bin/python3")
    link.type, link.linkname = tarfile.SYMTYPE, f"python{SHORT}"
    tar.addfile(link)
    hard = tarfile.TarInfo(f"{base}/bin/python")
    hard.type, hard.linkname = tarfile.LNKTYPE, f"{base}/bin/python{SHORT}"
    tar.addfile(hard)
    tar.add(found.shared_library, f"{base}/lib/{found.shared_library.name}")
    tar.add(found.stdlib, f"{base}/lib/python{SHORT}", filter=_wanted)
    tar.add(sysconfig.get_path("include"), f"{base}/include/python{SHORT}")
    return found


@pytest.fixture(scope="module")
def install_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "install_only.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        _add_installation(tar, "python", path.parent)
    return path


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "full.tar.zst"
    with (
        path.open("wb") as file,
        zstandard.ZstdCompressor(level=1).stream_writer(file) as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        found = _add_installation(tar, "python/install", path.parent)
        assert found.static_library is not None
        assert found.shared_library is not None
        library = tarfile.TarInfo("python/build/lib/libextra.a")
        library.size = 8
        tar.addfile(library, io.BytesIO(b"!<arch>\n"))
        static = found.static_library.relative_to(found.stdlib)
        metadata = {
            "version": "8",
            "python_exe": f"install/bin/python{SHORT}",
            "python_paths": {"include": f"install/include/python{SHORT}"},
            "build_info": {
                "core": {
                    "static_lib": f"install/lib/python{SHORT}/{static}",
                    "shared_lib": f"install/lib/{found.shared_library.name}",
                    "links": [{"name": "m", "system": True}],
                },
                "extensions": {
                    "_extra": [{"in_core": False, "links": [{"name": "extra", "path_static": "build/lib/libextra.a"}]}],
                    "_other": [{"shared_lib": "x.so", "links": [{"name": "other", "system": True}]}],
                },
            },
        }
        text = json.dumps(metadata).encode()
        description = tarfile.TarInfo("python/PYTHON.json")
        description.size = len(text)
        tar.addfile(description, io.BytesIO(text))
    return path


def _version_of(distribution: PythonDistribution) -> str:
    code = "import sys, json, encodings, _socket; print(sys.version.split()[0], sys.prefix)"
    asked = subprocess.run([distribution.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    version, prefix = asked.stdout.split()
    assert distribution.executable.is_relative_to(prefix)
    return version


def _lies_in(path: Path | None, cache: ContentCache) -> bool:
    return path is not None and path.exists() and path.is_relative_to(cache.root.resolve())


def test_install_only_layout(install_only: Path, cache: ContentCache) -> None:
    found = unpack(str(install_only), None, cache)
    assert _version_of(found) == found.full_version == sys.version.split()[0]
    assert all(_lies_in(path, cache) for path in (found.stdlib, found.include, found.shared_library, found.static_library))
    assert found.stdlib_modules == running(cache).stdlib_modules
    original, copy = running(cache).stdlib / "os.py", found.stdlib / "os.py"
    assert int(original.stat().st_mtime) == int(copy.stat().st_mtime)


def test_full_layout(full: Path, cache: ContentCache) -> None:
    found = unpack(str(full), hashlib.sha256(full.read_bytes()).hexdigest(), cache)
    assert _version_of(found) == found.full_version
    assert all(_lies_in(path, cache) for path in (found.stdlib, found.include, found.shared_library, found.static_library))
    assert found.link_libraries[0] == "-lm"
    assert [Path(one).name for one in found.link_libraries[1:]] == ["libextra.a"]


def test_archive_is_unpacked_once(install_only: Path, cache: ContentCache) -> None:
    first = unpack(str(install_only), None, cache)
    marker = first.stdlib.parent / "marker"
    marker.touch()
    assert unpack(str(install_only), None, cache) == first
    assert marker.exists()


@contextlib.contextmanager
def _served(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a directory on the loopback interface; gives the URL and the paths that were asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(directory))  # type: ignore[arg-type]

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            del code, size
            asked.append(self.path)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name in the base class
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def test_url(install_only: Path, cache: ContentCache) -> None:
    digest = hashlib.sha256(install_only.read_bytes()).hexdigest()
    with _served(install_only.parent) as (url, asked):
        found = unpack(f"{url}/{install_only.name}", digest, cache)
        assert unpack(f"{url}/{install_only.name}", f"sha256:{digest.upper()}", cache) == found
    assert asked == [f"/{install_only.name}"]
    assert _version_of(found) == found.full_version
    assert _entries(cache, "download") == []


def _entries(cache: ContentCache, kind: str) -> list[Path]:
    """What stands in the cache, but for locks."""
    place = cache.root / kind
    return [one for one in place.rglob("*") if one.is_file() and one.suffix != ".lock"] if place.exists() else []


def test_url_needs_a_digest(cache: ContentCache) -> None:
    with pytest.raises(UsageError, match="needs its SHA-256"):
        unpack("https://127.0.0.1/python.tar.gz", None, cache)
    with pytest.raises(UsageError, match="no SHA-256 digest"):
        unpack("https://127.0.0.1/python.tar.gz", "1234", cache)
    with pytest.raises(UsageError, match="http or https only"):
        unpack("file:///etc/passwd", "0" * 64, cache)


def test_url_that_fails(tmp_path: Path, cache: ContentCache) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"other bytes")
    with _served(tmp_path) as (url, _):
        with pytest.raises(DistributionError, match="SHA-256 differs") as caught:
            unpack(f"{url}/a.tar.gz", "0" * 64, cache)
        assert hashlib.sha256(b"other bytes").hexdigest() in caught.value.details
        with pytest.raises(DistributionError, match="cannot be downloaded: File not found"):
            unpack(f"{url}/absent.tar.gz", "0" * 64, cache)
    with pytest.raises(DistributionError, match="cannot be downloaded"):
        unpack(f"{url}/a.tar.gz", "0" * 64, cache)
    assert _entries(cache, "download") == []


def test_download_is_bounded(tmp_path: Path, cache: ContentCache, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tar.gz").write_bytes(bytes(1000))
    monkeypatch.setattr(distribution_archive, "MAX_DOWNLOAD", 999)
    with _served(tmp_path) as (url, _), pytest.raises(DistributionError, match="larger than"):
        unpack(f"{url}/a.tar.gz", "0" * 64, cache)


def test_wrong_digest_of_a_file(install_only: Path, cache: ContentCache) -> None:
    with pytest.raises(DistributionError, match="SHA-256 differs"):
        unpack(str(install_only), "0" * 64, cache)
    assert _entries(cache, "distribution") == []


def test_file_that_is_no_archive(tmp_path: Path, cache: ContentCache) -> None:
    for content in (b"", b"text", b"PK\3\4"):
        (tmp_path / "a.tar.gz").write_bytes(content)
        with pytest.raises(DistributionError, match="neither a"):
            unpack(str(tmp_path / "a.tar.gz"), None, cache)
    with pytest.raises(DistributionError, match="cannot be read: No such file"):
        unpack(str(tmp_path / "absent.tar.gz"), None, cache)
    with pytest.raises(DistributionError, match="cannot be read: Is a directory"):
        unpack(str(tmp_path), None, cache)


def test_truncated_archives(install_only: Path, full: Path, tmp_path: Path, cache: ContentCache) -> None:
    for archive in (install_only, full):
        data = archive.read_bytes()
        for size in (3, 20, 5000, len(data) // 2, len(data) - 1000, len(data) - 9):
            broken = tmp_path / archive.name
            broken.write_bytes(data[:size])
            with pytest.raises(DistributionError) as caught:
                unpack(str(broken), None, cache)
            assert "corrupt" in caught.value.problem or "neither" in caught.value.problem
            assert caught.value.where == str(broken)
    assert _entries(cache, "distribution") == []


def test_flipped_byte(install_only: Path, tmp_path: Path, cache: ContentCache) -> None:
    data = bytearray(install_only.read_bytes())
    data[len(data) // 2] ^= 0x10
    broken = tmp_path / "a.tar.gz"
    broken.write_bytes(data)
    with pytest.raises(DistributionError, match="corrupt"):
        unpack(str(broken), None, cache)
    assert _entries(cache, "distribution") == []


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size, member.mode = kind, link, size, 0o755
    return member


def _packed(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)) if member.isreg() else None)
    return path


LINK = tarfile.SYMTYPE
UNSAFE: dict[str, tuple[tarfile.TarInfo, ...]] = {
    "parent": (_member("python/../../evil"),),
    "absolute": (_member("/tmp/evil"),),
    "link to the parent": (_member("python/link", LINK, "../../evil"),),
    "absolute link": (_member("python/link", LINK, "/etc/passwd"),),
    "through a link": (_member("python/link", LINK, "."), _member("python/link/evil")),
    "over a link": (_member("python/link", LINK, "target"), _member("python/link")),
    "links that lead out together": (
        _member("python/a/b", tarfile.DIRTYPE),
        _member("python/l", LINK, "a/b"),
        _member("python/m", LINK, "l/../../../evil"),
    ),
    "circle": (_member("python/a", LINK, "b"), _member("python/b", LINK, "a")),
    "hard link to the outside": (_member("python/hard", tarfile.LNKTYPE, "../../etc/passwd"),),
    "hard link to nothing": (_member("python/hard", tarfile.LNKTYPE, "python/absent"),),
    "hard link to a link": (_member("python/l", LINK, "x"), _member("python/h", tarfile.LNKTYPE, "python/l")),
    "device": (_member("python/null", tarfile.CHRTYPE),),
    "block device": (_member("python/disk", tarfile.BLKTYPE),),
    "fifo": (_member("python/fifo", tarfile.FIFOTYPE),),
    "file over a directory": (_member("python/a", tarfile.DIRTYPE), _member("python/a")),
    "file as a directory": (_member("python/a"), _member("python/a/b")),
    "endless name": (_member("python/" + "a" * 300),),
    "nothing": (),
    "something else": (_member("README"),),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_archives(tmp_path: Path, cache: ContentCache, name: str) -> None:
    archive = _packed(tmp_path / "a.tar.gz", *UNSAFE[name])
    with pytest.raises(DistributionError) as caught:
        unpack(str(archive), None, cache)
    assert caught.value.where == str(archive)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.tar.gz", "cache"]
    assert _entries(cache, "distribution") == []


@pytest.mark.parametrize(("name", "value"), [("MAX_UNPACKED", 10_000), ("MAX_MEMBERS", 3)])
def test_size_is_bounded(tmp_path: Path, cache: ContentCache, monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    archive = _packed(tmp_path / "a.tar.gz", *(_member(f"python/{number}", size=3000) for number in range(4)))
    monkeypatch.setattr(distribution_archive, name, value)
    with pytest.raises(DistributionError, match="too large"):
        unpack(str(archive), None, cache)
    assert _entries(cache, "distribution") == []


def test_headers_are_bounded(tmp_path: Path, cache: ContentCache) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**33
    archive = tmp_path / "a.tar.gz"
    with gzip.open(archive, "wb", compresslevel=1) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(2**24))
    with pytest.raises(DistributionError, match="headers of more than 4 MiB"):
        unpack(str(archive), None, cache)


def test_archive_with_a_wrong_python(tmp_path: Path, cache: ContentCache) -> None:
    program = b"#!/bin/sh\necho no Python\n"
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(_member("python/bin/python3", size=len(program)), io.BytesIO(program))
    with pytest.raises(DistributionError, match="no working Python"):
        unpack(str(archive), None, cache)
    assert _entries(cache, "distribution") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("build_info"), "not understood"),
        (lambda data: data.update(python_exe="../../bin/sh"), "lies outside"),
        (lambda data: data.update(python_exe="install/bin/absent"), "lacks the interpreter"),
        (lambda data: data.update(build_info=[]), "not understood"),
    ],
)
def test_damaged_description(
    tmp_path: Path, cache: ContentCache, change: Callable[[dict[str, object]], None], message: str
) -> None:
    metadata: dict[str, object] = {
        "python_exe": "install/bin/python3",
        "python_paths": {},
        "build_info": {"core": {}},
    }
    change(metadata)
    text = json.dumps(metadata).encode()
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(_member("python/PYTHON.json", size=len(text)), io.BytesIO(text))
    with pytest.raises(DistributionError, match=message):
        unpack(str(archive), None, cache)
    assert _entries(cache, "distribution") == []


def test_permissions_are_tame(tmp_path: Path, cache: ContentCache, monkeypatch: pytest.MonkeyPatch) -> None:
    program, library = _member("python/bin/python3"), _member("python/lib")
    program.mode, library.mode = 0o6777, 0o000
    archive = _packed(tmp_path / "a.tar.gz", program, library)
    modes: list[int] = []

    def look(executable: Path, _cache: ContentCache, _overrides: object) -> PythonDistribution:
        modes.extend(one.stat().st_mode & 0o7777 for one in (executable, executable.parent.parent / "lib"))
        raise DistributionError("enough")

    monkeypatch.setattr(distribution_archive, "describe", look)
    with pytest.raises(DistributionError, match="enough"):
        unpack(str(archive), None, cache)
    assert modes == [0o755, 0o644]
