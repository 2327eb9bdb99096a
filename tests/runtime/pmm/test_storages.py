"""What all storages have in common, against the real thing: files, databases, servers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frazil_runtime.pmm import StorageError, flash
from frazil_runtime.pmm.digest import sha256
from frazil_runtime.pmm.directory import DirectoryStorage
from frazil_runtime.pmm.redis import RedisStorage
from frazil_runtime.pmm.remote import RemoteStorage
from frazil_runtime.pmm.sqlite import SqliteStorage
from frazil_runtime.pmm.storages import is_trusted, open_storage

if TYPE_CHECKING:
    from frazil_runtime.pmm.protocol import Storage, TransactionalStorage, WritableStorage

LIMIT = 1 << 16
WRITABLE = ["dir", "sqlite", "flash", "redis", "redis+unix"]
TRANSACTIONAL = ["sqlite", "flash", "redis", "redis+unix"]
READABLE = [*WRITABLE, "zip", "http", "file"]
CONTENT = {"telemetry": b"\0\xffone", "pack.mod": b"x" * 5000, "@index": b"{}", "@root.1": b"", "é": b"e"}


class Places:
    """Makes storages of each kind, and others that look at the same content."""

    def __init__(self, place: Path, redis: tuple[str, str], web: tuple[str, Path, list[str]], name: str) -> None:
        self.place = place
        self.redis = redis
        self.web = web
        self.prefix = f"{name}:"
        self.opened: list[Any] = []

    def url(self, kind: str) -> str:
        return {
            "redis": f"{self.redis[0]}/1?prefix={self.prefix}",
            "redis+unix": f"redis+unix://:se%3Acret@{self.redis[1]}?prefix={self.prefix}",
            "http": self.web[0],
            "file": f"file://{self.web[1]}",
        }.get(kind, f"{kind}:{self.place}/storage-{kind}")

    def open(self, kind: str) -> Storage:
        file = self.place / f"storage-{kind}"
        if kind == "flash" and not file.exists():
            file.write_bytes(bytes(64 * flash.BLOCK))
            medium = flash.Medium(str(file), writable=True)
            flash.make(medium)
            medium.close()
        storage = open_storage(self.url(kind))
        if hasattr(storage, "close"):
            self.opened.append(storage)
        return storage

    def close(self) -> None:
        for storage in self.opened:
            storage.close()

    def filled(self, kind: str) -> Storage:
        storage = self.open(kind)
        if kind in WRITABLE:
            for key, data in CONTENT.items():
                storage.store(key, data)  # type: ignore[attr-defined]
        files = {key if key.startswith("@") else f"{key}.pmm": data for key, data in CONTENT.items()}
        if kind == "zip":
            with zipfile.ZipFile(self.place / "storage-zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in files.items():
                    archive.writestr(name, data)
        if kind in {"http", "file"}:
            for name, data in files.items():
                (self.web[1] / name).write_bytes(data)
        return storage


@pytest.fixture
def places(tmp_path: Path, redis_server: tuple[str, str], web: tuple[str, Path, list[str]]) -> Iterator[Places]:
    made = Places(tmp_path, redis_server, web, tmp_path.name)
    yield made
    made.close()


def writable(places: Places, kind: str) -> WritableStorage:
    storage: WritableStorage = places.open(kind)  # type: ignore[assignment]
    return storage


@pytest.mark.parametrize("kind", READABLE)
def test_found_not_here_and_broken_are_three_answers(places: Places, kind: str) -> None:
    storage = places.filled(kind)
    for key, data in CONTENT.items():
        assert storage.load(key, LIMIT) == data
        assert storage.load(key, len(data)) == data
    assert storage.load("absent", LIMIT) is None
    for key in ("../telemetry", "/etc/passwd", "a\0b", "", ".", "a" * 300, "x\r\nDEL y"):
        assert storage.load(key, LIMIT) is None
    with pytest.raises(StorageError, match=r"is broken: .*more than 4999 bytes"):
        storage.load("pack.mod", 4999)
    assert "se:cret" not in storage.name
    assert "se%3Acret" not in storage.name


@pytest.mark.parametrize("kind", [kind for kind in READABLE if kind not in {"redis", "redis+unix", "http", "file", "flash"}])
def test_a_storage_that_is_not_there_yet_has_nothing(places: Places, kind: str) -> None:
    storage = open_storage(places.url(kind))
    assert storage.load("telemetry", LIMIT) is None
    assert list(places.place.iterdir()) == [places.web[1]], "reading makes no files"


@pytest.mark.parametrize("kind", WRITABLE)
def test_what_is_written_is_read_by_others(places: Places, kind: str) -> None:
    storage, other = writable(places, kind), writable(places, kind)
    assert (storage.keys(), other.keys()) == ([], [])
    storage.store("a", b"1")
    storage.store("b.c", b"2")
    storage.store("a", b"3")
    assert (other.load("a", LIMIT), other.keys()) == (b"3", ["a", "b.c"])
    other.remove("a")
    other.remove("never")
    assert (storage.load("a", LIMIT), storage.keys()) == (None, ["b.c"])
    for key in ("../a", "a/b", "", "a\0", "@/x"):
        with pytest.raises(StorageError, match="cannot be the name of a module"):
            storage.store(key, b"")
    assert storage.keys() == ["b.c"]


@pytest.mark.parametrize("kind", TRANSACTIONAL)
def test_several_changes_are_one(places: Places, kind: str) -> None:
    storage: TransactionalStorage = places.open(kind)  # type: ignore[assignment]
    storage.replace({"a": b"1", "b": b"1"})
    with pytest.raises(StorageError):
        storage.replace({"a": b"2", "b": None, "../c": b"2"})
    assert [storage.load(key, LIMIT) for key in "ab"] == [b"1", b"1"]
    reader = places.open(kind)
    seen: set[tuple[bytes | None, ...]] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            before = reader.load("a", LIMIT)
            inside = reader.load("b", LIMIT)
            after = reader.load("a", LIMIT)
            if before == after:  # the change was not between the two
                seen.add((before, inside))

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(100, 150):  # no value twice
        storage.replace({"a": b"%d" % number, "b": b"%d" % number})
    done.set()
    thread.join()
    assert all(one == other for one, other in seen), seen
    storage.replace({"a": None, "b": b"last"})
    assert storage.keys() == ["b"]


@pytest.mark.parametrize("kind", READABLE)
def test_threads_ask_at_once(places: Places, kind: str) -> None:
    storage = places.filled(kind)
    wrong: list[object] = []

    def ask(key: str) -> None:
        for _ in range(20):
            try:
                found = storage.load(key, LIMIT)
            except StorageError as error:
                wrong.append(error)
            else:
                if found != CONTENT[key]:
                    wrong.append(found)

    threads = [threading.Thread(target=ask, args=(key,)) for key in CONTENT]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


STORE_MANY = """\
import sys
from frazil_runtime.pmm.storages import open_storage

