"""What operators do to values: arithmetic, concatenation, membership, indexing, slicing."""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING, Final

from frazil.config.starlark.compare import check_hashable, equal, less, position
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.limits import MAXIMUM_INTEGER_BITS
from frazil.config.starlark.text import percent, quoted, represent
from frazil.config.starlark.values import StarlarkDict, StarlarkList, a_type, elements, is_number, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from frazil.config.starlark.limits import Meter
    from frazil.config.starlark.values import Value

SLOT: Final = 16
"""Bytes that an element is counted as."""
_MAXIMUM_SHIFT: Final = 512


def checked(number: int) -> int:
    """An integer that is not too large."""
    if number.bit_length() > MAXIMUM_INTEGER_BITS:
        raise Fault(f"this integer has more than {MAXIMUM_INTEGER_BITS:,} bits")
    return number


def _unsupported(symbol: str, a: Value, b: Value) -> Fault:
    remedy = ""
    if symbol == "+" and str in {type(a), type(b)}:
        remedy = "Convert it with str(...), or use %."
    return Fault(f"{type_name(a)} {symbol} {type_name(b)} is not supported", remedy)


def add(meter: Meter, a: Value, b: Value) -> Value:
    """``a + b``."""
    kind = type(a)
    if is_number(a) and is_number(b):
        return _arithmetic(operator.add, a, b)
    if kind is type(b):
        if kind is str:
            meter.allocate(len(a) + len(b))
            return a + b
        if kind is tuple:
            meter.allocate(SLOT * (len(a) + len(b)))
            return a + b
        if kind is StarlarkList:
            meter.allocate(SLOT * (len(a) + len(b)))
            return StarlarkList(a.items + b.items)
    raise _unsupported("+", a, b)


def _arithmetic(operation: Callable[[Value, Value], Value], a: Value, b: Value) -> Value:
    try:
        result = operation(a, b)
    except OverflowError:
        raise Fault("this int is too large for a float") from None
    except ZeroDivisionError:
        raise Fault("division by zero") from None
    return checked(result) if type(result) is int else result


def subtract(_meter: Meter, a: Value, b: Value) -> Value:
    """``a - b``."""
    if is_number(a) and is_number(b):
        return _arithmetic(operator.sub, a, b)
    raise _unsupported("-", a, b)


def multiply(meter: Meter, a: Value, b: Value) -> Value:
    """``a * b``."""
    if is_number(a) and is_number(b):
        if type(a) is int and type(b) is int and a.bit_length() + b.bit_length() > MAXIMUM_INTEGER_BITS + 1:
            raise Fault(f"this integer has more than {MAXIMUM_INTEGER_BITS:,} bits")
        return _arithmetic(operator.mul, a, b)
    if type(a) is int:
        a, b = b, a
    if type(b) is int and (type(a) is str or type(a) is tuple or type(a) is StarlarkList):
        count = max(b, 0)
        meter.allocate(len(a) * count * (1 if type(a) is str else SLOT))
        if not a:
            count = 0  # Python refuses huge counts even of nothing
        return StarlarkList(a.items * count) if type(a) is StarlarkList else operator.mul(a, count)
    raise _unsupported("*", a, b)


def divide(_meter: Meter, a: Value, b: Value) -> Value:
    """``a / b``, a float."""
    if is_number(a) and is_number(b):
        return _arithmetic(operator.truediv, a, b)
    raise _unsupported("/", a, b)


def floor_divide(_meter: Meter, a: Value, b: Value) -> Value:
    """``a // b``."""
    if is_number(a) and is_number(b):
        return _arithmetic(operator.floordiv, a, b)
    raise _unsupported("//", a, b)


def modulo(meter: Meter, a: Value, b: Value) -> Value:
    """``a % b``: a remainder, or a format."""
    if type(a) is str:
        meter.scan(len(a))
        return percent(meter, a, b)
    if is_number(a) and is_number(b):
        return _arithmetic(operator.mod, a, b)
    raise _unsupported("%", a, b)


def _both_int(symbol: str, a: Value, b: Value) -> None:
    if type(a) is not int or type(b) is not int:
        raise _unsupported(symbol, a, b)


def bit_and(_meter: Meter, a: Value, b: Value) -> Value:
    """``a & b``."""
    _both_int("&", a, b)
    return a & b


def bit_or(meter: Meter, a: Value, b: Value) -> Value:
    """``a | b``: of ints, or the union of dictionaries, the right one winning."""
    if type(a) is StarlarkDict and type(b) is StarlarkDict:
        meter.allocate(SLOT * (len(a) + len(b)))
        return StarlarkDict([*a.items(), *b.items()])
    _both_int("|", a, b)
    return a | b


def bit_xor(_meter: Meter, a: Value, b: Value) -> Value:
    """``a ^ b``."""
    _both_int("^", a, b)
    return a ^ b


def shift_left(_meter: Meter, a: Value, b: Value) -> Value:
    """``a << b``."""
    _both_int("<<", a, b)
    if not 0 <= b < _MAXIMUM_SHIFT:
        raise Fault(f"cannot shift by {b}")
    return checked(a << b)


