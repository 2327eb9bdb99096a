"""Functions that Starlark code defines, and the frames in which they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from frazil.config.starlark.errors import Fault, Source, Span, suggestion
from frazil.config.starlark.operators import SLOT
from frazil.config.starlark.values import DefinedFunction, StarlarkDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from frazil.config.starlark.machine import Machine
    from frazil.config.starlark.values import Value


class Signal(Enum):
    """Why a block ended early."""

    BREAK = "break"
    CONTINUE = "continue"
    RETURN = "return"


class Unbound:
    """The value of a slot that has none yet."""


UNBOUND: Final = Unbound()


class Frame:
    """The variables of an active call; ``parent`` is the frame that the function was defined in."""

    __slots__ = ("machine", "parent", "result", "values")

    def __init__(self, values: list[Value], parent: Frame | None, machine: Machine) -> None:
        self.values = values
        self.parent = parent
        self.machine = machine
        self.result: Value = None


class Evaluate(Protocol):
    """An expression, ready to run."""

    def __call__(self, frame: Frame, /) -> Value:
        """The expression's value."""


class Run(Protocol):
    """A statement, ready to run."""

    def __call__(self, frame: Frame, /) -> Signal | None:
        """Why the block is left, if it is."""


@dataclass(slots=True, eq=False)
class Code:
    """What all functions made by one definition share. Slots are in the order of ``parameters`` (``syntax.parameters``)."""

    name: str
    source: Source
    span: Span
    positional: tuple[str, ...]
    rest: str | None
    by_name: tuple[str, ...]
    named_rest: str | None
    size: int
    """Slots of a frame."""
    body: Run
    active: bool = False
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = len(self.positional) + (self.rest is not None) + len(self.by_name) + (self.named_rest is not None)


class Function(DefinedFunction):
    """A function value: code, defaults by name, and the frame around it."""

    __slots__ = ("code", "defaults", "name", "parent")

    def __init__(self, code: Code, defaults: Mapping[str, Value], parent: Frame) -> None:
        self.code = code
        self.name = code.name
        self.defaults = defaults
        self.parent = parent

    def __str__(self) -> str:
        """What ``str`` and ``repr`` of it are in a program."""
        return f"<function {self.name}>"

    def reachable(self) -> Iterable[Value]:
        """Defaults, and what the frames around hold."""
        yield from self.defaults.values()
        frame: Frame | None = self.parent
        while frame is not None:
            yield from frame.values
            frame = frame.parent

    def invoke(self, machine: Machine, arguments: Sequence[Value], named: Mapping[str, Value]) -> Value:
        """Call the function. Raises Fault for wrong arguments and recursion, StarlarkError for what goes wrong inside."""
        code = self.code
        if code.active:
            raise Fault(f"{code.name} calls itself, directly or through others: Starlark has no recursion")
        if len(machine.stack) > machine.limits.depth:
            raise Fault(f"more than {machine.limits.depth} calls are inside each other")
        machine.step()
        if not named and len(arguments) == len(code.positional) == code.count:
            values = [*arguments, *([UNBOUND] * (code.size - code.count))]
        else:
            values = self._bind(machine, arguments, named)
        frame = Frame(values, self.parent, machine)
        machine.stack.append((code.name, machine.site))
        code.active = True
        try:
            return frame.result if code.body(frame) is Signal.RETURN else None
        except RecursionError:
            raise Fault("the calls inside each other are too many") from None
        finally:
            code.active = False
            machine.stack.pop()

    def _bind(self, machine: Machine, arguments: Sequence[Value], named: Mapping[str, Value]) -> list[Value]:
        code = self.code
        if len(arguments) > len(code.positional) and code.rest is None:
            count = len(code.positional)
            most = f"{count} argument{'' if count == 1 else 's'} by position" if count else "no arguments by position"
            raise Fault(f"{code.name}() takes {most}, but {len(arguments)} are given")
        left = dict(named)
        if code.named_rest is None:
            for name in left:
                if name not in code.positional and name not in code.by_name:
                    known = (*code.positional, *code.by_name)
                    raise Fault(f"{code.name}() has no parameter {name}", suggestion(name, known))
        values: list[Value] = []
        for index, name in enumerate(code.positional):
            if index < len(arguments):
                if name in left:
                    raise Fault(f"{code.name}() gets {name} twice")
                values.append(arguments[index])
            else:
                values.append(self._argument(name, left))
        if code.rest is not None:
            machine.allocate(SLOT * len(arguments))
            values.append(tuple(arguments[len(code.positional) :]))
        values += [self._argument(name, left) for name in code.by_name]
        if code.named_rest is not None:
            values.append(StarlarkDict(left.items()))
        return values + [UNBOUND] * (code.size - code.count)

    def _argument(self, name: str, left: dict[str, Value]) -> Value:
        if name in left:
            return left.pop(name)
        if name in self.defaults:
            return self.defaults[name]
        raise Fault(f"{self.name}() needs {name}, which is not given")
