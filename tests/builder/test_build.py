from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import icecube
from frazil.builder.build import build
from frazil.builder.elf import read_image
from frazil.builder.host import Host, Result
from frazil.cache import ContentCache
from frazil.distribution import describe
from frazil.errors import SourceError, UsageError
from frazil.plan import EntryKind, EntryPoint, InterpreterConfig, Plan
from frazil.resources.collection import Collection
from frazil.resources.kinds import APPLICATION, DataFile, Resource, SourceModule

BUILD = """import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_build import built, script
program = script("import json, sqlite3\\nprint({'a', 'b'} == {'b', 'a'})")
built(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), [program])
"""


def script(text: str, name: str = "hello") -> SourceModule:
    return SourceModule(name, False, text.encode(), f"app/{name}.py", "app", APPLICATION)


def built(target: Path, caches: Path, output: Path, resources: Iterable[Resource], **options: object) -> Result:
    cache = ContentCache(caches)
    entries = (EntryPoint("hello", EntryKind.SCRIPT, "app/hello.py"),)
    settings = {"entries": entries, **options}
    return build(Plan("hello", describe(target, cache), Collection(resources), **settings), Host(cache, output))  # type: ignore[arg-type]


@pytest.fixture
def caches(shared_directory: Path) -> Path:
    return shared_directory / "cache"


def run(executable: Path, *arguments: str) -> str:
    done = subprocess.run([executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hello(target: Path, caches: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    plan = Plan(
        "hello",
        describe(target, ContentCache(caches)),
        Collection([script("import sys; print('hello', *sys.argv[1:])")]),
        (EntryPoint("hello", EntryKind.SCRIPT, "app/hello.py"),),
    )
    result = build(plan, Host(ContentCache(caches), tmp_path / "hello", steps.append))
    assert run(result.path, "there") == "hello there\n"
    assert steps == [step for step, _ in result.timings]
    assert result.size == result.path.stat().st_size
    assert result.warnings == ()
    assert result.sizes["launcher"] > 0
    assert {APPLICATION, "<standard library>", "<frazil>"} <= result.sizes.keys()
    image = icecube.Image(read_image(result.path))
    image.verify()
    assert result.modules == image.header.module_count
    assert len(plan.collection) == 1  # building changes no plan


@pytest.mark.parametrize(("with_source", "optimize"), [(False, 0), (True, 2), (False, 1)])
def test_forms_of_bytecode_run(target: Path, caches: Path, tmp_path: Path, with_source: bool, optimize: int) -> None:  # noqa: FBT001
    text = "import json, sys\nassert not sys.flags.optimize\nprint(json.loads('[1]'), __file__)"
    interpreter = InterpreterConfig(optimize=optimize)
    text = text if not optimize else text.replace("not ", "")
    result = built(target, caches, tmp_path / "hello", [script(text)], with_source=with_source, interpreter=interpreter)
    assert run(result.path) == f"[1] /memfs:/app/hello.{'py' if with_source else 'pyc'}\n"


def test_a_script_without_a_suffix(target: Path, caches: Path, tmp_path: Path) -> None:
    tool = DataFile(b"#!/usr/bin/env python3\nprint('a tool')\n", "app/tool", APPLICATION)
    entries = (EntryPoint("tool", EntryKind.SCRIPT, "app/tool"),)
    assert run(built(target, caches, tmp_path / "tool", [tool], entries=entries).path) == "a tool\n"


def test_a_standard_library_module_as_the_entry(target: Path, caches: Path, tmp_path: Path) -> None:
    entries = (EntryPoint("calendar", EntryKind.MODULE, "json.tool"),)
    result = built(target, caches, tmp_path / "calendar", [], entries=entries)
    done = subprocess.run([result.path], input="[1]", capture_output=True, text=True, check=True)
    assert done.stdout == "[\n    1\n]\n"


def test_a_syntax_error_of_the_application(target: Path, caches: Path, tmp_path: Path) -> None:
    output = tmp_path / "hello"
    output.write_text("the old one")
    file = tmp_path / "hello.py"
    file.write_text("print('fine')\nx = = 1\n")
    broken = SourceModule("hello", False, file, "app/hello.py", "app", APPLICATION)
    with pytest.raises(SourceError, match="syntax") as caught:
        built(target, caches, output, [broken])
    assert caught.value.where == f"{file}:2"
    assert caught.value.details == "    x = = 1\n        ^"
    assert output.read_text() == "the old one"


def test_warnings_name_places(target: Path, caches: Path, tmp_path: Path) -> None:
    text = "import gone\ntry:\n    import maybe\nexcept ImportError:\n    pass\nprint(1 is 1, flush=True)\nimport mine.lost\n"
    mine = SourceModule("mine", True, b"", "app/mine/__init__.py", "app", APPLICATION)
    warnings = built(target, caches, tmp_path / "hello", [script(text), mine, script("", "time")]).warnings
    assert "app/hello.py:1: there is no module gone to import" in warnings
    assert "app/hello.py:7: there is no module mine.lost to import" in warnings
    assert any(one.startswith("app/hello.py:6: ") and '"is" with' in one for one in warnings)
    assert "app/time.py: cannot be imported, since time is built into the interpreter" in warnings
    assert len(warnings) == 4


def test_the_application_shadows_the_standard_library(target: Path, caches: Path, tmp_path: Path) -> None:
    result = built(target, caches, tmp_path / "hello", [script("import wave; print(wave.x)"), script("x = 'mine'", "wave")])
    assert run(result.path) == "mine\n"
    image = icecube.Image(read_image(result.path))
    assert not [node.path for node in image.nodes() if node.path.endswith("wave.py") and not node.path.startswith("app/")]


def test_a_source_date_epoch_that_is_no_time(
    target: Path, caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="not a number of seconds"):
        built(target, caches, tmp_path / "hello", [script("")])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    result = built(target, caches, tmp_path / "hello", [script("")])
    assert {node.mtime_ns for node in icecube.Image(read_image(result.path)).nodes()} == {86400 * 10**9}


def test_the_same_plan_gives_the_same_bytes(target: Path, tmp_path: Path) -> None:
    """With another cache, another directory and another hash seed."""
    for number in "12":
        here = tmp_path / number
        here.mkdir()
        command = [sys.executable, "-c", BUILD, str(Path(__file__).parent), str(target), str(here / "cache"), str(here / "out")]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": number}, cwd=here, check=True)
    assert (tmp_path / "1/out").read_bytes() == (tmp_path / "2/out").read_bytes()
    assert run(tmp_path / "1/out") == "True\n"
