"""What front-ends can say about a plan beside its sources: one table of settings, each with its type and its meaning.

Attributes of the dialect's executables are made of it. ``[tool.frazil]`` and the command line spell the same settings in their
own ways; a test holds that each of those is here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil.config import pmm
from frazil.config.data_files import split
from frazil.config.sizes import parse_size
from frazil.config.warm import parse_warm
from frazil.plan import Compression, LinkMode, NativeLink, PmmMode, StandardLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import Enum

    from frazil.config.options import SourceOptions

    Apply = Callable[[SourceOptions, Any], SourceOptions]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``kind`` is written as in ``starlark.signature``; the default leaves the options as they are."""

    name: str
    kind: str
    default: Any
    apply: Apply
    choices: tuple[str, ...] = ()
    key: str = ""
    """Its name in ``[tool.frazil]``, where that is another one; ``-`` where there is none."""


def _choice(name: str, field: str, kind: type[Enum], default: Enum, key: str = "") -> Setting:
    def apply(options: SourceOptions, value: Any) -> SourceOptions:
        changes: dict[str, Any] = {field: kind(value)}
        return replace(options, **changes)

    return Setting(name, "str", default.value, apply, tuple(one.value for one in kind), key)


def _names(name: str, field: str, key: str = "") -> Setting:
    def apply(options: SourceOptions, value: Any) -> SourceOptions:
        changes: dict[str, Any] = {field: (*getattr(options, field), *value)}
        return replace(options, **changes)

    return Setting(name, "list[str]", [], apply, (), key)


def _memfs_limit(options: SourceOptions, value: Any) -> SourceOptions:
    return replace(options, memfs_limit=None if value is None else parse_size(str(value), "memfs_limit"))


def _self_exec(options: SourceOptions, value: Any) -> SourceOptions:
    return replace(options, interpreter=replace(options.interpreter, self_exec_application=value == "application"))


def _include_data(options: SourceOptions, value: Any) -> SourceOptions:
    pairs = (split(one) for one in value)
    data = tuple(f"{options.directory / source}={target}" for source, target in pairs)
    return replace(options, include_data=(*options.include_data, *data))


def _archives(options: SourceOptions, value: Any) -> SourceOptions:
    return replace(options, archives=(*options.archives, *map(Path, value)))


def _warm_start(options: SourceOptions, value: Any) -> SourceOptions:
    return replace(options, warm=parse_warm(value, "warm_start"))


SETTINGS: Final = (
    _choice("link", "link", LinkMode, LinkMode.AUTO),
    _choice("standard_library", "stdlib", StandardLibrary, StandardLibrary.USED, "stdlib"),
    _choice("compress", "compression", Compression, Compression.NONE),
    _choice("native_link", "native_link", NativeLink, NativeLink.AUTO),
    Setting("memfs_limit", "str | int | None", None, _memfs_limit),
    Setting("self_exec", "str", "python", _self_exec, ("python", "application"), "-"),
    Setting("warm_start", "bool | str | list[str]", False, _warm_start, key="warm"),
    _names("include", "include"),
    _names("exclude", "exclude"),
    Setting("include_data", "list[str]", [], _include_data),
    Setting("archives", "list[str]", [], _archives),
)
PMM: Final[Mapping[str, tuple[str, Any, tuple[str, ...]]]] = {
    "storages": ("list[str]", [], ()),
    "mode": ("str", PmmMode.OVERRIDE.value, tuple(one.value for one in PmmMode)),
    "allow": ("list[str]", [], ()),
    "deny": ("list[str]", [], ()),
    "root": ("str | None", None, ()),
    "unsigned": ("bool", False, ()),
    "expired": ("str", "", ("", "installed")),
    "update": ("bool", False, ()),
    "state": ("str", "", ()),
}
"""The settings of modules outside the executable, which count together: ``pmm_search`` are the storages, and ``pmm_`` stands
before each other name."""


def pmm_name(name: str) -> str:
    """The attribute for a key of ``[tool.frazil.pmm]``."""
    return "pmm_search" if name == "storages" else f"pmm_{name}"


def applied(options: SourceOptions, values: Mapping[str, Any], where: object) -> SourceOptions:
    """The options with settings by name; those that are missing have their defaults. Raises UsageError."""
    for setting in SETTINGS:
        value = values.get(setting.name, setting.default)
        if value != setting.default:
            options = setting.apply(options, value)
    given: dict[str, Any] = {name: values.get(pmm_name(name), default) for name, (_, default, _) in PMM.items()}
    storages = given.pop("storages")
    if storages:
        root = given.pop("root")
        place = None if root is None else options.directory / root
        options = replace(options, pmm=pmm.pmm_settings(storages, root=place, where=where, **given))
    return options
