"""Trees of ``.mpy`` files, run by the MicroPython of PyPI."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from frazil.builder.micropython.tree import compile_tree, record_of
from frazil.config.manifest import ManifestOptions, evaluate
from frazil.errors import OutputError, SourceError
from frazil.frozen import Kind, Platform, module_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from frazil.builder.micropython.mpy_cross import CrossCompiler
    from frazil.frozen import FrozenModule

    Make = Callable[..., FrozenModule]

SOURCES = {
    "manifest.py": """\
metadata(version="1.5")
module("plain.py", opt=3)
package("pkg")
freeze_as_str("strings")
include("features.py", extra=True)
""",
    "features.py": """\
options.defaults(standard=True)
if options.standard:
    freeze("features", "standard.py")
if options.extra:
    freeze("features", "extra.py")
if options.more:
    freeze("features", "more.py")
""",
    "plain.py": "def f():\n    assert False\n    return 'plain'\n",
    "pkg/__init__.py": "from .inner import VALUE\n",
    "pkg/inner.py": "VALUE = [n * n for n in range(4)]\n",
    "strings/text.py": "TEXT = 'grüß'\n",
    "strings/nothing.py": "",
    "features/standard.py": "X = 2 ** 70\n",
    "features/extra.py": "X = 1.5\n",
    "features/more.py": "X = None\n",
}
PROGRAM = """\
import plain, pkg, pkg.inner, text, nothing, standard, extra
assert plain.f() == "plain", "opt=3 leaves out assert"
assert plain.__version__ == "1.5"
assert plain.__file__.endswith("plain.mpy"), plain.__file__
assert pkg.VALUE == [0, 1, 4, 9] and pkg.inner.__file__.endswith("pkg/inner.mpy")
assert text.TEXT == "gr\\xfc\\xdf" and text.__file__.endswith("text.py"), text.__file__
assert standard.X == 1180591620717411303424 and extra.X == 1.5
try:
    import more
except ImportError:
    print("all is well")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        place = tmp_path / "project" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return tmp_path / "project"


def test_a_tree_runs_on_micropython(project: Path, tmp_path: Path, compiler: CrossCompiler, micropython: Path) -> None:
    found = evaluate(ManifestOptions(("manifest.py",), directory=project))
    done = compile_tree(found.modules, tmp_path / "lib", compiler)
    assert done.files == done.written
    environment = {"MICROPYPATH": str(tmp_path / "lib")}
    answer = subprocess.run([micropython, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "all is well\n", "")


def test_the_module_list_is_the_same_for_both_pythons(project: Path) -> None:
    lists = [
        module_names(evaluate(ManifestOptions(("manifest.py",), platform=platform, directory=project)).modules)
        for platform in Platform
    ]
    assert lists[0] == lists[1] == ["extra", "nothing", "pkg", "pkg.inner", "plain", "standard", "text"]


def test_only_what_is_different_is_written(module: Make, tmp_path: Path, compiler: CrossCompiler) -> None:
    output = tmp_path / "lib"
    one, text = module("deep/one.py", "x = 1\n"), module("text.py", "t = 1\n", Kind.STRING)
    bytecode = module("m.mpy", b"M\x06\x00\x1f...", Kind.MPY)
    assert compile_tree([one, text, bytecode], output, compiler).written == ("deep/one.mpy", "text.py", "m.mpy")
    assert (output / "text.py").read_text() == "t = 1\n"
    assert (output / "m.mpy").read_bytes() == b"M\x06\x00\x1f..."
    again = compile_tree([one, text, bytecode], output, compiler)
    assert (again.written, again.removed) == ((), ())
    changed = compile_tree([module("deep/one.py", "x = 2\n"), text, bytecode], output, compiler)
    assert changed.written == ("deep/one.mpy",)


def test_what_is_not_listed_any_more_is_removed_and_nothing_else(module: Make, tmp_path: Path, compiler: CrossCompiler) -> None:
    output = tmp_path / "lib"
    compile_tree([module("deep/one.py", "x = 1\n"), module("two.py", "")], output, compiler)
    (output / "mine.py").write_text("mine")
    (output / "mine.mpy").write_text("mine")
    done = compile_tree([module("two.py", "")], output, compiler)
    assert done.removed == ("deep/one.mpy",)
    assert sorted(path.name for path in output.iterdir()) == ["mine.mpy", "mine.py", "two.mpy"]
    (output / "two.mpy").unlink()
    assert compile_tree([], output, None).removed == ()


HOSTILE = json.dumps({"files": ["../keep.py", "/etc/x.py", 1, "keep", "deep/up.py"]}).encode()


@pytest.mark.parametrize("record", [b"", b"{}", b"[]", b'{"files": 1}', b"\xff", HOSTILE])
def test_a_record_of_others_removes_nothing(module: Make, tmp_path: Path, compiler: CrossCompiler, record: bytes) -> None:
    output = tmp_path / "lib"
    output.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (output / "deep").symlink_to(tmp_path / "elsewhere")
    places = [tmp_path / "keep.py", output / "keep", tmp_path / "elsewhere/up.py"]
    for place in places:
        place.write_text("kept")
    record_of(output).write_bytes(record)
    compile_tree([module("two.py", "")], output, compiler)
    assert all(place.read_text() == "kept" for place in places)


def test_a_bad_source_leaves_the_tree_as_it_was(module: Make, tmp_path: Path, compiler: CrossCompiler) -> None:
    output = tmp_path / "lib"
    compile_tree([module("a.py", "x = 1\n")], output, compiler)
    before = (output / "a.mpy").read_bytes()
    with pytest.raises(SourceError):
        compile_tree([module("a.py", "x = 2\n"), module("b.py", "x = =\n")], output, compiler)
    assert (output / "a.mpy").read_bytes() == before
    assert [path.name for path in output.iterdir()] == ["a.mpy"]


def test_an_output_that_is_a_file(module: Make, tmp_path: Path, compiler: CrossCompiler) -> None:
    (tmp_path / "lib").write_text("mine")
    with pytest.raises(OutputError, match="needs a directory"):
        compile_tree([module("a.py", "")], tmp_path / "lib", compiler)
    assert (tmp_path / "lib").read_text() == "mine"
