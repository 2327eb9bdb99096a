"""Installing sets: whole or not at all, on trial until confirmed, and never back to an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frazil_runtime.pmm import documents, failures, install, sets, trust
from frazil_runtime.pmm.counter import Counter
from signed_sets import Memory, Publisher, Settings, pmm, settings

if TYPE_CHECKING:
    from pathlib import Path

OLD = {"telemetry": pmm("VERSION = 1"), "shared": pmm("X = 0")}
NEW = {"telemetry": pmm("VERSION = 2"), "shared": pmm("X = 0"), "extra": pmm("Y = 0")}
NEWEST = {"telemetry": pmm("VERSION = 3")}
PUBLISHER = Publisher()
FIRST = PUBLISHER.index(1, OLD)
SECOND = PUBLISHER.index(2, NEW, before=FIRST)
THIRD = PUBLISHER.index(3, NEWEST, before=SECOND)


@pytest.fixture
def trusted(tmp_path: Path) -> Settings:
    return settings(tmp_path, PUBLISHER.root())


def put(
    storage: Memory, trusted: Settings, index: bytes, modules: dict[str, bytes], *, trial: bool = False
) -> install.Installed:
    return install.install(storage, trusted, PUBLISHER.release(index, modules), trial=trial)


def start(storage: Memory, trusted: Settings) -> dict[str, bytes]:
    """A start of the program: the modules that it would run, each checked."""
    trust.opened.clear()
    found = {}
    for name, entry in trust.open_index(storage, trusted).items():
        data = storage.load(entry.key, entry.size)
        assert data is not None, name
        documents.check_module(data, entry, storage.name)
        found[name] = data
    return found


def test_a_set_replaces_the_one_before(trusted: Settings) -> None:
    storage = Memory()
    assert put(storage, trusted, FIRST, OLD) == (1, True, ("shared", "telemetry"))
    assert start(storage, trusted) == OLD
    assert put(storage, trusted, SECOND, NEW) == (2, True, ("extra", "telemetry"))  # only what changed
    assert start(storage, trusted) == NEW
    assert put(storage, trusted, SECOND, NEW) == (2, False, ())


def test_what_no_set_needs_is_removed(trusted: Settings) -> None:
    storage = Memory()
    for index, modules in ((FIRST, OLD), (SECOND, NEW), (THIRD, NEWEST)):
        put(storage, trusted, index, modules)
    assert start(storage, trusted) == NEWEST
    wanted = {*map(documents.sha256_hex, (SECOND, THIRD, *NEW.values(), *NEWEST.values()))}
    assert {key for key in storage.content if key != "@set"} == {documents.object_key(one) for one in wanted}


def test_what_a_cut_off_installation_left_is_removed(trusted: Settings) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    storage.store(documents.object_key("0" * 64), b"left")
    storage.store("@other", b"not ours")
    put(storage, trusted, SECOND, NEW)
    assert documents.object_key("0" * 64) not in storage.content
    assert "@other" in storage.content
    writes = storage.writes
    for version in range(3, 9):  # and it takes no longer each time
        index = PUBLISHER.index(version, {"telemetry": pmm(f"VERSION = {version}")}, before=SECOND)
        put(storage, trusted, index, {"telemetry": pmm(f"VERSION = {version}")})
        assert storage.writes - writes <= 7
        writes = storage.writes


def test_roll_back_is_refused_and_loses_nothing(trusted: Settings) -> None:
    storage = Memory()
    put(storage, trusted, SECOND, NEW)
    before = dict(storage.content)
    with pytest.raises(failures.RollbackError, match="index version 1 is older than version 2"):
        put(storage, trusted, FIRST, OLD)
    assert storage.content == before


def test_a_module_that_is_not_the_named_one_is_refused_before_the_pointer_moves(trusted: Settings) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    with pytest.raises(failures.MismatchError, match="memory:modules: telemetry: these are not the bytes of version 2"):
        put(storage, trusted, SECOND, {**NEW, "telemetry": OLD["telemetry"]})
    assert start(storage, trusted) == OLD


@pytest.mark.parametrize("trial", [False, True])
def test_ended_at_any_write_there_is_the_old_set_or_the_new(tmp_path: Path, *, trial: bool) -> None:
    writes = 0
    for fail_at in range(100):
        trusted = settings(tmp_path / str(fail_at), PUBLISHER.root())
        storage = Memory()
        put(storage, trusted, FIRST, OLD)
        put(storage, trusted, SECOND, NEW)
        storage.writes, storage.fail_at = 0, fail_at
        try:
            put(storage, trusted, THIRD, NEWEST, trial=trial)
        except KeyboardInterrupt:
            assert start(storage, trusted) in (NEW, NEWEST)
            storage.fail_at = -1
            put(storage, trusted, THIRD, NEWEST)  # and it can be done again
            assert start(storage, trusted) == NEWEST
        else:
            writes = storage.writes
            break
    assert writes >= 4  # a module, the index, the pointer, what is removed


def test_a_root_document_comes_with_the_set(trusted: Settings) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    second_root = PUBLISHER.root(2, "alice", "bob", "carol", signers=("bob", "carol"))
    index = PUBLISHER.index(2, NEW, "bob", "carol", before=FIRST)
    install.install(storage, trusted, PUBLISHER.release(index, NEW, {2: second_root}), trial=True, attempts=1)
    pointer = sets.read_pointer(storage)
    assert pointer is not None
    assert pointer.previous is not None
    assert (pointer.current.root, pointer.previous.root) == (2, 1)  # Alice signed the first set, and may no longer
    assert start(storage, trusted) == NEW
    assert start(storage, trusted) == OLD  # rolled back, with the root document that it was signed under


def test_on_trial_until_confirmed(trusted: Settings) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    put(storage, trusted, SECOND, NEW, trial=True)
    assert start(storage, trusted) == NEW
    counter = Counter(trusted.state, storage.name)
    assert counter.read().version == 1  # the set before it must stay acceptable
    assert trust.confirm()
    assert not trust.confirm()
    assert counter.read().version == 2
    for _ in range(5):
        assert start(storage, trusted) == NEW


def test_rolled_back_after_so_many_starts(trusted: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    put(storage, trusted, SECOND, NEW, trial=True)
    for _ in range(3):
        assert start(storage, trusted) == NEW
    assert capsys.readouterr().err == ""
    assert start(storage, trusted) == OLD
    assert capsys.readouterr().err == ("memory:modules: 3 starts did not confirm the new modules: back to the set before it\n")
    assert trust.opened[storage.name].rolled_back
    assert start(storage, trusted) == OLD
    assert capsys.readouterr().err == ""
    assert not trust.confirm()
    with pytest.raises(failures.RollbackError, match="version 2 was rolled back here, as no start of it was confirmed"):
        put(storage, trusted, SECOND, NEW)
    put(storage, trusted, THIRD, NEWEST, trial=True)
    assert start(storage, trusted) == NEWEST
    assert trust.confirm()


def test_the_first_set_ever_is_rolled_back_to_the_executable_alone(
    trusted: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = Memory()
    install.install(storage, trusted, PUBLISHER.release(FIRST, OLD), trial=True, attempts=1)
    assert start(storage, trusted) == OLD
    assert start(storage, trusted) == {}
    assert "1 starts did not confirm the new modules: back to the executable alone" in capsys.readouterr().err


def test_a_set_on_trial_replaces_another_on_trial(trusted: Settings) -> None:
    """What is kept is the last good one, not one that was never confirmed."""
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    put(storage, trusted, SECOND, NEW, trial=True)
    assert start(storage, trusted) == NEW
    put(storage, trusted, THIRD, NEWEST, trial=True)
    assert not trust.confirm()  # what this process runs is no longer what is on trial
    for _ in range(3):
        assert start(storage, trusted) == NEWEST
    assert start(storage, trusted) == OLD


def test_installing_without_a_trial_ends_one(trusted: Settings) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    put(storage, trusted, SECOND, NEW, trial=True)
    assert put(storage, trusted, SECOND, NEW) == (2, True, ())
    for _ in range(5):
        assert start(storage, trusted) == NEW


def test_the_pointer_cannot_lead_to_an_older_set(trusted: Settings) -> None:
    """Who can write the storage, but not sign, cannot bring an old set back."""
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    old = dict(storage.content)
    put(storage, trusted, SECOND, NEW)
    start(storage, trusted)
    storage.content = old
    with pytest.raises(failures.RollbackError, match="index version 1 is older than version 2"):
        start(storage, trusted)


def test_the_pointer_cannot_take_the_fixes_back(trusted: Settings) -> None:
    """A pointer to a set on trial that is not there, with none before it, does not lead to the executable alone."""
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    assert start(storage, trusted) == OLD
    pointer = sets.Pointer(sets.Chosen("0" * 64, 1), None, trial=True, attempts=1)
    sets.write_pointer(storage, pointer)
    with pytest.raises(failures.MalformedError, match="there is no index"):
        start(storage, trusted)
    for _ in range(3):
        with pytest.raises(failures.RollbackError, match="no set is left to go back to, and version 1 was accepted before"):
            start(storage, trusted)
    put(storage, trusted, SECOND, NEW)
    assert start(storage, trusted) == NEW


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format":1}'])
def test_a_damaged_pointer(trusted: Settings, content: bytes) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    storage.content["@set"] = content
    with pytest.raises(failures.MalformedError, match="memory:modules: @set: "):
        start(storage, trusted)
    put(storage, trusted, SECOND, NEW)  # the repair
    assert start(storage, trusted) == NEW


def test_damage_is_repaired_by_installing_again(trusted: Settings) -> None:
    storage = Memory()
    put(storage, trusted, FIRST, OLD)
    key = documents.object_key(documents.sha256_hex(OLD["telemetry"]))
    storage.content[key] = b"x"
    with pytest.raises(failures.TrustError):
        install.verify(storage, trusted)
    index = PUBLISHER.index(2, OLD, before=FIRST)
    assert put(storage, trusted, index, OLD).fetched == ("telemetry",)
    assert start(storage, trusted) == OLD


def test_a_flat_storage_is_a_release(trusted: Settings) -> None:
    source = PUBLISHER.flat(FIRST, OLD)
    target = Memory("memory:target")
    done = install.install(target, trusted, install.release_in(source, trusted), trial=False)
    assert done.fetched == ("shared", "telemetry")
    assert start(target, trusted) == OLD
    del source.content["telemetry"]
    with pytest.raises(failures.MismatchError, match="memory:modules: telemetry: the index names a module that is not there"):
        install.install(Memory("memory:third"), trusted, install.release_in(source, trusted), trial=False)
