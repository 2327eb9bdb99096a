"""Starlark's values: Python's own None, bool, int, float, str, tuple and range, and the classes of this file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from frazil.config.starlark.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from frazil.config.starlark.signature import Signature

Value: TypeAlias = Any
"""Any Starlark value."""


class Mutable:
    """A value that can change, unless it is frozen or being iterated over."""

    __slots__ = ("frozen", "iterators")

    frozen: bool
    iterators: int

    def check_mutable(self) -> None:
        """Raise Fault when this value may not change now."""
        if self.frozen:
            raise Fault(f"this {type_name(self)} is frozen: it comes from a loaded file", "Make a copy and change that.")
        if self.iterators:
            raise Fault(f"cannot change {a_type(self)} while it is iterated over", "Iterate over a copy: list(...).")


class StarlarkList(Mutable, Sequence[Any]):
    """A list. Hosts read it as any sequence."""

    __slots__ = ("items",)
    __hash__ = None  # type: ignore[assignment] # unhashable, as Python's list

    def __init__(self, items: list[Value]) -> None:
        self.items = items
        self.frozen = False
        self.iterators = 0

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.items)


class _Truth(Enum):
    """Stands for True and False among keys, which in Python are the same keys as 1 and 0."""

    FALSE = False
    TRUE = True


def _key(value: Value) -> Value:
    kind = type(value)
    if kind is str or kind is int:
        return value
    if kind is bool:
        return _Truth.TRUE if value else _Truth.FALSE
    if kind is tuple:
        return tuple([_key(one) for one in value])
    return value


def _value(key: Value) -> Value:
    kind = type(key)
    if kind is _Truth:
        return key.value
    if kind is tuple:
        return tuple([_value(one) for one in key])
    return key


class StarlarkDict(Mutable, Mapping[Any, Any]):
    """A dictionary in the order of insertion. Hosts read it as any mapping.

    Keys must have been found hashable (``compare.check_hashable``) before they come here.
    """

    __slots__ = ("_entries",)
    __hash__ = None  # type: ignore[assignment] # unhashable, as Python's dict

    def __init__(self, pairs: Iterable[tuple[Value, Value]] = ()) -> None:
        self._entries: dict[Value, Value] = {}
        self.frozen = False
        self.iterators = 0
        for key, value in pairs:
            self._entries[_key(key)] = value

    def __getitem__(self, key: Value) -> Value:
        return self._entries[_key(key)]

    def __iter__(self) -> Iterator[Value]:
        return map(_value, self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return _key(key) in self._entries

    def set(self, key: Value, value: Value) -> None:
        """Make ``key`` mean ``value``."""
        self._entries[_key(key)] = value

    def remove(self, key: Value) -> Value:
        """Take ``key`` away and return its value. Raises KeyError."""
        return self._entries.pop(_key(key))

    def clear(self) -> None:
        """Take all keys away."""
        self._entries.clear()


class Builtin:
    """A function of the host. ``run`` gets the machine, then the receiver of a method, then bound arguments."""

    __slots__ = ("name", "receiver", "run", "signature")

    def __init__(self, name: str, run: Callable[..., Value], signature: Signature, receiver: tuple[Value, ...] = ()) -> None:
        self.name = name
        self.run = run
        self.signature = signature
        self.receiver = receiver

    def bound(self, receiver: Value) -> Builtin:
        """The method of one ``receiver``."""
        return Builtin(self.name, self.run, self.signature, (receiver,))


class DefinedFunction:
    """Base of functions that Starlark code defines (``functions.Function``)."""

    __slots__ = ()

    name: str

    def reachable(self) -> Iterable[Value]:
        """The values that a call of the function may change: its defaults, and variables of functions around it."""
        raise NotImplementedError


class Hosted:
    """Base of objects of the host (``host.HostObject``)."""

    starlark_type: str = "object"


_NAMES: Final[dict[type, str]] = {
    str: "string",
    int: "int",
    bool: "bool",
    float: "float",
    type(None): "NoneType",
    tuple: "tuple",
    range: "range",
    StarlarkList: "list",
    StarlarkDict: "dict",
    Builtin: "builtin_function_or_method",
}


def type_name(value: Value) -> str:
    """What ``type(value)`` is in Starlark."""
    name = _NAMES.get(type(value))
    if name is not None:
        return name
    if isinstance(value, Hosted):
        return value.starlark_type
    if isinstance(value, Mutable):
        return "list" if isinstance(value, StarlarkList) else "dict"
    return "function" if isinstance(value, DefinedFunction) else type(value).__name__


def a_type(value: Value) -> str:
    """The type of ``value`` with its article, for messages."""
    name = type_name(value)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def truth(value: Value) -> bool:
    """Whether ``value`` counts as true."""
    kind = type(value)
    if kind is bool:
        return value  # type: ignore[no-any-return] # it is a bool
    if value is None:
        return False
    if kind in {int, float, str, tuple, range, StarlarkList, StarlarkDict}:
        return bool(value)
    return True


def is_number(value: Value) -> bool:
    """Whether ``value`` is an int or float; bools are neither."""
    return type(value) is int or type(value) is float


def elements(value: Value, what: str = "a value") -> Sequence[Value]:
    """What iteration over ``value`` gives. Raises Fault when it is not iterable; strings are not."""
    kind = type(value)
    if kind is StarlarkList:
        return value.items  # type: ignore[no-any-return] # a list
    if kind is tuple or kind is range:
        return value  # type: ignore[no-any-return] # a sequence
    if kind is StarlarkDict:
        return list(value)
    remedy = "Use its elems() to go through its characters." if kind is str else ""
    raise Fault(f"cannot iterate over {what} of type {type_name(value)}", remedy)


def to_value(thing: object) -> Value:
    """A host's Python value as a Starlark value; lists and dictionaries are copied. Raises TypeError for what has none."""
    if thing is None or isinstance(thing, bool | int | float | str | range | Mutable | Builtin | DefinedFunction | Hosted):
        return thing
    if isinstance(thing, tuple):
        return tuple([to_value(one) for one in thing])
    if isinstance(thing, Mapping):
        return StarlarkDict((to_value(key), to_value(value)) for key, value in thing.items())
    if isinstance(thing, Sequence) and not isinstance(thing, bytes | bytearray):
        return StarlarkList([to_value(one) for one in thing])
    raise TypeError(f"{type(thing).__name__} has no Starlark value")


def freeze(roots: Iterable[Value]) -> None:
    """Freeze all values that can be reached through lists, dictionaries, tuples and functions, however deep."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if id(value) in seen or not isinstance(value, Mutable | tuple | DefinedFunction):
            continue
        seen.add(id(value))
        if isinstance(value, DefinedFunction):
            waiting.extend(value.reachable())
            continue
        if isinstance(value, Mutable):
            value.frozen = True
        if isinstance(value, StarlarkDict):
            waiting.extend(value.values())
        waiting.extend(value)  # type: ignore[arg-type] # all of them are iterable
