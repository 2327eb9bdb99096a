"""Updates from a TUF repository on a loopback server: what a client takes, and every way in which a repository can lie."""

from __future__ import annotations

import json
import socket
import zipfile
from typing import TYPE_CHECKING

import pytest

from frazil.errors import OutputError, TrustError
from frazil.pmm.publishing import Online, publish
from frazil_runtime.pmm import documents, failures, fetcher, trust, updating
from frazil_runtime.pmm.archive import ZipStorage
from signed_sets import EXPIRES, Memory, Publisher, Settings, key, pmm, settings
from static_server import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD = {"telemetry": pmm("VERSION = 1"), "shared": pmm("X = 0")}
NEW = {"telemetry": pmm("VERSION = 2"), "shared": pmm("X = 0")}
PUBLISHER = Publisher()
FIRST = PUBLISHER.index(1, OLD)
SECOND = PUBLISHER.index(2, NEW, before=FIRST)
ONLINE = Online((key("online"),), EXPIRES)


def put_up(server: Server, index: bytes, modules: dict[str, bytes], roots: dict[int, bytes] | None = None) -> None:
    """Publish a set where the server has its files."""
    storage = PUBLISHER.flat(index, modules, roots)
    publish(storage, Settings(PUBLISHER.root(), "/nonexistent"), server.directory, ONLINE)


def _file(server: Server, name: str) -> Path:
    return server.directory / "metadata" / name


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "repository") as served:
        yield served


@pytest.fixture
def trusted(tmp_path: Path) -> Settings:
    return settings(tmp_path, PUBLISHER.root())


def modules(storage: Memory, trusted: Settings) -> dict[str, bytes]:
    """What the next start of the program uses."""
    trust.opened.clear()
    return {name: storage.content[entry.key] for name, entry in trust.open_index(storage, trusted).items()}


def test_only_what_changed_is_fetched(server: Server, trusted: Settings) -> None:
    storage = Memory()
    put_up(server, FIRST, OLD)
    assert updating.update_storage(server.url, storage, trusted, trial=False) == (1, True, ("shared", "telemetry"))
    assert modules(storage, trusted) == OLD
    put_up(server, SECOND, NEW)
    server.asked.clear()
    assert updating.update_storage(server.url, storage, trusted, trial=False) == (2, True, ("telemetry",))
    assert modules(storage, trusted) == NEW
    digest = documents.sha256_hex(NEW["telemetry"])
    assert server.asked == [
        "/metadata/2.root.json",
        "/metadata/timestamp.json",
        "/metadata/2.snapshot.json",
        "/metadata/2.targets.json",
        f"/targets/{digest}.telemetry.pmm",
    ]
    server.asked.clear()
    assert updating.update_storage(server.url, storage, trusted, trial=False) == (2, False, ())
    assert server.asked == ["/metadata/2.root.json", "/metadata/timestamp.json"]


def test_an_update_from_the_programs_code_is_on_trial(server: Server, trusted: Settings) -> None:
    storage = Memory()
    put_up(server, FIRST, OLD)
    updating.update_storage(server.url, storage, trusted, trial=False)
    assert modules(storage, trusted) == OLD
    put_up(server, SECOND, NEW)
    assert updating.update(server.url).version == 2
    assert modules(storage, trusted) == NEW
    with pytest.raises(failures.UpdateError, match="the modules that run now are on trial"):
        updating.update(server.url)
    assert trust.confirm()
    assert updating.update(server.url).changed is False


def test_which_storage_is_meant(server: Server, trusted: Settings, tmp_path: Path) -> None:
    trust.opened.clear()
    with pytest.raises(failures.UpdateError, match="the program has not exactly one signed storage"):
        updating.update(server.url)
    first = Memory()
    trust.open_index(first, trusted)
    with pytest.raises(failures.UpdateError, match="memory:other: this is no signed storage of the program"):
        updating.update(server.url, "memory:other")
    trust.open_index(Memory("memory:other"), trusted)
    with pytest.raises(failures.UpdateError, match=r"Name one of them\. There are: memory:modules, memory:other"):
        updating.update(server.url)
    put_up(server, FIRST, OLD)
    assert updating.update(server.url, "memory:modules").version == 1
    assert "@set" in first.content
    with zipfile.ZipFile(tmp_path / "modules.zip", "w") as file:
        file.writestr("@index", FIRST)
    trust.opened.clear()
    read_only = ZipStorage(str(tmp_path / "modules.zip"))
    trust.open_index(read_only, trusted)
    with pytest.raises(failures.UpdateError, match=r"modules\.zip: this storage cannot be written to"):
        updating.update(server.url)


