"""``frazil pmm`` from keys to an installed set, by several people, and what it says to mistakes."""

from __future__ import annotations

import json
import re
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from frazil.cli.main import main
from signed_sets import PYTHON, pmm
from static_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Frazil = Callable[..., str]


class CommandError(AssertionError):
    """A command that ended with an exit code."""


@pytest.fixture
def frazil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Frazil:
    """Run ``frazil pmm`` in the test's directory: what it prints, or a CommandError with what it complains about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def run(line: str) -> str:
        code = main(["pmm", *line.split()])
        captured = capsys.readouterr()
        if code:
            raise CommandError(f"{code}: {captured.err}")
        assert captured.err == ""
        return captured.out

    return run


def complaint(frazil: Frazil, line: str) -> str:
    with pytest.raises(CommandError) as caught:
        frazil(line)
    return str(caught.value)


@pytest.fixture
def keys(frazil: Frazil) -> None:
    frazil("keygen alice bob carol online -q")


ROOT = (
    "root -o root.json --application orbit --key alice.pub --key bob.pub --key carol.pub --threshold 2 --online-key online.pub"
)


@pytest.fixture
def release(frazil: Frazil, keys: None, tmp_path: Path) -> Path:
    """A signed root document, and a directory of modules with a signed index."""
    del keys
    frazil(ROOT)
    frazil("sign root.json --key alice.key --key bob.key")
    directory = tmp_path / "release"
    directory.mkdir()
    (directory / "telemetry.pmm").write_bytes(pmm("VERSION = 1"))
    (directory / "pkg.pmm").write_bytes(pmm("", package=True))
    frazil("index release --application orbit")
    frazil("sign release --key alice.key")
    frazil("sign release --key carol.key")
    return directory


def changed(frazil: Frazil, release: Path) -> None:
    """The next version of the release."""
    (release / "telemetry.pmm").write_bytes(pmm("VERSION = 2"))
    frazil("index release --application orbit -q")
    frazil("sign release --key alice.key --key bob.key -q")


def test_from_keys_to_an_installed_set(frazil: Frazil, release: Path, tmp_path: Path) -> None:
    assert frazil("verify release --root root.json") == (
        f"dir:{release}: version 1 for orbit with {PYTHON}, 2 modules: all of it holds\n"
    )
    assert frazil("install release --to installed --root root.json") == (
        f"dir:{tmp_path}/installed: version 1; new: pkg, telemetry\n"
    )
    changed(frazil, release)
    assert frazil("install release --to installed --root root.json --trial --attempts 2") == (
        f"dir:{tmp_path}/installed: version 2, on trial for 2 starts; new: telemetry\n"
    )
    assert "version 2 is there already" in frazil("install release --to installed --root root.json --trial")
    assert "version 2 for orbit" in frazil("verify installed --root root.json")
    listed = frazil("list installed").splitlines()
    assert listed[0].startswith(f"dir:{tmp_path}/installed: version 2 for orbit with {PYTHON}, 2 modules, expires 20")
    assert re.fullmatch(r" *pkg +1 +\d+ +[0-9a-f]{16}", listed[2])
    assert listed[4:] == [
        "installed on trial: pending until the program confirms it",
        f"before it: version 1 for orbit with {PYTHON}, 2 modules",
    ]
    value = json.loads(frazil("list installed --json"))
    assert [(one["name"], one["version"], one["package"]) for one in value["modules"]] == [
        ("pkg", 1, True),
        ("telemetry", 2, False),
    ]
    assert (value["version"], value["previous"], value["trial"], value["installed"]) == (2, 1, True, True)


def test_published_and_updated(frazil: Frazil, release: Path, tmp_path: Path) -> None:
    assert "version 1, 2 modules, 2 new, good until 20" in frazil("publish release -o site --root root.json --key online.key")
    with serving(tmp_path / "site") as server:
        update = f"update --from {server.url} --to installed --root root.json"
        assert frazil(update) == f"dir:{tmp_path}/installed: version 1; new: pkg, telemetry\n"
        changed(frazil, release)
        assert "version 2, 2 modules, 1 new" in frazil("publish release -o site --root root.json --key online.key")
        assert frazil(update) == f"dir:{tmp_path}/installed: version 2; new: telemetry\n"
        assert frazil(update) == f"dir:{tmp_path}/installed: version 2 is there already\n"
    assert "cannot be fetched" in complaint(frazil, update)
    assert "version 2" in frazil("verify installed --root root.json")


def test_installed_into_a_database(frazil: Frazil, release: Path, tmp_path: Path) -> None:
    where = f"sqlite:{tmp_path}/modules.db"
    assert frazil(f"install release --to {where} --root root.json") == f"{where}: version 1; new: pkg, telemetry\n"
    changed(frazil, release)
    assert frazil(f"install release --to {where} --root root.json") == f"{where}: version 2; new: telemetry\n"
    assert "version 2" in frazil(f"verify {where} --root root.json")
    assert frazil(f"list {where}").splitlines()[-1].startswith("before it: version 1 for orbit")


def test_a_storage_that_cannot_be_written(frazil: Frazil, release: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "modules"), "zip", release)
    said = frazil(f"verify zip:{tmp_path}/modules.zip --root root.json")
    assert said.startswith(f"zip:{tmp_path}/modules.zip: version 1 for orbit")
    message = complaint(frazil, f"install release --to zip:{tmp_path}/modules.zip --root root.json")
    assert "cannot be written" in message


def test_a_key_is_private(keys: None, tmp_path: Path) -> None:
    del keys
    private, public = tmp_path / "alice.key", tmp_path / "alice.pub"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


def test_a_key_is_never_overwritten(frazil: Frazil, keys: None, tmp_path: Path) -> None:
    del keys
    before = (tmp_path / "alice.key").read_bytes()
    assert "alice.key: this is there already, and a key is not overwritten" in complaint(frazil, "keygen new alice")
    assert (tmp_path / "alice.key").read_bytes() == before
    assert not (tmp_path / "new.key").exists()
    assert "this is no name for a key" in complaint(frazil, "keygen ../x")


def test_a_key_that_others_may_read(frazil: Frazil, release: Path, tmp_path: Path) -> None:
    del release
    (tmp_path / "alice.key").chmod(0o640)
    message = complaint(frazil, "sign release --key alice.key")
    assert message.startswith("1: error: alice.key: others may read this private key (mode 0640)\nchmod 600 alice.key")


def test_passphrases(frazil: Frazil, release: Path, tmp_path: Path) -> None:
    del release
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple\n")
    (tmp_path / "empty").write_text("\n")
    frazil("keygen dora --passphrase-file secret")
    assert b"ENCRYPTED" in (tmp_path / "dora.key").read_bytes()
    assert "signed by dora" in frazil("sign release --key dora.key --passphrase-file secret")
    message = complaint(frazil, "sign release --key dora.key --passphrase-file wrong")
    assert "dora.key: the passphrase is wrong, or the key is damaged" in message
    assert "its first line is empty" in complaint(frazil, "sign release --key dora.key --passphrase-file empty")
    message = complaint(frazil, "sign release --key dora.key")
    assert "the passphrase of dora.key is needed, and nobody can be asked" in message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sign release --key alice.pub", "alice.pub: this is no private Ed25519 key but a public key"),
        ("sign release --key nobody.key", "nobody.key: cannot be read: No such file or directory"),
        ("sign release/telemetry.pmm --key alice.key", "release/telemetry.pmm: this is no signed document"),
        ("root -o r --application orbit --key alice.key", "alice.key: this is no public Ed25519 key but a private key"),
        ("root -o r --application orbit --key alice.pub --key alice.pub --threshold 2", "2 signatures cannot come from 1 key"),
        ("root -o r --key alice.pub", "no application is named"),
        ("root -o r --application orbit", "no key is named"),
        ("root -o root.json --application orbit --key alice.pub", "root.json: this is there already"),
        ("root -o r --from root.json --application other", "the application of a root document never changes"),
        ("root -o r --from root.json --threshold 4", "4 signatures cannot come from 3 keys"),
        ("revoke online.pub --root root.json -o r", "without this key snapshot has 0 of the 1 that must sign"),
        ("revoke root.json --root root.json -o r", "root.json: this is no public Ed25519 key"),
        ("index nowhere --application orbit", "nowhere: cannot be read: No such file or directory"),
        ("index . --application orbit", "there is no .pmm file here"),
        ("index release --application other", "the index that is there is for orbit with cpython-3"),
        ("index release --application orbit --version 1", "the index that is there has version 1"),
        ("index release --application orbit --before nothing", "nothing: there is no such file"),
        ("verify release --root alice.pub", "alice.pub: this is no signed document"),
        ("verify nowhere --root root.json", "there is no index, and modules without one are not trusted"),
        ("verify release --root root.json --python-tag cpython-39", "and the program has cpython-39"),
        ("install release --to floppy:x --root root.json", "names no storage: there is none of the kind floppy"),
        ("install nowhere --to installed --root root.json", "there is no index"),
        ("publish release -o site --root root.json --key alice.key", "these keys may not sign the snapshot"),
        ("update --from ftp://host --to installed --root root.json", "ftp://host: this is no URL of a repository"),
        ("list nowhere", "there is no index"),
    ],
)
def test_mistakes(frazil: Frazil, release: Path, tmp_path: Path, line: str, message: str) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    said = complaint(frazil, line)
    assert message in said
    assert "Traceback" not in said
    assert "internal error" not in said
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == {path: data for path, data in before.items() if path.suffix != ".lock"}
    assert release.is_dir()


def test_a_module_that_was_swapped_after_signing(frazil: Frazil, release: Path, tmp_path: Path) -> None:
    (release / "telemetry.pmm").write_bytes(pmm("VERSION = 9"))
    for line in ("verify release --root root.json", "install release --to installed --root root.json"):
        assert "telemetry: these are not the bytes of version 1 that the index names" in complaint(frazil, line)
    assert not (tmp_path / "installed/@set").exists()
    assert "swapped" in complaint(frazil, "publish release -o site --root root.json --key online.key")
    assert not (tmp_path / "site").exists()


def test_a_file_that_is_no_module(frazil: Frazil, release: Path) -> None:
    (release / "bad.pmm").write_bytes(b"import os\n")
    assert "release/bad.pmm: it ends after 10 bytes, within its header" in complaint(
        frazil, "index release --application orbit"
    )
    (release / "bad.pmm").rename(release / "no name.pmm")
    assert "release/no name.pmm: this is no name of a module" in complaint(frazil, "index release --application orbit")


def test_roll_back_by_installing_an_old_release(frazil: Frazil, release: Path) -> None:
    old = (release / "@index").read_bytes(), (release / "telemetry.pmm").read_bytes()
    changed(frazil, release)
    frazil("install release --to installed --root root.json")
    (release / "@index").write_bytes(old[0])
    (release / "telemetry.pmm").write_bytes(old[1])
    message = complaint(frazil, "install release --to installed --root root.json")
    assert "index version 1 is older than version 2, which was accepted before (roll-back)" in message


def test_a_key_is_revoked(frazil: Frazil, release: Path) -> None:
    """Bob's key was stolen: Alice and Carol say so, and a set that Bob signed no longer installs."""
    said = frazil("revoke bob.pub --root root.json -o release/@root.2")
    assert said == "release/@root.2: version 2 for orbit, to be signed by 2 of its keys, and by those of the version before\n"
    assert "@root.2: this is unsigned" in complaint(frazil, "install release --to installed --root root.json")
    frazil("sign release/@root.2 --key alice.key")
    assert "@root.2: this has 1 of the 2 signatures" in complaint(frazil, "install release --to installed --root root.json")
    frazil("sign release/@root.2 --key carol.key")
    frazil("install release --to installed --root root.json")  # Alice and Carol signed this set
    changed(frazil, release)  # Alice and Bob this one
    message = complaint(frazil, "install release --to installed --root root.json")
    assert "this has 1 of the 2 signatures that are needed" in message
    frazil("sign release --key carol.key")
    assert "version 2; new: telemetry" in frazil("install release --to installed --root root.json")


