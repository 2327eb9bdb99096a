"""A directory with sources, and manifests evaluated in it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from frazil.config.manifest import Evaluation, ManifestOptions, evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from front_end import Write
    from manifests import Evaluate

SOURCES: dict[str, str | bytes] = {
    "src/a.py": "A = 1\n",
    "src/b.py": "B = 2\n",
    "src/sub/__init__.py": "",
    "src/sub/c.py": "C = 3\n",
    "src/notes.txt": "notes\n",
    "src/UP.PY": "U = 4\n",
    "src/data.d/e.py": "E = 5\n",
    "src/.hidden.py": "H = 6\n",
    "src/.git/config.py": "G = 7\n",
    "src/__pycache__/a.cpython-311.pyc": b"\0\0",
    "mpyd/m.mpy": b"M\x06\x00\x1f",
    "pure/x.py": "X = 8\n",
    "pure/deep/y.py": "Y = 9\n",
}


@pytest.fixture
def sources(write: Write) -> Path:
    return write(SOURCES)


@pytest.fixture
def run(sources: Path) -> Evaluate:
    def evaluated(text: str, *, collect: bool = False, **options: Any) -> Evaluation:
        (sources / "manifest.py").write_text(textwrap.dedent(text))
        variables = {"PORT_DIR": str(sources), **options.pop("variables", {})}
        asked = ManifestOptions(("manifest.py",), variables, directory=sources, **options)
        return evaluate(asked, collect=collect)

    return evaluated
