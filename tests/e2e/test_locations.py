"""The three policies: where files stand, what is in memory, and that the program runs with nothing but the C library."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from frazil.inspection import open_image

NEEDED_FROM_THE_START = ("bin/", "lib/libgcc_s.so.1", "lib/libpython", "lib/libfrazil-embed.so")
"""What is in memory under any policy, with link mode shared too."""
FALLBACK = "prefer-in-memory-fallback-filesystem-relative:lib"
CONFIGURATION = """\
def place(policy, resource):
    if VARS["EXTENSIONS"] and type(resource) == "PythonExtensionModule":
        resource.add_location = VARS["EXTENSIONS"]

def make_exe():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.resources_policy = VARS["POLICY"]
    policy.register_resource_callback(place)
    config = dist.make_python_interpreter_config()
    config.run_module = "program"
    exe = dist.to_python_executable(name="app", packaging_policy=policy, config=config)
    exe.add_python_resources(exe.read_package_root("src", ["program", "pkg"]))
    if VARS["REQUIREMENT"]:
        exe.add_python_resources(exe.pip_install([VARS["REQUIREMENT"]]))
    return exe

register_target("exe", make_exe)
resolve_targets()
"""
PROGRAM = """\
import importlib.resources, json, os, subprocess, sys, zlib
import pkg, pkg.inner, pkg._fast

def mapped():
    lines = open("/proc/self/maps") if os.path.exists("/proc/self/maps") else ()
    return sorted({line.split(None, 5)[5].strip() for line in lines if ".so" in line})

