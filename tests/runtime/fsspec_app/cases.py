"""fsspec's abstract suite for memfs, and what it does not ask; run by main.py inside an executable."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.tests import abstract

ROOT = "/memfs:/work"


class MemfsFixtures(abstract.AbstractFixtures):  # type: ignore[misc]  # fsspec ships no types
    @pytest.fixture
    def fs(self) -> fsspec.AbstractFileSystem:
        return fsspec.filesystem("memfs", auto_mkdir=True)

    @pytest.fixture
    def fs_path(self, fs: fsspec.AbstractFileSystem) -> Iterator[str]:
        fs.makedirs(ROOT)
        yield ROOT
        fs.rm(ROOT, recursive=True)


class TestCopy(abstract.AbstractCopyTests, MemfsFixtures):  # type: ignore[misc]
    pass


class TestGet(abstract.AbstractGetTests, MemfsFixtures):  # type: ignore[misc]
    pass


class TestPut(abstract.AbstractPutTests, MemfsFixtures):  # type: ignore[misc]
    pass


class TestOpen(abstract.AbstractOpenTests, MemfsFixtures):  # type: ignore[misc]
    pass


class TestPipe(abstract.AbstractPipeTests, MemfsFixtures):  # type: ignore[misc]
    pass


class TestMore(MemfsFixtures):
    def test_it_is_registered_but_not_imported(self) -> None:
        assert "memfs" in fsspec.available_protocols()
        code = "import fsspec, sys; print('frazil_runtime.filesystem' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"
        assert fsspec.get_filesystem_class("memfs").__module__ == "frazil_runtime.filesystem"

    @pytest.mark.parametrize(
        "path", ["memfs://work/a", "memfs:/work/a", "/memfs:/work/a", "/work/a", "work/a/", "memfs:///work//a"]
    )
    def test_all_spellings_name_one_file(self, fs: fsspec.AbstractFileSystem, fs_path: str, path: str) -> None:
        fs.pipe_file(f"{fs_path}/a", b"text")
        assert fs.cat_file(path) == b"text"
        assert fs.info(path)["name"] == "/memfs:/work/a"
        assert fs.unstrip_protocol(path) == "memfs://work/a"
        assert fs.lexists(path)
        assert fs._parent(path) == fs_path

    @pytest.mark.parametrize("root", ["", "/", "memfs:", "memfs://", "/memfs:", "/memfs:/"])
    def test_the_root(self, fs: fsspec.AbstractFileSystem, root: str) -> None:
        assert "/memfs:/app" in fs.ls(root, detail=False)
        assert fs.isdir(root)
        assert fs._parent(root) == "/memfs:"
        assert fs.unstrip_protocol(root) == "memfs://"

    def test_what_fsspec_writes_everybody_reads(self, fs: fsspec.AbstractFileSystem, fs_path: str) -> None:
        with fsspec.open("memfs://work/deep/er.txt", "wt", auto_mkdir=True) as file:
            file.write("text")
        assert Path("/memfs:/work/deep/er.txt").read_text() == "text"
        with open("memfs://work/other", "w") as plain:  # noqa: PTH123 - pathlib makes one slash of two
            plain.write("1")
        assert fs.find(fs_path) == ["/memfs:/work/deep/er.txt", "/memfs:/work/other"]
        assert fs.glob("memfs://work/*/*.txt") == ["/memfs:/work/deep/er.txt"]
        assert fsspec.open_files("memfs://work/**/*.txt")[0].path == "/memfs:/work/deep/er.txt"
        assert fsspec.open_local("memfs://work/other") == "/memfs:/work/other"
        assert sorted(fs.du(fs_path, total=False).values()) == [1, 4]

    def test_move_and_links(self, fs: fsspec.AbstractFileSystem, fs_path: str) -> None:
        fs.pipe_file(f"{fs_path}/a", b"text")
        fs.mv("memfs://work/a", "memfs://work/sub/b")
        assert not fs.exists("memfs://work/a")
        fs.symlink("memfs://work/sub/b", "memfs://work/link")
        fs.link("memfs://work/sub/b", "memfs://work/hard")
        assert fs.islink("memfs://work/link")
        assert fs.cat_file("work/link") == fs.cat_file("work/hard") == b"text"
        fs.chmod("memfs://work/hard", 0o600)
        assert fs.info("work/sub/b")["mode"] & 0o777 == 0o600
        with pytest.raises(FileNotFoundError):
            fs.mv("memfs://work/gone", "memfs://work/x")

    def test_a_transaction_leaves_nothing_on_disk(
        self, fs: fsspec.AbstractFileSystem, fs_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with fs.transaction:
            with fs.open("memfs://work/a", "wb") as file:
                file.write(b"text")
            assert not fs.exists("memfs://work/a")
            assert list(tmp_path.iterdir()) == []
        assert fs.cat_file("memfs://work/a") == b"text"
        with pytest.raises(ZeroDivisionError), fs.transaction, fs.open("memfs://work/b", "wb") as file:
            file.write(b"text"[1 // 0])
        assert fs.ls(fs_path, detail=False) == ["/memfs:/work/a"]

    @pytest.mark.usefixtures("fs_path")
    def test_get_and_put_cross_the_border(self, fs: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
        (tmp_path / "in").write_bytes(bytes(range(256)) * 4096)
        fs.put(str(tmp_path / "in"), "memfs://work/x")
        assert Path("/memfs:/work/x").stat().st_size == 1 << 20
        fs.get("memfs://work/x", str(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
        assert not Path(f"/memfs:{tmp_path}").exists()

    def test_it_is_pickled(self, fs: fsspec.AbstractFileSystem, fs_path: str) -> None:
        fs.pipe_file(f"{fs_path}/a", b"text")
        twin = pickle.loads(pickle.dumps(fs))
        assert twin.cat_file("work/a") == b"text"
        assert fsspec.AbstractFileSystem.from_json(fs.to_json()) == fs

    def test_compression_by_name(self, fs_path: str) -> None:
        with fsspec.open(f"memfs://{fs_path[8:]}/a.gz", "wb", compression="infer") as file:
            file.write(b"text" * 100)
        assert Path("/memfs:/work/a.gz").read_bytes()[:2] == b"\x1f\x8b"
        with fsspec.open("memfs://work/a.gz", compression="infer") as file:
            assert file.read() == b"text" * 100
