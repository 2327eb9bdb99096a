"""Runs an executable warm and cold, and tells what it decided."""

from __future__ import annotations

import signal
import subprocess
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from frazil_runtime.snapshot.environment import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

WARM: Final = "frazil: warm: warm"
_OURS: Final = "frazil: warm: "
ENVIRONMENT: Final = {**environment(), "LANG": "C.UTF-8"}


class Outcome(NamedTuple):
    """What a program that ran shows to others; ``error`` is without the decision's line."""

    code: int
    output: str
    error: str


def start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    cold: bool = False,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    prepare: Callable[[], object] = lambda: None,
) -> tuple[str, Outcome]:
    """Run it: the decisions about its start (a line each), and its outcome. ``prepare`` runs in the process, before."""

    def prepare_all() -> None:
        for number in (signal.SIGPIPE, signal.SIGHUP):  # Python ignores the one, who runs the tests perhaps the other
            signal.signal(number, signal.SIG_DFL)
        prepare()

    done = subprocess.run(
        command,
        env=variables(env, cold=cold),
        cwd=cwd,
        stdin=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=120,
        preexec_fn=prepare_all,
    )
    decisions, rest = without_decisions(done.stderr)
    return decisions, Outcome(done.returncode, done.stdout, rest)


def variables(env: Mapping[str, str] | None, *, cold: bool) -> dict[str, str]:
    """The environment in which a program says how it starts."""
    return {**ENVIRONMENT, **(env or {}), "FRAZIL_DEBUG": "warm", **({"FRAZIL_START_COLD": "1"} if cold else {})}


def without_decisions(text: str) -> tuple[str, str]:
    """The decisions' lines, and the others."""
    lines = text.splitlines(keepends=True)
    decisions = [line for line in lines if line.startswith(_OURS)]
    return "".join(decisions).strip(), "".join(line for line in lines if not line.startswith(_OURS))
