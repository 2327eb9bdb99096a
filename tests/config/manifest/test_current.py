"""The functions that came after MicroPython 1.18."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frazil.config.manifest.errors import ManifestError
from frazil.frozen import with_version
from manifests import brief, targets

if TYPE_CHECKING:
    from pathlib import Path

    from front_end import Write
    from manifests import Evaluate


def test_module(run: Evaluate) -> None:
    found = run("module('x.py', base_path='pure')\nmodule('src/a.py', opt=1)\nmodule('c.py', '$(PORT_DIR)/src/sub', 2)")
    assert brief(found.modules) == [("py", "x.py", None), ("py", "src/a.py", 1), ("py", "c.py", 2)]


def test_package(run: Evaluate) -> None:
    assert targets(run("package('sub', base_path='src')").modules) == ["sub/__init__.py", "sub/c.py"]
    assert brief(run("package('sub', ('c.py',), 'src', opt=3)").modules) == [("py", "sub/c.py", 3)]
    assert targets(run("package('src/sub', files=['c.py'])").modules) == ["src/sub/c.py"]
    assert targets(run("package('mpyd')").modules) == []


@pytest.fixture
def library(write: Write, tmp_path: Path) -> dict[str, str]:
    """A library of packages, and the variable that leads to it."""
    write(
        {
            "lib/micropython/net/umqtt/manifest.py": "metadata(version='1.2')\nrequire('base')\npackage('umqtt')\n",
            "lib/micropython/net/umqtt/umqtt/__init__.py": "",
            "lib/python-stdlib/base/manifest.py": "metadata(version='0.1')\nrequire('umqtt')\nmodule('base.py')\n",
            "lib/python-stdlib/base/base.py": "",
            "lib/python-stdlib/twice/manifest.py": "module('twice.py', opt=1)\n",
            "lib/python-stdlib/twice/twice.py": "",
            "lib/python-ecosys/twice/manifest.py": "module('twice.py', opt=2)\n",
            "lib/python-ecosys/twice/twice.py": "",
            "own/group/mine/manifest.py": "options.defaults(n=1)\nmodule('mine.py', opt=options.n)\n",
            "own/group/mine/mine.py": "",
            "own/twice/manifest.py": "module('twice.py', opt=3)\n",
            "own/twice/twice.py": "",
        }
    )
    return {"MPY_LIB_DIR": str(tmp_path / "lib")}


def test_require_finds_packages_and_what_they_require(run: Evaluate, library: dict[str, str]) -> None:
    found = run("require('umqtt')\nrequire('umqtt')", variables=library)
    assert targets(found.modules) == ["base.py", "umqtt/__init__.py"]
    assert [(one.verb, one.asked, one.again) for one in found.references] == [
        ("require", "umqtt", False),
        ("require", "base", False),
        ("require", "umqtt", True),
        ("require", "umqtt", True),
    ]


def test_modules_know_the_version_of_their_package(run: Evaluate, library: dict[str, str]) -> None:
    found = run("require('umqtt', version='9')\nfreeze('src', 'a.py')", variables=library)
    assert {one.target: one.version for one in found.modules} == {"base.py": "0.1", "umqtt/__init__.py": "1.2", "a.py": None}


def test_a_version_does_not_take_the_place_of_the_sources_own() -> None:
    assert with_version(b"x = 1\n", "1.2") == b"x = 1\n\n\n__version__ = '1.2'\n"
    assert with_version(b"__version__ = '2'\n", "1.2") == b"__version__ = '2'\n"
    assert with_version(b"x = 1\n", None) == b"x = 1\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("require('twice')", 1),
        ("add_library('own', 'own')\nrequire('twice')", 1),
        ("add_library('own', 'own', prepend=True)\nrequire('twice')", 3),
        ("add_library('own', 'own')\nrequire('twice', library='own')", 3),
        ("require('twice', library='python-ecosys')", 2),
        ("add_library('own', '$(PORT_DIR)/own')\nrequire('mine')", 1),
        ("add_library('own', 'own')\nrequire('mine', n=2)", 2),
    ],
)
def test_libraries_are_searched_in_order(run: Evaluate, library: dict[str, str], text: str, expected: int) -> None:
    assert [one.opt for one in run(text, variables=library).modules] == [expected]


def test_the_library_of_the_source_tree_is_known(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write(
        {
            "mpy/lib/micropython-lib/micropython/m/manifest.py": "module('m.py')\n",
            "mpy/lib/micropython-lib/micropython/m/m.py": "",
        }
    )
    assert targets(run("require('m')", variables={"MPY_DIR": str(tmp_path / "mpy")}).modules) == ["m.py"]


def test_without_a_library_the_variable_is_asked_for(run: Evaluate) -> None:
    with pytest.raises(ManifestError) as raised:
        run("require('m')")
    assert "-v MPY_LIB_DIR=" in raised.value.remedy


def test_metadata_is_kept_and_can_be_asked_for(run: Evaluate, tmp_path: Path) -> None:
    text = """\
    said = metadata(description="d", version="1", license="MIT", author="me", stdlib=True, pypi="p", pypi_publish="q")
    assert metadata() is said and metadata().version == "1" and metadata().author == "me"
    """
    found = run(text)
    assert found.metadata[f"{tmp_path}/manifest.py"].description == "d"


def test_modules_in_c_are_recorded(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write({"cexample/micropython.mk": "", "other/micropython.cmake": ""})
    found = run("c_module('$(PORT_DIR)/cexample')\nc_module('other')\nc_module('other')")
    assert [(one.kind.value, one.target, one.path) for one in found.modules] == [
        ("c_module", "cexample", tmp_path / "cexample"),
        ("c_module", "other", tmp_path / "other"),
    ]


def test_only_modules_in_c_can_be_asked_for(run: Evaluate, write: Write) -> None:
    write({"cexample/micropython.mk": ""})
    found = run("freeze('not there')\npackage('nor this')\nc_module('cexample')", only_c_modules=True)
    assert targets(found.modules) == ["cexample"]
