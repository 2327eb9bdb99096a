from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from frazil.builder.imports import Import
from frazil.builder.sourceless import sourceless_imports
from frazil.cache import ContentCache
from frazil.distribution import describe
from frazil.errors import SourceError
from frazil.resources.kinds import APPLICATION, BytecodeModule

SOURCE = """import json, os.path as path
from email import message, utils as u
from . import sibling
from xml.dom import *

def f():
    from decimal import Decimal
    return [Decimal(one) for one in ()]

class C:
    import csv
"""


def compiled(target: Path, directory: Path, source: str) -> bytes:
    (directory / "m.py").write_text(source)
    code = "import py_compile; py_compile.compile('m.py', 'm.pyc', doraise=True)"
    subprocess.run([target, "-c", code], cwd=directory, check=True)
    return (directory / "m.pyc").read_bytes()


def module(content: bytes, owner: str = APPLICATION) -> BytecodeModule:
    return BytecodeModule("m", False, content, "m.pyc", "", owner)


def test_imports_are_read_from_bytecode(target: Path, shared_directory: Path, tmp_path: Path) -> None:
    cache = ContentCache(shared_directory / "cache")
    data = compiled(target, tmp_path, SOURCE)
    for _ in range(2):  # the second time from the cache
        found = sourceless_imports([module(data)], describe(target, cache), cache)
        assert set(found["m.pyc"]) == {
            Import("json", (), 1),
            Import("os.path", (), 1),
            Import("email", ("message", "utils"), 2),
            Import("xml.dom", ("*",), 4),
            Import("decimal", ("Decimal",), 7),
            Import("csv", (), 11),
        }


def test_bytecode_of_another_python_imports_nothing(target: Path, shared_directory: Path) -> None:
    cache = ContentCache(shared_directory / "cache")
    assert sourceless_imports([module(b"\0\0\r\n" + bytes(20))], describe(target, cache), cache) == {}


@pytest.mark.parametrize("keep", [16, 17, 40, 100])
def test_damaged_bytecode_is_told(target: Path, shared_directory: Path, tmp_path: Path, keep: int) -> None:
    cache = ContentCache(shared_directory / "cache")
    distribution = describe(target, cache)
    data = compiled(target, tmp_path, SOURCE)[:keep]
    with pytest.raises(SourceError, match="damaged bytecode"):
        sourceless_imports([module(data)], distribution, cache)
    assert sourceless_imports([module(data, "other")], distribution, cache) == {}
