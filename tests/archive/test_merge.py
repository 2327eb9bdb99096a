from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archives import KEY, archive
from frazil.archive.merge import merge, require_none
from frazil.archive.metadata import CompilerFacts, ModuleFacts
from frazil.archive.paths import unit_of
from frazil.errors import SourceError

if TYPE_CHECKING:
    from frazil.archive.content import Archive

NATIVE = ModuleFacts(native=True, objects=("object/n/n.o",), init_symbol="PyInit_n", key=KEY, source="python/n.py")
BARE = replace(NATIVE, source="")
PATHS = [
    "python/a.py", "python/a/__init__.py", "python/a/b.py", "python/a/data.txt", "python/A/Data.txt", "python/c.py",
    "python/C.py", "python/n.py", "object/n/n.o", "object/n/other.o", "source/n/n.c", "lib/libz.a",
    "lib/x86_64-linux-gnu/libz.a", "include/z.h", "include/Z.h",
    "dist-info/P-1.dist-info/METADATA", "dist-info/p-2.dist-info/METADATA", "dist-info/q-1.dist-info/RECORD",
    "data/share/x", "sdist/n-1.tar.gz",
]  # fmt: skip


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    files: dict[str, bytes] = {}
    spelt: set[str] = set()
    for path in draw(st.lists(st.sampled_from(PATHS), unique=True, max_size=10)):
        if path.casefold() not in spelt:
            spelt.add(path.casefold())
            files[path] = draw(st.sampled_from([b"1", b"2"]))
    modules = {}
    if "object/n/n.o" in files:
        modules["n"] = replace(BARE, libraries=draw(st.sampled_from([(), ("z",)])))
        if "python/n.py" in files:
            modules["n"] = replace(modules["n"], source="python/n.py")
    if "python/a.py" in files:
        files.pop("python/a/__init__.py", None)  # one module, one file
    compiler = draw(st.sampled_from([None, CompilerFacts("gcc", "12"), CompilerFacts("clang", "14")]))
    extra = draw(st.dictionaries(st.sampled_from(["one", "two"]), st.integers(0, 1)))
    paths = draw(st.sampled_from([(), ("w",), ("v", "w")]))
    return archive(draw(st.sampled_from("xyz")), files, modules, compiler=compiler, paths=paths, extra=extra)


def merged(*parts: Archive) -> Archive:
    return merge(parts, "merged").archive


def same(first: Archive, second: Archive) -> bool:
    return first.files == second.files and first.metadata == second.metadata


@settings(max_examples=300, deadline=None)
@given(archives(), archives(), archives())
def test_merging_is_associative(first: Archive, second: Archive, third: Archive) -> None:
    at_once = merged(first, second, third)
    assert same(merged(merged(first, second), third), at_once)
    assert same(merged(first, merged(second, third)), at_once)


@settings(max_examples=150, deadline=None)
@given(archives(), archives())
def test_merging_is_idempotent(first: Archive, second: Archive) -> None:
    once = merged(first, second)
    assert same(merged(first, first), first)
    assert same(merged(once, once), once)
    assert same(merged(once, second), once)
    assert merge([first, first], "x").conflicts == ()


@settings(max_examples=300, deadline=None)
@given(st.lists(archives(), min_size=1, max_size=4))
def test_the_winner_is_always_the_first_that_has_it(parts: list[Archive]) -> None:
    parts = [replace(part, name=str(number)) for number, part in enumerate(parts)]
    found = merge(parts, "merged")
    units = [{unit_of(path) for path in (*part.files, *_records(part))} for part in parts]
    for path, content in found.archive.files.items():
        owner = next(part for part, mine in zip(parts, units, strict=True) if unit_of(path) in mine)
        assert owner.files[path] == content
        assert path not in owner.metadata.files or owner.metadata.files[path] == found.archive.metadata.files[path]
    for name, facts in found.archive.metadata.modules.items():
        owner = next(part for part, mine in zip(parts, units, strict=True) if unit_of(f"object/{name}/x") in mine)
        assert replace(owner.metadata.modules[name], digest="") == replace(facts, digest="")
    taken = {unit_of(path) for path in (*found.archive.files, *_records(found.archive))}
    assert taken == set().union(*units)
    for conflict in found.conflicts:
        assert int(conflict.winner) < int(conflict.loser)


