"""The methods of lists and dictionaries, as the specification has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from frazil.config.starlark.compare import check_hashable, position
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.operators import SLOT, sequence_index, shortened
from frazil.config.starlark.values import StarlarkDict, StarlarkList, a_type, elements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from frazil.config.starlark.limits import Meter
    from frazil.config.starlark.values import Value

    Items = Any

_NOTHING: Final = object()
_PAIR: Final = 2


def _append(meter: Meter, items: StarlarkList, x: object, /) -> None:
    items.check_mutable()
    meter.allocate(SLOT)
    items.items.append(x)


def _clear(_meter: Meter, items: StarlarkList) -> None:
    items.check_mutable()
    items.items.clear()


def extend(meter: Meter, items: StarlarkList, x: Items, /) -> None:
    """``items.extend(x)``, also ``items += x``."""
    items.check_mutable()
    meter.allocate(SLOT * len(x))
    items.items.extend(x)


def _index(meter: Meter, items: StarlarkList, x: object, start: int | None = None, end: int | None = None, /) -> int:
    first, last, _ = slice(start, end).indices(len(items))
    found = position(meter, items.items[first:last], x)
    if found < 0:
        raise Fault(f"the list has no {shortened(meter, x)}")
    return first + found


def _insert(meter: Meter, items: StarlarkList, i: int, x: object, /) -> None:
    items.check_mutable()
    meter.allocate(SLOT)
    meter.scan(len(items))
    items.items.insert(max(min(i, len(items)), -len(items)), x)


def _pop(meter: Meter, items: StarlarkList, i: int = -1, /) -> Value:
    items.check_mutable()
    meter.scan(len(items))
    return items.items.pop(sequence_index(items.items, i, "list"))


def _remove(meter: Meter, items: StarlarkList, x: object, /) -> None:
    items.check_mutable()
    found = position(meter, items.items, x)
    if found < 0:
        raise Fault(f"the list has no {shortened(meter, x)}")
    del items.items[found]


LIST: Final[dict[str, Callable[..., Value]]] = {
    "append": _append,
    "clear": _clear,
    "extend": extend,
    "index": _index,
    "insert": _insert,
    "pop": _pop,
    "remove": _remove,
}


def pairs(meter: Meter, name: str, given: Value) -> Iterable[tuple[Value, Value]]:
    """The keys and values of a dictionary or of an iterable of pairs."""
    if type(given) is StarlarkDict:
        meter.allocate(SLOT * len(given))
        return list(given.items())
    found = []
    for index, one in enumerate(elements(given)):
        pair = elements(one, f"element {index}") if type(one) is not str else tuple(one)
        if len(pair) != _PAIR:
            raise Fault(f"{name}() takes pairs; element {index} has {len(pair)} elements")
        check_hashable(meter, pair[0])
        found.append((pair[0], pair[1]))
    meter.allocate(SLOT * len(found))
    return found


def _dict_clear(_meter: Meter, entries: StarlarkDict) -> None:
    entries.check_mutable()
    entries.clear()


def _get(meter: Meter, entries: StarlarkDict, key: object, default: object = None, /) -> Value:
    check_hashable(meter, key)
    return entries[key] if key in entries else default  # noqa: SIM401 - its get() is Mapping's, which asks twice too


def _items(meter: Meter, entries: StarlarkDict) -> Value:
    meter.allocate(SLOT * 4 * len(entries))
    return StarlarkList(list(entries.items()))


def _keys(meter: Meter, entries: StarlarkDict) -> Value:
    meter.allocate(SLOT * len(entries))
    return StarlarkList(list(entries))


def _values(meter: Meter, entries: StarlarkDict) -> Value:
    meter.allocate(SLOT * len(entries))
    return StarlarkList(list(entries.values()))


def _dict_pop(meter: Meter, entries: StarlarkDict, key: object, default: object = _NOTHING, /) -> Value:
    check_hashable(meter, key)
    entries.check_mutable()
    if key in entries:
        return entries.remove(key)
    if default is _NOTHING:
        raise Fault(f"the dictionary has no key {shortened(meter, key)}", "pop(key, default) answers a default instead.")
    return default


def _popitem(_meter: Meter, entries: StarlarkDict) -> Value:
    entries.check_mutable()
    if not entries:
        raise Fault("the dictionary is empty")
    key = next(iter(entries))
    return (key, entries.remove(key))


def _setdefault(meter: Meter, entries: StarlarkDict, key: object, default: object = None, /) -> Value:
    check_hashable(meter, key)
    if key not in entries:
        entries.check_mutable()
        meter.allocate(SLOT * 2)
        entries.set(key, default)
    return entries[key]


def update(meter: Meter, entries: StarlarkDict, x: object = None, /, **kwargs: object) -> None:
    """``entries.update(x, ...)``, also ``entries |= x``."""
    entries.check_mutable()
    if x is not None:
        if not isinstance(x, StarlarkDict | StarlarkList | tuple):
            raise Fault(f"update() takes a dict or pairs, not {a_type(x)}")
        for key, value in pairs(meter, "update", x):
            entries.set(key, value)
    for name, value in kwargs.items():
        entries.set(name, value)


DICT: Final[dict[str, Callable[..., Value]]] = {
    "clear": _dict_clear,
    "get": _get,
    "items": _items,
    "keys": _keys,
    "pop": _dict_pop,
    "popitem": _popitem,
    "setdefault": _setdefault,
    "update": update,
    "values": _values,
}
