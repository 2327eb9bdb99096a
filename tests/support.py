"""Types of the fixtures in ``conftest.py`` and ``e2e/conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Build(Protocol):
    """Build SOURCE for an interpreter with options of ``frazil build``; the executable. Built once in a whole run.

    ``cold``: without a snapshot, also where the run is one of warm executables.
    """

    def __call__(
        self, source: str | Path, target: Path, *options: str, cwd: Path | None = None, cold: bool = False
    ) -> Path: ...


class RunInRoot(Protocol):
    """Run an executable as ``/NAME`` in the bare root, with no environment but LANG and what is given."""

    def __call__(
        self, executable: Path, arguments: Sequence[str] = (), *, env: Mapping[str, str] | None = None, name: str = "app"
    ) -> subprocess.CompletedProcess[str]: ...


class Compile(Protocol):
    """Compile a source to a PMM in a directory; options are those of ``frazil pmm compile``."""

    def __call__(self, directory: Path, name: str, source: str, *options: str) -> Path: ...
