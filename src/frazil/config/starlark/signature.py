"""Arguments of host functions, checked and converted as their annotations say.

A host function is written as plain Python; its annotations, which stay strings, are read here as the types that Starlark code
may give: ``str``, ``int``, ``bool``, ``float``, ``None``, ``object``, ``list[str]``, ``dict[str, str]``, ``A | B``, ``Items``
(anything iterable, given as a sequence), ``Function`` (anything callable), or the Starlark name of a host type.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from frazil.config.starlark.errors import Fault, suggestion
from frazil.config.starlark.values import Builtin, DefinedFunction, StarlarkDict, StarlarkList, elements, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from frazil.config.starlark.values import Value

MISSING: Final = inspect.Parameter.empty
_NAMES: Final = {"str": "string", "None": "NoneType", "Items": "iterable", "Function": "function", "object": "value"}


class Mismatch(Exception):  # noqa: N818 - an answer, caught where the parameter's name is known
    """A value is not of the type. ``given`` says what it is."""

    def __init__(self, given: str) -> None:
        self.given = given
        super().__init__(given)


@dataclass(frozen=True, slots=True)
class Shape:
    """A type that values are checked against. ``name`` is for messages."""

    name: str
    convert: Callable[[Value], Any]
    """The host's form of a value. Raises Mismatch."""


@cache
def shape(text: str) -> Shape:
    """The shape that an annotation writes."""
    alternatives = [one.strip() for one in text.split("|")]
    if len(alternatives) > 1:
        return _union([shape(one) for one in alternatives])
    name, bracket, inner = text.strip().partition("[")
    if bracket:
        inner = inner.rstrip("]")
        return _list(shape(inner)) if name == "list" else _dict(*(shape(one.strip()) for one in inner.split(",")))
    return Shape(_NAMES.get(name, name), _CONVERTERS.get(name) or _hosted(name))


def _exactly(kind: type) -> Callable[[Value], Any]:
    def convert(value: Value) -> Any:
        if type(value) is not kind:
            raise Mismatch(type_name(value))
        return value

    return convert


def _float(value: Value) -> Any:
    if type(value) is float or type(value) is int:
        return float(value)
    raise Mismatch(type_name(value))


def _items(value: Value) -> Any:
    try:
        return elements(value)
    except Fault:
        raise Mismatch(type_name(value)) from None


def _callable(value: Value) -> Any:
    if isinstance(value, DefinedFunction | Builtin):
        return value
    raise Mismatch(type_name(value))


def _hosted(name: str) -> Callable[[Value], Any]:
    def convert(value: Value) -> Any:
        if type_name(value) != name:
            raise Mismatch(type_name(value))
        return value

    return convert


def _list(item: Shape) -> Shape:
    def convert(value: Value) -> Any:
        if type(value) is not StarlarkList and type(value) is not tuple:
            raise Mismatch(type_name(value))
        return [_inner(item, one, "a list with an element of type") for one in value]

    return Shape(f"list of {item.name}", convert)


def _dict(key: Shape, value_shape: Shape) -> Shape:
    def convert(value: Value) -> Any:
        if type(value) is not StarlarkDict:
            raise Mismatch(type_name(value))
        return {
            _inner(key, one, "a dict with a key of type"): _inner(value_shape, value[one], "a dict with a value of type")
            for one in value
        }

    return Shape(f"dict of {key.name} to {value_shape.name}", convert)


def _inner(inner: Shape, value: Value, what: str) -> Any:
    try:
        return inner.convert(value)
    except Mismatch as mismatch:
        raise Mismatch(f"{what} {mismatch.given}") from None


def _union(shapes: Sequence[Shape]) -> Shape:
    def convert(value: Value) -> Any:
        given = type_name(value)
        for one in shapes:
            try:
                return one.convert(value)
            except Mismatch as mismatch:
                given = max(given, mismatch.given, key=len)
        raise Mismatch(given)

    return Shape(" or ".join(one.name for one in shapes), convert)