child = subprocess.run([sys.executable, "-c", "import pkg._fast; print(pkg._fast.crc())"], capture_output=True, text=True)
print(json.dumps({
    "path": sys.path,
    "files": {name: sys.modules[name].__file__ for name in ("__main__", "pkg", "pkg.inner", "pkg._fast", "json", "os", "zlib")},
    "data": importlib.resources.files("pkg").joinpath("data.txt").read_text(),
    "crc": pkg._fast.crc(),
    "zlib": zlib.crc32(b"frazil"),
    "maps": mapped(),
    "child": child.stdout.strip() or child.stderr,
    "file": pkg.inner.where.__code__.co_filename,
}))
"""
# The extension module finds its own library by $ORIGIN; that one needs the system's zlib.
EXTENSION = """\
#include <Python.h>
unsigned long crc_of(const char *text, unsigned size);
static PyObject *crc(PyObject *self, PyObject *unused) { return PyLong_FromUnsignedLong(crc_of("frazil", 6)); }
static PyMethodDef methods[] = {{"crc", crc, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__fast(void) { return PyModuleDef_Init(&module); }
"""
LIBRARY = """\
unsigned long crc32(unsigned long, const char *, unsigned);
unsigned long crc_of(const char *text, unsigned size) { return crc32(0, text, size); }
"""


def _zlib() -> Path:
    for directory in ("/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib"):
        if (Path(directory) / "libz.so.1").exists():
            return Path(directory) / "libz.so.1"
    pytest.skip("zlib's library was not found in the usual places")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a package that has an extension module, its library, and data."""
    root = tmp_path_factory.mktemp("project")
    package = root / "src" / "pkg"
    (package / "libs").mkdir(parents=True)
    (root / "frazil.bzl").write_text(CONFIGURATION)
    (root / "src/program.py").write_text(PROGRAM)
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("def where():\n    return __file__\n")
    (package / "data.txt").write_text("words")
    sources = root / "c"
    sources.mkdir()
    (sources / "fast.c").write_text(EXTENSION)
    (sources / "crc.c").write_text(LIBRARY)
    library, module = package / "libs/libcrcof.so", package / f"_fast{sysconfig.get_config_var('EXT_SUFFIX')}"
    shared = ["cc", "-shared", "-fPIC", "-O1"]
    subprocess.run([*shared, "-o", library, sources / "crc.c", "-Wl,-soname,libcrcof.so", _zlib()], check=True)
    include = sysconfig.get_path("include")
    origin = ["-Wl,-rpath,$ORIGIN/libs", "-Wl,--enable-new-dtags"]
    subprocess.run([*shared, f"-I{include}", "-o", module, sources / "fast.c", *origin, library], check=True)
    return root


def build(
    project: Path, environment: dict[str, str], place: Path, policy: str, extensions: str = "", requirement: str = ""
) -> Path:
    """The directory with the executable."""
    root = place / "project"
    shutil.copytree(project, root)
    variables = {"POLICY": policy, "EXTENSIONS": extensions, "REQUIREMENT": requirement}
    options = [f"--var={name}={value}" for name, value in variables.items()]
    command = [sys.executable, "-m", "frazil", "build", str(root), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    return root / "build/x86_64-unknown-linux-gnu/debug/exe"


def run(command: list[str]) -> dict[str, Any]:
    """What the program says."""
    done = subprocess.run(command, env={"LANG": "C.UTF-8"}, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def run_in_root(directory: Path, root: Path, enter: list[str]) -> dict[str, Any]:
    """What it says in the chroot, where it is started through a link."""
    shutil.copytree(directory, root / "opt/app", symlinks=True)
    (root / "app").symlink_to("/opt/app/app")
    return run([*enter, "/app"])


def inside(directory: Path) -> set[str]:
    """The files of the image."""
    return {node.path for node in open_image(directory / "app").nodes() if not node.is_directory}


def beside(directory: Path) -> set[str]:
    return {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file() and file.name != "app"}


@pytest.mark.parametrize("policy", ["in-memory-only", pytest.param(FALLBACK, marks=pytest.mark.slow)])
def test_everything_is_in_memory(
    project: Path, build_environment: dict[str, str], tmp_path: Path, bare_root: Path, enter: list[str], policy: str
) -> None:
    directory = build(project, build_environment, tmp_path, policy)
    assert beside(directory) == set()
    assert {"app/pkg/inner.py", "app/pkg/libs/libcrcof.so", "lib/libz.so.1"} <= inside(directory)
    here, there = run([str(directory / "app")]), run_in_root(directory, bare_root, enter)
    assert [one for one in here["maps"] if str(directory) in one and not one.endswith("/app")] == []
    for said in (here, there):
        assert (said["crc"], said["data"], said["child"]) == (said["zlib"], "words", str(said["crc"]))
        assert all(file.startswith("/memfs:/") for file in said["files"].values())


def test_everything_is_beside(
    project: Path, build_environment: dict[str, str], tmp_path: Path, bare_root: Path, enter: list[str]
) -> None:
    directory = build(project, build_environment, tmp_path, "filesystem-relative-only:lib")
    files = beside(directory)
    assert {"lib/program.py", "lib/pkg/inner.py", "lib/pkg/data.txt", "lib/pkg/libs/libcrcof.so", "lib/libz.so.1"} <= files
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    assert {f"{library}/os.py", f"{library}/json/__init__.py"} <= files
    early = ("encodings/", "frazil_runtime/", "warnings.py", "__pycache__/warnings.")
    allowed = (*(f"{library}/{one}" for one in early), *NEEDED_FROM_THE_START)
    assert [path for path in inside(directory) if not path.startswith(allowed)] == []
    here, there = run([str(directory / "app")]), run_in_root(directory, bare_root, enter)
    assert {f"{directory}/lib/pkg/libs/libcrcof.so", f"{directory}/lib/libz.so.1"} <= set(here["maps"])
    for origin, said in ((str(directory), here), ("/opt/app", there)):
        assert (said["crc"], said["data"], said["child"]) == (said["zlib"], "words", str(said["crc"]))
        assert all(file.startswith(f"{origin}/lib/") for file in said["files"].values())
        assert said["file"] == f"{origin}/lib/pkg/inner.py"
        assert said["path"] == [
            f"/memfs:/{library}", f"{origin}/{library}", f"{origin}/{library}/lib-dynload", f"{origin}/lib",
        ]  # fmt: skip


def test_extension_modules_are_beside_and_the_rest_is_not(
    project: Path, build_environment: dict[str, str], tmp_path: Path, bare_root: Path, enter: list[str]
) -> None:
    directory = build(project, build_environment, tmp_path, "in-memory-only", "filesystem-relative:ext")
    files = beside(directory)
    assert {"ext/pkg/libs/libcrcof.so", "ext/libz.so.1"} <= files
    assert all(".so" in file for file in files)
    assert [path for path in inside(directory) if ".so" in path and not path.startswith(NEEDED_FROM_THE_START)] == []
    here, there = run([str(directory / "app")]), run_in_root(directory, bare_root, enter)
    for origin, said in ((str(directory), here), ("/opt/app", there)):
        assert (said["crc"], said["child"]) == (said["zlib"], str(said["crc"]))
        assert said["files"]["pkg"] == "/memfs:/app/pkg/__init__.py"
        assert said["files"]["pkg._fast"].startswith(f"{origin}/ext/pkg/_fast.")


NUMPY = """\
import json, sys
import numpy as np
import numpy.linalg._umath_linalg

a = np.arange(9, dtype=float).reshape(3, 3) + np.eye(3)
print(json.dumps({
    "value": float(np.round(np.linalg.det(a @ np.linalg.inv(a)) + np.fft.fft([1, 0]).real.sum(), 6)),
    "file": np.__file__,
    "native": numpy.linalg._umath_linalg.__file__,
    "random": int(np.random.default_rng(1).integers(1000)),
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ("in-memory-only", ""),
        ("filesystem-relative-only:lib", "lib"),
        (FALLBACK, ""),
    ],
)
def test_numpy(
    project: Path,
    build_environment: dict[str, str],
    tmp_path: Path,
    bare_root: Path,
    enter: list[str],
    policy: str,
    place: str,
) -> None:
    own = tmp_path / "own"
    shutil.copytree(project, own)
    (own / "src/program.py").write_text(NUMPY)
    directory = build(own, build_environment, tmp_path, policy, requirement="numpy")
    said = run_in_root(directory, bare_root, enter)
    assert (said["value"], said["random"]) == (3.0, 473)
    origin = f"/opt/app/{place}/" if place else "/memfs:/"
    assert said["file"].startswith(origin)
    assert said["native"].startswith(origin)
    assert any("numpy" in path for path in inside(directory)) is not bool(place)
    assert any(file.startswith("lib/numpy/") for file in beside(directory)) is bool(place)
