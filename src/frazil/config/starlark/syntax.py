"""Which of Python's syntax is Starlark's; everything else is found here, before anything runs, with what to do instead.

The tree is walked with a stack of its own, so that no depth of it can exhaust Python's.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final, NamedTuple

from frazil.config.starlark.errors import Diagnostic, Source, Span
from frazil.config.starlark.limits import MAXIMUM_INTEGER_BITS, MAXIMUM_NESTING
from frazil.config.starlark.operators import BINARY

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATEMENTS: Final = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.FunctionDef, ast.Return, ast.If, ast.For, ast.Pass, ast.Break, ast.Continue,
)  # fmt: skip
_EXPRESSIONS: Final = (
    ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Dict, ast.List, ast.Tuple, ast.ListComp, ast.DictComp, ast.Compare,
    ast.Call, ast.Constant, ast.Attribute, ast.Subscript, ast.Name, ast.Lambda, ast.Slice,
)  # fmt: skip
_FOREIGN: Final[dict[str, tuple[str, str]]] = {
    "Import": ("import", 'Load names of another file with load("file.bzl", "name").'),
    "ImportFrom": ("import", 'Load names of another file with load("file.bzl", "name").'),
    "While": ("while", "Use a for loop over a range."),
    "Try": ("try", "Errors cannot be caught; ask before, as with hasattr() or in."),
    "TryStar": ("try", "Errors cannot be caught; ask before, as with hasattr() or in."),
    "Raise": ("raise", "Stop with fail(...)."),
    "Assert": ("assert", "Use if and fail(...)."),
    "ClassDef": ("class", "Use functions and dictionaries."),
    "With": ("with", "There are no files to open here."),
    "Delete": ("del", "Use pop() of the list or dictionary."),
    "Global": ("global", "Change a list or dictionary of the file instead."),
    "Nonlocal": ("nonlocal", "Change a list or dictionary of the outer function instead."),
    "Match": ("match", "Use if and elif."),
    "AnnAssign": ("a type annotation", "Leave the type out."),
    "AsyncFunctionDef": ("async", ""),
    "AsyncFor": ("async", ""),
    "AsyncWith": ("async", ""),
    "TypeAlias": ("type", ""),
    "JoinedStr": ("an f-string", 'Use "...".format(...) or "..." % ....'),
    "TemplateStr": ("a t-string", 'Use "...".format(...) or "..." % ....'),
    "NamedExpr": (":=", "Assign on a line of its own."),
    "GeneratorExp": ("a generator expression", "Use a list comprehension: [...]."),
    "Set": ("a set display", "Use a list, or a dictionary with values True."),
    "SetComp": ("a set comprehension", "Use a list or dictionary comprehension."),
    "Starred": ("a * here", "A * stands before arguments of calls only."),
    "Yield": ("yield", "Return a list."),
    "YieldFrom": ("yield", "Return a list."),
    "Await": ("await", ""),
}
_OPERATORS: Final = {ast.Pow: ("**", "Multiply, or shift."), ast.MatMult: ("@", "")}


class _Context(NamedTuple):
    depth: int = 0
    function: bool = False
    loop: bool = False


class _Found(Exception):  # noqa: N818 - one finding, on its way to the list
    def __init__(self, node: ast.AST, problem: str, remedy: str = "") -> None:
        self.node = node
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem)


def is_load(node: ast.AST) -> bool:
    """Whether a statement is a ``load``."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "load"
    )


def spine(node: ast.BinOp) -> tuple[ast.expr, list[ast.BinOp]]:
    """``a + b + c`` as its first operand and the operations in order; long chains are deep only on this side."""
    chain = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp):
        chain.append(left)
        left = left.left
    return left, chain[::-1]


def branches(node: ast.If) -> tuple[list[tuple[ast.expr, list[ast.stmt]]], list[ast.stmt]]:
    """The conditions and blocks of an ``if`` with all its ``elif``, and the block of its ``else``."""
    found = [(node.test, node.body)]
    rest = node.orelse
    while len(rest) == 1 and isinstance(rest[0], ast.If):
        found.append((rest[0].test, rest[0].body))
        rest = rest[0].orelse
    return found, rest


def check(tree: ast.Module, source: Source) -> list[Diagnostic]:
    """All that a tree has and Starlark has not. A construct that is refused is not looked into."""
    found = []
    waiting: list[tuple[ast.AST, _Context]] = [(node, _Context()) for node in tree.body]
    while waiting:
        node, context = waiting.pop()
        try:
            waiting.extend(_inner(node, context))
        except _Found as one:
            place = one.node
            if not isinstance(place, ast.stmt | ast.expr | ast.arg | ast.keyword):
                place = node
            assert isinstance(place, ast.stmt | ast.expr | ast.arg | ast.keyword)  # noqa: S101 - only those are walked
            found.append(Diagnostic(Span.of(source, place), one.problem, one.remedy))
    return sorted(found, key=lambda one: (one.span.line, one.span.start))


