"""Expressions as closures: each node becomes a function of a frame, made once and run many times.

A closure that can fail knows its place in the source and adds it to the Fault. Common cases (small integers, strings, slots of
the own frame) have closures of their own, because a configuration's loops spend their time here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from frazil.config.starlark import builtins, operators
from frazil.config.starlark.compare import check_hashable
from frazil.config.starlark.errors import Fault, Source, Span
from frazil.config.starlark.functions import UNBOUND, Code, Frame, Function, Signal
from frazil.config.starlark.names import Binding, Kind, Names
from frazil.config.starlark.operators import BINARY, COMPARISONS, SLOT
from frazil.config.starlark.syntax import spine
from frazil.config.starlark.values import Mutable, StarlarkDict, StarlarkList, a_type, elements, truth
from frazil.errors import FrazilError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frazil.config.starlark.functions import Evaluate
    from frazil.config.starlark.values import Value

_SMALL: Final = 1 << 62
"""Sums of smaller integers need no check of their size."""
_CHAIN: Final = 8
"""From this length on a chain of operators is a loop, not closures inside each other."""
FAILURES: Final = (Fault, FrazilError)


@dataclass(frozen=True, slots=True)
class Scope:
    """What closures of one file are made from."""

    source: Source
    names: Names
    variables: dict[str, Value]
    """The globals of the file, filled as it runs."""
    given: Mapping[str, Value]

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """A node's place."""
        return Span.of(self.source, node)


def expression(scope: Scope, node: ast.expr) -> Evaluate:
    """The closure of an expression."""
    return _MAKERS[type(node)](scope, node)


def _constant(_scope: Scope, node: ast.Constant) -> Evaluate:
    value: Value = node.value
    return lambda _frame: value


def _name(scope: Scope, node: ast.Name) -> Evaluate:
    return variable(scope, scope.names.bindings[node], scope.span(node))


def variable(scope: Scope, binding: Binding, span: Span) -> Evaluate:
    """The closure that reads a variable."""
    if binding.kind is Kind.SLOT:
        return _slot(binding, span)
    name = binding.name
    if binding.kind is Kind.GIVEN:
        value = scope.given[name]
        return lambda _frame: value
    variables, given = scope.variables, scope.given

    def read_global(frame: Frame) -> Value:
        try:
            return variables[name]
        except KeyError:
            if name in given:
                return given[name]
            raise frame.machine.located(Fault(f"{name} is used before it has a value"), span) from None

    return read_global


def _slot(binding: Binding, span: Span) -> Evaluate:
    index, depth = binding.index, binding.depth

    def read_own(frame: Frame) -> Value:
        value = frame.values[index]
        if value is UNBOUND:
            raise frame.machine.located(Fault(f"{binding.name} is used before it has a value"), span)
        return value

    def read_outer(frame: Frame) -> Value:
        value = outer(frame, depth).values[index]
        if value is UNBOUND:
            raise frame.machine.located(Fault(f"{binding.name} is used before it has a value"), span)
        return value

    return read_outer if depth else read_own


def outer(frame: Frame, depth: int) -> Frame:
    """The frame ``depth`` definitions outwards."""
    for _ in range(depth):
        assert frame.parent is not None  # noqa: S101 - names were resolved along the same frames
        frame = frame.parent
    return frame


def _binary(scope: Scope, node: ast.BinOp) -> Evaluate:
    first, chain = spine(node)
    if len(chain) < _CHAIN:
        current = expression(scope, first)
        for one in chain:
            current = operation(type(one.op), current, expression(scope, one.right), scope.span(one))
        return current
    start = expression(scope, first)
    rest = [(BINARY[type(one.op)], expression(scope, one.right), scope.span(one)) for one in chain]

    def run(frame: Frame) -> Value:
        value = start(frame)
        for apply, right, span in rest:
            operand = right(frame)
            try:
                value = apply(frame.machine, value, operand)
            except FAILURES as error:
                raise frame.machine.located(error, span) from None
        return value

    return run


