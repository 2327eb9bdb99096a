"""What every name means, decided before anything runs.

A name is a slot of the frame of its function or of one outside, a global of the file, or given by the host. Variables of
comprehensions are slots of the frame around them, visible in the comprehension only. The frame of the file itself has no
other slots.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from frazil.config.starlark.errors import Diagnostic, Source, Span, suggestion
from frazil.config.starlark.syntax import branches, is_load, parameters, spine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


class Kind(Enum):
    """Where a name's value is."""

    SLOT = "slot"
    GLOBAL = "global"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Binding:
    """A name, resolved. ``depth`` counts frames outwards, ``index`` is the slot there."""

    kind: Kind
    name: str
    depth: int = 0
    index: int = 0


@dataclass(slots=True)
class Names:
    """A resolved tree: what each name node (and each definition) means, and how many slots each frame has."""

    bindings: dict[ast.AST, Binding] = field(default_factory=dict)
    sizes: dict[ast.AST, int] = field(default_factory=dict)
    globals: dict[str, ast.AST] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)


class _Scope:
    """A frame's names while its code is resolved; ``visible`` has a map in front for each comprehension around."""

    def __init__(self, parent: _Scope | None, names: Iterable[str]) -> None:
        self.parent = parent
        self.visible: ChainMap[str, int] = ChainMap({name: index for index, name in enumerate(names)})
        self.size = len(self.visible)


def resolve(tree: ast.Module, source: Source, given: Collection[str]) -> Names:
    """Resolve a tree that ``syntax.check`` found no fault with."""
    return _Resolver(source, given, tree).run(tree)


class _Resolver:
    def __init__(self, source: Source, given: Collection[str], tree: ast.Module) -> None:
        self.source = source
        self.given = given
        self.names = Names()
        for node in tree.body:
            for name, where in _bound(node):
                self.names.globals.setdefault(name, where)

    def run(self, tree: ast.Module) -> Names:
        top = _Scope(None, ())
        self.statements(tree.body, top)
        self.names.sizes[tree] = top.size
        self.names.diagnostics.sort(key=lambda one: (one.span.line, one.span.start))
        return self.names

    def statements(self, body: list[ast.stmt], scope: _Scope) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                self.names.bindings[node] = self.find(node.name, scope) or Binding(Kind.GLOBAL, node.name)
                self.function(node, scope)
            elif isinstance(node, ast.If):
                conditions, rest = branches(node)
                for test, block in conditions:
                    self.expression(test, scope)
                    self.statements(block, scope)
                self.statements(rest, scope)
            elif isinstance(node, ast.For):
                self.expression(node.iter, scope)
                self.expression(node.target, scope)
                self.statements(node.body, scope)
            elif not is_load(node):
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.expression(child, scope)

    def function(self, node: ast.FunctionDef | ast.Lambda, scope: _Scope) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.expression(default, scope)
        names = [one.arg for one in parameters(node.args)]
        if isinstance(node, ast.FunctionDef):
            names += [name for statement in node.body for name, _ in _bound(statement)]
        inner = _Scope(scope, dict.fromkeys(names))
        if isinstance(node, ast.FunctionDef):
            self.statements(node.body, inner)
        else:
            self.expression(node.body, inner)
        self.names.sizes[node] = inner.size

    def expression(self, node: ast.expr, scope: _Scope) -> None:
        if isinstance(node, ast.Name):
            self.name(node, scope)
        elif isinstance(node, ast.Lambda):
            self.function(node, scope)
        elif isinstance(node, ast.ListComp | ast.DictComp):
            self.comprehension(node, scope)
        elif isinstance(node, ast.BinOp):
            first, chain = spine(node)
            self.expression(first, scope)
            for one in chain:
                self.expression(one.right, scope)
        else:
            for child in ast.iter_child_nodes(node):
                inner = child.value if isinstance(child, ast.keyword) else child
                if isinstance(inner, ast.expr):
                    self.expression(inner, scope)

    def comprehension(self, node: ast.ListComp | ast.DictComp, scope: _Scope) -> None:
        self.expression(node.generators[0].iter, scope)
        outside = scope.visible
        inside: dict[str, int] = {}
        for generator in node.generators:
            for name, _ in _targets(generator.target):
                if name not in inside:
                    inside[name] = scope.size
                    scope.size += 1
        scope.visible = ChainMap(inside, *outside.maps)
        for index, generator in enumerate(node.generators):
            if index:
                self.expression(generator.iter, scope)
            self.expression(generator.target, scope)
            for condition in generator.ifs:
                self.expression(condition, scope)
        for part in [node.elt] if isinstance(node, ast.ListComp) else [node.key, node.value]:
            self.expression(part, scope)
        scope.visible = outside

    def name(self, node: ast.Name, scope: _Scope) -> None:
        binding = self.find(node.id, scope)
        if binding is None:
            self.names.diagnostics.append(self.unknown(node, scope))
        else:
            self.names.bindings[node] = binding

    def find(self, name: str, scope: _Scope) -> Binding | None:
        depth = 0
        around: _Scope | None = scope
        while around is not None:
            if name in around.visible:
                return Binding(Kind.SLOT, name, depth, around.visible[name])
            around = around.parent
            depth += 1
        if name in self.names.globals:
            return Binding(Kind.GLOBAL, name)
        return Binding(Kind.GIVEN, name) if name in self.given else None

    def unknown(self, node: ast.Name, scope: _Scope) -> Diagnostic:
        known = {*self.names.globals, *self.given}
        around: _Scope | None = scope
        while around is not None:
            known.update(around.visible)
            around = around.parent
        remedy = suggestion(node.id, known)
        return Diagnostic(Span.of(self.source, node), f"{node.id} is not defined", remedy)


def _bound(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """The names that a statement binds in its own frame."""
    if isinstance(node, ast.FunctionDef):
        yield node.name, node
    elif isinstance(node, ast.Assign):
        yield from _targets(node.targets[0])
    elif isinstance(node, ast.AugAssign | ast.For):
        yield from _targets(node.target)
    for one in _blocks(node):
        yield from _bound(one)
    if is_load(node):
        for name, _, where in loaded_names(node):
            yield name, where


def _blocks(node: ast.stmt) -> list[ast.stmt]:
    """The statements inside a loop or condition."""
    if isinstance(node, ast.For):
        return node.body
    if isinstance(node, ast.If):
        conditions, rest = branches(node)
        return [one for _, block in conditions for one in block] + rest
    return []


def _targets(node: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Name):
        yield node.id, node
    elif isinstance(node, ast.Tuple | ast.List):
        for one in node.elts:
            yield from _targets(one)


def loaded_names(node: ast.AST) -> list[tuple[str, str, ast.expr]]:
    """What a ``load`` statement binds: the name here, the name there, and where that is written."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return []
    plain = [one for one in node.value.args[1:] if isinstance(one, ast.Constant)]
    found: list[tuple[str, str, ast.expr]] = [(one.value, one.value, one) for one in plain if isinstance(one.value, str)]
    for keyword in node.value.keywords:
        there = keyword.value
        if keyword.arg is not None and isinstance(there, ast.Constant) and isinstance(there.value, str):
            found.append((keyword.arg, there.value, there))
    return found
