"""Describes what imports left in the modules, so that a restored process can be compared with the one that was dumped.

A digest says which names a module has, and what its functions and classes are. It says nothing of other values: modules may
change them after ``fork``. No executable has this module when it runs.
"""

import _imp
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from types import CodeType
    from typing import Any

_KEY = 0x6672617A696C
_FUNCTION = type(lambda: None)
_CODE = type((lambda: None).__code__)
_type_name = type.__dict__["__qualname__"].__get__
_namespace_of_type = type.__dict__["__dict__"].__get__


def digests(renewed: "Container[str]") -> "Iterator[tuple[str, str]]":
    """Of each module that was imported, but for those whose names are in ``renewed``: a restored process changes them.

    Keeps next to nothing while it works: what is freed before a dump is still part of the memory that is dumped.
    """
    for name, module in list(sys.modules.items()):
        if name == "sys" or name in renewed or name.partition(".")[0] == "frazil_runtime":
            continue
        try:
            namespace = object.__getattribute__(module, "__dict__")
        except AttributeError:
            continue
        key = _KEY
        for part in _content(namespace, str(name)):
            key = int.from_bytes(_imp.source_hash(key, part), "little") >> 1  # it takes no more than 63 bits
        yield str(name), f"{key:016x}"


def _content(namespace: "Any", module: str) -> "Iterator[bytes]":
    for name, value in list(namespace.items()):
        kind = type(value)
        yield _encoded(name)
        if name == "__doc__":
            yield _encoded(value)
        elif kind is _FUNCTION:
            yield from _code(value.__code__)
        elif issubclass(kind, type):
            yield _encoded(_type_name(value))
            inner = _namespace_of_type(value)
            if inner.get("__module__") == module:
                yield from _content(inner, "")


def _code(code: "CodeType") -> "Iterator[bytes]":
    """What is kept as it is: asking for the instructions, or the variables, makes a copy that stays."""
    yield _encoded(code.co_qualname)
    yield code.co_linetable
    yield code.co_exceptiontable
    yield from map(_encoded, code.co_names)
    for constant in code.co_consts:
        kind = type(constant)
        if kind is str:
            yield _encoded(constant)
        elif kind is bytes:
            yield constant
        elif kind is _CODE:
            yield from _code(constant)


def _encoded(text: "Any") -> bytes:
    return text.encode("utf-8", "surrogatepass") if type(text) is str else b""
