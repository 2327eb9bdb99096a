"""The walk-through of platform marshalled modules, with built executables: added, replaced and broken after the build."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support import Build, Compile

EXAMPLES = Path(__file__).parents[2] / "examples"
APPLICATION = """\
import sys
import traceback

what = sys.argv[1]
if what == "telemetry":
    import telemetry
    print(telemetry.VALUE, telemetry.__file__, telemetry.__spec__.origin, type(telemetry.__loader__).__name__)
elif what == "standard":
    import colorsys, own
    print(colorsys.rgb_to_hsv(1, 0, 0), own.NAME, own.deep.NAME)
elif what == "inspect":
    import inspect, telemetry
    line = inspect.getsource(telemetry.fail).split("\\n")[1].strip()
    print(line, inspect.getfile(telemetry), inspect.getsourcefile(telemetry))
    telemetry.fail()
elif what == "run":
    exec(sys.argv[2])
elif what == "never":
    import importlib.resources
"""


@pytest.fixture
def source(shared_directory: Path) -> Path:
    """The application, with a module and a package of its own."""
    place = shared_directory / "pmm-app"
    (place / "own").mkdir(parents=True, exist_ok=True)
    (place / "main.py").write_text(APPLICATION)
    (place / "own/__init__.py").write_text("NAME = 'own'\nfrom own import deep\n")
    (place / "own/deep.py").write_text("NAME = 'deep'\n")
    (place / "own/note.txt").write_text("a note")
    return place / "main.py"


def options(url: str = "dir:{exe_dir}/modules", *more: str) -> list[str]:
    return ["--pmm", url, "--pmm-unsigned", "--include=inspect", "--include=os", "--include=importlib.resources", *more]


@pytest.fixture
def program(build: Build, target: Path, source: Path, tmp_path: Path) -> Path:
    """A copy of the executable in a directory of its own, whose storage is ``modules`` beside it."""
    data = f"--include-data={source.parent}/own/note.txt=own/note.txt"
    return copied(build(source, target, *options(), data), tmp_path / "place")


def copied(executable: Path, directory: Path) -> Path:
    directory.mkdir()
    return Path(shutil.copy(executable, directory / "app"))


def run(program: Path, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, env=env or {}, cwd=cwd, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def out(program: Path, *arguments: str) -> str:
    code, text, errors = run(program, *arguments)
    assert code == 0, errors
    return text.strip()


def test_a_module_is_added_after_the_build(program: Path, compile_pmm: Compile) -> None:
    code, _, errors = run(program, "telemetry")
    assert code == 1
    assert errors.splitlines()[-1] == "ModuleNotFoundError: No module named 'telemetry'"
    compile_pmm(program.parent / "modules", "telemetry", "VALUE = 1")
    place = f"dir:{program.parent}/modules/telemetry.pmm"
    assert out(program, "telemetry") == f"1 {place} {place} Loader"
    compile_pmm(program.parent / "modules", "telemetry", "VALUE = 2")
    assert out(program, "telemetry").startswith("2 ")


def test_modules_of_the_standard_library_and_the_application_are_replaced(program: Path, compile_pmm: Compile) -> None:
    modules = program.parent / "modules"
    assert out(program, "standard") == "(0.0, 1.0, 1) own deep"
    compile_pmm(modules, "colorsys", "def rgb_to_hsv(*_): return 'mended'")
    assert out(program, "standard") == "mended own deep"
    compile_pmm(modules, "own.deep", "NAME = 'new deep'")
    assert out(program, "standard") == "mended own new deep"
    # A package from outside finds in the image what the storage does not have.
    (modules / "own.deep.pmm").unlink()
    compile_pmm(modules, "own", "NAME = 'new own'\nfrom own import deep\n", "--package")
    assert out(program, "standard") == "mended new own deep"
    for file in modules.iterdir():
        file.unlink()
    assert out(program, "standard") == "(0.0, 1.0, 1) own deep"


def test_data_of_a_package_whose_code_is_replaced(program: Path, compile_pmm: Compile) -> None:
    compile_pmm(program.parent / "modules", "own", "NAME = 'new own'", "--package")
    code = (
        "import own; from importlib import resources; print(own.NAME, resources.files('own').joinpath('note.txt').read_text())"
    )
    assert out(program, "run", code) == "new own a note"


def test_packages_and_submodules(program: Path, compile_pmm: Compile) -> None:
    modules = program.parent / "modules"
    compile_pmm(modules, "pack", "from . import one\nfrom .sub import two", "--package")
    compile_pmm(modules, "pack.one", "X = __package__")
    compile_pmm(modules, "pack.sub", "", "--package")
    compile_pmm(modules, "pack.sub.two", "from ..one import X as Y")
    code = "import pack; from pack.sub import two; print(two.Y, two.__name__, pack.__spec__.submodule_search_locations)"
    place = f"dir:{program.parent}/modules/pack"
    assert out(program, "run", code) == f"pack pack.sub.two ['{place}']"
    missing = "import pack.none"
    assert run(program, "run", missing)[2].splitlines()[-1] == "ModuleNotFoundError: No module named 'pack.none'"


def test_autoexec(build: Build, target: Path, compile_pmm: Compile, tmp_path: Path) -> None:
    device = copied(build(EXAMPLES / "autoexec/main.py", target, "--pmm", "dir:{exe_dir}/modules", "--pmm-unsigned"),
                    tmp_path / "device")  # fmt: skip
    shutil.copytree(EXAMPLES / "autoexec", tmp_path / "examples")
    compile_pmm(device.parent / "modules", "autoexec", (EXAMPLES / "autoexec/autoexec.py").read_text())
    assert out(device, "a", "b") == f"autoexec from dir:{device.parent}/modules/autoexec.pmm with a b"


def test_tracebacks_and_inspect_name_the_storage(program: Path, compile_pmm: Compile) -> None:
    text = "def fail():\n    raise ValueError('failed')\n"
    place = f"dir:{program.parent}/modules/telemetry.pmm"
    compile_pmm(program.parent / "modules", "telemetry", text, "--source")
    code, shown, errors = run(program, "inspect")
    assert (code, shown.strip()) == (1, f"raise ValueError('failed') {place} {place}")
    assert f'  File "{place}", line 2, in fail\n' in errors
    compile_pmm(program.parent / "modules", "telemetry", text)
    code, _, errors = run(program, "inspect")
    assert errors.splitlines()[-1] == "OSError: could not get source code"


def test_what_is_damaged_never_gives_way_to_what_was_there(program: Path, compile_pmm: Compile) -> None:
    file = compile_pmm(program.parent / "modules", "colorsys", "def rgb_to_hsv(*_): return 'mended'")
    data = file.read_bytes()
    place = f"module colorsys cannot be taken from dir:{program.parent}/modules/colorsys.pmm: "
    file.write_bytes(data[:-1])
    code, _, errors = run(program, "standard")
    assert code == 1
    assert place + f"it ends too early: it says it has {len(data)} bytes, and has {len(data) - 1}" in errors
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert place + "it is damaged: its digest does not hold" in run(program, "standard")[2]
    file.unlink()
    file.mkdir()
    told = f"the storage dir:{program.parent}/modules is broken: {file} is no regular file"
    assert told in run(program, "standard")[2]


def test_the_current_directory_has_no_say(program: Path, compile_pmm: Compile, tmp_path: Path) -> None:
    for place in (tmp_path / "elsewhere", tmp_path / "elsewhere/modules"):
        compile_pmm(place, "telemetry", "VALUE = 'from the current directory'")
    environment = {"PYTHONPATH": str(tmp_path / "elsewhere"), "FRAZIL_PMM": f"dir:{tmp_path}/elsewhere"}
    code, _, errors = run(program, "telemetry", env=environment, cwd=tmp_path / "elsewhere")
    assert code == 1
    assert errors.splitlines()[-1] == "ModuleNotFoundError: No module named 'telemetry'"


def test_mode_add_replaces_nothing(build: Build, target: Path, source: Path, compile_pmm: Compile, tmp_path: Path) -> None:
    program = copied(build(source, target, *options("dir:{exe_dir}/modules", "--pmm-mode=add")), tmp_path / "place")
    compile_pmm(program.parent / "modules", "colorsys", "def rgb_to_hsv(*_): return 'mended'")
    compile_pmm(program.parent / "modules", "telemetry", "VALUE = 1")
    assert out(program, "standard") == "(0.0, 1.0, 1) own deep"
    assert out(program, "telemetry").startswith("1 ")


def test_an_executable_without_storages_has_none_of_it(build: Build, target: Path, source: Path) -> None:
    program = build(source, target, "--include=os")
    code, _, errors = run(program, "run", "import frazil_runtime.pmm")
    assert code == 1
    assert errors.splitlines()[-1] == "ModuleNotFoundError: No module named 'frazil_runtime.pmm'"
    look = "import os; print(os.path.exists(os.path.dirname(sys.modules['frazil_runtime'].__file__) + '/pmm'))"
    assert out(program, "run", look) == "False"


def test_memfs_and_functions_need_no_signature(build: Build, target: Path, source: Path, compile_pmm: Compile, tmp_path: Path,
                                               ) -> None:  # fmt: skip
    program = build(source, target, "--pmm", "memfs:/extra", "--pmm", "function", "--include=os", "--pmm-mode=locked")
    file = compile_pmm(tmp_path / "pmms", "telemetry", "VALUE = __file__")
    code = f"""\
