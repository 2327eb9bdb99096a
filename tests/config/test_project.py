from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.cache import ContentCache
from frazil.config.source import SourceOptions, plans
from frazil.errors import DependencyError, DistributionError, FrazilError, SourceError, UsageError
from frazil.plan import Compression, EntryKind, EntryPoint, InterpreterConfig, LinkMode, StandardLibrary
from frazil.resources.kinds import APPLICATION, DataFile

if TYPE_CHECKING:
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan
    from front_end import MakePlans, Write

SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

# A backend of the test's own: nothing is fetched to build with it.
BACKEND = """
import os, tomllib, zipfile

def get_requires_for_build_wheel(config=None):
    return []

def build_wheel(directory, config=None, metadata=None):
    project = tomllib.load(open("pyproject.toml", "rb"))
    table = project.get("project", {"name": "from-backend"})
    name, version = table["name"].replace("-", "_"), table.get("version", "1.0")
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {table['name']}\\nVersion: {version}\\n"
        + "".join(f"Requires-Dist: {one}\\n" for one in table.get("dependencies", [])),
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    groups = (("console_scripts", "scripts"), ("gui_scripts", "gui-scripts"))
    lines = [f"[{group}]\\n" + "".join(f"{a} = {b}\\n" for a, b in table[key].items()) for group, key in groups if key in table]
    if lines:
        files[f"{info}/entry_points.txt"] = "".join(lines)
    for place, _, names in os.walk("src"):
        for one in names:
            path = os.path.join(place, one)
            files[os.path.relpath(path, "src")] = open(path).read()
    files[f"{name}-{version}.data/data/share/{name}/note.txt"] = "a data file of the prefix"
    files[f"{info}/RECORD"] = "".join(f"{one},,\\n" for one in files) + f"{info}/RECORD,,\\n"
    wheel = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        for one, text in files.items():
            archive.writestr(one, text)
    return wheel
"""
BUILD = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["tools"]\n'


def project(write: Write, table: str, extra: str = "", **files: str) -> Path:
    """A project below the test's directory; ``files`` are modules ``pkg__mod`` below ``src``."""
    sources: dict[str, str | bytes] = {f"proj/src/{name.replace('___', '/')}.py": text for name, text in files.items()}
    pyproject = f"{BUILD}[project]\n{table}\n{extra}"
    return write({"proj/pyproject.toml": pyproject, "proj/tools/backend.py": BACKEND, **sources}) / "proj"


def error_of(make_plans: MakePlans, source: str = "proj", **options: object) -> FrazilError:
    with pytest.raises(FrazilError) as caught:
        make_plans(source, **options)
    return caught.value


SCRIPTS = 'name = "My-Proj"\nversion = "1.5"\n[project.scripts]\none = "pkg:main"\ntwo = "pkg.sub:Group.run"\n'


def modules(**more: str) -> dict[str, str]:
    return {"pkg/__init__": "def main(): ...\n", "pkg/sub": "class Group: ...\n", **more}


def test_one_plan_for_each_script(write: Write, make_plans: MakePlans) -> None:
    project(write, SCRIPTS + '[project.gui-scripts]\nwindow = "pkg:main"\n', **modules())
    made = make_plans("proj")
    assert [(plan.name, plan.entries) for plan in made] == [
        ("one", (EntryPoint("one", EntryKind.FUNCTION, "pkg:main"),)),
        ("two", (EntryPoint("two", EntryKind.FUNCTION, "pkg.sub:Group.run"),)),
        ("window", (EntryPoint("window", EntryKind.FUNCTION, "pkg:main"),)),
    ]
    info = f"{SITE}/My_Proj-1.5.dist-info"
    assert [one.path for one in made[0].collection] == [
        f"{info}/METADATA",
        f"{info}/RECORD",
        f"{info}/WHEEL",
        f"{info}/entry_points.txt",
        f"{SITE}/pkg/__init__.py",
        f"{SITE}/pkg/sub.py",
        "share/My_Proj/note.txt",
    ]
    assert {one.owner for one in made[0].collection} == {APPLICATION}
    assert made[0].warnings == ()


def test_multicall(write: Write, make_plans: MakePlans) -> None:
    project(write, SCRIPTS, **modules())
    (plan,) = make_plans("proj", multicall=True)
    assert plan.name == "My-Proj"
    assert [entry.name for entry in plan.entries] == ["one", "two"]


def test_one_name_for_several_scripts(write: Write, make_plans: MakePlans) -> None:
    project(write, SCRIPTS, **modules())
    error = error_of(make_plans, name="x")
    assert isinstance(error, UsageError)
    assert str(error).startswith("--name: one name for several executables: one, two")
    assert make_plans("proj", name="x", multicall=True)[0].name == "x"


