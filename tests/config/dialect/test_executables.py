"""Executables of configurations: which resources they have, where these stand, and what runs."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.config.dialect import interpreter_config, older
from frazil.config.starlark.errors import StarlarkError
from frazil.errors import SourceError
from frazil.plan import EntryKind, LinkMode, StandardLibrary
from frazil.resources.kinds import SourceModule
from frazil.resources.location import IN_MEMORY, Location

if TYPE_CHECKING:
    from dialect import Evaluate

PACKAGE: dict[str, str | bytes] = {
    "src/pkg/__init__.py": "",
    "src/pkg/a.py": "import json\n",
    "src/pkg/data/words.txt": "one\n",
    "src/single.py": "",
}


def make_exe(body: str, before: str = "") -> str:
    """A configuration whose target exe has ``policy``, ``config`` and ``exe``; ``before`` runs before exe is made."""
    return f"""\
seen = []

def make_exe():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    config = dist.make_python_interpreter_config()
{textwrap.indent(textwrap.dedent(before), "    ")}
    exe = dist.to_python_executable(name="app", packaging_policy=policy, config=config)
{textwrap.indent(textwrap.dedent(body), "    ")}
    return exe

register_target("exe", make_exe)
resolve_targets()
"""


def test_packages_are_read(evaluate: Evaluate) -> None:
    body = """
    for r in exe.read_package_root("src", ["pkg", "single"]):
        print(type(r), r.name)
        exe.add_python_resource(r)
    """
    found = evaluate(make_exe(body, 'config.run_module = "pkg.a"'), PACKAGE)
    assert found.printed == [
        "PythonModuleSource pkg",
        "PythonModuleSource pkg.a",
        "PythonPackageResource data/words.txt",
        "PythonModuleSource single",
    ]
    plan = found.plan()
    assert [one.path for one in plan.collection] == [
        "app/pkg/__init__.py", "app/pkg/a.py", "app/pkg/data/words.txt", "app/single.py",
    ]  # fmt: skip
    assert (plan.entries[0].kind, plan.entries[0].target) == (EntryKind.MODULE, "pkg.a")
    assert (plan.name, plan.stdlib, plan.link) == ("app", StandardLibrary.USED, LinkMode.AUTO)


def test_a_resource_has_its_attributes(evaluate: Evaluate) -> None:
    body = """
    r = exe.make_python_module_source("a.b", "x = 1", is_package=True)
    print(r, type(r), r.name, r.source, r.is_package, r.is_stdlib)
    print(r.add_include, r.add_location, r.add_location_fallback, r.add_source)
    print(r.add_bytecode_optimization_level_zero, r.add_bytecode_optimization_level_two)
    r.add_location = "filesystem-relative:lib"
    r.add_source = False
    r.add_bytecode_optimization_level_zero = False
    r.add_bytecode_optimization_level_two = True
    exe.add_python_resource(r)
    """
    found = evaluate(make_exe(body))
    assert found.printed == [
        "<PythonModuleSource a.b> PythonModuleSource a.b x = 1 True False",
        "True in-memory None True",
        "True False",
    ]
    plan = found.plan()
    module = plan.collection.get("app/a/b/__init__.py")
    assert isinstance(module, SourceModule)
    assert (module.optimize, module.with_source, module.directory) == (2, False, "app/a")
    assert plan.locations.of("app/a/b/__init__.py") == Location("lib")


def test_callbacks_decide(evaluate: Evaluate) -> None:
    program = """\
seen = []

def choose(policy, resource):
    if resource.is_stdlib:
        if resource.name == "json.tool":
            resource.add_include = False
        return
    seen.append(resource.name)
    resource.add_include = resource.name != "pkg.a"
    if resource.name == "single":
        resource.add_location = "filesystem-relative:beside"

