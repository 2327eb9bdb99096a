"""Compile modules inside the interpreter that will run them, and list what they import.

Run as a script by ``bytecode.py`` with the target interpreter (3.11 and later, standard library only); its argument is the
optimization level. Standard input carries jobs, standard output answers, one for each, in order:

- a job is a line of JSON, ``{"name", "package", "filename", "size", "optimize"}``, then ``size`` bytes of source; the level is
  null for that of the argument;
- an answer is a line of JSON, ``{"imports", "warnings", "error", "size"}``, then ``size`` bytes of ``.pyc`` file.

Bytes must not depend on what was compiled before (cpython#78274, cpython#129724). Marshal writes a reference flag for objects
that are referenced more than once *now*, which an abstract syntax tree or an earlier module may cause: loading the marshalled
code and writing it again leaves references only where the code itself has them. And two functions share a frozen set of strings
only if the strings were interned when they were compiled: so each function gets a set of its own. And strings of one character
are shared by the whole process, and written as interned once anything interned them: so all of them are, from the start. And
from Python 3.13 on names of functions and classes are interned, and with them an equal constant, unless another module had that
name before: so both always are.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import json
import marshal
import os
import platform
import signal
import sys
import types
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

# Flags of an import; builder/imports.py has the same numbers.
GUARDED = 1
LAZY = 2
MAIN = 4

_CHARACTERS = [sys.intern(chr(code)) for code in range(256)]
_INTERNS_NAMES = sys.version_info >= (3, 13)
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
_DYNAMIC = (b"import_module", b"__import__", b"breakpoint(", b"invalidate_caches(")
_GUARDS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
# What the standard library calls the functions that test or demonstrate a module.
_SELF_TESTS = frozenset({"_test", "_main"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _dotted(node: ast.expr) -> str:
    """``a.b.c`` of names and attributes, or an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        return f"{_dotted(node.func)}()"
    return ""


_KNOWN = {
    "sys.platform": sys.platform,
    "os.name": os.name,
    "platform.system()": platform.system(),
    "sys.version_info": sys.version_info[:3],
    "sys.version_info.major": sys.version_info[0],
    "sys.version_info.minor": sys.version_info[1],
}


def _known(node: ast.expr) -> object:
    """The value of an expression that is the same for every run of the executable, or None."""
    if isinstance(node, ast.Subscript) and _dotted(node.value) == "sys.version_info":
        try:
            return eval(f"v[{ast.unparse(node.slice)}]", {"__builtins__": {}}, {"v": sys.version_info[:3]})  # noqa: S307 - a slice
        except Exception:  # noqa: BLE001 - whatever stands between the brackets: not known
            return None
    name = _dotted(node)
    if name:
        return _KNOWN.get(name)
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value


_COMPARISONS = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool | None:
    if not {_dotted(left), _dotted(getattr(left, "value", left))} & _KNOWN.keys():
        return None
    compare = _COMPARISONS.get(type(operator))
    one, other = _known(left), _known(right)
    if compare is None or one is None or other is None:
        return None
    try:
        return bool(compare(one, other))  # type: ignore[no-untyped-call]
    except TypeError:
        return None


