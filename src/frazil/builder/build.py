"""Build one executable: eat a plan, write a file. Or only its image, for people who link their own (``emit.py``)."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.beside import divide, files_of, require_memory_for_warm_starts, write_files
from frazil.builder.bytecode import Compiler
from frazil.builder.elf import assemble, is_executable, require_replaceable, write_output
from frazil.builder.emit import emit
from frazil.builder.host import Form, Result, Warmed
from frazil.builder.imports import importable, parents, unresolved
from frazil.builder.linkable import write_linkable
from frazil.builder.native import find_libraries
from frazil.builder.pack import console_scripts, pack, search_path
from frazil.builder.runtime import imports_for_itself, require_root, runtime_resources
from frazil.builder.sourceless import sourceless_imports
from frazil.builder.static_link import link_modules
from frazil.builder.stdlib import Library, imported, mentioned, select
from frazil.builder.warm.make import add_snapshot
from frazil.builder.warm.modules import Imports, snapshot_modules
from frazil.errors import OutputError, SourceError, UsageError
from frazil.plan import EntryKind
from frazil.resources.kinds import (
    APPLICATION,
    RUNTIME,
    STANDARD_LIBRARY,
    BytecodeModule,
    DataFile,
    ExtensionModule,
    Link,
    SourceModule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from frazil.builder.bytecode import Compiled
    from frazil.builder.host import Host
    from frazil.plan import Plan
    from frazil.resources.collection import Collection
    from frazil.resources.kinds import Module, Resource

_EPOCH: Final = 1_577_836_800
"""The time of all files in an image, 2020-01-01, unless ``SOURCE_DATE_EPOCH`` names another: a build must not leave its own."""
_WITHOUT_LAUNCHER: Final = frozenset({Form.ASSEMBLER, Form.OBJECT})
_LAST_STEPS: Final = {
    Form.EXECUTABLE: "executable",
    Form.ASSEMBLER: "assembler source",
    Form.OBJECT: "object",
    Form.LINKABLE: "object",
}


_MODULE_SUFFIXES: Final = (".py", ".pyc", ".so")


def build(plan: Plan, host: Host) -> Result:
    """Write the executable that ``plan`` describes to ``host.output``, or its image in the form that the host wants.

    Raises FrazilError; the old output then stays.
    """
    require_memory_for_warm_starts(plan)
    former = _former_output(plan, host.output)
    clock = _Clock(host)
    with clock.step("launcher"):
        linked = link_modules(plan, host.cache, elsewhere=host.form in _WITHOUT_LAUNCHER)
        launcher = linked.launcher
    with Compiler(plan.distribution, plan.interpreter.optimize, host.cache) as compiler:
        with clock.step("modules"):
            collection = _with_runtime(plan)
            if former is not None:
                collection.discard(former)
            _put(collection, linked.read)
            compiled = compiler.compile(_sources(collection))
            _require_valid(collection, compiled)
        with clock.step("standard library"):
            library = Library(plan.distribution)
            roots = _reached(plan, host, collection, compiled, library)
            selection = select(plan, library, roots, compiler, known={module.name for module in collection.modules()})
            collection.update(selection.resources)
            compiled |= selection.compiled
    with clock.step("native libraries"):
        _put(collection, linked.packed)
        collection.update(launcher.resources)
        closure = find_libraries(collection, plan.distribution, host.cache, launcher.path)
        collection.update(closure.libraries)
        _require_apart(collection)
        division = divide(plan, collection, closure, {one.path for one in (*launcher.resources, *linked.packed)})
    with clock.step("image"):
        packed = pack(
            plan,
            division.inside,
            compiled,
            link=launcher.link,
            floor=closure.floor,
            mtime_ns=_timestamp(),
            static=linked.static,
            beside=division.settings(),
            warm=snapshot_modules(plan, collection, compiled),
        )
        files = files_of(plan, division, compiled, _timestamp(), host.output)
    sizes = dict(packed.sizes)
    warm = None
    with clock.step(_LAST_STEPS[host.form]):
        written = write_files(files, host.output.parent)
        if host.form is Form.EXECUTABLE:
            modules, imports = snapshot_modules(plan, collection, compiled), Imports(collection, compiled)
            size, warm = _finish(plan, host, launcher.path, packed.image, modules, imports=imports, clock=clock)
            sizes["launcher"] = size - len(packed.image) - (warm.size if warm else 0)
            if warm:
                sizes["snapshot"] = warm.size
        elif host.form is Form.LINKABLE:
            size = write_linkable(plan, packed.image, launcher, closure.floor, host)
            sizes["launcher"] = size - len(packed.image)
        else:
            size = emit(plan.name, packed.image, host)
    told = (*plan.warnings, *_warnings(plan, collection, compiled), *closure.warnings, *division.warnings)
    return Result(
        path=host.output,
        size=size,
        sizes=sizes,
        modules=packed.modules,
        timings=tuple(clock.timings),
        glibc=closure.floor,
        link=launcher.link,
        link_reason=launcher.reason,
        warm=warm,
        warnings=tuple(dict.fromkeys((*told, *(_left_out(warm) if warm else ())))),
        files=written,
        file_sizes=files.sizes,
        native=linked.outcomes,
        objects=sum(len(one.objects) for one in plan.static_modules),
        objects_compiled=plan.objects_compiled,
    )


def _put(collection: Collection, resources: Iterable[Resource]) -> None:
    """Let ``resources`` take the places of what stands at their paths."""
    for one in resources:
        collection.discard(one.path)
        collection.add(one)


@dataclass(slots=True)
class _Clock:
    host: Host
    timings: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell that a step begins, and keep how long it takes."""
        self.host.progress(name)
        begun = time.perf_counter()
        yield
        self.timings.append((name, time.perf_counter() - begun))