def shift_right(_meter: Meter, a: Value, b: Value) -> Value:
    """``a >> b``."""
    _both_int(">>", a, b)
    if b < 0:
        raise Fault(f"cannot shift by {b}")
    return a >> min(b, MAXIMUM_INTEGER_BITS + 1)


def contains(meter: Meter, wanted: Value, container: Value) -> bool:
    """``wanted in container``."""
    kind = type(container)
    if kind is str:
        if type(wanted) is not str:
            raise Fault(f"a string contains strings only, not {a_type(wanted)}")
        meter.scan(len(container))
        return wanted in container
    if kind is StarlarkDict:
        check_hashable(meter, wanted)
        return wanted in container
    if kind is StarlarkList or kind is tuple:
        return position(meter, elements(container), wanted) >= 0
    if kind is range:
        return is_number(wanted) and math.isfinite(wanted) and wanted == int(wanted) and int(wanted) in container
    raise Fault(f"{type_name(wanted)} in {type_name(container)} is not supported")


BINARY: Final[dict[type[ast.operator], Callable[[Meter, Value, Value], Value]]] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
    ast.FloorDiv: floor_divide,
    ast.Mod: modulo,
    ast.BitAnd: bit_and,
    ast.BitOr: bit_or,
    ast.BitXor: bit_xor,
    ast.LShift: shift_left,
    ast.RShift: shift_right,
}
COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Meter, Value, Value], bool]]] = {
    ast.Eq: equal,
    ast.NotEq: lambda meter, a, b: not equal(meter, a, b),
    ast.Lt: less,
    ast.Gt: lambda meter, a, b: less(meter, b, a),
    ast.LtE: lambda meter, a, b: less(meter, a, b) or equal(meter, a, b),
    ast.GtE: lambda meter, a, b: less(meter, b, a) or equal(meter, a, b),
    ast.In: contains,
    ast.NotIn: lambda meter, a, b: not contains(meter, a, b),
}


def negate(value: Value) -> Value:
    """``-value``."""
    if not is_number(value):
        raise Fault(f"-{type_name(value)} is not supported")
    return -value


def plus(value: Value) -> Value:
    """``+value``."""
    if not is_number(value):
        raise Fault(f"+{type_name(value)} is not supported")
    return value


def invert(value: Value) -> Value:
    """``~value``."""
    if type(value) is not int:
        raise Fault(f"~{type_name(value)} is not supported")
    return checked(~value)


def sequence_index(sequence: Sequence[Value], index: Value, what: str) -> int:
    """``index`` as Python's list takes it, checked."""
    if type(index) is not int:
        raise Fault(f"the index of a {what} must be an int, not {a_type(index)}")
    length = len(sequence)
    if not -length <= index < length:
        raise Fault(f"index {index} is out of range: the {what} has {length} elements")
    return index


def get_item(meter: Meter, container: Value, key: Value) -> Value:
    """``container[key]``."""
    kind = type(container)
    if kind is StarlarkDict:
        check_hashable(meter, key)
        try:
            return container[key]
        except KeyError:
            raise Fault(f"the dictionary has no key {shortened(meter, key)}", _keys(container, key)) from None
    if kind is StarlarkList:
        return container.items[sequence_index(container.items, key, "list")]
    if kind is str or kind is tuple or kind is range:
        return container[sequence_index(container, key, type_name(container))]
    raise Fault(f"{a_type(container)} cannot be indexed")


def _keys(container: StarlarkDict, key: Value) -> str:
    from frazil.config.starlark.errors import suggestion  # noqa: PLC0415 - only on the way to an error

    if type(key) is not str or len(container) > 1000:  # noqa: PLR2004 - more are not worth the time
        return ""
    return suggestion(key, [quoted(one) for one in container if type(one) is str and len(one) < 100])  # noqa: PLR2004 - likewise


def shortened(meter: Meter, value: Value) -> str:
    """A value for a message."""
    text = represent(meter, value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line


def set_item(meter: Meter, container: Value, key: Value, value: Value) -> None:
    """``container[key] = value``."""
    if type(container) is StarlarkDict:
        check_hashable(meter, key)
        container.check_mutable()
        meter.allocate(SLOT * 2)
        container.set(key, value)
    elif type(container) is StarlarkList:
        container.check_mutable()
        container.items[sequence_index(container.items, key, "list")] = value
    else:
        raise Fault(f"the elements of {a_type(container)} cannot be assigned")


def slice_of(meter: Meter, container: Value, bounds: Sequence[Value]) -> Value:
    """``container[start:stop:step]``."""
    for bound in bounds:
        if bound is not None and type(bound) is not int:
            raise Fault(f"the bounds of a slice must be ints, not {a_type(bound)}")
    if bounds[2] == 0:
        raise Fault("the step of a slice cannot be 0")
    kind = type(container)
    if kind is StarlarkList:
        meter.allocate(SLOT * len(container))
        return StarlarkList(container.items[slice(*bounds)])
    if kind is str or kind is tuple or kind is range:
        meter.allocate(0 if kind is range else len(container) * (1 if kind is str else SLOT))
        return container[slice(*bounds)]
    raise Fault(f"{a_type(container)} cannot be sliced")
