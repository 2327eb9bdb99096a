"""``PythonExecutable.add_native_module``: modules that are compiled, declared in a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frazil.config.starlark.errors import StarlarkError
from frazil.plan import NativeLink

if TYPE_CHECKING:
    from pathlib import Path

    from dialect import Evaluate

PROGRAM = """\
def make_exe():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.run_command = "import fast"
    exe = dist.to_python_executable(name="app", config=config)
    exe.native_link = "memory"
    exe.add_native_module({arguments})
    return exe

register_target("exe", make_exe)
resolve_targets()
"""
FAST = """\
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = NAME};
PyMODINIT_FUNC PyInit_fast(void) { return PyModuleDef_Init(&definition); }
"""


def test_a_module_is_compiled(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "fast.c").write_text(FAST)
    arguments = """module="fast", sources=["fast.c"], define=['NAME="fast"'], flags=["-O1"]"""
    plan = evaluate(PROGRAM.format(arguments=arguments)).plan()
    (module,) = plan.static_modules
    assert (module.name, module.init_symbol, module.key.optimisation) == ("fast", "PyInit_fast", "-O1")
    assert [one.name for one in module.objects] == ["fast.o"]
    assert plan.native_link is NativeLink.MEMORY


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('"a-b", ["x.c"]', "module: must be the dotted name of a module, not 'a-b'"),
        ('"a", ["x.rs"], flags=["-o"]', "sources[0]: 'x.rs' is no C, C++, Cython or Python source; flags[0]: '-o' is no flag"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(arguments: str, problem: str, evaluate: Evaluate) -> None:
    with pytest.raises(StarlarkError) as caught:
        evaluate(PROGRAM.format(arguments=arguments)).plan()
    assert problem in str(caught.value)
    assert ":7" in str(caught.value)
