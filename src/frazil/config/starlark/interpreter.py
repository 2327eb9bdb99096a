"""The way in for hosts: check and run files, call their functions, load others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.config.starlark import names, parser, syntax
from frazil.config.starlark.builtins import UNIVERSE
from frazil.config.starlark.errors import TOP_LEVEL, Diagnostic, Fault, Source, Span, StaticError, suggestion
from frazil.config.starlark.expressions import FAILURES, Scope
from frazil.config.starlark.functions import Frame, Function
from frazil.config.starlark.limits import Limits
from frazil.config.starlark.machine import Machine
from frazil.config.starlark.signature import Signature
from frazil.config.starlark.statements import statement
from frazil.config.starlark.values import Builtin, freeze, to_value
from frazil.errors import SourceError

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping, Sequence

    from frazil.config.starlark.names import Names
    from frazil.config.starlark.values import Value


@dataclass(frozen=True, slots=True)
class Module:
    """A file that ran. ``variables`` are its globals, which its functions may still change."""

    source: Source
    variables: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class _Checked:
    source: Source
    tree: ast.Module
    names: Names


def builtin(function: Callable[..., object], name: str | None = None) -> Builtin:
    """A plain Python function as a Starlark one; its annotations are its signature (``signature``)."""

    def run(_machine: Machine, *arguments: object, **named: object) -> Value:
        return to_value(function(*arguments, **named))

    return Builtin(name or function.__name__, run, Signature.of(function, 0))


class Interpreter:
    """Runs Starlark files with names given by the host. One thread at a time may use it.

    ``load`` finds files relative to the file that loads; each is run once and frozen. Without a file name there is nothing to
    load from.
    """

    def __init__(
        self,
        given: Mapping[str, Value] | None = None,
        *,
        on_print: Callable[[str, Span | None], None] = lambda _text, _span: None,
        limits: Limits | None = None,
    ) -> None:
        self._given = {**UNIVERSE, **(given or {})}
        self._machine = Machine(limits or Limits(), on_print)
        self._loaded: dict[Path, Module] = {}
        self._loading: list[Path] = []
        self._known: dict[tuple[str, str], _Checked] = {}

    @property
    def site(self) -> Span | None:
        """The call or assignment that is being made while a function of the host runs."""
        return self._machine.site

    @property
    def loaded(self) -> tuple[Path, ...]:
        """The files that ran because others load them."""
        return tuple(self._loaded)

    def run_file(self, path: Path) -> Module:
        """Check a file and all that it loads, then run it. Raises StarlarkError, or SourceError when it cannot be read."""
        source = parser.read(path, str(path))
        diagnostics = self._check_all(source, path, {})
        if diagnostics:
            raise StaticError(diagnostics)
        return self._run(self._checked(source), path)

    def run_text(self, text: str, name: str = "<text>") -> Module:
        """Check and run a text that is no file. Raises StarlarkError."""
        checked = self._checked(parser.source_of(text, name))
        if checked.names.diagnostics:
            raise StaticError(checked.names.diagnostics)
        return self._run(checked, None)

    def check_file(self, path: Path) -> list[Diagnostic]:
        """All that is wrong with a file and the files that it loads, without running any. Raises SourceError."""
        return self._check_all(parser.read(path, str(path)), path, {})

    def call(self, function: Value, arguments: Sequence[object] = (), named: Mapping[str, object] | None = None) -> Value:
        """Call a function of a program, also while the program runs. Raises StarlarkError.

        What is wrong with the call itself is told at the function's definition.
        """
        machine = self._machine
        site = machine.site
        given = {name: to_value(one) for name, one in (named or {}).items()}
        try:
            return machine.call(function, [to_value(one) for one in arguments], given)
        except Fault as fault:
            if not isinstance(function, Function):
                raise
            raise machine.located(fault, function.code.span) from None
        finally:
            machine.site = site

    def _checked(self, source: Source) -> _Checked:
        """A source that has passed all checks of its own, parsed once. Raises StaticError."""
        known = self._known.get((source.name, source.text))
        if known is None:
            known = self._known[source.name, source.text] = self._parsed(source)
        return known

    def _parsed(self, source: Source) -> _Checked:
        tree = parser.parse(source)
        diagnostics = syntax.check(tree, source)
        if diagnostics:
            raise StaticError(diagnostics)
        return _Checked(source, tree, names.resolve(tree, source, self._given))

    def _check_all(self, source: Source, path: Path, seen: dict[Path, set[str]]) -> list[Diagnostic]:
        """The findings of a file and of those that it loads; ``seen`` collects the globals of each file."""
        try:
            checked = self._checked(source)
        except StaticError as error:
            return list(error.diagnostics)
        found = list(checked.names.diagnostics)
        seen[path.resolve()] = set(checked.names.globals)
        for node in checked.tree.body:
            if syntax.is_load(node):
                found += self._check_load(node, source, path, seen)
        return found

    def _check_load(self, node: ast.stmt, source: Source, path: Path, seen: dict[Path, set[str]]) -> list[Diagnostic]:
        span = Span.of(source, node)
        try:
            place = _place(node, path)
            found = []
            if place.resolve() not in seen:
                found = self._check_all(parser.read(place, str(place)), place, seen)
        except Fault as fault:
            return [Diagnostic(span, fault.problem, fault.remedy)]
        except SourceError as error:
            return [Diagnostic(span, f"{error.where}: {error.problem}", error.remedy)]
        if found:
            return found
        there = seen[place.resolve()]
        return [
            Diagnostic(Span.of(source, where), f"{place.name} has no {wanted}", suggestion(wanted, there))
            for _, wanted, where in names.loaded_names(node)
            if wanted not in there
        ]

    def _run(self, checked: _Checked, path: Path | None) -> Module:
        machine = self._machine
        variables: dict[str, Value] = {}
        scope = Scope(checked.source, checked.names, variables, self._given)
        frame = Frame([None] * checked.names.sizes[checked.tree], None, machine)
        machine.stack.append((TOP_LEVEL, machine.site))
        try:
            for node in checked.tree.body:
                if syntax.is_load(node):
                    self._load(node, scope, path)
                else:
                    statement(scope, node)(frame)
        except RecursionError:
            whole = Span(checked.source, 1, 0, 1, 0)
            raise machine.located(Fault("this program is nested too deeply"), whole) from None
        finally:
            machine.stack.pop()
        return Module(checked.source, variables)

    def _load(self, node: ast.stmt, scope: Scope, path: Path | None) -> None:
        span = scope.span(node)
        machine = self._machine
        site, machine.site = machine.site, span
        try:
            module = self._module(_place(node, path))
            for here, there, where in names.loaded_names(node):
                if there not in module.variables:
                    span = scope.span(where)
                    raise Fault(f"{module.source.name} has no {there}", suggestion(there, module.variables))
                scope.variables[here] = module.variables[there]
        except FAILURES as error:
            raise machine.located(error, span) from None
        finally:
            machine.site = site

    def _module(self, place: Path) -> Module:
        key = place.resolve()
        if key in self._loaded:
            return self._loaded[key]
        if key in self._loading:
            cycle = " loads ".join(one.name for one in [*self._loading[self._loading.index(key) :], key])
            raise Fault(f"files load each other: {cycle}")
        self._loading.append(key)
        try:
            checked = self._checked(parser.read(place, str(place)))
            if checked.names.diagnostics:
                raise StaticError(checked.names.diagnostics)
            module = self._run(checked, place)
        finally:
            self._loading.pop()
        freeze(module.variables.values())
        self._loaded[key] = module
        return module


_PREFIXES: Final = ("//:", "//", ":")
"""Of the labels that other Starlark tools use for files beside the configuration."""


def _place(node: ast.stmt, path: Path | None) -> Path:
    """The file that a ``load`` statement names."""
    label: str = node.value.args[0].value  # type: ignore[attr-defined] # checked: a call with a literal string
    if path is None:
        raise Fault("there is no file here to load others from")
    name = label
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    if not name or Path(name).is_absolute() or name.startswith("@"):
        raise Fault(f"load finds files relative to this one; {label!r} is not relative", 'Write load("file.bzl", ...).')
    return path.parent / name
