r"""The file ``EXCLUDE`` of a directory that is frozen: patterns of what stays out. Pure; this file does no I/O.

The rules are those of ``.gitignore`` (gitignore(5)), with three exceptions: what can match nothing by mistake (a ``[`` without
``]``, a ``\`` at the end, a pattern that leads out of the directory) is an error, and so are named classes (``[[:alpha:]]``).

- One pattern a line. Blank lines and lines that start with ``#`` say nothing; ``\#`` and ``\!`` start a pattern with these
  characters. Spaces at the end do not count unless the last has a ``\`` before it.
- ``*`` is any text without a slash, ``?`` any character but a slash, ``[abc]``, ``[a-z]`` and ``[!a-z]`` one of a set or none
  of it, ``\x`` the character x.
- ``**/`` at the start is any directories or none, ``/**`` at the end everything inside, ``/**/`` any directories or none.
- A pattern with a slash at its start or in its middle is relative to the directory; any other matches at each depth.
- A slash at the end: only directories.
- ``!`` before a pattern takes back in what an earlier one leaves out. The last pattern that matches decides.
- A directory that is left out is not looked into: nothing below it can be taken back in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from frazil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULTS: Final = ("/Make.py", "/EXCLUDE", "__pycache__/")
"""The patterns that stand before those of every ``EXCLUDE``."""


class PatternError(ValueError):
    """A pattern that cannot be meant; the message is a sentence without a subject or full stop."""


@dataclass(frozen=True, slots=True)
class _Rule:
    expression: re.Pattern[str]
    takes_back: bool
    only_directories: bool


@dataclass(frozen=True, slots=True)
class ExcludeFile:
    """Rules in their order."""

    rules: tuple[_Rule, ...]

    def excludes(self, path: str, *, directory: bool) -> bool:
        """Whether ``path`` (relative, with slashes) is left out, provided that no directory above it is."""
        for rule in reversed(self.rules):
            if (directory or not rule.only_directories) and rule.expression.fullmatch(path):
                return not rule.takes_back
        return False


def parse(text: str, where: object) -> ExcludeFile:
    """The rules of an ``EXCLUDE`` with this text, behind the defaults. Raises UsageError with the line."""
    rules = [_rule(pattern) for pattern in DEFAULTS]
    for number, line in enumerate(text.removeprefix("\N{BOM}").split("\n"), 1):
        pattern = _stripped(line.removesuffix("\r"))
        if not pattern or pattern.startswith("#"):
            continue
        try:
            rules.append(_rule(pattern))
        except PatternError as error:
            remedy = "Patterns are those of .gitignore; docs/freeze.md lists them."
            raise UsageError(f"the pattern {pattern!r} {error}", where=f"{where}:{number}", remedy=remedy) from error
    return ExcludeFile(tuple(rules))


def _stripped(line: str) -> str:
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and bare != line else bare


def _rule(pattern: str) -> _Rule:
    takes_back = pattern.startswith("!")
    if takes_back:
        pattern = pattern[1:]
    only_directories = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    anchored = "/" in pattern
    pattern = pattern.removeprefix("/")
    parts = pattern.split("/")
    if "" in parts:
        raise PatternError("has nothing between slashes" if len(parts) > 1 else "names nothing")
    if ".." in parts or "." in parts:
        raise PatternError("has a component . or .., and paths have none")
    expression = "".join(_expressions(parts if anchored else ["**", *parts]))
    return _Rule(re.compile(expression, re.DOTALL), takes_back, only_directories)


def _expressions(parts: list[str]) -> Iterator[str]:
    """A regular expression for each component, the slash behind it included."""
    last = len(parts) - 1
    for index, part in enumerate(parts):
        if len(part) > 1 and not part.strip("*"):  # as git does, which says two
            yield ".+" if index == last else "(?:.*/)?"
        else:
            yield _component(part) + ("" if index == last else "/")


def _component(part: str) -> str:
    made = []
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            made.append("[^/]*")
        elif character == "?":
            made.append("[^/]")
        elif character == "[":
            expression, at = _character_set(part, at)
            made.append(expression)
        elif character == "\\":
            if at == len(part):
                raise PatternError("ends in a backslash")
            made.append(re.escape(part[at]))
            at += 1
        else:
            made.append(re.escape(character))
    return "".join(made)


def _character_set(part: str, at: int) -> tuple[str, int]:
    """The set that starts behind a ``[`` as a regular expression, and where it ends."""
    negated = part[at : at + 1] in {"!", "^"}
    at += negated
    begun = at
    made = []
    while part[at : at + 1] != "]" or at == begun:
        if part.startswith("[:", at):
            raise PatternError("has a named class such as [:alpha:], which is not known here")
        low, at = _member(part, at)
        high = low
        if part[at : at + 1] == "-" and part[at + 1 : at + 2] not in {"]", ""}:
            high, at = _member(part, at + 1)
        if high < low:
            raise PatternError(f"has an empty range, {low}-{high}")
        made.append(re.escape(low) + ("" if high == low else f"-{re.escape(high)}"))
    # Neither a set nor its opposite has the slash.
    return f"(?!/)[{'^' if negated else ''}{''.join(made)}]", at + 1


def _member(part: str, at: int) -> tuple[str, int]:
    if part[at : at + 1] == "\\":
        at += 1
    if at >= len(part):
        raise PatternError("has a [ without ]")
    return part[at], at + 1
