"""Archives in configurations: what they add to an executable, and which of several wins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archives import archive
from frazil.archive.writer import write_archive
from frazil.config.starlark.errors import StarlarkError

if TYPE_CHECKING:
    from dialect import Evaluate

PROGRAM = """\
def make_exe():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.run_module = "main"
    exe = dist.to_python_executable(name="app", config=config)
    exe.add_python_resource(exe.make_python_module_source("main", "import shared"))
    for path in ["first", "second.tar.gz"]:
        exe.add_archive(archive(path))
    return exe

register_target("exe", make_exe)
resolve_targets()
"""
FIRST = archive("first", {"python/shared.py": b"who = 1\n", "python/main.py": b"theirs"})
SECOND = archive(
    "second",
    {
        "python/shared.py": b"who = 2\n",
        "python/there/__init__.py": b"",
        "dist-info/there-1.dist-info/METADATA": b"Name: there\n",
        "dist-info/there-1.dist-info/RECORD": b"there/__init__.py,,\n",
    },
)


def test_archives_are_added_in_their_order(evaluate: Evaluate, tmp_path: Path) -> None:
    write_archive(FIRST, tmp_path / "first")
    write_archive(SECOND, tmp_path / "second.tar.gz")
    plan = evaluate(PROGRAM).plan()
    found = {one.path: one.content for one in plan.collection.modules()}
    site = f"lib/python{plan.distribution.short_version}/site-packages"
    assert set(found) == {"app/main.py", "app/shared.py", f"{site}/there/__init__.py", "bin/app"} - {"bin/app"}
    assert found["app/main.py"] == b"import shared", "the program's own resources win"
    assert isinstance(found["app/shared.py"], Path)
    assert found["app/shared.py"].read_bytes() == b"who = 1\n"
    assert f"{site}/there-1.dist-info/METADATA" in plan.collection
    assert plan.archives is not None
    assert len(plan.archives.archives) == 2
    assert [warning.partition(":")[0] for warning in plan.warnings] == ["python/shared.py"]


def test_an_archive_that_is_not_there_is_told_with_its_line(evaluate: Evaluate) -> None:
    with pytest.raises(StarlarkError) as caught:
        evaluate(PROGRAM)
    assert "no such archive" in str(caught.value)
    assert caught.value.span is not None
    assert caught.value.span.line == 8
