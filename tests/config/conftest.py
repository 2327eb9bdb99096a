"""Sources written by tests, and a cache and a Python to make plans with."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frazil import distribution as distributions
from frazil.cache import ContentCache
from frazil.config.source import SourceOptions, plans

if TYPE_CHECKING:
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan
    from front_end import MakePlans, Write


@pytest.fixture(scope="session")
def cache(shared_directory: Path) -> ContentCache:
    return ContentCache(shared_directory / "cache")


@pytest.fixture(scope="session")
def distribution(cache: ContentCache) -> PythonDistribution:
    return distributions.running(cache)


@pytest.fixture(scope="session")
def newer_interpreters() -> list[Path]:
    """The interpreters of this machine that are 3.12 or later, when the running one is not."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [one for version in ("3.12", "3.13") for one in sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))[:1]]
    if sys.version_info >= (3, 12) or not found:
        pytest.skip("needs a Python that is newer than the running one")
    return found


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def run(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            place = tmp_path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        return tmp_path

    return run


@pytest.fixture
def make_plans(tmp_path: Path, distribution: PythonDistribution, cache: ContentCache) -> MakePlans:
    def run(source: str, **options: Any) -> tuple[Plan, ...]:
        asked = SourceOptions(source, directory=tmp_path, **options)
        return plans(asked, distribution, cache)

    return run
