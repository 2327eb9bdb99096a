"""The import statements of a module, found in its syntax tree.

Standard library only, and no import of this project: the file also runs as a script under the target interpreter, for sources
that are too new for the Python that frazil itself runs on. It then prints what ``read`` returns, as JSON.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

RawImport = tuple[int, str, list[str], int, bool]
"""Level (0 is absolute), module, names imported from it, line, and whether the program can do without."""

_LITERAL_CALLS = ("import_module", "__import__")


def read(source: bytes, filename: str) -> list[RawImport]:
    """All imports of a module's source, in the order of their lines; SyntaxError or ValueError as ``ast.parse``."""
    finder = _Finder()
    finder.visit(ast.parse(source, filename))
    return sorted(finder.found, key=lambda one: one[3])


class _Finder(ast.NodeVisitor):
    """Collects imports that run, knowing whether the program goes on when one fails."""

    def __init__(self) -> None:
        self.found: list[RawImport] = []
        self._optional = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.found.append((0, alias.name, [], node.lineno, self._optional > 0))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = [alias.name for alias in node.names if alias.name != "*"]
        self.found.append((node.level, node.module or "", names, node.lineno, self._optional > 0))

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if name in _LITERAL_CALLS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self._literal(first.value, node.lineno)
        self.generic_visit(node)

    def _literal(self, name: str, line: int) -> None:
        module = name.lstrip(".")
        if module and all(map(str.isidentifier, module.split("."))):
            self.found.append((len(name) - len(module), module, [], line, self._optional > 0))

    def visit_If(self, node: ast.If) -> None:
        checked = node.test
        name = checked.attr if isinstance(checked, ast.Attribute) else checked.id if isinstance(checked, ast.Name) else ""
        if name == "TYPE_CHECKING":
            for statement in node.orelse:  # the body never runs, and may name what is not installed
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        if any(_catches_import_error(handler.type) for handler in node.handlers):
            self._guarded(node.body)
            for handler in node.handlers:
                self._guarded(handler.body)
        else:
            for statement in [*node.body, *(each for handler in node.handlers for each in handler.body)]:
                self.visit(statement)
        for statement in [*node.orelse, *node.finalbody]:
            self.visit(statement)

    def visit_With(self, node: ast.With) -> None:
        suppressed = any(
            isinstance(item.context_expr, ast.Call) and any(map(_catches_import_error, item.context_expr.args))
            for item in node.items
        )
        if suppressed:
            self._guarded(node.body)
        else:
            self.generic_visit(node)

    def _guarded(self, statements: list[ast.stmt]) -> None:
        self._optional += 1
        for statement in statements:
            self.visit(statement)
        self._optional -= 1


def _catches_import_error(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    if isinstance(caught, ast.Tuple):
        return any(map(_catches_import_error, caught.elts))
    return isinstance(caught, ast.Name) and caught.id in {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def _main() -> None:
    path = sys.argv[1]
    try:
        answer: dict[str, object] = {"imports": read(Path(path).read_bytes(), path)}
    except SyntaxError as error:
        answer = {"error": [error.msg, error.lineno, error.offset, error.text]}
    except ValueError as error:
        answer = {"error": [str(error), None, None, None]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    _main()