def _decide(test: ast.expr) -> bool | None:
    """Whether a condition about the platform or version holds; None for all other conditions.

    Constants are not decided: ``if False: import x`` is how code tells tools like this one what it needs.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _decide(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        decided = [_decide(value) for value in test.values]
        ends = isinstance(test.op, ast.Or)
        if ends in decided:
            return ends
        return None if None in decided else not ends
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compare(test.left, test.ops[0], test.comparators[0])
    if isinstance(test, ast.Call) and _dotted(test.func) == "sys.platform.startswith" and len(test.args) == 1:
        prefix = _known(test.args[0])
        return sys.platform.startswith(prefix) if isinstance(prefix, str) else None
    return False if _dotted(test).rpartition(".")[2] == "TYPE_CHECKING" else None


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _catches_import_errors(handlers: Iterable[ast.ExceptHandler]) -> bool:
    for handler in handlers:
        if handler.type is None:
            return True
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(_dotted(one).rpartition(".")[2] in _GUARDS for one in types):
            return True
    return False


def _suppresses_import_errors(node: ast.With | ast.AsyncWith) -> bool:
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return any(
        _dotted(call.func).rpartition(".")[2] == "suppress" and any(_dotted(one) in _GUARDS for one in call.args)
        for call in calls
    )


class Finder:
    """Finds the imports of one module. ``found`` maps (module, names, flags) to the first line that has it."""

    def __init__(self, name: str, *, package: bool) -> None:
        self.package = name if package else name.rpartition(".")[0]
        self.found: dict[tuple[str, tuple[str, ...], int], int] = {}

    def _add(self, name: str, names: tuple[str, ...], line: int, flags: int) -> None:
        if name:
            self.found.setdefault((name, names, flags), line)

    def _absolute(self, name: str, level: int) -> str:
        """The absolute name of a relative import, or an empty string when it leaves the top-level package."""
        if not level:
            return name
        parts = self.package.split(".") if self.package else []
        if level > len(parts):
            return ""
        return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])

    def statements(self, body: Sequence[ast.stmt], flags: int) -> None:
        """Find the import statements in ``body`` and in the blocks below it."""
        for node in body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._add(alias.name, (), node.lineno, flags)
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                self._add(self._absolute(node.module or "", node.level), names, node.lineno, flags)
            elif not isinstance(node, ast.Expr | ast.Assign | ast.Return):
                self._block(node, flags)

    def _if(self, node: ast.If, flags: int) -> None:
        decided = _decide(node.test)
        if decided is not False:
            self.statements(node.body, flags | (MAIN if _is_main_guard(node.test) else 0))
        if decided is not True:
            self.statements(node.orelse, flags)

    def _try(self, node: ast.Try | ast.TryStar, flags: int) -> None:
        guarded = flags | (GUARDED if _catches_import_errors(node.handlers) else 0)
        self.statements(node.body, guarded)
        for handler in node.handlers:
            self.statements(handler.body, guarded)  # the usual place for the other choice
        self.statements(node.orelse, flags)
        self.statements(node.finalbody, flags)

    def _block(self, node: ast.stmt, flags: int) -> None:
        if isinstance(node, ast.If):
            self._if(node, flags)
        elif isinstance(node, ast.Try | ast.TryStar):
            self._try(node, flags)
        elif isinstance(node, ast.With | ast.AsyncWith):
            self.statements(node.body, flags | (GUARDED if _suppresses_import_errors(node) else 0))
        elif isinstance(node, _FUNCTIONS):
            self.statements(node.body, flags | LAZY | (MAIN if node.name in _SELF_TESTS else 0))
        elif isinstance(node, ast.ClassDef):
            self.statements(node.body, flags)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            self.statements(node.body, flags)
            self.statements(node.orelse, flags)
        elif isinstance(node, ast.Match):
            for case in node.cases:
                self.statements(case.body, flags)

    def calls(self, tree: ast.Module) -> None:
        """Find ``importlib.import_module("name")``, ``__import__("name")`` and what calls stand for an import."""
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            function = _dotted(node.func).rpartition(".")[2]
            if function == "breakpoint" and isinstance(node.func, ast.Name):
                self._add("pdb", (), node.lineno, GUARDED | LAZY)
            elif _dotted(node.func) in {"importlib.invalidate_caches", "invalidate_caches"}:
                # PathFinder asks the finder of metadata to do so too.
                self._add("importlib.metadata", (), node.lineno, GUARDED | LAZY)
            elif function in {"import_module", "__import__"} and node.args:
                self._call(node, function)

    def _call(self, node: ast.Call, function: str) -> None:
        name = _literal(node.args[0])
        level = len(name) - len(name.lstrip("."))
        if level and function == "import_module":
            anchors = [*node.args[1:2], *(one.value for one in node.keywords if one.arg == "package")]
            literal = _literal(anchors[0]) if anchors else ""
            finder = Finder(literal, package=True) if literal else self
            self._add(finder._absolute(name[level:], level), (), node.lineno, GUARDED | LAZY)  # noqa: SLF001 - its own class
        elif not level:
            self._add(name, (), node.lineno, GUARDED | LAZY)


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _names(code: types.CodeType) -> Iterator[str]:
    """What the module's functions and classes are called."""
    yield code.co_name
    yield code.co_qualname
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _names(one)


