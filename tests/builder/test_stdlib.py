from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from frazil.builder.bytecode import Compiler
from frazil.builder.stdlib import IMPLIED, Library, Selection, mentioned, select
from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, describe
from frazil.errors import UsageError
from frazil.plan import Plan, StandardLibrary
from frazil.resources.collection import Collection
from frazil.resources.kinds import BytecodeModule, DataFile, ExtensionModule, SourceModule

LOADED = """import importlib, sys
importlib.import_module(sys.argv[1])
print(*sys.modules)
"""


@pytest.fixture
def cache(shared_directory: Path) -> ContentCache:
    return ContentCache(shared_directory / "cache")


@pytest.fixture
def distribution(target: Path, cache: ContentCache) -> PythonDistribution:
    return describe(target, cache)


@pytest.fixture
def library(distribution: PythonDistribution) -> Library:
    return Library(distribution)


def chosen(
    library: Library,
    cache: ContentCache,
    *roots: str,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    stdlib: StandardLibrary = StandardLibrary.USED,
) -> Selection:
    plan = Plan("test", library.distribution, Collection(), (), stdlib=stdlib, include=tuple(include), exclude=tuple(exclude))
    with Compiler(library.distribution, 0, cache) as compiler:
        return select(plan, library, roots, compiler, known={"third_party"})


def names(selection: Selection) -> set[str]:
    kinds = SourceModule | BytecodeModule | ExtensionModule
    return {one.name for one in selection.resources if isinstance(one, kinds)}


@pytest.mark.parametrize(
    "root",
    ["os", "json", "asyncio", "concurrent.futures.process", "multiprocessing.pool", "ssl", "sqlite3", "decimal", "xml.sax",
     "ctypes.util", "zoneinfo", "importlib.metadata", "importlib.resources", "logging.config", "unittest.mock", "http.server"],
)  # fmt: skip
def test_all_that_an_import_loads_is_selected(library: Library, cache: ContentCache, root: str) -> None:
    command = [str(library.distribution.executable), "-I", "-S", "-c", LOADED, root]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    missing = {name for name in loaded if library.find(name) is not None} - names(chosen(library, cache, root))
    assert not missing


