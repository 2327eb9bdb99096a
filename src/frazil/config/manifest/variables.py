"""``$(NAME)`` in the paths of a manifest. Pure but for one question: a value that names something here is made absolute."""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING, Final

from frazil.config.manifest.errors import ManifestError
from frazil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_VARIABLE: Final = re.compile(r"\$\(([^()]*)\)")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def parsed(texts: Iterable[str], base: Path) -> dict[str, str]:
    """The variables of options ``-v NAME=VALUE``; a VALUE that exists below ``base`` becomes absolute.

    Raises UsageError for what has another form and for a name with two values.
    """
    variables: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not _NAME.fullmatch(name):
            raise UsageError(f"{text!r} is not of the form NAME=VALUE", where="-v", remedy="Write -v MPY_DIR=../micropython.")
        if "\0" in value:
            raise UsageError(f"the value of {name} holds a null byte", where="-v")
        if value and os.path.lexists(base / value):
            value = os.path.normpath(os.path.join(os.path.abspath(base), value))  # noqa: PTH100,PTH118 - links keep their name
        if variables.setdefault(name, value) != value:
            raise UsageError(f"{name} is given two values: {variables[name]} and {value}", where="-v")
    return variables


def expanded(text: str, variables: Mapping[str, str], above: tuple[str, ...] = ()) -> str:
    """``text`` with each ``$(NAME)`` replaced, in values too. Raises ManifestError for what is unknown or leads in a circle."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in above:
            raise ManifestError(f"the variable $({name}) stands for itself: {' -> '.join((*above, name))}")
        if name not in variables:
            raise ManifestError(f"the variable $({name}) is not known", remedy=_remedy(name, variables))
        return expanded(variables[name], variables, (*above, name))

    done = _VARIABLE.sub(value, text)
    if "$(" in done and not above:
        raise ManifestError(f"{text!r} has a $( that nothing closes", remedy="Write $(NAME).")
    return done


def _remedy(name: str, variables: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(name, variables, n=1)
    if close:
        return f"Is $({close[0]}) meant? Variables are given with -v NAME=VALUE."
    return f"Give it with -v {name}=VALUE."
