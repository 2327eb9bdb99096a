"""What a snapshot imports when nobody names it: what the import statements of the program do, submodules too."""

from __future__ import annotations

from pathlib import Path

from started import WARM, start
from support import Build

PROGRAM = """\
import sys

EARLY = "package.deep" in sys.modules, "package.hidden" in sys.modules
from package import deep, hidden

if __name__ == "__main__":
    print(EARLY, deep.NAME, hidden)
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
