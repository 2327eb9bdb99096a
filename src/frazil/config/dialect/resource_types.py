"""The types of resources: records of ``frazil.resources.kinds``, with the attributes that say how to add them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.config.dialect.building import FileData
from frazil.config.parsing import decoded, read_source
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.host import Attribute, HostObject
from frazil.resources.kinds import (
    STANDARD_LIBRARY,
    BytecodeModule,
    DataFile,
    ExtensionModule,
    Link,
    NativeLibrary,
    SourceModule,
)
from frazil.resources.location import parse_location

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from frazil.config.starlark.values import Value
    from frazil.resources.kinds import Resource

_LEVELS: Final = ("zero", "one", "two")
_MODULES: Final = (SourceModule, BytecodeModule, ExtensionModule)


def _add_location(text: str) -> str | None:
    return None if text == "default" else str(parse_location(text))


def _fallback(text: str | None) -> str | None:
    return None if text is None else _add_location(text)


class PythonResource(HostObject, starlark_type="PythonResource"):
    """A resource that a program may look at, change and add."""

    add_include = Attribute("bool", True)
    add_location = Attribute("str", None, check=_add_location)
    add_location_fallback = Attribute("str | None", None, check=_fallback)
    add_source = Attribute("bool", True)
    add_bytecode_optimization_level_zero = Attribute("bool", True)
    add_bytecode_optimization_level_one = Attribute("bool", False)
    add_bytecode_optimization_level_two = Attribute("bool", False)

    def __init__(self, resource: Resource, root: str) -> None:
        self.resource = resource
        self.root = root
        """The ``sys.path`` entry below the mount that it belongs to."""

    @property
    def of_python(self) -> bool:
        """Whether it comes with Python."""
        return self.resource.owner == STANDARD_LIBRARY

    @property
    def relative(self) -> str:
        """Its path below its ``sys.path`` entry."""
        return self.resource.path.removeprefix(f"{self.root}/") if self.root else self.resource.path

    def label(self) -> str:
        """What messages call it."""
        return f"{self.starlark_type} {self.relative}"

    def __str__(self) -> str:
        """What ``str`` of it is in a program."""
        return f"<{self.label()}>"

    def levels(self) -> tuple[int, ...]:
        """The optimization levels of which bytecode is wanted."""
        return tuple(level for level, name in enumerate(_LEVELS) if getattr(self, f"add_bytecode_optimization_level_{name}"))

    def finished(self, optimize: int) -> Resource:
        """The record as the ``add_*`` attributes want it, in an interpreter of optimization level ``optimize``."""
        resource = self.resource
        if not isinstance(resource, SourceModule):
            return resource
        levels = self.levels()
        if not levels:
            return replace(resource, as_source=True)
        level = None if optimize in levels else levels[-1]
        return replace(resource, optimize=level, with_source=None if self.add_source else False)

    def files(self) -> Mapping[str, FileData]:
        """Itself as files below a directory of ``sys.path``."""
        one = self.resource
        if isinstance(one, Link):
            raise Fault(f"{self.label()} is a symbolic link, which is no file to install")
        executable = one.executable if isinstance(one, DataFile) else isinstance(one, ExtensionModule | NativeLibrary)
        return {self.relative: FileData(one.content, executable)}


class PythonModuleSource(PythonResource, starlark_type="PythonModuleSource"):
    """A module as source."""

    name = Attribute("str", read_only=True)
    source = Attribute("str", read_only=True)
    is_package = Attribute("bool", read_only=True)
    is_stdlib = Attribute("bool", read_only=True)

    def __init__(self, resource: SourceModule | BytecodeModule, root: str) -> None:
        super().__init__(resource, root)
        self.name = resource.name
        self.is_package = resource.package
        self.is_stdlib = self.of_python

    def label(self) -> str:
        """What messages call it."""
        return f"{self.starlark_type} {self.name}"

    def starlark_get(self, name: str) -> Value:
        """A member's value; the source is read when it is asked for."""
        if name == "source" and isinstance(self.resource, SourceModule):
            content = self.resource.content
            if isinstance(content, Path):
                return decoded(read_source(content), content)
            return decoded(content, Path(self.resource.path))
        return super().starlark_get(name)


