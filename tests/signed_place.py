"""An executable with a signed storage, for tests: in a directory of its own, with storage, counter and publisher."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from filelock import FileLock

import signed_sets
from frazil.pmm.publishing import Online, publish
from frazil_runtime.pmm import install
from frazil_runtime.pmm.directory import DirectoryStorage
from signed_sets import APPLICATION, EXPIRES, Publisher, Settings, key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from support import Build

SOURCE = """\
import sys

what = sys.argv[1]
if what == "run":
    import telemetry, gauge
    assert telemetry.VERSION == gauge.VERSION, (telemetry.VERSION, gauge.VERSION)
    print(telemetry.VERSION, telemetry.__file__)
elif what == "import":
    __import__(sys.argv[2])
elif what == "confirm":
    import telemetry
    from frazil_runtime import pmm
    print(telemetry.VERSION, pmm.confirm())
elif what == "update":
    from frazil_runtime import pmm
    try:
        done = pmm.update(sys.argv[2])
    except pmm.PmmError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(done.version, done.changed, *done.fetched)
"""


class Place:
    """An executable in a directory of its own, with its storage beside it, and its publisher."""

    def __init__(self, executable: Path, directory: Path, pmm: Callable[[str], bytes], python: str) -> None:
        self.directory = directory
        directory.mkdir()
        self.executable = directory / APPLICATION
        os.link(executable, self.executable)
        self.publisher = Publisher(python=python)
        self.storage = DirectoryStorage(str(directory / "modules"))
        self.settings = Settings(self.publisher.root(), str(directory / f"data/{APPLICATION}/pmm"), python=python)
        self.environment = {"XDG_DATA_HOME": str(directory / "data"), "PATH": os.environ["PATH"]}
        self.pmm = pmm
        self.index: bytes | None = None

    def modules(self, version: int) -> dict[str, bytes]:
        return {name: self.pmm(f"NAME = {name!r}\nVERSION = {version}\n") for name in ("gauge", "telemetry")}

    def release(self, version: int) -> install.Release:
        """The next set, signed."""
        self.index = self.publisher.index(version, self.modules(version), before=self.index)
        return self.publisher.release(self.index, self.modules(version))

    def install(self, version: int, *, trial: bool = False) -> None:
        install.install(self.storage, self.settings, self.release(version), trial=trial)

    def publish(self, version: int) -> None:
        flat = self.publisher.flat(self.release(version).document, self.modules(version))
        publish(flat, self.settings, self.directory / "site", Online((key("online"),), EXPIRES))

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = [str(self.executable), *arguments]
        return subprocess.run(
            words, capture_output=True, text=True, check=False, env={**self.environment, **environment}, cwd="/"
        )

    def version(self) -> str:
        """What a start of the program runs."""
        done = self.run("run")
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[0]


def make_place(build: Build, target: Path, shared: Path, directory: Path, environment: Mapping[str, str], *more: str) -> Place:
    """The executable, built once in a run, in a new directory; ``more`` are options of the build."""
    source = shared / "pmm-trust"
    with FileLock(f"{source}.lock"):
        source.mkdir(exist_ok=True)
        (source / "main.py").write_text(SOURCE)
        # The publisher's keys and documents are always the same: so is the executable.
        (source / "root.json").write_bytes(Publisher().root())
    options = ["--name", APPLICATION, "--pmm", "dir:{exe_dir}/modules", "--pmm-root", str(source / "root.json"), "--pmm-update"]
    options += more
    executable = build(source / "main.py", target, *options)
    command = [sys.executable, "-m", "frazil", "pmm", "compile", "-", "--name", "x", "--python", str(target)]

    def pmm(text: str) -> bytes:
        return subprocess.run(command, input=text.encode(), capture_output=True, check=True, env=environment).stdout

    tag = subprocess.run([target, "-c", "import sys; print(sys.implementation.cache_tag)"], capture_output=True, check=True)
    python = tag.stdout.decode().strip()
    return Place(executable, directory, signed_sets.pmm if python == sys.implementation.cache_tag else pmm, python)
