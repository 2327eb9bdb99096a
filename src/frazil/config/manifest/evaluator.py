"""Runs manifests: each with globals of its own, functions bound to it, and errors that carry its line.

Nothing ambient decides: the current directory stays as it is and does not count, relative paths are relative to the manifest
that holds the call. Where a call stands is read off the stack: the innermost frame that runs code of a manifest.

All problems can be collected instead of stopping at the first. A call that fails inside a ``try`` of a manifest still raises,
since the manifest may mean to do without; any other is noted and the manifest goes on.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil.config.manifest.errors import ManifestError
from frazil.config.manifest.functions import FUNCTIONS, MODULE_FUNCTIONS, OLD_FUNCTIONS
from frazil.config.manifest.metadata import Metadata
from frazil.config.manifest.options import Options
from frazil.config.manifest.search import BASE_LIBRARIES, MANIFEST, Libraries, require_file
from frazil.config.manifest.variables import expanded
from frazil.config.parsing import decoded, read_source
from frazil.errors import FrazilError, SourceError
from frazil.frozen import Dialect, FrozenModule, Kind, Platform, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import CodeType

    from frazil.config.manifest.functions import Function

_DEEPEST: Final = 200
"""So many manifests may be in one another."""


@dataclass(frozen=True, slots=True)
class ManifestOptions:
    """What is evaluated, and how. ``manifests`` are files, directories with a ``manifest.py``, or snippets of code."""

    manifests: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = Dialect.CURRENT
    platform: Platform = Platform.MICROPYTHON
    directory: Path = field(default_factory=Path.cwd)
    """What relative paths on the command line, and those in snippets, are relative to."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The ``options`` of the manifests named here."""
    only_c_modules: bool = False
    """Whether files are none of our business: functions that ask for them do nothing."""


@dataclass(slots=True)
class Evaluation:
    """What manifests come to."""

    platform: Platform
    modules: tuple[FrozenModule, ...] = ()
    """In the order they were asked for; of each target one."""
    references: list[Reference] = field(default_factory=list)
    roots: list[str] = field(default_factory=list)
    manifests: dict[str, None] = field(default_factory=dict)
    """The files that were run, in order."""
    directories: dict[Path, None] = field(default_factory=dict)
    """The directories that were walked: a file that comes or goes in them changes the result."""
    metadata: dict[str, Metadata] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[FrazilError] = field(default_factory=list)


def evaluate(asked: ManifestOptions, *, collect: bool = False) -> Evaluation:
    """Run manifests. Raises ManifestError, or SourceError for a file that cannot be read.

    With ``collect`` these stand in ``problems`` instead, all that can be found.
    """
    run = Run(asked, collect)
    for number, argument in enumerate(asked.manifests, 1):
        with _Problems(run):
            run.start(argument, number)
    run.result.modules = tuple(run.with_versions())
    return run.result


@dataclass(slots=True)
class _Problems:
    """Notes an error instead of letting it through, when all are collected."""

    run: Run

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if self.run.collect and isinstance(error, FrazilError):
            self.run.result.problems.append(error)
            return True
        return False


@dataclass(slots=True)
class RunningManifest:
    """A manifest while it runs. ``directory`` is what its relative paths are relative to."""

    path: str
    directory: Path
    text: str
    chain: tuple[str, ...]
    """Which lines led here, innermost first, as ``path:line``."""
    options: Mapping[str, Any]
    guarded: tuple[range, ...] = ()
    """Lines inside a ``try`` that catches something."""
    metadata: Metadata = field(default_factory=Metadata)
    outer: RunningManifest | None = None
    """The manifest that includes this one as a part of the same package."""

    def version(self) -> str | None:
        """The version of the package that this manifest belongs to."""
        if self.metadata.version is not None or self.outer is None:
            return self.metadata.version
        return self.outer.version()

    def error(self, error: ManifestError, line: int) -> ManifestError:
        """The error with its place: path and line, the line itself, and what led to this manifest."""
        error.where = f"{self.path}:{line}" if line else self.path
        lines = self.text.splitlines()
        shown = [f"    {lines[line - 1].strip()}"] if 0 < line <= len(lines) and not error.details else []
        shown += [error.details] if error.details else []
        error.details = "\n".join([*shown, *(f"  from {place}" for place in self.chain)])
        return error