def test_dependencies_come_with_the_project(write: Write, make_plans: MakePlans) -> None:
    table = 'name = "p"\nversion = "1"\ndependencies = ["click"]\n[project.scripts]\np = "pkg:missing"\n'
    root = project(write, table, **modules())
    (plan,) = make_plans("proj")
    assert f"{SITE}/click/core.py" in plan.collection
    (warning,) = plan.warnings
    assert "defines no 'missing', which the entry point pkg:missing names" in warning
    assert str(root) not in "".join(
        one.content.decode() for one in plan.collection if isinstance(one, DataFile) and isinstance(one.content, bytes)
    )


def contents(plan: Plan) -> dict[str, bytes]:
    found = {}
    for one in plan.collection:
        content = getattr(one, "content", b"")
        found[one.path] = content.read_bytes() if isinstance(content, Path) else content
    return found


def test_two_directories_give_the_same_bytes(
    write: Write, make_plans: MakePlans, tmp_path: Path, distribution: PythonDistribution
) -> None:
    project(write, SCRIPTS, **modules())
    first = contents(make_plans("proj")[0])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "proj").rename(tmp_path / "elsewhere" / "moved")
    options = SourceOptions(str(tmp_path / "elsewhere" / "moved"))
    second = contents(plans(options, distribution, ContentCache(tmp_path / "other cache"))[0])
    assert first == second
    assert not [path for path, content in first.items() if str(tmp_path).encode() in content]


def test_a_change_of_the_project_is_seen(write: Write, make_plans: MakePlans) -> None:
    root = project(write, SCRIPTS, **modules())
    make_plans("proj")
    (root / "src/pkg/new.py").write_text("")
    assert f"{SITE}/pkg/new.py" in make_plans("proj")[0].collection


def test_a_project_without_scripts_runs_its_main_module(write: Write, make_plans: MakePlans) -> None:
    project(write, 'name = "p-q"\nversion = "1"', **modules(**{"pkg/__main__": "", "other/__init__": ""}))
    (plan,) = make_plans("proj")
    assert (plan.name, plan.entries) == ("p-q", (EntryPoint("p-q", EntryKind.MODULE, "pkg"),))


def test_a_project_with_nothing_to_run(write: Write, make_plans: MakePlans) -> None:
    root = project(write, 'name = "p"\nversion = "1"', **modules())
    error = error_of(make_plans)
    assert isinstance(error, SourceError)
    assert str(error).startswith(f"{root / 'pyproject.toml'}: nothing to run: the project has neither scripts nor")
    assert '[project.scripts] and a line such as NAME = "package.module:function"' in error.remedy


def test_a_project_with_two_main_modules(write: Write, make_plans: MakePlans) -> None:
    project(write, 'name = "p"\nversion = "1"', **{"a/__init__": "", "a/__main__": "", "b/__init__": "", "b/__main__": ""})
    assert "no scripts, and several packages with __main__: a, b" in str(error_of(make_plans))


def test_a_project_whose_name_only_the_backend_knows(write: Write, make_plans: MakePlans) -> None:
    write(
        {
            "proj/pyproject.toml": BUILD,
            "proj/tools/backend.py": BACKEND,
            "proj/src/pkg/__init__.py": "",
            "proj/src/pkg/__main__.py": "",
        }
    )
    (plan,) = make_plans("proj")
    assert (plan.name, plan.entries[0].target) == ("from-backend", "pkg")
    assert {one.owner for one in plan.collection} == {APPLICATION}


def test_requires_python(write: Write, make_plans: MakePlans) -> None:
    root = project(write, 'name = "p"\nversion = "1"\nrequires-python = "<3.9"', **modules())
    error = error_of(make_plans)
    assert isinstance(error, DistributionError)
    assert str(error).startswith(f"{root / 'pyproject.toml'}: needs Python <3.9, but the Python to build with is 3.")


def test_dependencies_that_are_no_requirements(write: Write, make_plans: MakePlans) -> None:
    project(write, 'name = "p"\nversion = "1"\ndependencies = ["ok", "not ok", "!"]')
    error = error_of(make_plans)
    assert isinstance(error, DependencyError)
    assert error.details.splitlines() == [
        "  project.dependencies[1]: 'not ok' is no valid requirement",
        "  project.dependencies[2]: '!' is no valid requirement",
    ]


def test_a_script_that_names_no_function(write: Write, make_plans: MakePlans) -> None:
    project(write, 'name = "p"\nversion = "1"\n[project.scripts]\nx = "pkg"\n')
    assert "project.scripts.x: 'pkg' is not of the form package.module:function" in str(error_of(make_plans))


