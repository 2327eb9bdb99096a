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
from collections import Counter
from pathlib import Path

import pytest

from signed_place import Place, make_place
from static_server import serving
from support import Build

WRITES = "write,fsync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,symlink,symlinkat,link,linkat"
"""Not those that the launcher makes memory files with (pwrite64, ftruncate): nothing on disk is written by them."""


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


def traced(words: list[str | Path], place: Place, trace: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run under strace, which writes down the calls that write."""
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={WRITES}", *options]
    return subprocess.run([*strace, *map(str, words)], env=place.environment, capture_output=True, check=False)


def killed(words: list[str | Path], place: Place, trace: Path, call: str, number: int) -> subprocess.CompletedProcess[bytes]:
    """Run, and kill as it makes a call for the time ``number``."""
    return traced(words, place, trace, "-e", f"inject={call}:signal=KILL:when={number}")


def points(words: list[str | Path], place: Place, wanted: int, trace: Path) -> list[tuple[str, int]]:
    """So many of the calls that write, evenly over all that one whole run makes: each with how many of its name there were."""
    done = traced(words, place, trace)
    assert done.returncode == 0, done.stderr
    names = re.findall(rf"^\d+ +({WRITES.replace(',', '|')})\(", trace.read_text(), re.MULTILINE)
    counts: Counter[str] = Counter()
    found = []
    for name in names:
        counts[name] += 1
        found.append((name, counts[name]))
    assert len(found) > 10
    return found if wanted >= len(found) else [found[at * len(found) // wanted] for at in range(wanted)]


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
        while watch.killed < kills:
            watch.newest += 1
            place.publish(watch.newest)
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
            for call, number in chosen[: kills - watch.killed]:
                version += 1
                place.publish(version)
                watch.newest = version
                watch.after(killed(update, place, place.directory / "trace", call, number))
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
        for call, number in chosen[: kills - watch.killed]:
            version += 1
            write(version)
            watch.after(killed(install, place, place.directory / "trace", call, number))
        version += 1
    sys.stdout.write(f"{watch.killed} killed: {watch.kept} kept the old set, {watch.replaced} had the new one\n")
    assert watch.kept
    assert watch.replaced
