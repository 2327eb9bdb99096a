"""Manifests as plans for CPython."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Protocol

import pytest

from frazil.config.manifest import ManifestOptions, evaluate
from frazil.config.manifest.application import manifest_plan
from frazil.config.manifest.errors import ManifestError
from frazil.config.options import SourceOptions
from frazil.errors import SourceError, UsageError
from frazil.frozen import Platform
from frazil.plan import EntryKind
from frazil.resources.kinds import BytecodeModule, SourceModule

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan
    from front_end import Write

    class MakePlan(Protocol):
        def __call__(self, text: str, entry: str = "app:main") -> Plan: ...


@pytest.fixture
def plan(write: Write, tmp_path: Path, distribution: PythonDistribution, cache: ContentCache) -> MakePlan:
    write({"app.py": "import pkg\ndef main(): pass\n", "pkg/__init__.py": "", "pkg/mod.py": "", "texts/text.py": ""})

    def make(text: str, entry: str = "app:main") -> Plan:
        write({"manifest.py": text})
        found = evaluate(ManifestOptions(("manifest.py",), platform=Platform.CPYTHON, directory=tmp_path))
        return manifest_plan(found, entry, SourceOptions("", directory=tmp_path), distribution, cache)

    return make


def test_modules_go_in_as_the_manifest_says(plan: MakePlan, tmp_path: Path) -> None:
    made = plan("module('app.py')\npackage('pkg', opt=3)\nfreeze_as_str('texts')\n")
    modules = [one for one in made.collection if isinstance(one, SourceModule)]
    assert [(one.path, one.name, one.package, one.directory, one.optimize, one.as_source) for one in modules] == [
        ("app/app.py", "app", False, "app", None, False),
        ("app/pkg/__init__.py", "pkg", True, "app", 2, False),
        ("app/pkg/mod.py", "pkg.mod", False, "app/pkg", 2, False),
        ("app/text.py", "text", False, "app", None, True),
    ]
    assert modules[0].content == tmp_path / "app.py"
    assert [(one.name, one.kind, one.target) for one in made.entries] == [("app", EntryKind.FUNCTION, "app:main")]
    assert made.name == "app"


def test_a_module_may_be_the_entry(plan: MakePlan) -> None:
    (entry,) = plan("module('app.py')\npackage('pkg')", "pkg.mod").entries
    assert (entry.name, entry.kind, entry.target) == ("pkg", EntryKind.MODULE, "pkg.mod")


def test_the_version_goes_into_the_source(plan: MakePlan) -> None:
    made = plan("metadata(version='3.1')\nmodule('app.py')\nfreeze_as_str('texts')\npackage('pkg')")
    app, text = made.collection.get("app/app.py"), made.collection.get("app/text.py")
    assert isinstance(app, SourceModule)
    assert isinstance(text, SourceModule)
    assert isinstance(app.content, bytes)
    assert app.content.endswith(b"\n__version__ = '3.1'\n")
    assert not isinstance(text.content, bytes)


def test_bytecode_of_this_python_goes_in_as_it_is(plan: MakePlan, write: Write) -> None:
    write({"ready/one.pyc": importlib.util.MAGIC_NUMBER + bytes(12) + b"N", "ready/two.py": "", "ready/two.pyc": b"stale"})
    made = plan("module('app.py')\npackage('pkg')\nfreeze('ready')")
    one = made.collection.get("app/one.pyc")
    assert isinstance(one, BytecodeModule)
    assert isinstance(made.collection.get("app/two.py"), SourceModule)
    assert "app/two.pyc" not in made.collection


def test_bytecode_of_another_python_is_refused(plan: MakePlan, write: Write, tmp_path: Path) -> None:
    write({"ready/one.pyc": b"\x42\x0d\x0d\x0a" + bytes(12)})
    with pytest.raises(ManifestError, match="this is no bytecode of Python 3") as raised:
        plan("module('app.py')\nfreeze_mpy('ready')")
    assert raised.value.where == f"{tmp_path}/manifest.py:2"


def test_bytecode_of_micropython_is_refused(plan: MakePlan, write: Write, tmp_path: Path) -> None:
    write({"ready/one.mpy": b"M\x06\x00\x1f"})
    with pytest.raises(ManifestError, match="bytecode of MicroPython, which CPython cannot run") as raised:
        plan("module('app.py')\nfreeze('ready', 'one.mpy')")
    assert raised.value.where == f"{tmp_path}/manifest.py:2"


@pytest.mark.parametrize("entry", ["", ":main", "app:", "app main", "app:main:more", "1app:main"])
def test_entries_of_no_form_are_refused(plan: MakePlan, entry: str) -> None:
    with pytest.raises(UsageError) as raised:
        plan("module('app.py')", entry)
    assert raised.value.where == "--entry"


def test_an_entry_that_is_not_frozen_is_refused(plan: MakePlan) -> None:
    with pytest.raises(UsageError, match="freezes no module pkg") as raised:
        plan("module('app.py')", "pkg:main")
    assert raised.value.remedy == "It freezes: app."


def test_names_that_nothing_imports_are_refused(plan: MakePlan, write: Write) -> None:
    write({"odd/my-module.py": ""})
    with pytest.raises(ManifestError, match="part of it is no identifier"):
        plan("module('app.py')\nfreeze('odd')")


def test_what_is_missing_is_told(plan: MakePlan, write: Write, tmp_path: Path) -> None:
    write({"app.py": "import nowhere_to_be_found\nimport json\ndef other(): pass\n", "cm/micropython.mk": ""})
    warnings = plan("module('app.py')\nc_module('cm')").warnings
    assert any(f"{tmp_path}/app.py:1: module 'nowhere_to_be_found' is not found" in one for one in warnings)
    assert any("modules in C are for the firmware's own build" in one for one in warnings)
    assert any("defines no 'main'" in one for one in warnings)


def test_sources_that_are_not_valid_are_refused(plan: MakePlan, write: Write, tmp_path: Path) -> None:
    write({"app.py": "x = =\n"})
    with pytest.raises(SourceError) as raised:
        plan("module('app.py')")
    assert raised.value.where == f"{tmp_path}/app.py:1"
