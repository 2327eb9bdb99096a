"""The environment that snapshots are made and tried in."""

from __future__ import annotations

import os
from typing import Final

_OF_LOGINS: Final = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
"""What every login sets: a snapshot of an import that looks at one would fit nobody without it. What no import looks at is
in no snapshot."""


def environment() -> dict[str, str]:
    """Those of this user. The locale is C, so that libc maps no file for another one."""
    return {name: os.environ[name] for name in _OF_LOGINS if name in os.environ}
