"""A built executable with a signed storage: its modules replaced by signed sets, updated, tried, rolled back, attacked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from signed_place import Place, make_place
from static_server import serving
from support import Build


@pytest.fixture
def place(build: Build, target: Path, tmp_path: Path, build_environment: dict[str, str]) -> Place:
    return make_place(build, target, tmp_path / "place", build_environment)


def test_a_module_is_replaced_by_a_signed_set(place: Place) -> None:
    assert place.run("run").stderr.startswith(
        f"orbit: dir:{place.directory}/modules: @index: there is no index, and modules without one are not trusted."
    )
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
