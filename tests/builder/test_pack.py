from __future__ import annotations

import marshal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import icecube
from frazil.builder.bytecode import Compiler
from frazil.builder.host import GlibcFloor
from frazil.builder.pack import BOOT_MODULES, Packed, console_scripts, pack
from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, running
from frazil.errors import SourceError
from frazil.plan import Compression, EntryKind, EntryPoint, InterpreterConfig, LinkMode, Plan
from frazil.resources.collection import Collection
from frazil.resources.kinds import (
    APPLICATION,
    SYSTEM,
    BytecodeModule,
    DataFile,
    ExtensionModule,
    Link,
    NativeLibrary,
    Resource,
    SourceModule,
)
from icecube import layout

TIME = 1_577_836_800 * 10**9
SCRIPT = SourceModule("hello", False, b"import pkg.mod", "app/hello.py", "app", APPLICATION)
PACKAGE = SourceModule("pkg", True, b"", "site/pkg/__init__.py", "site", "dist")
MODULE = SourceModule("pkg.mod", False, b"'''A doc string.'''", "site/pkg/mod.py", "site/pkg", "dist")
MAIN = SourceModule("pkg.__main__", False, b"print(1)", "site/pkg/__main__.py", "site/pkg", "dist")
HELLO = EntryPoint("hello", EntryKind.SCRIPT, "app/hello.py")


@pytest.fixture
def cache(shared_directory: Path) -> ContentCache:
    return ContentCache(shared_directory / "cache")


@pytest.fixture
def plan(cache: ContentCache) -> Plan:
    return Plan("hello", running(cache), Collection(), (HELLO,), extra_paths=("site",))


def packed(plan: Plan, cache: ContentCache, resources: Iterable[Resource]) -> Packed:
    collection = Collection([*resources, *console_scripts(plan)])
    with Compiler(plan.distribution, plan.interpreter.optimize, cache) as compiler:
        compiled = compiler.compile(one for one in collection.modules() if isinstance(one, SourceModule))
    floor = GlibcFloor("2.34", "lib/x.so")
    return pack(plan, collection, compiled, link=LinkMode.STATIC, floor=floor, mtime_ns=TIME)


def image(plan: Plan, cache: ContentCache, *resources: Resource) -> icecube.Image:
    read = icecube.Image(packed(plan, cache, resources).image)
    read.verify()
    return read


def files(read: icecube.Image) -> dict[str, bytes]:
    return {node.path: bytes(read.data(node)) for node in read.nodes() if not node.is_directory}


def record(read: icecube.Image, name: str) -> tuple[str, str | None, str, int]:
    """Paths of a module's file, code and directory, and its flags."""
    found = read.find_module(name)
    assert found is not None
    code = None if found.code_node == layout.NO_NODE else read.node(found.code_node).path
    return read.node(found.file_node).path, code, read.node(found.dir_node).path, found.flags


def tag(distribution: PythonDistribution, suffix: str = "") -> str:
    return f"{distribution.cache_tag}{suffix}.pyc"


def test_source_stands_beside_its_bytecode(plan: Plan, cache: ContentCache) -> None:
    read = image(plan, cache, SCRIPT, PACKAGE, MODULE)
    code = tag(plan.distribution)
    assert set(files(read)) == {
        "app/hello.py", f"app/__pycache__/hello.{code}", "site/pkg/__init__.py", f"site/pkg/__pycache__/__init__.{code}",
        "site/pkg/mod.py", f"site/pkg/__pycache__/mod.{code}",
    }  # fmt: skip
    assert record(read, "pkg") == ("site/pkg/__init__.py", f"site/pkg/__pycache__/__init__.{code}", "site", 1)
    assert record(read, "pkg.mod") == ("site/pkg/mod.py", f"site/pkg/__pycache__/mod.{code}", "site/pkg", 0)
    pyc = files(read)[f"site/pkg/__pycache__/mod.{code}"]
    assert marshal.loads(pyc[16:]).co_filename == "/memfs:/site/pkg/mod.py"


def test_without_source_bytecode_takes_its_place(plan: Plan, cache: ContentCache) -> None:
    read = image(replace(plan, with_source=False), cache, SCRIPT, PACKAGE, MODULE)
    assert set(files(read)) == {"app/hello.pyc", "site/pkg/__init__.pyc", "site/pkg/mod.pyc"}
    assert record(read, "pkg") == ("site/pkg/__init__.pyc", "site/pkg/__init__.pyc", "site", 1)
    assert read.settings()["entry.0.module"] == "hello"