storage = open_storage(sys.argv[1])
for number in range(25):
    storage.store(sys.argv[2], sys.argv[2].encode() * 100 + b"%d" % number)
"""


@pytest.mark.parametrize("kind", WRITABLE)
def test_processes_write_at_once(places: Places, kind: str) -> None:
    storage = writable(places, kind)
    keys = ["one", "two", "three"]
    processes = [subprocess.Popen([sys.executable, "-c", STORE_MANY, places.url(kind), key]) for key in keys]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert {key: storage.load(key, LIMIT) for key in keys} == {key: key.encode() * 100 + b"24" for key in keys}


def _as_directory(path: Path) -> None:
    path.mkdir()


def _as_garbage(path: Path) -> None:
    path.write_bytes(b"no such thing\n" * 1000)


@pytest.mark.parametrize("kind", ["sqlite", "flash", "zip"])
@pytest.mark.parametrize("spoil", [_as_directory, _as_garbage])
def test_what_is_something_else_is_broken(tmp_path: Path, kind: str, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "file")
    storage = open_storage(f"{kind}:{tmp_path}/file")
    with pytest.raises(StorageError, match=f"the storage {kind}:{tmp_path}/file is broken: "):
        storage.load("telemetry", LIMIT)


class TestDirectories:
    def test_files_have_the_modules_names(self, tmp_path: Path) -> None:
        storage = DirectoryStorage(str(tmp_path / "deep/er"))
        storage.store("pack.mod", b"1")
        storage.store("@index", b"2")
        assert sorted(path.name for path in (tmp_path / "deep/er").iterdir()) == [".lock", "@index", "pack.mod.pmm"]
        (tmp_path / "deep/er/not-a-module.pmm").touch()
        (tmp_path / "deep/er/other.txt").touch()
        assert storage.keys() == ["@index", "pack.mod"]

    def test_what_is_no_file_is_broken(self, tmp_path: Path) -> None:
        storage = DirectoryStorage(str(tmp_path))
        os.mkfifo(tmp_path / "pipe.pmm")
        (tmp_path / "circle.pmm").symlink_to("circle.pmm")
        with pytest.raises(StorageError, match=r"pipe\.pmm is no regular file"):
            storage.load("pipe", LIMIT)
        with pytest.raises(StorageError, match="cannot be opened: Too many levels of symbolic links"):
            storage.load("circle", LIMIT)
        (tmp_path / "endless.pmm").symlink_to("/dev/zero")
        with pytest.raises(StorageError, match=r"endless\.pmm is no regular file"):
            storage.load("endless", LIMIT)

    def test_a_link_at_the_lock_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "storage").mkdir()
        (tmp_path / "storage/.lock").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageError, match="it cannot be written"):
            DirectoryStorage(str(tmp_path / "storage")).store("a", b"")
        assert not (tmp_path / "elsewhere").exists()


class TestSqlite:
    def test_another_programs_database_is_left_alone(self, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "file") as connection:
            connection.execute("CREATE TABLE modules (key, data)")
        connection.close()
        before = (tmp_path / "file").read_bytes()
        storage = SqliteStorage(str(tmp_path / "file"))
        for use in (lambda: storage.load("a", LIMIT), lambda: storage.store("a", b""), storage.keys):
            with pytest.raises(StorageError, match="this is a database of something else"):
                use()
        assert (tmp_path / "file").read_bytes() == before

    def test_a_later_version_is_refused(self, tmp_path: Path) -> None:
        storage = SqliteStorage(str(tmp_path / "file"))
        storage.store("a", b"1")
        with sqlite3.connect(tmp_path / "file") as connection:
            connection.execute("PRAGMA user_version = 2")
        connection.close()
        with pytest.raises(StorageError, match="it has version 2; this program knows version 1"):
            SqliteStorage(str(tmp_path / "file")).load("a", LIMIT)

    def test_values_that_are_no_bytes(self, tmp_path: Path) -> None:
        storage = SqliteStorage(str(tmp_path / "file"))
        storage.store("a", b"1")
        with sqlite3.connect(tmp_path / "file") as connection:
            connection.execute("UPDATE modules SET data = 'text'")
        connection.close()
        with pytest.raises(StorageError, match="a is no bytes"):
            storage.load("a", LIMIT)

    def test_odd_paths(self, tmp_path: Path) -> None:
        path = tmp_path / "100%?mode=memory#x"
        SqliteStorage(str(path)).store("a", b"1")
        assert path.exists()
        assert SqliteStorage(str(path)).load("a", LIMIT) == b"1"


class TestRedis:
    def test_a_server_that_is_not_there(self, web: tuple[str, Path, list[str]]) -> None:
        storage = RedisStorage("redis://127.0.0.1:1/0")
        with pytest.raises(StorageError, match=r"the storage redis://127.0.0.1:1/0 is broken: .*Connection refused"):
            storage.load("a", LIMIT)
        # What answers, and is no Redis.
        with pytest.raises(StorageError, match="is broken: "):
            RedisStorage(web[0].replace("http", "redis")).load("a", LIMIT)

    def test_a_wrong_password(self, redis_server: tuple[str, str]) -> None:
        storage = RedisStorage(redis_server[0].replace("cret", "wrong"))
        with pytest.raises(StorageError, match="is broken: WRONGPASS"):
            storage.load("a", LIMIT)
        with (
            closing(RedisStorage(f"redis+unix:{redis_server[1]}")) as other,
            pytest.raises(StorageError, match="broken: NOAUTH"),
        ):
            other.load("a", LIMIT)

    def test_a_key_of_another_type(self, redis_server: tuple[str, str]) -> None:
        with closing(RedisStorage(f"{redis_server[0]}?prefix=typed:")) as storage:
            storage._ask(["LPUSH", "typed:a", "1"])
            with pytest.raises(StorageError, match="is broken: WRONGTYPE"):
                storage.load("a", LIMIT)

    def test_it_connects_again(self, redis_server: tuple[str, str]) -> None:
        with closing(RedisStorage(f"{redis_server[0]}?prefix=again:")) as storage:
            storage.store("a", b"1")
            assert storage._connection is not None
            storage._connection[1]._socket.shutdown(2)
            with pytest.raises(StorageError):
                storage.load("a", LIMIT)
            assert storage.load("a", LIMIT) == b"1"


class TestRemote:
    def test_what_never_changes_is_kept(self, web: tuple[str, Path, list[str]], tmp_path: Path) -> None:
        url, root, requests = web
        data = b"content"
        key = f"@object.{sha256(data).hexdigest()}"
        (root / key).write_bytes(data)
        (root / "@index").write_bytes(b"1")
        storage = RemoteStorage(url, str(tmp_path / "cache"))
        assert [storage.load(key, LIMIT), storage.load(key, LIMIT), storage.load("@index", LIMIT)] == [data, data, b"1"]
        (root / "@index").write_bytes(b"2")
        assert storage.load("@index", LIMIT) == b"2"
        assert requests.count(f"/{key}") == 1
        # A cache that somebody has spoiled is not believed.
        (tmp_path / "cache" / key.removeprefix("@object.")).write_bytes(b"spoiled")
        assert RemoteStorage(url, str(tmp_path / "cache")).load(key, LIMIT) == data
        assert requests.count(f"/{key}") == 2

    def test_a_server_that_is_not_there(self) -> None:
        with pytest.raises(StorageError, match=r"the storage http://127.0.0.1:1 is broken: ClientConnector"):
            RemoteStorage("http://user:secret@127.0.0.1:1").load("a", LIMIT)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("modules", "'modules' names no storage: it has no scheme such as dir:"),
        ("dir:modules", "'dir:modules' names no storage: its path is not absolute"),
        ("sqlite:", "'sqlite:' names no storage: its path is not absolute"),
        ("tape:/dev/st0", "'tape:/dev/st0' names no storage: there is none of the kind tape"),
        ("redis://localhost/x", "'redis://localhost/x' names no storage: "),
    ],
)
def test_urls_that_name_none(url: str, told: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_storage(url)
    assert str(caught.value).startswith(told)


def test_what_belongs_to_the_program() -> None:
    assert is_trusted("memfs:/x")
    assert is_trusted("function")
    for url in ("dir:/memfs:/x", "sqlite:/x", "functional:/x", "http://memfs:/x"):
        assert not is_trusted(url)


def test_entry_points_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "tape-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tape\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[frazil.pmm_storages]\ntape = tape_storage:Tape\n")
    (tmp_path / "tape_storage.py").write_text(
        "class Tape:\n    def __init__(self, rest):\n        self.name = 'tape:' + rest\n"
        "    def load(self, key, limit):\n        return b'from ' + self.name.encode()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert open_storage("tape:/dev/st0").load("a", LIMIT) == b"from tape:/dev/st0"
