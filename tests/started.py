"""Runs an executable warm and cold, and tells what it decided."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WARM: Final = "frazil: warm: warm"
_OURS: Final = "frazil: warm: "
ENVIRONMENT: Final = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


class Outcome(NamedTuple):
    """What a program that ran shows to others; ``error`` is without the decision's line."""

    code: int
    output: str
    error: str


def start(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, cold: bool = False
) -> tuple[str, Outcome]:
    """Run it: the decisions about its start (a line each), and its outcome."""
    variables = {**ENVIRONMENT, **(env or {}), "FRAZIL_DEBUG": "warm"}
    if cold:
        variables["FRAZIL_START_COLD"] = "1"
    done = subprocess.run(
        command,
        env=variables,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=120,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    )
    lines = done.stderr.splitlines(keepends=True)
    decisions = [line for line in lines if line.startswith(_OURS)]
    rest = "".join(line for line in lines if not line.startswith(_OURS))
    return "".join(decisions).strip(), Outcome(done.returncode, done.stdout, rest)
