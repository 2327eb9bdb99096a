from __future__ import annotations

import json
import random
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archives import KEY, PLATFORM, SOABI
from frazil.archive.metadata import CompilerFacts, FileFacts, Metadata, Mode, ModuleFacts, PythonFacts, Recipe, written
from frazil.archive.metadata_reader import MAX_SIZE, read_metadata
from frazil.errors import SourceError
from frazil.native.record import BuildKey

DIGEST = "0" * 64
SMALLEST: dict[str, Any] = {
    "archive_version": "1.0",
    "app_name": "app",
    "frazil_version": "0.1.0",
    "python": {"implementation": "cpython", "version": "3.11.7", "soabi": SOABI},
    "mode": {"platform": PLATFORM},
    "modules": {},
    "files": {},
}
# The example in the documentation of SPVM archives, with frazil's names and places.
COUNTERPART = """
{
   "archive_version" : "1.0",
   "app_name" : "frazil-archive",
   "app_version" : "1.005",
   "frazil_version" : "0.1.0",
   "python" : { "implementation" : "cpython", "version" : "3.11.7", "soabi" : "cpython-311-x86_64-linux-gnu" },
   "mode" : { "platform" : "x86_64-linux-gnu" },
   "modules" : {
      "array" : {
         "native" : 1,
         "precompile" : 1
      },
      "packer" : {
         "precompile" : 1
      },
      "testcase.native_api" : {
         "native" : 1
      },
      "address" : {}
   },
   "files" : {}
}
"""


def read(document: object) -> Metadata:
    return read_metadata(json.dumps(document).encode(), "frazil-archive.json")


def refusal(document: object) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(document)
    assert caught.value.where == "frazil-archive.json"
    return caught.value


def changed(**fields: Any) -> dict[str, Any]:
    return {**SMALLEST, **fields}


def test_the_example_of_the_seed() -> None:
    found = read_metadata(COUNTERPART.encode(), "frazil-archive.json")
    assert (found.app_name, found.app_version, found.frazil_version) == ("frazil-archive", "1.005", "0.1.0")
    assert found.mode.platform == PLATFORM
    assert {name: (one.native, one.precompile) for name, one in found.modules.items()} == {
        "array": (True, True),
        "packer": (False, True),
        "testcase.native_api": (True, False),
        "address": (False, False),
    }
    assert json.loads(written(found))["modules"] == json.loads(COUNTERPART)["modules"]


def test_zero_means_no_and_is_left_out() -> None:
    found = read(changed(modules={"a": {"native": 0, "precompile": 1}}))
    assert json.loads(written(found))["modules"] == {"a": {"precompile": 1}}


def test_everything_survives_a_round_trip() -> None:
    paths = (
        *("python/a/b.py", "python/a/b.so", "object/a.b/x.o", "object/a.b/b.pyc"),
        *("source/a.b/x.c", "sdist/a-1.tar.gz", "lib/liba.so"),
    )
    files = {path: FileFacts(1, DIGEST, executable=path.startswith("lib")) for path in paths}
    module = ModuleFacts(
        native=True, precompile=True, package=False, source="python/a/b.py", bytecode="object/a.b/b.pyc",
        shared="python/a/b.so", init_symbol="PyInit_b", objects=("object/a.b/x.o",), libraries=("z", "stdc++"), language="c++",
        key=KEY, key_extra={"sanitizer": "none"}, native_sources=("source/a.b/x.c",),
        recipe=Recipe(("-O2",), ("A=1",), ("include",), {"later": [1]}), sdist="sdist/a-1.tar.gz", extra={"new": {"x": 1}},
    )  # fmt: skip
    metadata = Metadata(
        "app", "9.9", PythonFacts("cpython", "3.11.7", SOABI, extra={"jit": 1}), Mode(PLATFORM, "2.36", "debug", "2", {"m": 1}),
        "1.0", CompilerFacts("gcc", "12", ("-O2",), {"vendor": "Debian"}), {"a.b": module}, files, ("win32",), "1.7",
        {"signed_by": ["someone"]},
    )  # fmt: skip
    again = read_metadata(written(metadata), "x")
    assert again == metadata
    assert written(again) == written(metadata)