def operation(kind: type[ast.operator], left: Evaluate, right: Evaluate, span: Span) -> Evaluate:
    """The closure of one binary operation."""
    apply = BINARY[kind]

    def run(frame: Frame) -> Value:
        a = left(frame)
        b = right(frame)
        try:
            return apply(frame.machine, a, b)
        except FAILURES as error:
            raise frame.machine.located(error, span) from None

    def run_add(frame: Frame) -> Value:
        a = left(frame)
        b = right(frame)
        if type(a) is int and type(b) is int and -_SMALL < a < _SMALL and -_SMALL < b < _SMALL:
            return a + b
        try:
            return apply(frame.machine, a, b)
        except FAILURES as error:
            raise frame.machine.located(error, span) from None

    return run_add if kind is ast.Add else run


def _boolean(scope: Scope, node: ast.BoolOp) -> Evaluate:
    *first, last = [expression(scope, one) for one in node.values]
    stop = isinstance(node.op, ast.Or)

    def run(frame: Frame) -> Value:
        for one in first:
            value = one(frame)
            if truth(value) is stop:
                return value
        return last(frame)

    return run


def _unary(scope: Scope, node: ast.UnaryOp) -> Evaluate:
    operand = expression(scope, node.operand)
    if isinstance(node.op, ast.Not):
        return lambda frame: not truth(operand(frame))
    span = scope.span(node)
    apply = {ast.USub: operators.negate, ast.UAdd: operators.plus, ast.Invert: operators.invert}[type(node.op)]

    def run(frame: Frame) -> Value:
        try:
            return apply(operand(frame))
        except Fault as fault:
            raise frame.machine.located(fault, span) from None

    return run


def _conditional(scope: Scope, node: ast.IfExp) -> Evaluate:
    test, body, other = (expression(scope, one) for one in (node.test, node.body, node.orelse))
    return lambda frame: body(frame) if truth(test(frame)) else other(frame)


def _compare(scope: Scope, node: ast.Compare) -> Evaluate:
    left, right, span = expression(scope, node.left), expression(scope, node.comparators[0]), scope.span(node)
    kind = type(node.ops[0])
    apply = COMPARISONS[kind]

    def run(frame: Frame) -> Value:
        a = left(frame)
        b = right(frame)
        try:
            return apply(frame.machine, a, b)
        except FAILURES as error:
            raise frame.machine.located(error, span) from None

    return run


def _list(scope: Scope, node: ast.List) -> Evaluate:
    parts = [expression(scope, one) for one in node.elts]
    size = SLOT * (len(parts) + 4)
    span = scope.span(node)

    def run(frame: Frame) -> Value:
        _charge(frame, size, span)
        return StarlarkList([one(frame) for one in parts])

    return run


def _charge(frame: Frame, size: int, span: Span) -> None:
    try:
        frame.machine.allocate(size)
    except Fault as fault:
        raise frame.machine.located(fault, span) from None


def _tuple(scope: Scope, node: ast.Tuple) -> Evaluate:
    parts = [expression(scope, one) for one in node.elts]
    size = SLOT * (len(parts) + 2)
    span = scope.span(node)

    def run(frame: Frame) -> Value:
        _charge(frame, size, span)
        return tuple([one(frame) for one in parts])

    return run


def _dict(scope: Scope, node: ast.Dict) -> Evaluate:
    parts = [
        (expression(scope, key), expression(scope, value), scope.span(key))
        for key, value in zip(node.keys, node.values, strict=True)
        if key is not None
    ]
    size = SLOT * 4 * (len(parts) + 1)
    span = scope.span(node)

    def run(frame: Frame) -> Value:
        _charge(frame, size, span)
        result = StarlarkDict()
        for key, value, place in parts:
            found = key(frame)
            try:
                check_hashable(frame.machine, found)
            except Fault as fault:
                raise frame.machine.located(fault, place) from None
            result.set(found, value(frame))  # the last of equal keys counts, as configurations have always had it
        return result

    return run


