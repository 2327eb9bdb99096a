"""The walk-throughs of archives, as directories and as files: build one, use it, merge it; the programs run in a bare root."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import RunInRoot

SCRIPT = """
# /// script
# [tool.frazil]
# exclude = ["absent"]
# [[tool.frazil.native]]
# module = "testcase.native_api"
# sources = ["testcase/native_api.c"]
# include-dirs = ["headers"]
# ///
import address
import testcase.native_api
print("frazil-archive", f"{address.value()},api3:{testcase.native_api.sum(20, 40)}")
"""
NATIVE = """
#include <Python.h>
#include "offset.h"
#include "near.h"

static PyObject *sum(PyObject *self, PyObject *args)
{
    int a, b;
    return PyArg_ParseTuple(args, "ii", &a, &b) ? PyLong_FromLong(a + b + OFFSET + NEAR) : NULL;
}

static PyMethodDef methods[] = {{"sum", sum, METH_VARARGS, NULL}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native_api", NULL, -1, methods};

PyMODINIT_FUNC PyInit_native_api(void) { return PyModule_Create(&module); }
"""
APPLICATION = {
    "myapp.py": SCRIPT,
    "address.py": "def value():\n    return 74\n",
    "testcase/__init__.py": "",
    "testcase/native_api.c": NATIVE,
    "testcase/near.h": "#define NEAR 0\n",
    "headers/offset.h": "#define OFFSET 0\n",
}
USER = """
import address
import testcase.native_api
print("use", f"{address.value()},api3:{testcase.native_api.sum(20, 40)}", type(testcase.native_api.__loader__).__name__)
"""
FORMS = ["made", "made.tar.gz"]


@pytest.fixture
def write(tmp_path: Path) -> Path:
    for name, text in APPLICATION.items():
        place = tmp_path / "app" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return tmp_path


class Frazil:
    """The command line, in a directory."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self.place = place
        self._environment = environment

    def __call__(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "frazil", *words]
        done = subprocess.run(command, cwd=self.place, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done


@pytest.fixture
def frazil(write: Path, build_environment: dict[str, str]) -> Frazil:
    return Frazil(write, build_environment)


def files(archive: Path) -> list[str]:
    """The files and directories of an archive, by ``tar`` or the file system."""
    if archive.is_dir():
        return sorted(path.relative_to(archive).as_posix() for path in archive.rglob("*"))
    listed = subprocess.run(["tar", "-tzf", archive], capture_output=True, text=True, check=True).stdout
    return sorted(line.rstrip("/") for line in listed.splitlines())


def metadata(frazil: Frazil, archive: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(frazil("archive", "inspect", archive, "--json").stdout)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_build(form: str, frazil: Frazil) -> None:
    done = frazil("archive", "build", "-o", form, "app/myapp.py")
    assert "4: 1 native, 0 compiled ahead" in done.stdout
    assert files(frazil.place / form) == [
        "frazil-archive.json",
        "include",
        "lib",
        "object",
        "object/testcase.native_api",
        "object/testcase.native_api/native_api.o",
        "python",
        "python/address.py",
        "python/myapp.py",
        "python/testcase",
        "python/testcase/__init__.py",
        "source",
        "source/testcase.native_api",
        "source/testcase.native_api/headers",
        "source/testcase.native_api/headers/offset.h",
        "source/testcase.native_api/testcase",
        "source/testcase.native_api/testcase/native_api.c",
        "source/testcase.native_api/testcase/near.h",
    ]
    found = metadata(frazil, form)
    assert found["app_name"] == "myapp"
    modules = found["modules"]
    assert isinstance(modules, dict)
    assert {name: (one.get("native"), one.get("package")) for name, one in modules.items()} == {
        "address": (None, None),
        "myapp": (None, None),
        "testcase": (None, 1),
        "testcase.native_api": (1, None),
    }
    assert modules["testcase.native_api"]["init_symbol"] == "PyInit_native_api"
    assert frazil("archive", "verify", form).stdout == f"{form}: 7 files and 4 modules hold\n"


def test_both_forms_of_an_archive_are_the_same(frazil: Frazil) -> None:
    for form in FORMS:
        frazil("archive", "build", "-q", "-o", form, "app/myapp.py")
    assert frazil("archive", "diff", *FORMS).stdout == ""
    assert frazil("archive", "diff", FORMS[1], FORMS[0], "--json").stdout == "[]\n"


@pytest.mark.parametrize("form", FORMS)
def test_use(form: str, frazil: Frazil, run_in_root: RunInRoot) -> None:
    frazil("archive", "build", "-q", "-o", form, "app/myapp.py")
    (frazil.place / "app").rename(frazil.place / "gone")
    (frazil.place / "user.py").write_text(USER)
    built = json.loads(frazil("build", "user.py", "--use-archive", form, "-o", "user", "--json").stdout)["executables"][0]
    assert built["warnings"] == []
    assert [(one["name"], one["how"]) for one in built["native"]] == [("testcase.native_api", "static")]
    assert run_in_root(frazil.place / "user").stdout == "use 74,api3:60 StaticLoader\n"


def test_a_project_or_script_names_its_archives_itself(frazil: Frazil, run_in_root: RunInRoot) -> None:
    frazil("archive", "build", "-q", "-o", "made", "app/myapp.py")
    place = frazil.place / "mine"
    place.mkdir()
    (place / "user.py").write_text(f'# /// script\n# [tool.frazil]\n# archives = ["../made"]\n# ///\n{USER}')
    (place / "address.py").write_text("def value():\n    return 75\n")
    done = frazil("build", "mine/user.py", "-o", "user", "-q")
    assert done.stderr == ""
    assert run_in_root(frazil.place / "user").stdout == "use 75,api3:60 StaticLoader\n", "the application's own module wins"


def test_a_library_and_a_header_that_were_put_in_by_hand(frazil: Frazil, run_in_root: RunInRoot) -> None:
    frazil("archive", "build", "-q", "-o", "made", "app/myapp.py")
    made = frazil.place / "made"
    (made / "include/third.h").write_text("int third(void);\n")
    (made / "lib/x86_64-linux-gnu").mkdir()
    (frazil.place / "third.c").write_text("int third(void) { return 1; }\n")
    subprocess.run(["cc", "-O2", "-fPIC", "-c", "third.c"], cwd=frazil.place, check=True)
    subprocess.run(["ar", "rcs", made / "lib/x86_64-linux-gnu/libthird.a", "third.o"], cwd=frazil.place, check=True)
    use = NATIVE.replace('#include "offset.h"\n#include "near.h"', "#include <third.h>").replace("OFFSET + NEAR", "third()")
    (frazil.place / "mine.c").write_text(use.replace("native_api", "mine"))
    (frazil.place / "user.py").write_text(
        "# /// script\n# [[tool.frazil.native]]\n# module = 'mine'\n# sources = ['mine.c']\n# libraries = ['third']\n# ///\n"
        "import mine, testcase.native_api\nprint('frazil-archive-static-lib', mine.sum(0, 0), testcase.native_api.sum(1, 1))\n"
    )
    frazil("build", "user.py", "--use-archive", "made", "-q", "-o", "user")
    assert run_in_root(frazil.place / "user").stdout == "frazil-archive-static-lib 1 2\n"


@pytest.mark.parametrize("form", FORMS)
def test_merge(form: str, frazil: Frazil, run_in_root: RunInRoot) -> None:
    frazil("archive", "build", "-q", "-o", "existing", "app/myapp.py")
    (frazil.place / "existing/include/third.h").write_text("int third(void);\n")
    (frazil.place / "existing/lib/libthird.a").write_bytes(b"!<arch>\n")
    place = frazil.place / "mine"
    place.mkdir()
    (place / "another.py").write_text(USER)
    (place / "address.py").write_text("def value():\n    return 76\n")
    done = frazil("archive", "build", "-o", form, "mine/another.py", "--use-archive", "existing")
    assert "python/address.py: that of the new build was taken, that of existing left out" in done.stderr
    listed = files(frazil.place / form)
    for path in (
        "python/another.py",
        "python/myapp.py",
        "object/testcase.native_api/native_api.o",
        "lib/libthird.a",
        "include/third.h",
    ):
        assert path in listed
    found = metadata(frazil, form)
    assert found["app_name"] == "another"
    assert isinstance(found["modules"], dict)
    assert set(found["modules"]) == {"address", "another", "myapp", "testcase", "testcase.native_api"}
    again = frazil("archive", "merge", form, "existing", "-o", "again.tar.gz", "--json")
    assert [one["what"] for one in json.loads(again.stdout)["conflicts"]] == ["python/address.py"]
    assert frazil("archive", "diff", form, "again.tar.gz").stdout == ""
    (place / "address.py").unlink()
    frazil("build", "mine/another.py", "--use-archive", form, "-q", "-o", "another")
    assert run_in_root(frazil.place / "another").stdout == "use 76,api3:60 StaticLoader\n"


def test_strict_refuses_conflicts_and_keeps_what_was_there(frazil: Frazil) -> None:
    frazil("archive", "build", "-q", "-o", "existing", "app/myapp.py")
    (frazil.place / "app/address.py").write_text("def value():\n    return 77\n")
    done = frazil("archive", "build", "-o", "existing", "app/myapp.py", "--use-archive", "existing", "--strict", code=1)
    assert "the archives differ in one thing" in done.stderr
    assert (frazil.place / "existing/python/address.py").read_text() == APPLICATION["address.py"]
    assert frazil("archive", "verify", "-q", "existing").stdout == ""


def test_objects_for_another_python_are_built_again_from_the_archive(frazil: Frazil, run_in_root: RunInRoot) -> None:
    """As if they were for another one: the key says so."""
    frazil("archive", "build", "-q", "-o", "made", "app/myapp.py")
    (frazil.place / "app").rename(frazil.place / "gone")
    place = frazil.place / "made/frazil-archive.json"
    document = json.loads(place.read_text())
    key = document["modules"]["testcase.native_api"]["key"]
    key.update(soabi="cpython-310-x86_64-linux-gnu", python="3.10.1")
    place.write_text(json.dumps(document))
    (frazil.place / "user.py").write_text(USER)
    done = frazil("build", "user.py", "--use-archive", "made", "-o", "user")
    assert "testcase.native_api: built from its source, since its objects do not fit: " in done.stderr
    assert "soabi: built for cpython-310-x86_64-linux-gnu, this is cpython-3" in done.stderr
    assert "python: built for 3.10.1, this is 3." in done.stderr
    assert run_in_root(frazil.place / "user").stdout == "use 74,api3:60 StaticLoader\n"
    module = document["modules"]["testcase.native_api"]
    for field in ("native_sources", "digest"):
        del module[field]
    place.write_text(json.dumps(document))
    done = frazil("build", "user.py", "--use-archive", "made", "-o", "user", code=1)
    assert "error: made: native modules of the archives cannot be used in this build\n" in done.stderr
    assert "  testcase.native_api: soabi: built for cpython-310-x86_64-linux-gnu, this is cpython-3" in done.stderr


SETUP = """
from setuptools import Extension, setup
setup(name="own-speed", version="1", packages=["own_speed"], ext_modules=[Extension("own_speed._fast", ["fast.c"])])
"""
FAST = """
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_fast", .m_size = -1};
PyMODINIT_FUNC PyInit__fast(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "minor", PY_MINOR_VERSION) < 0)
        Py_CLEAR(module);
    return module;
}
"""


def test_modules_of_a_source_distribution_are_built_again_from_it(frazil: Frazil, run_in_root: RunInRoot) -> None:
    project = frazil.place / "own"
    (project / "own_speed").mkdir(parents=True)
    (project / "own_speed/__init__.py").write_text("")
    (project / "setup.py").write_text(SETUP)
    (project / "fast.c").write_text(FAST)
    source = ["--with", f"own-speed @ file://{project}", "--from-source", "own-speed"]
    frazil("archive", "build", "-q", "-o", "made", *source)
    project.rename(frazil.place / "gone")
    assert (frazil.place / "made/sdist/own-speed-1.tar.gz").is_file()
    assert (frazil.place / "made/object/own_speed._fast/fast.o").is_file()
    place = frazil.place / "made/frazil-archive.json"
    document = json.loads(place.read_text())
    document["modules"]["own_speed._fast"]["key"].update(soabi="cpython-310-x86_64-linux-gnu", python="3.10.1")
    place.write_text(json.dumps(document))
    (frazil.place / "user.py").write_text("import own_speed._fast as f\nprint(f.minor, type(f.__loader__).__name__)\n")
    done = frazil("build", "user.py", "--use-archive", "made", "-o", "user")
    assert "own_speed._fast: built from own-speed-1.tar.gz, since its objects do not fit: soabi: built for" in done.stderr
    assert run_in_root(frazil.place / "user").stdout == f"{sys.version_info.minor} StaticLoader\n"