def test_unknown_fields_survive_at_each_level() -> None:
    document = {
        "archive_version": "1.4", "app_name": "app", "frazil_version": "0.9", "later": None,
        "python": {"implementation": "cpython", "version": "3.11.7", "soabi": SOABI, "later": 1},
        "mode": {"platform": PLATFORM, "build": "release", "optimization": "0", "later": [1, {"deep": "ü"}]},
        "modules": {"a": {"source": "python/a.py", "later": True}},
        "files": {"python/a.py": {"size": 0, "sha256": DIGEST, "later": 1.5}},
    }  # fmt: skip
    assert json.loads(written(read(document))) == document


def test_a_newer_minor_version_is_read_and_a_newer_major_version_is_refused() -> None:
    assert read(changed(archive_version="1.99")).archive_version == "1.99"
    error = refusal(changed(archive_version="2.0"))
    assert error.problem == "this archive has format 2.0, and this frazil reads 1.x"
    assert error.remedy == "Use a newer frazil."


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        ({"app_name": None}, "app_name: is missing"),
        ({"app_name": ["app"]}, "app_name: must be a string, not an array"),
        ({"app_name": "a\x1b[31m"}, "app_name: holds characters that cannot be shown"),
        ({"python": "3.11"}, "python: must be an object, not a string"),
        ({"python": {"version": 3.11}}, "python.version: must be a string, not a number"),
        ({"mode": None}, "mode: is missing"),
        ({"mode": {"platform": True}}, "mode.platform: must be a string, not a boolean"),
        ({"modules": []}, "modules: must be an object, not an array"),
        ({"modules": {"a": 1}}, 'modules["a"]: must be an object, not a number'),
        ({"modules": {"a": {"native": True}}}, 'modules["a"].native: must be 0 or 1, not True'),
        ({"modules": {"a": {"native": 2}}}, 'modules["a"].native: must be 0 or 1, not 2'),
        ({"modules": {"a": {"native": []}}}, 'modules["a"].native: must be 0 or 1, not an array'),
        ({"modules": {"a": {"libraries": ["z", 1]}}}, 'modules["a"].libraries[1]: must be a string, not a number'),
        ({"modules": {"a": {"libraries": ["-Wl,x"]}}}, "modules[\"a\"].libraries[0]: '-Wl,x' is not valid"),
        ({"modules": {"a": {"init_symbol": "x; y"}}}, "modules[\"a\"].init_symbol: 'x; y' is not valid"),
        ({"modules": {"a": {"language": "fortran"}}}, "modules[\"a\"].language: 'fortran' is not valid"),
        ({"modules": {"a": {"key": {"soabi": 1}}}}, 'modules["a"].key.soabi: must be a string, not a number'),
        ({"modules": {"a b": {}}}, 'modules["a b"]: is no name of a module'),
        ({"modules": {"a": {"source": "python/a.py"}}}, "modules[\"a\"]: 'python/a.py' is not among the files"),
        ({"files": {"python/a.py": {"size": "1", "sha256": DIGEST}}}, 'files["python/a.py"].size: must be a number of bytes'),
        ({"files": {"python/a.py": {"size": 1, "sha256": "xyz"}}}, "files[\"python/a.py\"].sha256: 'xyz' is not valid"),
        ({"compiler": {"name": "gcc"}}, "compiler.version: is missing"),
        ({"paths": ["../x"]}, "paths: '../x' is no directory below python/"),
    ],
)  # fmt: skip
def test_a_field_of_the_wrong_type_is_named(change: dict[str, Any], issue: str) -> None:
    error = refusal(changed(**change))
    assert issue in error.details
    assert error.remedy


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/etc/passwd", "is absolute"),
        ("python/../../x", "leads outside"),
        ("..", "leads outside"),
        ("python//x", "is not in its shortest form"),
        ("python/./x", "is not in its shortest form"),
        ("python/", "is not in its shortest form"),
        ("", "is empty"),
        ("python\\x", "holds a character that no path may hold"),
        ("python/\0", "holds a character that no path may hold"),
        ("python/\x1b[2J", "holds a character that no path may hold"),
        ("python/\ud800", "is not UTF-8"),
        ("elsewhere/x", "stands in none of the folders of an archive"),
        ("python/" + "x" * 1024, "is longer than 1024 bytes"),
        ("frazil-archive.json", "is the metadata itself"),
    ],
)
def test_a_path_that_breaks_the_conventions_is_named(path: str, problem: str) -> None:
    assert problem in refusal(changed(files={path: {"size": 0, "sha256": DIGEST}})).details


