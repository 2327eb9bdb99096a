from __future__ import annotations

import pytest

from frazil.builder.bytecode_worker import Finder
from frazil.builder.imports import GUARDED, LAZY, MAIN, Import, importable, reach, targets, unresolved
from frazil.resources.kinds import APPLICATION, STANDARD_LIBRARY, ExtensionModule, Module, SourceModule


def found(source: str, name: str = "pkg.mod", *, package: bool = False) -> list[tuple[str, tuple[str, ...], int]]:
    import ast  # noqa: PLC0415 - one test module parses

    finder = Finder(name, package=package)
    tree = ast.parse(source)
    finder.statements(tree.body, 0)
    finder.calls(tree)
    return [(module, names, flags) for module, names, flags in finder.found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b as c, d", [("a.b", (), 0), ("d", (), 0)]),
        ("from a import b, c", [("a", ("b", "c"), 0)]),
        ("from a import *", [("a", ("*",), 0)]),
        ("from . import sibling", [("pkg", ("sibling",), 0)]),
        ("from .sibling import x", [("pkg.sibling", ("x",), 0)]),
        ("from .. import beyond", []),
        ("def f():\n  import a", [("a", (), LAZY)]),
        ("class C:\n  import a", [("a", (), 0)]),
        ("async def f():\n  async with x:\n    import a", [("a", (), LAZY)]),
        ("for x in y:\n  import a\nelse:\n  import b", [("a", (), 0), ("b", (), 0)]),
        ("match x:\n  case 1:\n    import a", [("a", (), 0)]),
        ("try:\n  import a\nexcept ImportError:\n  import b\nelse:\n  import c", [("a", (), 1), ("b", (), 1), ("c", (), 0)]),
        ("try:\n  import a\nexcept (OSError, ModuleNotFoundError):\n  pass", [("a", (), GUARDED)]),
        ("try:\n  import a\nexcept OSError:\n  pass", [("a", (), 0)]),
        ("try:\n  import a\nexcept* ImportError:\n  pass", [("a", (), GUARDED)]),
        ("with contextlib.suppress(ImportError):\n  import a", [("a", (), GUARDED)]),
        ("if TYPE_CHECKING:\n  import a\nelse:\n  import b", [("b", (), 0)]),
        ("if t.TYPE_CHECKING:\n  import a", []),
        ("if not TYPE_CHECKING:\n  import a", [("a", (), 0)]),
        ("if False:\n  import a", [("a", (), 0)]),
        ("if sys.platform == 'win32':\n  import a\nelif x:\n  import b", [("b", (), 0)]),
        ("if sys.platform.startswith('linux'):\n  import a\nelse:\n  import b", [("a", (), 0)]),
        ("if os.name == 'nt' and x:\n  import a", []),
        ("if os.name == 'posix' or x:\n  import a\nelse:\n  import b", [("a", (), 0)]),
        ("if sys.version_info >= (3, 8):\n  import a\nelse:\n  import b", [("a", (), 0)]),
        ("if sys.version_info[0] < 3:\n  import a", []),
        ("if sys.version_info[:2] >= (3, 99):\n  import a", []),
        ("if platform.system() == 'Windows':\n  import a", []),
        ("if sys.platform in ('linux', 'darwin'):\n  import a", [("a", (), 0)]),
        ("if sys.platform < 3:\n  import a", [("a", (), 0)]),
        ("if __name__ == '__main__':\n  import a", [("a", (), MAIN)]),
        ("def _test():\n  import a", [("a", (), LAZY | MAIN)]),
        ("importlib.import_module('a.b')", [("a.b", (), GUARDED | LAZY)]),
        ("x = import_module('.b', 'other.pkg')", [("other.pkg.b", (), GUARDED | LAZY)]),
        ("x = import_module('.b', package=__package__)", [("pkg.b", (), GUARDED | LAZY)]),
        ("x = __import__('a')", [("a", (), GUARDED | LAZY)]),
        ("x = __import__(name)", []),
        ("def f():\n  breakpoint()", [("pdb", (), GUARDED | LAZY)]),
    ],
)
def test_what_a_module_imports(source: str, expected: list[tuple[str, tuple[str, ...], int]]) -> None:
    assert found(source) == expected


def test_relative_imports_start_from_a_package_itself() -> None:
    assert found("from . import a\nfrom .b import c", "pkg", package=True) == [("pkg", ("a",), 0), ("pkg.b", ("c",), 0)]


def test_targets_hold_parents_and_what_may_be_submodules() -> None:
    assert list(targets(Import("a.b", ("c", "*")))) == ["a", "a.b", "a.b.c"]


def test_reach_expands_each_name_once() -> None:
    graph = {"a": ["b", "c"], "b": ["c", "a"], "c": ["d"]}
    waves: list[list[str]] = []

    def expand(wave: list[str]) -> list[str]:
        waves.append(wave)
        return [target for name in wave for target in graph.get(name, [])]

    assert reach(["a"], expand) == {"a", "b", "c", "d"}
    assert waves == [["a"], ["b", "c"], ["d"]]


def module(name: str, directory: str, *, package: bool = False, owner: str = "dist") -> SourceModule:
    last = name.rpartition(".")[2]
    path = f"{directory}/{last}/__init__.py" if package else f"{directory}/{last}.py"
    return SourceModule(name, package, b"", path, directory, owner)


def paths(*modules: Module) -> dict[str, str]:
    return {name: one.path for name, one in importable(modules, ["app", "lib", "site"]).items()}


def test_the_first_directory_on_the_path_wins() -> None:
    shadow = module("random", "app", owner=APPLICATION)
    own = module("random", "lib", owner=STANDARD_LIBRARY)
    assert paths(own, shadow) == {"random": "app/random.py"}


def test_within_a_directory_packages_win_and_extension_modules_come_next() -> None:
    package, plain = module("a", "site", package=True), module("a", "site")
    extension = ExtensionModule("a", False, b"", "site/a.cpython-311.so", "site", "dist")
    assert paths(plain, extension) == {"a": "site/a.cpython-311.so"}
    assert paths(plain, extension, package) == {"a": "site/a/__init__.py"}


def test_modules_of_a_package_that_lost_its_name_cannot_be_imported() -> None:
    winner, loser = module("pkg", "app", package=True), module("pkg", "site", package=True)
    assert paths(winner, loser, module("pkg.part", "site/pkg")) == {"pkg": "app/pkg/__init__.py"}


def test_namespace_packages_span_directories() -> None:
    one, other = module("space.one", "app/space"), module("space.other", "site/space")
    assert paths(one, other) == {"space.one": "app/space/one.py", "space.other": "site/space/other.py"}


def test_a_module_outside_of_every_search_directory_has_no_name() -> None:
    assert paths(module("stray", "elsewhere")) == {}


def test_a_package_may_extend_its_path_with_parts_of_other_distributions() -> None:
    package = module("pkg", "lib", package=True, owner="first")
    assert paths(package, module("pkg.plugin", "site/pkg", owner="second"))["pkg.plugin"] == "site/pkg/plugin.py"


def test_unresolved_imports_are_those_that_nothing_guards() -> None:
    imports = [
        Import("json", (), 1),
        Import("absent", (), 2),
        Import("maybe", (), 3, GUARDED),
        Import("app.gone", (), 4),
        Import("app.here", (), 5),
        Import("third.made_at_run_time", (), 6),
    ]
    left = unresolved(imports, {"json", "app", "third"}, {"app", "app.here"})
    assert [one.line for one in left] == [2, 4]