def test_a_root_document_that_follows_comes_too(server: Server, trusted: Settings) -> None:
    storage = Memory()
    put_up(server, FIRST, OLD)
    updating.update_storage(server.url, storage, trusted, trial=False)
    second_root = PUBLISHER.root(2, "alice", "bob", "carol", signers=("bob", "carol"))
    index = PUBLISHER.index(2, NEW, "bob", "carol", before=FIRST)
    put_up(server, index, NEW, {2: second_root})
    updating.update_storage(server.url, storage, trusted, trial=False)
    assert modules(storage, trusted) == NEW
    assert storage.content["@root.2"] == second_root


def refused(kind: type[failures.TrustError], server: Server, trusted: Settings, storage: Memory | None = None) -> str:
    """The message of an update that must fail and leave all as it was."""
    target = storage or Memory()
    before = dict(target.content)
    with pytest.raises(kind) as caught:
        updating.update_storage(server.url, target, trusted, trial=False)
    assert target.content.get("@set") == before.get("@set")
    return str(caught.value)


def test_nothing_is_published(server: Server, trusted: Settings) -> None:
    message = refused(failures.UpdateError, server, trusted)
    assert message.startswith(f"{server.url}: this cannot be fetched (")
    assert message.endswith("What is installed stays as it is.")


