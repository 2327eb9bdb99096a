from __future__ import annotations

import importlib.machinery
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from frazil.resources.kinds import BytecodeModule, DataFile, ExtensionModule, NativeLibrary, Resource, SourceModule
from frazil.resources.scan import Classifier, Tree, module_name, without_shadowed

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = tuple(sorted(importlib.machinery.EXTENSION_SUFFIXES, key=len, reverse=True))
TAG = SUFFIXES[0]


@pytest.fixture(scope="module")
def shared_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared object with the initialisation function of a module ``mod``."""
    place = tmp_path_factory.mktemp("native")
    (place / "mod.c").write_text("void *PyInit_mod(void) { return 0; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", "-o", place / "mod.so", place / "mod.c"], check=True)
    return place / "mod.so"


def of(content: Path, relative: str) -> Resource:
    return Classifier(SUFFIXES).resource(content, relative, "site", "owner")


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("a", ("a", False)),
        ("a/b", ("a.b", False)),
        ("a/__init__", ("a", True)),
        ("__init__", ("__init__", False)),
        ("a-b/c", None),
        ("a/1", None),
        ("é/ü", ("é.ü", False)),
    ],
)
def test_module_names(stem: str, expected: tuple[str, bool] | None) -> None:
    assert module_name(stem) == expected


def test_modules(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"")
    assert of(file, "p/m.py") == SourceModule("p.m", False, file, "site/p/m.py", "site/p", "owner")
    assert of(file, "p/__init__.py") == SourceModule("p", True, file, "site/p/__init__.py", "site", "owner")
    assert of(file, "p/m.pyc") == BytecodeModule("p.m", False, file, "site/p/m.pyc", "site/p", "owner")
    assert of(file, "p/not-a-name.py") == DataFile(file, "site/p/not-a-name.py", "owner")
    assert of(file, "p/stub.pyi") == DataFile(file, "site/p/stub.pyi", "owner")


@pytest.mark.parametrize("name", [f"mod{TAG}", "mod.abi3.so", "mod.so"])
def test_extension_modules(shared_object: Path, name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(shared_object.read_bytes())
    assert of(file, f"p/{name}") == ExtensionModule("p.mod", False, file, f"site/p/{name}", "site/p", "owner")


@pytest.mark.parametrize(
    "name", ["libmod.so", "other.so", "libmod.so.1", "libgfortran-040039e1.so.5.0.0", "mod.cpython-27m.so.2"]
)
def test_libraries(shared_object: Path, name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(shared_object.read_bytes())
    assert of(file, f"p.libs/{name}") == NativeLibrary(file, f"site/p.libs/{name}", "owner")


def test_a_linker_script_and_an_empty_file_are_data(tmp_path: Path) -> None:
    file = tmp_path / "libx.so"
    file.write_text("INPUT(libx.so.1)")
    assert of(file, "p/libx.so") == DataFile(file, "site/p/libx.so", "owner")
    file.write_bytes(b"")
    assert of(file, "p/libx.so") == DataFile(file, "site/p/libx.so", "owner")


def test_execute_permission(tmp_path: Path) -> None:
    file = tmp_path / "driver"
    file.write_bytes(b"\x7fELF")
    file.chmod(0o755)
    assert of(file, "p/driver") == DataFile(file, "site/p/driver", "owner", executable=True)


def test_a_tree_is_walked_in_order_without_caches(tmp_path: Path) -> None:
    for name in ("b/x.py", "a.py", "b/__pycache__/x.pyc", "b/a.py", "B.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [relative for relative, _ in Tree(tmp_path).files()] == ["B.py", "a.py", "b/a.py", "b/x.py"]


@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="file names are of another encoding")
def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    with open(bytes(tmp_path) + b"/\xff.txt", "wb"):  # noqa: PTH123 - a name of bytes
        pass
    tree = Tree(tmp_path)
    assert list(tree.files()) == []
    assert len(tree.warnings) == 1
    assert "the name is not UTF-8" in tree.warnings[0]


def test_bytecode_beside_its_source_is_left_out(tmp_path: Path) -> None:
    files = [(name, tmp_path) for name in ("a.py", "a.pyc", "b.pyc")]
    assert [name for name, _ in without_shadowed(files)] == ["a.py", "b.pyc"]