def _attribute(scope: Scope, node: ast.Attribute) -> Evaluate:
    owner, name, span = expression(scope, node.value), node.attr, scope.span(node)

    def run(frame: Frame) -> Value:
        value = owner(frame)
        try:
            return builtins.get_attribute(value, name)
        except FAILURES as error:
            raise frame.machine.located(error, span) from None

    return run


def _subscript(scope: Scope, node: ast.Subscript) -> Evaluate:
    owner, span = expression(scope, node.value), scope.span(node)
    if isinstance(node.slice, ast.Slice):
        bounds = [
            None if one is None else expression(scope, one) for one in (node.slice.lower, node.slice.upper, node.slice.step)
        ]

        def run_slice(frame: Frame) -> Value:
            value = owner(frame)
            given = [None if one is None else one(frame) for one in bounds]
            try:
                return operators.slice_of(frame.machine, value, given)
            except FAILURES as error:
                raise frame.machine.located(error, span) from None

        return run_slice
    key = expression(scope, node.slice)

    def run(frame: Frame) -> Value:
        value = owner(frame)
        index = key(frame)
        try:
            return operators.get_item(frame.machine, value, index)
        except FAILURES as error:
            raise frame.machine.located(error, span) from None

    return run


def _call(scope: Scope, node: ast.Call) -> Evaluate:
    called, span = expression(scope, node.func), scope.span(node)
    starred = any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords)
    if starred:
        return _starred_call(scope, node, called, span)
    positional = [expression(scope, one) for one in node.args]
    by_name = [(one.arg, expression(scope, one.value)) for one in node.keywords if one.arg is not None]

    def run(frame: Frame) -> Value:
        function = called(frame)
        arguments = [one(frame) for one in positional]
        named = {name: one(frame) for name, one in by_name} if by_name else {}
        machine = frame.machine
        machine.site = span
        try:
            return machine.call(function, arguments, named)
        except FAILURES as error:
            raise machine.located(error, span) from None

    return run


def _starred_call(scope: Scope, node: ast.Call, called: Evaluate, span: Span) -> Evaluate:
    positional = [
        (expression(scope, one.value), True) if isinstance(one, ast.Starred) else (expression(scope, one), False)
        for one in node.args
    ]
    by_name = [(one.arg, expression(scope, one.value)) for one in node.keywords]

    def gather(frame: Frame) -> tuple[list[Value], dict[str, Value]]:
        arguments: list[Value] = []
        named: dict[str, Value] = {}
        for one, star in positional:
            value = one(frame)
            more = elements(value, "an argument after *") if star else (value,)
            frame.machine.allocate(SLOT * len(more))
            arguments += more
        for name, one in by_name:
            value = one(frame)
            if name is not None:
                _once(named, name, value)
            elif type(value) is StarlarkDict:
                for key in value:
                    _once(named, key, value[key])
            else:
                raise Fault(f"an argument after ** must be a dict, not {a_type(value)}")
        return arguments, named

    def run(frame: Frame) -> Value:
        function = called(frame)
        machine = frame.machine
        try:
            arguments, named = gather(frame)
            machine.site = span
            return machine.call(function, arguments, named)
        except FAILURES as error:
            raise machine.located(error, span) from None

    return run


def _once(named: dict[str, Value], name: Value, value: Value) -> None:
    if type(name) is not str:
        raise Fault(f"the keys of an argument after ** must be strings, not {a_type(name)}")
    if name in named:
        raise Fault(f"the argument {name} is given twice")
    named[name] = value


