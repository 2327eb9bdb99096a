from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from frazil_runtime.pmm import envelope

SOURCE = 'import sys\nX = {"a", "b"}\n\n\ndef where():\n    return sys._getframe().f_code.co_filename\n'


def frazil(*arguments: str | Path, cwd: Path, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    words = [sys.executable, "-m", "frazil", "pmm", "compile", *arguments]
    return subprocess.run(words, capture_output=True, check=False, cwd=cwd, input=given)


@pytest.fixture
def place(tmp_path: Path, build_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAZIL_CACHE_DIR", build_environment["FRAZIL_CACHE_DIR"])
    (tmp_path / "telemetry.py").write_text(SOURCE)
    return tmp_path


def test_the_output_stands_beside_the_source(place: Path) -> None:
    answer = frazil("telemetry.py", cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.decode().startswith("telemetry.pmm  ")
    read = envelope.read((place / "telemetry.pmm").read_bytes())
    assert (read.source, read.package) == (None, False)
    assert "where" in read.module_code().co_names


def test_a_directory_that_is_not_there_yet_is_named_by_its_slash(place: Path) -> None:
    answer = frazil("telemetry.py", "-o", "modules/", cwd=place)
    assert answer.stdout.decode().startswith("modules/telemetry.pmm  ")
    assert (place / "modules/telemetry.pmm").is_file()


def test_standard_input_to_standard_output(place: Path) -> None:
    frazil("telemetry.py", cwd=place)
    answer = frazil(cwd=place, given=SOURCE.encode())
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == (place / "telemetry.pmm").read_bytes()
    assert frazil("-", cwd=place, given=SOURCE.encode()).stdout == answer.stdout


def test_it_is_reproducible(place: Path) -> None:
    """Not the directory, not the name, not the cache, not the hash seed."""
    other = place / "some/other/directory"
    other.mkdir(parents=True)
    (other / "thing.py").write_text(SOURCE)
    frazil("telemetry.py", cwd=place)
    words = [sys.executable, "-m", "frazil", "pmm", "compile", str(other / "thing.py"), "-q"]
    subprocess.run(words, check=True, cwd="/", env={"FRAZIL_CACHE_DIR": str(place / "empty"), "PYTHONHASHSEED": "7"})
    data = (other / "thing.pmm").read_bytes()
    assert data == (place / "telemetry.pmm").read_bytes()
    for part in (b"thing", b"telemetry", str(place).encode()):
        assert part not in data


def test_a_package(place: Path) -> None:
    (place / "pack/sub").mkdir(parents=True)
    for name in ("__init__", "one", "sub/__init__"):
        (place / f"pack/{name}.py").write_text("")
    assert frazil("pack", "-o", "out", cwd=place).returncode == 0
    made = {path.name: envelope.read(path.read_bytes()).package for path in (place / "out").iterdir()}
    assert made == {"pack.pmm": True, "pack.one.pmm": False, "pack.sub.pmm": True}


def test_a_name_and_the_source(place: Path) -> None:
    answer = frazil("telemetry.py", "--name", "json.decoder", "--source", cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert envelope.read((place / "json.decoder.pmm").read_bytes()).source == SOURCE.encode()


def test_the_interpreter_can_be_chosen(place: Path, target: Path) -> None:
    assert frazil("telemetry.py", "--python", target, cwd=place).returncode == 0
    check = "import sys, importlib.util; sys.exit(open(sys.argv[1], 'rb').read()[12:16] != importlib.util.MAGIC_NUMBER)"
    assert subprocess.run([target, "-c", check, place / "telemetry.pmm"], check=False).returncode == 0


def test_a_syntax_error_leaves_the_old_output(place: Path) -> None:
    frazil("telemetry.py", cwd=place)
    before = (place / "telemetry.pmm").read_bytes()
    (place / "telemetry.py").write_text("x = 1\ndef (:\n")
    answer = frazil("telemetry.py", cwd=place)
    assert answer.returncode == 1
    assert answer.stderr.decode().startswith("error: telemetry.py:2: syntax error: ")
    assert (place / "telemetry.pmm").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["missing.py"], 1, "error: missing.py: this file cannot be read: No such file or directory\n"),
        (["."], 2, "error: .: this directory is no package: it has no __init__.py\n"),
        (["telemetry.py", "--name", "../x"], 2, "error: --name: '../x' is no name of a module\n"),
        (["bad-name.py"], 2, "error: bad-name.py: 'bad-name' is no name of a module\n"),
        (["telemetry.py", "-o", "no/"], 0, ""),
    ],
)
def test_bad_input(place: Path, arguments: list[str], code: int, told: str) -> None:
    answer = frazil(*arguments, cwd=place)
    assert answer.returncode == code, answer.stderr
    assert answer.stderr.decode().startswith(told)
