"""Modules to freeze, the real cross compiler, and a firmware to freeze for."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.builder.micropython.mpy_cross import CrossCompiler, find_mpy_cross
from frazil.cache import ContentCache
from frazil.frozen import Dialect, FrozenModule, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

FIRMWARE = Path(__file__).with_name("firmware")


@pytest.fixture
def compiler(tmp_path: Path) -> CrossCompiler:
    return CrossCompiler(find_mpy_cross(None, {}, os.environ), (), Dialect.CURRENT, ContentCache(tmp_path / "cache"))


@pytest.fixture
def micropython() -> Path:
    """A MicroPython that runs here."""
    if sys.version_info >= (3, 14):
        pytest.skip("there is no MicroPython on PyPI for this Python yet")
    place = Path(sys.executable).parent / "micropython"
    assert place.is_file(), "install the extra 'test'"
    return place


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., FrozenModule]:
    """A function that writes a file and makes a module of it."""

    def make(target: str, content: str | bytes, kind: Kind = Kind.SOURCE, opt: int | None = None) -> FrozenModule:
        place = tmp_path / "sources" / target
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return FrozenModule(kind, target, place, opt, "manifest.py", 1)

    return make


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """A directory with a firmware's source and build."""
    place = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, place)
    header = place / "build/genhdr/qstrdefs.preprocessed.h"
    header.parent.mkdir(parents=True)
    header.write_text("QCFG(BYTES_IN_LEN, 1)\n")
    return place
