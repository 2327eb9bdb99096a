"""What configurations say about the warm start, as the plan takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from frazil.errors import UsageError
from frazil.plan import WarmStart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ALL: Final = "all"
FIRST_RUN: Final = "first-run"


def parse_warm(value: Any, where: str) -> WarmStart | None:
    """From ``None``, a boolean, ``"all"``, names with commas between them, or a list of names.

    ``first-run`` among names, or alone, says when the snapshot is made.
    """
    if value is None or value is False:
        return None
    if value is True or value == ALL:
        return WarmStart()
    if isinstance(value, str):
        return _warm_start(value.split(","), where)
    if isinstance(value, list | tuple):
        return _warm_start(value, where)
    raise UsageError("must be true, false, a string or an array of module names", where=where)


def _warm_start(values: Sequence[Any], where: str) -> WarmStart:
    names = _names((one for one in values if one != FIRST_RUN), where)
    return WarmStart(names, FIRST_RUN in values)


def _names(values: Iterable[Any], where: str) -> tuple[str, ...]:
    names = []
    for one in values:
        if not isinstance(one, str) or not all(part.isidentifier() for part in one.strip().split(".")):
            raise UsageError(f"{one!r} is no name of a module", where=where, remedy="Name modules such as requests or a.b.")
        names.append(one.strip())
    return tuple(names)