@pytest.mark.parametrize(
    ("root", "statement"),
    [
        ("time", "time.strptime('2020', '%Y')"),
        ("datetime", "datetime.datetime.strptime('2020', '%Y')"),
        ("pickle", "pickle.loads(pickle.dumps(range(3)))"),
        ("asyncio", "asyncio.run(asyncio.sleep(0))"),
        ("concurrent.futures", "concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor"),
        ("sysconfig", "sysconfig.get_config_vars()"),
        ("xml.dom.minidom", "xml.dom.minidom.parseString('<a/>').toxml()"),
        ("xml.etree.ElementTree", "xml.etree.ElementTree.fromstring('<a><b/></a>').find('b')"),
        ("xml.sax", "xml.sax.parseString('<a/>', xml.sax.ContentHandler())"),
        ("dbm", "dbm.whichdb('nothing')"),
        ("multiprocessing", "multiprocessing.get_context('forkserver').Queue, multiprocessing.Manager"),
        ("sqlite3", "list(sqlite3.connect(':memory:').iterdump())"),
        ("hashlib", "hashlib.new('md5', usedforsecurity=False), hashlib.sha3_256(), hashlib.blake2b()"),
        ("logging.config", "logging.config.dictConfig({'version': 1})"),
        ("copy", "copy.deepcopy({1: [2]})"),
        ("json", "json.JSONDecoder().decode('{}')"),
        ("typing", "typing.get_type_hints(typing.NamedTuple)"),
    ],
)
def test_what_is_imported_by_use_is_selected(library: Library, cache: ContentCache, root: str, statement: str) -> None:
    """C code and functions import more, once they run."""
    code = f"import sys, {root}\n{statement}\nprint(*sys.modules)"
    command = [str(library.distribution.executable), "-I", "-S", "-W", "ignore", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    missing = {name for name in loaded if library.find(name) is not None} - names(chosen(library, cache, root))
    assert not missing


def test_every_encoding_is_there(library: Library, cache: ContentCache) -> None:
    files = {file.stem for file in (library.distribution.stdlib / "encodings").glob("*.py")} - {"__init__"}
    assert {f"encodings.{name}" for name in files} <= names(chosen(library, cache))


def test_a_program_that_imports_nothing_gets_little(library: Library, cache: ContentCache) -> None:
    unwanted = {"ssl", "_ssl", "email", "http.client", "asyncio", "pydoc", "unittest", "test", "tkinter", "argparse", "pickle"}
    assert not unwanted & names(chosen(library, cache))


@pytest.mark.parametrize("root", ["multiprocessing", "concurrent.futures", "unittest", "pydoc", "http.server"])
def test_tests_and_user_interfaces_come_only_when_reached(library: Library, cache: ContentCache, root: str) -> None:
    assert not {"test", "idlelib", "tkinter", "ensurepip", "turtle"} & names(chosen(library, cache, root))
    if library.find("tkinter") is not None:  # Debian has it in a package of its own
        assert "tkinter" in names(chosen(library, cache, "turtle"))


def test_all_is_all_but_tests_and_user_interfaces(library: Library, cache: ContentCache) -> None:
    every = names(chosen(library, cache, stdlib=StandardLibrary.ALL))
    assert {"wave", "xmlrpc.server", "ssl", "sqlite3", "pydoc_data.topics", "venv"} <= every
    assert not {"test", "idlelib", "tkinter", "ensurepip", "turtle", "turtledemo", "_testcapi"} & every


def test_what_the_program_reaches_has_its_source(library: Library, cache: ContentCache) -> None:
    kinds = {one.name: type(one) for one in chosen(library, cache, "json").resources if not isinstance(one, DataFile)}  # type: ignore[union-attr]
    assert kinds["json"] is kinds["json.decoder"] is kinds["re"] is SourceModule
    assert kinds["runpy"] is kinds["encodings.cp037"] is BytecodeModule


def test_bytecode_alone_stands_where_python_looks_for_it(library: Library, cache: ContentCache) -> None:
    found = {one.path for one in chosen(library, cache).resources}
    assert {f"{library.root}/encodings/__init__.pyc", f"{library.root}/runpy.pyc"} <= found


def test_excluded_modules_lead_nowhere(library: Library, cache: ContentCache) -> None:
    assert "asyncio" in names(chosen(library, cache, "unittest"))
    left = names(chosen(library, cache, "unittest", exclude=["asyncio", "unittest.async_*"]))
    assert "unittest" in left
    assert not {name for name in left if name.startswith("asyncio") or name == "unittest.async_case"}


def test_below_a_package_excluded_and_included(library: Library, cache: ContentCache) -> None:
    left = names(chosen(library, cache, "xml.dom", exclude=["xml.dom.*"]))
    assert "xml.dom" in left
    assert "xml.dom.minidom" not in left
    more = names(chosen(library, cache, include=["wsgiref.*", "third_party", "third_party.*", "sys"]))
    assert {"wsgiref", "wsgiref.simple_server", "wsgiref.validate"} <= more


def test_an_unknown_include_is_an_error(library: Library, cache: ContentCache) -> None:
    with pytest.raises(UsageError, match="no such module") as caught:
        chosen(library, cache, include=["jason"])
    assert caught.value.where == "jason"


def test_data_files_come_with_their_package(library: Library, cache: ContentCache) -> None:
    data = {one.path for one in chosen(library, cache, "ensurepip").resources if isinstance(one, DataFile)}
    if any(library.distribution.stdlib.glob("ensurepip/_bundled/*.whl")):
        assert any(path.startswith(f"{library.root}/ensurepip/_bundled/pip-") for path in data)
    assert not {path for path in data if path.endswith((".py", ".pyc", ".so"))}


def test_site_packages_and_strangers_are_no_standard_library(library: Library) -> None:
    assert library.find("site-packages") is None
    assert library.find("sitecustomize") is None
    assert library.find("pip") is None
    assert library.find("sys") is None
    assert library.find("os.path") is None


def test_implied_modules_exist_somewhere(library: Library) -> None:
    """A misspelt name in the table would never be missed."""
    known = library.distribution.stdlib_modules
    assert {name.partition(".")[0] for name in IMPLIED} <= known | {"_pydatetime"}


def test_names_in_shared_objects(library: Library, cache: ContentCache, tmp_path: Path) -> None:
    assert mentioned(b"\0datetime\0json.decoder\0\x07decimal\0notthere\0sdatetimes\0", library, cache) == {
        "datetime", "json.decoder", "decimal",
    } - library.distribution.builtin_modules  # fmt: skip
    assert mentioned(b"pyo3-0.20/src pathlibuuidipaddress", library, cache) == {"pathlib", "ipaddress"}
    file = tmp_path / "m.so"
    file.write_bytes(b"\0zoneinfo\0turtle\0")
    assert mentioned(file, library, cache) == mentioned(file, library, cache) == {"zoneinfo"}


def test_included_tests_come_with_all_their_files(library: Library, cache: ContentCache) -> None:
    root = library.distribution.stdlib / "test"
    if not (root / "test_glob.py").exists():
        pytest.skip("this Python comes without its tests")
    selection = chosen(library, cache, include=["test.test_glob"])
    assert "test.support.os_helper" in names(selection)
    paths = [one.path for one in selection.resources]
    assert len(paths) == len(set(paths))
    held = {path.removeprefix(f"{library.root}/test/") for path in paths}
    files = {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file() and file.suffix not in {".pyc", ".so"}}
    assert files <= held
    assert not any(path.startswith(f"{library.root}/test/") for path in map(str, chosen(library, cache, "os").resources))


def test_tests_that_are_no_python_are_files(library: Library, cache: ContentCache) -> None:
    broken = sorted((library.distribution.stdlib / "test").rglob("badsyntax_future*.py"))
    if not broken:
        pytest.skip("this Python comes without its tests")
    name = ".".join(broken[0].relative_to(library.distribution.stdlib).with_suffix("").parts)
    selection = chosen(library, cache, include=[name])
    assert name not in names(selection)
    assert [one for one in selection.resources if isinstance(one, DataFile) and one.content == broken[0]]
