"""What plans say about modules outside the executable: checked, from the command line, a project's table or a configuration."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from frazil.errors import UsageError
from frazil.plan import PmmMode, PmmSettings
from frazil_runtime.pmm.keys import is_module_name
from frazil_runtime.pmm.storages import FUNCTION, is_trusted, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PLACEHOLDERS: Final = ("{exe_dir}", "{user_data}", "{user_cache}")
LOCAL: Final = frozenset({"dir", "sqlite", "zip", "flash"})
"""Schemes of storages that are files."""
_REMEDY: Final = "See docs/spec/pmm.md, Storages: such as dir:{exe_dir}/modules, or sqlite:{user_data}/modules.db."
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+._-]*")
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}?")
_ROOT_LIMIT: Final = 512_000
_SIGNED: Final = "cryptography>=42"
_UPDATES: Final = "tuf>=6"
_FSSPEC: Final = "fsspec>=2024.6"
_EXTRAS: Final = {
    **dict.fromkeys(("http", "https"), "http"),
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("abfs", "abfss", "az"), "abfs"),
    **dict.fromkeys(("sftp", "ssh"), "sftp"),
    "smb": "smb",
    "hdfs": "hdfs",
}
"""What fsspec needs for a scheme, as it names its extras."""


def pmm_settings(
    storages: Sequence[str],
    *,
    mode: str = PmmMode.OVERRIDE.value,
    allow: Sequence[str] = (),
    deny: Sequence[str] = (),
    root: Path | None = None,
    unsigned: bool = False,
    expired: str = "",
    update: bool = False,
    state: str = "",
    where: object = "--pmm",
    complete: bool = True,
) -> PmmSettings:
    """The settings, checked. Raises UsageError: what is wrong, with ``where`` as its place.

    What is not ``complete`` may be missing what says whom to trust: ``trusted`` has to look at the whole.
    """
    for url in storages:
        _check_url(url, where)
    if len(set(storages)) < len(storages):
        raise UsageError("a storage is named twice", where=where)
    for name in (*allow, *deny):
        if not is_module_name(name.removesuffix(".*")):
            raise UsageError(f"{name!r} is no module name", where=where, remedy="Write pkg.module, or pkg.*")
    if mode not in {one.value for one in PmmMode}:
        known = ", ".join(one.value for one in PmmMode)
        raise UsageError(f"{mode!r} is no mode", where=where, remedy=f"There are {known}.")
    if expired not in {"", "installed"}:
        raise UsageError(f"expired is {expired!r}", where=where, remedy='It is "installed", or left out.')
    if state:
        _check_placeholders(state, where)
        _check_path(state, state, where)
    content = None if root is None else _root(root)
    made = PmmSettings(tuple(storages), PmmMode(mode), tuple(allow), tuple(deny), content, unsigned, expired, state, update)
    return trusted(made, where) if complete else made


def trusted(settings: PmmSettings, where: object = "--pmm") -> PmmSettings:
    """The settings, if they say who may put modules into each storage. Raises UsageError."""
    signed = [url for url in settings.storages if not is_trusted(url)]
    if settings.unsigned and settings.mode is PmmMode.LOCKED:
        problem = "locked storages must be signed"
        raise UsageError(problem, where=where, remedy="Choose another mode, or sign them and leave unsigned out.")
    if signed and not settings.unsigned and settings.root is None:
        remedy = (
            "Name the root document that its index is checked by, with --pmm-root (root in [tool.frazil.pmm]); "
            "frazil pmm root makes one. --pmm-unsigned believes whoever can write there."
        )
        raise UsageError(f"{signed[0]} needs signatures, and nobody's count", where=where, remedy=remedy)
    if settings.update and (settings.unsigned or not signed):
        problem = "only signed storages can be updated"
        raise UsageError(problem, where=where, remedy="Name a storage such as dir:{user_data}/modules, and a root document.")
    return replace(settings, root=None) if settings.unsigned else settings


def requirements(settings: PmmSettings | None) -> tuple[str, ...]:
    """What the executable needs of third parties for its storages."""
    if settings is None:
        return ()
    found = [] if settings.root is None else [_SIGNED]
    if settings.update:
        found.append(_UPDATES)
    for url in settings.storages:
        scheme = url.partition(":")[0]
        if url != FUNCTION and kind_of(url)[0] == "remote":
            extra = _EXTRAS.get(scheme)
            found.append(_FSSPEC if extra is None else _FSSPEC.replace("fsspec", f"fsspec[{extra}]"))
    return tuple(dict.fromkeys(found))


def _check_url(url: str, where: object) -> None:
    scheme, colon, rest = url.partition(":")
    if url == FUNCTION:
        return
    if not colon or not _SCHEME.fullmatch(scheme) or not rest or "\0" in url or "\n" in url:
        raise UsageError(f"{url!r} names no storage", where=where, remedy=_REMEDY)
    _check_placeholders(url, where)
    if scheme in LOCAL:
        _check_path(rest, url, where)


def _check_placeholders(url: str, where: object) -> None:
    for placeholder in _PLACEHOLDER.findall(url):
        if placeholder not in PLACEHOLDERS:
            remedy = f"There are {', '.join(PLACEHOLDERS)}."
            raise UsageError(f"{url}: {placeholder} is no placeholder", where=where, remedy=remedy)


def _check_path(rest: str, url: str, where: object) -> None:
    """Raise UsageError for a path that is relative to anything; ``url`` is what messages say."""
    if not rest.startswith(("/", *PLACEHOLDERS)):
        remedy = f"Begin it with / or one of {', '.join(PLACEHOLDERS)}: nothing is relative to the current directory."
        raise UsageError(f"{url}: the path is not absolute", where=where, remedy=remedy)
    if ".." in rest.split("/"):
        raise UsageError(f"{url}: the path goes up", where=where, remedy="Write it without '..'.")


def _root(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_ROOT_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"the root document cannot be read: {error.strerror}", where=path) from error
    if len(data) > _ROOT_LIMIT:
        raise UsageError(f"this is no root document: it has more than {_ROOT_LIMIT} bytes", where=path)
    return data


_KEYS: Final[Mapping[str, type]] = {
    "storages": list,
    "mode": str,
    "allow": list,
    "deny": list,
    "root": str,
    "unsigned": bool,
    "expired": str,
    "update": bool,
    "state": str,
}
_KINDS: Final = {list: "an array of strings", str: "a string", bool: "true or false"}


def issues(path: str, table: Any) -> list[str]:
    """What is wrong with the form of ``[tool.frazil.pmm]``, a line each."""
    if not isinstance(table, dict):
        return [f"{path}: must be a table"]
    found = []
    for key, value in table.items():
        kind = _KEYS.get(key)
        texts = not isinstance(value, list) or all(isinstance(one, str) for one in value)
        if kind is None:
            found.append(f"{path}.{key}: is not known; the table takes {', '.join(_KEYS)}")
        elif not isinstance(value, kind) or not texts:
            found.append(f"{path}.{key}: must be {_KINDS[kind]}")
    return found


def from_table(table: Mapping[str, Any], base: Path, where: object, given: PmmSettings | None) -> PmmSettings | None:
    """The settings of a ``[tool.frazil.pmm]`` table that has no issues, and of the command line, which comes first."""
    if not table or (given is None and not table.get("storages")):
        return given
    values = dict(table)
    storages = [*(() if given is None else given.storages), *values.pop("storages", ())]
    if "root" in values:
        values["root"] = base / values["root"]
    if given is not None:
        if given.mode is not PmmMode.OVERRIDE:
            values["mode"] = given.mode.value
        values["unsigned"] = values.get("unsigned", False) or given.unsigned
        values["update"] = values.get("update", False) or given.update
    make: Callable[..., PmmSettings] = pmm_settings
    made = make(list(dict.fromkeys(storages)), where=where, complete=False, **values)
    if given is not None and given.root is not None:
        made = replace(made, root=given.root)
    return trusted(made, where)
