"""Executables that take modules from databases, servers, zip files and flash memories."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from frazil_runtime.pmm import flash
from frazil_runtime.pmm.flash import FlashStorage, Medium
from frazil_runtime.pmm.redis import RedisStorage
from frazil_runtime.pmm.sqlite import SqliteStorage
from support import Build, Compile

APPLICATION = """\
import sys

for name in sys.argv[1:]:
    try:
        module = __import__(name)
        print(module.VALUE, module.__file__)
    except ImportError as error:
        print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def source(shared_directory: Path) -> Path:
    place = shared_directory / "pmm-storages.py"
    place.write_text(APPLICATION)
    return place


def shown(program: Path, names: Sequence[str]) -> list[str]:
    done = subprocess.run([program, *names], capture_output=True, text=True, check=False, env={}, cwd="/", timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_local_storages(
    build: Build, target: Path, source: Path, compile_pmm: Compile, redis_server: tuple[str, str], tmp_path: Path
) -> None:
    urls = [
        "sqlite:{exe_dir}/m.db",
        "zip:{exe_dir}/m.zip",
        "flash:{exe_dir}/m.flash",
        "redis+unix://:se%3Acret@{exe_dir}/socket",
    ]
    built = build(source, target, *(word for url in urls for word in ("--pmm", url)), "--pmm-unsigned")
    place = tmp_path / "place"
    place.mkdir()
    program = Path(shutil.copy(built, place / "app"))
    (place / "socket").symlink_to(redis_server[1])
    pmm = {name: compile_pmm(tmp_path, name, f"VALUE = '{name}'").read_bytes() for name in ("one", "two", "three", "four")}

    absent = [f"ModuleNotFoundError: No module named '{name}'" for name in pmm]
    assert shown(program, list(pmm)) == absent

    SqliteStorage(f"{place}/m.db").store("one", pmm["one"])
    with zipfile.ZipFile(place / "m.zip", "w") as archive:
        archive.writestr("two.pmm", pmm["two"])
        archive.writestr("one.pmm", b"never asked for: SQLite comes first")
    (place / "m.flash").write_bytes(bytes(1 << 16))
    with closing(Medium(f"{place}/m.flash", writable=True)) as medium:
        flash.make(medium)
    FlashStorage(f"{place}/m.flash").store("three", pmm["three"])
    with closing(RedisStorage(redis_server[0])) as redis:
        redis.store("four", pmm["four"])
        assert shown(program, list(pmm)) == [
            f"one sqlite:{place}/m.db/one.pmm",
            f"two zip:{place}/m.zip/two.pmm",
            f"three flash:{place}/m.flash/three.pmm",
            f"four redis+unix:{place}/socket/four.pmm",
        ]
        redis.remove("four")
    # What is broken is said, whatever comes after it.
    (place / "m.db").write_bytes(b"damaged" * 1000)
    assert shown(program, ["two"]) == [f"StorageError: the storage sqlite:{place}/m.db is broken: file is not a database"]


@pytest.mark.slow
def test_a_web_server(build: Build, target: Path, source: Path, compile_pmm: Compile, web: tuple[str, Path, list[str]]) -> None:
    url, root, requests = web
    program = build(source, target, "--pmm", f"{url}/modules", "--pmm-unsigned")
    assert requests == []
    assert shown(program, ["one"]) == ["ModuleNotFoundError: No module named 'one'"]
    compile_pmm(root / "modules", "one", "VALUE = 1")
    assert shown(program, ["one"]) == [f"1 {url}/modules/one.pmm"]
    (root / "modules/one.pmm").write_bytes(b"x" * 100)
    told = f"EnvelopeError: module one cannot be taken from {url}/modules/one.pmm: it is something else, not a PMM"
    assert shown(program, ["one"]) == [told]


TAPE = """\
class Tape:
    def __init__(self, rest):
        self.path = rest
        self.name = "tape:" + rest

    def load(self, key, limit):
        try:
            with open(self.path + "/" + key + ".tape", "rb") as file:
                return file.read(limit)
        except FileNotFoundError:
            return None
"""


def test_a_storage_of_a_third_party(build: Build, target: Path, source: Path, compile_pmm: Compile, tmp_path: Path) -> None:
    site = tmp_path / "venv/lib" / target.name / "site-packages"
    info = site / "tape-1.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {target.parent}\ninclude-system-site-packages = false\n")
    (site / "tape_storage.py").write_text(TAPE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tape\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[frazil.pmm_storages]\ntape = tape_storage:Tape\n")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in (
        "tape_storage.py", "tape-1.dist-info/METADATA", "tape-1.dist-info/entry_points.txt", "tape-1.dist-info/RECORD",
    )))  # fmt: skip
    words = ["--venv", str(tmp_path / "venv"), "--with=tape", f"--pmm=tape:{tmp_path}/reel", "--pmm-unsigned"]
    program = build(source, target, *words)
    assert shown(program, ["one"]) == ["ModuleNotFoundError: No module named 'one'"]
    made = compile_pmm(tmp_path / "reel", "one", "VALUE = 1")
    made.rename(made.with_suffix(".tape"))
    assert shown(program, ["one"]) == [f"1 tape:{tmp_path}/reel/one.pmm"]
