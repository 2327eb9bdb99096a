"""A frozen program behaves as the same program under ``python -I``: each case runs both ways and the outcomes are compared."""

from __future__ import annotations

import ast
import os
import re
import shutil
import sqlite3
import subprocess
import zipfile
from pathlib import Path

import pytest
import trustme

from support import Build

APPLICATION = Path(__file__).parent / "app"
CASES = [
    node.name
    for node in ast.parse((APPLICATION / "cases.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith(("_", "unflushed"))
]


@pytest.fixture(scope="session")
def application(shared_directory: Path) -> Path:
    """The application with its data files, in a place without a trace of this project."""
    place = shared_directory / "cases"
    if place.exists():
        return place
    made = shared_directory / f"cases-{os.getpid()}"
    shutil.copytree(APPLICATION, made, ignore=shutil.ignore_patterns("__pycache__"))
    data = made / "parts/data"
    with zipfile.ZipFile(data / "archive.zip", "w") as archive:
        archive.writestr("inside.txt", "inside")
    with sqlite3.connect(data / "numbers.db") as connection:
        connection.execute("create table numbers(number)")
        connection.executemany("insert into numbers values (?)", [(number,) for number in range(100)])
    connection.close()
    trustme.CA().cert_pem.write_to_path(data / "ca.pem")
    try:
        made.rename(place)
    except OSError:
        shutil.rmtree(made)
    return place


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Link mode shared on request: everything but the start is the same code."""
    if "frozen" in metafunc.fixturenames:
        links = ["static", "shared"] if metafunc.config.getoption("--both-links") else ["static"]
        metafunc.parametrize("frozen", links, indirect=True, scope="session")


@pytest.fixture(scope="session")
def frozen(request: pytest.FixtureRequest, build: Build, application: Path, target: Path) -> Path:
    return build(application / "cases.py", target, f"--link={request.param}", "--include=parts.*", "--include=colorsys",
                 "--include=json.tool", "--include-data=parts/data=parts/data",
                 "--include-data=parts/note.txt=parts/note.txt", cwd=application)  # fmt: skip


Outcome = tuple[int, str, str]


def run(command: list[str | Path], case: str, **options: object) -> Outcome:
    settings: dict[str, object] = {"env": {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, "input": "", "timeout": 120}
    settings |= options
    done = subprocess.run([*command, case], capture_output=True, text=True, check=False, encoding="utf-8",
                          errors="surrogateescape", **settings)  # type: ignore[call-overload]  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def normal(text: str, application: Path, target: Path) -> str:
    """What differs by nature: where files stand, and addresses."""
    text = text.replace(str(application), "/memfs:/app").replace(str(target.parent.parent), "/memfs:")
    return re.sub(r"0x[0-9a-f]{6,}", "0x...", text)


def plain(target: Path, case: str, application: Path) -> list[str | Path]:
    """The command that runs a case in plain Python: as if isolated, but with the script's directory on ``sys.path``."""
    isolated = case in {"shows_flags", "is_isolated"}
    return [target, *(["-I"] if isolated else ["-E", "-s"]), "-B", application / "cases.py"]


@pytest.mark.parametrize("case", CASES)
def test_case(case: str, frozen: Path, application: Path, target: Path) -> None:
    code, out, error = run(plain(target, case, application), case, cwd=application)
    expected = (code, normal(out, application, target), normal(error, application, target))
    code, out, error = run([frozen], case, cwd=application)
    actual = (code, normal(out, application, target), normal(error, application, target))
    assert actual == expected


REWRITTEN = """\
kept /memfs:/app/parts/kept.py
written by the program /memfs:/app/parts/overwritten.py
ModuleNotFoundError No module named 'parts.removed'
a package before a module /memfs:/app/parts/shadowed/__init__.py
before the standard library
"""
ENVIRONMENTS = {
    "C locale": {"LC_ALL": "C"},
    "POSIX locale": {"LANG": "POSIX"},
    "no locale": {},
    "unknown locale": {"LANG": "xx_XX.UTF-8"},
    "PYTHON variables": {"PYTHONPATH": "/outside", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1", "PYTHONOPTIMIZE": "2",
                         "PYTHONWARNINGS": "error", "PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "", "PYTHONHOME": "/nowhere",
                         "PYTHONUNBUFFERED": "1", "PYTHONINSPECT": "1", "PYTHONSTARTUP": "/etc/passwd",
                         "LANG": "C.UTF-8"},
}  # fmt: skip


@pytest.mark.parametrize("case", ["prints_unicode", "reads_input", "shows_encodings", "shows_flags", "is_isolated", "warns"])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment(case: str, environment: str, frozen: Path, application: Path, target: Path) -> None:
    env = {"PATH": os.environ["PATH"], **ENVIRONMENTS[environment]}
    # CPython coerces the C locale by setting LC_CTYPE, which children would inherit; we use UTF-8 mode (compliance page).
    in_utf8_mode = env.get("LC_ALL") == "C" or env.get("LANG") in {None, "POSIX", "xx_XX.UTF-8"}
    python: list[str | Path] = [target, "-I", "-B", *(["-X", "utf8"] if in_utf8_mode else [])]
    code, out, error = run([*python, application / "cases.py"], case, env=env, input="input ż")
    expected = (code, normal(out, application, target), normal(error, application, target))
    code, out, error = run([frozen], case, env=env, input="input ż")
    actual = code, normal(out, application, target), normal(error, application, target)
    if case == "shows_flags":
        expected = (expected[0], expected[1].replace("{'utf8': True}", "{}"), expected[2])
    if case == "shows_encodings":
        expected, actual = (
            (one[0], one[1].splitlines()[0], one[2]) for one in (expected, actual)
        )  # the locale's own name differs where CPython coerced it
    assert actual == expected


def test_broken_pipe(frozen: Path, application: Path, target: Path) -> None:
    def outcome(command: list[str | Path]) -> tuple[int, bytes]:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*command, "prints_unicode"], stdout=writer, stderr=subprocess.PIPE, check=False,
                              env={"LANG": "C.UTF-8"})  # fmt: skip
        os.close(writer)
        return done.returncode, done.stderr

    assert outcome([frozen]) == outcome([target, "-I", "-B", application / "cases.py"])


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_closed_standard_stream(descriptor: int, frozen: Path, application: Path, target: Path) -> None:
    def outcome(command: list[str | Path]) -> tuple[int, bytes, bytes]:
        script = 'exec "$0" "$@" ' + f"{descriptor}>&-"
        done = subprocess.run(["/bin/sh", "-c", script, *command, "output_is_flushed"], capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert outcome([frozen]) == outcome([target, "-I", "-B", application / "cases.py"])


def test_python_variables_count_when_the_build_says_so(build: Build, application: Path, target: Path) -> None:
    executable = build(application / "cases.py", target, "--environment", "--include=parts.*", cwd=application)
    _, out, _ = run([executable], "shows_flags", env={"PYTHONDEVMODE": "1", "LANG": "C.UTF-8"})
    assert "'dev_mode': True" in out


def test_a_program_imports_what_it_has_written(build: Build, target: Path, tmp_path: Path) -> None:
    place = tmp_path / "rewriting"
    shutil.copytree(APPLICATION.with_name("rewriting_app"), place, ignore=shutil.ignore_patterns("__pycache__"))
    executable = build(place / "main.py", target, "--include=parts.*", "--include=colorsys", cwd=place)
    code, out, error = run([executable], "")
    actual = (code, out, error)
    code, out, error = run([target, "-I", "-B", place / "main.py"], "", cwd=place)
    assert actual == (code, normal(out, place, target), normal(error, place, target))
    assert actual[:2] == (0, REWRITTEN)


def test_import_times_are_shown_on_request(frozen: Path) -> None:
    _, _, error = run([frozen], "compiles_regular_expressions", env={"FRAZIL_DEBUG": "import"})
    assert "import time: self [us] | cumulative | imported package" in error
    assert re.search(r"\| +re$", error, re.MULTILINE)


def test_steps_of_the_start_are_shown_on_request(frozen: Path) -> None:
    _, _, error = run([frozen], "exits_with_a_number", env={"FRAZIL_DEBUG": "start"})
    assert [line.split()[-1] for line in error.splitlines() if line.startswith("frazil: start:")][-3:] == [
        "interpreter", "importer", "entry"]  # fmt: skip


def test_a_file_in_a_cycle_is_flushed_at_exit(frozen: Path, tmp_path: Path) -> None:
    code, _, error = run([frozen], "unflushed_file_in_a_cycle", env={"HOME": str(tmp_path), "LANG": "C.UTF-8"})
    assert (code, error) == (0, "")
    assert (tmp_path / "unflushed").read_text() == "flushed by finalization"
