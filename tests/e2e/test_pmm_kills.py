"""Updates and installations that are killed, at any time and at any write: the program then starts with the old set or the new.

``--pmm-kills`` says how often; nox does 500.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from signed_place import Place, make_place
from static_server import serving
from support import Build

WRITES = "write,pwrite64,fsync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,symlink,symlinkat,ftruncate,link,linkat"

NEVER = 65_535
"""The largest number that strace takes."""


@pytest.fixture
def place(build: Build, target: Path, shared_directory: Path, tmp_path: Path, build_environment: dict[str, str]) -> Place:
    found = make_place(build, target, shared_directory, tmp_path / "place", build_environment)
    found.install(1)
    assert found.version() == "1"
    return found


class Watch:
    """What the program runs after each kill, and how often it was which."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.current = 1
        self.newest = 1
        self.killed = 0
        self.kept = 0
        self.replaced = 0

    def after(self, process: subprocess.Popen[bytes] | subprocess.CompletedProcess[bytes]) -> None:
        """The program starts, with a whole set; a new one is confirmed."""
        self.killed += process.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
        done = self.place.run("confirm")
        assert done.returncode == 0, done.stderr
        found = int(done.stdout.split()[0])
        assert found in {self.current, self.newest}
        self.kept += found == self.current
        self.replaced += found != self.current
        self.current = found
        assert self.place.version() == str(found)


def traced(words: list[str | Path], place: Place, when: int, trace: Path) -> subprocess.CompletedProcess[bytes]:
    """Run under strace, which kills at the call number ``when`` of those that write."""
    strace = ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={WRITES}", "-e", f"inject={WRITES}:signal=KILL:when={when}"]
    return subprocess.run([*map(str, [*strace, *words])], env=place.environment, capture_output=True, check=False)


def points(words: list[str | Path], place: Place, wanted: int, trace: Path) -> list[int]:
    """So many of the calls that write, evenly over all that one run makes."""
    done = traced(words, place, NEVER, trace)
    assert done.returncode == 0, done.stderr
    count = len(re.findall(rf"^\d+ +(?:{WRITES.replace(',', '|')})\(", trace.read_text(), re.MULTILINE))
    assert count > 10
    return [1 + at * count // wanted for at in range(wanted)] if wanted < count else [*range(1, count + 1)]


def test_an_update_is_killed_at_any_time(place: Place, pytestconfig: pytest.Config) -> None:
    kills = pytestconfig.getoption("--pmm-kills") // 3
    watch = Watch(place)
    chosen = random.Random(kills)
    quiet = subprocess.DEVNULL
    (place.directory / "site").mkdir()
    with serving(place.directory / "site") as server:
        update = [str(place.executable), "update", server.url]
        watch.newest = 2
        place.publish(2)
        begun = time.monotonic()
        watch.after(subprocess.run(update, env=place.environment, check=True, capture_output=True))
        length = time.monotonic() - begun
        for version in range(3, 3 + kills):
            place.publish(version)
            watch.newest = version
            with subprocess.Popen(update, env=place.environment, stdout=quiet, stderr=quiet) as process:
                time.sleep(chosen.uniform(0, length))
                process.kill()
            watch.after(process)
    sys.stdout.write(f"{watch.killed} killed: {watch.kept} kept the old set, {watch.replaced} had the new one\n")
    assert watch.killed


def test_an_update_is_killed_at_any_write(place: Place, pytestconfig: pytest.Config) -> None:
    kills = pytestconfig.getoption("--pmm-kills") // 3
    watch = Watch(place)
    (place.directory / "site").mkdir()
    with serving(place.directory / "site") as server:
        update: list[str | Path] = [place.executable, "update", server.url]
        version = 2
        while watch.killed < kills:
            place.publish(version)
            watch.newest = version
            chosen = points(update, place, kills, place.directory / "trace")
            watch.after(subprocess.CompletedProcess([], 0))
            for when in chosen[: kills - watch.killed]:
                version += 1
                place.publish(version)
                watch.newest = version
                watch.after(traced(update, place, when, place.directory / "trace"))
            version += 1
    sys.stdout.write(f"{watch.killed} killed: {watch.kept} kept the old set, {watch.replaced} had the new one\n")
    assert watch.kept
    assert watch.replaced


def test_an_installation_is_killed_at_any_write(place: Place, pytestconfig: pytest.Config) -> None:
    kills = pytestconfig.getoption("--pmm-kills") - 2 * (pytestconfig.getoption("--pmm-kills") // 3)
    watch = Watch(place)
    release = place.directory / "release"
    root = place.directory / "root.json"
    root.write_bytes(place.publisher.root())
    install: list[str | Path] = [sys.executable, "-m", "frazil", "pmm", "install", release]
    install += ["--to", place.storage.path, "--root", root, "--state", place.settings.state]

    def write(version: int) -> None:
        shutil.rmtree(release, ignore_errors=True)
        release.mkdir()
        (release / "@index").write_bytes(place.release(version).document)
        for name, data in place.modules(version).items():
            (release / f"{name}.pmm").write_bytes(data)
        watch.newest = version

    version = 2
    while watch.killed < kills:
        write(version)
        chosen = points(install, place, kills, place.directory / "trace")
        watch.after(subprocess.CompletedProcess([], 0))
        for when in chosen[: kills - watch.killed]:
            version += 1
            write(version)
            watch.after(traced(install, place, when, place.directory / "trace"))
        version += 1
    sys.stdout.write(f"{watch.killed} killed: {watch.kept} kept the old set, {watch.replaced} had the new one\n")
    assert watch.kept
    assert watch.replaced