def test_a_key_is_replaced(frazil: Frazil, release: Path) -> None:
    frazil("keygen dora -q")
    frazil("revoke bob.pub --root root.json -o release/@root.2 --replace-by dora.pub")
    frazil("sign release/@root.2 --key alice.key --key carol.key")
    (release / "telemetry.pmm").write_bytes(pmm("VERSION = 2"))
    frazil("index release --application orbit")
    frazil("sign release --key dora.key --key alice.key")
    assert "version 2; new: pkg, telemetry" in frazil("install release --to installed --root root.json")


def test_versions_are_withdrawn(frazil: Frazil, release: Path) -> None:
    frazil("root --from root.json -o release/@root.2 --least 2")
    frazil("sign release/@root.2 --key alice.key --key bob.key")
    assert "index version 1 was withdrawn: 2 is the least" in complaint(frazil, "verify release --root root.json")
    changed(frazil, release)
    assert "version 2" in frazil("verify release --root root.json")
    message = complaint(frazil, "root --from release/@root.2 -o r --least 1")
    assert "versions below 2 are withdrawn already" in message


def test_the_same_input_makes_the_same_documents(
    frazil: Frazil, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    made = []
    for _ in range(2):
        (release / "@index").unlink(missing_ok=True)
        (tmp_path / "other.json").unlink(missing_ok=True)
        frazil("index release --application orbit")
        frazil("sign release --key alice.key --key bob.key")
        frazil("root -o other.json --application orbit --key bob.pub --key alice.pub")
        made.append(((release / "@index").read_bytes(), (tmp_path / "other.json").read_bytes()))
    assert made[0] == made[1]
    assert b'"issued":"2026-01-01T00:00:00Z"' in made[0][0]
