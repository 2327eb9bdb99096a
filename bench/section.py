"""What the parts of the measurements have in common: each prints its own section of the page when it is run alone."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def interpreter() -> Path:
    """The Python that is measured unless another one is named: the running one, outside of its virtual environment."""
    return Path(sys.base_prefix) / f"bin/python3.{sys.version_info.minor}"


def print_section(report: Callable[[Path, Path, Mapping[str, str]], list[str]], python: Path | None = None) -> None:
    """Measure in a directory of its own and print; the first argument of the command names another Python."""
    if python is None:
        python = Path(sys.argv[1]) if len(sys.argv) > 1 else interpreter()
    work = Path(tempfile.mkdtemp(prefix="frazil-bench-"))
    try:
        print("\n".join(report(work, python, os.environ)))
    finally:
        shutil.rmtree(work)