def test_paths_that_cannot_stand_side_by_side() -> None:
    facts = {"size": 0, "sha256": DIGEST}
    assert "only in case" in refusal(changed(files={"python/a.py": facts, "python/A.py": facts})).details
    assert "cannot be a directory too" in refusal(changed(files={"python/a": facts, "python/a/b": facts})).details


def test_a_module_names_only_what_is_its_own() -> None:
    facts = {"size": 0, "sha256": DIGEST}
    error = refusal(changed(files={"object/b/x.o": facts}, modules={"a": {"objects": ["object/b/x.o"]}}))
    assert "'object/b/x.o' belongs to another module" in error.details
    assert ".key: is missing, and needed for objects" in error.details
    error = refusal(changed(files={"python/a.py": facts}, modules={"a": {"source": "python/a.py", "digest": DIGEST}}))
    assert ".digest: differs from that of the files" in error.details


def test_all_issues_are_told_at_once_but_not_without_end() -> None:
    error = refusal(changed(modules={f"m{number}": 1 for number in range(50)}, app_name=1))
    assert error.problem == "51 fields are not valid"
    assert "and 31 more" in error.details


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is no valid JSON"),
        (b"{", "is no valid JSON"),
        (b"\xff", "byte 0 is not valid UTF-8"),
        (b"[]", "must hold an object, not an array"),
        (b"{}", "archive_version is missing"),
        (b'{"archive_version": 1}', 'archive_version must be a string such as "1.0"'),
        (b'{"a": 1, "a": 2}', "the key 'a' is repeated"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1e999}', "1e999 is no number"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"x": ' * 101 + b"1" + b"}" * 101, "it is nested too deeply"),
        (b" " * (MAX_SIZE + 1), "is larger than 64 MiB"),
    ],
    ids=range(12),
)
def test_what_is_no_metadata(data: bytes, problem: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_metadata(data, "x")
    assert problem in caught.value.problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False), JSON)
def test_any_value_anywhere_is_read_and_written_again_or_refused(chance: random.Random, value: object) -> None:
    document = json.loads(written(read(_large())))
    place: Any = document
    while True:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.2:
            break
        place = place[key]
    place[key] = value
    try:
        found = read(document)
    except SourceError:
        return
    assert read_metadata(written(found), "x") == found


def _large() -> dict[str, Any]:
    file = {"size": 1, "sha256": DIGEST}
    return changed(
        app_version="1",
        compiler={"name": "gcc", "version": "12", "flags": ["-O2"]},
        paths=["x"],
        files={"object/a/a.o": file, "source/a/a.c": file, "python/a.py": file},
        modules={
            "a": {
                "native": 1,
                "source": "python/a.py",
                "objects": ["object/a/a.o"],
                "init_symbol": "PyInit_a",
                "libraries": ["z"],
                "language": "c",
                "native_sources": ["source/a/a.c"],
                "recipe": {"flags": ["-g"]},
                "key": {"soabi": SOABI, "python": "3.11.7", "platform": PLATFORM, "compiler": "gcc 12", "flags": []},
            }
        },
    )


@pytest.mark.parametrize(
    ("table", "record"),
    [
        ("metadata", Metadata),
        ("python", PythonFacts),
        ("mode", Mode),
        ("compiler", CompilerFacts),
        ("module", ModuleFacts),
        ("key", BuildKey),
    ],
)
def test_the_specification_lists_every_field(table: str, record: type[Any]) -> None:
    text = (Path(__file__).parents[2] / "docs/spec/archive.md").read_text(encoding="utf-8")
    part = text.partition(f"<!-- table: {table} -->")[2].partition("<!-- end -->")[0]
    listed = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    assert sorted(listed) == sorted(one.name for one in fields(record) if not one.name.endswith("extra"))
