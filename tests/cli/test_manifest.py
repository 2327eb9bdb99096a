from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent / "builder/micropython/firmware/source"
FILES = {
    "manifest.py": """\
        module("app.py")
        include("more.py", extra=True)
    """,
    "more.py": """\
        package("pkg", opt=3)
        if options.extra:
            freeze_as_str("strings")
    """,
    "app.py": """\
        import sys
        import pkg.loud
        import text
        def main():
            print(text.WORD, pkg.loud.check(0), sys.argv[1:], text.__cached__ is None)
            return 5
    """,
    "pkg/__init__.py": "",
    "pkg/loud.py": """\
        '''A documentation string.'''
        def check(value):
            assert value, "not left out"
            return __doc__
    """,
    "strings/text.py": """\
        import textwrap
        WORD = textwrap.dedent("  word")
        try:
            __cached__
        except NameError:
            __cached__ = None
    """,
}


@pytest.fixture
def place(tmp_path: Path, build_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAZIL_CACHE_DIR", build_environment["FRAZIL_CACHE_DIR"])
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    header = tmp_path / "build/genhdr/qstrdefs.preprocessed.h"
    header.parent.mkdir(parents=True)
    header.write_text("QCFG\n")
    return tmp_path


def frazil(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)


def manifest(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return frazil("manifest", *arguments, cwd=cwd)


def test_build_makes_an_executable(place: Path) -> None:
    built = frazil("build", "--manifest", "manifest.py", "--entry", "app:main", "-o", "program", "-q", cwd=place)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    answer = subprocess.run([place / "program", "a"], capture_output=True, text=True, check=False)
    # opt=3 leaves out assertions and documentation strings; a string is compiled on import.
    assert (answer.returncode, answer.stdout, answer.stderr) == (5, "word None ['a'] False\n", "")
    listed = frazil("inspect", "program", "--files", cwd=place).stdout
    assert "app/text.py" in listed
    assert "app/__pycache__/text." not in listed
    assert "app/pkg/__pycache__/loud." in listed


def test_build_with_variables_and_a_dialect(place: Path) -> None:
    (place / "old.py").write_text('freeze("$(HERE)", ("app.py", "pkg"))\nfreeze_as_str("strings")\n')
    words = ("build", "--manifest", "old.py", "--entry", "app:main", "-v", "HERE=.", "--dialect", "1.18", "-o", "old", "--json")
    built = frazil(*words, cwd=place)
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["executables"][0]["path"] == "old"
    answer = subprocess.run([place / "old"], capture_output=True, text=True, check=False)
    assert "AssertionError: not left out" in answer.stderr, "opt is 0 in 1.18"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--manifest", "manifest.py"), 2, "--entry: no entry point is named"),
        (("app.py", "--manifest", "manifest.py", "--entry", "app"), 2, "both SOURCE and --manifest"),
        (("app.py", "--entry", "app:main"), 2, "--entry and -v go with --manifest"),
        ((), 2, "Missing argument 'SOURCE'"),
        (("--manifest", "nope.py", "--entry", "app"), 1, "nope.py: "),
        (("--manifest", "manifest.py", "--entry", "nope"), 2, "freezes no module nope"),
    ],
)
def test_build_says_what_is_wrong(place: Path, arguments: tuple[str, ...], code: int, text: str) -> None:
    answer = frazil("build", *arguments, cwd=place)
    assert answer.returncode == code
    assert text in answer.stderr
    assert "Traceback" not in answer.stderr


def test_list(place: Path) -> None:
    rows = [line.split() for line in manifest("list", "manifest.py", cwd=place).stdout.splitlines()]
    assert rows[0] == ["kind", "target", "source", "opt", "asked", "by", "size"]
    assert rows[1][:5] == ["py", "app.py", "app.py", "-", "manifest.py:1"]
    assert rows[3][:5] == ["py", "pkg/loud.py", "pkg/loud.py", "3", "more.py:1"]
    assert rows[4] == ["str", "text.py", "strings/text.py", "-", "more.py:3", str((place / "strings/text.py").stat().st_size)]


def test_list_as_json(place: Path) -> None:
    answer = manifest("list", "--json", "manifest.py", cwd=place)
    listed = json.loads(answer.stdout)
    assert [set(one) for one in listed] == [{"kind", "target", "path", "opt", "manifest", "line"}] * 4
    assert listed[2] == {
        "kind": "py",
        "target": "pkg/loud.py",
        "path": f"{place}/pkg/loud.py",
        "opt": 3,
        "manifest": f"{place}/more.py",
        "line": 1,
    }
    both = [manifest("list", "--json", "manifest.py", "--for", one, cwd=place).stdout for one in ("micropython", "cpython")]
    assert both[0] == both[1]


def test_check(place: Path) -> None:
    answer = manifest("check", "manifest.py", cwd=place)
    assert (answer.returncode, answer.stdout) == (0, "4 modules from 2 manifests: no problem\n")
    (place / "bad.mpy").write_text("no bytecode")
    (place / "more.py").write_text('freeze("nope")\nfreeze(".", "bad.mpy")\n1 / 0\n')
    (place / "manifest.py").write_text('include("more.py")\nmodule("app.txt")\nmodule("app.py")\n')
    answer = manifest("check", "manifest.py", cwd=place)
    assert answer.returncode == 1
    assert answer.stdout == ""
    errors = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: {place}/more.py:1: {place}/nope: no such directory",
        f"error: {place}/more.py:3: ZeroDivisionError: division by zero",
        f"error: {place}/manifest.py:2: 'app.txt': a module must be a .py file",
        f"error: {place}/bad.mpy: this is no bytecode of MicroPython",
        "error: 4 problems",
    ]


