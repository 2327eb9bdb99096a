"""Statements as closures: each answers why its block is left, if it is (``functions.Signal``)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from frazil.config.starlark import builtins, containers, operators
from frazil.config.starlark.errors import Fault, Span
from frazil.config.starlark.expressions import FAILURES, Scope, definition, expression, operation, outer, variable
from frazil.config.starlark.functions import Frame, Signal
from frazil.config.starlark.limits import out_of_steps
from frazil.config.starlark.names import Binding, Kind
from frazil.config.starlark.operators import BINARY
from frazil.config.starlark.syntax import branches
from frazil.config.starlark.values import Mutable, StarlarkDict, StarlarkList, elements, truth, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil.config.starlark.functions import Evaluate, Run
    from frazil.config.starlark.machine import Machine
    from frazil.config.starlark.values import Value


def block(scope: Scope, body: list[ast.stmt]) -> Run:
    """The closure of statements one after the other."""
    parts = tuple(statement(scope, one) for one in body if not isinstance(one, ast.Pass))
    if len(parts) == 1:
        return parts[0]

    def run(frame: Frame) -> Signal | None:
        for one in parts:
            signal = one(frame)
            if signal is not None:
                return signal
        return None

    return run


def statement(scope: Scope, node: ast.stmt) -> Run:
    """The closure of a statement."""
    return _MAKERS[type(node)](scope, node)


def _expression(scope: Scope, node: ast.Expr) -> Run:
    value = expression(scope, node.value)

    def run(frame: Frame) -> None:
        value(frame)

    return run


def _assign(scope: Scope, node: ast.Assign) -> Run:
    value, put = expression(scope, node.value), assignment(scope, node.targets[0])

    def run(frame: Frame) -> None:
        put(frame, value(frame))

    return run


def assignment(scope: Scope, target: ast.expr) -> Callable[[Frame, Value], None]:
    """The closure that gives a target its value."""
    if isinstance(target, ast.Name):
        return store(scope, scope.names.bindings[target])
    if isinstance(target, ast.Tuple | ast.List):
        return _unpack(scope, target)
    span = scope.span(target)
    if isinstance(target, ast.Attribute):
        owner, name = expression(scope, target.value), target.attr

        def set_attribute(frame: Frame, value: Value) -> None:
            holder = owner(frame)
            try:
                frame.machine.site = span
                builtins.set_attribute(holder, name, value)
            except FAILURES as error:
                raise frame.machine.located(error, span) from None

        return set_attribute
    assert isinstance(target, ast.Subscript)  # noqa: S101 - the parser allows no other target
    owner, key = expression(scope, target.value), expression(scope, target.slice)

    def set_item(frame: Frame, value: Value) -> None:
        holder, index = owner(frame), key(frame)
        try:
            operators.set_item(frame.machine, holder, index, value)
        except FAILURES as error:
            raise frame.machine.located(error, span) from None

    return set_item


def store(scope: Scope, binding: Binding) -> Callable[[Frame, Value], None]:
    """The closure that gives a variable its value."""
    index, depth, name = binding.index, binding.depth, binding.name
    if binding.kind is not Kind.SLOT:
        variables = scope.variables

        def set_global(_frame: Frame, value: Value) -> None:
            variables[name] = value

        return set_global

    def set_own(frame: Frame, value: Value) -> None:
        frame.values[index] = value

    def set_outer(frame: Frame, value: Value) -> None:
        outer(frame, depth).values[index] = value

    return set_outer if depth else set_own


def _unpack(scope: Scope, target: ast.Tuple | ast.List) -> Callable[[Frame, Value], None]:
    parts = [assignment(scope, one) for one in target.elts]
    span = scope.span(target)

    def run(frame: Frame, value: Value) -> None:
        try:
            items = elements(value, "the value to unpack")
        except Fault as fault:
            raise frame.machine.located(fault, span) from None
        if len(items) != len(parts):
            raise frame.machine.located(Fault(f"there are {len(items)} values for {len(parts)} targets"), span)
        for one, item in zip(parts, list(items), strict=True):
            one(frame, item)

    return run


def _augmented(scope: Scope, node: ast.AugAssign) -> Run:
    span = scope.span(node)
    right = expression(scope, node.value)
    kind = type(node.op)
    if isinstance(node.target, ast.Name):
        binding = scope.names.bindings[node.target]
        return _augmented_name(scope, kind, binding, right, (scope.span(node.target), span))
    owner = expression(scope, node.target.value)
    if isinstance(node.target, ast.Attribute):
        name = node.target.attr

        def run_attribute(frame: Frame) -> None:
            holder = owner(frame)
            try:
                current = builtins.get_attribute(holder, name)
                frame.machine.site = span
                builtins.set_attribute(holder, name, _in_place(kind, frame.machine, current, right(frame)))
            except FAILURES as error:
                raise frame.machine.located(error, span) from None

        return run_attribute
    key = expression(scope, node.target.slice)

    def run_item(frame: Frame) -> None:
        holder, index = owner(frame), key(frame)
        machine = frame.machine
        try:
            current = operators.get_item(machine, holder, index)
            changed = _in_place(kind, machine, current, right(frame))
            if changed is not current or not isinstance(current, Mutable):
                operators.set_item(machine, holder, index, changed)
        except FAILURES as error:
            raise machine.located(error, span) from None

    return run_item


def _augmented_name(scope: Scope, kind: type[ast.operator], binding: Binding, right: Evaluate, spans: tuple[Span, Span]) -> Run:
    current, put = variable(scope, binding, spans[0]), store(scope, binding)
    apply = operation(kind, current, right, spans[1])

    def run(frame: Frame) -> None:
        value = current(frame)
        if isinstance(value, Mutable):
            operand = right(frame)
            try:
                value = _in_place(kind, frame.machine, value, operand)
            except FAILURES as error:
                raise frame.machine.located(error, spans[1]) from None
            put(frame, value)
        else:
            put(frame, apply(frame))

    return run


def _in_place(kind: type[ast.operator], machine: Machine, current: Value, operand: Value) -> Value:
    """``current op= operand``: lists and dictionaries change, everything else is made anew."""
    if kind is ast.Add and type(current) is StarlarkList:
        containers.extend(machine, current, elements(operand, "the right side of +="))
        return current
    if kind is ast.BitOr and type(current) is StarlarkDict:
        if type(operand) is not StarlarkDict:
            raise Fault(f"dict |= {type_name(operand)} is not supported")
        containers.update(machine, current, operand)
        return current
    return BINARY[kind](machine, current, operand)


def _define(scope: Scope, node: ast.FunctionDef) -> Run:
    make = definition(scope, node, block(scope, node.body))
    put = store(scope, scope.names.bindings[node])

    def run(frame: Frame) -> None:
        put(frame, make(frame))

    return run


def _return(scope: Scope, node: ast.Return) -> Run:
    if node.value is None:
        return lambda _frame: Signal.RETURN
    value = expression(scope, node.value)

    def run(frame: Frame) -> Signal:
        frame.result = value(frame)
        return Signal.RETURN

    return run


def _if(scope: Scope, node: ast.If) -> Run:
    conditions, rest = branches(node)
    parts = [(expression(scope, test), block(scope, body)) for test, body in conditions]
    other = block(scope, rest)

    def run(frame: Frame) -> Signal | None:
        for test, body in parts:
            if truth(test(frame)):
                return body(frame)
        return other(frame)

    return run


def _for(scope: Scope, node: ast.For) -> Run:
    sequence, put, body = expression(scope, node.iter), assignment(scope, node.target), block(scope, node.body)
    span, place = scope.span(node), scope.span(node.iter)

    def loop(frame: Frame, items: Any) -> Signal | None:
        machine = frame.machine
        for item in items:
            machine.steps -= 1
            if machine.steps < 0:
                raise machine.located(out_of_steps(machine.limits), span)
            put(frame, item)
            signal = body(frame)
            if signal is not None:
                if signal is Signal.RETURN:
                    return signal
                if signal is Signal.BREAK:
                    break
        return None

    def run(frame: Frame) -> Signal | None:
        value = sequence(frame)
        try:
            items = elements(value)
        except Fault as fault:
            raise frame.machine.located(fault, place) from None
        if not isinstance(value, Mutable):
            return loop(frame, items)
        value.iterators += 1
        try:
            return loop(frame, items)
        finally:
            value.iterators -= 1

    return run


_MAKERS: Final[dict[type[ast.stmt], Callable[[Scope, Any], Run]]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AugAssign: _augmented,
    ast.FunctionDef: _define,
    ast.Return: _return,
    ast.If: _if,
    ast.For: _for,
    ast.Break: lambda _scope, _node: lambda _frame: Signal.BREAK,
    ast.Continue: lambda _scope, _node: lambda _frame: Signal.CONTINUE,
}
