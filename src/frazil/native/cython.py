"""Translate Cython and Python sources to C or C++, with the ``cython`` package of the Python that runs frazil."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.errors import HostError, SourceError

if TYPE_CHECKING:
    from frazil.native.source import NativeSource

_INSTALL: Final = "Install it beside frazil: pip install 'frazil[cython]'"


@functools.cache
def cython_version() -> str:
    """The version of the cython package; HostError when it is not installed."""
    try:
        return importlib.metadata.version("cython")
    except importlib.metadata.PackageNotFoundError:
        raise HostError("Cython is needed for .pyx and .py sources, and is not installed", remedy=_INSTALL) from None


def translate(declared: NativeSource, source: Path, work: Path) -> tuple[Path, set[Path]]:
    """The C or C++ file that is made of ``source`` in ``work``, and what else was read for it.

    Raises SourceError with Cython's output when it does not translate.
    """
    cython_version()
    base = declared.base or source.parent
    output = work / f"{source.stem}{'.cpp' if declared.is_cxx else '.c'}"
    # Paths relative to the project: what Cython writes down for tracebacks is the same on every machine.
    given = os.path.relpath(source, base)
    words = [sys.executable, "-P", "-m", "cython", "-3", "-M", "--module-name", declared.module]
    words += [*(["--cplus"] if declared.is_cxx else []), *(f"-I{one}" for one in declared.include_directories)]
    done = subprocess.run(
        [*words, "-o", os.fspath(output), given], cwd=base, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0 or not output.exists():
        details = (done.stdout + done.stderr).decode(errors="replace")
        raise SourceError(f"Cython cannot translate this source of {declared.module}", where=source, details=details[-4000:])
    return output, _read(Path(f"{output}.dep"), base)


def _read(listed: Path, base: Path) -> set[Path]:
    try:
        words = listed.read_text(encoding="utf-8").replace("\\\n", " ").partition(":")[2].split()
    except OSError:
        return set()
    return {Path(os.path.normpath(base / one)) for one in words}
