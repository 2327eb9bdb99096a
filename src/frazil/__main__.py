"""``python -m frazil``."""

from __future__ import annotations

import sys

from frazil.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
