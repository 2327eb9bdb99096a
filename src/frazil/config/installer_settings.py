"""What users have told pip and uv about indexes: read for the cache key, and handed from pip to uv, which does not read pip's.

This file runs no program. Values may hold passwords: they are hashed, never shown.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PIP_TO_UV: Final = {
    "index-url": "UV_INDEX_URL",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "constraint": "UV_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
_OF_PIP: Final = (*_PIP_TO_UV, "pre", "no-binary", "only-binary", "prefer-binary", "no-build-isolation", "config-settings")
_UV_INDEX: Final = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
_HARMFUL: Final = frozenset(
    {
        *(
            "PIP_TARGET",
            "PIP_PREFIX",
            "PIP_ROOT",
            "PIP_USER",
            "PIP_REQUIRE_VIRTUALENV",
            "PIP_DRY_RUN",
            "PIP_PYTHON",
            "PIP_REPORT",
        ),
        *("PIP_NO_DEPS", "PIP_UPGRADE", "PIP_REQUIREMENT", "PIP_EDITABLE", "PIP_LOG", "PIP_VERBOSE", "PIP_QUIET"),
        *(
            "UV_TARGET",
            "UV_PREFIX",
            "UV_PYTHON",
            "UV_SYSTEM_PYTHON",
            "UV_COMPILE_BYTECODE",
            "UV_LINK_MODE",
            "UV_PROJECT",
            "UV_WORKING_DIRECTORY",
        ),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "__PYVENV_LAUNCHER__"),
    }
)
"""Variables that would send what is installed elsewhere, or change which Python runs."""
_BOUNDED: Final = 1 << 20


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings of pip that change results, by option name: its files in pip's order, then its variables."""
    found: dict[str, str] = {}
    for place in _pip_files(environ):
        parser = configparser.RawConfigParser()
        text = _read(place)
        try:
            parser.read_string(text, source=str(place))
        except configparser.Error:
            continue  # pip itself will say what is wrong with it
        for section in ("global", "install"):
            if parser.has_section(section):
                pairs = ((name.lower().replace("_", "-"), value) for name, value in parser.items(section))
                found.update({name: value for name, value in pairs if name in _OF_PIP and value})
    for name in _OF_PIP:
        value = environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            found[name] = value
    return {name: " ".join(value.split()) for name, value in found.items()}


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = Path(environ.get("HOME") or Path.home())
    for directory in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(directory, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    if named:
        yield Path(named)


def _uv_files(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("UV_NO_CONFIG"):
        return
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
        return
    home = Path(environ.get("HOME") or Path.home())
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "uv", "uv.toml")
    for directory in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(directory, "uv", "uv.toml")
    yield Path("/etc/uv/uv.toml")


def _read(place: Path) -> str:
    try:
        with place.open(encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_BOUNDED)
    except OSError:
        return ""


def installer_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for an installer: the user's, without those that change where it installs.

    Where uv has no index settings of its own, it gets pip's, with pip's rule that the best version of all indexes counts.
    """
    made = {name: value for name, value in environ.items() if name not in _HARMFUL}
    made["PIP_USER"] = "0"
    if any(environ.get(name) for name in _UV_INDEX) or any(_read(place) for place in _uv_files(environ)):
        return made
    settings = pip_settings(environ)
    for option, variable in _PIP_TO_UV.items():
        if option in settings:
            separator = "," if option == "find-links" else " "
            made.setdefault(variable, separator.join(settings[option].split()))
    if "extra-index-url" in settings:
        made.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return made


def fingerprint(environ: Mapping[str, str]) -> list[str]:
    """Everything here that may change what gets installed, for a cache key; constraint files by content."""
    settings = pip_settings(environ)
    parts = [f"{name}={value}" for name, value in sorted(settings.items())]
    parts += [f"{name}={value}" for name, value in sorted(environ.items()) if name.startswith("UV_") and _counts(name)]
    parts += [text for text in map(_read, _uv_files(environ)) if text]
    names = f"{settings.get('constraint', '')} {environ.get('UV_CONSTRAINT', '')} {environ.get('UV_OVERRIDE', '')}"
    parts += [_read(Path(name)) for name in names.split()]
    return parts


def _counts(name: str) -> bool:
    """Whether a variable of uv may change what is installed; those about speed, places and looks do not."""
    indifferent = ("UV_CACHE", "UV_CONCURRENT", "UV_HTTP", "UV_NO_PROGRESS", "UV_LINK_MODE", "UV_OFFLINE", "UV_TOOL", "UV_LOCK")
    return name not in _HARMFUL and not name.startswith(indifferent)