def _finish(
    plan: Plan, host: Host, launcher: Path, image: bytes, modules: Sequence[str], *, imports: Imports, clock: _Clock
) -> tuple[int, Warmed | None]:
    """Write the executable, with a snapshot when the plan wants one; its size, and what the snapshot is."""
    if plan.warm is None or plan.warm.first_run:
        return assemble(launcher, image, host.output), None
    host.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".frazil-", dir=host.output.parent) as directory:
        cold = Path(directory, plan.name)
        size = assemble(launcher, image, cold)
        with clock.step("snapshot"):
            try:
                warm = add_snapshot(cold, modules, host.output, imports.of)
            except SourceError as error:
                write_output([cold.read_bytes()], host.output)
                warm = Warmed(0, (), remarks=(f"this executable always starts cold: {_sentence(error)}",))
    return size + warm.size, warm


def _sentence(error: SourceError) -> str:
    return f"{error.problem} {error.details}".strip().splitlines()[0]


def _left_out(warm: Warmed) -> Iterator[str]:
    for one in warm.left_out:
        yield f"{one.module} is not in the snapshot but imported at start: {one.reason.splitlines()[0]}"
    yield from warm.remarks


def _former_output(plan: Plan, output: Path) -> str | None:
    """The path in the image of what an earlier build left among the files of the application; it is not part of it.

    Raises OutputError when the executable cannot stand at ``output``, or would take the place of a file it is made of.
    """
    require_replaceable(output)
    if not output.exists():
        return None
    for resource in plan.collection:
        content = None if isinstance(resource, Link) else resource.content
        if resource.owner != APPLICATION or not isinstance(content, Path) or not output.samefile(content):
            continue
        if not isinstance(resource, DataFile) or not is_executable(output):
            raise OutputError("the output is a file of the application", where=output, remedy="Name another file with -o.")
        return resource.path
    return None


def _with_runtime(plan: Plan) -> Collection:
    """The plan's collection with the run-time and the scripts of its entry points."""
    collection = plan.collection.copy()
    library = f"lib/python{plan.distribution.short_version}"
    require_root(plan)
    collection.update(
        runtime_resources(
            collection,
            library,
            plan.pmm,
            beside=not plan.locations.all_in_memory,
            first_run=plan.warm is not None and plan.warm.first_run,
        )
    )
    _put(collection, console_scripts(plan))
    for entry in plan.entries:
        held = collection.get(entry.target) if entry.kind is EntryKind.SCRIPT else None
        if isinstance(held, DataFile):  # a script whose name has no suffix
            collection.discard(held.path)
            directory = held.path.rpartition("/")[0]
            collection.add(SourceModule(held.path, False, held.content, held.path, directory, held.owner))
    return collection


def _sources(collection: Collection) -> list[SourceModule]:
    return [module for module in collection.modules() if isinstance(module, SourceModule)]


def _require_valid(collection: Collection, compiled: Mapping[str, Compiled]) -> None:
    """Raise SourceError for the first file of the application that is no valid Python; others may be left unimported."""
    for module in _sources(collection):
        error = compiled[module.path].error
        if error is not None and module.owner in {APPLICATION, RUNTIME}:
            where = f"{_place(module)}:{error.line}" if error.line else _place(module)
            lines = compiled[module.path].source.decode(errors="replace").splitlines()
            if not error.text and 0 < error.line <= len(lines):  # the compiler proper does not tell it
                error = replace(error, text=lines[error.line - 1])
            remedy = "Correct it, or leave it out with --exclude."
            raise SourceError(f"syntax error: {error.message}", where=where, details=error.marked(), remedy=remedy)


