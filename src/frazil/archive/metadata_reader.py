"""``frazil-archive.json``, read: every issue is found, each with the path of its field. This file does no I/O."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from frazil.archive.metadata import (
    MAJOR,
    CompilerFacts,
    FileFacts,
    Metadata,
    Mode,
    ModuleFacts,
    PythonFacts,
    Recipe,
    module_digest,
)
from frazil.archive.paths import METADATA, PYTHON, module_of, path_problem
from frazil.errors import SourceError
from frazil.native.record import BuildKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_SIZE: Final = 64 << 20
_ISSUES_SHOWN: Final = 20
_MAX_DEPTH: Final = 100
_MAX_FILE: Final = 1 << 50
_VERSION: Final = re.compile(r"(\d{1,9})\.(\d{1,9})")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MODULE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SYMBOL: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LIBRARY: Final = re.compile(r"[\w+.][\w+.-]*", re.ASCII)
_AGAIN: Final = "Get the archive again, or build it again with frazil archive build."


def read_metadata(data: bytes, where: object) -> Metadata:
    """The metadata in ``data``. Raises SourceError that lists all that is wrong; ``where`` is the file."""
    document = _parsed(data, where)
    issues: list[str] = []
    if _depth(document) > _MAX_DEPTH:
        raise SourceError("is no valid JSON: it is nested too deeply", where=where, remedy=_AGAIN)
    if not isinstance(document, dict):
        raise SourceError(f"must hold an object, not {_kind(document)}", where=where, remedy=_AGAIN)
    _require_version(document.get("archive_version"), where)
    found = _metadata(_Fields(document, "", issues))
    if not issues:
        issues += _disagreements(found)
    if issues:
        count = len(issues)
        problem = "a field is not valid" if count == 1 else f"{count} fields are not valid"
        lines = [f"  {issue}" for issue in issues[:_ISSUES_SHOWN]]
        lines += [f"  and {count - _ISSUES_SHOWN} more"] if count > _ISSUES_SHOWN else []
        raise SourceError(problem, where=where, details="\n".join(lines), remedy=_AGAIN)
    return found


def _parsed(data: bytes, where: object) -> Any:
    if len(data) > MAX_SIZE:
        raise SourceError(f"is larger than {MAX_SIZE >> 20} MiB", where=where, remedy=_AGAIN)
    try:
        text = data.decode()
        return json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise SourceError(f"byte {error.start} is not valid UTF-8", where=where, remedy=_AGAIN) from error
    except json.JSONDecodeError as error:
        problem = f"is no valid JSON: {error.msg}"
        raise SourceError(problem, where=f"{where}:{error.lineno}", remedy=_AGAIN) from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise SourceError(f"is no valid JSON: {reason}", where=where, remedy=_AGAIN) from error


def _depth(document: Any) -> int:
    """How deep objects and arrays are nested, found without recursion."""
    depth, level = 0, [document]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is repeated")
        found[key] = value
    return found


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_constant(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _require_version(value: object, where: object) -> None:
    match = _VERSION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        shown = "is missing" if value is None else 'must be a string such as "1.0"'
        raise SourceError(f"archive_version {shown}", where=where, remedy=_AGAIN)
    if int(match[1]) != MAJOR:
        problem = f"this archive has format {value}, and this frazil reads {MAJOR}.x"
        remedy = "Use a newer frazil." if int(match[1]) > MAJOR else "Build it again."
        raise SourceError(problem, where=where, remedy=remedy)


class _Fields:
    """The fields of one JSON object, taken one by one; what is left is ``extra``."""

    def __init__(self, table: Mapping[str, Any], path: str, issues: list[str]) -> None:
        self._left = dict(table)
        self._path = path
        self.issues = issues

    def _issue(self, name: str, text: str) -> None:
        self.issues.append(f"{self._at(name)}: {text}")

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Whether a field is there."""
        return name in self._left

    def text(self, name: str, *, required: bool = False, like: re.Pattern[str] | None = None) -> str:
        """A string; empty when it is absent."""
        value = self._left.pop(name, None)
        if value is None:
            if required:
                self._issue(name, "is missing")
            return ""
        if not isinstance(value, str):
            self._issue(name, f"must be a string, not {_kind(value)}")
            return ""
        self._check_text(name, value, like)
        return value

    def _check_text(self, name: str, value: str, like: re.Pattern[str] | None) -> None:
        if not value.isprintable():
            self._issue(name, "holds characters that cannot be shown")
        elif like is not None and not like.fullmatch(value):
            self._issue(name, f"{value!r} is not valid")

    def texts(self, name: str, *, like: re.Pattern[str] | None = None) -> tuple[str, ...]:
        """An array of strings."""
        value = self._left.pop(name, None)
        if value is None:
            return ()
        if not isinstance(value, list):
            self._issue(name, f"must be an array of strings, not {_kind(value)}")
            return ()
        for index, one in enumerate(value):
            if isinstance(one, str):
                self._check_text(f"{name}[{index}]", one, like)
            else:
                self._issue(f"{name}[{index}]", f"must be a string, not {_kind(one)}")
        return tuple(one for one in value if isinstance(one, str))

    def flag(self, name: str) -> bool:
        """1 or 0."""
        value = self._left.pop(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value not in {0, 1}:
            self._issue(name, f"must be 0 or 1, not {value if isinstance(value, int) else _kind(value)}")
        return bool(value)

    def size(self, name: str) -> int:
        """A number of bytes."""
        value = self._left.pop(name, None)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_FILE:
            self._issue(name, "is missing" if value is None else f"must be a number of bytes, not {_kind(value)}")
            return 0
        return value

    def table(self, name: str, *, required: bool = False) -> _Fields | None:
        """An object inside; None when it is absent."""
        value = self._left.pop(name, None)
        if value is None and not required:
            return None
        if not isinstance(value, dict):
            self._issue(name, "is missing" if value is None else f"must be an object, not {_kind(value)}")
            return _Fields({}, self._at(name), [])
        return _Fields(value, self._at(name), self.issues)

    def each(self) -> Iterator[tuple[str, _Fields]]:
        """The values of an object that is a map of names to objects."""
        for name, value in self._left.items():
            place = f"{self._path}[{json.dumps(name)}]"
            if isinstance(value, dict):
                yield name, _Fields(value, place, self.issues)
            else:
                self.issues.append(f"{place}: must be an object, not {_kind(value)}")

    def extra(self) -> Mapping[str, Any]:
        """What has not been taken."""
        return self._left


def _metadata(top: _Fields) -> Metadata:
    version = top.text("archive_version")
    python, mode = top.table("python", required=True), top.table("mode", required=True)
    modules, files = top.table("modules", required=True), top.table("files", required=True)
    compiler = top.table("compiler")
    assert python is not None and mode is not None and modules is not None and files is not None  # noqa: S101, PT018 - required
    return Metadata(
        app_name=top.text("app_name", required=True),
        frazil_version=top.text("frazil_version", required=True),
        python=PythonFacts(
            implementation=python.text("implementation", required=True),
            version=python.text("version", required=True),
            soabi=python.text("soabi", required=True),
            debug=python.flag("debug"),
            free_threaded=python.flag("free_threaded"),
            extra=python.extra(),
        ),
        mode=Mode(
            platform=mode.text("platform", required=True),
            glibc=mode.text("glibc"),
            build=mode.text("build"),
            optimization=mode.text("optimization"),
            extra=mode.extra(),
        ),
        app_version=top.text("app_version"),
        compiler=None if compiler is None else _compiler(compiler),
        modules={name: _module(one) for name, one in modules.each()},
        files={path: _file(one) for path, one in files.each()},
        paths=top.texts("paths"),
        archive_version=version,
        extra=top.extra(),
    )


def _compiler(table: _Fields) -> CompilerFacts:
    return CompilerFacts(
        name=table.text("name", required=True),
        version=table.text("version", required=True),
        flags=table.texts("flags"),
        extra=table.extra(),
    )


def _file(table: _Fields) -> FileFacts:
    return FileFacts(
        size=table.size("size"),
        sha256=table.text("sha256", required=True, like=_DIGEST),
        executable=table.flag("executable"),
        extra=table.extra(),
    )


def _module(table: _Fields) -> ModuleFacts:
    key, recipe = table.table("key"), table.table("recipe")
    return ModuleFacts(
        native=table.flag("native"),
        precompile=table.flag("precompile"),
        package=table.flag("package"),
        digest=table.text("digest", like=_DIGEST),
        source=table.text("source"),
        bytecode=table.text("bytecode"),
        shared=table.text("shared"),
        init_symbol=table.text("init_symbol", like=_SYMBOL),
        objects=table.texts("objects"),
        libraries=table.texts("libraries", like=_LIBRARY),
        language=table.text("language", like=re.compile(r"c|c\+\+")),
        key=None if key is None else _key(key),
        key_extra={} if key is None else key.extra(),
        native_sources=table.texts("native_sources"),
        recipe=None if recipe is None else _recipe(recipe),
        sdist=table.text("sdist"),
        extra=table.extra(),
    )


def _key(table: _Fields) -> BuildKey:
    return BuildKey(
        soabi=table.text("soabi", required=True),
        python=table.text("python", required=True),
        platform=table.text("platform", required=True),
        compiler=table.text("compiler", required=True),
        flags=table.texts("flags") if table.has("flags") else None,
        optimisation=table.text("optimisation"),
        glibc=table.text("glibc"),
    )


def _recipe(table: _Fields) -> Recipe:
    return Recipe(
        flags=table.texts("flags"),
        define=table.texts("define"),
        include_dirs=table.texts("include_dirs"),
        extra=table.extra(),
    )


def _disagreements(found: Metadata) -> Iterator[str]:
    """What is of the right type and cannot be: paths, and modules that name what is not theirs."""
    seen: dict[str, str] = {}
    for path in found.files:
        place = f"files[{json.dumps(path)}]"
        problem = "is the metadata itself" if path == METADATA else path_problem(path)
        if problem is not None:
            yield f"{place}: {problem}"
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            yield f"{place}: differs from {json.dumps(other)} only in case"
    for path in found.paths:
        if path_problem(f"{PYTHON}{path}") is not None:
            yield f"paths: {path!r} is no directory below {PYTHON}"
    yield from nested(found.files)
    for name, module in found.modules.items():
        for issue in _module_issues(name, module, found.files):
            yield f"modules[{json.dumps(name)}]{issue}"


def nested(paths: Iterable[str]) -> Iterator[str]:
    """A sentence for each path that another one needs to be a directory."""
    known = set(paths)
    for path in sorted(known):
        above = path.rpartition("/")[0]
        while above:
            if above in known:
                yield f"files[{json.dumps(path)}]: {json.dumps(above)} is a file, and cannot be a directory too"
            above = above.rpartition("/")[0]


def _module_issues(name: str, module: ModuleFacts, files: Mapping[str, FileFacts]) -> Iterator[str]:
    if not _MODULE.fullmatch(name):
        yield ": is no name of a module"
        return
    listed = True
    for path in module.files():
        if path not in files:
            listed = False
            yield f": {path!r} is not among the files"
        elif path != module.sdist and module_of(path) != name:
            yield f": {path!r} belongs to another module"
    if module.objects and module.key is None:
        yield ".key: is missing, and needed for objects"
    if module.objects and not module.init_symbol:
        yield ".init_symbol: is missing, and needed for objects"
    if module.digest and listed and module.digest != module_digest(module.files(), files):
        yield ".digest: differs from that of the files"


def _kind(value: object) -> str:
    names: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"), (str, "a string"), (int, "a number"), (float, "a number"), (list, "an array"),
        (dict, "an object"),
    )  # fmt: skip
    return next((text for kind, text in names if isinstance(value, kind)), "null")