class PythonModuleBytecode(PythonModuleSource, starlark_type="PythonModuleBytecode"):
    """A module of which there is only a ``.pyc`` file."""


class PythonExtensionModule(PythonResource, starlark_type="PythonExtensionModule"):
    """A module as a shared object."""

    name = Attribute("str", read_only=True)
    is_stdlib = Attribute("bool", read_only=True)

    def __init__(self, resource: ExtensionModule, root: str) -> None:
        super().__init__(resource, root)
        self.name = resource.name
        self.is_stdlib = self.of_python

    def label(self) -> str:
        """What messages call it."""
        return f"{self.starlark_type} {self.name}"


class PythonPackageResource(PythonResource, starlark_type="PythonPackageResource"):
    """A file of a package that is no module."""

    package = Attribute("str", read_only=True)
    name = Attribute("str", read_only=True)
    is_stdlib = Attribute("bool", read_only=True)

    def __init__(self, resource: Resource, root: str, package: str, name: str) -> None:
        super().__init__(resource, root)
        self.package = package
        self.name = name
        self.is_stdlib = self.of_python


class PythonPackageDistributionResource(PythonPackageResource, starlark_type="PythonPackageDistributionResource"):
    """A file of a distribution's metadata. ``package`` is the distribution, ``name`` the file."""


class File(PythonResource, starlark_type="File"):
    """A file as a file."""

    path = Attribute("str", read_only=True)
    is_executable = Attribute("bool", read_only=True)

    def __init__(self, resource: Resource, root: str) -> None:
        super().__init__(resource, root)
        self.path = self.relative
        self.is_executable = isinstance(resource, DataFile) and resource.executable


@dataclass(frozen=True, slots=True)
class Scanner:
    """Makes objects of records, as a policy's ``file_scanner_*`` attributes say."""

    classify: bool = True
    emit_files: bool = False

    def objects(self, resources: Iterable[Resource], root: str) -> Iterator[PythonResource]:
        """The objects of ``resources``, which stand below ``root``, a ``sys.path`` entry below the mount."""
        listed = list(resources)
        packages = _packages(listed)
        for one in listed:
            made = classified(one, root, packages)
            if self.classify or not self.emit_files:
                if not isinstance(made, File) or self.emit_files:
                    yield made
                if not isinstance(made, File) and self.emit_files:
                    yield File(one, root)
            else:
                yield File(one, root)


def _packages(resources: Iterable[Resource]) -> set[str]:
    """The names of all packages among modules, those without ``__init__`` too."""
    found: set[str] = set()
    for one in resources:
        if isinstance(one, _MODULES):
            name = one.name if one.package else one.name.rpartition(".")[0]
            while name and name not in found:
                found.add(name)
                name = name.rpartition(".")[0]
    return found


def classified(one: Resource, root: str, packages: Container[str]) -> PythonResource:
    """The object of one record."""
    if isinstance(one, SourceModule):
        return PythonModuleSource(one, root)
    if isinstance(one, BytecodeModule):
        return PythonModuleBytecode(one, root)
    if isinstance(one, ExtensionModule):
        return PythonExtensionModule(one, root)
    relative = one.path.removeprefix(f"{root}/") if root else one.path
    return _data(one, root, relative, packages)


def _data(one: Resource, root: str, relative: str, packages: Container[str]) -> PythonResource:
    top, _, rest = relative.partition("/")
    if rest and top.endswith((".dist-info", ".egg-info")):
        return PythonPackageDistributionResource(one, root, top.rpartition(".")[0].partition("-")[0], rest)
    parts = relative.split("/")
    for count in range(len(parts) - 1, 0, -1):
        package = ".".join(parts[:count])
        if package in packages:
            return PythonPackageResource(one, root, package, "/".join(parts[count:]))
    if isinstance(one, NativeLibrary):  # numpy.libs/libopenblas.so: extension modules find it by its place
        return PythonPackageResource(one, root, "/".join(parts[:-1]), parts[-1])
    return File(one, root)
