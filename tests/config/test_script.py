from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from frazil import distribution as distributions
from frazil.config.source import SourceOptions, plans
from frazil.errors import DependencyError, DistributionError, FrazilError, SourceError, UsageError
from frazil.plan import EntryKind, EntryPoint
from frazil.resources.kinds import APPLICATION, DataFile, SourceModule

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.plan import Plan
    from front_end import MakePlans, Write


def paths(plan: Plan) -> list[str]:
    return [one.path for one in plan.collection]


def error_of(make_plans: MakePlans, source: str, **options: object) -> FrazilError:
    with pytest.raises(FrazilError) as caught:
        make_plans(source, **options)
    return caught.value


def test_a_script_alone(write: Write, make_plans: MakePlans) -> None:
    root = write({"hello.py": "print('hello')\n"})
    (plan,) = make_plans("hello.py")
    assert plan.name == "hello"
    assert plan.entries == (EntryPoint("hello", EntryKind.SCRIPT, "app/hello.py"),)
    assert list(plan.collection) == [
        SourceModule("hello", package=False, content=root / "hello.py", path="app/hello.py", directory="app", owner=APPLICATION)
    ]
    assert plan.warnings == ()


def test_what_a_script_imports_from_beside_it_goes_in(write: Write, make_plans: MakePlans) -> None:
    write(
        {
            "main.py": """
                import one
                from pkg import sub
                import importlib
                def late():
                    importlib.import_module("literal")
                    __import__("dunder")
                """,
            "one.py": "import two\n",
            "two.py": "import json, sys\n",
            "literal.py": "",
            "dunder.py": "",
            "unused.py": "",
            "pkg/__init__.py": "",
            "pkg/sub.py": "from . import other\nfrom .deep.inner import x\n",
            "pkg/other.py": "import third\n",
            "pkg/deep/inner.py": "x = 1\n",
            "pkg/data.txt": "left out: data needs --include-data",
            "third.py": "",
            "namespace/wanted.py": "",
        }
    )
    (plan,) = make_plans("main.py")
    assert paths(plan) == [
        "app/dunder.py",
        "app/literal.py",
        "app/main.py",
        "app/one.py",
        "app/pkg/__init__.py",
        "app/pkg/deep/inner.py",
        "app/pkg/other.py",
        "app/pkg/sub.py",
        "app/third.py",
        "app/two.py",
    ]
    inner = plan.collection.get("app/pkg/deep/inner.py")
    assert isinstance(inner, SourceModule)
    assert (inner.name, inner.package, inner.directory) == ("pkg.deep.inner", False, "app/pkg/deep")
    package = plan.collection.get("app/pkg/__init__.py")
    assert isinstance(package, SourceModule)
    assert (package.name, package.package, package.directory) == ("pkg", True, "app")
    assert plan.warnings == ()


def test_of_a_namespace_only_what_is_imported(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": "import ns.b\nfrom ns.sub import c\n", "ns/b.py": "", "ns/no.py": "", "ns/sub/c.py": "", "ns/sub/no.py": ""})
    assert paths(make_plans("a.py")[0]) == ["app/a.py", "app/ns/b.py", "app/ns/sub/c.py"]


def test_a_module_beside_the_script_hides_the_standard_library_but_not_a_built_in(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": "import random, time\n", "random.py": "", "time.py": ""})
    assert paths(make_plans("a.py")[0]) == ["app/a.py", "app/random.py"]


def test_a_script_without_suffix(write: Write, make_plans: MakePlans) -> None:
    write({"tool": "#!/usr/bin/env python3\nprint(1)\n"})
    (plan,) = make_plans("tool")
    assert (plan.name, plan.entries[0].target, paths(plan)) == ("tool", "app/tool.py", ["app/tool.py"])


def test_a_missing_module_is_a_warning_with_place_and_remedy(write: Write, make_plans: MakePlans) -> None:
    root = write({"a.py": "import os\nimport no_such_thing.sub\n"})
    (warning,) = make_plans("a.py")[0].warnings
    assert warning.startswith(f"{root / 'a.py'}:2: module 'no_such_thing' is not found. Name what provides it with --with")


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import no_such\nexcept ImportError:\n    no_such = None\n",
        "try:\n    import no_such\nexcept (OSError, ModuleNotFoundError):\n    pass\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import no_such\n",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import no_such\n",
        "from . import no_such\n",
    ],
)
def test_no_warning_for_what_a_program_does_without(write: Write, make_plans: MakePlans, source: str) -> None:
    write({"a.py": source})
    assert make_plans("a.py")[0].warnings == ()