def test_a_backend_that_fails(write: Write, make_plans: MakePlans) -> None:
    root = project(write, 'name = "p"\nversion = "1"')
    (root / "tools/backend.py").write_text("def build_wheel(*_):\n    raise SystemExit('the backend says no')\n")
    error = error_of(make_plans)
    assert isinstance(error, DependencyError)
    assert "the requirements cannot be installed" in error.problem
    assert "the backend says no" in error.details


def test_pyproject_that_is_damaged(write: Write, make_plans: MakePlans) -> None:
    root = write(
        {"proj/pyproject.toml": "[project]\nname = \n", "bytes/pyproject.toml": b"\xff", "tools/pyproject.toml": "[tool.x]\n"}
    )
    error = error_of(make_plans)
    assert error.where == f"{root}/proj/pyproject.toml:2"
    assert error.problem == "is no valid TOML: Invalid value"
    assert error.details == "    name = "
    assert "is not UTF-8" in str(error_of(make_plans, "bytes"))
    assert "this pyproject.toml describes no project" in str(error_of(make_plans, "tools"))


def test_a_package_directory_with_settings_of_tools_is_still_one(write: Write, make_plans: MakePlans) -> None:
    write({"pkg/pyproject.toml": "[tool.x]\n", "pkg/__init__.py": "", "pkg/__main__.py": ""})
    assert make_plans("pkg")[0].entries[0].target == "pkg"


# The settings table

SETTINGS = """
[tool.frazil]
name = "program"
include = ["json"]
exclude = ["pkg.sub"]
include-data = ["data=d"]
optimize = 2
link = "shared"
stdlib = "all"
source = false
compress = "deflate"
memfs-limit = "64M"
"""
ONE = 'name = "p"\nversion = "1"\n[project.scripts]\none = "pkg:main"\n'


def test_settings(write: Write, make_plans: MakePlans) -> None:
    root = project(write, ONE, SETTINGS, **modules())
    (root / "data").mkdir()
    (root / "data/x").write_text("")
    (plan,) = make_plans("proj", exclude=("email",))
    assert plan.name == "program"
    assert (plan.include, plan.exclude) == (("json",), ("pkg.sub", "email"))
    assert (plan.link, plan.stdlib, plan.with_source) == (LinkMode.SHARED, StandardLibrary.ALL, False)
    assert plan.interpreter == InterpreterConfig(optimize=2)
    assert (plan.compression, plan.memfs_limit) == (Compression.DEFLATE, 64 << 20)
    assert "app/d/x" in plan.collection
    assert f"{SITE}/pkg/sub.py" not in plan.collection
    (plan,) = make_plans("proj", name="mine", link=LinkMode.STATIC, interpreter=InterpreterConfig(optimize=1))
    assert (plan.name, plan.link, plan.interpreter.optimize) == ("mine", LinkMode.STATIC, 1)
    (plan,) = make_plans("proj", memfs_limit=4096)
    assert plan.memfs_limit == 4096


def test_every_issue_is_told_at_once(write: Write, make_plans: MakePlans) -> None:
    settings = """
        [tool.frazil]
        name = ""
        include = "x"
        exclude = ["a", "b", 3]
        include_data = []
        include-data = ["x=../y"]
        optimize = 3
        link = "dynamic"
        stdlib = true
        source = "no"
        compress = "zip"
        memfs-limit = "much"
        surprise = 1
        """
    root = project(write, ONE, settings)
    error = error_of(make_plans)
    assert isinstance(error, UsageError)
    assert error.where == str(root / "pyproject.toml")
    assert error.problem == "12 settings are not valid"
    assert error.details.splitlines() == [
        "  tool.frazil.name: is empty",
        "  tool.frazil.include: must be an array of strings, not a string",
        "  tool.frazil.exclude[2]: must be a string, not a number",
        "  tool.frazil.include_data: is not known; is 'include-data' meant?",
        "  tool.frazil.include-data[0]: '../y' is not below the application's directory",
        "  tool.frazil.optimize: must be one of 0, 1, 2, not 3",
        '  tool.frazil.link: must be one of "auto", "static", "shared", not \'dynamic\'',
        '  tool.frazil.stdlib: must be one of "used", "all", not a boolean',
        "  tool.frazil.source: must be true or false, not a string",
        '  tool.frazil.compress: must be one of "none", "deflate", not \'zip\'',
        "  tool.frazil.memfs-limit: 'much' is no size",
        "  tool.frazil.surprise: is not known",
    ]


