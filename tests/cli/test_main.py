from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click
import pytest

from frazil.cli import main as cli
from frazil.errors import HostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def frazil(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    words = [sys.executable, "-m", "frazil", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)


def test_version() -> None:
    for option in ("-V", "--version"):
        answer = frazil(option)
        assert re.fullmatch(r"frazil \d+\.\d+\.\d+\S*\n", answer.stdout)
        assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_all_verbs(option: str) -> None:
    answer = frazil(option)
    assert answer.returncode == 0
    for verb, summary in cli.VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(summary)}$", answer.stdout, re.MULTILINE)
    assert "Examples:" in answer.stdout


@pytest.mark.parametrize("verb", [*cli.VERBS, "cache path", "cache clear"])
def test_every_verb_has_help(verb: str) -> None:
    for option in ("-h", "--help"):
        answer = frazil(*verb.split(), option)
        assert answer.returncode == 0
        assert answer.stdout.startswith(f"Usage: frazil {verb}")


def test_version_loads_no_verb_and_no_drawing() -> None:
    code = (
        "import sys\n"
        "from frazil.cli.main import main\n"
        "main(['--version'])\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('rich', 'elftools', 'zstandard', 'frazil')))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[1] == "['frazil', 'frazil.cli', 'frazil.cli.main', 'frazil.errors']"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["no-verb"], "No such command 'no-verb'"),
        (["build"], "Missing argument 'SOURCE'"),
        (["build", "--no-such-option", "x.py"], "No such option"),
        (["build", "--link", "sideways", "x.py"], "'sideways' is not one of 'auto', 'static', 'shared'"),
        (["build", "--optimize", "3", "x.py"], "'3' is not one of"),
        (["inspect"], "Missing argument 'FILE'"),
    ],
)
def test_wrong_usage(arguments: list[str], problem: str) -> None:
    answer = frazil(*arguments)
    assert answer.returncode == 2
    assert problem in answer.stderr
    assert "Traceback" not in answer.stderr


def run_raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def command() -> None:
        raise error

    monkeypatch.setattr(cli.program, "get_command", lambda _context, _name: click.command()(command))
    return cli.main(["build"])


def test_an_error_has_place_details_and_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = HostError("no compiler", where="/usr/bin/cc", details="cc: not found\n  at all\n", remedy="Install one.")
    assert run_raising(monkeypatch, error) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: /usr/bin/cc: no compiler\ncc: not found\n  at all\nInstall one.\n"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("not so"), 2, "error: not so\n"),
        (OSError(28, "No space left on device", "/tmp/x"), 1, "error: /tmp/x: No space left on device\n"),
        (PermissionError(13, "Permission denied"), 1, "error: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (MemoryError(), 1, "error: this machine's memory does not suffice\n"),
        (
            TypeError("oops"),
            1,
            "internal error: TypeError: oops (this is a bug in frazil; run with FRAZIL_TRACEBACK=1 to see where)\n",
        ),
    ],
)
def test_errors_and_exit_codes(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FRAZIL_TRACEBACK", raising=False)
    assert run_raising(monkeypatch, error) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.lstrip("\n") == message


def test_a_traceback_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAZIL_TRACEBACK", "1")
    with pytest.raises(TypeError, match="oops"):
        run_raising(monkeypatch, TypeError("oops"))


def test_a_full_device() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        words = [sys.executable, "-m", "frazil", "cache", "path"]
        answer = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr == "error: No space left on device\n"


def test_a_reader_that_went_away() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "frazil", "doctor", "--json"]
    answer = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (1, "")


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to pass")


def test_interrupted_from_the_keyboard(tmp_path: Path) -> None:
    # An interpreter that does not answer keeps the doctor waiting.
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 60\n")
    slow.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "frazil", "doctor", "--python", slow],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until((tmp_path / "started").exists)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.strip() == "interrupted"
