"""What configurations say about the warm start, as the plan takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from frazil.errors import UsageError
from frazil.plan import WarmStart

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL: Final = "all"


def parse_warm(value: Any, where: str) -> WarmStart | None:
    """From ``None``, a boolean, ``"all"``, names with commas between them, or a list of names."""
    if value is None or value is False:
        return None
    if value is True or value == ALL:
        return WarmStart()
    if isinstance(value, str):
        return WarmStart(_names(value.split(","), where))
    if isinstance(value, list | tuple):
        return WarmStart(_names(value, where))
    raise UsageError("must be true, false, a string or an array of module names", where=where)


def _names(values: Iterable[Any], where: str) -> tuple[str, ...]:
    names = []
    for one in values:
        if not isinstance(one, str) or not all(part.isidentifier() for part in one.strip().split(".")):
            raise UsageError(f"{one!r} is no name of a module", where=where, remedy="Name modules such as requests or a.b.")
        names.append(one.strip())
    return tuple(names)
