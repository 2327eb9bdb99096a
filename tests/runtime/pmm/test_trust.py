"""Attacks on the signed index: each is refused, with the message that names it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from frazil_runtime.pmm import documents, failures, install, trust
from frazil_runtime.pmm.counter import Counter
from signed_sets import PYTHON, Memory, Publisher, Settings, pmm, settings, sign

if TYPE_CHECKING:
    from pathlib import Path

    from frazil_runtime.pmm.failures import TrustError

OLD = pmm("VERSION = 1")
NEW = pmm("VERSION = 2")
PUBLISHER = Publisher()


@pytest.fixture
def trusted(tmp_path: Path) -> Settings:
    return settings(tmp_path, PUBLISHER.root())


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    trust.opened.clear()


def refused(kind: type[TrustError], storage: Memory, trusted: Settings) -> str:
    with pytest.raises(kind) as caught:
        trust.open_index(storage, trusted)
    assert isinstance(caught.value, ImportError)
    return str(caught.value)


def opened(index: bytes, trusted: Settings, modules: dict[str, bytes] | None = None, **more: Any) -> dict[str, documents.Entry]:
    return dict(trust.open_index(PUBLISHER.flat(index, modules or {}, **more), trusted))


def test_a_signed_index_is_the_set_of_names(trusted: Settings) -> None:
    found = opened(PUBLISHER.index(1, {"telemetry": OLD, "pkg.mod": NEW}), trusted)
    assert sorted(found) == ["pkg.mod", "telemetry"]
    entry = found["telemetry"]
    assert (entry.size, entry.version, entry.package, entry.key) == (len(OLD), 1, False, "telemetry")
    documents.check_module(OLD, entry, "here")


def test_what_was_accepted_before_is_read_when_it_is_asked_for(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD, "pkg.mod": NEW})
    first, second = (trust.open_index(PUBLISHER.flat(index, {}), trusted) for _ in range(2))
    assert type(first) is not type(second)
    assert sorted(first) == sorted(second) == ["pkg.mod", "telemetry"]
    assert len(second) == 2
    assert second.get("absent") is None
    assert second.get("") is None
    for name, entry in second.items():
        documents.check_module({"telemetry": OLD, "pkg.mod": NEW}[name], entry, "here")
        assert all(getattr(entry, field) == getattr(first[name], field) for field in documents.Entry.__slots__)


def test_no_index(trusted: Settings) -> None:
    assert refused(failures.MalformedError, Memory(content={"telemetry": OLD}), trusted) == (
        "memory:modules: @index: there is no index, and modules without one are not trusted. "
        "Make it with 'frazil pmm index', sign it with 'frazil pmm sign'."
    )


def test_an_empty_storage_is_good_until_something_was_in_it(trusted: Settings) -> None:
    storage = Memory()
    assert trust.open_index(storage, trusted) == {}
    assert not trust.confirm()
    storage.content["@index"] = PUBLISHER.index(1, {"telemetry": OLD})
    assert trust.open_index(storage, trusted)
    storage.content.clear()
    assert "there is no index" in refused(failures.MalformedError, storage, trusted)


def test_unsigned(trusted: Settings) -> None:
    index = documents.join((), documents.encode(PUBLISHER.body(1, {"telemetry": OLD})))
    assert "this is unsigned" in refused(failures.SignatureError, PUBLISHER.flat(index, {}), trusted)


def test_unknown_key(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD}, "mallory", "trudy")
    assert "this is signed by unknown keys only" in refused(failures.SignatureError, PUBLISHER.flat(index, {}), trusted)


def test_below_the_threshold(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD}, "alice", "mallory")
    message = refused(failures.SignatureError, PUBLISHER.flat(index, {}), trusted)
    assert "this has 1 of the 2 signatures that are needed" in message


def test_one_key_counts_once(trusted: Settings) -> None:
    signatures, body = documents.split(PUBLISHER.index(1, {"telemetry": OLD}, "alice"), 10**6, "")
    twice = documents.join(signatures * 2, body)
    assert "this is no signed document" in refused(failures.MalformedError, PUBLISHER.flat(twice, {}), trusted)
    role = documents.read_root(documents.split(PUBLISHER.root(), 10**6, "")[1], "").roles["targets"]
    assert len(documents.good_signers(signatures * 2, body, role)) == 1


@pytest.mark.parametrize("core", [True, False])
def test_signatures_by_the_core_of_the_library_and_by_its_public_names(monkeypatch: pytest.MonkeyPatch, *, core: bool) -> None:
    if not core:
        monkeypatch.setitem(sys.modules, "cryptography.hazmat.bindings._rust", None)
    signatures, body = documents.split(PUBLISHER.index(1, {"telemetry": OLD}), 10**6, "")
    role = documents.read_root(documents.split(PUBLISHER.root(), 10**6, "")[1], "").roles["targets"]
    assert len(documents.good_signers(signatures, body, role)) == role.threshold
    assert documents.good_signers(signatures, body + b" ", role) == []
    assert documents.good_signers([(keyid, sig[:-1]) for keyid, sig in signatures], body, role) == []
    assert documents.good_signers([(keyid, bytes(64)) for keyid, _ in signatures], body, role) == []


def test_altered_after_signing(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD})
    altered = index.replace(b'"version":1,"x-frazil"', b'"version":9,"x-frazil"')
    assert altered != index
    message = refused(failures.SignatureError, PUBLISHER.flat(altered, {}), trusted)
    assert "a signature does not hold: this was altered, or another document was signed (0 of the 2" in message


def test_every_bit_of_an_index_matters(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD})
    storage = PUBLISHER.flat(index, {})
    for at in range(0, len(index) * 8, 7):  # every bit takes 20 s; seven has no common divisor with eight
        altered = bytearray(index)
        altered[at // 8] ^= 1 << at % 8
        storage.content["@index"] = bytes(altered)
        with pytest.raises(failures.TrustError):
            trust.open_index(storage, trusted)


def test_truncated_at_every_byte(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD})
    storage = PUBLISHER.flat(index, {})
    for size in range(len(index)):
        storage.content["@index"] = index[:size]
        with pytest.raises((failures.MalformedError, failures.SignatureError)):
            trust.open_index(storage, trusted)


def test_an_old_signed_index_with_other_modules_in_its_place(trusted: Settings) -> None:
    entry = opened(PUBLISHER.index(1, {"telemetry": NEW}), trusted)["telemetry"]
    with pytest.raises(failures.MismatchError) as caught:
        documents.check_module(OLD, entry, "memory:modules")
    assert str(caught.value) == (
        "memory:modules: telemetry: these are not the bytes of version 1 that the index names "
        "(damaged, swapped or of another set). Install the set again."
    )


def test_roll_back_of_the_index(trusted: Settings) -> None:
    first = PUBLISHER.index(1, {"telemetry": OLD})
    second = PUBLISHER.index(2, {"telemetry": NEW}, before=first)
    opened(second, trusted)
    assert "index version 1 is older than version 2, which was accepted before (roll-back)" in refused(
        failures.RollbackError, PUBLISHER.flat(first, {}), trusted
    )


def test_roll_back_of_a_module_in_a_newer_index(trusted: Settings) -> None:
    first = PUBLISHER.index(1, {"telemetry": OLD})
    opened(PUBLISHER.index(2, {"telemetry": NEW}, before=first), trusted)
    body = PUBLISHER.body(3, {"telemetry": OLD})
    body["targets"]["telemetry.pmm"]["custom"]["version"] = 1
    message = refused(failures.RollbackError, PUBLISHER.flat(sign(body, "alice", "bob"), {}), trusted)
    assert "memory:modules: telemetry: version 1 is older than version 2, which was accepted before (roll-back)" in message


def test_old_bytes_with_an_inflated_version_are_new_bytes_to_the_signature(trusted: Settings) -> None:
    """Name, version, target and digest are signed together, so none of them can be raised alone."""
    index = PUBLISHER.index(1, {"telemetry": OLD})
    inflated = index.replace(b'"package":false,"version":1', b'"package":false,"version":9')
    assert inflated != index
    assert "a signature does not hold" in refused(failures.SignatureError, PUBLISHER.flat(inflated, {}), trusted)


def test_another_index_of_the_same_version(trusted: Settings) -> None:
    opened(PUBLISHER.index(1, {"telemetry": OLD}), trusted)
    other = PUBLISHER.index(1, {"telemetry": NEW})
    message = refused(failures.RollbackError, PUBLISHER.flat(other, {}), trusted)
    assert "this is another index of version 1 than the one accepted before (replay)" in message


def test_other_bytes_under_the_same_module_version(trusted: Settings) -> None:
    opened(PUBLISHER.index(1, {"telemetry": OLD}), trusted)
    body = PUBLISHER.body(2, {"telemetry": NEW})
    body["targets"]["telemetry.pmm"]["custom"]["version"] = 1
    message = refused(failures.RollbackError, PUBLISHER.flat(sign(body, "alice", "carol"), {}), trusted)
    assert "these are other bytes than those of version 1 before (replay)" in message


def test_a_module_that_comes_back_is_newer_than_it_was(trusted: Settings) -> None:
    first = PUBLISHER.index(1, {"telemetry": NEW, "extra": OLD})
    second = PUBLISHER.index(2, {"extra": OLD}, before=first)
    third = PUBLISHER.index(3, {"telemetry": OLD, "extra": OLD}, before=second)
    for index in (first, second, third):
        found = opened(index, trusted)
    assert (found["telemetry"].version, found["extra"].version) == (3, 1)


def test_another_application(trusted: Settings) -> None:
    index = Publisher(application="other").index(1, {"telemetry": OLD})
    message = refused(failures.TargetError, PUBLISHER.flat(index, {}), trusted)
    assert "this index is for the application 'other', not for 'orbit'" in message


def test_another_python(trusted: Settings) -> None:
    index = Publisher(python="cpython-39").index(1, {"telemetry": OLD})
    message = refused(failures.TargetError, PUBLISHER.flat(index, {}), trusted)
    assert f"this index is for cpython-39, and the program has {PYTHON}" in message


def test_a_root_document_of_another_application(tmp_path: Path) -> None:
    other = settings(tmp_path, Publisher(application="other").root())
    message = refused(failures.TargetError, PUBLISHER.flat(PUBLISHER.index(1, {}), {}), other)
    assert message == "orbit: its root document is for 'other'"


def test_no_root_document(tmp_path: Path) -> None:
    message = refused(failures.SignatureError, PUBLISHER.flat(PUBLISHER.index(1, {}), {}), settings(tmp_path, None))
    assert "this program was built without a root document, so that nobody's signature counts" in message


def test_expired(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD}, expires="2026-02-01T00:00:00Z")
    message = refused(failures.ExpiredError, PUBLISHER.flat(index, {}), trusted)
    assert "the index expired at 2026-02-01T00:00:00Z, and it is 20" in message


def _clock_of(monkeypatch: pytest.MonkeyPatch, now: str) -> None:
    monkeypatch.setattr(trust, "_clock", lambda: now)


def test_a_clock_that_was_never_set(trusted: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _clock_of(monkeypatch, "1970-01-01T00:00:00Z")
    index = PUBLISHER.index(1, {"telemetry": OLD}, expires="2026-02-01T00:00:00Z")
    assert opened(index, trusted)
    trusted.floor = "2026-02-02T00:00:00Z"  # the executable was built then
    message = refused(failures.ExpiredError, PUBLISHER.flat(index, {}), trusted)
    assert "it is 2026-02-02T00:00:00Z at least" in message


def test_a_clock_that_was_set_back(trusted: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _clock_of(monkeypatch, "2026-03-01T00:00:00Z")
    first = PUBLISHER.index(1, {"telemetry": OLD})
    opened(first, trusted)
    _clock_of(monkeypatch, "2026-01-02T00:00:00Z")
    index = PUBLISHER.index(2, {"telemetry": OLD}, before=first, expires="2026-02-01T00:00:00Z")
    message = refused(failures.ExpiredError, PUBLISHER.flat(index, {}), trusted)
    assert "it is 2026-03-01T00:00:00Z at least" in message


def test_what_was_accepted_may_outlive_its_date(trusted: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _clock_of(monkeypatch, "2026-01-02T00:00:00Z")
    index = PUBLISHER.index(1, {"telemetry": OLD}, expires="2026-02-01T00:00:00Z")
    opened(index, trusted)
    _clock_of(monkeypatch, "2026-03-01T00:00:00Z")
    assert "expired" in refused(failures.ExpiredError, PUBLISHER.flat(index, {}), trusted)
    trusted.expired = "installed"
    assert opened(index, trusted)
    later = PUBLISHER.index(2, {"telemetry": OLD}, before=index, expires="2026-02-02T00:00:00Z")
    assert "expired" in refused(failures.ExpiredError, PUBLISHER.flat(later, {}), trusted)


def test_an_expired_root_document(tmp_path: Path) -> None:
    trusted = settings(tmp_path, PUBLISHER.root(expires="2026-02-01T00:00:00Z"))
    message = refused(failures.ExpiredError, PUBLISHER.flat(PUBLISHER.index(1, {}), {}), trusted)
    assert "the root document expired at 2026-02-01T00:00:00Z" in message


def test_rotation_by_the_old_and_the_new_threshold(trusted: Settings) -> None:
    new = ("dora", "emil", "fay")
    second = PUBLISHER.root(2, "alice", "bob", "dora", "emil", signers=new)
    index = PUBLISHER.index(1, {"telemetry": OLD}, "dora", "fay")
    assert opened(index, trusted, roots={2: second})
    old = PUBLISHER.index(2, {"telemetry": OLD}, "alice", "bob", before=index)
    storage = PUBLISHER.flat(old, {}, {2: second})
    assert "this is signed by unknown keys only" in refused(failures.SignatureError, storage, trusted)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("dora", "emil"), "this is signed by unknown keys only"),
        (("alice", "dora", "emil"), "this has 1 of the 2 signatures that are needed"),
        (("alice", "bob", "dora"), "this has 1 of the 2 signatures that are needed"),
    ],
)
def test_rotation_by_too_few(trusted: Settings, names: tuple[str, ...], message: str) -> None:
    second = PUBLISHER.root(2, *names, signers=("dora", "emil", "fay"))
    storage = PUBLISHER.flat(PUBLISHER.index(1, {}, "dora", "emil"), {}, {2: second})
    found = refused(failures.SignatureError, storage, trusted)
    assert found.startswith("memory:modules: @root.2: ")
    assert message in found


def test_a_skipped_rotation(trusted: Settings) -> None:
    third = PUBLISHER.root(3, "alice", "bob")
    storage = PUBLISHER.flat(PUBLISHER.index(1, {}), {}, {2: third})
    assert "this is version 3 of the root document" in refused(failures.RollbackError, storage, trusted)


def test_many_rotations(trusted: Settings) -> None:
    chain = {version: PUBLISHER.root(version) for version in range(2, 12)}
    assert opened(PUBLISHER.index(1, {"telemetry": OLD}), trusted, roots=chain)


def test_roll_back_of_the_root_document(trusted: Settings) -> None:
    """Who takes the root document away that revokes a key does not bring the key back."""
    second = PUBLISHER.root(2, "alice", "bob", "carol", signers=("bob", "carol"))
    index = PUBLISHER.index(1, {"telemetry": OLD}, "bob", "carol")
    opened(index, trusted, roots={2: second})
    stolen = PUBLISHER.index(2, {"telemetry": NEW}, "alice", "bob", before=index)
    message = refused(failures.RollbackError, PUBLISHER.flat(stolen, {}), trusted)
    assert "its root document has version 1, and version 2 was accepted before (roll-back)" in message


def test_revoked(trusted: Settings) -> None:
    second = PUBLISHER.root(2, "alice", "bob", "carol", signers=("bob", "carol"))
    storage = PUBLISHER.flat(PUBLISHER.index(1, {"telemetry": OLD}, "alice", "bob"), {}, {2: second})
    assert "this has 1 of the 2 signatures" in refused(failures.SignatureError, storage, trusted)


def test_a_withdrawn_index(trusted: Settings) -> None:
    second = PUBLISHER.root(2, "alice", "bob", least=5)
    storage = PUBLISHER.flat(PUBLISHER.index(4, {"telemetry": OLD}), {}, {2: second})
    assert "index version 4 was withdrawn: 5 is the least that counts" in refused(failures.RollbackError, storage, trusted)


@pytest.mark.parametrize(
    "file",
    [
        "../telemetry.pmm",
        "/etc/passwd.pmm",
        "a/b.pmm",
        "a..b.pmm",
        ".pmm",
        "class.pmm",
        "a.class.pmm",
        "telemetry",
        "telemetry.PMM",
        "tele metry.pmm",
        "\N{LATIN SMALL LIGATURE FI}x.pmm",  # NFKC: fix
        "@index.pmm",
        "a" * 300 + ".pmm",
    ],
)
def test_names_that_lead_elsewhere(trusted: Settings, file: str) -> None:
    body = PUBLISHER.body(1, {"telemetry": OLD})
    body["targets"][file] = body["targets"]["telemetry.pmm"]
    message = refused(failures.MalformedError, PUBLISHER.flat(sign(body, "alice", "bob"), {}), trusted)
    assert f"{file!r} is no name of a module" in message


def test_a_name_with_a_nul(trusted: Settings) -> None:
    body = PUBLISHER.body(1, {"telemetry": OLD})
    good = sign(body, "alice", "bob")
    raw = documents.split(good, 10**6, "")[1].replace(b'"telemetry.pmm"', b'"tele\\u0000metry.pmm"')
    storage = PUBLISHER.flat(sign_raw(raw), {})
    assert "this is not canonical JSON" in refused(failures.MalformedError, storage, trusted)


def sign_raw(body: bytes) -> bytes:
    """A document of bytes that may be no canonical JSON."""
    from signed_sets import key  # noqa: PLC0415 - only here

    return documents.join([(key(name).public.identity, key(name).sign(body)) for name in ("alice", "bob")], body)


def test_names_that_differ_by_case(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD, "Telemetry": NEW})
    message = refused(failures.MalformedError, PUBLISHER.flat(index, {}), trusted)
    assert "two of its modules have names that differ by case only" in message


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b'{"_type"', b'{ "_type"'),
        lambda raw: raw.replace(b'"_type":"targets",', b'"_type":"targets","_type":"targets",'),
        lambda raw: raw.replace(b'"version":1,"x-frazil"', b'"version":1.0,"x-frazil"'),
        lambda raw: raw.replace(b'"version":1,"x-frazil"', b'"version":1e0,"x-frazil"'),
        lambda raw: raw.replace(b'"version":1,"x-frazil"', b'"version":NaN,"x-frazil"'),
        lambda raw: raw.replace(b"orbit", b"orb\\u0069t"),
        lambda raw: raw + b" ",
        lambda raw: b"[" * 100_000,  # noqa: ARG005 - all of it
        lambda raw: b"\xff" + raw,
    ],
)
def test_only_the_canonical_form_is_read(trusted: Settings, change: Any) -> None:
    raw = documents.split(PUBLISHER.index(1, {"telemetry": OLD}), 10**6, "")[1]
    altered = change(raw)
    assert altered != raw
    storage = PUBLISHER.flat(sign_raw(altered), {})
    assert "this is not canonical JSON" in refused(failures.MalformedError, storage, trusted)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 0),
        (("version",), True),
        (("version",), "1"),
        (("expires",), "2099-01-01"),
        (("_type",), "root"),
        (("spec_version",), "2.0.0"),
        (("x-frazil", "application"), 3),
        (("x-frazil", "issued"), None),
        (("targets",), []),
        (("targets", "telemetry.pmm"), []),
        (("targets", "telemetry.pmm", "length"), -1),
        (("targets", "telemetry.pmm", "length"), documents.MAX_MODULE + 1),
        (("targets", "telemetry.pmm", "hashes"), {"sha256": "0" * 64, "md5": "0" * 32}),
        (("targets", "telemetry.pmm", "hashes", "sha256"), "0" * 63),
        (("targets", "telemetry.pmm", "hashes", "sha256"), "A" * 64),
        (("targets", "telemetry.pmm", "custom", "package"), 1),
        (("targets", "telemetry.pmm", "custom", "version"), 0),
        (("delegations",), {}),
    ],
)
def test_members_that_are_not_what_they_should_be(trusted: Settings, path: tuple[str, ...], value: object) -> None:
    body = PUBLISHER.body(1, {"telemetry": OLD})
    place = body
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    storage = PUBLISHER.flat(sign(body, "alice", "bob"), {})
    assert "memory:modules" in refused(failures.MalformedError, storage, trusted)


def test_a_later_format(trusted: Settings) -> None:
    body = PUBLISHER.body(1, {})
    body["x-frazil"]["format"] = 2
    message = refused(failures.MalformedError, PUBLISHER.flat(sign(body, "alice", "bob"), {}), trusted)
    assert "its format is 2, and format 1 is known. A newer frazil may read it." in message


def test_an_endless_index(trusted: Settings) -> None:
    with pytest.raises(ImportError, match="more than 5000000 bytes"):
        opened(b" " * 5_000_001, trusted)
    with pytest.raises(failures.MalformedError, match="this has 5000001 bytes, more than the 5000000"):
        documents.split(b" " * 5_000_001, documents.MAX_INDEX, "here")


@pytest.mark.parametrize("threshold", [0, 4, -1, True, "2"])
def test_thresholds_that_cannot_be(tmp_path: Path, threshold: object) -> None:
    body = json.loads(documents.split(PUBLISHER.root(), 10**6, "")[1])
    body["roles"]["targets"]["threshold"] = threshold
    trusted = settings(tmp_path, sign(body, "alice", "bob"))
    assert "its member roles" in refused(failures.MalformedError, PUBLISHER.flat(PUBLISHER.index(1, {}), {}), trusted)


def test_a_key_under_the_name_of_another(tmp_path: Path) -> None:
    body = json.loads(documents.split(PUBLISHER.root(), 10**6, "")[1])
    first, second = list(body["keys"])[:2]
    body["keys"][first] = body["keys"][second]
    trusted = settings(tmp_path, sign(body, "alice", "bob"))
    assert "its member keys" in refused(failures.MalformedError, PUBLISHER.flat(PUBLISHER.index(1, {}), {}), trusted)


def test_the_counter_holds_after_a_restart_and_is_private(trusted: Settings, tmp_path: Path) -> None:
    opened(PUBLISHER.index(7, {"telemetry": OLD}), trusted)
    counter = Counter(trusted.state, "memory:modules")
    assert (counter.read().version, counter.read().root) == (7, 1)
    files = sorted((tmp_path / "state").iterdir())
    assert [file.suffix for file in files] == [".json", ".lock"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format":2}', b"\xff", b"[]"])
def test_a_damaged_counter(trusted: Settings, content: bytes) -> None:
    index = PUBLISHER.index(7, {"telemetry": OLD})
    opened(index, trusted)
    counter = Counter(trusted.state, "memory:modules")
    with open(counter.path, "wb") as file:  # noqa: PTH123 - as the counter has it
        file.write(content)
    message = refused(failures.CounterError, PUBLISHER.flat(index, {}), trusted)
    assert "the counter is damaged, so an old set could not be told from a new one" in message


def test_a_counter_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    trusted = settings(tmp_path, PUBLISHER.root())
    message = refused(failures.CounterError, PUBLISHER.flat(PUBLISHER.index(1, {}), {}), trusted)
    assert "the counter cannot be read (Not a directory)" in message


def test_two_storages_have_counters_of_their_own(trusted: Settings) -> None:
    first = PUBLISHER.flat(PUBLISHER.index(5, {}), {})
    second = PUBLISHER.flat(PUBLISHER.index(1, {}), {})
    second.name = "memory:other"
    trust.open_index(first, trusted)
    trust.open_index(second, trusted)
    assert Counter(trusted.state, "memory:other").read().version == 1


def test_what_is_verified_is_every_module(trusted: Settings) -> None:
    index = PUBLISHER.index(1, {"telemetry": OLD, "pkg": NEW})
    storage = PUBLISHER.flat(index, {"telemetry": OLD, "pkg": NEW})
    assert install.verify(storage, trusted).signed.version == 1
    storage.content["pkg"] = OLD
    with pytest.raises(failures.MismatchError, match="memory:modules: pkg: these are not the bytes"):
        install.verify(storage, trusted)
    del storage.content["pkg"]
    with pytest.raises(failures.MismatchError, match="the index names a module that is not there"):
        install.verify(storage, trusted)