def _require_apart(collection: Collection) -> None:
    """Raise SourceError when a file of the application would take the place of one of Python's, or of the run-time's."""
    theirs_by_place = {_import_place(one): one for one in collection.modules() if one.owner in {STANDARD_LIBRARY, RUNTIME}}
    pairs: list[tuple[Resource, Resource]] = list(collection.conflicts)
    modules = [one for one in collection if one.path.endswith(_MODULE_SUFFIXES)]
    pairs += [(one, theirs_by_place[_import_place(one)]) for one in modules if _import_place(one) in theirs_by_place]
    for mine, theirs in pairs:
        if mine.owner == APPLICATION and theirs.owner in {STANDARD_LIBRARY, RUNTIME}:
            where = mine.path if isinstance(mine, Link) or not isinstance(mine.content, Path) else mine.content
            what = "the run-time's" if theirs.owner == RUNTIME else "Python's"
            problem = f"would stand at /memfs:/{mine.path}, in the place of {what} own /memfs:/{theirs.path}"
            raise SourceError(problem, where=where, remedy="Put it elsewhere, or leave it out.")


def _import_place(resource: Resource) -> str:
    """The same for all files that an import would take for one module: ``x.py``, ``x.pyc``, ``x.so``, ``x/__init__.py``."""
    directory, _, file = resource.path.rpartition("/")
    stem = file.partition(".")[0]
    return directory if stem == "__init__" else f"{directory}/{stem}"


def _reached(plan: Plan, host: Host, collection: Collection, compiled: Mapping[str, Compiled], library: Library) -> set[str]:
    """The names that the collection may import, its own modules taken out."""
    names = {entry.target.partition(":")[0] for entry in plan.entries if entry.kind in {EntryKind.MODULE, EntryKind.FUNCTION}}
    for module in collection.modules():
        if isinstance(module, SourceModule):
            # What the run-time imports inside functions it does, but for a few, for callers who have imported it themselves.
            lazily = module.owner != RUNTIME or imports_for_itself(module.name)
            names.update(imported(compiled[module.path].imports, lazily=lazily))
        elif isinstance(module, ExtensionModule):
            names.update(mentioned(module.content, library, host.cache))
    compiled_only = [module for module in collection.modules() if isinstance(module, BytecodeModule)]
    for imports in sourceless_imports(compiled_only, plan.distribution, host.cache).values():
        names.update(imported(imports))
    own = {module.name for module in collection.modules() if module.directory == search_path(plan)[0]}
    return {name for name in names if name.partition(".")[0] not in own}


def _warnings(plan: Plan, collection: Collection, compiled: Mapping[str, Compiled]) -> Iterator[str]:
    """What the program's author should know and the build could not settle, a sentence each."""
    for kept, dropped in collection.conflicts:
        yield f"{kept.path}: the file of {kept.owner} was taken, the one of {dropped.owner} left out"
    mine = [module for module in collection.modules() if module.owner == APPLICATION]
    builtin = plan.distribution.builtin_modules
    for module in mine:
        if module.name in builtin and module.directory in search_path(plan):
            yield f"{_place(module)}: cannot be imported, since {module.name} is built into the interpreter"
    found = importable(collection.modules(), search_path(plan))
    tops = {name.partition(".")[0] for name in found} | builtin | set(map(_first, plan.exclude))
    owned = {part for module in mine for part in (module.name, *parents(module.name))}
    owned = {name for name in owned if name not in found or found[name].owner == APPLICATION}
    for module in mine:
        done = compiled.get(module.path)
        for line, text in () if done is None else done.warnings:
            yield f"{_place(module)}:{line}: {text}"
        if plan.pmm is not None:
            continue  # a storage may have what is not here
        for one in () if done is None else unresolved(done.imports, tops, owned):
            yield f"{_place(module)}:{one.line}: there is no module {one.name} to import"


def _first(name: str) -> str:
    return name.partition(".")[0]


def _place(module: Module) -> str:
    return str(module.content) if isinstance(module.content, Path) else module.path


def _timestamp() -> int:
    """Nanoseconds since 1970 for the files of the image."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return _EPOCH * 10**9
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 33:
        raise UsageError("not a number of seconds", where=f"SOURCE_DATE_EPOCH={text}", remedy="Correct or unset the variable.")
    return int(text) * 10**9