def definition(scope: Scope, node: ast.FunctionDef | ast.Lambda, body: Callable[[Frame], Signal | None]) -> Evaluate:
    """The closure that makes a function of a ``def`` or ``lambda``."""
    given = node.args
    positional = tuple(one.arg for one in given.args)
    by_name = tuple(one.arg for one in given.kwonlyargs)
    rest = given.vararg.arg if given.vararg else None
    named_rest = given.kwarg.arg if given.kwarg else None
    name = node.name if isinstance(node, ast.FunctionDef) else "lambda"
    size = scope.names.sizes[node]
    code = Code(name, scope.source, scope.span(node), positional, rest, by_name, named_rest, size, body)
    defaults = [
        (name, expression(scope, default))
        for name, default in zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True)
    ]
    defaults += [
        (name, expression(scope, default))
        for name, default in zip(by_name, given.kw_defaults, strict=True)
        if default is not None
    ]
    return lambda frame: Function(code, {name: one(frame) for name, one in defaults}, frame)


def _lambda(scope: Scope, node: ast.Lambda) -> Evaluate:
    value = expression(scope, node.body)

    def body(frame: Frame) -> Signal:
        frame.result = value(frame)
        return Signal.RETURN

    return definition(scope, node, body)


def _list_comprehension(scope: Scope, node: ast.ListComp) -> Evaluate:
    element = expression(scope, node.elt)
    loops = _loops(scope, node)
    span = scope.span(node)

    def run(frame: Frame) -> Value:
        found: list[Value] = []

        def emit() -> None:
            found.append(element(frame))
            _charge(frame, SLOT, span)

        loops(frame, emit)
        return StarlarkList(found)

    return run


def _dict_comprehension(scope: Scope, node: ast.DictComp) -> Evaluate:
    key, value = expression(scope, node.key), expression(scope, node.value)
    loops = _loops(scope, node)
    span = scope.span(node.key)

    def run(frame: Frame) -> Value:
        found = StarlarkDict()

        def emit() -> None:
            name = key(frame)
            try:
                check_hashable(frame.machine, name)
                frame.machine.allocate(SLOT * 4)
            except Fault as fault:
                raise frame.machine.located(fault, span) from None
            found.set(name, value(frame))

        loops(frame, emit)
        return found

    return run


def _loops(scope: Scope, node: ast.ListComp | ast.DictComp) -> Callable[[Frame, Callable[[], None]], None]:
    from frazil.config.starlark.statements import assignment  # noqa: PLC0415 - targets have expressions inside

    current: Callable[[Frame, Callable[[], None]], None] = lambda _frame, emit: emit()  # noqa: E731 - the innermost of closures
    for generator in reversed(node.generators):
        current = _loop(
            expression(scope, generator.iter),
            assignment(scope, generator.target),
            [expression(scope, one) for one in generator.ifs],
            scope.span(generator.iter),
            current,
        )
    return current


def _loop(
    sequence: Evaluate,
    assign: Callable[[Frame, Value], None],
    conditions: list[Evaluate],
    span: Span,
    inner: Callable[[Frame, Callable[[], None]], None],
) -> Callable[[Frame, Callable[[], None]], None]:
    def run(frame: Frame, emit: Callable[[], None]) -> None:
        value = sequence(frame)
        machine = frame.machine
        try:
            items = elements(value)
        except Fault as fault:
            raise machine.located(fault, span) from None
        held = value if isinstance(value, Mutable) else None
        if held is not None:
            held.iterators += 1
        try:
            for item in items:
                try:
                    machine.step()
                except Fault as fault:
                    raise machine.located(fault, span) from None
                assign(frame, item)
                if all(truth(one(frame)) for one in conditions):
                    inner(frame, emit)
        finally:
            if held is not None:
                held.iterators -= 1

    return run


_MAKERS: Final[dict[type[ast.expr], Callable[[Scope, Any], Evaluate]]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.IfExp: _conditional,
    ast.Compare: _compare,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Dict: _dict,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.Lambda: _lambda,
    ast.ListComp: _list_comprehension,
    ast.DictComp: _dict_comprehension,
}
