"""Values as text: ``str`` and ``repr``, ``%`` and ``format``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from frazil.config.starlark.errors import Fault
from frazil.config.starlark.limits import MAXIMUM_NESTING
from frazil.config.starlark.values import Builtin, StarlarkDict, StarlarkList, a_type, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frazil.config.starlark.limits import Meter
    from frazil.config.starlark.values import Value

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ASCII: Final = 0x80
_BMP: Final = 0x10000
_CONTAINER: Final = 8
"""Steps of showing a list or dictionary, which takes longer than most."""
_SPECIFICATION: Final = re.compile(r"%(?:\(([^)]*)\))?(.?)", re.DOTALL)
_FIELD: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def to_text(meter: Meter, value: Value) -> str:
    """``str(value)``."""
    return value if type(value) is str else represent(meter, value)


def represent(meter: Meter, value: Value) -> str:
    """``repr(value)``; a container inside itself shows as ``[...]`` or ``{...}``."""
    parts: list[str] = []
    _represent(meter, value, parts, [])
    result = "".join(parts)
    meter.allocate(len(result))
    return result


def _represent(meter: Meter, value: Value, parts: list[str], inside: list[Value]) -> None:
    kind = type(value)
    if kind is tuple or kind is StarlarkList or kind is StarlarkDict:
        meter.step(_CONTAINER)
        if any(value is outer for outer in inside):
            parts.append("{...}" if kind is StarlarkDict else "[...]")
            return
        if len(inside) >= MAXIMUM_NESTING:
            raise Fault("this value is nested too deeply to be shown")
        inside.append(value)
        _represent_inner(meter, value, parts, inside)
        inside.pop()
    else:
        meter.scan(len(value) if kind is str else 0)
        parts.append(_scalar(value))


def _represent_inner(meter: Meter, value: Value, parts: list[str], inside: list[Value]) -> None:
    opening, closing = ("(", ")") if type(value) is tuple else ("[", "]") if type(value) is StarlarkList else ("{", "}")
    parts.append(opening)
    for index, one in enumerate(value):
        if index:
            parts.append(", ")
        _represent(meter, one, parts, inside)
        if opening == "{":
            parts.append(": ")
            _represent(meter, value[one], parts, inside)
    if opening == "(" and len(value) == 1:
        parts.append(",")
    parts.append(closing)


def _scalar(value: Value) -> str:
    if type(value) is str:
        return quoted(value)
    if type(value) is float:
        return shown_float(value)
    if type(value) is range:
        if value.step != 1:
            return f"range({value.start}, {value.stop}, {value.step})"
        return f"range({value.start}, {value.stop})" if value.start else f"range({value.stop})"
    if isinstance(value, Builtin):
        return f"<built-in function {value.name}>"
    return str(value)


def quoted(text: str) -> str:
    """A string as a literal."""
    return '"' + "".join(_ESCAPES.get(each) or (each if each.isprintable() else _escape(ord(each))) for each in text) + '"'


def _escape(code: int) -> str:
    if code < _ASCII:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _BMP else f"\\U{code:08x}"


def shown_float(value: float) -> str:
    """A float: always with a point or an exponent, so that it reads back as a float (specification, "Floating-point")."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    return repr(value)


def percent(meter: Meter, template: str, argument: Value) -> str:
    """``template % argument``; ``%(name)s`` with a dictionary too, which old configurations use."""
    arguments: Sequence[Value] = argument if type(argument) is tuple else (argument,)
    used = 0
    parts: list[str] = []
    end = 0
    named = False
    for match in _SPECIFICATION.finditer(template):
        parts.append(template[end : match.start()])
        end = match.end()
        key, conversion = match.groups()
        if conversion == "%":
            parts.append("%")
            continue
        if key is not None:
            if type(argument) is not StarlarkDict:
                raise Fault(f"%({key}) needs a dict on the right of %, not {a_type(argument)}")
            if key not in argument:
                raise Fault(f"the dictionary has no key {quoted(key)} for this format")
            named = True
            value = argument[key]
        elif used >= len(arguments):
            raise Fault(f"not enough arguments for this format: it needs more than {len(arguments)}")
        else:
            value = arguments[used]
            used += 1
        parts.append(_converted(meter, conversion, value))
    if used < len(arguments) and not named:
        raise Fault(f"too many arguments for this format: it uses {used} of {len(arguments)}")
    parts.append(template[end:])
    return _joined(meter, parts)