def test_graph(place: Path) -> None:
    (place / "lib/micropython/thing").mkdir(parents=True)
    (place / "lib/micropython/thing/manifest.py").write_text("")
    with (place / "more.py").open("a") as file:
        file.write('require("thing")\nrequire("thing")\n')
    answer = manifest("graph", "manifest.py", "-v", "MPY_LIB_DIR=lib", cwd=place)
    assert answer.stdout.splitlines() == [
        "manifest.py  (1 module)",
        "  2: include more.py  (3 modules)",
        "    4: require lib/micropython/thing/manifest.py  (0 modules)",
        "    5: require lib/micropython/thing/manifest.py, which has been run",
    ]
    edges = json.loads(manifest("graph", "manifest.py", "-v", "MPY_LIB_DIR=lib", "--json", cwd=place).stdout)
    assert [(one["line"], one["verb"], one["asked"], one["again"]) for one in edges] == [
        (2, "include", "more.py", False),
        (4, "require", "thing", False),
        (5, "require", "thing", True),
    ]


def test_compile(place: Path) -> None:
    answer = manifest("compile", "manifest.py", "-o", "lib", "-f", "-O1", "-j", "2", "-MF", "lib.d", cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert "lib: 4 modules" in answer.stdout
    assert sorted(str(one.relative_to(place / "lib")) for one in (place / "lib").rglob("*.*")) == [
        "app.mpy",
        "pkg/__init__.mpy",
        "pkg/loud.mpy",
        "text.py",
    ]
    assert "0 written" in manifest("compile", "manifest.py", "-o", "lib", "-f", "-O1", cwd=place).stdout
    assert {f"{place}/more.py:", f"{place}/pkg:"} <= set((place / "lib.d").read_text().splitlines())


def test_freeze_takes_the_options_of_makemanifest(place: Path) -> None:
    words = ("-o", "build/frozen_content.c", "-v", f"MPY_DIR={TOOL}", "-v", "PORT_DIR=.", "-b", "build", "-f", "-O2")
    more = ("--mpy-tool-flags", "-mlongint-impl none", "-MD", "manifest.py")
    answer = manifest("freeze", *words, *more, cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith(": written\n")
    text = (place / "build/frozen_content.c").read_text()
    assert "// none QCFG" in text
    assert "text.py\\0" in text
    assert (place / "build/frozen_mpy/pkg/loud.mpy").is_file()
    rules = (place / "build/frozen_content.d").read_text()
    for name in ("manifest.py", "more.py", "app.py", "strings", "strings/text.py", "build/genhdr/qstrdefs.preprocessed.h"):
        assert f"{place}/{name}:" in rules.splitlines()
    assert manifest("freeze", *words, *more, cwd=place).stdout.endswith(": unchanged\n")
    (place / "more.py").write_text("")
    assert "1 modules" in manifest("freeze", *words, *more, cwd=place).stdout
    assert "text.py" not in (place / "build/frozen_content.c").read_text()


def test_freeze_lists_modules_in_c(place: Path) -> None:
    (place / "cm").mkdir()
    (place / "cm/micropython.mk").write_text("")
    code = 'c_module("cm"); freeze("not there")'
    answer = manifest("freeze", "--list-c-modules", "-v", "MPY_DIR=.", code, cwd=place)
    assert (answer.returncode, answer.stdout) == (0, f"{place}/cm\n")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("freeze", "manifest.py"), 2, "no output is named"),
        (("freeze", "manifest.py", "-o", "x.c", "-v", "A"), 2, "'A' is not of the form NAME=VALUE"),
        (("freeze", "manifest.py", "-o", "x.c"), 2, "-v MPY_DIR=DIRECTORY"),
        (("compile", "manifest.py", "-o", "lib", "-f", "'"), 2, "--mpy-cross-flags: cannot be split into words"),
        (("compile", "manifest.py", "-o", "lib", "--mpy-cross", "nope"), 1, "nope is no program that can be run"),
        (("compile", "manifest.py", "-o", "app.py"), 1, "this is a file"),
        (("list", "raise ValueError('x' * 3)"), 1, "<argument 1>:1: ValueError: xxx"),
        (("list",), 2, "Missing argument"),
        (("list", "nope"), 1, "nope: no such manifest"),
        (("list", "--dialect", "1.19", "manifest.py"), 2, "Invalid value for '--dialect'"),
    ],
)
def test_what_is_wrong_is_said(place: Path, arguments: tuple[str, ...], code: int, text: str) -> None:
    answer = manifest(*arguments, cwd=place)
    assert answer.returncode == code
    assert text in answer.stderr
    assert "Traceback" not in answer.stderr
    assert (place / "app.py").read_text().startswith("import sys")


def test_a_manifest_may_print_and_the_list_stays_a_list(place: Path) -> None:
    (place / "manifest.py").write_text("print('noise')\n")
    answer = manifest("list", "--json", "manifest.py", cwd=place)
    assert (answer.stdout, answer.stderr) == ("[]\n", "noise\n")


def test_the_environment_names_the_compiler(place: Path) -> None:
    words = [sys.executable, "-m", "frazil", "manifest", "compile", "manifest.py", "-o", "lib"]
    environment = {**os.environ, "MICROPY_MPYCROSS": "/nope"}
    answer = subprocess.run(words, capture_output=True, text=True, check=False, cwd=place, env=environment)
    assert "MICROPY_MPYCROSS: /nope is no program" in answer.stderr