def test_include_and_exclude(write: Write, make_plans: MakePlans) -> None:
    write(
        {
            "a.py": "import b, c, json, nowhere\n",
            "b.py": "",
            "c.py": "",
            "d.py": "import e\n",
            "e.py": "",
            "plug/f.py": "",
            "plug/g.py": "",
        }
    )
    (plan,) = make_plans("a.py", include=("d", "plug.*", "email.mime"), exclude=("c", "nowhere"))
    assert paths(plan) == ["app/a.py", "app/b.py", "app/d.py", "app/e.py", "app/plug/f.py", "app/plug/g.py"]
    assert plan.warnings == ()
    assert (plan.include, plan.exclude) == (("d", "plug.*", "email.mime"), ("c", "nowhere"))


def test_an_included_module_that_is_nowhere(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": ""})
    error = error_of(make_plans, "a.py", include=("nowhere",))
    assert isinstance(error, UsageError)
    assert str(error).startswith("--include: no module 'nowhere' is found")
    assert str(error_of(make_plans, "a.py", include=("a-b",))).startswith("--include: 'a-b' is no module name")


def test_the_entry_cannot_be_excluded(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": ""})
    assert str(error_of(make_plans, "a.py", exclude=("a",))).startswith("--exclude: the entry point app/a.py is excluded")


def test_include_data(write: Write, make_plans: MakePlans) -> None:
    root = write(
        {"a.py": "", "assets/x.txt": "x", "assets/sub/run.sh": "#!/bin/sh\n", "one.json": "{}", "plug.py": "not python ("}
    )
    (root / "assets/sub/run.sh").chmod(0o755)
    data = ("assets=static/", "one.json=conf/renamed.json", "one.json=conf/", "plug.py=.")
    (plan,) = make_plans("a.py", include_data=data)
    assert paths(plan) == [
        "app/a.py",
        "app/conf/one.json",
        "app/conf/renamed.json",
        "app/plug.py",
        "app/static/sub/run.sh",
        "app/static/x.txt",
    ]
    assert plan.collection.get("app/static/sub/run.sh") == DataFile(
        root / "assets/sub/run.sh", "app/static/sub/run.sh", APPLICATION, executable=True
    )
    assert isinstance(plan.collection.get("app/plug.py"), DataFile)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("assets", UsageError, "--include-data: 'assets' is not of the form SRC=DEST"),
        ("a.py=../x", UsageError, "--include-data: '../x' is not below the application's directory"),
        ("a.py=/x", UsageError, "--include-data: '/x' is not below the application's directory"),
        ("nowhere=x", SourceError, "nowhere: no such file or directory"),
    ],
)
def test_include_data_that_cannot_be(
    write: Write, make_plans: MakePlans, text: str, kind: type[FrazilError], message: str
) -> None:
    write({"a.py": ""})
    error = error_of(make_plans, "a.py", include_data=(text,))
    assert isinstance(error, kind)
    assert message in str(error)


