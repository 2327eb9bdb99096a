"""What an executable that was built warm holds, and whether it would start warm here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import subprocess
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import icecube
from frazil.builder.elf import SNAPSHOT_ADDRESS, find_segment, read_image
from frazil.errors import SourceError
from frazil_runtime.snapshot import format as layout
from frazil_runtime.snapshot.dumps import TRIAL
from frazil_runtime.snapshot.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SAYS: Final = "frazil: warm: "
_WINDOW_SIZE: Final = 8
_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A snapshot: its bytes in the executable, what it holds and what it depends on."""

    size: int
    report: Report
    objects: tuple[layout.Object, ...]
    conditions: tuple[layout.Condition, ...]
    environment: bool
    """Whether variables ``PYTHON...`` make a start cold."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a start goes, and why it is cold."""

    warm: bool
    reason: str


def inspect_warm(path: Path) -> WarmStart | None:
    """The snapshot in an executable; None when it has none. Raises SourceError when its tables do not hold."""
    data = find_segment(path, SNAPSHOT_ADDRESS)
    if data is None:
        return None
    try:
        snapshot = layout.read(bytes(data))
    except layout.FormatError as error:
        problem = f"this executable's snapshot is damaged: {error}"
        raise SourceError(problem, where=path, remedy="It starts cold. Build it again, or fetch a whole copy.") from error
    return WarmStart(
        size=len(data),
        report=Report.unpack(snapshot.report),
        objects=tuple(snapshot.objects),
        conditions=tuple(snapshot.conditions),
        environment=bool(snapshot.flags & layout.HONOURS_ENVIRONMENT),
    )


def explain_start(path: Path) -> Decision:
    """Start it as it would be started from here, but for its entry: it says whether that was warm. Raises SourceError."""
    if find_segment(path, SNAPSHOT_ADDRESS) is None and icecube.Image(read_image(path)).settings().get("warm.first-run") != "1":
        remedy = "Build it with --warm; the build says what cannot be in a snapshot."
        raise SourceError("this executable has no snapshot: it always starts cold", where=path, remedy=remedy)
    environment = {name: value for name, value in os.environ.items() if name != "FRAZIL_START_COLD"}
    with _output(1) as (output, _), _output(2) as (errors, read):
        try:
            subprocess.run(
                [TRIAL], executable=path.absolute(), env={**environment, "FRAZIL_DEBUG": "warm"}, stdout=output, stderr=errors,
                check=False, timeout=_SECONDS,
            )  # fmt: skip
        except OSError as error:
            raise SourceError(f"this executable cannot be started: {error.strerror}", where=path) from error
        except subprocess.TimeoutExpired as error:
            raise SourceError("this executable does not start", where=path) from error
        said = _read_all(read, errors).decode(errors="replace").splitlines()
    decisions = [line.removeprefix(_SAYS) for line in said if line.startswith(_SAYS)]
    if not decisions:
        raise SourceError("this executable does not say how it starts", where=path, details="\n".join(said))
    return Decision(decisions == ["warm"], "; ".join(one.removeprefix("cold: ") for one in decisions if one != "warm"))


@contextlib.contextmanager
def _output(stream: int) -> Iterator[tuple[int, int]]:
    """What a program may write to in the place of our standard stream, and where that is read: a terminal if ours is one."""
    if os.isatty(stream):
        ours, theirs = pty.openpty()
        size = fcntl.ioctl(stream, termios.TIOCGWINSZ, bytes(_WINDOW_SIZE))
        fcntl.ioctl(ours, termios.TIOCSWINSZ, size)
    else:
        ours, theirs = os.pipe()
    try:
        yield theirs, ours
    finally:
        for one in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(one)


def _read_all(read: int, write: int) -> bytes:
    """What was written, by programs that have ended."""
    os.close(write)
    parts = []
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while part := os.read(read, 65536):
            parts.append(part)
    return b"".join(parts)
