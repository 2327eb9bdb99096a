"""The functions that every Starlark program has, and the attributes of values.

Each function gets the machine and its arguments; their annotations are their signatures (``signature``).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from frazil.config.starlark import containers, strings
from frazil.config.starlark.compare import less, sort_key
from frazil.config.starlark.errors import Fault, NoAttributeFault
from frazil.config.starlark.host import HostObject, missing_attribute
from frazil.config.starlark.operators import SLOT, checked
from frazil.config.starlark.signature import Signature
from frazil.config.starlark.text import quoted, shown_float, to_text
from frazil.config.starlark.text import represent as _represent
from frazil.config.starlark.values import Builtin, StarlarkDict, StarlarkList, a_type, elements, is_number, truth, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frazil.config.starlark.machine import Machine
    from frazil.config.starlark.values import Value

    Items = Any
    Function = Any

_MISSING: Final = object()
_LITERALS: Final = {
    2: re.compile(r"[+-]?(?:0[bB])?[01]+"),
    8: re.compile(r"[+-]?(?:0[oO])?[0-7]+"),
    10: re.compile(r"[+-]?[0-9]+"),
    16: re.compile(r"[+-]?(?:0[xX])?[0-9a-fA-F]+"),
}
_OTHER_LITERAL: Final = re.compile(r"[+-]?[0-9a-zA-Z]+")
_LONGEST_NUMBER: Final = 4000
_FLOAT: Final = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:nan|inf|infinity))")


def _methods(table: Mapping[str, Any]) -> dict[str, Builtin]:
    return {name: Builtin(name, function, Signature.of(function, 2)) for name, function in table.items()}


METHODS: Final[dict[type, dict[str, Builtin]]] = {
    str: _methods(strings.METHODS),
    StarlarkList: _methods(containers.LIST),
    StarlarkDict: _methods(containers.DICT),
}


def get_attribute(value: Value, name: str) -> Value:
    """``value.name``. Raises NoAttributeFault."""
    table = METHODS.get(type(value))
    if table is not None and name in table:
        return table[name].bound(value)
    if isinstance(value, HostObject):
        return value.starlark_get(name)
    raise missing_attribute(value, name, table or {})


def set_attribute(value: Value, name: str, new: Value) -> None:
    """``value.name = new``. Raises Fault."""
    if not isinstance(value, HostObject):
        raise Fault(f"attributes of {a_type(value)} cannot be assigned")
    value.starlark_set(name, new)


def _abs(_machine: Machine, x: object, /) -> Value:
    if not is_number(x):
        raise Fault(f"abs() takes a number, not {a_type(x)}")
    return abs(x)  # type: ignore[arg-type] # a number


def _all(machine: Machine, elements: Items, /) -> Value:
    machine.scan(len(elements))
    return all(truth(one) for one in elements)


def _any(machine: Machine, elements: Items, /) -> Value:
    machine.scan(len(elements))
    return any(truth(one) for one in elements)


def _bool(_machine: Machine, x: object = False, /) -> Value:  # noqa: FBT002 - Starlark's signature
    return truth(x)


def _chr(_machine: Machine, i: int, /) -> Value:
    if not 0 <= i <= 0x10FFFF or 0xD800 <= i <= 0xDFFF:  # noqa: PLR2004 - Unicode's limits
        raise Fault(f"{i} is no code point")
    return chr(i)


def _dict(machine: Machine, x: object = (), /, **kwargs: object) -> Value:
    return StarlarkDict([*containers.pairs(machine, "dict", x), *kwargs.items()])


def _dir(machine: Machine, x: object, /) -> Value:
    names = x.starlark_names() if isinstance(x, HostObject) else sorted(METHODS.get(type(x), {}))
    machine.allocate(SLOT * len(names))
    return StarlarkList(list(names))


def _enumerate(machine: Machine, elements: Items, start: int = 0) -> Value:
    machine.allocate(SLOT * 4 * len(elements))
    return StarlarkList([(start + index, one) for index, one in enumerate(elements)])


def _fail(machine: Machine, *args: object, sep: str = " ") -> Value:
    raise Fault(sep.join(to_text(machine, one) for one in args) or "the configuration failed here")


def _float(_machine: Machine, x: object = 0.0, /) -> Value:
    if isinstance(x, str):
        if not _FLOAT.fullmatch(x) or len(x) > _LONGEST_NUMBER:
            raise Fault(f"{quoted(x[:60])} is no float")
        number = float(x)
        if math.isinf(number) and "inf" not in x.lower():
            raise Fault(f"{quoted(x[:60])} is too large for a float")
        return number
    if isinstance(x, bool | int | float):
        try:
            return float(x)
        except OverflowError:
            raise Fault("this int is too large for a float") from None
    raise Fault(f"float() takes a string or a number, not {a_type(x)}")


def _getattr(_machine: Machine, x: object, name: str, default: object = _MISSING, /) -> Value:
    try:
        return get_attribute(x, name)
    except NoAttributeFault:
        if default is _MISSING:
            raise
        return default


def _hasattr(_machine: Machine, x: object, name: str, /) -> Value:
    try:
        get_attribute(x, name)
    except NoAttributeFault:
        return False
    return True


def _hash(machine: Machine, x: str, /) -> Value:
    machine.step(len(x))
    result = 0
    for unit in memoryview(x.encode("utf-16-le", "surrogatepass")).cast("H"):
        result = (31 * result + unit) & 0xFFFFFFFF  # as Java's, which the specification names
    return result - (1 << 32) if result >= 1 << 31 else result


def _int(_machine: Machine, x: object, base: int | None = None) -> Value:
    if isinstance(x, str):
        radix = 10 if base is None else base
        if radix != 0 and not 2 <= radix <= 36:  # noqa: PLR2004 - Python's and Starlark's bases
            raise Fault(f"{radix} is no base: it must be 0 or from 2 to 36")
        if len(x) > _LONGEST_NUMBER or not _LITERALS.get(radix, _OTHER_LITERAL).fullmatch(x):
            raise Fault(f"{quoted(x[:60])} is no integer of base {radix}")
        try:
            return checked(int(x, radix))
        except ValueError:
            raise Fault(f"{quoted(x[:60])} is no integer of base {radix}") from None
    if base is not None:
        raise Fault("int() takes a base with a string only")
    if isinstance(x, float):
        if not math.isfinite(x):
            raise Fault(f"cannot convert float {shown_float(x)} to an integer")
        return int(x)
    if isinstance(x, bool | int):
        return int(x)
    raise Fault(f"int() takes a string or a number, not {a_type(x)}")


def _len(_machine: Machine, x: object, /) -> Value:
    if isinstance(x, str | tuple | range | StarlarkList | StarlarkDict):
        return len(x)
    raise Fault(f"{a_type(x)} has no length")


def _list(machine: Machine, x: Items = (), /) -> Value:
    machine.allocate(SLOT * len(x))
    return StarlarkList(list(x))


def _extreme(machine: Machine, name: str, args: tuple[Value, ...], key: Value, *, largest: bool) -> Value:
    if not args:
        raise Fault(f"{name}() needs an argument")
    values = elements(args[0], f"the argument of {name}()") if len(args) == 1 else args
    if not values:
        raise Fault(f"{name}() of nothing")
    machine.allocate(SLOT * len(values))
    best = values[0]
    best_rank = best if key is None else machine.call(key, [best], {})
    for one in list(values[1:]):
        rank = one if key is None else machine.call(key, [one], {})
        if less(machine, best_rank, rank) if largest else less(machine, rank, best_rank):
            best, best_rank = one, rank
    return best


def _max(machine: Machine, *args: object, key: Function | None = None) -> Value:
    return _extreme(machine, "max", args, key, largest=True)


def _min(machine: Machine, *args: object, key: Function | None = None) -> Value:
    return _extreme(machine, "min", args, key, largest=False)


def _ord(_machine: Machine, s: str, /) -> Value:
    if len(s) != 1:
        raise Fault(f"ord() takes a string of one character; this one has {len(s)}")
    return ord(s)


def _print(machine: Machine, *args: object, sep: str = " ") -> None:
    machine.on_print(sep.join(to_text(machine, one) for one in args), machine.site)


def _range(_machine: Machine, start: int, stop: int | None = None, step: int = 1, /) -> Value:
    if step == 0:
        raise Fault("the step of range() cannot be 0")
    if any(abs(one) >= 1 << 62 for one in (start, step, stop or 0)):
        raise Fault("the bounds of range() are too large")  # its length would be more than Python counts
    return range(start) if stop is None else range(start, stop, step)


def _repr(machine: Machine, x: object, /) -> Value:
    return _represent(machine, x)


def _reversed(machine: Machine, sequence: Items, /) -> Value:
    machine.allocate(SLOT * len(sequence))
    return StarlarkList(list(reversed(sequence)))


def _sorted(machine: Machine, iterable: Items, /, *, key: Function | None = None, reverse: bool = False) -> Value:
    machine.allocate(SLOT * len(iterable))
    ordered = sort_key(machine)
    ranked = [(ordered(one if key is None else machine.call(key, [one], {})), one) for one in list(iterable)]
    ranked.sort(key=lambda pair: pair[0], reverse=reverse)  # type: ignore[arg-type,return-value] # keys of cmp_to_key
    return StarlarkList([one for _, one in ranked])


def _str(machine: Machine, x: object, /) -> Value:
    return to_text(machine, x)


def _tuple(machine: Machine, x: Items = (), /) -> Value:
    machine.allocate(SLOT * len(x))
    return tuple(x)


def _type(_machine: Machine, x: object, /) -> Value:
    return type_name(x)


def _zip(machine: Machine, *args: Items) -> Value:
    shortest = min((len(one) for one in args), default=0)
    machine.allocate(SLOT * (len(args) + 4) * shortest)
    return StarlarkList(list(zip(*args, strict=False)))


_FUNCTIONS: Final = (
    _abs, _all, _any, _bool, _chr, _dict, _dir, _enumerate, _fail, _float, _getattr, _hasattr, _hash, _int, _len, _list, _max,
    _min, _ord, _print, _range, _repr, _reversed, _sorted, _str, _tuple, _type, _zip,
)  # fmt: skip
UNIVERSE: Final[dict[str, Builtin]] = {
    name: Builtin(name, function, Signature.of(function, 1))
    for name, function in ((each.__name__.removeprefix("_"), each) for each in _FUNCTIONS)
}
