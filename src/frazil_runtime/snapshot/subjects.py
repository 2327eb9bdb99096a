"""Names for what a condition is about that has no other subject than the process or the machine."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from frazil_runtime.snapshot.format import Condition, Question

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUBJECTS: Final[Mapping[Question, str]] = {
    Question.DIRECTORY: "the current directory",
    Question.TERMINAL: "whether stream {} is a terminal",
    Question.WINDOW: "the size of the terminal on stream {}",
    Question.PROCESSORS: "the processors that it may use",
    Question.UMASK: "the umask",
}
_USERS: Final = ("the user", "the effective user", "the group", "the effective group")
_HOST: Final = ("the system's name", "the host's name", "the kernel's release", "the kernel's version", "the machine")
_SYSTEM: Final = {
    "SC_NPROCESSORS_ONLN": "the number of processors",
    "SC_NPROCESSORS_CONF": "the number of configured processors",
    "SC_PHYS_PAGES": "the size of the memory",
    "SC_OPEN_MAX": "the limit of open files",
    "SC_CHILD_MAX": "the limit of processes",
    "SC_ARG_MAX": "the limit of arguments",
}
_LIMITS: Final = {value: name for name, value in reversed(vars(resource).items()) if name.startswith("RLIMIT_")}


def named(one: Condition) -> Condition:
    """The condition with a name for those questions that have no other subject than the process or the machine."""
    if one.question < Question.DIRECTORY:
        return one
    return replace(one, name=_subject(one).encode())


def _subject(one: Condition) -> str:
    match one.question:
        case Question.USER:
            return _USERS[one.argument]
        case Question.HOST:
            return _HOST[one.argument]
        case Question.LIMIT:
            return f"the limit {_LIMITS.get(one.argument, one.argument)}"
        case Question.SYSTEM:
            names = {value: name for name, value in os.sysconf_names.items()}
            return _SYSTEM.get(names.get(one.argument, ""), f"sysconf({one.argument})")
        case _:
            return _SUBJECTS[one.question].format(one.argument)
