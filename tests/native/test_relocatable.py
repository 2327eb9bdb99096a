"""Joined objects show one symbol; symbol tables are read, damaged ones refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from frazil.cache import ContentCache, file_digest
from frazil.errors import SourceError
from frazil.native.record import BuildKey, Language, NativeModule, NativeObject, init_symbol
from frazil.native.relocatable import relocatable, unique_symbol
from frazil.native.symbols import exported_symbols, object_symbols, pulled, static_library
from frazil.toolchain import Compiler, find_compiler

CXX = """\
#include <map>
#include <string>
template <typename T> struct Registry {{ static std::map<std::string, T> all; }};
template <typename T> std::map<std::string, T> Registry<T>::all;
inline int &counter() {{ static int value; return value; }}
int shared_name() {{ return ++counter() + (int)Registry<int>::all.size(); }}
extern "C" void *{symbol}() {{ return (void *)shared_name; }}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ContentCache:
    return ContentCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def compiler(cache: ContentCache) -> Compiler:
    return find_compiler(cache)


def compiled(place: Path, name: str, text: str, compiler: Compiler, *flags: str) -> NativeObject:
    place.mkdir(exist_ok=True)
    source, made = place / name, place / f"{name}.o"
    source.write_text(text)
    compiler.compile_c([source], ["-c", "-fPIC", *flags], made)
    return NativeObject(made, made.name, file_digest(made))


def module(name: str, *objects: NativeObject, language: Language = "c") -> NativeModule:
    return NativeModule(name, init_symbol(name), False, objects, (), language, BuildKey())


@pytest.mark.parametrize(
    ("one", "other"), [("a.b", "a_b"), ("a_.b", "a._b"), ("a__b", "a_0b"), ("a.b_c", "a_b.c"), ("é", "ue9_")]
)
def test_names_of_functions_are_unique(one: str, other: str) -> None:
    assert unique_symbol(one) != unique_symbol(other)
    assert unique_symbol(one).isascii()
    assert unique_symbol(one).isidentifier()


def test_two_modules_of_the_same_last_name_and_inline_functions_stand_side_by_side(
    tmp_path: Path, compiler: Compiler, cache: ContentCache
) -> None:
    joined = []
    for package in ("one", "other"):
        made = compiled(tmp_path / package, "m.cpp", CXX.format(symbol="PyInit_m"), compiler)
        joined.append(relocatable(module(f"{package}.m", made, language="c++"), (), compiler, cache))
    for package, path in zip(("one", "other"), joined, strict=True):
        symbols = object_symbols(path.read_bytes(), path)
        assert symbols.strong == {f"frazil_init_{package}_0m"}
        assert symbols.weak == set()
    main = compiled(tmp_path, "main.c", "void *frazil_init_one_0m(void), *frazil_init_other_0m(void);\n"
                    "int main(void) { int (*a)(void) = frazil_init_one_0m(), (*b)(void) = frazil_init_other_0m();\n"
                    "return a != b && a() == 1 && a() == 2 && b() == 1 ? 0 : 1; }\n", compiler)  # fmt: skip
    compiler.link(["-no-pie", str(main.path), *map(str, joined), "-lstdc++"], tmp_path / "main")
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


def test_a_library_of_the_module_alone_becomes_part_of_it(tmp_path: Path, compiler: Compiler, cache: ContentCache) -> None:
    used = compiled(tmp_path, "used.c", "int used(void) { return 3; }\n", compiler)
    unused = compiled(tmp_path, "unused.c", "int unused(void) { return absent(); }\n", compiler, "-w")
    library = tmp_path / "libthings.a"
    subprocess.run(["ar", "rcs", library, used.path, unused.path], check=True)
    made = compiled(tmp_path, "m.c", "int used(void);\nvoid *PyInit_m(void) { return (void *)(long)used(); }\n", compiler)
    path = relocatable(module("m", made), [library], compiler, cache)
    symbols = object_symbols(path.read_bytes(), path)
    assert symbols.strong == {"frazil_init_m"}
    assert symbols.wanted == set()  # the other member, which wants more, stays out
    found = static_library(library)
    assert sorted(found.members) == ["unused.c.o", "used.c.o"]
    assert found.defined() == {"used", "unused"}
    assert [name for _, name in pulled({"used"}, [found])] == ["used.c.o"]


def test_damage_is_told(tmp_path: Path, compiler: Compiler) -> None:
    made = compiled(tmp_path, "m.c", "int f(void) { return 0; }\n", compiler)
    data = made.path.read_bytes()
    library = tmp_path / "lib.a"
    subprocess.run(["ar", "rcs", library, made.path], check=True)
    good = library.read_bytes()
    for size in (0, 3, 20, 63, len(data) // 2):
        with pytest.raises(SourceError):
            object_symbols(data[:size], "m.o")
    arm = bytearray(data)
    arm[18:20] = (183).to_bytes(2, "little")
    with pytest.raises(SourceError, match="no object for Linux x86-64"):
        object_symbols(bytes(arm), "m.o")
    for content in (b"", b"!<arch>", b"!<thin>\n" + good[8:], good[:70], good.replace(b"`\n", b"!\n")):
        library.write_bytes(content)
        with pytest.raises(SourceError):
            static_library(library)
    assert "f" not in exported_symbols(data, "m.o").strong


def test_what_only_the_link_time_optimiser_reads_is_seen(tmp_path: Path, compiler: Compiler) -> None:
    if not compiler.name.startswith("gcc"):
        pytest.skip("gcc's form of objects")
    text = "int f(void) { return 0; }\n"
    slim = compiled(tmp_path, "slim.c", text, compiler, "-flto", "-fno-fat-lto-objects")
    fat = compiled(tmp_path, "fat.c", text, compiler, "-flto", "-ffat-lto-objects")
    assert object_symbols(slim.path.read_bytes(), "slim.o").only_lto
    assert not object_symbols(fat.path.read_bytes(), "fat.o").only_lto