# --venv


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory, distribution: PythonDistribution) -> Path:
    """A virtual environment with click and, editable, a project ``ed`` that requires it."""
    root = tmp_path_factory.mktemp("venv")
    subprocess.run([distribution.executable, "-m", "venv", "--without-pip", root / "env"], check=True)
    for name, text in {
        "ed/pyproject.toml": '[build-system]\nrequires=["hatchling"]\nbuild-backend="hatchling.build"\n'
        '[project]\nname="ed"\nversion="1"\ndependencies=["click"]\n[project.scripts]\ned="ed:main"\n',
        "ed/src/ed/__init__.py": "def main(): ...\n",
        "ed/src/ed/data.txt": "data",
        "loose/loose_package/__init__.py": "import loose_module\n",
        "loose/loose_package/data.txt": "",
        "loose/loose_module.py": "",
        "loose/unused.py": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    site = root / "env" / SITE
    (site / "mine.pth").write_text(f"{root / 'loose'}\nimport sys; sys.stderr.write('')\n")
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--python",
        str(root / "env/bin/python"),
        "-e",
        str(root / "ed"),
        "iniconfig",
    ]
    subprocess.run(command, check=True)
    return root


def owners(plan: Plan) -> set[str]:
    return {one.owner for one in plan.collection}


def test_a_script_takes_what_it_imports_and_what_that_requires(write: Write, make_plans: MakePlans, venv: Path) -> None:
    write({"a.py": "import ed\nfrom loose_package import x\nimport nowhere\n"})
    (plan,) = make_plans("a.py", venv=venv / "env")
    assert owners(plan) == {APPLICATION, "ed", "click", "mine"}
    assert f"{SITE}/ed/data.txt" in plan.collection
    (extra,) = plan.extra_paths
    below = [one.path.removeprefix(extra + "/") for one in plan.collection if one.owner == "mine"]
    assert below == ["loose_module.py", "loose_package/__init__.py", "loose_package/data.txt"]
    pth, missing = sorted(plan.warnings, key=lambda one: "nowhere" in one)
    assert pth == f"{venv / 'env' / SITE / 'mine.pth'}: its code runs only with --site: import sys; sys.stderr.write('')"
    assert missing.endswith(f"Install what provides it into {venv / 'env'}, or leave it out with --exclude nowhere.")


def test_requirements_are_roots_in_a_virtual_environment(write: Write, make_plans: MakePlans, venv: Path) -> None:
    write({"a.py": ""})
    assert owners(make_plans("a.py", venv=venv / "env")[0]) == {APPLICATION}
    assert owners(make_plans("a.py", venv=venv / "env", requirements=("iniconfig",))[0]) == {APPLICATION, "iniconfig"}
    assert owners(make_plans("a.py", venv=venv / "env", include=("iniconfig",))[0]) == {APPLICATION, "iniconfig"}
    error = error_of(make_plans, "a.py", venv=venv / "env", requirements=("rich",))
    assert str(error).startswith(f"{venv / 'env' / SITE}: rich is not installed")


def test_a_project_that_is_editable_in_the_environment(make_plans: MakePlans, venv: Path) -> None:
    (plan,) = make_plans(str(venv / "ed"), venv=venv / "env")
    assert owners(plan) == {APPLICATION, "click"}
    assert plan.entries == (EntryPoint("ed", EntryKind.FUNCTION, "ed:main"),)


def test_a_project_that_is_not_in_the_environment(write: Write, make_plans: MakePlans, venv: Path) -> None:
    project(write, ONE.replace('"1"', '"1"\ndependencies = ["iniconfig"]'), **modules())
    (plan,) = make_plans("proj", venv=venv / "env")
    assert owners(plan) == {APPLICATION, "iniconfig"}
    assert f"{SITE}/pkg/__init__.py" in plan.collection


def test_what_is_no_fitting_environment(write: Write, make_plans: MakePlans) -> None:
    root = write({"a.py": "", "other/pyvenv.cfg": "", "other/lib/python2.7/x": "", "plain/x": ""})
    assert "no such virtual environment" in str(error_of(make_plans, "a.py", venv=Path("nowhere")))
    assert "it has no pyvenv.cfg" in str(error_of(make_plans, "a.py", venv=Path("plain")))
    error = error_of(make_plans, "a.py", venv=Path("other"))
    assert isinstance(error, DependencyError)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert str(error).startswith(
        f"{root / 'other'}: this virtual environment is for Python 2.7, but the Python to build with is {here}"
    )


def test_exclude_removes_packages_and_whole_distributions(write: Write, make_plans: MakePlans, venv: Path) -> None:
    write({"a.py": "import ed, loose_package\n"})
    (plan,) = make_plans("a.py", venv=venv / "env", exclude=("cli*._winconsole", "ed", "loose_*"))
    assert owners(plan) == {APPLICATION}
    (plan,) = make_plans("a.py", venv=venv / "env", requirements=("ed", "iniconfig"), exclude=("click.t*", "IniConfig"))
    assert f"{SITE}/click/core.py" in plan.collection
    assert f"{SITE}/click/types.py" not in plan.collection
    assert "iniconfig" not in owners(plan)
