"""The methods of strings, as the specification has them, and ``split_codepoints``, which old configurations may use.

Each is a function of the meter, the string and its arguments; their annotations are their signatures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from frazil.config.starlark.errors import Fault
from frazil.config.starlark.operators import SLOT
from frazil.config.starlark.text import interpolate
from frazil.config.starlark.values import StarlarkList, a_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil.config.starlark.limits import Meter
    from frazil.config.starlark.values import Value

    Items = Any

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")


def _bounds(text: str, start: int | None, end: int | None) -> tuple[int, int]:
    first, last, _ = slice(start, end).indices(len(text))
    return first, max(first, last)


def _pieces(meter: Meter, text: str, pieces: list[str]) -> StarlarkList:
    meter.allocate(len(text) + SLOT * len(pieces))
    return StarlarkList(pieces)


def _count(_meter: Meter, text: str, sub: str, start: int | None = None, end: int | None = None, /) -> Value:
    return text.count(sub, *_bounds(text, start, end))


def _find(_meter: Meter, text: str, sub: str, start: int | None = None, end: int | None = None, /) -> Value:
    return text.find(sub, *_bounds(text, start, end))


def _rfind(_meter: Meter, text: str, sub: str, start: int | None = None, end: int | None = None, /) -> Value:
    return text.rfind(sub, *_bounds(text, start, end))


def _found(index: int) -> int:
    if index < 0:
        raise Fault("the substring is not there", "find() answers -1 instead.")
    return index


def _index(meter: Meter, text: str, sub: str, start: int | None = None, end: int | None = None, /) -> Value:
    return _found(_find(meter, text, sub, start, end))


def _rindex(meter: Meter, text: str, sub: str, start: int | None = None, end: int | None = None, /) -> Value:
    return _found(_rfind(meter, text, sub, start, end))


def _affixes(name: str, wanted: Value) -> tuple[str, ...]:
    affixes = wanted if type(wanted) is tuple else (wanted,)
    for one in affixes:
        if type(one) is not str:
            raise Fault(f"{name}() takes a string or a tuple of strings, not {a_type(one)}")
    return affixes


def _startswith(_meter: Meter, text: str, x: object, start: int | None = None, end: int | None = None, /) -> Value:
    first, last = _bounds(text, start, end)
    return text[first:last].startswith(_affixes("startswith", x))


def _endswith(_meter: Meter, text: str, x: object, start: int | None = None, end: int | None = None, /) -> Value:
    first, last = _bounds(text, start, end)
    return text[first:last].endswith(_affixes("endswith", x))


def _format(meter: Meter, text: str, *args: object, **kwargs: object) -> Value:
    return interpolate(meter, text, args, kwargs)


def _join(meter: Meter, text: str, elements: Items, /) -> Value:
    size = 0
    for index, one in enumerate(elements):
        if type(one) is not str:
            raise Fault(f"join() joins strings; element {index} is {a_type(one)}", "Convert it with str(...).")
        size += len(one)
    meter.allocate(size + len(text) * len(elements))
    return text.join(elements)


def _replace(meter: Meter, text: str, old: str, new: str, count: int = -1, /) -> Value:
    found = text.count(old)
    times = found if count < 0 else min(count, found)
    meter.allocate(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new, times)


def _separated(separator: str) -> None:
    if not separator:
        raise Fault("the separator is empty")


def _partition(_meter: Meter, text: str, sep: str, /) -> Value:
    _separated(sep)
    return text.partition(sep)


def _rpartition(_meter: Meter, text: str, sep: str, /) -> Value:
    _separated(sep)
    return text.rpartition(sep)


def _times(text: str, count: int | None) -> int:
    return -1 if count is None or count < 0 else min(count, len(text))


def _split(meter: Meter, text: str, sep: str | None = None, maxsplit: int | None = None) -> Value:
    if sep is not None:
        _separated(sep)
    return _pieces(meter, text, text.split(sep, _times(text, maxsplit)))


def _rsplit(meter: Meter, text: str, sep: str | None = None, maxsplit: int | None = None) -> Value:
    if sep is not None:
        _separated(sep)
    return _pieces(meter, text, text.rsplit(sep, _times(text, maxsplit)))


def _splitlines(meter: Meter, text: str, keepends: bool = False) -> Value:  # noqa: FBT001, FBT002 - Starlark's signature
    lines = [line for line in _LINE.findall(text) if line]
    return _pieces(meter, text, lines if keepends else [line.rstrip("\r\n") for line in lines])


def _elems(meter: Meter, text: str) -> Value:
    return _pieces(meter, text, list(text))


def _ords(meter: Meter, text: str) -> Value:
    meter.allocate(SLOT * len(text))
    return StarlarkList(list(map(ord, text)))


def _removeprefix(_meter: Meter, text: str, prefix: str, /) -> Value:
    return text.removeprefix(prefix)


def _removesuffix(_meter: Meter, text: str, suffix: str, /) -> Value:
    return text.removesuffix(suffix)


def _strip(_meter: Meter, text: str, chars: str | None = None, /) -> Value:
    return text.strip(chars)


def _lstrip(_meter: Meter, text: str, chars: str | None = None, /) -> Value:
    return text.lstrip(chars)


def _rstrip(_meter: Meter, text: str, chars: str | None = None, /) -> Value:
    return text.rstrip(chars)


def _plain(method: Callable[[str], Value]) -> Callable[..., Value]:
    def run(meter: Meter, text: str) -> Value:
        meter.allocate(len(text))
        return method(text)

    return run


METHODS: Final[dict[str, Callable[..., Value]]] = {
    "count": _count,
    "elems": _elems,
    "codepoints": _elems,
    "split_codepoints": _elems,
    "elem_ords": _ords,
    "codepoint_ords": _ords,
    "endswith": _endswith,
    "find": _find,
    "format": _format,
    "index": _index,
    "join": _join,
    "lstrip": _lstrip,
    "partition": _partition,
    "removeprefix": _removeprefix,
    "removesuffix": _removesuffix,
    "replace": _replace,
    "rfind": _rfind,
    "rindex": _rindex,
    "rpartition": _rpartition,
    "rsplit": _rsplit,
    "rstrip": _rstrip,
    "split": _split,
    "splitlines": _splitlines,
    "startswith": _startswith,
    "strip": _strip,
    "capitalize": _plain(str.capitalize),
    "isalnum": _plain(str.isalnum),
    "isalpha": _plain(str.isalpha),
    "isdigit": _plain(str.isdigit),
    "islower": _plain(str.islower),
    "isspace": _plain(str.isspace),
    "istitle": _plain(str.istitle),
    "isupper": _plain(str.isupper),
    "lower": _plain(str.lower),
    "title": _plain(str.title),
    "upper": _plain(str.upper),
}
