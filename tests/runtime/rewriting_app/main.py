"""Writes over its own modules and imports what it has written."""

import importlib
import sys
from pathlib import Path

here = Path(__file__).absolute().parent
sys.path.insert(0, str(here))
(here / "parts/overwritten.py").write_text("VALUE = 'written by the program'\n")
(here / "parts/removed.py").unlink()
(here / "parts/shadowed").mkdir()
(here / "parts/shadowed/__init__.py").write_text("VALUE = 'a package before a module'\n")
(here / "colorsys.py").write_text("VALUE = 'before the standard library'\n")
importlib.invalidate_caches()
for name in ("kept", "overwritten", "removed", "shadowed"):
    try:
        module = importlib.import_module(f"parts.{name}")
    except ImportError as error:
        print(type(error).__name__, error)
    else:
        print(module.VALUE, module.__file__)
print(importlib.import_module("colorsys").VALUE)