@pytest.mark.parametrize(("level", "suffix"), [(1, ".opt-1"), (2, ".opt-2")])
def test_optimized_bytecode_is_named_as_python_names_it(plan: Plan, cache: ContentCache, level: int, suffix: str) -> None:
    plan = replace(plan, interpreter=InterpreterConfig(optimize=level))
    read = image(plan, cache, SCRIPT, PACKAGE, MODULE)
    code = files(read)[f"site/pkg/__pycache__/mod.{tag(plan.distribution, suffix)}"]
    assert (b"doc string" in code) == (level < 2)
    assert read.settings()["optimize"] == str(level)


def test_settings(plan: Plan, cache: ContentCache) -> None:
    interpreter = InterpreterConfig(honour_environment=True, import_site=True, self_exec_application=True)
    settings = image(replace(plan, interpreter=interpreter), cache, SCRIPT, PACKAGE).settings()
    short = plan.distribution.short_version
    library = f"lib/python{short}"
    assert settings.pop("frazil")
    assert settings.pop("boot") == ":".join(BOOT_MODULES)
    assert settings == {
        "name": "hello",
        "python": short,
        "python.full": plan.distribution.full_version,
        "platform": "linux-x86_64-gnu",
        "glibc": "2.34",
        "link": "static",
        "path": f"app:{library}:{library}/lib-dynload:{library}/site-packages:site",
        "optimize": "0",
        "environment": "1",
        "site": "1",
        "self-exec": "application",
        "entry": "1",
        "entry.0.name": "hello",
        "entry.0.kind": "script",
        "entry.0.module": "hello",
    }


def test_switches_that_are_off_are_absent(plan: Plan, cache: ContentCache) -> None:
    assert not {"environment", "site", "self-exec"} & image(plan, cache, SCRIPT).settings().keys()


def test_the_limit_of_memfs_is_a_setting(plan: Plan, cache: ContentCache) -> None:
    assert image(replace(plan, memfs_limit=1 << 33), cache, SCRIPT).settings()["memfs.limit"] == str(1 << 33)


def test_sources_and_data_are_compressed_and_what_is_used_in_place_is_not(plan: Plan, cache: ContentCache) -> None:
    text = b"# a line that comes again and again\n" * 100
    noise = bytes((n * n * 7919 + n * 31 + (n >> 3)) % 251 for n in range(40))
    resources: list[Resource] = [
        SourceModule("hello", False, text, "app/hello.py", "app", APPLICATION),
        DataFile(text + b"data", "app/data.txt", APPLICATION),
        DataFile(noise, "app/noise", APPLICATION),
        DataFile(b"", "app/empty", APPLICATION),
        DataFile(b"\x7fELF" + text, "app/tool", APPLICATION, executable=True),
        DataFile(text, "app/other.pyc", APPLICATION),
        Link("/" + "x" * 200, "app/link", APPLICATION),
        NativeLibrary(b"\x7fELF" + text, "lib/libx.so", SYSTEM),
    ]
    plain = packed(plan, cache, resources)
    small = packed(replace(plan, compression=Compression.DEFLATE), cache, resources)
    assert packed(replace(plan, compression=Compression.DEFLATE), cache, resources).image == small.image
    read = icecube.Image(small.image)
    read.verify()
    assert files(read) == files(icecube.Image(plain.image))
    compressed = [node for node in read.nodes() if node.encoding != layout.ENCODING_RAW]
    assert sorted(node.path for node in compressed) == ["app/data.txt", "app/hello.py"]
    saved = sum(node.size - node.stored_size for node in compressed)
    assert saved > 7000
    assert sum(small.sizes.values()) == sum(plain.sizes.values()) - saved


def test_entry_points_of_each_kind(plan: Plan, cache: ContentCache) -> None:
    entries = (
        HELLO,
        EntryPoint("tool", EntryKind.FUNCTION, "pkg.mod:Class.run"),
        EntryPoint("package", EntryKind.MODULE, "pkg"),
        EntryPoint("module", EntryKind.MODULE, "pkg.mod"),
    )
    read = image(replace(plan, entries=entries), cache, SCRIPT, PACKAGE, MODULE, MAIN)
    settings = read.settings()
    starts = [(settings[f"entry.{number}.kind"], settings[f"entry.{number}.module"]) for number in range(4)]
    assert starts == [("script", "hello"), ("script", "bin/tool"), ("module", "pkg.__main__"), ("module", "pkg.mod")]
    text = files(read)["bin/tool"].decode()
    assert "from pkg.mod import Class\n" in text
    assert "sys.exit(Class.run())" in text
    assert record(read, "bin/tool")[:2] == ("bin/tool", f"bin/__pycache__/tool.{tag(plan.distribution)}")


