"""Which resources stand in memory and which beside the executable, and what the program is told to find them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.builder.beside import Division, divide, files_of, require_memory_for_warm_starts, write_files
from frazil.builder.host import GlibcFloor
from frazil.builder.native import Edge, NativeClosure
from frazil.cache import ContentCache
from frazil.distribution import running
from frazil.errors import OutputError, UsageError
from frazil.plan import EntryKind, EntryPoint, Plan, WarmStart
from frazil.resources.collection import Collection
from frazil.resources.kinds import (
    APPLICATION,
    RUNTIME,
    STANDARD_LIBRARY,
    SYSTEM,
    DataFile,
    ExtensionModule,
    NativeLibrary,
    SourceModule,
)
from frazil.resources.location import IN_MEMORY, Location, Locations, parse_location, parse_policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frazil.resources.kinds import Resource

LIB = Location("lib")


def source(path: str, root: str = "app", owner: str = APPLICATION) -> SourceModule:
    relative = path.removeprefix(f"{root}/").removesuffix(".py")
    package = relative.endswith("/__init__")
    name = relative.removesuffix("/__init__").replace("/", ".")
    directory = path.rsplit("/", 2 if package else 1)[0]
    return SourceModule(name, package, b"", path, directory, owner)


def extension(path: str, root: str = "app", owner: str = APPLICATION) -> ExtensionModule:
    relative = path.removeprefix(f"{root}/").partition(".")[0]
    return ExtensionModule(relative.replace("/", "."), False, b"", path, path.rpartition("/")[0], owner)


class Divider:
    """Divides resources for the running Python."""

    def __init__(self, cache: ContentCache) -> None:
        self.distribution = running(cache)
        self.library = f"lib/python{self.distribution.short_version}"
        self.version = self.library.removeprefix("lib/")

    def plan(self, resources: Sequence[Resource], locations: Locations) -> Plan:
        entry = EntryPoint("app", EntryKind.COMMAND, "bin/app")
        return Plan("app", self.distribution, Collection(resources), (entry,), locations=locations)

    def __call__(
        self, resources: Sequence[Resource], locations: Locations, needs: Mapping[str, Sequence[Edge]] | None = None
    ) -> Division:
        edges = {path: tuple(each) for path, each in (needs or {}).items()}
        closure = NativeClosure((), (), GlibcFloor("2.17", ""), edges)
        plan = self.plan(resources, locations)
        return divide(plan, plan.collection, closure, ())

    def table(self, division: Division) -> list[str]:
        assert division.table == f"{self.library}/frazil_runtime/beside.txt"
        held = division.inside.get(division.table)
        assert isinstance(held, DataFile)
        assert isinstance(held.content, bytes)
        return held.content.decode().splitlines()


@pytest.fixture
def divider(tmp_path: Path) -> Divider:
    return Divider(ContentCache(tmp_path / "cache"))


def test_nothing_changes_where_everything_is_in_memory(divider: Divider) -> None:
    division = divider([source("app/a.py")], Locations())
    assert (division.outside, division.table, division.standard_library) == ({}, None, None)
    assert division.path[0] == "app"


def test_the_layout(divider: Divider) -> None:
    library, version = divider.library, divider.version
    resources: list[Resource] = [
        source("app/a.py"),
        DataFile(b"", "app/pkg/data.txt", APPLICATION),
        source(f"{library}/site-packages/b.py", f"{library}/site-packages", "b"),
        source(f"{library}/json/__init__.py", library, STANDARD_LIBRARY),
        source(f"{library}/encodings/utf_8.py", library, STANDARD_LIBRARY),
        source(f"{library}/warnings.py", library, STANDARD_LIBRARY),
        extension(f"{library}/lib-dynload/_ssl.so", f"{library}/lib-dynload", STANDARD_LIBRARY),
        source(f"{library}/frazil_runtime/boot.py", library, RUNTIME),
        source("bin/app", "bin"),
        NativeLibrary(b"", "lib/libz.so.1", SYSTEM),
        NativeLibrary(b"", "lib/libgcc_s.so.1", SYSTEM),
        DataFile(b"", "share/doc/b.txt", "b"),
    ]
    division = divider(resources, Locations(LIB))
    assert {place: one.path for place, one in division.outside.items()} == {
        "lib/a.py": "app/a.py",
        "lib/pkg/data.txt": "app/pkg/data.txt",
        "lib/b.py": f"{library}/site-packages/b.py",
        f"lib/{version}/json/__init__.py": f"{library}/json/__init__.py",
        f"lib/{version}/lib-dynload/_ssl.so": f"{library}/lib-dynload/_ssl.so",
        "lib/libz.so.1": "lib/libz.so.1",
        "lib/share/doc/b.txt": "share/doc/b.txt",
    }
    assert division.path == (
        library, f"$ORIGIN/lib/{version}", f"$ORIGIN/lib/{version}/lib-dynload", "$ORIGIN/lib",
    )  # fmt: skip
    assert division.standard_library == f"$ORIGIN/lib/{version}"
    assert divider.table(division) == []


def test_the_executables_own_directory(divider: Divider) -> None:
    division = divider([source("app/a.py")], Locations(Location(".")))
    assert list(division.outside) == ["a.py"]
    assert division.path == (divider.library, "$ORIGIN")


def test_the_application_comes_first(divider: Divider) -> None:
    site = f"{divider.library}/site-packages"
    division = divider([source(f"{site}/a.py", site, "aaa"), source("app/a.py")], Locations(LIB))
    assert division.outside["lib/a.py"].owner == APPLICATION
    assert division.warnings == (f"{site}/a.py: left out: app/a.py stands at lib/a.py already",)


def test_packages_that_are_split(divider: Divider) -> None:
    resources: list[Resource] = [
        source("app/p/__init__.py"),
        extension("app/p/_x.so"),
        source("app/p/q/__init__.py"),
        source("app/p/q/r.py"),
        extension("app/namespace/_y.so"),
    ]
    beside = {one.path: LIB for one in resources if isinstance(one, ExtensionModule)}
    assert divider.table(divider(resources, Locations(IN_MEMORY, beside))) == ["split\tp\t$ORIGIN/lib/p"]
    inside = {one.path: IN_MEMORY for one in resources if isinstance(one, ExtensionModule)}
    assert divider.table(divider(resources, Locations(LIB, inside))) == ["split\tp\t/memfs:/app/p"]


def test_libraries_follow_what_needs_them(divider: Divider) -> None:
    resources: list[Resource] = [
        extension("app/inner.so"),
        extension("app/outer.so"),
        NativeLibrary(b"", "lib/libboth.so", SYSTEM),
        NativeLibrary(b"", "lib/libbelow.so", SYSTEM),
        NativeLibrary(b"", "lib/libouter.so", SYSTEM),
        NativeLibrary(b"", "lib/libouter2.so", SYSTEM),
        NativeLibrary(b"", "app/libs/libown.so", APPLICATION),
        NativeLibrary(b"", "app/libs/libnobody.so", APPLICATION),
    ]
    needs = {
        "app/inner.so": [Edge("lib/libboth.so")],
        "lib/libboth.so": [Edge("lib/libbelow.so")],
        "app/outer.so": [Edge("lib/libouter.so"), Edge("app/libs/libown.so", by_origin=True), Edge("lib/libboth.so")],
        "lib/libouter.so": [Edge("lib/libouter2.so")],
    }
    division = divider(resources, Locations(IN_MEMORY, {"app/outer.so": LIB}), needs)
    assert sorted(division.outside) == ["lib/libouter.so", "lib/libouter2.so", "lib/libs/libown.so", "lib/outer.so"]
    assert divider.table(division) == [
        "needs\touter\t$ORIGIN/lib/libouter2.so\t$ORIGIN/lib/libouter.so\t/memfs:/lib/libbelow.so\t/memfs:/lib/libboth.so"
    ]


def test_libraries_that_need_each_other(divider: Divider) -> None:
    resources: list[Resource] = [
        extension("app/x.so"),
        NativeLibrary(b"", "lib/liba.so", SYSTEM),
        NativeLibrary(b"", "lib/libb.so", SYSTEM),
    ]
    needs = {
        "app/x.so": [Edge("lib/liba.so")],
        "lib/liba.so": [Edge("lib/libb.so")],
        "lib/libb.so": [Edge("lib/liba.so")],
    }
    table = divider.table(divider(resources, Locations(LIB), needs))
    assert table == ["needs\tx\t$ORIGIN/lib/libb.so\t$ORIGIN/lib/liba.so"]


def test_files_are_written_and_written_again(divider: Divider, tmp_path: Path) -> None:
    program = tmp_path / "program.sh"
    program.write_text("#!/bin/sh\n")
    resources: list[Resource] = [
        DataFile(program, "app/bin/run", APPLICATION, executable=True),
        DataFile(b"text", "app/t.txt", APPLICATION),
    ]
    division = divider(resources, Locations(LIB))
    output = tmp_path / "out" / "app"
    for _ in range(2):
        files = files_of(divider.plan(resources, Locations(LIB)), division, {}, 10**18, output)
        written = write_files(files, output.parent)
    found = {str(one): (output.parent / one).stat() for one in written}
    assert {name: (state.st_mode & 0o777, state.st_mtime) for name, state in found.items()} == {
        "lib/bin/run": (0o755, 1e9),
        "lib/t.txt": (0o644, 1e9),
    }
    assert sorted(one.name for one in output.parent.rglob("*") if one.is_file()) == ["run", "t.txt"]
    assert files.sizes == {APPLICATION: 14}


def test_no_source_is_written_over(divider: Divider, tmp_path: Path) -> None:
    place = tmp_path / "lib" / "t.txt"
    place.parent.mkdir()
    place.write_text("mine")
    resources = [DataFile(place, "app/t.txt", APPLICATION)]
    division = divider(resources, Locations(LIB))
    with pytest.raises(OutputError, match="in the place of a file that it is made of"):
        files_of(divider.plan(resources, Locations(LIB)), division, {}, 0, tmp_path / "app")


def test_a_place_that_cannot_be_written(divider: Divider, tmp_path: Path) -> None:
    resources = [DataFile(b"", "app/t.txt", APPLICATION)]
    division = divider(resources, Locations(LIB))
    files = files_of(divider.plan(resources, Locations(LIB)), division, {}, 0, tmp_path / "app")
    (tmp_path / "lib").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        write_files(files, tmp_path)


def test_a_warm_start_needs_everything_in_memory(divider: Divider) -> None:
    plan = divider.plan([source("app/a.py")], Locations())
    require_memory_for_warm_starts(replace(plan, warm=WarmStart()))
    with pytest.raises(UsageError, match="a warm start needs everything in memory"):
        require_memory_for_warm_starts(replace(plan, warm=WarmStart(), locations=Locations(LIB)))


@pytest.mark.parametrize("text", ["filesystem-relative:", "filesystem-relative:/lib", "filesystem-relative:a/../..", "memory"])
def test_what_is_no_location(text: str) -> None:
    with pytest.raises(Exception, match=r"is no location|names no directory"):
        parse_location(text)


def test_locations_as_they_are_written() -> None:
    assert [str(parse_location(one)) for one in ("in-memory", "filesystem-relative:./a//b/")] == [
        "in-memory", "filesystem-relative:a/b",
    ]  # fmt: skip
    assert parse_policy("prefer-in-memory-fallback-filesystem-relative:x") == (IN_MEMORY, Location("x"))
    assert Locations(LIB, {"a.py": IN_MEMORY}).of("a.pyc") == IN_MEMORY
    assert not replace(Locations(), by_path={"a": LIB}).all_in_memory
