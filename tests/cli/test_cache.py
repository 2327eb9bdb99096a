from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from frazil.cache import ContentCache


def cache(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", "cache", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "FRAZIL_CACHE_DIR": str(root)})


def test_path(tmp_path: Path) -> None:
    answer = cache("path", root=tmp_path)
    assert answer.stdout == f"{ContentCache(tmp_path).root}\n"
    assert answer.returncode == 0


def test_clear_removes_entries_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    held = ContentCache(tmp_path)
    held.write("kind", "ab" * 32, bytes(2048))
    answer = cache("clear", root=tmp_path)
    assert answer.stdout == f"{held.root}: 2.0 KiB removed\n"
    assert held.read("kind", "ab" * 32) is None
    assert (tmp_path / "mine").read_text() == "kept"


def test_clear_of_nothing(tmp_path: Path) -> None:
    answer = cache("clear", "--quiet", root=tmp_path / "absent")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