import os, frazil_runtime.pmm as pmm
data = open({str(file)!r}, "rb").read()
os.mkdir("/memfs:/extra")
open("/memfs:/extra/one.pmm", "wb").write(data)
import one
print(one.VALUE)
pmm.register_storage(lambda name: data if name == "two" else None, "mine")
import two
print(two.VALUE)
pmm.register_storage(lambda name: 1 / 0 if name == "three" else None)
try:
    import three
except pmm.StorageError as error:
    print(error)
"""
    assert out(program, "run", code).splitlines() == [
        "memfs:/extra/one.pmm",
        "function:mine/two.pmm",
        "the storage function:<lambda> is broken: ZeroDivisionError: division by zero",
    ]


def test_a_locked_executable_takes_no_functions(build: Build, target: Path, source: Path) -> None:
    program = build(source, target, "--pmm", "memfs:/extra", "--pmm-mode=locked")
    code, _, errors = run(program, "run", "import frazil_runtime.pmm as p; p.register_storage(lambda name: None)")
    assert code == 1
    assert errors.splitlines()[-1].endswith("the storages of this executable are locked: no function can be added")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--pmm", "modules"], "error: --pmm: 'modules' names no storage\n"),
        (["--pmm", "dir:modules"], "error: --pmm: dir:modules: the path is not absolute\n"),
        (["--pmm", "dir:{exe_dir}/../x"], "error: --pmm: dir:{exe_dir}/../x: the path goes up\n"),
        (["--pmm", "dir:{cwd}"], "error: --pmm: dir:{cwd}: {cwd} is no placeholder\n"),
        (["--pmm", "dir:/x"], "error: --pmm: dir:/x needs signatures, and nobody's count\n"),
        (["--pmm", "dir:/x", "--pmm-unsigned", "--pmm-mode=locked"], "error: --pmm: locked storages must be signed\n"),
        (["--pmm-unsigned"], "error: --pmm: --pmm-root and --pmm-unsigned are about storages, and --pmm names none\n"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], told: str, source: Path, build_environment: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", "frazil", "build", source, "-o", "/nonexistent/x", *words],
                          env=build_environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2
    assert told in done.stderr
