"""Compile sources to PMMs, with the interpreter that will run them (``docs/spec/pmm.md``, "The envelope")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from frazil.builder.bytecode import Compiler, read_content
from frazil.errors import SourceError, UsageError
from frazil.resources.kinds import APPLICATION, SourceModule
from frazil_runtime.pmm.envelope import seal
from frazil_runtime.pmm.errors import EnvelopeError
from frazil_runtime.pmm.keys import is_module_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution

SUFFIX: Final = ".pmm"
_CODE_PATH: Final = "<pmm>"
"""Below the mount: ``co_filename`` of all PMMs, whatever they are called and wherever they come from."""
_PYC_HEADER: Final = 16
_PACKAGE: Final = "__init__.py"


@dataclass(frozen=True, slots=True)
class Module:
    """A module to compile. ``where`` is what messages call it; content as ``SourceModule`` has it."""

    name: str
    content: Path | bytes
    package: bool
    where: str


def modules_of(source: Path) -> tuple[Module, ...]:
    """The modules of a source file, or of a package's directory and all directories below it."""
    if source.is_dir():
        if not (source / _PACKAGE).is_file():
            remedy = "Name a source file, or the directory of a package."
            raise UsageError(f"this directory is no package: it has no {_PACKAGE}", where=source, remedy=remedy)
        return tuple(_below(source, source.resolve().name))
    if source.name == _PACKAGE:
        return (_module(source.resolve().parent.name, source, package=True),)
    return (_module(source.name.removesuffix(".py"), source, package=False),)


def _below(directory: Path, name: str) -> Iterator[Module]:
    yield _module(name, directory / _PACKAGE, package=True)
    for path in sorted(directory.iterdir()):
        if path.is_dir() and (path / _PACKAGE).is_file():
            yield from _below(path, f"{name}.{path.name}")
        elif path.suffix == ".py" and path.name != _PACKAGE:
            yield _module(f"{name}.{path.stem}", path, package=False)


def _module(name: str, path: Path, *, package: bool) -> Module:
    if not is_module_name(name):
        remedy = "Rename the file, or say with --name what import statements call it."
        raise UsageError(f"{name!r} is no name of a module", where=path, remedy=remedy)
    return Module(name, path, package, str(path))


def compile_modules(
    modules: Sequence[Module],
    distribution: PythonDistribution,
    cache: ContentCache,
    *,
    optimize: int = 0,
    with_source: bool = False,
) -> Mapping[str, bytes]:
    """The PMM of each module by its name. Raises SourceError for a file that cannot be read or is no valid Python."""
    sealed = {}
    with Compiler(distribution, optimize, cache) as compiler:
        for module in modules:
            content = replace(module, content=read_content(module.content)).content
            one = SourceModule("pmm", module.package, content, _CODE_PATH, "", APPLICATION)
            done = compiler.compile([one])[_CODE_PATH]
            if done.error is not None:
                where = f"{module.where}:{done.error.line}" if done.error.line else module.where
                raise SourceError(f"syntax error: {done.error.message}", where=where, details=done.error.marked())
            source = done.source if with_source else b""
            try:
                sealed[module.name] = seal(
                    done.pyc[_PYC_HEADER:], package=module.package, source=source, python=distribution.magic
                )
            except EnvelopeError as error:
                raise SourceError(f"this module is too large: {error}", where=module.where) from error
    return sealed
