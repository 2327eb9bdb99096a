"""Storages that C code registers: a native module, and a C program that links the launcher."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from frazil.builder.launcher import SOURCES
from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, describe
from support import Build, Compile

C = Path(__file__).parent / "pmm_c"
APPLICATION = """\
import sys
import tape
from frazil_runtime.pmm import StorageError

tape.put("telemetry", open(sys.argv[1], "rb").read())
import telemetry
print(telemetry.VALUE, telemetry.__file__)
for name in ("torn", "mute", "nothing"):
    try:
        __import__(name)
    except StorageError as error:
        print(error)
before = tape.asked()
try:
    import absent
except ModuleNotFoundError as error:
    print(error, tape.asked() - before)
tape.put("damaged", open(sys.argv[1], "rb").read()[:-1])
import damaged
"""


@pytest.fixture
def python(target: Path, build_environment: dict[str, str]) -> PythonDistribution:
    return describe(target, ContentCache(Path(build_environment["FRAZIL_CACHE_DIR"])))


def includes(python: PythonDistribution) -> list[str]:
    return [f"-I{SOURCES}", f"-I{python.include}", f"-I{python.platform_include}"]


@pytest.mark.parametrize("link", ["static", "shared"])
def test_a_native_module(
    build: Build,
    target: Path,
    python: PythonDistribution,
    compile_pmm: Compile,
    shared_directory: Path,
    tmp_path: Path,
    link: str,
) -> None:
    if (python.static_library if link == "static" else python.shared_library) is None:
        pytest.skip(f"this Python has no library for link mode {link}")
    place = shared_directory / f"pmm-c-{link}"
    place.mkdir(exist_ok=True)
    words = ["cc", "-shared", "-fPIC", "-Wall", "-Werror", *includes(python), str(C / "tape.c"), "-o"]
    subprocess.run([*words, str(place / f"tape{python.extension_suffixes[0]}")], check=True)
    (place / "main.py").write_text(APPLICATION)
    program = build(place / "main.py", target, "--pmm=function", f"--link={link}")
    file = compile_pmm(tmp_path, "telemetry", "VALUE = 7")
    done = subprocess.run([program, file], capture_output=True, text=True, check=False, env={})
    assert done.stdout.splitlines() == [
        "7 function:C/telemetry.pmm",
        "the storage function:C is broken: the tape is torn",
        "the storage function:C is broken: it does not say why",
        "the storage function:C is broken: it found nothing",
        "No module named 'absent' 1",
    ]
    assert "module damaged cannot be taken from function:C/damaged.pmm: it ends too early: " in done.stderr
    assert done.returncode == 1


@pytest.mark.slow
def test_a_program_that_links_the_launcher(
    python: PythonDistribution, target: Path, compile_pmm: Compile, tmp_path: Path, build_environment: dict[str, str]
) -> None:
    if python.static_library is None:
        pytest.skip("this Python has no libpython*.a")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/BIOS.py").write_text("import telemetry\nprint(telemetry.VALUE, telemetry.__file__)\n")
    freeze = [sys.executable, "-m", "frazil", "freeze", "d", "--link=static", "--emit=obj", "-o", "d.o", "-q", "--pmm=function"]
    subprocess.run([*freeze, "--python", target], cwd=tmp_path, check=True, env=build_environment)
    sources = [str(one) for one in SOURCES.rglob("*.c") if one.name != "main.c"]
    libpython = ["-Wl,--whole-archive", str(python.static_library), "-Wl,--no-whole-archive", *python.link_libraries]
    words = ["cc", "-std=gnu11", "-D_GNU_SOURCE=", "-U_FORTIFY_SOURCE", "-fno-pie", "-no-pie", "-rdynamic", *includes(python)]
    words += [*sources, str(C / "device.c"), "d.o", "-Wl,--section-start=.frazil.image=0x2000000000", *libpython]
    subprocess.run([*words, "-ldl", "-lpthread", "-lm", "-lutil", "-o", "device"], cwd=tmp_path, check=True)
    file = compile_pmm(tmp_path, "telemetry", "VALUE = 8")
    done = subprocess.run([tmp_path / "device", file], capture_output=True, text=True, check=False, env={})
    assert (done.stdout, done.returncode) == ("8 function:C/telemetry.pmm\n", 0), done.stderr
