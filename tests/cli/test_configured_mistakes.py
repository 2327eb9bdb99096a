# ruff: noqa: E501 - tables
"""What ``frazil build`` says about the mistakes in configurations, whole, and that it leaves nothing behind.

Write the messages anew with ``FRAZIL_UPDATE_GOLDEN=1`` and read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from frazil.cli.main import main

GOLDEN = Path(__file__).parent / "golden"

EXECUTABLE = """\
def make():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    config = dist.make_python_interpreter_config()
    exe = dist.to_python_executable(name = "app", packaging_policy = policy, config = config)
    {}
    return exe

register_target("exe", make)
resolve_targets()
"""
TWO = """\
def first(x):
    return x

def second(x):
    return x

{}
resolve_targets()
"""

MISTAKES = {
    "targets_in_a_cycle": TWO.format(
        'register_target("a", first, depends = ["b"])\nregister_target("b", second, depends = ["a"])'
    ),
    "unknown_dependency": TWO.format('register_target("a", first, depends = ["exe"])'),
    "a_target_that_returns_nothing": 'def make():\n    print("made")\n\nregister_target("exe", make)\nresolve_targets()\n',
    "no_targets": "resolve_targets()\n",
    "a_target_before_its_function": 'register_target("exe", make)\n\ndef make():\n    return 1\n',
    "a_call_instead_of_a_function": 'def make():\n    return FileManifest()\n\nregister_target("exe", make())\n',
    "a_target_named_like_a_path": 'register_target("bin/exe", lambda: FileManifest())\n',
    "a_package_that_is_not_there": EXECUTABLE.format('exe.add_python_resources(exe.read_package_root(CWD, ["ap"]))'),
    "a_requirement_that_is_not_there": EXECUTABLE.format('exe.add_python_resources(exe.pip_install(["--no-index", "no-such-project"]))'),
    "a_string_for_pip": EXECUTABLE.format('exe.pip_install("requests")'),
    "no_virtual_environment": EXECUTABLE.format('exe.read_virtualenv(CWD + "/venv")'),
    "a_location_that_is_none": EXECUTABLE.format('policy.resources_location = "filesystem:lib"'),
    "a_policy_that_is_none": EXECUTABLE.format('policy.resources_policy = "memory-only"'),
    "a_misspelt_setting": EXECUTABLE.format("config.run_comand = 'print(1)'"),
    "a_setting_of_the_wrong_type": EXECUTABLE.format("policy.include_test = 'no'"),
    "resources_that_are_none": EXECUTABLE.format('exe.add_python_resource("app")'),
    "a_module_that_cannot_run": EXECUTABLE.replace("    exe = ", '    config.run_module = "nope"\n    exe = ').format(""),
    "a_missing_file": 'def make():\n    m = FileManifest()\n    m.add_file(FileContent(path = "README.md"))\n    return m\n\nregister_target("m", make)\n',
    "a_directory_as_a_file": 'def make():\n    m = FileManifest()\n    m.add_path("app", "")\n    return m\n\nregister_target("m", make)\n',
    "a_path_that_leads_out": 'def make():\n    return glob(["app/*"], strip_prefix = "app/other")\n\nregister_target("m", make)\n',
    "a_missing_load": 'load("helpers.bzl", "policy")\n',
    "an_import": "import os\n",
    "a_format_string": 'name = "app"\nfile = f"{name}.py"\n',
    "a_huge_list": "x = [0] * 1000000000\n",
    "an_endless_loop": "def f():\n    for i in range(1000000000):\n        pass\n\nf()\n",
    "recursion": "def f(n):\n    return f(n + 1)\n\nf(1)\n",
    "a_windows_installer": EXECUTABLE.format('exe.to_wix_msi_builder("app", "App", "1.0", "Nobody")'),
    "syntax_of_the_program": EXECUTABLE.format('exe.add_python_resources(exe.read_package_root(CWD, ["app"]))'),
}  # fmt: skip


def normal(text: str, directory: Path) -> str:
    """A message without what differs from machine to machine: places, versions, what the installer says."""
    text = text.replace(str(directory), "DIRECTORY")
    text = re.sub(r"python3\.\d+", "python3.X", text)
    installer = re.compile(r"(cannot be installed: )\w+ ended with \d+(\n.*\n +\^+\n)[\s\S]+?(?=Traceback)")
    return installer.sub(r"\1INSTALLER ended with 1\2OUTPUT\n", text)


SLOW = {"an_endless_loop"}


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow) if one in SLOW else one for one in MISTAKES])
def test_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "frazil.bzl").write_text(MISTAKES[name])
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("def f(:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    code = main(["build", "-q"])
    said = capfd.readouterr()
    assert (code, said.out) == (1, "")
    shown = normal(said.err, tmp_path)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("FRAZIL_UPDATE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()
    if name == "a_requirement_that_is_not_there":
        assert "no-such-project" in said.err.partition("^\n")[2]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["app", "frazil.bzl"]


def test_every_message_has_its_mistake() -> None:
    assert {one.stem for one in GOLDEN.iterdir()} == set(MISTAKES)
