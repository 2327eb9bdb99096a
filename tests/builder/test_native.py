"""Libraries that native code needs, found on this machine."""

from __future__ import annotations

import contextlib
import random
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from frazil.builder import elf, native
from frazil.builder.shared_objects import PROVIDED_BY_GLIBC, Facts, SharedObjectError, facts_of, read_facts
from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, describe, running
from frazil.errors import DependencyError, SourceError
from frazil.resources.collection import Collection
from frazil.resources.kinds import APPLICATION, STANDARD_LIBRARY, SYSTEM, ExtensionModule, NativeLibrary
from frazil.toolchain import find_compiler

Compile = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(tmp_path / "cache")


@pytest.fixture
def distribution(cache: ContentCache) -> PythonDistribution:
    return running(cache)


@pytest.fixture
def make(tmp_path: Path, cache: ContentCache) -> Compile:
    """A function that compiles a shared library at a path of its own, with linker words."""
    compiler = find_compiler(cache)

    def compile_library(name: str, *words: str, code: str = "") -> Path:
        output = tmp_path / name
        output.parent.mkdir(parents=True, exist_ok=True)
        source = output.with_suffix(".c")
        source.write_text(code or f"int in_{re.sub('[^a-z]', '_', name)}(void) {{ return 1; }}\n")
        flags = ["-shared", "-fPIC", f"-Wl,-soname,{output.name}", "-Wl,--no-as-needed"]
        compiler.link([*flags, str(source), *words], output)
        return output

    return compile_library


def _module(path: str, content: Path | bytes, owner: str = "package") -> ExtensionModule:
    directory, _, name = path.rpartition("/")
    return ExtensionModule(name.partition(".")[0], False, content, path, directory, owner)


def _paths(closure: native.NativeClosure) -> list[str]:
    return [one.path for one in closure.libraries if one.path != "lib/libgcc_s.so.1"]


def test_standard_library_is_closed(target: Path, cache: ContentCache) -> None:
    distribution = describe(target, cache)
    assert distribution.dynload is not None
    names = ("_ssl", "_ctypes", "_sqlite3", "_decimal")
    files = [one for one in sorted(distribution.dynload.glob("*.so")) if one.name.partition(".")[0] in names]
    closure = native.find_libraries(
        Collection(_module(f"lib/dynload/{one.name}", one, STANDARD_LIBRARY) for one in files), distribution, cache
    )
    assert not closure.missing
    assert not closure.warnings
    assert all(one.owner == SYSTEM for one in closure.libraries)
    # What the dynamic linker itself says, but for glibc.
    expected = set()
    for file in files:
        listed = subprocess.run(["ldd", file], capture_output=True, text=True, check=True).stdout
        expected |= {line.split()[0] for line in listed.splitlines() if "=>" in line}
    expected = {f"lib/{name}" for name in expected if not PROVIDED_BY_GLIBC.match(name) and "libpython" not in name}
    assert set(_paths(closure)) == expected
    assert closure.floor.version.startswith("2.")
    assert closure.floor.set_by.startswith("lib/")


