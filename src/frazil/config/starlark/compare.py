"""Equality, order and hashability of values; deep and shared values cost steps, so that none takes for ever."""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING

from frazil.config.starlark.errors import Fault
from frazil.config.starlark.limits import MAXIMUM_NESTING
from frazil.config.starlark.values import (
    Builtin,
    DefinedFunction,
    Hosted,
    StarlarkDict,
    StarlarkList,
    a_type,
    is_number,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from frazil.config.starlark.limits import Meter
    from frazil.config.starlark.values import Value


def equal(meter: Meter, a: Value, b: Value, depth: int = 0) -> bool:
    """``a == b``; values of different types are unequal, but ints and floats compare by value."""
    kind = type(a)
    if kind is not type(b):
        return is_number(a) and is_number(b) and bool(a == b)
    if kind is tuple or kind is StarlarkList:
        return len(a) == len(b) and all(equal(meter, x, y, _deeper(meter, depth)) for x, y in zip(a, b, strict=True))
    if kind is StarlarkDict:
        if len(a) != len(b):
            return False
        return all(key in b and equal(meter, value, b[key], _deeper(meter, depth)) for key, value in a.items())
    if kind is str:
        meter.scan(min(len(a), len(b)))
    return bool(a == b)


def _deeper(meter: Meter, depth: int) -> int:
    meter.step()
    if depth >= MAXIMUM_NESTING:
        raise Fault("these values are nested too deeply to compare")
    return depth + 1


def less(meter: Meter, a: Value, b: Value, depth: int = 0) -> bool:
    """``a < b``. Raises Fault for types that have no order."""
    kind = type(a)
    if is_number(a) and is_number(b):
        return bool(a < b)
    if kind is type(b):
        if kind is str or kind is bool:
            meter.scan(min(len(a), len(b)) if kind is str else 0)
            return bool(a < b)
        if kind is tuple or kind is StarlarkList:
            for x, y in zip(a, b, strict=False):
                deeper = _deeper(meter, depth)
                if not equal(meter, x, y, deeper):
                    return less(meter, x, y, deeper)
            return len(a) < len(b)
    raise Fault(f"{type_name(a)} and {type_name(b)} have no order")


def sort_key(meter: Meter) -> Callable[[Value], object]:
    """A key by which Python sorts as Starlark does."""

    def compare(a: Value, b: Value) -> int:
        meter.step()
        if less(meter, a, b):
            return -1
        return 1 if less(meter, b, a) else 0

    return cmp_to_key(compare)


def position(meter: Meter, items: Sequence[Value], wanted: Value) -> int:
    """Where ``wanted`` is in ``items``, or -1."""
    if type(wanted) is str:
        meter.scan(len(items))
        try:
            return items.index(wanted)  # nothing but a string equals a string, in Python too
        except ValueError:
            return -1
    meter.step(len(items))
    for index, item in enumerate(items):
        if equal(meter, item, wanted):
            return index
    return -1


def check_hashable(meter: Meter, value: Value, depth: int = 0) -> None:
    """Raise Fault unless ``value`` can be a key."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return
    if kind is tuple:
        for one in value:
            check_hashable(meter, one, _deeper(meter, depth))
    elif not (kind is float or kind is range or isinstance(value, Builtin | DefinedFunction | Hosted)):
        raise Fault(f"{a_type(value)} cannot be a key: it is not hashable", "Use a string, number or tuple.")