def _strings(one: object) -> Iterator[str]:
    """The module's constants that are strings."""
    if isinstance(one, str):
        yield one
    elif isinstance(one, (types.CodeType, tuple, frozenset)):
        for part in one.co_consts if isinstance(one, types.CodeType) else one:
            yield from _strings(part)


def _constant(one: object, names: frozenset[str]) -> object:
    """The same constant, in the one way that it is written; itself if it is that already."""
    if isinstance(one, types.CodeType):
        return _code(one, names)
    if isinstance(one, tuple):
        parts = tuple(_constant(part, names) for part in one)
        return one if _are_same(parts, one) else parts
    if isinstance(one, frozenset):
        return frozenset([_constant(part, names) for part in one])
    return sys.intern(one) if isinstance(one, str) and one in names else one


def _code(code: types.CodeType, names: frozenset[str]) -> types.CodeType:
    constants = tuple(_constant(one, names) for one in code.co_consts)
    name, qualname = (sys.intern(one) if one in names else one for one in (code.co_name, code.co_qualname))
    if _are_same((name, qualname, *constants), (code.co_name, code.co_qualname, *code.co_consts)):
        return code
    return code.replace(co_consts=constants, co_name=name, co_qualname=qualname)


def _are_same(some: Sequence[object], others: Sequence[object]) -> bool:
    return all(one is other for one, other in zip(some, others, strict=True))


def _marshalled(code: types.CodeType) -> bytes:
    """The code's bytes, the same whatever this process has compiled before."""
    names = frozenset(_names(code)).intersection(_strings(code)) if _INTERNS_NAMES else frozenset()
    canonical = _code(code, names)
    return marshal.dumps(marshal.loads(marshal.dumps(canonical)))  # noqa: S302 - written in the same line


def _compile(job: dict[str, object], source: bytes, optimize: int) -> tuple[dict[str, object], bytes]:
    """The answer to one job. Raises what ``compile`` raises."""
    filename = str(job["filename"])
    finder = Finder(str(job["name"]), package=bool(job["package"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tree = ast.parse(source, filename)
            code = compile(tree, filename, "exec", dont_inherit=True, optimize=optimize)
            finder.statements(tree.body, 0)
            if any(word in source for word in _DYNAMIC):
                finder.calls(tree)
        except RecursionError:  # the compiler proper nests deeper than a tree of Python objects can
            code = compile(source, filename, "exec", dont_inherit=True, optimize=optimize)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    answer: dict[str, object] = {
        "imports": [[name, names, line, flags] for (name, names, flags), line in finder.found.items()],
        "warnings": [[one.lineno, str(one.message)] for one in caught if one.category is SyntaxWarning],
    }
    return answer, header + _marshalled(code)


def _error(error: BaseException) -> list[object]:
    """Message, line, column and source line of what is wrong."""
    if isinstance(error, SyntaxError):
        return [error.msg, error.lineno or 0, error.offset or 0, (error.text or "").rstrip("\n")]
    return [str(error) or type(error).__name__, 0, 0, ""]


def answer(job: dict[str, object], source: bytes, optimize: int) -> bytes:
    """The answer to one job, as it goes over the wire."""
    pyc = b""
    head: dict[str, object]
    try:
        head, pyc = _compile(job, source, optimize)
        head["error"] = None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        head = {"imports": [], "warnings": [], "error": _error(error)}
    head["size"] = len(pyc)
    return json.dumps(head).encode() + b"\n" + pyc


def main(jobs: BinaryIO, answers: BinaryIO, optimize: int) -> None:
    """Answer jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the builder ends this process by closing the pipe
    gc.disable()  # trees have no cycles, and there are many small objects
    while line := jobs.readline():
        job: dict[str, object] = json.loads(line)
        level = job.get("optimize")
        answers.write(answer(job, jobs.read(int(str(job["size"]))), optimize if level is None else int(str(level))))
        answers.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
