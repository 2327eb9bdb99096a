"""Each function and each example of the documentation of MicroPython 1.18, in both dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from frazil.config.manifest import ManifestOptions, evaluate
from frazil.config.manifest.errors import ManifestError
from frazil.frozen import Dialect
from manifests import brief, targets

if TYPE_CHECKING:
    from pathlib import Path

    from front_end import Write
    from manifests import Evaluate

BOTH = pytest.mark.parametrize("dialect", list(Dialect), ids=lambda one: one.value)


def level(dialect: Dialect) -> int | None:
    """What ``opt`` is when nothing is said: 0 in 1.18, nothing since 1.20."""
    return 0 if dialect is Dialect.OLD else None


@BOTH
def test_freeze_a_single_file(run: Evaluate, write: Write, dialect: Dialect) -> None:
    write({"mydriver.py": "def go(): pass\n"})
    found = run('freeze(".", "mydriver.py")', dialect=dialect)
    assert brief(found.modules) == [("py", "mydriver.py", level(dialect))]
    assert [one.name for one in found.modules] == ["mydriver"]


@BOTH
def test_freeze_a_set_of_files_with_a_level(run: Evaluate, write: Write, tmp_path: Path, dialect: Dialect) -> None:
    write({"tests/test1.py": "", "tests/test2.py": "", "tests/test3.py": ""})
    found = run(f'freeze("{tmp_path}/tests", ("test1.py", "test2.py"), opt=3)', dialect=dialect)
    assert brief(found.modules) == [("py", "test1.py", 3), ("py", "test2.py", 3)]


@BOTH
def test_freeze_a_package_file_by_file(write: Write, dialect: Dialect) -> None:
    names = ("__init__", "core", "extra", "not_wanted")
    top = write({f"relative/path/mymodule/{name}.py": "" for name in names})
    text = """\
    freeze(
        "../relative/path",
        (
            "mymodule/__init__.py",
            "mymodule/core.py",
            "mymodule/extra.py",
        ),
    )
    """
    write({"board/manifest.py": text})
    found = evaluate(ManifestOptions(("board/manifest.py",), dialect=dialect, directory=top))
    assert targets(found.modules) == ["mymodule/__init__.py", "mymodule/core.py", "mymodule/extra.py"]
    assert [one.name for one in found.modules] == ["mymodule", "mymodule.core", "mymodule.extra"]
    assert {one.line for one in found.modules} == {1}


@BOTH
def test_include_a_manifest_of_the_repository(run: Evaluate, write: Write, tmp_path: Path, dialect: Dialect) -> None:
    write(
        {
            "micropython/extmod/uasyncio/manifest.py": 'freeze("..", ("uasyncio/__init__.py", "uasyncio/core.py"), opt=3)\n',
            "micropython/extmod/uasyncio/__init__.py": "",
            "micropython/extmod/uasyncio/core.py": "",
        }
    )
    text = 'include("$(MPY_DIR)/extmod/uasyncio/manifest.py")'
    found = run(text, dialect=dialect, variables={"MPY_DIR": str(tmp_path / "micropython")})
    assert brief(found.modules) == [("py", "uasyncio/__init__.py", 3), ("py", "uasyncio/core.py", 3)]


@BOTH
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ["a.py", "b.py"]),
        ("extra_features=True", ["a.py", "b.py", "x.py"]),
        ("extra_features=True, standard_features=False", ["a.py", "x.py"]),
        ("standard_features=None", ["a.py"]),
    ],
)
def test_include_with_options(run: Evaluate, write: Write, given: str, expected: list[str], dialect: Dialect) -> None:
    path = """\
    options.defaults(standard_features=True)
    # freeze minimal modules.
    freeze("src", "a.py")
    if options.standard_features:
        # freeze standard modules.
        freeze("src", "b.py")
    if options.extra_features:
        # freeze extra modules.
        freeze("pure", "x.py")
    """
    write({"path.py": path})
    assert targets(run(f'include("path.py", {given})', dialect=dialect).modules) == expected


@BOTH
def test_include_takes_an_iterable_and_hands_the_options_on(run: Evaluate, write: Write, dialect: Dialect) -> None:
    write({"one.py": "freeze('src', options.file)\n", "two/two.py": "freeze('../pure', options.other)\n"})
    found = run('include(("one.py", "two/two.py"), file="a.py", other="x.py")', dialect=dialect)
    assert targets(found.modules) == ["a.py", "x.py"]


@BOTH
def test_freeze_takes_all_files_of_a_directory(run: Evaluate, dialect: Dialect) -> None:
    found = run('freeze("src")\nfreeze("mpyd")', dialect=dialect)
    assert brief(found.modules) == [
        ("py", "a.py", level(dialect)),
        ("py", "b.py", level(dialect)),
        ("py", "data.d/e.py", level(dialect)),
        ("py", "sub/__init__.py", level(dialect)),
        ("py", "sub/c.py", level(dialect)),
        ("mpy", "m.mpy", None),
    ]


@BOTH
@pytest.mark.parametrize("script", ['"sub"', '("sub",)', '["sub"]', 'iter(["sub"])', '"sub/"', '".//sub"'])
def test_a_script_may_be_a_directory(run: Evaluate, script: str, dialect: Dialect) -> None:
    assert targets(run(f'freeze("src", {script})', dialect=dialect).modules) == ["sub/__init__.py", "sub/c.py"]


@BOTH
def test_a_script_may_have_directories_before_it(run: Evaluate, dialect: Dialect) -> None:
    found = run('freeze("pure", "deep/y.py")\nfreeze(".", "src/data.d")', dialect=dialect)
    assert targets(found.modules) == ["deep/y.py", "src/data.d/e.py"]


@BOTH
def test_freeze_as_str_takes_the_scripts_of_a_directory(run: Evaluate, dialect: Dialect) -> None:
    found = run('freeze_as_str("src")', dialect=dialect)
    expected = ["a.py", "b.py", "data.d/e.py", "sub/__init__.py", "sub/c.py"]
    assert brief(found.modules) == [("str", target, None) for target in expected]


@BOTH
def test_freeze_as_mpy_compiles(run: Evaluate, dialect: Dialect) -> None:
    found = run('freeze_as_mpy("pure", opt=2)\nfreeze_as_mpy("src", ("a.py", "sub/c.py"), 1)', dialect=dialect)
    expected = [("py", "deep/y.py", 2), ("py", "x.py", 2), ("py", "a.py", 1), ("py", "sub/c.py", 1)]
    assert brief(found.modules) == expected


@BOTH
def test_freeze_mpy_takes_bytecode_as_it_is(run: Evaluate, dialect: Dialect) -> None:
    expected = [("mpy", "m.mpy", None)]
    for call in ('freeze_mpy("mpyd")', 'freeze_mpy("mpyd", "m.mpy", opt=3)', 'freeze("mpyd", ["m.mpy"])'):
        assert brief(run(call, dialect=dialect).modules) == expected


@pytest.mark.parametrize("name", ["MPY_DIR", "MPY_LIB_DIR", "PORT_DIR", "BOARD_DIR", "MINE"])
def test_variables_stand_in_paths(run: Evaluate, tmp_path: Path, name: str) -> None:
    found = run(f'freeze("$({name})/src", "sub")', variables={name: str(tmp_path)})
    assert targets(found.modules) == ["sub/__init__.py", "sub/c.py"]


@pytest.mark.parametrize(
    "arguments",
    [{"path": "src", "script": "a.py", "opt": 3}, {"path": "src", "script": ["a.py"], "opt": 3}],
)
def test_arguments_can_be_named(run: Evaluate, arguments: dict[str, Any]) -> None:
    assert brief(run(f"freeze(**{arguments!r})").modules) == [("py", "a.py", 3)]


def test_what_came_later_is_not_there_in_the_old_dialect(run: Evaluate) -> None:
    with pytest.raises(ManifestError, match="NameError: name 'module' is not defined") as raised:
        run('freeze("src", "a.py")\nmodule("x.py")', dialect=Dialect.OLD)
    assert str(raised.value.where).endswith("manifest.py:2")
    assert "--dialect current" in raised.value.remedy