@pytest.mark.parametrize(
    "entry",
    [
        EntryPoint("x", EntryKind.SCRIPT, "app/gone.py"),
        EntryPoint("x", EntryKind.MODULE, "gone"),
        EntryPoint("x", EntryKind.MODULE, "pkg"),  # has no __main__
    ],
)
def test_an_entry_point_that_is_not_there(plan: Plan, cache: ContentCache, entry: EntryPoint) -> None:
    with pytest.raises(SourceError):
        image(replace(plan, entries=(entry,)), cache, SCRIPT, PACKAGE)


def test_built_in_names_have_no_record_but_scripts_of_their_name_start(plan: Plan, cache: ContentCache) -> None:
    script = SourceModule("time", False, b"", "app/time.py", "app", APPLICATION)
    read = image(replace(plan, entries=(EntryPoint("time", EntryKind.SCRIPT, "app/time.py"),)), cache, script)
    assert read.find_module("time") is None
    assert read.settings()["entry.0.module"] == "app/time.py"
    assert record(read, "app/time.py")[0] == "app/time.py"


def test_a_module_of_a_third_party_that_is_no_python_is_data(plan: Plan, cache: ContentCache) -> None:
    template = SourceModule("pkg.template", False, b"print {{ name }}", "site/pkg/template.py", "site/pkg", "dist")
    for with_source in (True, False):
        read = image(replace(plan, with_source=with_source), cache, SCRIPT, PACKAGE, template)
        assert files(read)["site/pkg/template.py"] == b"print {{ name }}"
        assert read.find_module("pkg.template") is None


def test_native_code_stands_on_pages_behind_everything_else(plan: Plan, cache: ContentCache) -> None:
    extension = ExtensionModule("fast", False, b"\x7fELF fast", "site/fast.so", "site", "dist")
    library = NativeLibrary(b"\x7fELF lib", "lib/libx.so.1", SYSTEM)
    data = DataFile(b"x" * 5000, "site/z.txt", "dist")
    read = image(plan, cache, SCRIPT, extension, library, data)
    places = {node.path: node for node in read.nodes() if not node.is_directory}
    native = [places["site/fast.so"], places["lib/libx.so.1"]]
    assert all(node.data_offset % 4096 == 0 and node.mode & 0o777 == 0o755 for node in native)
    assert min(node.data_offset for node in native) > places["site/z.txt"].data_offset
    assert record(read, "fast") == ("site/fast.so", None, "site", 2)


def test_the_modules_of_the_start_come_first(plan: Plan, cache: ContentCache) -> None:
    boot = SourceModule("encodings", True, b"boot = 1", "site/encodings/__init__.py", "site", "dist")
    read = image(plan, cache, SCRIPT, PACKAGE, boot)
    places = {node.path: node.data_offset for node in read.nodes() if not node.is_directory}
    assert min(places, key=lambda path: places[path]) == f"site/encodings/__pycache__/__init__.{tag(plan.distribution)}"


def test_bytecode_of_another_python_is_no_module(plan: Plan, cache: ContentCache) -> None:
    good = BytecodeModule("good", False, plan.distribution.magic + bytes(20), "site/good.pyc", "site", "dist")
    bad = BytecodeModule("bad", False, b"\0\0\r\n" + bytes(20), "site/bad.pyc", "site", "dist")
    read = image(plan, cache, SCRIPT, good, bad)
    assert record(read, "good") == ("site/good.pyc", "site/good.pyc", "site", 0)
    assert read.find_module("bad") is None


def test_links_executables_and_times(plan: Plan, cache: ContentCache) -> None:
    read = image(
        plan, cache, SCRIPT, Link("hello.py", "app/link", APPLICATION), DataFile(b"#!", "app/run", "dist", executable=True)
    )
    places = {node.path: node for node in read.nodes()}
    assert bytes(read.data(places["app/link"])) == b"hello.py"
    assert places["app/link"].mode & layout.MODE_TYPE == layout.MODE_SYMLINK
    assert places["app/run"].mode & 0o777 == 0o755
    assert {node.mtime_ns for node in read.nodes()} == {TIME}


def test_sizes_are_by_owner(plan: Plan, cache: ContentCache) -> None:
    done = packed(plan, cache, [SCRIPT, DataFile(b"1234", "site/data", "dist"), NativeLibrary(b"123", "lib/l.so", SYSTEM)])
    assert done.sizes["dist"] == 4
    assert done.sizes[SYSTEM] == 3
    assert done.sizes[APPLICATION] > len(b"import pkg.mod")
    assert done.modules == 1


def test_a_path_below_a_file_is_an_error(plan: Plan, cache: ContentCache) -> None:
    with pytest.raises(SourceError, match="cannot be packed"):
        image(plan, cache, SCRIPT, DataFile(b"", "app/hello.py/x", "dist"))
