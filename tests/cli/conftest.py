"""A project with two console scripts that builds without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "pair"
version = "1"

[project.scripts]
one = "pair:one"
two = "pair:two"
"""
BACKEND = """\
import zipfile

INFO = "pair-1.dist-info"

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "pair-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.write("pair.py", "pair.py")
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\\nName: pair\\nVersion: 1\\n")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{INFO}/entry_points.txt", "[console_scripts]\\none = pair:one\\ntwo = pair:two\\n")
        wheel.writestr(f"{INFO}/RECORD", f"pair.py,,\\n{INFO}/METADATA,,\\n{INFO}/WHEEL,,\\n{INFO}/RECORD,,\\n")
    return name
"""


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """The project's directory."""
    project = tmp_path / "pair"
    project.mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "backend.py").write_text(BACKEND)
    (project / "pair.py").write_text("def one():\n    print('one')\n\n\ndef two():\n    print('two')\n")
    return project
