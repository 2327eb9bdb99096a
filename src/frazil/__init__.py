"""frazil freezes a Python application into one native executable."""

from __future__ import annotations

from importlib import metadata

__version__ = metadata.version("frazil")
