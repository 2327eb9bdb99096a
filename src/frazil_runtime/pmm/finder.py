"""The finder of modules in storages (``docs/spec/pmm.md``, "The search").

A signed storage is asked only for names that its index has, so that the name of a module that is not there costs a look into a
dictionary. The bytes that were checked are the bytes that run: they are read once, and kept until the module is executed.
"""

import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import _LoaderBasics, decode_source
from _imp import _fix_co_filename  # type: ignore[attr-defined]

from frazil_runtime.pmm import program
from frazil_runtime.pmm.asking import ask, is_asking
from frazil_runtime.pmm.errors import EnvelopeError, PmmError
from frazil_runtime.pmm.keys import LIMIT, is_module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from importlib.readers import FileReader
    from types import CodeType, ModuleType

    from frazil_runtime.pmm.envelope import Envelope
    from frazil_runtime.pmm.protocol import Entry, Storage

OWN = "frazil_runtime"


class Loader(_LoaderBasics):
    """Loads one module from a storage."""

    def __init__(self, name: str, origin: str, read: "Callable[[], Envelope]", *, package: bool) -> None:
        self.name = name
        self.path = origin
        self.places: Sequence[str] = ()
        self._read = read
        self._package = package

    def get_code(self, fullname: str) -> "CodeType":
        """The module's code. Raises PmmError for bytes that do not hold."""
        held = self._read()
        try:
            code = held.module_code()
        except EnvelopeError as error:
            raise _refused(fullname, self.path, error) from None
        _fix_co_filename(code, self.path)
        sys.audit("frazil.pmm.load", fullname, self.path)
        return code

    def get_source(self, _fullname: str) -> "str | None":
        """The module's source, if the PMM has it."""
        source = self._read().source
        return None if source is None else str(decode_source(source))

    def get_filename(self, _fullname: str) -> str:
        """What stands in ``__file__``."""
        return self.path

    def is_package(self, _fullname: str) -> bool:
        """Whether the module is a package."""
        return self._package

    def get_resource_reader(self, _fullname: str) -> "FileReader | None":
        """What ``importlib.resources`` reads: the files that the image has for a package of that name."""
        if not self.places:
            return None
        from importlib.readers import FileReader

        return FileReader(_Place(f"{self.places[0]}/__init__.py"))  # type: ignore[arg-type]  # it looks at the path alone


class _Place:
    """Where a package stands in the image, as a loader says it."""

    def __init__(self, path: str) -> None:
        self.path = path


class Unsigned:
    """A storage that belongs to the program: what it has is believed once its digest holds."""

    def __init__(self, storage: "Storage") -> None:
        self._storage = storage

    def find(self, name: str) -> "Loader | None":
        """The module's loader; None: not here. Raises PmmError."""
        data = ask(self._storage, name, LIMIT)
        if data is None:
            return None
        from frazil_runtime.pmm import envelope  # only where there is a module

        origin = origin_of(self._storage, name)
        try:
            held = envelope.read(data)
        except EnvelopeError as error:
            raise _refused(name, origin, error) from None
        return Loader(name, origin, lambda: held, package=held.package)


class Signed:
    """A storage with an index, which is the set of the names that it has."""

    def __init__(self, storage: "Storage", index: "Mapping[str, Entry]") -> None:
        self._storage = storage
        self._index = index

    def find(self, name: str) -> "Loader | None":
        """See ``Unsigned``; the storage itself is asked when the module is loaded."""
        entry = self._index.get(name)
        if entry is None:
            return None
        held: list[Envelope] = []

        def read() -> "Envelope":
            if not held:
                held.append(self._read(name, entry))
            return held[0]

        return Loader(name, origin_of(self._storage, name), read, package=entry.package)

    def _read(self, name: str, entry: "Entry") -> "Envelope":
        from frazil_runtime.pmm import envelope  # likewise
        from frazil_runtime.pmm.digest import sha256  # likewise

        origin = origin_of(self._storage, name)
        data = ask(self._storage, entry.key, entry.size)
        if data is None:
            raise _refused(name, origin, "the index names it, and it is not there")
        if len(data) != entry.size:
            raise _refused(name, origin, f"it has {len(data)} bytes, and the index says {entry.size}")
        if sha256(data).hexdigest() != entry.digest:
            raise _refused(name, origin, "it is not the one that the index names: its digest is another")
        try:
            found = envelope.read(data)
        except EnvelopeError as error:
            raise _refused(name, origin, error) from None
        if found.package != entry.package:
            raise _refused(name, origin, "the index and it disagree on whether it is a package")
        return found


class Functions:
    """All functions that are registered, at their place in the order of storages."""

    @staticmethod
    def find(name: str) -> "Loader | None":
        """See ``Unsigned``."""
        for storage in program.storages():
            found = Unsigned(storage).find(name)
            if found is not None:
                return found
        return None


class Finder:
    """The meta path finder over storages in their order.

    ``places`` are the directories that the image has for a package of that name.
    """

    def __init__(
        self,
        sources: "Sequence[Unsigned | Signed | Functions]",
        places: "Callable[[str], Sequence[str]]",
        *,
        allow: "Sequence[str]" = (),
        deny: "Sequence[str]" = (),
    ) -> None:
        self._sources = sources
        self._places = places
        self._allow = allow
        self._deny = deny

    def find_spec(
        self, fullname: str, _path: "Sequence[str] | None" = None, _target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The module's spec if a storage has it. Raises PmmError when one is broken."""
        if is_asking() or not self._looked_for(fullname):
            return None
        for source in self._sources:
            loader = source.find(fullname)
            if loader is not None:
                return self._spec(fullname, loader)
        return None

    def _spec(self, fullname: str, loader: Loader) -> ModuleSpec:
        package = loader.is_package(fullname)
        spec = ModuleSpec(fullname, loader, origin=loader.path, is_package=package)  # type: ignore[arg-type]  # typeshed
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            loader.places = self._places(fullname)
            spec.submodule_search_locations += [*loader.places, loader.path.removesuffix(SUFFIX)]
        return spec

    def _looked_for(self, name: str) -> bool:
        if name == OWN or name.startswith(f"{OWN}.") or not is_module_name(name):
            return False
        return (not self._allow or any(_covers(self._allow, name))) and not any(_covers(self._deny, name))


SUFFIX = ".pmm"


def origin_of(storage: "Storage", name: str) -> str:
    """What ``__file__`` of a module is: it names the storage, and cannot be opened."""
    return f"{storage.name}/{name}{SUFFIX}"


def _covers(patterns: "Sequence[str]", name: str) -> "Iterator[bool]":
    """Whether each pattern, a name or ``pkg.*``, covers the name."""
    for pattern in patterns:
        yield name == pattern or (pattern.endswith(".*") and name.startswith(pattern[:-1]))


def _refused(name: str, origin: str, reason: object) -> PmmError:
    kind = type(reason) if isinstance(reason, PmmError) else PmmError
    return kind(f"module {name} cannot be taken from {origin}: {reason}", name=name, path=origin)
