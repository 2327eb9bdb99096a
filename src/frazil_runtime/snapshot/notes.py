"""What imports looked at, as conditions of a snapshot and as remarks for the program's author."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zlib import crc32

from frazil_runtime.snapshot.format import Condition, Question
from frazil_runtime.snapshot.subjects import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from frazil_runtime.snapshot.dumps import Note

_CONTENT_SIZE: Final = 65536
_OF_FILES: Final = frozenset({Question.FILE, Question.MISSING, Question.TYPE})
"""Answers of one question: what stands at a path."""
_OWN_VARIABLES: Final = frozenset({b"FRAZIL_DEBUG", b"FRAZIL_START_COLD", b"LD_BIND_NOW"})
"""The launcher's own, and the builder's."""
_OF_LOCALE: Final = frozenset({b"LANG", b"LANGUAGE", b"LC_ALL", b"LC_CTYPE", b"LC_MESSAGES"})
"""What language the user reads; a snapshot that is made without one fits hardly anybody."""
_RENEWED: Final = (
    "/random.py", "/logging/__init__.py", "/multiprocessing/process.py", "/numpy/random/", "/threading.py", "/frazil_runtime/",
)  # fmt: skip
"""Files whose time, random numbers and identities are set anew in a restored process."""
_WHAT: Final = {
    "random": "random numbers",
    "time": "the time",
    "process": "the process's number",
    "load": "the system's load",
    "network": "an answer from the network",
}
_HOST_FIELDS: Final[Mapping[bytes, tuple[int, ...]]] = {
    b"system": (), b"machine": (), b"processor": (), b"architecture": (), b"libc_ver": (), b"node": (1,), b"release": (2,),
    b"version": (3,),
}  # fmt: skip
"""What functions of ``platform`` tell of uname's answer; the others may tell all of it. System and machine never differ."""
_EXTENSION: Final = "an extension module"
"""Where the run-time's import statement is the only Python code."""
_CHANGING: Final = (
    b"/proc/self/", b"/proc/thread-self/", b"/proc/cpuinfo", b"/proc/diskstats", b"/proc/interrupts", b"/proc/loadavg",
    b"/proc/meminfo", b"/proc/net/", b"/proc/sched", b"/proc/softirqs", b"/proc/stat", b"/proc/sys/fs/",
    b"/proc/sys/kernel/random/", b"/proc/uptime", b"/proc/vmstat", b"/proc/zoneinfo",
)  # fmt: skip
"""Files whose content changes by itself."""


@dataclass(frozen=True, slots=True)
class _Afresh:
    """A question that says nothing about whether a snapshot fits: a restored process asks again, or nobody keeps the answer."""

    questions: tuple[Question, ...]
    name: bytes
    askers: tuple[str, ...]
    """The ends of files whose code asks; empty for all code."""
    beside: Question | None = None
    """Only where the same line of code asks this, too: that answer decides."""


_VARIABLE: Final = (Question.VARIABLE, Question.ABSENT)
_SYSCONFIG: Final = ("/sysconfig.py", "/sysconfig/__init__.py")
_AFRESH: Final = (
    # The directory of the user's packages, which frazil_runtime.warm finds again.
    _Afresh(_VARIABLE, b"HOME", _SYSCONFIG),
    _Afresh((Question.USER,), b"", _SYSCONFIG),
    _Afresh((Question.FILE,), b"/etc/passwd", _SYSCONFIG),
    # What dates are read by: it looks again at each use.
    _Afresh(_VARIABLE, b"TZ", ("/_strptime.py",)),
    _Afresh((Question.FILE, Question.MISSING), b"/etc/localtime", ("/_strptime.py",)),
    # sys.executable, which boot.set_process sets.
    _Afresh((Question.LINK,), b"/proc/self/exe", ()),
    # What children of multiprocessing start in and close, and what rich completes paths by: frazil_runtime.warm sets them.
    _Afresh((Question.DIRECTORY,), b"", ("/multiprocessing/process.py", "/rich/__init__.py")),
    _Afresh((Question.SYSTEM,), b"", ("/multiprocessing/util.py",)),
    # numpy takes all that uname tells, and looks at the system, the machine, and whether the kernel is older than 4.6.
    _Afresh((Question.HOST,), b"", ("/numpy/_core/_add_newdocs_scalars.py", "/numpy/core/_add_newdocs_scalars.py")),
    _Afresh((Question.HOST,), b"", ("/numpy/__init__.py",)),
    # OpenBLAS takes the processors that it may use, if those are not more than there are.
    _Afresh((Question.SYSTEM,), b"", ("/numpy/_core/multiarray.py", "/numpy/core/multiarray.py"), beside=Question.PROCESSORS),
)


def conditions(notes: Iterable[Note]) -> list[Condition]:
    """What must be as it was while importing."""
    found: dict[tuple[object, ...], Condition] = {}
    for _, one in _questions(notes):
        if one.question is Question.CONTENT and _is_changing(one):
            continue
        key: tuple[object, ...] = (one.question, one.name, one.argument)
        if one.question not in _OF_FILES:
            found.setdefault(key, one)  # later answers may be the import's own doing: it sets the umask to learn what it was
            continue
        key = ("file", one.name, one.argument)
        if one.question is not Question.TYPE or key not in found or found[key].question is Question.MISSING:
            found[key] = one  # the last one: it may have been made or written
    return [named(one) for one in found.values()]


