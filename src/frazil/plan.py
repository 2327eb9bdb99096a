"""What front-ends make and the builder consumes. Pure records; this file does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from frazil.resources.location import Locations

if TYPE_CHECKING:
    from frazil.archive.use import Archives
    from frazil.distribution import PythonDistribution
    from frazil.native.record import NativeModule
    from frazil.resources.collection import Collection

APPLICATION_DIRECTORY: Final = "app"
"""Where applications stand below the mount, unless the plan says otherwise."""


class EntryKind(Enum):
    """How an entry point starts."""

    SCRIPT = "script"
    """As ``python FILE`` does: ``__spec__`` is None."""
    MODULE = "module"
    """As ``python -m NAME`` does."""
    FUNCTION = "function"
    """As a console script does: import, call, ``sys.exit`` with the result."""
    COMMAND = "command"
    """As ``python -c`` does: a script that has no ``__file__``."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """What runs. ``target`` is a path below the mount (script), a module name, or ``package.module:function``."""

    name: str
    kind: EntryKind
    target: str


class LinkMode(Enum):
    """How libpython comes into the executable."""

    AUTO = "auto"
    STATIC = "static"
    SHARED = "shared"


class StandardLibrary(Enum):
    """How much of the standard library goes in."""

    USED = "used"
    ALL = "all"


class Compression(Enum):
    """How sources and data stand in the image; bytecode and native code are used in place and never compressed."""

    NONE = "none"
    DEFLATE = "deflate"
    """Those files that get smaller by at least an eighth."""


class NativeLink(Enum):
    """How native modules whose objects are there come into the executable."""

    AUTO = "auto"
    """Linked into the program where that is possible, else as shared objects that are loaded from memory."""
    STATIC = "static"
    """Linked into the program; it is an error when that is not possible."""
    MEMORY = "memory"
    """As shared objects that are loaded from memory."""


class PmmMode(Enum):
    """When storages are asked for modules (``docs/spec/pmm.md``, "The search")."""

    OVERRIDE = "override"
    """Before the image."""
    ADD = "add"
    """After it: nothing that the executable has is replaced."""
    LOCKED = "locked"
    """Before the image, and nothing but the plan adds or alters a storage."""


@dataclass(frozen=True, slots=True)
class PmmSettings:
    """Where modules outside the executable come from, and who may put them there."""

    storages: tuple[str, ...]
    """URLs in their order; ``frazil.config.pmm`` says what they can be."""
    mode: PmmMode = PmmMode.OVERRIDE
    allow: tuple[str, ...] = ()
    """Names, ``pkg.*`` being everything below; only these are looked for if there are any."""
    deny: tuple[str, ...] = ()
    root: bytes | None = None
    """The root document that signed storages are checked by."""
    unsigned: bool = False
    """Whether all storages are believed."""
    expired: str = ""
    """``installed``: what was accepted before it expired stays accepted."""
    state: str = ""
    """The directory of the counter, which may begin with a placeholder; empty: ``{user_data}/pmm``."""
    update: bool = False
    """Whether the program can fetch newer sets of modules: what that takes becomes part of it."""


@dataclass(frozen=True, slots=True)
class InterpreterConfig:
    """How the interpreter inside the executable behaves."""

    optimize: int = 0
    honour_environment: bool = False
    """Whether ``PYTHON*`` variables count."""
    import_site: bool = False
    self_exec_application: bool = False
    """Whether starting ``sys.executable`` always starts the application (``docs/spec/launcher.md``, "Modes")."""
    fields: tuple[tuple[str, str], ...] = ()
    """Fields of ``PyPreConfig`` and ``PyConfig`` by name, sorted, where the launcher's defaults are not wanted
    (``docs/spec/launcher.md``, "Fields")."""
    interpreter: bool = False
    """Whether the executable is a Python interpreter, with its command line; entry points then never run."""
    marks: tuple[str, ...] = ()
    """What PyOxidizer's executables set in ``sys`` and programs look for (``docs/spec/launcher.md``, ``marks``)."""


@dataclass(frozen=True, slots=True)
class WarmStart:
    """That the executable holds a snapshot of its own start (``docs/spec/snapshot.md``)."""

    modules: tuple[str, ...] = ()
    """What is imported before the snapshot is made; when empty, what the entry points import."""
    first_run: bool = False
    """Whether it is made on the machine where the executable is first started, and not by the build."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One executable, described. ``include`` and ``exclude`` are module names, ``pkg.*`` meaning everything below."""

    name: str
    distribution: PythonDistribution
    collection: Collection
    """The application and third-party code; the standard library and the system's libraries are added by the builder."""
    entries: tuple[EntryPoint, ...]
    link: LinkMode = LinkMode.AUTO
    stdlib: StandardLibrary = StandardLibrary.USED
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    with_source: bool = True
    compression: Compression = Compression.NONE
    memfs_limit: int | None = None
    """Bytes that the program may hold in files below the mount; half of the machine's memory when None."""
    interpreter: InterpreterConfig = field(default_factory=InterpreterConfig)
    pmm: PmmSettings | None = None
    """None: no module comes from outside."""
    application: str = APPLICATION_DIRECTORY
    """Where the application stands below the mount, first on ``sys.path``; empty for the mount itself."""
    directories: tuple[str, ...] = ()
    """Directories that are there even when they hold no file."""
    extra_paths: tuple[str, ...] = ()
    """More ``sys.path`` entries below the mount, from ``.pth`` files."""
    static_modules: tuple[NativeModule, ...] = ()
    """Native modules whose objects are there, to be linked as ``native_link`` says."""
    native_link: NativeLink = NativeLink.AUTO
    locations: Locations = field(default_factory=Locations)
    outside_paths: tuple[str, ...] = ()
    """More ``sys.path`` entries: directories of the machine, absolute or ``$ORIGIN/...``, from the executable's own."""
    objects_compiled: int = field(default=0, compare=False)
    """How many of their objects the compiler had to make for this plan; the others were there."""
    archives: Archives | None = None
    """The archives that are used; the collection has their resources too."""
    warm: WarmStart | None = None
    warnings: tuple[str, ...] = ()
    """What the front-end could not settle, a line each."""