class Run:
    """One evaluation: what functions of manifests read and add to."""

    def __init__(self, asked: ManifestOptions, collect: bool) -> None:  # noqa: FBT001 - the only caller names it
        self.asked = asked
        self.collect = collect
        self.dialect = asked.dialect
        self.platform = asked.platform
        self.variables = dict(asked.variables)
        self.result = Evaluation(asked.platform)
        self.modules: dict[str, FrozenModule] = {}
        """By the name that imports them."""
        self.libraries = Libraries()
        self._stack: list[RunningManifest] = []
        self._known: dict[str, RunningManifest] = {}
        self._done: dict[str, list[Mapping[str, Any]]] = {}
        self._owners: dict[str, RunningManifest] = {}
        self._add_base_libraries()

    def _add_base_libraries(self) -> None:
        if "MPY_LIB_DIR" not in self.variables and "MPY_DIR" in self.variables:
            usual = os.path.join(self.variables["MPY_DIR"], "lib", "micropython-lib")  # noqa: PTH118 - as the variable is written
            if os.path.isdir(usual):  # noqa: PTH112 - likewise
                self.variables["MPY_LIB_DIR"] = usual
        if "MPY_LIB_DIR" in self.variables:
            for name in BASE_LIBRARIES:
                place = expanded(f"$(MPY_LIB_DIR)/{name}", self.variables)
                self.libraries.add(name, self.asked.directory / place, first=False)

    def start(self, argument: str, number: int) -> None:
        """Run one argument of the command line."""
        path = _joined(self.asked.directory, expanded(argument, self.variables) if "(" not in argument else argument)
        is_file = argument.endswith(".py") or (not _is_code(argument) and os.path.lexists(path))
        if not is_file and not _is_code(argument):
            raise SourceError(
                "no such manifest", where=argument, remedy="Name a .py file, a directory with a manifest.py, or code."
            )
        if not is_file:
            name = f"<argument {number}>"
            self.result.roots.append(name)
            self._execute(RunningManifest(name, self.asked.directory, argument, (), self.asked.given))
            return
        place = Path(path) / MANIFEST if path.is_dir() else path
        try:
            require_file(place)
        except ManifestError as error:
            raise SourceError(error.problem, where=argument, remedy=error.remedy) from error
        self.result.roots.append(str(place))
        self._run_file(place, self.asked.given, ())

    def include(self, call: Call, verb: str, asked: str, place: Path, given: Mapping[str, Any]) -> None:
        """Run a manifest that another one asks for. Raises ManifestError for a circle of includes."""
        if place.is_dir():
            place /= MANIFEST
        require_file(place)
        path = str(place)
        running = [manifest.path for manifest in self._stack]
        again = self.dialect is Dialect.CURRENT and any(given == other for other in self._done.get(path, ()))
        if path in running:
            if verb != "require":
                circle = " -> ".join([*running[running.index(path) :], path])
                raise ManifestError("manifests include one another in a circle", details=f"    {circle}")
            again = True
        if len(running) >= _DEEPEST:
            raise ManifestError(f"more than {_DEEPEST} manifests are in one another")
        here = call.manifest
        self.result.references.append(Reference(here.path, call.line, verb, asked, path, again))
        if not again:
            self._run_file(place, given, (f"{here.path}:{call.line}", *here.chain), here if verb == "include" else None)

    def _run_file(
        self, place: Path, given: Mapping[str, Any], chain: tuple[str, ...], outer: RunningManifest | None = None
    ) -> None:
        path = str(place)
        self._done.setdefault(path, []).append(dict(given))
        self.result.manifests.setdefault(path)
        with _Problems(self):
            text = decoded(read_source(place), place)
            self._execute(RunningManifest(path, place.parent, text, chain, given, outer=outer))

    def _execute(self, manifest: RunningManifest) -> None:
        """Run one manifest's code. Raises ManifestError with the line for whatever it raises."""
        code = _compiled(manifest)
        self._known[manifest.path] = manifest
        self._stack.append(manifest)
        try:
            exec(code, self._globals(manifest))  # noqa: S102 - a manifest is Python
        except FrazilError:
            raise
        except (Exception, SystemExit) as error:  # it is the author of the manifest who has to know
            raise manifest.error(_raised(error, self.dialect), self._line_of(error)) from error
        finally:
            self._stack.pop()
        if manifest.metadata.given:
            self.result.metadata[manifest.path] = manifest.metadata

    def _globals(self, manifest: RunningManifest) -> dict[str, Any]:
        table = OLD_FUNCTIONS if self.dialect is Dialect.OLD else FUNCTIONS
        return {
            "__builtins__": builtins,
            "__name__": "__manifest__",
            "__file__": manifest.path,
            "options": Options(manifest.options),
            "print": _print,
            **{name: self._bound(name, function, manifest) for name, function in table.items()},
        }

    def _bound(self, name: str, function: Function, manifest: RunningManifest) -> Callable[..., object]:
        """The function as the manifest calls it; its errors get their place here."""
        signature = inspect.signature(function)
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])

        def nothing(*_arguments: Any, **_named: Any) -> None:
            pass

        if self.asked.only_c_modules and name in MODULE_FUNCTIONS:
            return nothing

        def call(*arguments: Any, **named: Any) -> object:
            at, line = self._caller(manifest)
            try:
                try:
                    bound = signature.bind(*arguments, **named)
                except TypeError as error:
                    raise ManifestError(f"{name}(): {error}", remedy=f"It is called as {name}{_shown(signature)}.") from error
                return function(Call(self, manifest, line), *bound.args, **bound.kwargs)
            except ManifestError as error:
                problem = error if error.where is not None else at.error(error, line)
                if not self.collect or self._guarded():
                    raise problem from None
                self.result.problems.append(problem)
                return None

        call.__name__ = call.__qualname__ = name
        return call

    def _caller(self, manifest: RunningManifest) -> tuple[RunningManifest, int]:
        """The manifest and line that call a function; they are another's when a function was handed on in options."""
        frame = sys._getframe(2)  # noqa: SLF001 - inspect.stack() reads files for each call
        while frame is not None:
            path = frame.f_code.co_filename
            if path in self._known:
                return self._known[path], frame.f_lineno
            if frame.f_back is None:
                break
            frame = frame.f_back
        return manifest, 0

    def _guarded(self) -> bool:
        """Whether the call stands inside a ``try`` of a manifest, its own or one further out."""
        frame = sys._getframe(2)  # noqa: SLF001 - see above
        while frame is not None:
            manifest = self._known.get(frame.f_code.co_filename)
            if manifest is not None and any(frame.f_lineno in lines for lines in manifest.guarded):
                return True
            if frame.f_back is None:
                break
            frame = frame.f_back
        return False

    def _line_of(self, error: BaseException) -> int:
        """The line of the running manifest that raised."""
        path = self._stack[-1].path
        lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == path]
        return lines[-1] if lines else 0

    def with_versions(self) -> Iterator[FrozenModule]:
        """The modules; those that are compiled know the version of the package whose manifest asked for them."""
        for key, module in self.modules.items():
            version = self._owners[key].version() if module.kind is Kind.SOURCE and self.dialect is Dialect.CURRENT else None
            yield module if version is None else replace(module, version=version)

    def add(self, module: FrozenModule, owner: RunningManifest) -> None:
        """Add a module. Raises ManifestError when another file, or the same in another way, has its name."""
        key = f"{module.target}: c" if module.kind is Kind.C_MODULE else module.name
        held = self.modules.setdefault(key, module)
        self._owners.setdefault(key, owner)
        if (held.path, held.kind, held.target, held.opt) != (module.path, module.kind, module.target, module.opt):
            details = f"    {_summary(held)}, from {held.place}\n    {_summary(module)}"
            remedy = "Freeze it once."
            raise ManifestError(f"two files want to be module {module.name}", details=details, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function: the evaluation, the manifest whose function it is, and the line that calls."""

    run: Run
    manifest: RunningManifest
    line: int

    def path(self, text: object, what: str) -> Path:
        """A path with its variables replaced, absolute. Raises ManifestError for what is no string or unknown."""
        if not isinstance(text, str):
            remedy = "Call it once for each." if isinstance(text, Iterable) else ""
            raise ManifestError(f"{what} must be a string, not {type(text).__name__}", remedy=remedy)
        if "\0" in text:
            raise ManifestError(f"{what} holds a null byte")
        return _joined(self.manifest.directory, expanded(text, self.run.variables))

    def add(self, kind: Kind, target: str, path: Path, opt: int | None) -> None:
        """Ask for one module."""
        self.run.add(FrozenModule(kind, target, path, opt, self.manifest.path, self.line), self.manifest)

    def warn(self, text: str) -> None:
        """Tell what is left out, or will not work."""
        self.run.result.warnings.append(f"{self.manifest.path}:{self.line}: {text}")

    def include(self, verb: str, asked: str, place: Path, given: Mapping[str, Any]) -> None:
        """Run another manifest."""
        self.run.include(self, verb, asked, place, given)


def _joined(directory: Path, text: str) -> Path:
    # Symbolic links keep their name, as everywhere in manifests.
    return Path(os.path.abspath(os.path.join(directory, text)))  # noqa: PTH100, PTH118


def _is_code(argument: str) -> bool:
    return not argument.endswith(".py") and any(each in argument for each in "(=\n")


def _summary(module: FrozenModule) -> str:
    how = {Kind.STRING: "as a string"}.get(module.kind, "" if module.opt is None else f"with opt={module.opt}")
    return f"{module.path} {how}".rstrip()


def _shown(signature: inspect.Signature) -> str:
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(inspect.Signature(plain))


def _print(*values: object, **named: Any) -> None:
    """``print`` for manifests: to the standard error stream, since results go to standard output."""
    print(*values, **{"file": sys.stderr, **named})  # noqa: T201 - it is the manifest that prints


def _compiled(manifest: RunningManifest) -> CodeType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(manifest.text, manifest.path)
            code = compile(tree, manifest.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        mark = f"    {(error.text or '').rstrip()}" if error.text else ""
        if mark and error.offset:
            mark += f"\n    {' ' * (error.offset - 1)}^"
        raise manifest.error(ManifestError(f"syntax error: {error.msg}", details=mark), error.lineno or 0) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise manifest.error(ManifestError(f"cannot be parsed: {error or 'it is nested too deeply'}"), 0) from error
    manifest.guarded = tuple(_guarded_lines(tree))
    return code


def _guarded_lines(tree: ast.Module) -> list[range]:
    """The bodies of ``try`` with handlers, and of ``with``, for ``contextlib.suppress()`` and its like."""
    guards = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.Try | ast.TryStar) and node.handlers) or isinstance(node, ast.With)
    ]
    return [range(node.body[0].lineno, (node.body[-1].end_lineno or node.body[-1].lineno) + 1) for node in guards]


def _raised(error: BaseException, dialect: Dialect) -> ManifestError:
    if isinstance(error, SystemExit):
        return ManifestError(f"the manifest ended itself: SystemExit({'' if error.code is None else error.code!r})")
    remedy = ""
    if isinstance(error, NameError) and dialect is Dialect.OLD and error.name in FUNCTIONS:
        remedy = f"{error.name}() came after MicroPython 1.18; use --dialect current."
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()
    return ManifestError(text[-1] if text else type(error).__name__, remedy=remedy)


def sorted_problems(problems: Sequence[FrazilError]) -> list[FrazilError]:
    """Problems, each once: a manifest that is run twice has the same twice."""
    return list({str(problem): problem for problem in problems}.values())
