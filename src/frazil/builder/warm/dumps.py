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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAKER: Final = "/memfs:/bin/frazil-warm"
"""``argv[0]`` that asks for a dump (``warm/warm.h``)."""
TRIAL: Final = "/memfs:/bin/frazil-warm-trial"
"""``argv[0]`` that asks for a warm start without the entry."""
_TRIAL_SECONDS: Final = 20.0
_LINE_FIELDS: Final = 5
_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "LD_BIND_NOW": "1"}
"""Bound at once, so that no address of the dynamic linker is left in tables that it would fill later."""


class DumpError(Exception):
    """No dump was made; the message says why, ``details`` is what the program wrote."""

    def __init__(self, problem: str, details: str = "") -> None:
        super().__init__(problem)
        self.details = details


@dataclass(frozen=True, slots=True)
class Range:
    """Memory of the dumped process: what it is, where it stood, and where it stands in the dump."""

    kind: str
    address: int
    size: int
    offset: int
    name: str


@dataclass(frozen=True, slots=True)
class Object:
    """A program or library of the dumped process."""

    base: int
    low: int
    high: int
    name: str


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that the program asked while it imported; ``where`` is its Python stack, ``file:line``, innermost first."""

    kind: str
    name: bytes
    value: bytes | None
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """A line of ``/proc/self/maps``."""

    low: int
    high: int
    writable: bool
    name: str


@dataclass(slots=True)
class Dump:
    """One process, written down."""

    memory: bytes
    complete: bool = True
    """Whether all that had to be recorded was."""
    processor: int = 0
    thread: int = 0
    linker: int = 0
    vdso: int = 0
    ranges: list[Range] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)
    """Libraries whose thread-local block no code has used."""
    descriptors: list[str] = field(default_factory=list)
    """What was open, standard streams apart."""
    running: int = 0
    """Threads beside the main one."""
    mappings: list[Mapping] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def content(self, of: Range) -> memoryview:
        """The bytes of a range."""
        return memoryview(self.memory)[of.offset : of.offset + of.size]


def make_dump(executable: Path, modules: Sequence[str], directory: Path, seconds: float) -> Dump:
    """Have ``executable`` import ``modules`` and write itself to ``directory``. Raises DumpError."""
    with subprocess.Popen(
        [MAKER, directory, *modules],
        executable=executable.absolute(),
        env=_ENVIRONMENT,
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
    except (OSError, ValueError) as error:
        raise DumpError("importing ended the program", text) from error


def try_snapshot(executable: Path) -> None:
    """Restore the snapshot that ``executable`` holds, without running its entry. Raises DumpError."""
    environment = {"LANG": "C.UTF-8", "FRAZIL_DEBUG": "warm"}
    try:
        done = subprocess.run(
            [TRIAL],
            executable=executable.absolute(),
            env=environment,
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


def _last_notes(directory: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(f"{one.kind} {one.name!r} {' '.join(one.where)}" for one in list(_notes(directory))[-5:])
    return ""


def _read(directory: Path) -> Dump:
    dump = Dump((directory / "memory").read_bytes())
    text = (directory / "layout").read_text(errors="surrogateescape")
    head, marker, rest = text.partition("mappings\t0\t0\t0\t\n")
    if not marker or not rest.endswith("end\t0\t0\t0\t\n"):
        raise ValueError("the layout is not complete")
    for line in head.splitlines():
        _take(dump, line)
    dump.mappings = [_mapping(line) for line in rest.splitlines()[:-1]]
    dump.notes = list(_notes(directory))
    return dump


def _take(dump: Dump, line: str) -> None:
    kind, *rest = line.split("\t", _LINE_FIELDS - 1)
    first, second, third = (int(one, 16) for one in rest[:3])
    name = rest[3]
    match kind:
        case "dump":
            dump.complete, dump.processor = bool(second), int(name, 16)
        case "self":
            dump.thread = first
        case "linker":
            dump.linker = first
        case "vdso":
            dump.vdso = first
        case "running":
            dump.running = first
        case "object":
            dump.objects.append(Object(first, second, third, name))
        case "untouched":
            dump.untouched.append(name)
        case "descriptor":
            dump.descriptors.append(name)
        case _:
            if third + second > len(dump.memory):
                raise ValueError("a range lies outside the dump")
            dump.ranges.append(Range(kind, first, second, third, name))


def _mapping(line: str) -> Mapping:
    parts = line.split(maxsplit=5)
    low, _, high = parts[0].partition("-")
    return Mapping(int(low, 16), int(high, 16), "w" in parts[1], parts[5] if len(parts) > 5 else "")  # noqa: PLR2004 - fields


def _notes(directory: Path) -> Iterator[Note]:
    for line in (directory / "notes").read_text().splitlines():
        kind, name, value, where = line.split("\t")
        places = tuple(os.fsdecode(unquote_to_bytes(one)) for one in where.split("|") if one)
        yield Note(kind, unquote_to_bytes(name), unquote_to_bytes(value[1:]) if value[0] == "=" else None, places)
