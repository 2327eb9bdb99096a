from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from frazil.builder.bytecode import Compiler, read_content
from frazil.builder.imports import Import
from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, describe
from frazil.errors import DistributionError, HostError, SourceError
from frazil.resources.kinds import APPLICATION, SourceModule

# Sets and strings of one character, shared between functions, and names of code that are no identifiers: what marshal writes
# differently from time to time.
TRICKY = b"""
def one(x): return x in {"225", "226", "a-b", None, "}"}
def other(x): return x in {"225", "226", "a-b", None, "}"}
TEXT = f"{one!r}}}" + "a-b" + "}" + ",".join("xyz")
class C:
    "A doc string."
    names = ("225", 3.5, b"bytes", (1, 2, "a-b"))
def outer(x):
    class Inner: pass
    return x in {"outer.<locals>.Inner", "outer.<locals>.<lambda>"}, ("outer.<locals>.<lambda>", 1), lambda: x
TEXTS = "outer.<locals>.<lambda>", "<lambda>"
"""


def module(name: str, source: bytes | Path) -> SourceModule:
    return SourceModule(name, False, source, f"app/{name.replace('.', '/')}.py", "app", APPLICATION)


@pytest.fixture
def distribution(target: Path, shared_directory: Path) -> PythonDistribution:
    return describe(target, ContentCache(shared_directory / "cache"))


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(tmp_path / "cache")