""" + make_exe(
        'exe.add_python_resources(exe.read_package_root("src", ["pkg", "single"]))\nprint(seen)',
        "policy.register_resource_callback(choose)",
    ).removeprefix("seen = []\n")
    found = evaluate(program, PACKAGE)
    assert found.printed == ['["pkg", "pkg.a", "data/words.txt", "single"]']
    plan = found.plan()
    assert "app/pkg/a.py" not in plan.collection
    assert plan.exclude == ("json.tool",)
    assert plan.locations.of("app/single.py") == Location("beside")
    assert plan.locations.of("app/pkg/__init__.py") == IN_MEMORY


@pytest.mark.parametrize(
    ("policy", "location"),
    [
        ("in-memory-only", IN_MEMORY),
        ("filesystem-relative-only:lib", Location("lib")),
        ("prefer-in-memory-fallback-filesystem-relative:lib", IN_MEMORY),
    ],
)
def test_policies_of_the_seed(evaluate: Evaluate, policy: str, location: Location) -> None:
    body = 'exe.add_python_resources(exe.read_package_root("src", ["pkg"]))'
    found = evaluate(make_exe(body, f'policy.resources_policy = "{policy}"'), PACKAGE)
    assert found.plan().locations.of("app/pkg/a.py") == found.plan().locations.standard == location
    assert found.plan().locations.of("bin/app") == IN_MEMORY
    assert found.notes == [
        (
            "7:5: resources_policy is deprecated, a name of PyOxidizer 0.7: "
            "write resources_location and resources_location_fallback"
        )
    ]


STARTS = {
    "code from elsewhere": ('config.run_command = "exec(open(1).read())"', EntryKind.COMMAND, "exec(open", True),
    "modules from elsewhere": (
        'config.module_search_paths = ["$ORIGIN/../lib"]\nconfig.run_module = "out.side"',
        EntryKind.COMMAND,
        "'out.side'",
        True,
    ),
    "command": ('config.run_command = "print(1)"', EntryKind.COMMAND, "print(1)", False),
    "module": ('config.run_module = "http.server"', EntryKind.COMMAND, "runpy._run_module_as_main('http.server'", False),
    "file": ('config.run_filename = "$ORIGIN/main.py"', EntryKind.COMMAND, "runpy.run_path(_file", True),
    "nothing": ("", EntryKind.COMMAND, "code.interact", True),
    "old eval": ('config.run_mode = "eval:import a; a.b()"', EntryKind.COMMAND, "import a; a.b()", False),
    "old module": ('config.run_mode = "module:json.tool"', EntryKind.COMMAND, "_run_module_as_main('json.tool'", False),
}


@pytest.mark.parametrize("name", STARTS)
def test_what_runs(evaluate: Evaluate, name: str) -> None:
    before, kind, part, whole = STARTS[name]
    plan = evaluate(make_exe("", before)).plan()
    script = plan.collection.get("bin/app")
    assert plan.entries[0].kind is kind
    assert isinstance(script, SourceModule)
    assert isinstance(script.content, bytes)
    assert part in script.content.decode()
    assert plan.stdlib is (StandardLibrary.ALL if whole else StandardLibrary.USED)


def test_fields_of_the_interpreter(evaluate: Evaluate) -> None:
    before = """
    config.optimization_level = 2
    config.site_import = True
    config.use_environment = True
    config.buffered_stdio = False
    config.bytes_warning = "raise"
    config.hash_seed = 7
    config.warn_options = ["default", "error::BytesWarning"]
    config.sys_frozen = False
    config.sys_meipass = True
    config.utf8_mode = True
    """
    made = evaluate(make_exe("", before)).plan().interpreter
    assert (made.optimize, made.import_site, made.honour_environment) == (2, True, True)
    assert dict(made.fields) == {
        "buffered_stdio": "0",
        "bytes_warning": "2",
        "hash_seed": "7",
        "utf8_mode": "1",
        "warnoptions": "default\nerror::BytesWarning",
    }
    assert made.marks == ("meipass", "not-frozen", "oxidized")


def test_changes_after_the_executable_is_made_do_not_count(evaluate: Evaluate) -> None:
    body = 'config.run_command = "late"\npolicy.resources_location = "filesystem-relative:late"'
    plan = evaluate(make_exe(body, 'config.run_command = "early"')).plan()
    assert plan.locations.standard == IN_MEMORY
    assert plan.collection.get("bin/app").content == b"early"  # type: ignore[union-attr]


def test_lists_of_names_filter(evaluate: Evaluate) -> None:
    body = """
    exe.add_python_resources(exe.read_package_root("src", ["pkg", "single"]))
    exe.filter_resources_from_files(files=["keep.txt"], glob_files=["more*.txt"])
    """
    files = {**PACKAGE, "keep.txt": "# those that stay\npkg\n", "more1.txt": "single  # too\n"}
    plan = evaluate(make_exe(body), files).plan()
    assert [one.path for one in plan.collection if one.path != "bin/app"] == [
        "app/pkg/__init__.py", "app/pkg/data/words.txt", "app/single.py",
    ]  # fmt: skip


INCLUDE = """
policy.set_resource_handling_mode("files")
policy.allow_files = False
policy.register_resource_callback(include)
"""
IN_BODY = {
    "no resource": ("exe.add_python_resource(policy)", "only resources can be added to an executable"),
    "string for a list": ('exe.pip_install("six")', "args of pip_install(): expected list of string, got string"),
    "package": ('exe.read_package_root("src", ["pgk"])', 'there is no package or module "pgk" in '),
    "directory": ('exe.read_package_root("scr", ["pkg"])', "no such directory"),
    "virtualenv": ('exe.read_virtualenv("nowhere")', "no such virtual environment"),
    "pip's target": ('exe.pip_install(["--target", "x"])', "--target cannot be given"),
    "msi": ('exe.to_wix_msi_builder("a", "b", "c", "d")', "to_wix_msi_builder is for Windows installers"),
    "version": ('default_python_distribution(python_version="3")', '"3" is no version of Python'),
    "newer": ('default_python_distribution(python_version="3.99").version', "there is no Python 3.99 on this machine"),
    "platform": ('default_python_distribution(build_target="arm")', "frazil builds for x86_64-unknown-linux-gnu"),
    "both": ('PythonDistribution("00", local_path="a", url="b")', "cannot define both local_path and url"),
    "flavor": ('default_python_distribution(flavor="static")', '"static" is no flavor of distributions'),
    "keyword": ('dist.to_python_executable(name="a", include_source=True)', "has no parameter include_source"),
    "build": ('exe.build("exe")', "PythonExecutable.build() is not for configurations"),
    "name": ('dist.to_python_executable(name="a/b")', "'a/b' cannot be the name of an executable"),
    "load mode": ('exe.packed_resources_load_mode = "file:x"', '"file:x" is no way to load resources'),
}
BEFORE = {
    "attribute's type": ("config.run_command = 5", "PythonInterpreterConfig.run_command: expected string or NoneType, got int"),
    "attribute's value": ('config.bytes_warning = "wran"', 'PythonInterpreterConfig.bytes_warning cannot be "wran"'),
    "unknown attribute": ("policy.include_tests = True", "PythonPackagingPolicy has no attribute include_tests"),
    "location": ('policy.resources_location = "memory"', '"memory" is no location of resources'),
    "no location": ("policy.resources_location = None", "resources_location must say where resources stand"),
    "prefix": ('policy.resources_location = "filesystem-relative:../x"', "names no directory beside the executable"),
    "policy": ('policy.resources_policy = "in-memory"', '"in-memory" is no policy for resources'),
    "two things": ('config.run_command = ""\nconfig.run_module = "x"', "the interpreter is to run several things"),
    "search path": ('config.module_search_paths = ["C:/lib"]', '"C:/lib" cannot be searched for modules'),
    "mode": ('policy.set_resource_handling_mode("file")', '"file" is no resource handling mode'),
    "file": (INCLUDE, "File pkg/__init__.py cannot be added: the policy allows no resources of type File"),
}
FAILURES = {name: (body, "", problem) for name, (body, problem) in IN_BODY.items()}
FAILURES |= {
    name: ('exe.add_python_resources(exe.read_package_root("src", ["pkg"]))\nexe.to_embedded_resources()', before, problem)
    for name, (before, problem) in BEFORE.items()
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure(evaluate: Evaluate, name: str) -> None:
    body, before, problem = FAILURES[name]
    callback = "def include(policy, resource):\n    resource.add_include = True\n\n"
    with pytest.raises(StarlarkError) as caught:
        evaluate(callback + make_exe(body, before), PACKAGE)
    assert problem in caught.value.problem
    assert caught.value.span.line > 1


def test_a_failing_installer_is_shown(evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\necho "no version of $VARIABLE $PWD" >&2\nexit 1\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}:{os.environ['PATH']}")
    with pytest.raises(StarlarkError) as caught:
        evaluate(make_exe('exe.pip_install(["nothing"], extra_envs={"VARIABLE": "nothing"})'))
    assert "the requirements cannot be installed: uv ended with 1" in caught.value.problem
    assert f"no version of nothing {tmp_path}" in caught.value.details


def test_frazils_own_settings(evaluate: Evaluate) -> None:
    body = """
    exe.link = "shared"
    exe.memfs_limit = "64M"
    exe.standard_library = "all"
    exe.exclude = ["json.tool"]
    exe.pmm_search = ["dir:{exe_dir}/modules"]
    exe.pmm_unsigned = True
    """
    plan = evaluate(make_exe(body)).plan()
    assert (plan.link, plan.memfs_limit, plan.stdlib) == (LinkMode.SHARED, 64 << 20, StandardLibrary.ALL)
    assert plan.exclude == ("json.tool",)
    assert plan.pmm is not None
    assert plan.pmm.storages == ("dir:{exe_dir}/modules",)


def test_search_paths_begin_at_the_executable(evaluate: Evaluate) -> None:
    before = 'config.module_search_paths = ["$ORIGIN", "$ORIGIN/../lib", "$ORIGIN\\\\more", "./x", "y", ".", "/opt"]'
    plan = evaluate(make_exe("", before)).plan()
    assert plan.outside_paths == (
        "$ORIGIN", "$ORIGIN/../lib", "$ORIGIN/more", "$ORIGIN/x", "$ORIGIN/y", "$ORIGIN", "/opt",
    )  # fmt: skip


def test_a_module_to_run_that_is_not_there(evaluate: Evaluate) -> None:
    body = 'exe.add_python_resources(exe.read_package_root("src", ["pkg"]))'
    with pytest.raises(SourceError) as caught:
        evaluate(make_exe(body, 'config.run_module = "pkg.aa"'), PACKAGE).plan()
    assert (caught.value.problem, caught.value.remedy) == (
        "run_module: there is no module pkg.aa to run",
        "Did you mean pkg.a?",
    )


def test_settings_that_contradict_are_told_at_the_executable(evaluate: Evaluate) -> None:
    found = evaluate(make_exe('exe.pmm_search = ["dir:{exe_dir}/modules"]'))
    with pytest.raises(SourceError) as caught:
        found.plan()
    assert "needs signatures" in caught.value.problem
    assert str(caught.value.where).endswith("frazil.bzl:8:11")


EARLIER = {
    "run_mode": ('"file:$ORIGIN/x.py"', "run_filename", "$ORIGIN/x.py"),
    "run_eval": ('"a"', "run_command", "a"),
    "run_file": ('"x.py"', "run_filename", "x.py"),
    "run_noop": ("True", "run_command", ""),
    "run_repl": ("True", "run_command", None),
    "raw_allocator": ('"system"', "allocator_backend", "default"),
    "optimize_level": ("2", "optimization_level", 2),
    "sys_paths": ('["$ORIGIN/lib"]', "module_search_paths", ["$ORIGIN/lib"]),
    "use_hash_seed": ("True", "hash_seed", None),
    "ignore_environment": ("True", "use_environment", False),
    "no_site": ("False", "site_import", True),
    "no_user_site_directory": ("True", "user_site_directory", False),
    "dont_write_bytecode": ("True", "write_bytecode", False),
    "unbuffered_stdio": ("True", "buffered_stdio", False),
}


@pytest.mark.parametrize("name", EARLIER)
@pytest.mark.parametrize("form", ["{config}.{name} = {value}", "config = PythonInterpreterConfig({name} = {value})"])
def test_names_of_earlier_releases(evaluate: Evaluate, name: str, form: str) -> None:
    value, attribute, expected = EARLIER[name]
    before = form.format(config="config", name=name, value=value)
    found = evaluate(make_exe("", before))
    assert getattr(found.results["exe"].config, attribute) == expected
    assert any(f"PythonInterpreterConfig.{name} is deprecated, a name of PyOxidizer 0." in note for note in found.notes)


def test_every_earlier_name_is_tested() -> None:
    assert set(EARLIER) == set(interpreter_config._EARLIER)


@pytest.mark.parametrize("name", sorted(older.adders()))
def test_adders_of_earlier_releases(evaluate: Evaluate, name: str) -> None:
    beside = "filesystem_relative" in name
    value = "[r]" if name.endswith("resources") else "r"
    prefix = '"beside", ' if beside else ""
    body = f'r = exe.make_python_module_source("m", "")\nexe.{name}({prefix}{value}, optimize_level = 1)'
    found = evaluate(make_exe(body))
    plan = found.plan()
    module = plan.collection.get("app/m.py")
    assert isinstance(module, SourceModule)
    assert module.optimize == 1
    assert module.with_source is (False if name.endswith("_bytecode") else None)
    assert plan.locations.of("app/m.py") == (Location("beside") if beside else IN_MEMORY)
    assert any(f"PythonExecutable.{name} is deprecated" in note for note in found.notes)
