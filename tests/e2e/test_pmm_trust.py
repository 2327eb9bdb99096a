"""A built executable with a signed storage: its modules replaced by signed sets, updated, tried, rolled back, attacked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from signed_place import Place, make_place
from static_server import serving
from support import Build, RunInRoot


@pytest.fixture
def place(build: Build, target: Path, shared_directory: Path, tmp_path: Path, build_environment: dict[str, str]) -> Place:
    return make_place(build, target, shared_directory, tmp_path / "place", build_environment)


def test_a_module_is_replaced_by_a_signed_set(place: Place) -> None:
    assert "ModuleNotFoundError: No module named 'telemetry'" in place.run("run").stderr  # nothing was ever installed
    place.storage.store("telemetry", place.modules(1)["telemetry"])
    done = place.run("run")
    where = f"dir:{place.directory}/modules"
    assert done.stderr.startswith(f"orbit: {where}: @index: there is no index, and modules without one are not trusted.")
    assert done.returncode == 1
    place.install(1)
    assert place.run("run").stdout == f"1 dir:{place.directory}/modules/telemetry.pmm\n"
    mode = place.executable.stat()
    place.install(2)
    assert place.version() == "2"
    assert place.executable.stat() == mode  # it was not touched


def test_updated_over_http_tried_confirmed_and_rolled_back(place: Place) -> None:
    place.install(1)
    assert place.version() == "1"
    (place.directory / "site").mkdir()
    with serving(place.directory / "site") as server:
        place.publish(2)
        assert place.run("update", server.url).stdout == "2 True gauge telemetry\n"
        assert place.run("confirm").stdout == "2 True\n"
        assert place.run("confirm").stdout == "2 False\n"
        place.publish(3)
        assert place.run("update", server.url).stdout == "3 True gauge telemetry\n"
        assert [place.version() for _ in range(3)] == ["3", "3", "3"]
        done = place.run("run")
        assert done.stdout.startswith("2 ")
        assert (
            done.stderr
            == f"dir:{place.directory}/modules: 3 starts did not confirm the new modules: back to the set before it\n"
        )
        done = place.run("update", server.url)
        assert done.stderr.startswith(f"RollbackError: dir:{place.directory}/modules: version 3 was rolled back here")
        place.publish(4)
        assert place.run("update", server.url).stdout == "4 True gauge telemetry\n"
    assert place.run("confirm").stdout == "4 True\n"
    done = place.run("update", server.url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"UpdateError: {server.url}: this cannot be fetched")
    assert place.version() == "4"


def test_attacks_on_what_is_installed(place: Place) -> None:
    place.install(1)
    old = place.directory / "old"
    shutil.copytree(place.storage.path, old)
    place.install(2)
    assert place.version() == "2"
    objects = [path for path in Path(place.storage.path).iterdir() if path.read_bytes() == place.modules(2)["telemetry"]]
    objects[0].write_bytes(place.modules(1)["telemetry"])
    done = place.run("run")
    assert done.returncode == 1
    assert "module telemetry cannot be taken from" in done.stderr
    shutil.rmtree(place.storage.path)
    shutil.copytree(old, place.storage.path)
    done = place.run("run")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"orbit: dir:{place.directory}/modules: index version 1 is older than version 2, which was accepted before (roll-back)."
    )
    assert done.stderr.count("\n") == 1


def test_locked_the_environment_and_the_current_directory_have_no_say(
    build: Build,
    target: Path,
    shared_directory: Path,
    tmp_path: Path,
    build_environment: dict[str, str],
    bare_root: Path,
    run_in_root: RunInRoot,
) -> None:
    """The counter stands where the user database says, so an old set does not come back with another XDG_DATA_HOME."""
    place = make_place(build, target, shared_directory, tmp_path / "place", build_environment, "--pmm-mode", "locked")
    directory = bare_root / "opt/orbit"
    for part in (directory, bare_root / "etc", bare_root / "home/real", bare_root / "attacker"):
        part.mkdir(parents=True)
    (bare_root / "etc/passwd").write_text(f"real:x:{os.geteuid() and 0}:0::/home/real:/bin/sh\n")
    attack = dict.fromkeys(("HOME", "PYTHONPATH", "PYTHONHOME", "XDG_CACHE_HOME", "PYTHONSTARTUP"), "/attacker")
    attack["XDG_DATA_HOME"] = "/attacker/data"
    for name in ("telemetry", "gauge"):  # the current directory is the root
        for parent in (bare_root, bare_root / "attacker", bare_root / "attacker/modules"):
            parent.mkdir(exist_ok=True)
            (parent / f"{name}.py").write_text("VERSION = 666\n")
            (parent / f"{name}.pmm").write_bytes(place.pmm("VERSION = 666\n"))

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(directory / "modules", ignore_errors=True)
        shutil.copytree(place.storage.path, directory / "modules")
        return run_in_root(place.executable, ["run"], env=environment, name="opt/orbit/orbit")

    place.install(1)
    assert run(**attack).stdout == "1 dir:/opt/orbit/modules/telemetry.pmm\n"
    old = place.directory / "old"
    shutil.copytree(place.storage.path, old)
    place.install(2)
    assert run(**attack).stdout.startswith("2 ")
    assert [path.suffix for path in sorted((bare_root / "home/real/.local/share/orbit/pmm").iterdir())] == [".json", ".lock"]
    assert not (bare_root / "attacker/data").exists()
    shutil.rmtree(place.storage.path)
    shutil.copytree(old, place.storage.path)
    done = run(**{**attack, "XDG_DATA_HOME": "/attacker/empty", "HOME": "/attacker/empty"})
    assert done.returncode == 1
    assert "index version 1 is older than version 2, which was accepted before (roll-back)" in done.stderr


def test_updates_at_the_same_time(place: Place) -> None:
    place.install(1)
    (place.directory / "site").mkdir()
    with serving(place.directory / "site") as server:
        place.publish(2)
        words = [str(place.executable), "update", server.url]
        running = [subprocess.Popen(words, env=place.environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        answers = sorted(process.communicate()[0] for process in running)
    assert answers == ["2 False\n"] * 3 + ["2 True gauge telemetry\n"]
    assert place.version() == "2"


def test_nothing_touches_the_network_unless_asked(place: Place) -> None:
    place.install(1)
    trace = place.directory / "trace"
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=network", "-o", trace, place.executable, "run"],
        env=place.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("1 ")
    calls = trace.read_text()  # getpwuid may ask a daemon of this machine
    assert "+++ exited" in calls
    assert "AF_INET" not in calls