def _records(part: Archive) -> list[str]:
    """A path for each module that is recorded, with files or without."""
    return [f"object/{name}/x" for name in part.metadata.modules]


def test_the_same_bytes_are_no_conflict_and_different_ones_are_all_listed() -> None:
    new = archive("new", {"python/a.py": b"1", "include/x.h": b"new", "lib/libz.a": b"same"})
    old = archive("old", {"python/a.py": b"2", "include/x.h": b"old", "lib/libz.a": b"same", "python/b.py": b"3"})
    found = merge([new, old], "merged")
    assert [str(one) for one in found.conflicts] == [
        "include/x.h: that of new was taken, that of old left out",
        "python/a.py: that of new was taken, that of old left out",
    ]
    assert found.archive.files == {"python/a.py": b"1", "include/x.h": b"new", "lib/libz.a": b"same", "python/b.py": b"3"}
    with pytest.raises(SourceError) as caught:
        require_none(found.conflicts, "out")
    assert caught.value.problem == "the archives differ in 2 things"
    assert caught.value.details.count("\n") == 1
    require_none((), "out")


def test_a_module_is_taken_whole() -> None:
    new = archive("new", {"python/a/__init__.py": b"", "object/n/n.o": b"new"}, {"n": BARE})
    old = archive(
        "old", {"python/a.py": b"", "object/n/n.o": b"old", "object/n/more.o": b"", "python/n.py": b""}, {"n": NATIVE}
    )
    found = merge([new, old], "merged")
    assert sorted(found.archive.files) == ["object/n/n.o", "python/a/__init__.py"]
    assert found.archive.files["object/n/n.o"] == b"new"
    assert {one.what for one in found.conflicts} == {"object/n/n.o", "module a", "module n"}


def test_objects_under_another_key_are_told_field_by_field() -> None:
    later = replace(BARE, key=replace(KEY, soabi="cpython-313-x86_64-linux-gnu", python="3.13.0"))
    new = archive("new", {"object/n/n.o": b"x"}, {"n": BARE})
    old = archive("old", {"object/n/n.o": b"x"}, {"n": later})
    (conflict,) = merge([new, old], "merged").conflicts
    assert conflict.what == "module n"
    assert "built for cpython-313-x86_64-linux-gnu, this is cpython-311-x86_64-linux-gnu" in conflict.reason


def test_a_distribution_is_of_one_version() -> None:
    new = archive("new", {"dist-info/P-2.dist-info/METADATA": b"2"})
    old = archive("old", {"dist-info/p-1.dist-info/METADATA": b"1", "dist-info/p-1.dist-info/LICENSE": b""})
    found = merge([new, old], "merged")
    assert list(found.archive.files) == ["dist-info/P-2.dist-info/METADATA"]
    expected = "distribution p: that of new was taken, that of old left out (P-2 against p-1)"
    assert [str(one) for one in found.conflicts] == [expected]


def test_metadata_is_that_of_the_first_and_unknown_fields_are_joined() -> None:
    new = archive("new", {}, app_version="2", extra={"a": 1}, paths=("x",))
    old = archive("old", {}, app_version="1", extra={"a": 2, "b": 3}, paths=("w", "x"), compiler=CompilerFacts("gcc", "12"))
    found = merged(new, old).metadata
    assert (found.app_name, found.app_version, found.extra, found.paths) == ("new", "2", {"a": 1, "b": 3}, ("x", "w"))
    assert found.compiler == CompilerFacts("gcc", "12")


def test_a_file_that_is_a_directory_elsewhere_is_refused() -> None:
    with pytest.raises(SourceError) as caught:
        merged(archive("new", {"python/a": b""}), archive("old", {"python/a/b.txt": b""}))
    assert '"python/a" is a file' in caught.value.details
