"""Storages and trust as a machine sees them that installs modules for an application, without being the application."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from frazil.errors import OutputError
from frazil.pmm.signing import load_root, refusals
from frazil_runtime.pmm.storages import open_storage

if TYPE_CHECKING:
    from frazil_runtime.pmm.protocol import Storage, WritableStorage

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+._-]+:")


@dataclass(slots=True)
class HostSettings:
    """What ``frazil_runtime.pmm.trust`` goes by; an empty ``python`` is any."""

    application: str
    root: bytes | None
    state: str
    python: str = ""
    locked: bool = False
    floor: str = ""
    expired: str = ""


def host_settings(root: Path, state: Path | None, python: str | None = None) -> HostSettings:
    """Settings for the application of a root document; the counter is by default the one that the application itself has."""
    data, document = load_root(root)
    directory = state or platformdirs.user_data_path(document.application, appauthor=False) / "pmm"
    return HostSettings(document.application, data, str(directory.absolute()), python or "")


def storage_of(text: str) -> Storage:
    """The storage of a URL, or of a directory's path."""
    with refusals():
        return open_storage(text if _SCHEME.match(text) else f"dir:{Path(text).absolute()}")


def writable(storage: Storage, text: str) -> WritableStorage:
    """The storage, if it can be written to."""
    if not hasattr(storage, "store"):
        raise OutputError("this storage cannot be written to", where=text, remedy="Install into dir:PATH or sqlite:PATH.")
    found: WritableStorage = storage  # type: ignore[assignment]  # it has what they have
    return found