def _converted(meter: Meter, conversion: str, value: Value) -> str:
    if not conversion:
        raise Fault("the format ends after %", "Write %% for a percent sign.")
    if conversion == "s":
        return to_text(meter, value)
    if conversion == "r":
        return represent(meter, value)
    if conversion in "dioxX":
        return _integer(conversion, value)
    if conversion in "eEfFgG":
        return _real(conversion, value)
    if conversion == "c":
        return _character(value)
    raise Fault(f"%{conversion} is no format", "There are %s %r %d %i %o %x %X %e %f %g %c and %%.")


def _integer(conversion: str, value: Value) -> str:
    if not is_number(value):
        raise Fault(f"%{conversion} needs an int, not {a_type(value)}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Fault(f"cannot convert float {shown_float(value)} to an integer")
        value = int(value)
    return format(value, "d" if conversion in "di" else conversion)


def _real(conversion: str, value: Value) -> str:
    if not is_number(value):
        raise Fault(f"%{conversion} needs a float, not {a_type(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise Fault("this int is too large for a float") from None
    if not math.isfinite(number) or conversion in "gG":
        return shown_float(number)
    return format(number, f".6{conversion}")


def _character(value: Value) -> str:
    if type(value) is str and len(value) == 1:
        return value
    if type(value) is int and 0 <= value <= 0x10FFFF:  # noqa: PLR2004 - the last code point
        return chr(value)
    raise Fault("%c needs a code point or a string of one character")


def interpolate(meter: Meter, template: str, arguments: Sequence[Value], named: Mapping[str, Value]) -> str:
    """``template.format(*arguments, **named)``: names and numbers, ``!r`` and ``!s``; no attributes, indices or widths."""
    parts: list[str] = []
    end = 0
    automatic = 0
    manual = False
    for match in _FIELD.finditer(template):
        parts.append(template[end : match.start()])
        end = match.end()
        whole, field = match.group(), match.group(1)
        if whole in {"{{", "}}"}:
            parts.append(whole[0])
            continue
        if field is None:
            raise Fault(f"a single {whole} in a format", f"Write {whole * 2} for a brace.")
        name, mark, conversion = field.partition("!")
        if mark and conversion not in {"r", "s"}:
            raise Fault(f"!{conversion} is no conversion", "There are !r and !s.")
        if not name or name.isdecimal():
            manual = manual or bool(name)
            if manual and (automatic or not name):
                raise Fault("a format cannot mix {} with numbered fields")
            value = _numbered(arguments, int(name[:9]) if name else automatic)
            automatic += not name
        else:
            value = _named(named, name)
        parts.append(represent(meter, value) if conversion == "r" else to_text(meter, value))
    parts.append(template[end:])
    return _joined(meter, parts)


def _numbered(arguments: Sequence[Value], index: int) -> Value:
    if index >= len(arguments):
        raise Fault(f"this format has a field {index}, but there are {len(arguments)} arguments")
    return arguments[index]


def _named(named: Mapping[str, Value], name: str) -> Value:
    if any(each in name for each in ".[:,"):
        raise Fault(f"{{{name}}} is no field of a format", "Starlark's fields are names and numbers only.")
    if name not in named:
        raise Fault(f"this format has a field {name}, but there is no such argument")
    return named[name]


def _joined(meter: Meter, parts: list[str]) -> str:
    meter.allocate(sum(map(len, parts)))
    return "".join(parts)
