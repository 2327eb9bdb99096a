"""``PythonPackagingPolicy``: what goes in, in which form, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from frazil.config.dialect.notes import renamed
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.host import Attribute, HostObject, method
from frazil.config.starlark.text import quoted
from frazil.resources.location import IN_MEMORY, Location, parse_location, parse_policy

if TYPE_CHECKING:
    from frazil.config.dialect.resource_types import PythonResource
    from frazil.config.dialect.session import Session
    from frazil.config.starlark.values import Value

    Function = Any

_FILTERS: Final = ("minimal", "all", "no-libraries", "no-copyleft", "no-gpl")
_MODES: Final = ("classify", "files")
COPYLEFT: Final = ("readline", "_gdbm")
"""Extension modules of the standard library that bring libraries under a copyleft licence."""
WITH_LIBRARIES: Final = (
    *("_bz2", "_crypt", "_ctypes", "_curses", "_curses_panel", "_dbm", "_gdbm", "_hashlib", "_lzma", "_sqlite3", "_ssl"),
    *("_tkinter", "_uuid", "nis", "readline", "zlib"),
)
"""Extension modules of the standard library that need libraries beyond the C library."""


def checked_location(text: str | None) -> str | None:
    """A location as programs write it; ``default`` and None mean that there is none. Raises UsageError."""
    if text is None or text == "default":
        return None
    return str(parse_location(text))


def _location(text: str | None) -> str:
    checked = checked_location(text)
    if checked is None:
        raise Fault("resources_location must say where resources stand", 'Write "in-memory" or "filesystem-relative:PREFIX".')
    return checked


class PythonPackagingPolicy(HostObject, starlark_type="PythonPackagingPolicy"):
    """The rules by which resources come into an executable."""

    allow_files = Attribute("bool", False)
    allow_in_memory_shared_library_loading = Attribute("bool", False)
    bytecode_optimize_level_zero = Attribute("bool", True)
    bytecode_optimize_level_one = Attribute("bool", False)
    bytecode_optimize_level_two = Attribute("bool", False)
    extension_module_filter = Attribute("str", "all", choices=_FILTERS)
    file_scanner_classify_files = Attribute("bool", True)
    file_scanner_emit_files = Attribute("bool", False)
    include_classified_resources = Attribute("bool", True)
    include_file_resources = Attribute("bool", False)
    include_distribution_sources = Attribute("bool", True)
    include_distribution_resources = Attribute("bool", True)
    include_non_distribution_sources = Attribute("bool", True)
    include_test = Attribute("bool", False)
    resources_location = Attribute("str | None", "in-memory", check=_location)
    resources_location_fallback = Attribute("str | None", None, check=checked_location)
    resources_policy = Attribute("str", "in-memory-only", check=lambda text: parse_policy(text) and text)
    preferred_extension_module_variants = Attribute("dict[str, str]", {}, read_only=True)

    def __init__(self, session: Session) -> None:
        self._session = session
        self.callbacks: list[Value] = []

    def starlark_set(self, name: str, value: Value) -> None:
        """Assign an attribute; the old policy strings become the two locations."""
        super().starlark_set(name, value)
        if name == "resources_policy":
            self.set_policy(self.resources_policy)

    def set_policy(self, text: str) -> None:
        """What a resources policy of PyOxidizer before 0.8 says. Raises UsageError."""
        location, fallback = parse_policy(text)
        renamed(self._session, "resources_policy", "resources_location and resources_location_fallback", "0.7")
        vars(self)["resources_policy"] = text
        self.resources_location = str(location)
        self.resources_location_fallback = None if fallback is None else str(fallback)

    @method
    def register_resource_callback(self, func: Function) -> None:
        """Have ``func(policy, resource)`` look at each resource before it is added."""
        self.callbacks.append(func)

    @method
    def set_resource_handling_mode(self, mode: str) -> None:
        """``classify``: files as modules and resources; ``files``: files as files."""
        if mode not in _MODES:
            raise Fault(f"{quoted(mode)} is no resource handling mode", 'There are "classify" and "files".')
        files = mode == "files"
        self.file_scanner_emit_files = self.include_file_resources = self.allow_files = files
        self.file_scanner_classify_files = self.include_classified_resources = not files

    @method
    def set_preferred_extension_module_variant(self, name: str, value: str) -> None:
        """Accepted and ignored: there is one build of each extension module."""
        vars(self)["preferred_extension_module_variants"] = {**self.preferred_extension_module_variants, name: value}

    def copy(self) -> PythonPackagingPolicy:
        """A policy that later assignments to this one leave alone."""
        twin = PythonPackagingPolicy(self._session)
        vars(twin).update(vars(self))
        twin.callbacks = list(self.callbacks)
        return twin

    def location(self) -> Location:
        """Where resources stand unless they say otherwise."""
        return parse_location(self.resources_location)

    def apply(self, resource: PythonResource) -> None:
        """Give a new resource its ``add_*`` attributes, and let the program's callbacks change them."""
        resource.add_include = self._includes(resource)
        resource.add_location = self.resources_location
        resource.add_location_fallback = self.resources_location_fallback
        resource.add_source = self.include_distribution_sources if resource.of_python else self.include_non_distribution_sources
        for level in ("zero", "one", "two"):
            wanted = getattr(self, f"bytecode_optimize_level_{level}")
            setattr(resource, f"add_bytecode_optimization_level_{level}", wanted)
        for callback in self.callbacks:
            self._session.call(callback, [self, resource])

    def _includes(self, resource: PythonResource) -> bool:
        if resource.starlark_type == "File":
            return bool(self.include_file_resources and self.allow_files)
        if resource.starlark_type == "PythonPackageResource" and resource.of_python:
            return bool(self.include_distribution_resources)
        return bool(self.include_classified_resources)

    def wanted(self, resource: PythonResource, *, adding: bool = False) -> Location | None:
        """Where ``resource`` is to stand; None leaves it out. Raises Fault when the policy has no place for it."""
        if not resource.add_include and not adding:
            return None
        if resource.starlark_type == "File" and not self.allow_files:
            problem = f"{resource.label()} cannot be added: the policy allows no resources of type File"
            raise Fault(problem, 'Set allow_files = True, or set_resource_handling_mode("files"), on the policy.')
        text = resource.add_location or self.resources_location
        return IN_MEMORY if text is None else parse_location(text)
