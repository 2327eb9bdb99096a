"""Packages of PyPI, built from their source distributions: archived, merged, linked, and run in a bare root.

This compiles for minutes; the quick form has a project of this test's own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import RunInRoot

PACKAGES = ("markupsafe==3.0.4", "ujson==6.1.0", "pyyaml==6.0.3", "msgpack==1.2.4", "pytomlpp==1.1.0", "lxml==6.1.3")
"""C, C++ and Cython; pytomlpp is one of pybind11. lxml takes libxml2 and libxslt of the system."""
SMOKE = """\
import sys
import markupsafe, markupsafe._speedups, msgpack, msgpack._cmsgpack, pytomlpp, ujson, yaml
from lxml import etree, objectify

print(markupsafe.escape("<a>"), markupsafe._speedups._escape_inner("<"))
print(ujson.loads(ujson.dumps({"a": [1, 2.5, None, "é"]})))
print(yaml.load("a: [1, {b: c}]", Loader=yaml.CSafeLoader), yaml.dump({"a": 1}, Dumper=yaml.CDumper).strip())
print(msgpack.unpackb(msgpack.packb({"k": [1, b"x", 2.5]})), msgpack.Packer.__module__)
print(pytomlpp.loads("a = 1\\n[b]\\nc = 'x'"))
try:
    pytomlpp.loads("a = ")
except pytomlpp.DecodeError as error:
    print(type(error).__name__)
root = etree.fromstring("<a><b x='1'>t</b></a>")
print(root.xpath("//b/@x"), etree.tostring(root), objectify.fromstring("<r><i>3</i></r>").i + 1)
sheet = etree.XML('<s:stylesheet version="1.0" xmlns:s="http://www.w3.org/1999/XSL/Transform">'
                  '<s:template match="/"><o><s:value-of select="/a/b"/></o></s:template></s:stylesheet>')
print(etree.XSLT(sheet)(root).getroot().text)
for name in ("markupsafe._speedups", "ujson", "yaml._yaml", "msgpack._cmsgpack", "pytomlpp._impl", "lxml.etree"):
    print(name, type(sys.modules[name].__loader__).__name__, file=sys.stderr)
"""
EXPECTED = """\
&lt;a&gt; &lt;
{'a': [1, 2.5, None, 'é']}
{'a': [1, {'b': 'c'}]} a: 1
{'k': [1, b'x', 2.5]} msgpack._cmsgpack
{'a': 1, 'b': {'c': 'x'}}
DecodeError
['1'] b'<a><b x="1">t</b></a>' 4
t
"""
SETUP = """\
from setuptools import Extension, setup
setup(name="own-speed", version="1", packages=["own_speed"],
      ext_modules=[Extension("own_speed._fast", ["fast.c"], define_macros=[("ANSWER", "42")])])
"""
FAST = """\
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_fast", .m_size = -1};
PyMODINIT_FUNC PyInit__fast(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "answer", ANSWER) < 0)
        Py_CLEAR(module);
    return module;
}
"""


def _frazil(environment: dict[str, str], *words: str | Path) -> str:
    command = [sys.executable, "-m", "frazil", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _native(answer: str) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["how"], one["reason"]) for one in json.loads(answer)["executables"][0]["native"]}


def test_a_project_of_setuptools_is_linked_as_its_backend_compiled_it(
    build_environment: dict[str, str], tmp_path: Path, run_in_root: RunInRoot
) -> None:
    project = tmp_path / "own"
    (project / "own_speed").mkdir(parents=True)
    (project / "own_speed/__init__.py").write_text("")
    (project / "setup.py").write_text(SETUP)
    (project / "fast.c").write_text(FAST)
    (tmp_path / "app.py").write_text("import own_speed._fast as f; print(f.answer, f.__name__, type(f.__loader__).__name__)\n")
    source = ["--with", f"own-speed @ file://{project}", "--from-source", "own-speed"]
    answer = _frazil(build_environment, "build", tmp_path / "app.py", *source, "-o", tmp_path / "app", "--json")
    ((name, (how, reason)),) = _native(answer).items()
    assert name == "own_speed._fast"
    if how == "memory":
        pytest.skip(reason)
    assert run_in_root(tmp_path / "app").stdout == "42 own_speed._fast StaticLoader\n"


@pytest.mark.slow
def test_packages_of_pypi(build_environment: dict[str, str], tmp_path: Path, run_in_root: RunInRoot) -> None:
    (tmp_path / "app.py").write_text(SMOKE)
    requirements = [f"--with={one}" for one in PACKAGES] + [f"--from-source={one.partition('==')[0]}" for one in PACKAGES]
    application, markup, merged = tmp_path / "six.tar.gz", tmp_path / "markup", tmp_path / "merged"
    _frazil(build_environment, "archive", "build", tmp_path / "app.py", "-o", application, *requirements)
    _frazil(build_environment, "archive", "build", "-o", markup, f"--with={PACKAGES[0]}", "--from-source=markupsafe")
    _frazil(build_environment, "archive", "merge", markup, application, "-o", merged)
    _frazil(build_environment, "archive", "verify", merged)
    use: list[str | Path] = ["build", tmp_path / "app.py", "--use-archive", merged, "-o", tmp_path / "app", "--json"]
    native = _native(_frazil(build_environment, *use))
    for name in ("markupsafe._speedups", "ujson", "yaml._yaml", "msgpack._cmsgpack", "pytomlpp._impl", "lxml.builder"):
        assert native[name] == ("static", "")
    how, reason = native["lxml.etree"]
    assert how == "static" or "is there only as a shared library" in reason
    done = run_in_root(tmp_path / "app")
    assert done.stdout == EXPECTED, done.stderr
    loaders = dict(line.split() for line in done.stderr.splitlines())
    assert {name for name, loader in loaders.items() if loader == "StaticLoader"} >= set(loaders) - {"lxml.etree"}


@pytest.mark.slow
def test_a_package_of_meson_python(build_environment: dict[str, str], tmp_path: Path, run_in_root: RunInRoot) -> None:
    (tmp_path / "app.py").write_text("import contourpy\nprint(contourpy.contour_generator(z=[[0, 1], [2, 3]]).lines(1.5))\n")
    source = ["--with", "contourpy==1.3.3", "--from-source", "contourpy"]
    native = _native(_frazil(build_environment, "build", tmp_path / "app.py", *source, "-o", tmp_path / "app", "--json"))
    assert native == {"contourpy._contourpy": ("static", "")}
    done = run_in_root(tmp_path / "app")
    assert done.stdout.startswith("[array("), done.stderr
