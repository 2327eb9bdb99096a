"""Which native modules go into the program, and the reason for each that does not."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from frazil.builder.static_link import LinkedModules, link_modules
from frazil.cache import ContentCache, default_cache, file_digest
from frazil.distribution import running
from frazil.errors import SourceError
from frazil.native.record import BuildKey, NativeModule, NativeObject, init_symbol
from frazil.plan import EntryKind, EntryPoint, LinkMode, NativeLink, Plan
from frazil.resources.collection import Collection
from frazil.toolchain import Compiler, find_compiler

MODULE = """\
#include <Python.h>
{more}
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, .m_name = "{last}"}};
PyMODINIT_FUNC PyInit_{last}(void) {{ {call} return PyModuleDef_Init(&definition); }}
"""


@pytest.fixture(scope="module")
def cache() -> ContentCache:
    return default_cache()  # launchers are made once for all tests


@pytest.fixture(scope="module")
def compiler(cache: ContentCache) -> Compiler:
    return find_compiler(cache)


class Workshop:
    """Makes modules and libraries in a directory, and plans of them."""

    def __init__(self, place: Path, compiler: Compiler, cache: ContentCache) -> None:
        self.place = place
        self.compiler = compiler
        self.cache = cache
        self.distribution = running(cache)
        if self.distribution.static_library is None:
            pytest.skip("this Python has no static library")

    def object(self, name: str, text: str, *flags: str) -> NativeObject:
        source, made = self.place / f"{name}.c", self.place / f"{name}.o"
        source.write_text(text)
        include = [f"-I{one}" for one in self.distribution.include_directories]
        self.compiler.compile_c([source], ["-c", "-fPIC", "-w", *include, *flags], made)
        return NativeObject(made, made.name, file_digest(made))

    def library(self, name: str, **members: str) -> None:
        objects = [self.object(f"{name}-{member}", text).path for member, text in members.items()]
        subprocess.run(["ar", "rcs", self.place / f"lib{name}.a", *objects], check=True)

    def module(self, name: str, call: str = "", more: str = "", libraries: tuple[str, ...] = (), *flags: str) -> NativeModule:
        last = name.rpartition(".")[2]
        made = self.object(name, MODULE.format(last=last, call=call, more=more), *flags)
        return NativeModule(
            name, init_symbol(name), False, (made,), libraries, "c", BuildKey(), library_directories=(self.place,)
        )

    def link(self, *modules: NativeModule, **changes: NativeLink | LinkMode) -> LinkedModules:
        plan = Plan(
            "app", self.distribution, Collection(), (EntryPoint("app", EntryKind.MODULE, "app"),), static_modules=modules
        )
        return link_modules(replace(plan, **changes), self.cache)  # type: ignore[arg-type]


@pytest.fixture
def workshop(tmp_path: Path, compiler: Compiler, cache: ContentCache) -> Workshop:
    return Workshop(tmp_path, compiler, cache)


def reasons(linked: LinkedModules) -> dict[str, str]:
    return {one.name: one.reason for one in linked.outcomes}


def test_each_module_has_its_own_reason(workshop: Workshop) -> None:
    fits = workshop.module("pkg.fits")
    nowhere = workshop.module("pkg.nowhere", "absent(); gone();", "void absent(void); void gone(void);")
    own = workshop.module("pkg.own", "Dl_info i; dladdr(definition.m_name, &i);", "#define __USE_GNU\n#include <dlfcn.h>")
    shared = workshop.module("pkg.shared", libraries=("dynamic",))
    wrong = replace(workshop.module("pkg.wrong"), init_symbol="PyInit_right")
    part = workshop.object("part", "int part;")
    workshop.compiler.link(["-shared", "-nostdlib", str(part.path)], workshop.place / "libdynamic.so")
    linked = workshop.link(fits, nowhere, own, shared, wrong)
    assert reasons(linked) == {
        "pkg.fits": "",
        "pkg.nowhere": "absent and 1 more are defined nowhere",
        "pkg.own": "it looks for its own file (dladdr)",
        "pkg.shared": f"libdynamic is there only as a shared library ({workshop.place}/libdynamic.so)",
        "pkg.wrong": "its objects do not define PyInit_right",
    }
    assert linked.static == ("pkg.fits",)
    assert [one.name for one in linked.packed] == sorted(reasons(linked))
    assert {one.path for one in linked.packed} >= {f"app/pkg/fits.{workshop.distribution.soabi}.so"}


def test_a_library_that_is_nowhere_is_an_error(workshop: Workshop) -> None:
    with pytest.raises(SourceError) as caught:
        workshop.link(workshop.module("pkg.m", libraries=("never-heard-of",)))
    assert caught.value.problem == "pkg.m can be linked neither into the program nor as a shared object"
    assert "libnever-heard-of is there neither as a static library nor as a shared one" in caught.value.details


def test_a_library_that_two_use_is_linked_once(workshop: Workshop) -> None:
    workshop.library(
        "count", count="int count(void) { static int n; return ++n; }", unused="int unused(void) { return never(); }"
    )
    text = "int count(void);"
    linked = workshop.link(*(workshop.module(name, "count();", text, ("count",)) for name in ("one", "other")))
    assert reasons(linked) == {"one": "", "other": ""}


def test_collisions_are_named(workshop: Workshop) -> None:
    workshop.library("left", left="int left(void) { return 1; } int same(void) { return 1; }")
    workshop.library("right", right="int right(void) { return 2; } int same(void) { return 2; }")
    workshop.library("python", mine="int mine(void) { return 3; } void PyErr_Clear(void) {}")
    left = [workshop.module(f"left{n}", "left();", "int left(void);", ("left",)) for n in (1, 2)]
    right = [workshop.module(f"right{n}", "right();", "int right(void);", ("right",)) for n in (1, 2)]
    mine = [workshop.module(f"mine{n}", "mine();", "int mine(void);", ("python",)) for n in (1, 2)]
    python = workshop.distribution.static_library
    assert python is not None
    two = "same is both in libright.a(right-right.o) and in libleft.a(left-left.o)"
    with_python = f"PyErr_Clear is both in libpython.a(python-mine.o) and in {python.name}"
    assert reasons(workshop.link(*left, *right, *mine)) == {
        **{f"left{n}": "" for n in (1, 2)},
        **{f"right{n}": two for n in (1, 2)},
        **{f"mine{n}": with_python for n in (1, 2)},
    }
    # Alone, each has a copy of its own, which nothing else sees.
    assert reasons(workshop.link(left[0], right[0], mine[0])) == {"left1": "", "right1": "", "mine1": ""}


def test_a_member_that_needs_what_is_nowhere_is_named(workshop: Workshop) -> None:
    workshop.library("deep", deep="int deep(void) { return never(); }")
    modules = [workshop.module(name, "deep();", "int deep(void);", ("deep",)) for name in ("one", "other")]
    reason = "libdeep.a(deep-deep.o) needs never, which is defined nowhere"
    assert reasons(workshop.link(*modules)) == {"one": reason, "other": reason}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"native_link": NativeLink.MEMORY}, "--native memory asks for it"),
        ({"link": LinkMode.SHARED}, "libpython is a shared library here, which static modules cannot be linked with"),
    ],
)
def test_all_from_memory(changes: dict[str, NativeLink | LinkMode], reason: str, workshop: Workshop) -> None:
    if "link" in changes and workshop.distribution.shared_library is None:
        pytest.skip("this Python has no shared library")
    linked = workshop.link(workshop.module("m"), **changes)
    assert reasons(linked) == {"m": reason}
    content = linked.packed[0].content
    assert isinstance(content, Path)
    assert b"PyInit_m" in content.read_bytes()


def test_static_only_is_an_error_with_every_reason(workshop: Workshop) -> None:
    modules = [workshop.module("a", libraries=("absent",)), workshop.module("b", "nothing();", "void nothing(void);")]
    with pytest.raises(SourceError) as caught:
        workshop.link(*modules, workshop.module("c"), native_link=NativeLink.STATIC)
    assert caught.value.details == (
        "  a: libabsent is there neither as a static library nor as a shared one\n  b: nothing is defined nowhere"
    )
