"""``frazil inspect`` on executables that were built warm."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frazil.builder.elf import SNAPSHOT_ADDRESS, ElfFile
from frazil.builder.warm.inspection import inspect_warm
from frazil.builder.warm.words import in_words
from frazil_runtime.snapshot import format as layout
from frazil_runtime.snapshot.report import LeftOut, Report
from started import ENVIRONMENT

if TYPE_CHECKING:
    from support import Build

ASKS = "import os\nHERE = os.getcwd()\nLOOKED = os.environ.get('LOOKED_AT')\n"
OPENS = "FILE = open('/memfs:/left-open', 'w')\n"
MAIN = "import asks\nimport opens\nprint('this is the entry')\n"


@pytest.fixture(scope="module")
def executable(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One module looks at things, another cannot be in a snapshot."""
    place = tmp_path_factory.mktemp("inspected")
    for name, source in (("asks", ASKS), ("opens", OPENS), ("inspected", MAIN)):
        (place / f"{name}.py").write_text(source)
    return build(place / "inspected.py", target, "--warm")


def inspect(*words: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run ``frazil inspect`` in the root, where snapshots are made."""
    command = [sys.executable, "-m", "frazil", "inspect", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, **{"cwd": "/", "env": ENVIRONMENT, **how}
    )


def test_says_what_is_in_the_snapshot(executable: Path) -> None:
    said = inspect(executable).stdout.partition("Warm start\n")[2]
    assert "  modules   asks\n" in said
    assert "opens: no snapshot can be made" in said
    assert "the current directory is /\n" in said
    assert "LOOKED_AT is not set\n" in said
    assert "libc.so.6, build " in said


def test_says_the_same_as_json(executable: Path) -> None:
    found = json.loads(inspect(executable, "--json").stdout)
    warm = found["warm"]
    assert warm["modules"] == ["asks"]
    assert [one["module"] for one in warm["left_out"]] == ["opens"]
    assert {"question": "directory", "words": "the current directory is /"} in warm["conditions"]
    assert any(len(one["build"]) == 40 for one in warm["objects"])
    assert found["sizes"]["<snapshot>"] == warm["size"] > 1 << 20


def test_a_cold_executable_has_none(build: Build, target: Path, tmp_path: Path) -> None:
    (tmp_path / "never_warm.py").write_text("print(1)\n")
    cold = build(tmp_path / "never_warm.py", target, "--link=shared", cold=True)
    assert json.loads(inspect(cold, "--json").stdout)["warm"] is None
    assert "Warm start" not in inspect(cold).stdout
    explained = inspect(cold, "--explain-warm")
    assert explained.returncode == 1
    assert "this executable has no snapshot" in explained.stderr


def test_explains_a_warm_start(executable: Path) -> None:
    done = inspect(executable, "--explain-warm")
    assert (done.returncode, done.stdout, done.stderr) == (0, "It starts warm here.\n", "")


def test_explains_a_cold_start(executable: Path, tmp_path: Path) -> None:
    elsewhere = inspect(executable, "--explain-warm", cwd=tmp_path)
    reason = "an import looked at this, and it was different: "
    assert (elsewhere.returncode, elsewhere.stdout) == (1, f"It starts cold here: {reason}the current directory\n")
    told = inspect(executable, "--explain-warm", "--json", env={**ENVIRONMENT, "LOOKED_AT": "x"})
    assert (told.returncode, json.loads(told.stdout)) == (1, {"warm": False, "reason": f"{reason}LOOKED_AT"})


def test_explains_a_start_on_a_terminal(build: Build, target: Path, tmp_path: Path) -> None:
    (tmp_path / "terminal.py").write_text("import os\nIS = os.isatty(1)\n")
    (tmp_path / "asks_terminal.py").write_text("import terminal\n")
    executable = build(tmp_path / "asks_terminal.py", target, "--warm")
    assert inspect(executable, "--explain-warm").returncode == 0
    ours, theirs = pty.openpty()
    command: list[str | Path] = [sys.executable, "-m", "frazil", "inspect", executable, "--explain-warm"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, cwd="/", env=ENVIRONMENT,
                          check=False, timeout=60)  # fmt: skip
    assert done.returncode == 1
    assert b"whether stream 1 is a terminal" in os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)


def test_a_damaged_snapshot_is_said(executable: Path, tmp_path: Path) -> None:
    data = bytearray(executable.read_bytes())
    segment = next(one for one in ElfFile.parse(bytes(data)).loads() if one.address == SNAPSHOT_ADDRESS)
    damaged = tmp_path / "damaged"
    for offset, problem in ((0, "it does not begin as one"), (8, "its version is"), (16, "its sizes do not hold")):
        changed = bytearray(data)
        changed[segment.offset + offset] ^= 0xFF
        damaged.write_bytes(changed)
        damaged.chmod(0o755)
        done = inspect(damaged)
        assert done.returncode == 1
        assert f"this executable's snapshot is damaged: {problem}" in " ".join(done.stderr.split())
        explained = inspect(damaged, "--explain-warm")
        assert (explained.returncode, "the snapshot is damaged" in explained.stdout) == (1, True)


def test_reports_hold_any_text() -> None:
    report = Report(("a", "b.c"), (LeftOut("d", "it\tis\nso"),), ("é \udcff",))
    assert Report.unpack(report.pack()) == Report(("a", "b.c"), (LeftOut("d", "it is so"),), ("é \\udcff",))
    assert Report.unpack(b"module\nleft-out\tx\nfuture\tx\n\xff\n") == Report()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (layout.Condition(layout.Question.ACCESS, b"/a", argument=6), "/a may not be read and written"),
        (layout.Condition(layout.Question.ACCESS, b"/a", numbers=(1, 0)), "/a may be found"),
        (layout.Condition(layout.Question.LINK, b"/a", b"b"), "/a leads to b"),
        (layout.Condition(layout.Question.LINK, b"/a"), "/a is no link"),
        (layout.Condition(layout.Question.MISSING, b"/\xff"), "/\udcff is not there"),
        (layout.Condition(layout.Question.UMASK, b"the umask", numbers=(0o22, 0)), "the umask is 022"),
        (layout.Condition(layout.Question.WINDOW, b"", argument=1, numbers=(1, 24 << 16 | 80)),
         "the terminal on stream 1 has 24 lines of 80 columns"),
        (layout.Condition(layout.Question.LIMIT, b"the limit X", numbers=(7, (1 << 64) - 1)),
         "the limit X is 7, at most unlimited"),
        (layout.Condition(layout.Question.FILE, b"/a", numbers=(0o100644 << 48 | 3, 0)),
         "/a is a file (644) of 1970-01-01 00:00:00 UTC, 3 bytes"),
        (layout.Condition(layout.Question.FILE, b"/a", numbers=(0o100644 << 48 | 3, (1 << 64) - 1)),
         "/a is a file (644) of 2554-07-21 23:34:33 UTC, 3 bytes"),
    ],
)  # fmt: skip
def test_conditions_in_words(condition: layout.Condition, words: str) -> None:
    assert in_words(condition) == words


def test_every_question_has_words(executable: Path) -> None:
    assert inspect_warm(executable) is not None
    for question in layout.Question:
        assert in_words(layout.Condition(question, b"x"))