def _inner(node: ast.AST, context: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    if context.depth > MAXIMUM_NESTING:
        raise _Found(node, "this is nested too deeply", "Give the inner parts names.")
    if isinstance(node, ast.stmt):
        yield from _statement(node, context)
    elif isinstance(node, ast.expr):
        yield from _expression(node, context)


def _foreign(node: ast.AST) -> _Found:
    name, remedy = _FOREIGN.get(type(node).__name__, (type(node).__name__.lower(), ""))
    return _Found(node, f"Starlark has no {name}" if " " not in name else f"{name} is not Starlark", remedy)


def _statement(node: ast.stmt, context: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    if not isinstance(node, _STATEMENTS):
        raise _foreign(node)
    below = context._replace(depth=context.depth + 1)
    if isinstance(node, ast.FunctionDef):
        yield from _definition(node, below)
    elif isinstance(node, ast.Return):
        if not context.function:
            raise _Found(node, "return outside of a function")
        yield from () if node.value is None else ((node.value, below),)
    elif isinstance(node, ast.If | ast.For):
        yield from _block(node, context)
    elif isinstance(node, ast.Break | ast.Continue) and not context.loop:
        raise _Found(node, f"{type(node).__name__.lower()} outside of a loop")
    elif is_load(node):
        _check_load(node, context)
    elif isinstance(node, ast.Expr):
        yield node.value, below
    elif isinstance(node, ast.Assign | ast.AugAssign):
        yield from _assignment(node, below)


def _block(node: ast.If | ast.For, context: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    word = "if" if isinstance(node, ast.If) else "for"
    if not context.function:
        raise _Found(node, f"{word} at the top level of a file", "Put it into a function.")
    below = context._replace(depth=context.depth + 1)
    if isinstance(node, ast.If):
        yield node.test, below
        # An elif is an If inside orelse: a long chain of them is not deep to read.
        chained = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
        yield from ((one, below) for one in node.body)
        yield from ((one, context if chained else below) for one in node.orelse)
        return
    if node.orelse:
        raise _Found(node.orelse[0], "Starlark has no else of a for loop")
    _check_target(node.target)
    yield node.target, below
    yield node.iter, below
    yield from ((one, below._replace(loop=True)) for one in node.body)


def _definition(node: ast.FunctionDef, below: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    if node.decorator_list:
        raise _Found(node.decorator_list[0], "Starlark has no decorators", "Call the function where it is needed.")
    if node.returns is not None:
        raise _Found(node.returns, "a type annotation is not Starlark", "Leave the type out.")
    if getattr(node, "type_params", None):
        raise _Found(node, "Starlark has no type parameters")
    yield from _function(node.args, below)
    yield from ((one, _Context(below.depth, function=True)) for one in node.body)


def _function(arguments: ast.arguments, context: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    if arguments.posonlyargs:
        raise _Found(arguments.posonlyargs[0], "Starlark has no / among parameters")
    seen = set()
    for one in parameters(arguments):
        if one.annotation is not None:
            raise _Found(one.annotation, "a type annotation is not Starlark", "Leave the type out.")
        if one.arg in seen:
            raise _Found(one, f"there are two parameters {one.arg}")
        seen.add(one.arg)
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if default is not None:
            yield default, context


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, in the order of their slots: by position, ``*args``, by name, ``**kwargs``."""
    rest = [arguments.vararg] if arguments.vararg else []
    named_rest = [arguments.kwarg] if arguments.kwarg else []
    return [*arguments.args, *rest, *arguments.kwonlyargs, *named_rest]


def _check_load(node: ast.stmt, context: _Context) -> None:
    if context.function:
        raise _Found(node, "load inside of a function", "Load at the top level of the file.")
    assert isinstance(node, ast.Expr)  # noqa: S101 - is_load said so
    call = node.value
    assert isinstance(call, ast.Call)  # noqa: S101 - likewise
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    for one in given:
        if not (isinstance(one, ast.Constant) and isinstance(one.value, str)):
            raise _Found(one, "load takes literal strings only", 'Write load("file.bzl", "name", other = "its_name").')
    if not call.args or len(given) < 2 or any(keyword.arg is None for keyword in call.keywords):  # noqa: PLR2004 - a file and a name
        raise _Found(node, "load takes a file and names", 'Write load("file.bzl", "name", other = "its_name").')
    for one in given[1:]:
        name = one.value if isinstance(one, ast.Constant) else ""
        if not isinstance(name, str) or not name.isidentifier():
            raise _Found(one, f"{name!r} is no name")
        if name.startswith("_"):
            raise _Found(one, f"{name} is private to its file: its name begins with an underscore")


def _assignment(node: ast.Assign | ast.AugAssign, below: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    if isinstance(node, ast.Assign):
        if len(node.targets) != 1:
            raise _Found(node, "Starlark assigns one target at a time", "Write a line for each target.")
        _check_target(node.targets[0])
        yield node.targets[0], below
    else:
        if type(node.op) not in BINARY:
            symbol, remedy = _OPERATORS[type(node.op)]
            raise _Found(node, f"Starlark has no {symbol}=", remedy)
        _check_target(node.target)
        yield node.target, below
    yield node.value, below


def _check_target(node: ast.expr) -> None:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Tuple | ast.List):
            waiting.extend(one.elts)
        elif isinstance(one, ast.Starred):
            raise _Found(one, "Starlark has no * in assignments")
        elif isinstance(one, ast.Subscript) and isinstance(one.slice, ast.Slice):
            raise _Found(one, "a slice cannot be assigned", "Assign its elements, or make a new list.")


def _expression(node: ast.expr, context: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    if not isinstance(node, _EXPRESSIONS):
        raise _foreign(node)
    below = context._replace(depth=context.depth + 1)
    if isinstance(node, ast.Lambda):
        yield from _function(node.args, below)
        yield node.body, below
    elif isinstance(node, ast.ListComp | ast.DictComp):
        yield from _comprehension(node, below)
    elif isinstance(node, ast.Call):
        yield from _call(node, below)
    elif isinstance(node, ast.BinOp):
        if type(node.op) not in BINARY:
            symbol, remedy = _OPERATORS[type(node.op)]
            raise _Found(node, f"Starlark has no {symbol}", remedy)
        yield node.left, context if isinstance(node.left, ast.BinOp) else below
        yield node.right, below
    else:
        _check_simple(node)
        yield from ((one, below) for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr))


def _check_simple(node: ast.expr) -> None:
    if isinstance(node, ast.Constant):
        _check_constant(node)
    elif isinstance(node, ast.Compare):
        if len(node.ops) > 1:
            raise _Found(node, "comparisons cannot be chained", "Write a < b and b < c.")
        if isinstance(node.ops[0], ast.Is | ast.IsNot):
            raise _Found(node, "Starlark has no is", "Use == or !=.")
    elif isinstance(node, ast.Dict | ast.List | ast.Tuple):
        _check_display(node)
    elif isinstance(node, ast.Name) and node.id == "load":
        raise _Found(node, "load stands on a line of its own at the top level of the file")


def _check_display(node: ast.Dict | ast.List | ast.Tuple) -> None:
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise _Found(node.values[node.keys.index(None)], "Starlark has no ** in dictionaries", "Use | or update().")
        return
    for one in node.elts:
        if isinstance(one, ast.Starred):
            raise _Found(one, "Starlark has no * in lists and tuples", "Use +.")
        if isinstance(one, ast.Slice):
            raise _Found(one, "an index has one slice")


def _check_constant(node: ast.Constant) -> None:
    value = node.value
    if value is not None and not isinstance(value, bool | int | float | str):
        kind = {bytes: "bytes", complex: "complex numbers"}.get(type(value), "...")
        raise _Found(node, f"Starlark has no {kind}")
    if isinstance(value, int) and value.bit_length() > MAXIMUM_INTEGER_BITS:
        raise _Found(node, f"this integer has more than {MAXIMUM_INTEGER_BITS:,} bits")
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise _Found(node, "this string has half of a surrogate pair, which is no character")


def _comprehension(node: ast.ListComp | ast.DictComp, below: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    for generator in node.generators:
        if generator.is_async:
            raise _Found(node, "Starlark has no async")
        _check_target(generator.target)
        yield generator.target, below
        yield generator.iter, below
        yield from ((one, below) for one in generator.ifs)
    if isinstance(node, ast.ListComp):
        yield node.elt, below
    else:
        yield node.key, below
        yield node.value, below


def _call(node: ast.Call, below: _Context) -> Iterator[tuple[ast.AST, _Context]]:
    seen = set()
    for keyword in node.keywords:
        if keyword.arg is not None and keyword.arg in seen:
            raise _Found(keyword, f"there are two arguments {keyword.arg}")
        seen.add(keyword.arg)
        yield keyword.value, below
    yield node.func, below
    for one in node.args:
        yield one.value if isinstance(one, ast.Starred) else one, below
