"""Objects of the host: what a Starlark program sees of them is what their classes declare, nothing else.

    class PackagingPolicy(HostObject, starlark_type="PythonPackagingPolicy"):
        include_test = Attribute("bool", False)
        resources_location = Attribute("str", "in-memory")

        @method
        def register_resource_callback(self, func: Function) -> None:
            self.callbacks.append(func)

Attributes hold plain Python values, converted on the way in and copied on the way out: a list that a program read from an
attribute is its own. Methods take and return plain Python values; the type of each argument is its annotation
(``signature``). A method that needs to call a Starlark function does it with ``Interpreter.call``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, overload

from frazil.config.starlark.errors import Fault, NoAttributeFault, suggestion
from frazil.config.starlark.signature import Mismatch, Shape, Signature, shape
from frazil.config.starlark.text import quoted
from frazil.config.starlark.values import Builtin, Hosted, to_value, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frazil.config.starlark.values import Value

_MARK: Final = "__starlark_method__"
_Method = TypeVar("_Method", bound="Callable[..., Any]")


class Attribute:
    """An attribute that programs may read and, unless it is read-only, assign; ``kind`` is written as in ``signature``.

    ``check`` may raise Fault for a value of the right type, and returns the value to keep.
    """

    def __init__(
        self,
        kind: str,
        default: Any = None,
        *,
        choices: tuple[str, ...] = (),
        read_only: bool = False,
        check: Callable[[Any], Any] | None = None,
    ) -> None:
        self.shape: Shape = shape(kind)
        self.default = default
        self.choices = choices
        self.read_only = read_only
        self.check = check
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Any: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self if instance is None else vars(instance).get(self.name, self.default)

    def __set__(self, instance: object, value: Any) -> None:
        vars(instance)[self.name] = value

    def assign(self, instance: HostObject, value: Value) -> None:
        """Set the attribute from a program. Raises Fault."""
        where = f"{instance.starlark_type}.{self.name}"
        if self.read_only:
            raise Fault(f"{where} cannot be assigned")
        try:
            converted = self.shape.convert(value)
        except Mismatch as mismatch:
            raise Fault(f"{where}: expected {self.shape.name}, got {mismatch.given}") from None
        if self.choices and converted is not None and converted not in self.choices:
            near = suggestion(str(converted), self.choices) or f"There are {', '.join(map(quoted, self.choices))}."
            raise Fault(f"{where} cannot be {quoted(str(converted))}", near)
        setattr(instance, self.name, converted if self.check is None else self.check(converted))


def method(function: _Method) -> _Method:
    """Let programs call a method."""
    setattr(function, _MARK, True)
    return function


class HostObject(Hosted):
    """Base of what hosts give to programs."""

    starlark_members: ClassVar[Mapping[str, Attribute | Builtin]] = {}

    def __init_subclass__(
        cls,
        starlark_type: str | None = None,
        starlark_methods: Mapping[str, Callable[..., Any]] | None = None,
        starlark_attributes: Mapping[str, Attribute] | None = None,
        **keywords: Any,
    ) -> None:
        """Collect the members of a class: those in its body, and functions and attributes that were made elsewhere."""
        for name, attribute in (starlark_attributes or {}).items():
            attribute.name = name
            setattr(cls, name, attribute)
        super().__init_subclass__(**keywords)
        if starlark_type is not None:
            cls.starlark_type = starlark_type
        members: dict[str, Attribute | Builtin] = dict(cls.starlark_members)
        for name, function in (starlark_methods or {}).items():
            members[name] = Builtin(name, _without_meter(function), Signature.of(function, 1))
        for name, member in vars(cls).items():
            if isinstance(member, Attribute):
                members[name] = member
            elif getattr(member, _MARK, False):
                members[name] = Builtin(name, _without_meter(member), Signature.of(member, 1))
        cls.starlark_members = members

    def starlark_names(self) -> list[str]:
        """The names of all members."""
        return sorted(self.starlark_members)

    def starlark_get(self, name: str) -> Value:
        """A member's value. Raises NoAttributeFault."""
        member = self.starlark_members.get(name)
        if member is None:
            raise self._missing(name)
        return member.bound(self) if isinstance(member, Builtin) else to_value(getattr(self, name))

    def starlark_set(self, name: str, value: Value) -> None:
        """Assign an attribute. Raises Fault."""
        member = self.starlark_members.get(name)
        if member is None:
            raise self._missing(name)
        if isinstance(member, Builtin):
            raise Fault(f"{self.starlark_type}.{name} is a method: it cannot be assigned")
        member.assign(self, value)

    def _missing(self, name: str) -> Fault:
        return missing_attribute(self, name, self.starlark_members)

    def __str__(self) -> str:
        """What ``str`` and ``repr`` of it are in a program."""
        return f"<{self.starlark_type}>"


def missing_attribute(value: Value, name: str, known: Mapping[str, Any]) -> NoAttributeFault:
    """The fault of asking for an attribute that is not there."""
    return NoAttributeFault(f"{type_name(value)} has no attribute {name}", suggestion(name, known))


def _without_meter(function: Callable[..., Any]) -> Callable[..., Value]:
    def run(_machine: Any, receiver: Any, *arguments: Any, **named: Any) -> Value:
        return to_value(function(receiver, *arguments, **named))

    return run
