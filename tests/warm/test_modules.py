"""What a snapshot imports when nobody names it: what the import statements of the program do, submodules too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from frazil.builder.warm.inspection import inspect_warm
from started import WARM, start
from support import Build

PROGRAM = """\
import sys

EARLY = "package.deep" in sys.modules, "package.hidden" in sys.modules
from package import deep, hidden

if __name__ == "__main__":
    print(EARLY, deep.NAME, hidden)
"""

TAKEN_APART = """\
import sys

THERE = sorted({"good", "json", "middle", "speaks"} & {*sys.modules})
import middle

if __name__ == "__main__":
    print(THERE, middle.speaks.LANGUAGE)
"""


def test_submodules_that_are_imported_from_a_package(build: Build, target: Path, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("hidden = 'an attribute'\n")
    (package / "deep.py").write_text("NAME = __name__\n")
    (package / "hidden.py").write_text("raise AssertionError('an attribute of the package goes first')\n")
    (tmp_path / "from_package.py").write_text(PROGRAM)
    executable = build(tmp_path / "from_package.py", target, "--warm")
    decision, outcome = start([executable])
    assert decision == WARM
    assert outcome == (0, "(True, False) package.deep an attribute\n", "")
    assert start([executable], cold=True)[1] == (0, "(False, False) package.deep an attribute\n", "")


def test_what_a_module_imports_stays_when_the_module_cannot(build: Build, target: Path, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("NAME = __name__\n")
    (tmp_path / "speaks.py").write_text("import os\nLANGUAGE = os.environ.get('LANG')\n")
    (tmp_path / "middle.py").write_text("import good, json, speaks\n")
    (tmp_path / "taken.py").write_text(TAKEN_APART)
    executable = build(tmp_path / "taken.py", target, "--warm")
    decision, outcome = start([executable], env={"LANG": "C.UTF-8"})
    assert decision == WARM
    assert outcome == (0, "['good', 'json'] C.UTF-8\n", "")
    done = subprocess.run([sys.executable, "-m", "frazil", "inspect", executable], capture_output=True, text=True, check=True)
    assert "it imports speaks" in done.stdout
    assert "speaks.py:2 looks at LANG" in done.stdout


def test_a_module_that_is_another_once_restored(build: Build, target: Path, tmp_path: Path) -> None:
    changing = "import os\ndef told(): return 1\nos.register_at_fork(after_in_child=lambda: globals().update(more=2))\n"
    (tmp_path / "changing.py").write_text(changing)
    steady = "import os\nNAME = None\nos.register_at_fork(after_in_child=lambda: globals().update(NAME=2))\n"
    (tmp_path / "steady.py").write_text(steady)
    (tmp_path / "compared.py").write_text("import changing, steady\nprint(changing.told())\n")
    executable = build(tmp_path / "compared.py", target, "--warm")
    found = inspect_warm(executable)
    assert found
    assert found.report.modules == ("os", "steady")  # what the other one imports
    assert [(one.module, one.reason) for one in found.report.left_out] == [
        ("changing", "no snapshot can be made: once restored, changing is not what was imported")
    ]
    assert start([executable]) == (WARM, (0, "1\n", ""))
