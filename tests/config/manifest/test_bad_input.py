"""Every row of the table of bad input: a message with its place, or the documented behaviour."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from frazil.config.manifest import ManifestOptions, evaluate
from frazil.config.manifest.errors import ManifestError
from frazil.errors import FrazilError, SourceError
from frazil.frozen import Dialect, Platform
from manifests import targets

if TYPE_CHECKING:
    from pathlib import Path

    from front_end import Write
    from manifests import Evaluate

CURRENT, OLD = Dialect.CURRENT, Dialect.OLD


class Row(NamedTuple):
    manifest: str
    problem: str
    dialects: tuple[Dialect, ...] = (CURRENT, OLD)


REFUSED = {
    "freeze: missing directory": Row('freeze("nodir")', "nodir: no such directory"),
    "freeze: path is a file": Row('freeze("src/a.py")', "a.py is no directory"),
    "freeze: missing file": Row('freeze("src", "nope.py")', "nope.py: no such file or directory"),
    "freeze: missing, no dot": Row('freeze("src", "nope")', "nope: no such file or directory"),
    "freeze: missing in an iterable": Row('freeze("src", ("a.py", "nope.py"))', "nope.py: no such file"),
    "freeze: another extension": Row('freeze("src", "notes.txt")', "expected a file that ends in .py or .mpy", (CURRENT,)),
    "freeze: upper case": Row('freeze("src", "UP.PY")', "expected a file that ends in .py or .mpy", (CURRENT,)),
    "freeze: number as path": Row("freeze(1)", "path must be a string, not int"),
    "freeze: tuple as path": Row('freeze(("src",))', "path must be a string, not tuple"),
    "freeze: None as path": Row("freeze(None)", "path must be a string, not NoneType"),
    "freeze: number as script": Row('freeze("src", 1)', "script must be a string or an iterable of strings, not a number"),
    "freeze: bytes as script": Row('freeze("src", b"a.py")', "script must be a string or an iterable of strings, not bytes"),
    "freeze: number in script": Row('freeze("src", ("a.py", 1))', "not a number"),
    "freeze: None in script": Row('freeze("src", ("a.py", None))', "None is in it"),
    "freeze: opt too large": Row('freeze("src", opt=9)', "opt must be 0, 1, 2 or 3, not 9"),
    "freeze: opt is text": Row('freeze("src", opt="x")', "opt must be 0, 1, 2 or 3, not 'x'"),
    "freeze: opt is a flag": Row('freeze("src", opt=True)', "opt must be 0, 1, 2 or 3, not True"),
    "freeze: no argument": Row("freeze()", "freeze(): missing a required argument: 'path'"),
    "freeze: too many arguments": Row('freeze("src", "a.py", 0, 1)', "freeze(): too many positional arguments"),
    "freeze: unknown argument": Row('freeze("src", scripts="a.py")', "got an unexpected keyword argument 'scripts'"),
    "freeze: leaves the tree": Row('freeze("src", "../pure/x.py")', "'../pure/x.py' leads out of the directory"),
    "freeze: leaves the tree, hidden": Row('freeze("src", "sub/../../pure/x.py")', "leads out of the directory"),
    "freeze: absolute script": Row('freeze("src", "/etc/passwd")', "leads out of the directory"),
    "freeze: null byte": Row(r'freeze("src", "a\0.py")', "cannot be the name of a module's file"),
    "freeze: null byte in path": Row(r'freeze("sr\0c")', "path holds a null byte"),
    "freeze: unknown variable": Row('freeze("$(PORT)/src")', "the variable $(PORT) is not known"),
    "freeze: variable in script": Row('freeze("src", "$(PORT_DIR)/a.py")', "variables are not replaced in script"),
    "freeze: open variable": Row('freeze("$(PORT_DIR/src")', "has a $( that nothing closes"),
    "freeze: same file twice, other level": Row(
        'freeze("src", "a.py", opt=1)\nfreeze("src", "a.py", opt=3)', "two files want to be module a"
    ),
    "freeze: two files of one name": Row('freeze("src", "a.py")\nfreeze("other", "a.py")', "two files want to be module a"),
    "freeze: string and bytecode": Row('freeze("src", "a.py")\nfreeze_as_str("src")', "two files want to be module a"),
    "freeze: module and package": Row('freeze("both")', "two files want to be module p"),
    "freeze_as_str: a file": Row('freeze_as_str("src/a.py")', "a.py is no directory"),
    "freeze_as_str: missing": Row('freeze_as_str("nodir")', "nodir: no such directory"),
    "freeze_as_str: script": Row('freeze_as_str("src", "a.py")', "freeze_as_str(): too many positional arguments"),
    "freeze_as_mpy: bytecode": Row('freeze_as_mpy("mpyd", "m.mpy")', "m.mpy: expected a file that ends in .py"),
    "freeze_as_mpy: stray file": Row('freeze_as_mpy("src")', "expected a file that ends in .py", (OLD,)),
    "freeze_mpy: source": Row('freeze_mpy("src", "a.py")', "a.py: expected a file that ends in .mpy"),
    "freeze_mpy: stray file": Row('freeze_mpy("src")', "expected a file that ends in .mpy", (OLD,)),
    "freeze_mpy: bad level": Row('freeze_mpy("mpyd", opt=7)', "opt must be"),
    "freeze_mpy: bytecode of CPython": Row('freeze_mpy("pyc", "q.pyc")', "this is bytecode of CPython"),
    "include: missing": Row('include("nope.py")', "nope.py: no such file or directory"),
    "include: directory without manifest": Row('include("src")', "src/manifest.py: no such file or directory"),
    "include: number": Row("include(1)", "manifest must be a string or an iterable of strings, not a number"),
    "include: number in iterable": Row("include([1])", "manifest must be a string, not int"),
    "include: nothing": Row("include()", "manifest must be a string or an iterable of strings, not None"),
    "include: itself": Row('include("manifest.py")', "include one another in a circle"),
    "include: circle": Row('include("round.py")', "include one another in a circle"),
    "include: unknown variable": Row('include("$(NOPE)/manifest.py")', "the variable $(NOPE) is not known"),
    "module: missing": Row('module("nope.py")', "nope.py: no such file", (CURRENT,)),
    "module: no .py": Row('module("src")', "a module must be a .py file", (CURRENT,)),
    "module: iterable": Row('module(("a.py",))', "module_path must be a string", (CURRENT,)),
    "module: leaves the tree": Row('module("../a.py", "src")', "leads out", (CURRENT,)),
    "module: base missing": Row('module("a.py", "nope")', "nope: no such directory", (CURRENT,)),
    "module: directory of that name": Row('module("dir.py", "both")', "dir.py is a directory", (CURRENT,)),
    "package: missing": Row('package("nope")', "nope: no such directory", (CURRENT,)),
    "package: a file": Row('package("a.py", base_path="src")', "a.py is no directory", (CURRENT,)),
    "package: string as files": Row('package("sub", "c.py", "src")', "files must be an iterable of strings", (CURRENT,)),
    "package: missing file": Row('package("sub", ["n.py"], "src")', "n.py: no such file", (CURRENT,)),
    "package: wrong file": Row('package("src", ["notes.txt"])', "expected a file that ends in .py", (CURRENT,)),
    "package: file leaves": Row('package("sub", ["../a.py"], "src")', "leads out", (CURRENT,)),
    "package: leaves": Row('package("../src")', "leads out", (CURRENT,)),
    "package: unknown variable": Row('package("a", base_path="$(X)")', "the variable $(X) is not known", (CURRENT,)),
    "require: unknown": Row('require("nope")', "there is no package 'nope'", (CURRENT,)),
    "require: unknown library": Row('require("x", library="mine")', "there is no library 'mine'", (CURRENT,)),
    "require: number": Row("require(1)", "name must be that of a package, not 1", (CURRENT,)),
    "require: path": Row('require("a/b")', "name must be that of a package, not 'a/b'", (CURRENT,)),
    "add_library: missing": Row('add_library("l", "nope")', "nope: no such directory", (CURRENT,)),
    "add_library: no name": Row('add_library("", "src")', "library must be a name", (CURRENT,)),
    "metadata: twice": Row('metadata(version="1")\nmetadata(author="x")', "metadata() is called a second time", (CURRENT,)),
    "metadata: unknown": Row('metadata(colour="red")', "unexpected keyword argument 'colour'", (CURRENT,)),
    "c_module: missing": Row('c_module("nope")', "nope: no such directory", (CURRENT,)),
    "c_module: a file": Row('c_module("src/a.py")', "a.py is no directory", (CURRENT,)),
    "c_module: no makefile": Row('c_module("src")', "neither micropython.mk nor micropython.cmake", (CURRENT,)),
    "c_module: unknown variable": Row('c_module("$(X)/m")', "the variable $(X) is not known", (CURRENT,)),
    "exception": Row("x = 0\n1 / x", "ZeroDivisionError: division by zero"),
    "exception in a function": Row("def f():\n    raise KeyError('k')\n\nf()", "KeyError: 'k'"),
    "exit": Row("raise SystemExit(3)", "the manifest ended itself: SystemExit(3)"),
    "unknown name": Row("frieze('src')", "NameError: name 'frieze' is not defined"),
    "syntax": Row("freeze('src'", "syntax error: '(' was never closed"),
    "endless recursion": Row("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
}
LINES = {
    "freeze: same file twice, other level": 2,
    "freeze: two files of one name": 2,
    "freeze: string and bytecode": 2,
    "metadata: twice": 2,
    "exception": 2,
    "exception in a function": 2,
}
CASES = [
    pytest.param(name, row, dialect, id=f"{name} ({dialect.value})")
    for name, row in REFUSED.items()
    for dialect in row.dialects
]


@pytest.fixture(autouse=True)
def more(write: Write) -> None:
    write(
        {
            "other/a.py": "",
            "both/p.py": "",
            "both/p/__init__.py": "",
            "both/dir.py/z.py": "",
            "pyc/q.pyc": b"\xa7\r\r\n",
            "round.py": "include('manifest.py')\n",
        }
    )


@pytest.mark.parametrize(("name", "row", "dialect"), CASES)
def test_it_is_refused_with_its_place(run: Evaluate, tmp_path: Path, name: str, row: Row, dialect: Dialect) -> None:
    with pytest.raises(ManifestError) as raised:
        run(row.manifest, dialect=dialect)
    assert row.problem in raised.value.problem
    if name == "include: circle":
        assert raised.value.where == f"{tmp_path}/round.py:1"
        assert f"from {tmp_path}/manifest.py:1" in raised.value.details
    elif name == "endless recursion":
        assert raised.value.where == f"{tmp_path}/manifest.py:1"
    else:
        assert raised.value.where == f"{tmp_path}/manifest.py:{LINES.get(name, 1)}"


@pytest.mark.parametrize(("name", "row", "dialect"), CASES)
def test_check_finds_it_too(run: Evaluate, name: str, row: Row, dialect: Dialect) -> None:
    del name
    problems = run(row.manifest, dialect=dialect, collect=True).problems
    assert any(row.problem in problem.problem for problem in problems)


@pytest.mark.parametrize(
    ("manifest", "expected", "dialect"),
    [
        ('freeze("src", ("a.py", "sub"))', ["a.py", "sub/__init__.py", "sub/c.py"], CURRENT),
        ('freeze("src", ("a.py", "sub"))', ["a.py", "sub/__init__.py", "sub/c.py"], OLD),
        ('freeze("$(PORT_DIR)/src", "sub")', ["sub/__init__.py", "sub/c.py"], CURRENT),
        ('freeze("$(PORT_DIR)/src", "sub")', ["sub/__init__.py", "sub/c.py"], OLD),
        ('freeze("src", "data.d")', ["data.d/e.py"], CURRENT),
        ('freeze("src", "data.d")', ["data.d/e.py"], OLD),
        ('freeze("src", "notes.txt")', [], OLD),
        ('freeze("src", "UP.PY")', [], OLD),
        ('freeze("src", ())', [], CURRENT),
        ('freeze("src", ())', [], OLD),
        ('freeze("src", "")', ["a.py", "b.py", "data.d/e.py", "sub/__init__.py", "sub/c.py"], CURRENT),
        ('freeze("src", "sub//c.py")', ["sub/c.py"], OLD),
        ('freeze_as_mpy("src", "sub")', ["sub/__init__.py", "sub/c.py"], OLD),
        ('freeze_as_mpy("src")', ["a.py", "b.py", "data.d/e.py", "sub/__init__.py", "sub/c.py"], CURRENT),
        ('freeze_mpy("src")', [], CURRENT),
        ('freeze("src", "a.py")\nfreeze("src", ["a.py", "b.py"])', ["a.py", "b.py"], CURRENT),
        ('freeze("ünï")', ["näme.py"], CURRENT),
    ],
)
def test_it_does_as_documented(run: Evaluate, write: Write, manifest: str, expected: list[str], dialect: Dialect) -> None:
    write({"ünï/näme.py": ""})
    found = run(manifest, dialect=dialect)
    assert targets(found.modules) == expected
    assert bool(found.warnings) == any(word in manifest for word in ("notes", "UP", '"src", ""', "data.d", 'as_mpy("src")'))


def test_a_missing_inner_manifest_is_told_with_the_way_to_it(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write({"inner.py": "\n\n1/0\n", "middle.py": "\ninclude('inner.py')\n"})
    with pytest.raises(ManifestError) as raised:
        run("# a line\ninclude('middle.py')\n")
    error = raised.value
    assert (error.where, error.problem) == (f"{tmp_path}/inner.py:3", "ZeroDivisionError: division by zero")
    assert error.details.splitlines() == ["    1/0", f"  from {tmp_path}/middle.py:2", f"  from {tmp_path}/manifest.py:2"]


def test_near_names_are_told(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write({"lib/python-stdlib/datetime/manifest.py": "", "lib/micropython/umqtt.simple/manifest.py": ""})
    with pytest.raises(ValueError, match="there is no package 'datetme'") as raised:
        run('require("datetme")', variables={"MPY_LIB_DIR": str(tmp_path / "lib")})
    assert isinstance(raised.value, ManifestError)
    assert raised.value.remedy == "Is 'datetime' meant?"
    with pytest.raises(ManifestError) as raised_too:
        run('freeze("src", "aa.py")')
    assert raised_too.value.remedy == "Is 'a.py' meant?"
    with pytest.raises(ManifestError) as raised_three:
        run('freeze("$(PRT_DIR)")')
    assert "$(PORT_DIR)" in raised_three.value.remedy


def test_a_manifest_can_do_without_a_package(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write({"lib/micropython/there/manifest.py": "module('t.py')\n", "lib/micropython/there/t.py": ""})
    text = """\
    for name in ("missing", "there"):
        try:
            require(name)
        except ValueError:
            pass
    """
    for collect in (False, True):
        found = run(text, variables={"MPY_LIB_DIR": str(tmp_path / "lib")}, collect=collect)
        assert (targets(found.modules), found.problems) == (["t.py"], [])


def test_check_goes_on(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write({"inner.py": "freeze('nope1')\nfreeze('src', 'a.py')\nraise RuntimeError('stop')\nfreeze('nope2')\n"})
    found = run('include("inner.py")\nfreeze("nope3")\npackage("nope4")\nmodule("x.py", "pure")', collect=True)
    assert [str(problem.where).removeprefix(f"{tmp_path}/") for problem in found.problems] == [
        "inner.py:1",
        "inner.py:3",
        "manifest.py:2",
        "manifest.py:3",
    ]
    assert targets(found.modules) == ["a.py", "x.py"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x = '\xff'\n", "its encoding is not understood"),
        (b"x = '\0'\n", "a null byte in source code"),
        (b"# coding: nonsense\n", "its encoding is not understood"),
    ],
)
def test_a_manifest_that_is_no_text(sources: Path, content: bytes, problem: str) -> None:
    (sources / "manifest.py").write_bytes(content)
    with pytest.raises(SourceError) as raised:
        evaluate(ManifestOptions(("manifest.py",), directory=sources))
    assert problem in raised.value.problem
    assert raised.value.where == f"{sources}/manifest.py:1"


@pytest.mark.parametrize("argument", ["nope.py", "nope", "src", ""])
def test_arguments_that_are_no_manifest(sources: Path, argument: str) -> None:
    with pytest.raises(FrazilError):
        evaluate(ManifestOptions((argument,), directory=sources))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read(run: Evaluate, sources: Path) -> None:
    (sources / "src/a.py").chmod(0)
    with pytest.raises(ManifestError, match="cannot be read"):
        run('freeze("src", "a.py")')


def test_links_in_a_circle_are_cut(run: Evaluate, sources: Path) -> None:
    (sources / "pure/deep/up").symlink_to("..")
    (sources / "pure/gone.py").symlink_to("nowhere")
    found = run('freeze("pure")')
    assert targets(found.modules) == ["deep/y.py", "x.py"]
    assert len(found.warnings) == 2


def test_bytecode_of_micropython_in_a_build_for_cpython(run: Evaluate) -> None:
    for call in ('freeze("mpyd")', 'freeze("mpyd", "m.mpy")', 'freeze_mpy("mpyd", "m.mpy")'):
        with pytest.raises(ManifestError, match="this is bytecode of MicroPython, which CPython cannot run"):
            run(call, platform=Platform.CPYTHON)
