"""The run-time that ships inside executables, as resources.

``frazil_runtime.filesystem`` and the metadata that announces it (``entry_points.txt``) go in only where fsspec does;
``frazil_runtime.pmm`` only where the plan names storages.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import frazil_runtime
from frazil import __version__
from frazil.resources.kinds import RUNTIME, DataFile, SourceModule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frazil.resources.collection import Collection
    from frazil.resources.kinds import Resource

FSSPEC: Final = "fsspec"
_FILESYSTEM: Final = "frazil_runtime.filesystem"
_PMM: Final = "frazil_runtime.pmm"
_METADATA: Final = f"Metadata-Version: 2.1\nName: frazil_runtime\nVersion: {__version__}\nSummary: The run-time of frazil.\n"
_ENTRY_POINTS: Final = f"[fsspec.specs]\nmemfs = {_FILESYSTEM}:MemfsFileSystem\n"


def runtime_resources(collection: Collection, library: str, *, with_pmm: bool = False) -> Iterator[Resource]:
    """The run-time for ``collection``, below ``library``, the standard library's directory."""
    with_fsspec = any(module.name == FSSPEC for module in collection.modules())
    origin = Path(frazil_runtime.__file__).parent
    modules = []
    for file in sorted(origin.rglob("*.py")):
        parts = file.relative_to(origin.parent).with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        if (name != _FILESYSTEM or with_fsspec) and (with_pmm or not f"{name}.".startswith(f"{_PMM}.")):
            path = f"{library}/{file.relative_to(origin.parent)}"
            directory = path.rsplit("/", 2 if package else 1)[0]
            modules.append(SourceModule(name, package, file, path, directory, RUNTIME))
    yield from modules
    if with_fsspec:
        yield from _metadata(library, {module.path: Path(str(module.content)).read_bytes() for module in modules})


def _metadata(library: str, modules: dict[str, bytes]) -> Iterator[DataFile]:
    """The ``dist-info`` directory (PyPA, "Recording installed projects")."""
    info = f"frazil_runtime-{__version__}.dist-info"
    files = {"METADATA": _METADATA.encode(), "entry_points.txt": _ENTRY_POINTS.encode(), "INSTALLER": b"frazil\n"}
    rows = [_row(path.removeprefix(f"{library}/"), data) for path, data in modules.items()]
    rows += [_row(f"{info}/{name}", data) for name, data in files.items()]
    files["RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    for name, data in files.items():
        yield DataFile(data, f"{library}/{info}/{name}", RUNTIME)


def _row(path: str, data: bytes) -> str:
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={value},{len(data)}\n"
