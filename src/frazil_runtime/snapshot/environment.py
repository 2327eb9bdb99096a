"""The environment that snapshots are made and tried in."""

from __future__ import annotations

import os
from typing import Final

_OF_LOGINS: Final = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
"""What every login sets: a snapshot of an import that looks at one would fit nobody without it. What no import looks at is
in no snapshot."""
_OTHERS: Final = ("FRAZIL_", "GLIBC_TUNABLES", "LANG", "LC_", "LD_", "MALLOC_", "PYTHON")
"""What libc, Python or the launcher itself looks at: with these set, starts are cold, or have their own from the start."""


def environment() -> dict[str, str]:
    """Those of this user. The locale is C, so that libc maps no file for another one."""
    return {name: os.environ[name] for name in _OF_LOGINS if name in os.environ}


def variables_for_imports() -> dict[str, str]:
    """The variables of this process that imports may see when they look at them, and at no others."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
