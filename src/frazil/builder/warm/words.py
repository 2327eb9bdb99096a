"""Conditions of a snapshot in words."""

from __future__ import annotations

import datetime as dt
import os
import stat
from typing import TYPE_CHECKING, Final

from frazil_runtime.snapshot.format import Condition, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def in_words(one: Condition) -> str:
    """The condition as a sentence without a full stop."""
    subject = _PLACES[one.question].format(one.argument) if one.question in _PLACES else os.fsdecode(one.name)
    return f"{subject} {_ANSWERS[one.question](one)}"


_MODE_SHIFT: Final = 48
_SIZE_MASK: Final = (1 << _MODE_SHIFT) - 1
_KINDS: Final = {
    stat.S_IFREG: "a file", stat.S_IFDIR: "a directory", stat.S_IFLNK: "a link", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
}  # fmt: skip
_ACCESS: Final = {os.R_OK: "read", os.W_OK: "written", os.X_OK: "executed"}


def _kind(mode: int) -> str:
    return f"{_KINDS.get(stat.S_IFMT(mode), 'something')} ({stat.S_IMODE(mode):o})"


def _time(nanoseconds: int) -> str:
    try:
        return f"{dt.datetime.fromtimestamp(nanoseconds // 10**9, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "no time"


def _access(mode: int) -> str:
    return " and ".join(word for bit, word in _ACCESS.items() if mode & bit) or "found"


def _limit(number: int) -> str:
    return "unlimited" if number == (1 << 64) - 1 else str(number)


def _text(one: Condition) -> str:
    return f"is {os.fsdecode(one.value) or 'unknown'}"


def _number(one: Condition) -> str:
    return f"is {one.numbers[0]}"


def _file(one: Condition) -> str:
    first, second = one.numbers
    return f"is {_kind(first >> _MODE_SHIFT)} of {_time(second)}, {first & _SIZE_MASK} bytes"


def _window(one: Condition) -> str:
    known, size = one.numbers
    return f"has {size >> 16} lines of {size & 0xFFFF} columns" if known else "has no size"


_PLACES: Final[Mapping[Question, str]] = {
    Question.TERMINAL: "stream {}",
    Question.WINDOW: "the terminal on stream {}",
}
"""What a sentence is about, where that is not the condition's name."""
_ANSWERS: Final[Mapping[Question, Callable[[Condition], str]]] = {
    Question.VARIABLE: lambda one: f"is {os.fsdecode(one.value)!r}",
    Question.ABSENT: lambda _: "is not set",
    Question.FILE: _file,
    Question.MISSING: lambda _: "is not there",
    Question.TYPE: lambda one: f"is {_kind(one.numbers[0])}",
    Question.ACCESS: lambda one: f"may {'' if one.numbers[0] else 'not '}be {_access(one.argument)}",
    Question.LINK: lambda one: f"leads to {os.fsdecode(one.value)}" if one.value else "is no link",
    Question.REAL_PATH: _text,
    Question.CONTENT: lambda one: f"holds {one.numbers[1]} bytes with CRC-32 {one.numbers[0]:08x}",
    Question.DIRECTORY: _text,
    Question.TERMINAL: lambda one: f"is {'a' if one.numbers[0] else 'no'} terminal",
    Question.WINDOW: _window,
    Question.SYSTEM: _number,
    Question.PROCESSORS: lambda one: f"are those of the mask {os.fsdecode(one.value)}",
    Question.LIMIT: lambda one: f"is {_limit(one.numbers[0])}, at most {_limit(one.numbers[1])}",
    Question.USER: _number,
    Question.HOST: _text,
    Question.UMASK: lambda one: f"is {one.numbers[0]:03o}",
}