def remarks(notes: Iterable[Note]) -> tuple[str, ...]:
    """What the program's author should know, a sentence each."""
    notes = tuple(notes)
    lines: dict[str, None] = {}
    for note in notes:
        place = _place(note)
        if note.kind in _WHAT and place and not any(part in place for part in _RENEWED):
            lines[f"{place}: an import asks for {_WHAT[note.kind]}, which all warm starts then share"] = None
        elif note.kind == "written" and place:
            lines[f"{place}: an import writes {os.fsdecode(note.name)}, which warm starts do not"] = None
        elif note.kind == "program" and place:
            lines[f"{place}: an import runs {os.fsdecode(note.name)}, which warm starts do not"] = None
    told: dict[str, str] = {}
    for note, one in _questions(notes):
        if one.question is Question.CONTENT and _is_changing(one):
            told.setdefault(
                f"an import reads {os.fsdecode(one.name)}, whose content of now all warm starts then share", _place(note)
            )
        elif one.question >= Question.DIRECTORY:
            subject = os.fsdecode(named(one).name)
            told.setdefault(f"an import looks at {subject}; starts are warm only where it is the same", _place(note))
    return (*lines, *(f"{place or _EXTENSION}: {what}" for what, place in told.items()))


def obstacles(notes: Iterable[Note], *, for_others: bool) -> tuple[str, ...]:
    """What imports did that no restored process can follow, a sentence each.

    They changed what each process has of its own, or looked which variables there are, which hardly two starts have in common;
    or, in a snapshot for others, at the user's language.
    """
    found: dict[str, None] = {}
    for note in notes:
        if note.kind == "changed":
            found[f"{os.fsdecode(note.name)} was changed"] = None
        elif for_others and note.kind == "variable" and note.name in _OF_LOCALE and note.where:
            found[f"{_place(note) or _EXTENSION} looks at {note.name.decode()}"] = None
        elif note.kind == "environment" and note.where:
            found[f"{_place(note) or _EXTENSION} looks at all variables of the environment"] = None
    return tuple(found)


def _questions(notes: Iterable[Note]) -> Iterator[tuple[Note, Condition]]:
    """What was asked by imports, each with its answer, in order."""
    told = [one for one in notes if one.where]  # else by Python itself, before anything was imported
    asked = frozenset((_place(note), _asked(note).question) for note in told if note.kind == "asked")
    host = {one.argument: one for note in told if note.kind == "asked" and (one := _asked(note)).question is Question.HOST}
    for note in told:
        if note.kind == "platform":
            found = [host[field] for field in _HOST_FIELDS.get(note.name, tuple(host)) if field in host]
        elif note.kind == "asked":
            found = [_asked(note)]
            if found[0].question is Question.HOST and _file(note).endswith("/platform.py"):
                continue  # which keeps the whole answer, and notes what it gives away
        elif note.kind == "variable" and note.name not in _OWN_VARIABLES and not note.name.startswith(b"PYTHON"):
            found = [_of_variable(note)]
        elif note.kind == "zone":
            found = [_of_variable(note), _of_file(b"/etc/localtime")]
        else:
            continue
        yield from ((note, one) for one in found if not _is_afresh(note, one, asked))


def _asked(note: Note) -> Condition:
    question, argument, first, second, text = (note.value or b"").split(b" ", 4)
    return Condition(Question(int(question)), note.name, text, int(argument), (int(first), int(second)))


def _of_variable(note: Note) -> Condition:
    return Condition(Question.ABSENT if note.value is None else Question.VARIABLE, note.name, note.value or b"")


def _place(note: Note) -> str:
    """Where an import asked, ``file:line``; empty when only the run-time did."""
    return next((where for where in note.where if "/frazil_runtime/" not in where), "")


def _file(note: Note) -> str:
    """The file whose code asked."""
    return _place(note).rpartition(":")[0]


def _is_afresh(note: Note, one: Condition, asked: frozenset[tuple[str, Question]]) -> bool:
    asker = _file(note)
    return any(
        one.question in known.questions
        and one.name == known.name
        and (not known.askers or asker.endswith(known.askers))
        and (known.beside is None or (_place(note), known.beside) in asked)
        for known in _AFRESH
    )


def _is_changing(one: Condition) -> bool:
    if one.name.startswith(_CHANGING) or one.name.split(b"/")[2].isdigit():
        return True
    try:
        with Path(os.fsdecode(one.name)).open("rb") as file:
            content = file.read(_CONTENT_SIZE)
    except OSError:
        return False
    return (crc32(content), len(content)) != one.numbers


def _of_file(name: bytes) -> Condition:
    try:
        status = Path(os.fsdecode(name)).stat()
    except OSError:
        return Condition(Question.MISSING, name)
    return Condition(Question.FILE, name, numbers=(status.st_size | status.st_mode << 48, status.st_mtime_ns))
