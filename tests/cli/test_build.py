from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


def frazil(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def place(tmp_path: Path, build_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a script, and the cache that all tests of a run share."""
    monkeypatch.setenv("FRAZIL_CACHE_DIR", build_environment["FRAZIL_CACHE_DIR"])
    (tmp_path / "hello.py").write_text("import sys\nprint('hello', *sys.argv[1:])\nsys.exit(len(sys.argv) - 1)\n")
    return tmp_path


def output_of(program: Path, *arguments: str) -> str:
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


def test_a_script_becomes_a_program_in_dist(place: Path) -> None:
    answer = frazil("build", "hello.py", cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert output_of(place / "dist/hello") == "hello\n"
    assert sorted(path.name for path in (place / "dist").iterdir()) == ["hello"]


def test_the_summary_says_what_matters(place: Path) -> None:
    answer = frazil("build", "hello.py", cwd=place)
    text = " ".join(answer.stdout.split())
    for part in ("dist/hello", "standard library", "application", "modules", "link", "glibc 2.", "time", "run it dist/hello"):
        assert part in text
    assert "\x1b" not in answer.stdout + answer.stderr
    assert "reading the application ..." in answer.stderr.splitlines()


def test_quiet(place: Path) -> None:
    answer = frazil("build", "hello.py", "-q", "-o", "there/program", cwd=place)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert output_of(place / "there/program") == "hello\n"


def test_json(place: Path) -> None:
    answer = frazil("build", "hello.py", "--json", "--name", "other", cwd=place)
    assert answer.stderr == ""
    (built,) = json.loads(answer.stdout)["executables"]
    assert built["path"] == "dist/other"
    assert built["size"] == (place / "dist/other").stat().st_size
    assert built["link"] in {"static", "shared"}
    assert set(built) == {
        "path", "size", "sizes", "modules", "timings", "glibc", "link", "link_reason", "native", "objects", "files",
        "warnings",
    }  # fmt: skip
    assert built["glibc"]["version"].startswith("2.")
    assert built["timings"][0]["step"] == "read"


def test_inspect_knows_what_build_made(place: Path) -> None:
    frazil("build", "hello.py", "-q", cwd=place)
    answer = frazil("inspect", "dist/hello", "--verify", "--json", cwd=place)
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert report["settings"]["name"] == "hello"
    assert [entry["name"] for entry in report["entries"]] == ["hello"]
    assert sum(report["sizes"].values()) == report["size"] == (place / "dist/hello").stat().st_size
    assert report["sizes"]["<application>"] > 0
    assert {"encodings", "linecache"} <= {module["name"] for module in report["modules"]}


def test_a_damaged_executable_is_told(place: Path) -> None:
    frazil("build", "hello.py", "-q", cwd=place)
    program = place / "dist/hello"
    data = bytearray(program.read_bytes())
    at = data.rindex(b"\x89FRZICE\n")  # the launcher holds the magic number too
    data[at + 100_000] ^= 1
    program.write_bytes(data)
    answer = frazil("inspect", "dist/hello", "--verify", cwd=place)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: dist/hello: this executable is damaged: ")


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["absent.py"], 1, "absent.py"),
        (["hello.py", "-o", "."], 1, "director"),
        (["hello.py", "--python", "/nowhere/python"], 1, "/nowhere/python"),
        (["hello.py", "--python", "no-such-python"], 2, "no such interpreter on PATH"),
        (["hello.py", "--python", "https://example.invalid/python.tar.gz"], 2, "a Python that is downloaded needs its digest"),
        (["hello.py", "--sha256", "00"], 2, "--sha256 is the digest of an archive"),
        (["hello.py", "--venv", "/nowhere/venv"], 1, "/nowhere/venv"),
        (["broken.py"], 1, "broken.py"),
    ],
)
def test_bad_input_is_told_and_harms_nothing(arguments: list[str], code: int, problem: str, place: Path) -> None:
    (place / "broken.py").write_text("def f(:\n    pass\n")
    (place / "dist").mkdir()
    (place / "dist/hello").write_text("the previous one")
    answer = frazil("build", *arguments, cwd=place)
    assert answer.returncode == code, answer.stderr
    assert "error: " in answer.stderr
    assert problem in answer.stderr
    assert "Traceback" not in answer.stderr
    assert (place / "dist/hello").read_text() == "the previous one"


def test_several_programs_need_a_directory(place: Path, pair: Path) -> None:
    (place / "out").write_text("a file")
    answer = frazil("build", pair, "-o", "out", cwd=place)
    assert answer.returncode == 1
    assert answer.stderr.endswith("Name a directory with -o, or one executable with --multicall.\n")
    answer = frazil("build", pair, "-q", "-o", "programs", cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert [output_of(place / "programs" / name) for name in ("one", "two")] == ["one\n", "two\n"]


def test_a_terminal_shows_progress_and_leaves_no_trace(place: Path) -> None:
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "frazil", "build", "hello.py"],
        stdout=subprocess.PIPE,
        stderr=side,
        cwd=place,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(side)
    shown = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # the other side was closed
            break
        if not part:
            break
        shown += part
    os.close(main)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"dist/hello" in out
    assert b"\x1b[?25l" in shown  # the cursor was hidden while it spun
    assert shown.rstrip().endswith((b"\x1b[2K", b"\x1b[?25h"))
