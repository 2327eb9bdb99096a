"""The long suites. ``nox -l`` lists them; the README's test command runs the short ones."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "lint"]

VERSIONS = ["3.11", "3.12", "3.13"]


@nox.session(python=VERSIONS)
def tests(session: nox.Session) -> None:
    """The test suite, frazil and its executables both on this version."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def targets(session: nox.Session) -> None:
    """Everything, slow tests too, building for every supported interpreter of this machine."""
    session.install("-e", ".[test]")
    session.run("pytest", "-n", "2", "--targets=all", "--both-links", "-m", "", *session.posargs)


@nox.session(python=VERSIONS)
def warm(session: nox.Session) -> None:
    """The behaviour and end-to-end tests with warm executables, and 10,000 damaged snapshots."""
    session.install("-e", ".[test]")
    places = ["tests/warm", "tests/runtime", "tests/e2e"]
    session.run("pytest", "-n", "2", "--warm", "--corruptions=10000", "-m", "", *places, *session.posargs)


@nox.session
def warm_libraries(session: nox.Session) -> None:
    """Twenty libraries warm, a hundred starts each; writes ``tests/warm/libraries.md``."""
    session.install("-e", ".[test]")
    session.run("python", "tests/warm/libraries.py", *session.posargs)


@nox.session(python=["3.11", "3.13"])
def memfs(session: nox.Session) -> None:
    """CPython's own tests in a frozen executable, on memfs and on tmpfs; ``-- --write`` writes ``tests/memfs/cpython-*.md``."""
    session.install("-e", ".[test]")
    session.run("python", "tests/memfs/compare.py", *session.posargs)
    session.run("pytest", "tests/launcher/test_memfs.py", "tests/memfs", "--memfs-operations=20000", "-m", "")


@nox.session
def zig(session: nox.Session) -> None:
    """What depends on the C compiler, with zig's in the place of the system's."""
    session.install("-e", ".[test,zig]")
    found = session.run("python", "-c", "import pathlib, ziglang; print(pathlib.Path(ziglang.__file__).parent)", silent=True)
    places = ["tests/runtime", "tests/memfs", "tests/e2e/test_freeze.py", "tests/e2e/test_survival.py"]
    session.run("pytest", "-n", "2", *places, *session.posargs, env={"CC": f"{str(found).strip()}/zig cc"})


@nox.session
def pmm(session: nox.Session) -> None:
    """Kill updates and installations of modules 500 times; the program starts with a whole set after each."""
    session.install("-e", ".[test]")
    session.run("pytest", "-s", "tests/e2e/test_pmm_kills.py", "--pmm-kills=500", "-m", "", *session.posargs)


@nox.session
def tuf_conformance(session: nox.Session) -> None:
    """The TUF project's conformance suite for the client of updates; ``-- PATH`` is a checkout of it, as no registry has it."""
    if not session.posargs:
        session.error("name a checkout of theupdateframework/tuf-conformance: nox -s tuf_conformance -- PATH")
    session.install("-e", ".[test]", "pytest-json-report")
    here = Path(__file__).parent
    client = here / session.create_tmp() / "client"
    client.write_text(f'#!/bin/sh\nexec {here / session.bin}/python {here}/tests/conformance/tuf_client.py "$@"\n')
    client.chmod(0o700)
    with session.chdir(session.posargs[0]):
        session.run("pytest", "tuf_conformance", "-q", "-W", "ignore", "--entrypoint", str(client), *session.posargs[1:])


@nox.session
def native(session: nox.Session) -> None:
    """Packages of PyPI compiled from their source distributions, archived, linked; needs libxml2 and libxslt to build with."""
    session.install("-e", ".[test]")
    files = [
        "tests/native",
        "tests/builder/test_static_link.py",
        "tests/e2e/test_native.py",
        "tests/e2e/test_native_packages.py",
    ]
    session.run("pytest", *files, "-m", "", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Linters, types, layers, C format, generated files."""
    session.install("-e", ".[test,lint]")
    session.run("bash", "tools/lint", external=True)


@nox.session
def fuzz(session: nox.Session) -> None:
    """The C reader of images under libFuzzer for a minute."""
    session.install("-e", ".[test]")
    session.run("python", "fuzz/run.py", "--seconds", "60", *session.posargs)


@nox.session
def fuzz_starlark(session: nox.Session) -> None:
    """Damaged Starlark sources, and damaged configurations, for a minute each."""
    session.install("-e", ".[test]")
    suites = ("tests/config/starlark/test_mutation.py", "tests/config/dialect/test_mutation.py")
    session.run("pytest", *suites, "--starlark-seconds=60", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Start-up, build time and size against plain Python and other freezers; writes ``bench/README.md``."""
    session.install("-e", ".[test]")
    session.run("python", "bench/run.py", *session.posargs)
