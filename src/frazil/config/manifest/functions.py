"""The functions that manifests call: a table over the evaluation, each function a few lines.

Each takes the call first, then what the manifest gives. ManifestErrors get their place from who calls these. The meaning of
each is in ``docs/manifest.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from frazil.config.manifest.errors import ManifestError
from frazil.config.manifest.search import described, inside, require_directory, require_file, walk
from frazil.frozen import Dialect, Kind, Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from frazil.config.manifest.evaluator import Call

    Function = Callable[..., object]

_LEVELS: Final = range(4)
"""What mpy-cross knows as ``-O``."""
_MAKEFILES: Final = ("micropython.mk", "micropython.cmake")
_STRING: Final[Mapping[str, Kind]] = {".py": Kind.STRING}
_SOURCE: Final[Mapping[str, Kind]] = {".py": Kind.SOURCE}
_COMPILED: Final[Mapping[Platform, Mapping[str, Kind]]] = {
    Platform.MICROPYTHON: {".mpy": Kind.MPY},
    Platform.CPYTHON: {".pyc": Kind.PYC},
}
_FOREIGN: Final[Mapping[Platform, Mapping[str, str]]] = {
    Platform.MICROPYTHON: {".pyc": "this is bytecode of CPython, which MicroPython cannot run"},
    Platform.CPYTHON: {".mpy": "this is bytecode of MicroPython, which CPython cannot run"},
}


def freeze(call: Call, path: str, script: Any = None, opt: int | None = None) -> None:
    """Source as bytecode, bytecode as it is."""
    kinds = {**_SOURCE, **_COMPILED[call.run.platform]}
    _freeze(call, path, script, opt, kinds, strict=False)


def freeze_as_str(call: Call, path: str) -> None:
    """All source in a directory as strings."""
    _freeze(call, path, None, None, _STRING, strict=False)


def freeze_as_mpy(call: Call, path: str, script: Any = None, opt: int | None = None) -> None:
    """Source as bytecode."""
    _freeze(call, path, script, opt, _SOURCE, strict=True)


def freeze_mpy(call: Call, path: str, script: Any = None, opt: int | None = None) -> None:
    """Bytecode as it is; there is nothing to optimise."""
    _level(call, opt)
    _freeze(call, path, script, None, _COMPILED[call.run.platform], strict=True, compiles=False)


def _freeze(
    call: Call,
    path: str,
    script: Any,
    opt: int | None,
    kinds: Mapping[str, Kind],
    *,
    strict: bool,
    compiles: bool = True,
) -> None:
    """``strict``: in dialect 1.18 other files in a directory are errors."""
    base = call.path(path, "path")
    require_directory(base)
    level = _level(call, opt) if compiles else None
    strict = strict and call.run.dialect is Dialect.OLD
    for name in _scripts(script):
        relative = inside(name, "script")
        place = base / relative
        if relative and not place.is_dir():
            require_file(place)
            _named(call, relative, place, level, kinds)
        else:
            _walked(call, place, f"{relative}/" if relative else "", level, kinds, strict=strict)


def _scripts(script: object) -> Iterator[str]:
    """The names that ``script`` stands for: None is the directory itself."""
    if script is None:
        yield ""
    elif isinstance(script, str):
        yield script
    elif isinstance(script, bytes) or not isinstance(script, Iterable):
        raise ManifestError(f"script must be a string or an iterable of strings, not {described(script)}")
    else:
        for one in script:
            if one is None:
                raise ManifestError("script must be an iterable of strings, and None is in it")
            yield from _scripts(one)


def _level(call: Call, opt: object) -> int | None:
    if opt is None:
        return 0 if call.run.dialect is Dialect.OLD else None
    if isinstance(opt, bool) or not isinstance(opt, int) or opt not in _LEVELS:
        raise ManifestError(f"opt must be 0, 1, 2 or 3, not {opt!r}")
    return opt


def _suffix(name: str) -> str:
    return name[name.rindex(".") :] if "." in name else ""


def _named(call: Call, target: str, place: Path, opt: int | None, kinds: Mapping[str, Kind]) -> None:
    """A file that the manifest names: it must be of a kind that the function takes."""
    suffix = _suffix(place.name)
    kind = kinds.get(suffix)
    if kind is None:
        foreign = _FOREIGN[call.run.platform].get(suffix)
        if foreign is not None:
            raise ManifestError(f"{place}: {foreign}", remedy="Freeze its source instead.")
        if call.run.dialect is Dialect.OLD and len(kinds) > 1:
            call.warn(f"{place} is left out: neither {' nor '.join(kinds)}")
            return
        raise ManifestError(f"{place}: expected a file that ends in {' or '.join(kinds)}")
    _add(call, kind, target, place, opt)


def _walked(call: Call, directory: Path, prefix: str, opt: int | None, kinds: Mapping[str, Kind], *, strict: bool) -> None:
    """All files of a directory that are of a kind that the function takes."""
    found = walk(directory)
    call.run.result.directories.update(dict.fromkeys(found.directories))
    for warning in found.warnings:
        call.warn(warning)
    sources = {relative for relative, _ in found.files}
    for relative, place in found.files:
        suffix = _suffix(place.name)
        if suffix == ".pyc" and relative[:-1] in sources:
            continue  # an importer would take the source
        if suffix in kinds:
            _add(call, kinds[suffix], prefix + relative, place, opt)
        elif suffix == ".mpy" and call.run.platform is Platform.CPYTHON and len(kinds) > 1:
            _named(call, prefix + relative, place, opt, kinds)
        elif strict:
            raise ManifestError(f"{place}: expected a file that ends in {' or '.join(kinds)}")


def _add(call: Call, kind: Kind, target: str, place: Path, opt: int | None) -> None:
    stem = target[: target.rindex(".")]
    if not all(map(str.isidentifier, stem.split("/"))):
        call.warn(f"{target} cannot be imported under this name")
    call.add(kind, target, place, opt if kind is Kind.SOURCE else None)


def module(call: Call, module_path: str, base_path: str = ".", opt: int | None = None) -> None:
    """One file as a module."""
    base = call.path(base_path, "base_path")
    require_directory(base)
    relative = inside(module_path, "module_path")
    if not relative.endswith(".py"):
        raise ManifestError(f"{module_path!r}: a module must be a .py file", remedy="package() takes directories.")
    require_file(base / relative)
    _add(call, Kind.SOURCE, relative, base / relative, _level(call, opt))


def package(call: Call, package_path: str, files: Any = None, base_path: str = ".", opt: int | None = None) -> None:
    """A directory as a package, or some of its files."""
    relative = inside(package_path, "package_path")
    directory = call.path(base_path, "base_path") / relative
    require_directory(directory)
    level = _level(call, opt)
    prefix = f"{relative}/" if relative else ""
    if files is None:
        _walked(call, directory, prefix, level, _SOURCE, strict=False)
        return
    if isinstance(files, str | bytes) or not isinstance(files, Iterable):
        problem = f"files must be an iterable of strings, not {described(files)}"
        raise ManifestError(problem, remedy=f"Write files=({files!r},)." if isinstance(files, str) else "")
    for name in files:
        inner = inside(name, "files")
        require_file(directory / inner)
        _named_in_package(call, prefix + inner, directory / inner, level)


def _named_in_package(call: Call, target: str, place: Path, opt: int | None) -> None:
    if not place.name.endswith(".py"):
        raise ManifestError(f"{place}: expected a file that ends in .py")
    _add(call, Kind.SOURCE, target, place, opt)


def include(call: Call, manifest: Any = None, **kwargs: Any) -> None:
    """Run other manifests; the rest is their ``options``. The first argument has been ``manifest_path`` since 1.20."""
    if manifest is None and "manifest_path" in kwargs:
        manifest = kwargs.pop("manifest_path")
    if isinstance(manifest, str):
        call.include("include", manifest, call.path(manifest, "manifest"), kwargs)
    elif isinstance(manifest, bytes) or not isinstance(manifest, Iterable):
        raise ManifestError(f"manifest must be a string or an iterable of strings, not {described(manifest)}")
    else:
        for one in manifest:
            call.include("include", str(one), call.path(one, "manifest"), kwargs)


def require(
    call: Call, name: str, version: str | None = None, pypi: str | None = None, library: str | None = None, **kwargs: Any
) -> None:
    """Run the manifest of a package in a library; ``version`` and ``pypi`` are for other tools."""
    del version, pypi
    if not isinstance(name, str) or not name or "/" in name:
        raise ManifestError(f"name must be that of a package, not {name!r}")
    if library is not None and not isinstance(library, str):
        raise ManifestError(f"library must be a string, not {described(library)}")
    call.include("require", name, call.run.libraries.find(name, library), kwargs)


def add_library(call: Call, library: str, library_path: str, prepend: bool = False) -> None:  # noqa: FBT001, FBT002 - upstream's signature
    """Make a directory of packages known to ``require``."""
    if not isinstance(library, str) or not library:
        raise ManifestError(f"library must be a name, not {library!r}")
    place = call.path(library_path, "library_path")
    require_directory(place)
    call.run.libraries.add(library, place, first=bool(prepend))


def metadata(
    call: Call,
    *,
    description: str | None = None,
    version: str | None = None,
    license: str | None = None,  # noqa: A002 - upstream's signature
    author: str | None = None,
    stdlib: bool | None = None,
    pypi: str | None = None,
    pypi_publish: str | None = None,
) -> object:
    """Say what a package is, once; without arguments, ask what was said."""
    names = ("description", "version", "license", "author", "stdlib", "pypi", "pypi_publish")
    values = (description, version, license, author, stdlib, pypi, pypi_publish)
    given = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    held = call.manifest.metadata
    if given and held.given:
        raise ManifestError("metadata() is called a second time in this manifest", remedy="Join the two calls.")
    held.update(given)
    return held


def c_module(call: Call, module_path: str) -> None:
    """Record a directory with a module in C; the firmware's build makes it."""
    directory = call.path(module_path, "module_path")
    require_directory(directory)
    if not any((directory / name).is_file() for name in _MAKEFILES):
        raise ManifestError(f"{directory} holds neither {' nor '.join(_MAKEFILES)}")
    call.add(Kind.C_MODULE, directory.name, directory, None)


OLD_FUNCTIONS: Final[Mapping[str, Function]] = {
    "freeze": freeze,
    "freeze_as_str": freeze_as_str,
    "freeze_as_mpy": freeze_as_mpy,
    "freeze_mpy": freeze_mpy,
    "include": include,
}
"""What MicroPython 1.18 has."""

FUNCTIONS: Final[Mapping[str, Function]] = {
    **OLD_FUNCTIONS,
    "metadata": metadata,
    "module": module,
    "package": package,
    "require": require,
    "add_library": add_library,
    "c_module": c_module,
}

MODULE_FUNCTIONS: Final = frozenset({"freeze", "freeze_as_str", "freeze_as_mpy", "freeze_mpy", "module", "package"})
"""Those that ask for files."""
