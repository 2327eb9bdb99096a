"""Distributions of configurations: of this machine, from archives, from a server."""

from __future__ import annotations

import hashlib
import http.server
import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.config.starlark.errors import StarlarkError

if TYPE_CHECKING:
    from dialect import Evaluate

VERSION = sys.version.split()[0]
ASK = """\
def show():
    dist = PythonDistribution({})
    print(type(dist), dist.version)

register_target("show", show)
resolve_targets()
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive in the layout ``install_only``, whose interpreter leads to the running one."""
    script = f'#!/bin/sh\nexec {getattr(sys, "_base_executable", sys.executable)} "$@"\n'.encode()
    path = tmp_path / "archives" / "python.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("python/bin/python3")
        member.size, member.mode = len(script), 0o755
        tar.addfile(member, io.BytesIO(script))
    return path


@pytest.fixture
def server(archive: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

    handler = partial(Handler, directory=str(archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}"
        finally:
            serving.shutdown()
            thread.join()


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_local_archive(evaluate: Evaluate, archive: Path) -> None:
    found = evaluate(ASK.format(f'"{digest_of(archive)}", local_path="archives/python.tar.gz"'))
    assert found.printed == [f"PythonDistribution {VERSION}"]


def test_an_archive_of_a_server(evaluate: Evaluate, archive: Path, server: str) -> None:
    found = evaluate(ASK.format(f'sha256="{digest_of(archive)}", url="{server}/python.tar.gz", flavor="standalone_dynamic"'))
    assert found.printed == [f"PythonDistribution {VERSION}"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('"{other}", local_path="archives/python.tar.gz"', "its SHA-256 differs"),
        ('"{other}", url="{server}/python.tar.gz"', "its SHA-256 differs"),
        ('"{digest}", local_path="archives/other.tar.gz"', "the archive cannot be read: No such file or directory"),
        ('"{digest}0", local_path="archives/python.tar.gz"', "this is no SHA-256 digest"),
        ('"{other}", url="ftp://127.0.0.1/python.tar.gz"', "http or https only"),
        ('"{digest}"', "PythonDistribution needs local_path or url"),
    ],
)
def test_bad_archives(evaluate: Evaluate, archive: Path, server: str, arguments: str, problem: str) -> None:
    given = arguments.format(digest=digest_of(archive), other=hashlib.sha256(b"x").hexdigest(), server=server)
    with pytest.raises(StarlarkError) as caught:
        evaluate(ASK.format(given))
    assert problem in caught.value.problem
    assert caught.value.exit_code == 1


def test_versions_of_this_machine(evaluate: Evaluate) -> None:
    short = ".".join(VERSION.split(".")[:2])
    program = """\
def show():
    for version in (None, "{}", "{}", "3.8", "3.10.4"):
        print(default_python_distribution(python_version = version).version)

register_target("show", show)
resolve_targets()
"""
    found = evaluate(program.format(short, VERSION))
    assert found.printed == [VERSION] * 5
    assert [note.partition(": ")[2] for note in found.notes] == [
        f"python_version {old} is older than what frazil builds with (3.11 and later): {VERSION} is taken"
        for old in ("3.8", "3.10.4")
    ]


def test_the_standard_library_is_listed(evaluate: Evaluate) -> None:
    program = """\
def show():
    dist = default_python_distribution()
    resources = dist.python_resources()
    kinds = {}
    for one in resources:
        kinds.setdefault(type(one), {})[one.name] = one.is_stdlib
    print(sorted(kinds.keys()))
    print([name in kinds["PythonModuleSource"] for name in ("json", "json.decoder", "os", "test", "test.support")])
    print([value for names in kinds.values() for value in names.values() if not value])

register_target("show", show)
resolve_targets()
"""
    printed = evaluate(program).printed
    assert printed[0] in {
        '["PythonExtensionModule", "PythonModuleSource", "PythonPackageResource"]',
        '["PythonModuleSource", "PythonPackageResource"]',
    }
    assert printed[1:] == ["[True, True, True, False, False]", "[]"]
