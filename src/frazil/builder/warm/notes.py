"""What imports looked at, as conditions of a snapshot and as remarks for the program's author."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.warm import format as layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from frazil.builder.warm.dumps import Note

_IGNORED: Final = frozenset({b"FRAZIL_DEBUG", b"FRAZIL_START_COLD", b"LD_BIND_NOW", b"LC_ALL", b"LC_CTYPE", b"LANG"})
"""The launcher's own, and those that the locale is known by: that is part of the key."""
_RENEWED: Final = (
    "/random.py", "/logging/__init__.py", "/multiprocessing/process.py", "/numpy/random/", "/threading.py", "/frazil_runtime/",
)  # fmt: skip
"""Files whose time, random numbers and identities are set anew in a restored process."""
_OWN_ASKERS: Final = {b"HOME": ("/sysconfig.py", "/sysconfig/__init__.py"), b"TZ": ("/_strptime.py",)}
"""Who asks for a variable only to keep what is set anew in a restored process: the directory of the user's packages; or looks
again at each use: what dates are read by."""
_WHAT: Final = {
    "random": "random numbers",
    "time": "the time",
    "process": "the process's number",
    "host": "the host's name",
    "environment": "all variables of the environment",
}


def conditions(notes: Iterable[Note]) -> list[layout.Condition]:
    """What must be as it was while importing."""
    found: dict[tuple[int, bytes], layout.Condition] = {}
    for one in _of_notes(notes):
        found.setdefault((one.kind, one.name), one)
    return list(found.values())


def _of_notes(notes: Iterable[Note]) -> Iterator[layout.Condition]:
    for one in notes:
        if not one.where:
            continue  # Python itself, before anything was imported
        if one.kind in {"variable", "zone"} and _asker(one).endswith(_OWN_ASKERS.get(one.name, ())):
            continue
        if one.kind == "zone":
            yield _of_variable(one)
            yield _of_file(b"/etc/localtime")
        elif one.kind == "variable" and one.name not in _IGNORED and not one.name.startswith(b"PYTHON"):
            yield _of_variable(one)
        elif one.kind == "file" and not one.name.startswith((b"/proc/", b"/dev/", b"/sys/")):
            yield _of_file(one.name)


def _of_variable(note: Note) -> layout.Condition:
    if note.value is None:
        return layout.Condition(layout.ABSENT, note.name)
    return layout.Condition(layout.VARIABLE, note.name, note.value)


def _asker(note: Note) -> str:
    """The file of the standard library whose code asked; empty when it was another."""
    place = next((where for where in note.where if "/frazil_runtime/" not in where), "")
    return place.rpartition(":")[0] if "/site-packages/" not in place else ""


def _of_file(name: bytes) -> layout.Condition:
    try:
        status = Path(os.fsdecode(name)).stat()
    except OSError:
        return layout.Condition(layout.MISSING, name)
    return layout.Condition(layout.FILE_IS, name, size=status.st_size, modified=status.st_mtime_ns)


def remarks(notes: Iterable[Note]) -> tuple[str, ...]:
    """What the program's author should know, a sentence each."""
    lines: dict[str, None] = {}
    for one in notes:
        place = next((where for where in one.where if "/frazil_runtime/" not in where), "")
        if one.kind in _WHAT and place and not any(part in place for part in _RENEWED):
            lines[f"{place}: an import asks for {_WHAT[one.kind]}, which all warm starts then share"] = None
    return tuple(lines)