def test_bytecode_is_what_the_target_imports(distribution: PythonDistribution, cache: ContentCache, tmp_path: Path) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        done = compiler.compile([module("hello", b"print(__file__, (lambda: 0).__code__.co_filename)")])["app/hello.py"]
    assert done.pyc[:4] == distribution.magic
    assert done.pyc[4:8] == b"\1\0\0\0"
    (tmp_path / "hello.pyc").write_bytes(done.pyc)
    ran = subprocess.run([distribution.executable, tmp_path / "hello.pyc"], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [str(tmp_path / "hello.pyc"), "/memfs:/app/hello.py"]


def test_imports_are_found_and_relative_ones_resolved(distribution: PythonDistribution, cache: ContentCache) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        done = compiler.compile([module("pkg.mod", b"import os\nfrom .x import y")])["app/pkg/mod.py"]
    assert done.imports == (Import("os", (), 1), Import("pkg.x", ("y",), 2))


@pytest.mark.parametrize(("level", "size"), [(0, 2), (1, 1), (2, 0)])
def test_optimization_levels(distribution: PythonDistribution, cache: ContentCache, level: int, size: int) -> None:
    source = b'"""A module\'s doc string."""\nassert False, "an assertion\'s message"\n'
    with Compiler(distribution, level, cache) as compiler:
        pyc = compiler.compile([module("m", source)])["app/m.py"].pyc
    assert (b"doc string" in pyc) + (b"message" in pyc) == size


def test_a_syntax_error_is_an_answer_with_a_place(distribution: PythonDistribution, cache: ContentCache) -> None:
    for _ in range(2):  # the second time from the cache
        with Compiler(distribution, 0, cache) as compiler:
            error = compiler.compile([module("m", b"x = 1\n    y = (2\n")])["app/m.py"].error
        assert error is not None
        assert error.line == 2
        assert error.marked().splitlines()[0] == "    y = (2"


@pytest.mark.parametrize("source", [b"\0", b"# coding: none-such\n", b"x = '\xff'\n", b"(" * 500, b"-" * 100_000 + b"1"])
def test_odd_sources_are_errors_too(distribution: PythonDistribution, cache: ContentCache, source: bytes) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        done = compiler.compile([module("odd", source), module("fine", b"pass")])
    assert done["app/odd.py"].error is not None
    assert done["app/odd.py"].pyc == b""
    assert done["app/fine.py"].error is None


def test_a_source_that_nests_deeper_than_trees_can_is_compiled(distribution: PythonDistribution, cache: ContentCache) -> None:
    source = b"x = " + b"+".join([b"1"] * 1500) + b"\n"
    with Compiler(distribution, 0, cache) as compiler:
        answer = compiler.compile([module("deep", source)])["app/deep.py"]
    assert answer.error is None or "recursion" in answer.error.message.lower()


def test_warnings_of_the_compiler_are_kept(distribution: PythonDistribution, cache: ContentCache) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        done = compiler.compile([module("m", b"\nx = 1 is 1\n")])["app/m.py"]
    assert [line for line, _ in done.warnings] == [2]


def test_bytes_depend_neither_on_order_nor_on_the_hash_seed(
    distribution: PythonDistribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ftplib", "token", "warnings", "posixpath", "typing", "pprint", "ast", "reprlib"]
    modules = [module(name, distribution.stdlib / f"{name}.py") for name in names]
    modules += [module("tricky", TRICKY), module("alike", TRICKY + b"ALIKE = 1\n")]
    answers = []
    for number, (seed, order) in enumerate([("1", modules), ("2", modules[::-1])]):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        with Compiler(distribution, 0, ContentCache(tmp_path / str(number)), 1) as compiler:
            answers.append({path: one.pyc for path, one in compiler.compile(order).items()})
    for single in modules:  # each in a process of its own
        with Compiler(distribution, 0, ContentCache(tmp_path / "alone"), 1) as compiler:
            answers[0] |= {path: one.pyc for path, one in compiler.compile([single]).items()}
    assert answers[0] == answers[1]


def test_a_tree_gives_the_bytes_that_source_gives(
    distribution: PythonDistribution, cache: ContentCache, tmp_path: Path
) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        made = compiler.compile([module("tricky", TRICKY)])["app/tricky.py"].pyc
    (tmp_path / "tricky.pyc").write_bytes(made)
    same = """import marshal, sys
code = marshal.loads(open(sys.argv[1], "rb").read()[16:])
def flat(code): return [(c.co_name, c.co_code, c.co_consts if not any(hasattr(x, "co_code") for x in c.co_consts) else None,
                         c.co_names, list(c.co_lines())) for c in walk(code)]
def walk(code):
    yield code
    for one in code.co_consts:
        if hasattr(one, "co_code"): yield from walk(one)
assert flat(code) == flat(compile(sys.stdin.buffer.read(), "/memfs:/app/tricky.py", "exec"))
"""
    subprocess.run([distribution.executable, "-I", "-c", same, tmp_path / "tricky.pyc"], input=TRICKY, check=True)


def test_warm_answers_come_from_the_cache(distribution: PythonDistribution, cache: ContentCache) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        first = compiler.compile([module("m", b"import os")])
    with Compiler(distribution, 0, cache) as compiler:
        assert compiler.compile([module("m", b"import os")]) == first
        assert not compiler._workers


def test_a_damaged_cache_entry_is_made_again(distribution: PythonDistribution, cache: ContentCache) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        first = compiler.compile([module("m", b"import os")])
    (entry,) = (one for one in (cache.root / "bytecode").rglob("*") if one.is_file())
    for damage in (entry.read_bytes()[:-9], b"", b"\xff" + entry.read_bytes()):
        entry.write_bytes(damage)
        with Compiler(distribution, 0, cache) as compiler:
            assert compiler.compile([module("m", b"import os")]) == first


def test_the_same_source_elsewhere_is_another_entry(distribution: PythonDistribution, cache: ContentCache) -> None:
    with Compiler(distribution, 0, cache) as compiler:
        done = compiler.compile([module("one", b"import os"), module("two", b"import os")])
    assert done["app/one.py"].pyc != done["app/two.py"].pyc


def test_an_interpreter_that_dies_is_an_error(distribution: PythonDistribution, cache: ContentCache) -> None:
    compiler = Compiler(replace(distribution, executable=Path("/bin/false")), 0, cache)
    with compiler, pytest.raises(DistributionError, match=r"died while it compiled app/m\.py"):
        compiler.compile([module("m", b"")])


def test_an_interpreter_that_is_gone_is_an_error(distribution: PythonDistribution, cache: ContentCache, tmp_path: Path) -> None:
    compiler = Compiler(replace(distribution, executable=tmp_path / "gone"), 0, cache)
    with compiler, pytest.raises(HostError, match="cannot be started"):
        compiler.compile([module("m", b"")])


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read") as caught:
        read_content(tmp_path / "gone.py")
    assert caught.value.where == str(tmp_path / "gone.py")
