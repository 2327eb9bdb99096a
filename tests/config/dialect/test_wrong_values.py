"""Whatever a program gives to the dialect's objects, it gets a located error or none at all, never one of Python's own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.host import Attribute
from frazil.errors import FrazilError

if TYPE_CHECKING:
    from dialect import Evaluate
    from frazil.config.starlark.host import HostObject

VALUES = (
    *("None", "True", "-1", "7", "1.5", '""', '"x"', '"in-memory"', '"filesystem-relative:"', '"/"', '"\\0"', '"a\\nb"'),
    *("[]", "[1]", '["x"]', '[""]', "{}", '{"a": "b"}', "(1, 2)", "range(3)", "print"),
    *("dist", "policy", "config", "exe", "resource"),
)
SLOW = {"pip_install", "pip_download", "setup_py_install", "python_resources", "source_modules", "extension_modules"}
SLOW |= {"package_resources", "resources_data", "read_virtualenv"}
"""Methods that install or list: their arguments are tested elsewhere."""
PROGRAM = """\
dist = default_python_distribution()
policy = dist.make_python_packaging_policy()
config = dist.make_python_interpreter_config()
exe = dist.to_python_executable("app")
resource = exe.make_python_module_source("a", "")

def make():
    return [dist, policy, config, exe, resource]

def change(values):
    dist, policy, config, exe, resource = values
    {statement}

register_target("all", make)
register_target("change", change, depends = ["all"])
resolve_targets()
"""
NAMES = ("dist", "policy", "config", "exe", "resource")


@pytest.fixture
def members(evaluate: Evaluate) -> dict[str, HostObject]:
    made = evaluate(PROGRAM.format(statement="pass")).results["all"]
    return dict(zip(NAMES, made, strict=True))


def statements(members: dict[str, HostObject]) -> list[str]:
    found = []
    for name, value in members.items():
        for member, what in value.starlark_members.items():
            if isinstance(what, Attribute):
                found += [f"{name}.{member} = {one}" for one in VALUES]
            elif member not in SLOW:
                found += [f"{name}.{member}({one})" for one in ("", *VALUES, '"x", "y"', '["x"], ["y"]')]
    return found


def test_wrong_values(evaluate: Evaluate, members: dict[str, HostObject]) -> None:
    """All in one function: each statement is its own call, so that one failure does not hide the others."""
    every = statements(members)
    assert len(every) > 1000
    body = "\n".join(f"def f{number}():\n    {one}" for number, one in enumerate(every))
    head = PROGRAM.partition("def make")[0]
    calls = ", ".join(f"f{number}" for number in range(len(every)))
    found = evaluate(
        f'{head}\n{body}\n\ndef make():\n    return [{calls}]\n\nregister_target("all", make)\nresolve_targets()\n'
    )
    errors = []
    for function in found.results["all"]:
        try:
            found.call(function)
        except StarlarkError as error:
            errors.append(error)
    assert len(errors) > len(every) / 2
    assert all(error.span.line > 1 for error in errors)


def test_plans_of_odd_settings(evaluate: Evaluate) -> None:
    for statement in ('exe.memfs_limit = "x"', 'exe.include = ["-"]', 'exe.exclude = ["*"]', 'exe.include_data = ["x"]'):
        made = evaluate(PROGRAM.format(statement=f"{statement}; return exe"), wanted=["change"]).results["change"]
        with contextlib.suppress(FrazilError):
            made.plan()
