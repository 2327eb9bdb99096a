"""What targets return, as far as the text of their functions tells: nothing runs.

A function's type is that of its return statements. Calls of the dialect's functions and methods have known types; a variable
has that of its last assignment, a parameter that of the target that is passed, a call of another function that function's.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from frazil.config.dialect.vocabulary import FOREIGN
from frazil.config.starlark import parser
from frazil.config.starlark.functions import Function

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from frazil.config.dialect.targets import Target, Targets
    from frazil.config.starlark.errors import Source

NOTHING: Final = "nothing"
_DEPTH: Final = 20
_CALLS: Final = {
    **{name: name for name in FOREIGN if name[0].isupper()},
    **{name: name for name in ("PythonDistribution", "FileManifest", "FileContent")},
    "default_python_distribution": "PythonDistribution",
    "glob": "FileManifest",
    "to_python_executable": "PythonExecutable",
    "to_embedded_resources": "PythonEmbeddedResources",
    "to_embedded_data": "PythonEmbeddedResources",
    "to_file_manifest": "FileManifest",
    "to_file_content": "FileContent",
    "to_wix_msi_builder": "WiXMSIBuilder",
    "to_wix_bundle_builder": "WiXBundleBuilder",
    "to_builder": "SnapcraftBuilder",
}
"""Types by what is called, functions and methods: no two of the dialect have one name and different types."""

_Definition = ast.FunctionDef | ast.Lambda


def types(targets: Targets) -> dict[str, str | None]:
    """The types of all targets' values by name, ``nothing`` for those without; None where the text does not tell."""
    reader = _Reader({one.name: one for one in targets.registered})
    return {one.name: reader.target(one.name, 0) for one in targets.registered}


class _Reader:
    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets
        self._trees: dict[Source, ast.Module] = {}

    def target(self, name: str, depth: int) -> str | None:
        """The type of a target's value."""
        found = self._targets.get(name)
        if found is None or depth > _DEPTH or not isinstance(found.function, Function):
            return None
        code = found.function.code
        tree = self._tree(code.source)
        for node in ast.walk(tree):
            if isinstance(node, _Definition) and (node.lineno, node.col_offset) == (code.span.line, code.span.start):
                names = [one.arg for one in node.args.args]
                passed = dict(zip(names, found.depends, strict=False))
                return self._function(node, tree, passed, depth + 1)
        return None

    def _tree(self, source: Source) -> ast.Module:
        if source not in self._trees:
            self._trees[source] = parser.parse(source)
        return self._trees[source]

    def _function(self, node: _Definition, tree: ast.Module, passed: Mapping[str, str], depth: int) -> str | None:
        if depth > _DEPTH:
            return None
        if isinstance(node, ast.Lambda):
            return self._value(node.body, node, tree, passed, depth)
        found = {
            NOTHING if one.value is None else self._value(one.value, node, tree, passed, depth)
            for one in _own(node)
            if isinstance(one, ast.Return)
        }
        named = [one for one in found if one is not None]
        return NOTHING if not found else None if len(named) < len(found) else " or ".join(sorted(named))

    def _value(self, value: ast.expr, node: _Definition, tree: ast.Module, passed: Mapping[str, str], depth: int) -> str | None:
        if depth > _DEPTH:
            return None
        if isinstance(value, ast.Call):
            return self._called(value, tree, depth)
        if isinstance(value, ast.Name):
            if value.id in passed:
                return self.target(passed[value.id], depth + 1)
            assigned = [
                one.value
                for one in _own(node)
                if isinstance(one, ast.Assign) and any(isinstance(to, ast.Name) and to.id == value.id for to in one.targets)
            ]
            return self._value(assigned[-1], node, tree, passed, depth + 1) if assigned else None
        if isinstance(value, ast.Constant) and value.value is None:
            return NOTHING
        return None

    def _called(self, value: ast.Call, tree: ast.Module, depth: int) -> str | None:
        if isinstance(value.func, ast.Attribute):
            return _CALLS.get(value.func.attr)
        if not isinstance(value.func, ast.Name):
            return None
        for one in reversed(tree.body):
            if isinstance(one, ast.FunctionDef) and one.name == value.func.id:
                return self._function(one, tree, {}, depth + 1)
        return _CALLS.get(value.func.id)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, in the order of the text, without those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _Definition):
            yield from _own(child)
