"""The environment that snapshots are made and tried in."""

from __future__ import annotations

import os
from typing import Final

_OF_LOGINS: Final = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
"""What every login sets, and no snapshot would fit without: an import that looks at one does so on behalf of this user."""


def environment() -> dict[str, str]:
    """The variables, as few as can be. The locale is C, so that libc maps no file for another one."""
    return {name: os.environ[name] for name in _OF_LOGINS if name in os.environ}
