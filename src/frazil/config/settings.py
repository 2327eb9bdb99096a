"""The table ``[tool.frazil]``: what a project says about its own executables. All that is wrong with it is told at once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from frazil.config import pmm
from frazil.config.data_files import split
from frazil.config.native import native_issues, native_sources
from frazil.config.sizes import parse_size
from frazil.config.warm import parse_warm
from frazil.errors import FrazilError, UsageError
from frazil.plan import Compression, LinkMode, NativeLink, StandardLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from frazil.config.options import SourceOptions

_OPTIMIZE: Final = (0, 1, 2)


@dataclass(slots=True)
class _Check:
    """Issues found so far, each with the path of what it is about."""

    issues: list[str]

    def text(self, path: str, value: Any) -> None:
        if not isinstance(value, str):
            self.issues.append(f"{path}: must be a string, not {_kind(value)}")
        elif not value.strip():
            self.issues.append(f"{path}: is empty")

    def flag(self, path: str, value: Any) -> None:
        if not isinstance(value, bool):
            self.issues.append(f"{path}: must be true or false, not {_kind(value)}")

    def texts(self, path: str, value: Any, each: Callable[[str, str], None] | None = None) -> None:
        if not isinstance(value, list):
            self.issues.append(f"{path}: must be an array of strings, not {_kind(value)}")
            return
        for index, one in enumerate(value):
            before = len(self.issues)
            self.text(f"{path}[{index}]", one)
            if each is not None and len(self.issues) == before:
                each(f"{path}[{index}]", one)

    def data(self, path: str, value: str) -> None:
        try:
            split(value)
        except FrazilError as error:
            self.issues.append(f"{path}: {error.problem}")

    def size(self, path: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.issues.append(f'{path}: must be a string such as "512M" or a number of bytes, not {_kind(value)}')
            return
        try:
            parse_size(str(value), path)
        except FrazilError as error:
            self.issues.append(f"{path}: {error.problem}")

    def warm(self, path: str, value: Any) -> None:
        try:
            parse_warm(value, path)
        except FrazilError as error:
            self.issues.append(f"{path}: {error.problem}")

    def choice(self, path: str, value: Any, choices: tuple[object, ...]) -> None:
        if isinstance(value, bool) or value not in choices:
            listed = ", ".join(repr(one) if isinstance(one, int) else f'"{one}"' for one in choices)
            shown = repr(value) if isinstance(value, str | int) and not isinstance(value, bool) else _kind(value)
            self.issues.append(f"{path}: must be one of {listed}, not {shown}")


_KEYS: Final[dict[str, Callable[[_Check, str, Any], None]]] = {
    "name": lambda check, path, value: check.text(path, value),
    "include": lambda check, path, value: check.texts(path, value),
    "exclude": lambda check, path, value: check.texts(path, value),
    "include-data": lambda check, path, value: check.texts(path, value, check.data),
    "optimize": lambda check, path, value: check.choice(path, value, _OPTIMIZE),
    "link": lambda check, path, value: check.choice(path, value, tuple(one.value for one in LinkMode)),
    "stdlib": lambda check, path, value: check.choice(path, value, tuple(one.value for one in StandardLibrary)),
    "archives": lambda check, path, value: check.texts(path, value),
    "compress": lambda check, path, value: check.choice(path, value, tuple(one.value for one in Compression)),
    "memfs-limit": lambda check, path, value: check.size(path, value),
    "source": lambda check, path, value: check.flag(path, value),
    "warm": lambda check, path, value: check.warm(path, value),
    "multicall": lambda check, path, value: check.flag(path, value),
    "pmm": lambda check, path, value: check.issues.extend(pmm.issues(path, value)),
    "from-source": lambda check, path, value: check.texts(path, value),
    "native": lambda check, path, value: check.issues.extend(native_issues(path, value)),
    "native-link": lambda check, path, value: check.choice(path, value, tuple(one.value for one in NativeLink)),
}


def merged(options: SourceOptions, document: Mapping[str, Any], file: Path) -> SourceOptions:
    """The options with those of the document's ``[tool.frazil]`` table. Raises UsageError that lists every issue."""
    tool = document.get("tool", {})
    table = tool.get("frazil", {}) if isinstance(tool, dict) else {}
    check = _Check([])
    if not isinstance(table, dict):
        check.issues.append(f"tool.frazil: must be a table, not {_kind(table)}")
        table = {}
    for key, value in table.items():
        if key in _KEYS:
            _KEYS[key](check, f"tool.frazil.{key}", value)
        else:
            check.issues.append(f"tool.frazil.{key}: is not known{_meant(key)}")
    if check.issues:
        count = len(check.issues)
        problem = "a setting is not valid" if count == 1 else f"{count} settings are not valid"
        remedy = "The table [tool.frazil] takes " + ", ".join(sorted(_KEYS)) + "."
        raise UsageError(problem, where=file, details="\n".join(f"  {issue}" for issue in check.issues), remedy=remedy)
    return _apply(options, table, file.parent)


def _apply(options: SourceOptions, table: Mapping[str, Any], base: Path) -> SourceOptions:
    defaults = type(options)(source="")
    interpreter = options.interpreter
    if interpreter.optimize == 0:
        interpreter = replace(interpreter, optimize=table.get("optimize", 0))
    data = []
    for text in table.get("include-data", []):
        source, target = split(text)
        data.append(f"{base / source}={target}")
    limit = options.memfs_limit
    if limit is None and "memfs-limit" in table:
        limit = parse_size(str(table["memfs-limit"]), "memfs-limit")
    compression = options.compression
    if compression is defaults.compression:
        compression = Compression(table.get("compress", defaults.compression.value))
    return replace(
        options,
        name=options.name or table.get("name"),
        include=(*table.get("include", ()), *options.include),
        exclude=(*table.get("exclude", ()), *options.exclude),
        include_data=(*data, *options.include_data),
        multicall=options.multicall or table.get("multicall", False),
        link=options.link if options.link is not defaults.link else LinkMode(table.get("link", defaults.link.value)),
        stdlib=options.stdlib if options.stdlib is not defaults.stdlib else StandardLibrary(table.get("stdlib", "used")),
        with_source=options.with_source and table.get("source", True),
        compression=compression,
        memfs_limit=limit,
        warm=options.warm or parse_warm(table.get("warm"), "tool.frazil.warm"),
        interpreter=interpreter,
        pmm=pmm.from_table(table.get("pmm", {}), base, "tool.frazil.pmm", options.pmm),
        from_source=(*table.get("from-source", ()), *options.from_source),
        native=(*native_sources(table.get("native", []), base), *options.native),
        native_link=_native_link(options, table),
        archives=(*options.archives, *(base / path for path in table.get("archives", ()))),
    )


def _native_link(options: SourceOptions, table: Mapping[str, Any]) -> NativeLink:
    if options.native_link is not NativeLink.AUTO:
        return options.native_link
    return NativeLink(table.get("native-link", NativeLink.AUTO.value))


def _kind(value: object) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "a table"}
    return names.get(type(value), type(value).__name__)


def _meant(key: str) -> str:
    close = difflib.get_close_matches(key.replace("_", "-"), _KEYS, n=1)
    return f"; is {close[0]!r} meant?" if close else ""