def test_two_files_for_one_path(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": "", "b.txt": ""})
    assert "two files of the application want to be app/a.py" in str(error_of(make_plans, "a.py", include_data=("b.txt=a.py",)))


def test_a_syntax_error_has_line_and_caret(write: Write, make_plans: MakePlans) -> None:
    root = write({"a.py": "import b\n", "b.py": "x = 1\nif True:\n\ty = (1 2)\n"})
    error = error_of(make_plans, "a.py")
    assert isinstance(error, SourceError)
    assert error.where == f"{root / 'b.py'}:3"
    assert error.problem.startswith("syntax error: invalid syntax")
    line, caret = error.details.splitlines()
    assert line == "    \ty = (1 2)"
    assert caret == "    \t     ^"


def test_an_excluded_module_may_have_syntax_errors(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": "import pkg\n", "pkg/__init__.py": "", "pkg/bad.py": "(\n"})
    assert paths(make_plans("a.py", exclude=("pkg.bad",))[0]) == ["app/a.py", "app/pkg/__init__.py"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = 1\ny = '\xe9'\n", "a.py:2: byte 0xe9 is not valid in utf-8"),
        (b"# -*- coding: klingon -*-\n", "a.py:1: its encoding is not understood: unknown encoding: klingon"),
        (b"x = 1\n\0\n", "a.py:2: a null byte in source code"),
        (b"\x7fELF\x02\x01\x01", "a.py: this is an executable program already, not Python source"),
        (b"PK\x03\x04....", "a.py: this is a zip archive, not Python source"),
    ],
)
def test_what_is_no_python_source(write: Write, make_plans: MakePlans, content: bytes, message: str) -> None:
    root = write({"a.py": content})
    error = error_of(make_plans, "a.py")
    assert isinstance(error, SourceError)
    assert str(error).startswith(f"{root}/{message}")
    assert error.remedy


def test_other_encodings_are_read(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": "# -*- coding: latin-1 -*-\nimport b\nx = 'é'\n".encode("latin-1"), "b.py": b"\xef\xbb\xbfx = 1\r\n"})
    assert paths(make_plans("a.py")[0]) == ["app/a.py", "app/b.py"]


def test_sources_that_are_not_there(write: Write, make_plans: MakePlans) -> None:
    root = write({"link/x": ""})
    (root / "dangling.py").symlink_to("nowhere.py")
    (root / "loop.py").symlink_to("loop.py")
    (root / "empty").mkdir()
    missing = error_of(make_plans, "nowhere.py")
    assert isinstance(missing, SourceError)
    assert str(missing).startswith("nowhere.py: no such file or directory\nName a script, a directory with __main__.py")
    assert "a symbolic link that leads nowhere" in str(error_of(make_plans, "dangling.py"))
    assert error_of(make_plans, "loop.py").where == str(root / "loop.py")
    assert str(error_of(make_plans, "empty")).startswith(f"{root / 'empty'}: the directory is empty")
    assert "neither __main__.py nor pyproject.toml is here" in str(error_of(make_plans, "link"))
    assert "neither a file nor a directory" in str(error_of(make_plans, "/dev/null"))
    assert "no source is named" in str(error_of(make_plans, ""))


@pytest.mark.parametrize("name", ["a/b", "", "..", "x\0"])
def test_names_that_no_file_can_have(write: Write, make_plans: MakePlans, name: str) -> None:
    write({"a.py": ""})
    if name:
        error = error_of(make_plans, "a.py", name=name)
        assert isinstance(error, UsageError)
        assert f"{name!r} cannot be the name of an executable" in str(error)
    else:
        assert make_plans("a.py", name=name)[0].name == "a"


def test_multicall_needs_a_project(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": ""})
    assert "--multicall joins the scripts of a project" in str(error_of(make_plans, "a.py", multicall=True))


# PEP 723


def test_requires_python_is_checked(write: Write, make_plans: MakePlans) -> None:
    root = write({"a.py": '# /// script\n# requires-python = ">=3.99"\n# ///\n'})
    error = error_of(make_plans, "a.py")
    assert isinstance(error, DistributionError)
    here = ".".join(map(str, sys.version_info[:3]))
    assert str(error).startswith(f"{root / 'a.py'}: needs Python >=3.99, but the Python to build with is {here}\n")
    assert "--python" in error.remedy


@pytest.mark.parametrize(
    ("block", "line", "message"),
    [
        ("# dependencies = [\n# 'x',\n# oops\n", 4, "the script's metadata is no valid TOML"),
        ("# dependencies = 3\n", 2, "dependencies must be an array of strings"),
        ("# dependencies = [\n#   'click',\n#   'not valid',\n# ]\n", 4, "'not valid' is no valid requirement"),
        ("#\n# requires-python = 3\n", 3, "requires-python must be a string"),
    ],
)
def test_errors_in_a_block_have_their_line(write: Write, make_plans: MakePlans, block: str, line: int, message: str) -> None:
    root = write({"a.py": f"# /// script\n{block}# ///\n"})
    error = error_of(make_plans, "a.py")
    assert error.where == f"{root / 'a.py'}:{line}"
    assert error.problem.startswith(message)


def test_a_block_that_is_not_closed_or_comes_twice(write: Write, make_plans: MakePlans) -> None:
    block = "# /// script\n# dependencies = []\n# ///\n"
    root = write({"open.py": "x = 1\n# /// script\n# dependencies = []\n\nprint()\n", "twice.py": f"{block}\n{block}"})
    assert str(error_of(make_plans, "open.py")).startswith(f"{root / 'open.py'}:2: the script's metadata block is not closed")
    assert str(error_of(make_plans, "twice.py")).startswith(f"{root / 'twice.py'}:5: a second metadata block")


def test_other_blocks_and_lookalikes_are_comments(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": "# /// other\n# not toml (\n# ///\n#/// script\n# dependencies = ['nothing-of-the-kind']\n"})
    assert make_plans("a.py")[0].warnings == ()


def test_settings_in_a_block(write: Write, make_plans: MakePlans) -> None:
    write(
        {
            "sub/a.py": '# /// script\n# [tool.frazil]\n# name = "other"\n# include-data = ["x.txt=d/x"]\n# ///\n',
            "sub/x.txt": "",
        }
    )
    (plan,) = make_plans("sub/a.py")
    assert plan.name == "other"
    assert paths(plan) == ["app/a.py", "app/d/x"]


def test_an_installed_dependency(write: Write, make_plans: MakePlans, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"a.py": '# /// script\n# dependencies = ["click"]\n# ///\nimport click\nimport nowhere\n'})
    (plan,) = make_plans("a.py")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    core = plan.collection.get(f"lib/python{version}/site-packages/click/core.py")
    assert isinstance(core, SourceModule)
    assert (core.name, core.owner) == ("click.core", "click")
    (warning,) = plan.warnings
    assert "module 'nowhere' is not found. Name what provides it with --with nowhere" in warning
    # A second time no process is started: with nothing on PATH and no way to start one, the plan is the same.
    monkeypatch.setattr("subprocess.Popen", _never)
    assert list(make_plans("a.py")[0].collection) == list(plan.collection)


def _never(*_: object, **__: object) -> None:
    raise AssertionError("a process is started")


def test_a_requirement_that_does_not_resolve(write: Write, make_plans: MakePlans) -> None:
    write({"a.py": ""})
    error = error_of(make_plans, "a.py", requirements=("click==0.0.0.1",))
    assert isinstance(error, DependencyError)
    assert error.problem.startswith("the requirements cannot be installed: ")
    assert "click" in error.details
    assert "index settings" in error.remedy
    assert "'no such' is no valid requirement" in str(error_of(make_plans, "a.py", requirements=("no such",)))


# Directories and functions


def test_a_package_goes_in_whole(write: Write, make_plans: MakePlans) -> None:
    write(
        {
            "src/pkg/__init__.py": "",
            "src/pkg/__main__.py": "from . import used\nimport beside\n",
            "src/pkg/used.py": "",
            "src/pkg/unused.py": "",
            "src/pkg/data/x.bin": b"\0",
            "src/pkg/no-module.py": "(",
            "src/pkg/__pycache__/used.cpython-311.pyc": b"",
            "src/pkg/sourceless.pyc": b"",
            "src/pkg/used.pyc": b"",
            "src/beside.py": "",
            "src/not_imported.py": "",
        }
    )
    (plan,) = make_plans("src/pkg", name="prog")
    assert plan.entries == (EntryPoint("prog", EntryKind.MODULE, "pkg"),)
    assert paths(plan) == [
        "app/beside.py",
        "app/pkg/__init__.py",
        "app/pkg/__main__.py",
        "app/pkg/data/x.bin",
        "app/pkg/no-module.py",
        "app/pkg/sourceless.pyc",
        "app/pkg/unused.py",
        "app/pkg/used.py",
    ]
    assert isinstance(plan.collection.get("app/pkg/no-module.py"), DataFile)


def test_a_directory_that_is_no_package_runs_as_a_script(write: Write, make_plans: MakePlans) -> None:
    write({"my-app/__main__.py": "import helper\n", "my-app/helper.py": "", "my-app/dist/old": b"\x7fELF", "my-app/d.txt": ""})
    (plan,) = make_plans("my-app")
    assert plan.name == "my-app"
    assert plan.entries == (EntryPoint("my-app", EntryKind.SCRIPT, "app/__main__.py"),)
    assert paths(plan) == ["app/__main__.py", "app/d.txt", "app/helper.py"]


def test_links_in_a_circle_and_odd_files_are_told(write: Write, make_plans: MakePlans) -> None:
    root = write({"pkg/__init__.py": "", "pkg/__main__.py": ""})
    (root / "pkg/again").symlink_to(root / "pkg")
    (root / "pkg/gone").symlink_to("nowhere")
    (root / "pkg/linked.py").symlink_to("__init__.py")
    (plan,) = make_plans("pkg")
    assert paths(plan) == ["app/pkg/__init__.py", "app/pkg/__main__.py", "app/pkg/linked.py"]
    assert plan.warnings == (
        f"{root}/pkg/again: left out: a symbolic link to a directory above itself",
        f"{root}/pkg/gone: left out: a dangling symbolic link",
    )


@pytest.mark.parametrize("base", ["", "src/"])
def test_a_function_of_a_package(write: Write, make_plans: MakePlans, base: str) -> None:
    write({f"{base}pkg/__init__.py": "", f"{base}pkg/cli.py": "def main(): ...\n", f"{base}pkg/d.txt": "", "other.py": ""})
    (plan,) = make_plans("pkg.cli:main")
    assert plan.entries == (EntryPoint("pkg", EntryKind.FUNCTION, "pkg.cli:main"),)
    assert paths(plan) == ["app/pkg/__init__.py", "app/pkg/cli.py", "app/pkg/d.txt"]
    assert plan.warnings == ()


def test_a_function_of_the_standard_library(write: Write, make_plans: MakePlans) -> None:
    write({"x": ""})
    assert make_plans("json.tool:main")[0].entries[0].target == "json.tool:main"


@pytest.mark.parametrize(
    ("source", "warns"),
    [
        ("def other(): ...\n", True),
        ("class main: ...\n", False),
        ("from elsewhere import main\n", False),
        ("from os import *\n", False),
        ("def __getattr__(name): ...\n", False),
        ("try:\n    main = 1\nexcept OSError:\n    pass\n", False),
        ("globals()['main'] = print\n", False),
        ("def f():\n    main = 1\n", True),
    ],
)
def test_a_function_that_is_visibly_not_there(write: Write, make_plans: MakePlans, source: str, warns: bool) -> None:  # noqa: FBT001
    root = write({"mod.py": source})
    told = [one for one in make_plans("mod:main")[0].warnings if "entry point" in one]
    assert told == ([f"{root / 'mod.py'}: defines no 'main', which the entry point mod:main names"] if warns else [])


def test_a_module_that_is_not_there(write: Write, make_plans: MakePlans) -> None:
    root = write({"mod.py": ""})
    error = error_of(make_plans, "nowhere.mod:main")
    assert isinstance(error, SourceError)
    assert str(error).startswith(f"nowhere.mod:main: no module nowhere.mod in {root}, {root / 'src'}")


def test_syntax_that_is_newer_than_this_python(
    write: Write, tmp_path: Path, cache: ContentCache, newer_interpreters: list[Path]
) -> None:
    write({"a.py": "type X = int\nimport b\n", "b.py": "", "bad.py": "type X = int\nx = (1 2)\n"})
    for executable in newer_interpreters:
        target = distributions.describe(executable, cache)
        for _ in range(2):
            (plan,) = plans(SourceOptions("a.py", directory=tmp_path), target, cache)
            assert paths(plan) == ["app/a.py", "app/b.py"]
        with pytest.raises(SourceError) as caught:
            plans(SourceOptions("bad.py", directory=tmp_path), target, cache)
        assert caught.value.where == f"{tmp_path}/bad.py:2"
        assert caught.value.details.splitlines()[0] == "    x = (1 2)"
