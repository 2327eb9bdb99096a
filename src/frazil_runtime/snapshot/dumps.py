"""Starts an executable as one that a snapshot is made of, and reads the dump that it leaves (``docs/spec/snapshot.md``).

What the dump says was written by the program's own code, imported modules among it: sizes are checked against the files.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from frazil_runtime.snapshot.environment import environment
from frazil_runtime.snapshot.format import FormatError, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from frazil_runtime.snapshot.format import Snapshot

MAKER: Final = "/memfs:/bin/frazil-warm"
"""``argv[0]`` that asks for a dump (``warm/warm.h``)."""
TRIAL: Final = "/memfs:/bin/frazil-warm-trial"
"""``argv[0]`` that asks for a warm start without the entry."""
_TRIAL_SECONDS: Final = 20.0
_FILES: Final = ("snapshot", "layout", "notes")
"""What a dump writes."""


class DumpError(Exception):
    """No dump was made; the message says why, ``details`` is what the program wrote."""

    def __init__(self, problem: str, details: str = "") -> None:
        super().__init__(problem)
        self.details = details


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that the program asked while it imported; ``where`` is its Python stack, ``file:line``, innermost first."""

    kind: str
    name: bytes
    value: bytes | None
    where: tuple[str, ...]


@dataclass(slots=True)
class Dump:
    """One process, written down."""

    snapshot: Snapshot
    problems: list[str] = field(default_factory=list)
    """What no snapshot can hold, a sentence each."""
    freed: int = 0
    """The number that malloc marks with what is freed."""
    stacks: list[range] = field(default_factory=list)
    """Addresses of stacks of threads, which have ended."""
    notes: list[Note] = field(default_factory=list)

    def state(self) -> dict[str, str]:
        """What the modules held, a digest for each name (``state.py``)."""
        return {one.name.decode(): (one.value or b"").decode() for one in self.notes if one.kind == "state"}


def make_dump(
    executable: Path, modules: Sequence[str], directory: Path, seconds: float, variables: Mapping[str, str] | None = None
) -> Dump:
    """Have ``executable`` import ``modules`` and write itself to ``directory``. Raises DumpError."""
    for name in _FILES:
        (directory / name).unlink(missing_ok=True)
    with subprocess.Popen(
        [MAKER, directory, *modules],
        executable=executable.absolute(),
        # So that no restored process binds again what the snapshot could hold.
        env={**(environment() if variables is None else variables), "LD_BIND_NOW": "1"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise DumpError(f"importing took more than {seconds:g} seconds", _last_notes(directory)) from None
    text = output.decode(errors="replace")
    if process.returncode < 0:
        raise DumpError(f"importing ended by signal {-process.returncode}", text)
    if process.returncode > 0:
        raise DumpError("importing failed", text)
    try:
        return _read(directory)
    except (OSError, ValueError, FormatError) as error:
        raise DumpError("importing ended the program", text) from error


def try_snapshot(executable: Path, variables: Mapping[str, str], *files: Path) -> dict[str, str]:
    """Restore the snapshot that ``executable`` or the file holds, without running its entry. Raises DumpError.

    What its modules then hold, as ``Dump.state`` has it.
    """
    try:
        done = subprocess.run(
            [TRIAL, *(files or [""])],
            executable=executable.absolute(),
            env={**variables, "FRAZIL_DEBUG": "warm"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd="/",
            timeout=_TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise DumpError("the snapshot cannot be restored: it does not come to an end") from None
    output = done.stderr.decode(errors="replace")
    if done.returncode != 0 or output != "frazil: warm: warm\n":
        raise DumpError("the snapshot cannot be restored", output)
    return dict(line.split("\t", 1) for line in done.stdout.decode(errors="replace").splitlines() if "\t" in line)


def _last_notes(directory: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(f"{one.kind} {one.name!r} {' '.join(one.where)}" for one in list(_notes(directory))[-5:])
    return ""


def _read(directory: Path) -> Dump:
    dump = Dump(read((directory / "snapshot").read_bytes()))
    lines = (directory / "layout").read_text(errors="surrogateescape").splitlines()
    if lines[-1:] != ["end"]:
        raise ValueError("the layout is not complete")
    for line in lines[:-1]:
        _take(dump, line)
    dump.notes = list(_notes(directory))
    return dump


def _take(dump: Dump, line: str) -> None:
    kind, _, rest = line.partition("\t")
    match kind:
        case "stack":
            low, high = rest.split("\t")
            dump.stacks.append(range(int(low, 16), int(high, 16)))
        case "freed":
            dump.freed = int(rest, 16)
        case "descriptor":
            dump.problems.append(f"{rest.partition(chr(9))[2]} is open")
        case "running":
            dump.problems.append(f"{rest} threads are running")
        case _:
            dump.problems.append(rest)


def _notes(directory: Path) -> Iterator[Note]:
    for line in (directory / "notes").read_text().splitlines():
        kind, name, value, where = line.split("\t")
        places = tuple(os.fsdecode(unquote_to_bytes(one)) for one in where.split("|") if one)
        yield Note(kind, unquote_to_bytes(name), unquote_to_bytes(value[1:]) if value[0] == "=" else None, places)
