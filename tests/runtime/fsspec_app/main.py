# /// script
# dependencies = ["fsspec>=2024.6", "pytest>=8.2"]
# ///
"""Runs fsspec's own tests of file systems on memfs, inside an executable."""

import sys

import pytest

sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "/memfs:/app/cases.py", *sys.argv[1:]]))