def test_nobody_answers(trusted: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(failures.UpdateError, match="this cannot be fetched"):
        updating.update_storage(f"http://127.0.0.1:{port}", Memory(), trusted, trial=False)
    for url in ("file:///etc", "ftp://host", "repository", ""):
        with pytest.raises(failures.UpdateError, match="this is no URL of a repository"):
            updating.update_storage(url, Memory(), trusted, trial=False)


def altered(path: Path, **signed: object) -> None:
    """Change members of a document's body, whose signatures then do not hold."""
    document = json.loads(path.read_bytes())
    document["signed"].update(signed)
    path.write_text(json.dumps(document))


def test_an_altered_timestamp(server: Server, trusted: Settings) -> None:
    put_up(server, FIRST, OLD)
    altered(_file(server, "timestamp.json"), version=9)
    assert "its metadata is not signed by enough keys" in refused(failures.SignatureError, server, trusted)


def test_mix_and_match_of_snapshots(server: Server, trusted: Settings) -> None:
    put_up(server, FIRST, OLD)
    old = _file(server, "1.snapshot.json").read_bytes()
    put_up(server, SECOND, NEW)
    _file(server, "2.snapshot.json").write_bytes(old)
    assert "this is not what its metadata names" in refused(failures.MismatchError, server, trusted)


def test_mix_and_match_of_indexes(server: Server, trusted: Settings) -> None:
    put_up(server, FIRST, OLD)
    put_up(server, SECOND, NEW)
    _file(server, "2.targets.json").write_bytes(FIRST)
    assert "this is not what its metadata names" in refused(failures.MismatchError, server, trusted)


def test_another_module_under_the_right_name(server: Server, trusted: Settings) -> None:
    put_up(server, FIRST, OLD)
    digest = documents.sha256_hex(OLD["telemetry"])
    (server.directory / "targets" / f"{digest}.telemetry.pmm").write_bytes(NEW["telemetry"])
    message = refused(failures.MismatchError, server, trusted)
    assert message.startswith(f"{server.url}: telemetry: this is not what its metadata names")


def test_a_module_that_is_missing(server: Server, trusted: Settings) -> None:
    put_up(server, FIRST, OLD)
    digest = documents.sha256_hex(OLD["telemetry"])
    (server.directory / "targets" / f"{digest}.telemetry.pmm").unlink()
    assert f"{server.url}: telemetry: this cannot be fetched" in refused(failures.UpdateError, server, trusted)


@pytest.mark.parametrize("name", ["timestamp.json", "1.targets.json", "telemetry.pmm", "2.root.json"])
def test_endless_files(server: Server, trusted: Settings, name: str) -> None:
    put_up(server, FIRST, OLD)
    server.endless = name
    assert "this is longer than it may be" in refused(failures.MismatchError, server, trusted)


def test_a_server_that_drips(server: Server, trusted: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put_up(server, FIRST, OLD)
    server.slow = "timestamp.json"
    monkeypatch.setattr(fetcher, "PATIENCE", 0.2)
    message = refused(failures.UpdateError, server, trusted)
    assert message.startswith(f"{server.url}: it does not answer in time (")
    assert "timestamp.json: " in message


def test_roll_back_of_the_repository(server: Server, trusted: Settings) -> None:
    storage = Memory()
    put_up(server, FIRST, OLD)
    old = _file(server, "timestamp.json").read_bytes()
    put_up(server, SECOND, NEW)
    updating.update_storage(server.url, storage, trusted, trial=False)
    _file(server, "timestamp.json").write_bytes(old)
    assert "its metadata went back" in refused(failures.RollbackError, server, trusted, storage)
    assert modules(storage, trusted) == NEW


def test_roll_back_for_a_client_that_forgot(server: Server, trusted: Settings, tmp_path: Path) -> None:
    """The client's metadata may be lost; the counter still knows."""
    storage = Memory()
    put_up(server, SECOND, NEW)
    updating.update_storage(server.url, storage, trusted, trial=False)
    for file in (tmp_path / "state").rglob("*.metadata/*.json"):
        file.unlink()
    with serving(tmp_path / "old") as other:
        put_up(other, FIRST, OLD)
        message = refused(failures.RollbackError, other, trusted, storage)
    assert "index version 1 is older than version 2, which was accepted before (roll-back)" in message


def test_a_frozen_repository(server: Server, trusted: Settings) -> None:
    online = Online((key("online"),), "2026-02-01T00:00:00Z")
    publish(PUBLISHER.flat(FIRST, OLD), Settings(PUBLISHER.root(), "/nonexistent"), server.directory, online)
    assert "its metadata has expired" in refused(failures.ExpiredError, server, trusted)


def test_a_repository_of_another_application(server: Server, tmp_path: Path) -> None:
    """It is signed by the same keys, and made for another program."""
    put_up(server, FIRST, OLD)
    other = Publisher(application="other")
    trusted = settings(tmp_path, other.root(), application="other")
    message = refused(failures.TargetError, server, trusted)
    assert "this index is for the application 'orbit', not for 'other'" in message


def test_a_root_document_by_others(server: Server, trusted: Settings) -> None:
    put_up(server, FIRST, OLD)
    _file(server, "2.root.json").write_bytes(PUBLISHER.root(2, "mallory", "trudy", signers=("mallory", "trudy")))
    assert "its metadata is not signed by enough keys" in refused(failures.SignatureError, server, trusted)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"signed":{}}', b"<html>not found</html>"])
def test_what_is_no_metadata(server: Server, trusted: Settings, content: bytes) -> None:
    put_up(server, FIRST, OLD)
    _file(server, "timestamp.json").write_bytes(content)
    assert "this is no metadata of TUF" in refused(failures.MalformedError, server, trusted)


def test_a_state_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    put_up(server, FIRST, OLD)
    trusted = settings(tmp_path, PUBLISHER.root())
    assert "the counter cannot be written" in refused(failures.CounterError, server, trusted)


def test_publishing_what_is_older_or_other(server: Server) -> None:
    put_up(server, SECOND, NEW)
    with pytest.raises(TrustError, match="the repository has version 2, and this is version 1"):
        put_up(server, FIRST, OLD)
    other = PUBLISHER.index(2, OLD)
    with pytest.raises(OutputError, match="another document of this version was published"):
        put_up(server, other, OLD)


def test_publishing_with_a_key_that_may_not(tmp_path: Path) -> None:
    trusted = Settings(PUBLISHER.root(), "/nonexistent")
    with pytest.raises(TrustError, match="these keys may not sign the snapshot: the root document wants 1 of its online keys"):
        publish(PUBLISHER.flat(FIRST, OLD), trusted, tmp_path, Online((key("alice"),), EXPIRES))
    assert list(tmp_path.iterdir()) == []


def test_publishing_again_renews_the_timestamp(server: Server, trusted: Settings) -> None:
    put_up(server, FIRST, OLD)
    put_up(server, FIRST, OLD)
    assert json.loads(_file(server, "timestamp.json").read_bytes())["signed"]["version"] == 2
    assert updating.update_storage(server.url, Memory(), trusted, trial=False).version == 1