_CONVERTERS: Final[dict[str, Callable[[Value], Any]]] = {
    "object": lambda value: value,
    "str": _exactly(str),
    "int": _exactly(int),
    "bool": _exactly(bool),
    "None": _exactly(type(None)),
    "list": _exactly(StarlarkList),
    "dict": _exactly(StarlarkDict),
    "float": _float,
    "Items": _items,
    "Function": _callable,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a host function. ``default`` is MISSING for a required one."""

    name: str
    shape: Shape
    default: Any
    by_position: bool
    by_name: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a host function, without those that the evaluator fills."""

    parameters: tuple[Parameter, ...]
    rest: Shape | None
    named_rest: Shape | None

    @classmethod
    def of(cls, function: Callable[..., Any], skip: int) -> Signature:
        """The signature of a Python function without its first ``skip`` parameters."""
        parameters = []
        rest = named_rest = None
        for each in list(inspect.signature(function).parameters.values())[skip:]:
            wanted = shape(each.annotation if isinstance(each.annotation, str) else "object")
            if each.kind is each.VAR_POSITIONAL:
                rest = wanted
            elif each.kind is each.VAR_KEYWORD:
                named_rest = wanted
            else:
                by_position, by_name = each.kind is not each.KEYWORD_ONLY, each.kind is not each.POSITIONAL_ONLY
                parameters.append(Parameter(each.name.rstrip("_"), wanted, each.default, by_position, by_name))
        return cls(tuple(parameters), rest, named_rest)

    def bind(self, name: str, arguments: Sequence[Value], named: Mapping[str, Value]) -> tuple[list[Any], dict[str, Any]]:
        """Python arguments for a call. Raises Fault when they do not fit; ``name`` is the function's, for messages."""
        most = sum(one.by_position for one in self.parameters)
        if len(arguments) > most and self.rest is None:
            wanted = f"{most} argument{'' if most == 1 else 's'}" if most else "no arguments"
            raise Fault(f"{name}() takes {wanted}, but {len(arguments)} are given")
        left = dict(named)
        if left and self.named_rest is None:
            self._check_names(name, left)
        bound = []
        extra = {}
        for index, one in enumerate(self.parameters):
            given = arguments[index] if one.by_position and index < len(arguments) else MISSING
            value = _argument(name, one, given, left)
            if one.by_position:
                bound.append(value)
            else:
                extra[one.name] = value
        if self.rest is not None:
            bound += [_checked(name, Parameter("*", self.rest, None, True, False), one) for one in arguments[most:]]
        if self.named_rest is not None:
            rest = self.named_rest
            extra |= {key: _checked(name, Parameter(key, rest, None, False, True), value) for key, value in left.items()}
        return bound, extra

    def _check_names(self, name: str, named: Mapping[str, Value]) -> None:
        known = [one.name for one in self.parameters if one.by_name]
        for each in named:
            if each not in known:
                raise Fault(f"{name}() has no parameter {each}", suggestion(each, known))


def _argument(name: str, parameter: Parameter, given: Value, left: dict[str, Value]) -> Any:
    """A parameter's value: ``given`` by position, or from what is ``left`` of those by name, or its default."""
    by_name = parameter.by_name and parameter.name in left
    if given is not MISSING:
        if by_name:
            raise Fault(f"{name}() gets {parameter.name} twice")
        return _checked(name, parameter, given)
    if by_name:
        return _checked(name, parameter, left.pop(parameter.name))
    if parameter.default is MISSING:
        raise Fault(f"{name}() needs {parameter.name}, which is not given")
    return parameter.default


def _checked(name: str, parameter: Parameter, value: Value) -> Any:
    try:
        return parameter.shape.convert(value)
    except Mismatch as mismatch:
        expected = f"expected {parameter.shape.name}, got {mismatch.given}"
        raise Fault(f"{parameter.name} of {name}(): {expected}") from None
