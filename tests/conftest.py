"""What all tests share: the interpreters of this machine, and executables built once for a whole run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from support import Build

SUPPORTED = ("3.11", "3.12", "3.13")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@cache
def interpreters() -> dict[str, Path]:
    """Supported interpreters by name: one of each version, and the system's own (``system-X.Y``) if it can be embedded."""
    found: dict[str, Path] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in SUPPORTED:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        running = [Path(sys.base_prefix) / "bin" / f"python{version}"] if version == here else []
        for candidate in (*running, *sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)):
            if candidate.exists() and version not in found:
                found[version] = candidate
    system = Path("/usr/bin/python3")
    if system.exists():
        version = subprocess.run([system, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True,
                                 text=True, check=True).stdout.strip()  # fmt: skip
        if version in SUPPORTED and Path(f"/usr/include/python{version}/Python.h").exists():
            found[f"system-{version}"] = system
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose which interpreters executables are built for."""
    parser.addoption(
        "--targets",
        default="running",
        help="interpreters to build for: 'running' (the one that runs the tests), 'all', or names such as 3.12",
    )
    parser.addoption("--starlark-seconds", type=float, default=0, help="how long to run damaged Starlark sources")
    parser.addoption("--memfs-operations", type=int, default=1000, help="operations that memfs and tmpfs are compared by")
    parser.addoption("--pmm-kills", type=int, default=24, help="how often updates and installations of modules are killed")
    parser.addoption("--warm", action="store_true", help="build every executable with --warm")
    parser.addoption("--link", default="", help="the link mode of executables whose tests name none")
    parser.addoption("--corruptions", type=int, default=200, help="how many snapshots are damaged at random")
    parser.addoption("--both-links", action="store_true", help="run the behaviour tests in link mode shared too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for ``target`` one interpreter after the other."""
    if "target" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--targets")
    known = interpreters()
    if wanted == "all":
        names = list(known)
    elif wanted == "running":
        names = [f"{sys.version_info.major}.{sys.version_info.minor}"]
    else:
        names = wanted.split(",")
    metafunc.parametrize("target", [known[name] for name in names], ids=names, scope="session")


@pytest.fixture(scope="session")
def without_zig(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A ``PYTHONPATH`` under which the ziglang package has no compiler."""
    place = tmp_path_factory.mktemp("without-zig")
    (place / "ziglang").mkdir()
    (place / "ziglang/__init__.py").touch()
    return str(place)


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shared"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def build_environment(shared_directory: Path) -> dict[str, str]:
    """The environment that ``frazil`` runs in: this one, with a cache of the run's own unless one is named."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment.setdefault("FRAZIL_CACHE_DIR", str(shared_directory / "cache"))
    return environment


@pytest.fixture(scope="session")
def build(shared_directory: Path, build_environment: dict[str, str], pytestconfig: pytest.Config) -> Build:
    """A function that builds SOURCE with options, once for each combination in a whole run, and returns the executable."""
    warm = pytestconfig.getoption("--warm")
    link = pytestconfig.getoption("--link")

    def run(source: str | Path, target: Path, *options: str, cwd: Path | None = None, cold: bool = False) -> Path:
        if warm and not cold and not any(option.startswith("--warm") for option in options):
            options = (*options, "--warm")
        if link and not any(option.startswith("--link=") for option in options):
            options = (*options, f"--link={link}")
        key = re.sub(r"[^A-Za-z0-9.]+", "-", f"{target.parent.parent.name}-{Path(source).name}-{'-'.join(options)}")
        output = shared_directory / "built" / key / "app"
        output.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{output}.lock"):
            if not output.exists():
                command = [
                    sys.executable,
                    "-m",
                    "frazil",
                    "build",
                    str(source),
                    "-o",
                    str(output),
                    "--python",
                    str(target),
                    "-q",
                ]
                done = subprocess.run([*command, *options], env=build_environment, capture_output=True, text=True, cwd=cwd,
                                      check=False, timeout=600)  # fmt: skip
                assert done.returncode == 0, done.stderr
        return output

    return run