def test_warm_search_reads_no_file(
    cache: ContentCache, distribution: PythonDistribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert distribution.dynload is not None
    files = sorted(distribution.dynload.glob("_s*.so"))
    collection = Collection([*(_module(f"x/{one.name}", one) for one in files), _module("x/bytes.so", files[0].read_bytes())])
    first = native.find_libraries(collection, distribution, cache)

    def refuse(_argument: object) -> Facts:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(native, "facts_of", refuse)
    monkeypatch.setattr(native, "read_facts", refuse)
    assert native.find_libraries(collection, distribution, cache) == first


def test_damaged_memory_is_made_again(cache: ContentCache, distribution: PythonDistribution, make: Compile) -> None:
    collection = Collection([_module("x/a.so", make("a.so", "-lz"))])
    first = native.find_libraries(collection, distribution, cache)
    for entry in (cache.root / "shared-objects").rglob("*"):
        if entry.is_file():
            entry.write_bytes(b'{"a": {"glibc": 3}}')
    assert native.find_libraries(collection, distribution, cache) == first
    assert _paths(first) == ["lib/libz.so.1"]


@pytest.mark.parametrize("kind", ["rpath", "runpath"])
def test_siblings_in_the_collection_come_first(
    cache: ContentCache, distribution: PythonDistribution, make: Compile, kind: str
) -> None:
    sibling = make("pkg.libs/libz.so.1")
    tags = "-Wl,--disable-new-dtags" if kind == "rpath" else "-Wl,--enable-new-dtags"
    module = make("pkg/mod.so", str(sibling), tags, "-Wl,-rpath,$ORIGIN/../pkg.libs")
    assert (read_facts(module.read_bytes()).rpath != ()) == (kind == "rpath")
    collection = Collection(
        [
            _module("site/pkg/mod.so", module),
            NativeLibrary(sibling, "site/pkg.libs/libz.so.1", "package"),
        ]
    )
    closure = native.find_libraries(collection, distribution, cache)
    assert _paths(closure) == []
    assert closure.missing == ()


def test_run_paths_of_the_build_machine(
    cache: ContentCache, distribution: PythonDistribution, make: Compile, tmp_path: Path
) -> None:
    inner = make("elsewhere/libinner.so.1")
    outer = make("elsewhere/libouter.so.1", str(inner), "-Wl,-rpath,${ORIGIN}")
    module = make("mod.so", str(outer), f"-Wl,-rpath,{tmp_path / 'elsewhere'}")
    closure = native.find_libraries(Collection([_module("app/mod.so", module)]), distribution, cache)
    assert _paths(closure) == ["lib/libinner.so.1", "lib/libouter.so.1"]
    assert inner in [one.content for one in closure.libraries]


def test_rpath_is_inherited_and_runpath_is_not(
    cache: ContentCache, distribution: PythonDistribution, make: Compile, tmp_path: Path
) -> None:
    inner = make("elsewhere/libinner.so.1")
    outer = make("elsewhere/libouter.so.1", str(inner))
    for tags, missing in (("--disable-new-dtags", ()), ("--enable-new-dtags", (("libinner.so.1", "lib/libouter.so.1"),))):
        module = make(f"{tags}.so", str(outer), f"-Wl,{tags}", f"-Wl,-rpath,{tmp_path / 'elsewhere'}")
        closure = native.find_libraries(Collection([_module("app/mod.so", module)]), distribution, cache)
        assert closure.missing == missing


def test_missing_libraries_are_named(cache: ContentCache, distribution: PythonDistribution, make: Compile) -> None:
    module = make("mod.so", str(make("libgone.so.3")))
    closure = native.find_libraries(Collection([_module("app/mod.so", module)]), distribution, cache)
    assert closure.missing == (("libgone.so.3", "app/mod.so"),)
    assert "libgone.so.3" in closure.warnings[0]


def test_library_that_a_package_loads_itself_is_not_missing(
    cache: ContentCache, distribution: PythonDistribution, make: Compile
) -> None:
    library = make("libown.so.3")
    module = make("mod.so", str(library))
    collection = Collection([_module("app/mod.so", module), NativeLibrary(library, "app/data/libown.so.3", "package")])
    assert native.find_libraries(collection, distribution, cache).missing == ()


def test_other_libpython_is_never_added(cache: ContentCache, distribution: PythonDistribution, make: Compile) -> None:
    assert distribution.shared_library is not None
    module = make("mod.so", str(distribution.shared_library))
    assert any("libpython" in name for name in read_facts(module.read_bytes()).needed)
    closure = native.find_libraries(Collection([_module("app/mod.so", module)]), distribution, cache)
    assert _paths(closure) == []
    assert closure.missing == ()


def _for_machine(data: bytes, machine: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into("<H", copy, 18, machine)
    return bytes(copy)


def test_extension_modules_for_other_machines(
    cache: ContentCache, distribution: PythonDistribution, make: Compile, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.so"
    foreign.write_bytes(_for_machine(make("mod.so").read_bytes(), 183))
    with pytest.raises(SourceError, match="is for AArch64, not for x86-64") as caught:
        native.find_libraries(Collection([_module("app/mod.so", foreign, APPLICATION)]), distribution, cache)
    assert caught.value.where == str(foreign)
    with pytest.raises(DependencyError, match="of package is for AArch64"):
        native.find_libraries(Collection([_module("site/mod.so", foreign)]), distribution, cache)
    with pytest.raises(DependencyError, match="is no ELF file"):
        native.find_libraries(Collection([_module("site/mod.so", b"MZ")]), distribution, cache)
    with pytest.raises(DependencyError, match="cannot be read: No such file"):
        native.find_libraries(Collection([_module("site/mod.so", tmp_path / "absent.so")]), distribution, cache)


def test_libraries_for_other_machines_are_only_mentioned(
    cache: ContentCache, distribution: PythonDistribution, make: Compile
) -> None:
    data = make("libx.so").read_bytes()
    collection = Collection(
        [
            NativeLibrary(_for_machine(data, 40), "site/arm/libx.so", "package"),
            NativeLibrary(data[: len(data) // 3], "site/half/libx.so", "package"),
            NativeLibrary(b"INPUT(-lx)", "site/text/libx.so", "package"),
        ]
    )
    warnings = native.find_libraries(collection, distribution, cache).warnings
    assert len(warnings) == 2
    assert "site/arm/libx.so is for ARM" in warnings[0]
    assert "site/half/libx.so is damaged" in warnings[1]


def test_floor_names_the_newest_requirement(cache: ContentCache, distribution: PythonDistribution, make: Compile) -> None:
    old = make("old.so", code='extern int puts(const char *); int f(void) { return puts(""); }\n')
    new = make("new.so", code="extern int close_range(int, int, int); int f(void) { return close_range(9, 9, 0); }\n")
    collection = Collection([_module("app/new.so", new), _module("app/old.so", old)])
    assert read_facts(old.read_bytes()).glibc == (2, 2)
    closure = native.find_libraries(collection, distribution, cache)
    assert read_facts(new.read_bytes()).glibc == (2, 34)
    highest = max([(2, 34), *(facts_of(one.content).glibc for one in closure.libraries if isinstance(one.content, Path))])
    assert closure.floor.version == ".".join(map(str, highest))


def test_launcher_counts_for_the_floor(cache: ContentCache, distribution: PythonDistribution, make: Compile) -> None:
    launcher = make("launcher", code="extern int close_range(int, int, int); int f(void) { return close_range(9, 9, 0); }\n")
    raised = _with_requirement(launcher.read_bytes())
    launcher.write_bytes(raised)
    closure = native.find_libraries(Collection(), distribution, cache, launcher)
    assert (closure.floor.version, closure.floor.set_by) == ("2.99", "the launcher")


def _with_requirement(data: bytes) -> bytes:
    assert b"GLIBC_2.34\0" in data
    return data.replace(b"GLIBC_2.34\0", b"GLIBC_2.99\0")


def test_facts_do_not_need_section_headers(make: Compile) -> None:
    data = make(
        "lib.so", "-lz", "-lm", code="extern double sqrt(double); double f(double x) { return sqrt(x); }\n"
    ).read_bytes()
    facts = read_facts(data)
    assert facts.needed[:2] == ("libz.so.1", "libm.so.6")
    assert facts.soname == "lib.so"
    assert facts.glibc >= (2, 2)
    assert read_facts(elf.trim(data)) == facts


def test_damaged_libraries_never_crash(make: Compile) -> None:
    data = make("lib.so", "-lz", code='extern int puts(const char *); int f(void) { return puts(""); }\n').read_bytes()
    shuffle = random.Random(3)
    interesting = [*range(64 + 12 * 56), *range(data.index(b"libz.so.1") - 64, data.index(b"libz.so.1") + 256)]
    dynamic = next(one for one in elf.ElfFile.parse(data).programs if one.kind == 2)
    interesting += range(dynamic.offset, dynamic.offset + dynamic.file_size)
    for _ in range(1500):
        broken = bytearray(data)
        for _ in range(2):
            broken[shuffle.choice(interesting)] = shuffle.randrange(256)
        with contextlib.suppress(SharedObjectError):
            assert isinstance(read_facts(bytes(broken)), Facts)
    for size in range(64, len(data) // 2, 61):
        with pytest.raises(SharedObjectError, match="is damaged"):
            read_facts(data[:size])


@pytest.mark.parametrize("name", ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libnsl.so.1", "libnss_dns.so.2"])
def test_family_of_glibc(name: str) -> None:
    assert PROVIDED_BY_GLIBC.match(name)


@pytest.mark.parametrize("name", ["libnsl.so.2", "libcrypt.so.1", "libc++.so.1", "libm.so.6x", "libmd.so.0", "libnss3.so"])
def test_not_the_family_of_glibc(name: str) -> None:
    assert not PROVIDED_BY_GLIBC.match(name)


def test_system_directories_hold_glibc() -> None:
    assert any((one / "libc.so.6").exists() for one in native.system_directories())
