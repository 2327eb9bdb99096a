"""Arrange a collection as an image: files at their places, a record for each importable module, settings.

The layout is that of ``docs/spec/launcher.md``, the bytes are those of ``docs/spec/icecube.md``.
"""

from __future__ import annotations

import encodings.aliases
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import icecube
from frazil import __version__
from frazil.builder.bytecode import read_content
from frazil.builder.elf import trim, without_host_paths
from frazil.builder.imports import importable
from frazil.builder.runtime import pmm_settings
from frazil.errors import SourceError
from frazil.plan import Compression, EntryKind, LinkMode
from frazil.resources.kinds import (
    STANDARD_LIBRARY,
    SYSTEM,
    BytecodeModule,
    DataFile,
    ExtensionModule,
    Link,
    NativeLibrary,
    SourceModule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from frazil.builder.bytecode import Compiled
    from frazil.builder.host import GlibcFloor
    from frazil.plan import EntryPoint, Plan
    from frazil.resources.collection import Collection
    from frazil.resources.kinds import Module, Resource

BOOT_MODULES: Final = (
    "encodings", "encodings.aliases", "encodings.utf_8", "warnings",
    "frazil_runtime", "frazil_runtime.boot", "frazil_runtime.importer",
)  # fmt: skip
"""What is imported before an importer exists (``warnings`` by option ``-W``); the launcher puts these into the frozen table."""

# Places of blobs, first to last: what each start reads stands together. Native code is on pages behind all of these.
_BOOT_GROUP: Final = 0
_BYTECODE_GROUP: Final = 1
_FILE_GROUP: Final = 2

_EXECUTABLE: Final = 0o755
_PLAIN: Final = 0o644


@dataclass(frozen=True, slots=True)
class Packed:
    """An image and what is told about it."""

    image: bytes
    modules: int
    """Importable modules."""
    sizes: Mapping[str, int]
    """Bytes by owner."""


def search_path(plan: Plan) -> tuple[str, ...]:
    """``sys.path`` of the program, below the mount; an empty entry is the mount itself."""
    library = f"lib/python{plan.distribution.short_version}"
    own = (plan.application, library, f"{library}/lib-dynload", f"{library}/site-packages")
    return tuple(dict.fromkeys((*own, *plan.extra_paths)))


def console_scripts(plan: Plan) -> list[SourceModule]:
    """The files in ``bin/`` for entry points that are functions, with what an installer would write into them."""
    return [_console_script(entry) for entry in plan.entries if entry.kind is EntryKind.FUNCTION]


def _console_script(entry: EntryPoint) -> SourceModule:
    module, _, attributes = entry.target.partition(":")
    first = attributes.partition(".")[0]
    text = f'import sys\nfrom {module} import {first}\nif __name__ == "__main__":\n    sys.exit({attributes}())\n'
    return SourceModule(f"bin/{entry.name}", False, text.encode(), f"bin/{entry.name}", "bin", "<application>")


def pack(
    plan: Plan,
    collection: Collection,
    compiled: Mapping[str, Compiled],
    *,
    link: LinkMode,
    floor: GlibcFloor,
    mtime_ns: int,
    static: Sequence[str] = (),
    beside: Mapping[str, str] | None = None,
    warm: Sequence[str] = (),
) -> Packed:
    """The image of everything in ``collection``, of which ``compiled`` holds the bytecode by path.

    ``static`` names the extension modules that are part of the launcher; ``beside`` has the settings of a ``Division``;
    ``warm`` are the modules of a snapshot that is made at first start.
    Raises SourceError for a file that cannot be read or a path that cannot be, and for an entry point that is not there.
    """
    arrangement = _Arrangement(plan, compiled, mtime_ns)
    for resource in collection:
        arrangement.add(resource)
    modules = importable(collection.modules(), search_path(plan))
    inside = plan.distribution.builtin_modules | plan.distribution.frozen_modules
    for name, module in modules.items():
        if name not in inside:
            arrangement.record(name, module)
    starts = [arrangement.start(entry, collection, modules) for entry in plan.entries]
    records = arrangement.records.values()
    try:
        settings = _settings(plan, link, floor, starts) | ({"static": ":".join(static)} if static else {}) | dict(beside or {})
        settings |= pmm_settings(plan, mtime_ns)
        settings |= {"warm.first-run": "1", "warm.modules": ",".join(warm)} if plan.warm and plan.warm.first_run else {}
        directories = dict.fromkeys(plan.directories, mtime_ns)
        entries = arrangement.entries.values()
        image = icecube.write(entries, records, settings, directories=directories, mtime_ns=mtime_ns)
    except ValueError as error:
        raise SourceError(f"this cannot be packed: {error}", where=plan.name, remedy="Leave it out with --exclude.") from error
    return Packed(image, sum("/" not in one.name for one in records), dict(arrangement.sizes))


def outside_entries(
    plan: Plan, resources: Iterable[Resource], compiled: Mapping[str, Compiled], mtime_ns: int
) -> tuple[tuple[icecube.Entry, ...], Mapping[str, int]]:
    """The files of resources that stand beside the executable, at their paths, and bytes by owner. Raises SourceError."""
    arrangement = _Arrangement(replace(plan, compression=Compression.NONE), compiled, mtime_ns)
    for resource in resources:
        arrangement.add(resource)
    return tuple(arrangement.entries.values()), arrangement.sizes


@dataclass(slots=True)
class _Arrangement:
    plan: Plan
    compiled: Mapping[str, Compiled]
    mtime_ns: int
    entries: dict[str, icecube.Entry] = field(default_factory=dict)
    records: dict[str, icecube.Module] = field(default_factory=dict)
    sizes: Counter[str] = field(default_factory=Counter)

    def add(self, resource: Resource) -> None:
        """Place the files of one resource."""
        if isinstance(resource, SourceModule) and resource.path in self.compiled:
            self._add_source(resource, self.compiled[resource.path])
        elif isinstance(resource, Link):
            self._place(resource, resource.path, resource.target.encode("utf-8", "surrogateescape"), link=True)
        elif isinstance(resource, ExtensionModule | NativeLibrary):
            data = read_content(resource.content)
            if resource.owner in {STANDARD_LIBRARY, SYSTEM}:
                data = trim(data)
            data = without_host_paths(data)
            self._place(resource, resource.path, data, permissions=_EXECUTABLE, page_aligned=True)
        else:
            executable = isinstance(resource, DataFile) and resource.executable
            group = _code_group(resource.name) if isinstance(resource, BytecodeModule) else _FILE_GROUP
            data = read_content(resource.content)
            self._place(resource, resource.path, data, permissions=_EXECUTABLE if executable else _PLAIN, group=group)

    def _add_source(self, module: SourceModule, compiled: Compiled) -> None:
        if compiled.error is not None or self._has_source(module):
            self._place(module, module.path, compiled.source, group=_FILE_GROUP)
        if compiled.error is None and not module.as_source:
            self._place(module, self._code_path(module), compiled.pyc, group=_code_group(module.name))

    def _place(
        self,
        owner: Resource,
        path: str,
        data: bytes,
        *,
        permissions: int = _PLAIN,
        group: int = _FILE_GROUP,
        page_aligned: bool = False,
        link: bool = False,
    ) -> None:
        if path in self.entries:  # bytecode that came with a package, where ours is or will be
            if not path.endswith(".pyc") or group == _FILE_GROUP:
                return
            self.sizes[owner.owner] -= len(self.entries[path].data)
        encoding, stored = icecube.encode(data) if not (link or page_aligned) and self._may_compress(path, data) else (0, data)
        self.entries[path] = icecube.Entry(
            path, stored, permissions, self.mtime_ns, link, page_aligned, group, encoding, len(data)
        )
        self.sizes[owner.owner] += len(stored)

    def _may_compress(self, path: str, data: bytes) -> bool:
        """Whether a file may be compressed: bytecode and native code are used in place."""
        used_in_place = path.endswith(".pyc") or data.startswith(b"\x7fELF")
        return self.plan.compression is not Compression.NONE and not used_in_place

    def _has_source(self, module: SourceModule) -> bool:
        wanted = self.plan.with_source if module.with_source is None else module.with_source
        return wanted or module.as_source or "/" in module.name  # scripts of ours

    def _code_path(self, module: SourceModule) -> str:
        """Where CPython looks for a module's bytecode (PEP 3147, PEP 488)."""
        if not self._has_source(module):
            return f"{module.path.removesuffix('.py')}.pyc"
        directory, _, file = module.path.rpartition("/")
        optimize = self.plan.interpreter.optimize
        tag = self.plan.distribution.cache_tag + (f".opt-{optimize}" if optimize else "")
        return f"{directory}/__pycache__/{file.removesuffix('.py')}.{tag}.pyc".removeprefix("/")

    def record(self, name: str, module: Module) -> bool:
        """Make ``module`` known under ``name``; False when it has no code for this interpreter."""
        code: str | None = None
        file = module.path
        if isinstance(module, SourceModule):
            compiled = self.compiled.get(module.path)
            if compiled is None or compiled.error is not None or module.as_source:
                return False  # left to the path finder
            code = self._code_path(module)
            file = module.path if self._has_source(module) else code
        elif isinstance(module, BytecodeModule):
            code = module.path
            if bytes(self.entries[code].data[:4]) != self.plan.distribution.magic:
                return False
        self.records[name] = icecube.Module(
            name,
            file,
            module.directory,
            code,
            package=module.package,
            extension=isinstance(module, ExtensionModule),
        )
        return True

    def start(self, entry: EntryPoint, collection: Collection, modules: Mapping[str, Module]) -> tuple[str, str]:
        """What the settings say of an entry point: its kind and its module record, which this makes if it must."""
        if entry.kind is EntryKind.MODULE:
            return "module", self._module_start(entry, modules)
        path = f"bin/{entry.name}" if entry.kind is EntryKind.FUNCTION else entry.target
        kind = "command" if entry.kind is EntryKind.COMMAND else "script"
        script = collection.get(path)
        if not isinstance(script, SourceModule | BytecodeModule):
            raise SourceError("the script to start is not there", where=path)
        # A script of the name of another module is no module that can be imported; the slash says so.
        name = script.name if modules.get(script.name) is script and script.name in self.records else path
        if name not in self.records and not self.record(name, script):
            raise SourceError(f"the script is no bytecode of Python {self.plan.distribution.short_version}", where=path)
        return kind, name

    def _module_start(self, entry: EntryPoint, modules: Mapping[str, Module]) -> str:
        module = modules.get(entry.target)
        name = f"{entry.target}.__main__" if module is None or module.package else entry.target
        if name not in self.records:
            problem = f"there is no module {name} to start" if name not in modules else f"{name} cannot be started"
            raise SourceError(problem, where=entry.target, remedy="Check the name, and that it has not been excluded.")
        return name


def _code_group(name: str) -> int:
    return _BOOT_GROUP if name in BOOT_MODULES else _BYTECODE_GROUP


def _codecs(plan: Plan) -> list[str]:
    """The modules of encodings that the interpreter is to begin with; nothing else could import them so early."""
    fields = dict(plan.interpreter.fields)
    names = [fields[name] for name in ("filesystem_encoding", "stdio_encoding") if name in fields]
    normal = [encodings.normalize_encoding(name).lower() for name in names]
    modules = [f"encodings.{encodings.aliases.aliases.get(name, name)}" for name in normal]
    return [name for name in dict.fromkeys(modules) if name not in BOOT_MODULES]


def _hash_seed(plan: Plan) -> int:
    """A snapshot holds hashes of strings, so all starts of one executable have one seed; other programs have another."""
    return zlib.crc32(plan.name.encode()) or 1


def _settings(plan: Plan, link: LinkMode, floor: GlibcFloor, starts: list[tuple[str, str]]) -> dict[str, str]:
    settings = {
        "name": plan.name,
        "frazil": __version__,
        "python": plan.distribution.short_version,
        "python.full": plan.distribution.full_version,
        "platform": "linux-x86_64-gnu",
        "glibc": floor.version,
        "link": link.value,
        "path": ":".join((*search_path(plan), *plan.outside_paths)),
        "boot": ":".join((*BOOT_MODULES, *_codecs(plan))),
        "optimize": str(plan.interpreter.optimize),
        "entry": str(len(plan.entries)),
    }
    for number, (entry, (kind, module)) in enumerate(zip(plan.entries, starts, strict=True)):
        settings |= {f"entry.{number}.name": entry.name, f"entry.{number}.kind": kind, f"entry.{number}.module": module}
    switches = {
        "environment": plan.interpreter.honour_environment,
        "site": plan.interpreter.import_site,
        "interpreter": plan.interpreter.interpreter,
    }
    settings |= {name: "1" for name, on in switches.items() if on}
    settings |= {f"config.{name}": value for name, value in plan.interpreter.fields}
    if plan.interpreter.marks:
        settings["marks"] = ":".join(plan.interpreter.marks)
    if plan.warm is not None:
        settings["hash-seed"] = str(_hash_seed(plan))
    if plan.memfs_limit is not None:
        settings["memfs.limit"] = str(plan.memfs_limit)
    if plan.interpreter.self_exec_application:
        settings["self-exec"] = "application"
    return settings
