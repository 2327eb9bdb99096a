"""The run-time that ships inside executables, as resources.

``frazil_runtime.filesystem`` and the metadata that announces it (``entry_points.txt``) go in only where fsspec does;
``frazil_runtime.pmm`` only where the plan names storages, ``frazil_runtime.snapshot`` only where the snapshot is made at first
start.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import frazil_runtime
from frazil import __version__
from frazil.errors import TrustError
from frazil.resources.kinds import RUNTIME, DataFile, SourceModule
from frazil_runtime.pmm import documents
from frazil_runtime.pmm.failures import TrustError as PmmTrustError
from frazil_runtime.pmm.storages import FUNCTION, MODULES, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frazil.plan import Plan, PmmSettings
    from frazil.resources.collection import Collection
    from frazil.resources.kinds import Resource

FSSPEC: Final = "fsspec"
_FILESYSTEM: Final = "frazil_runtime.filesystem"
_BESIDE: Final = "frazil_runtime.beside"
_PMM: Final = "frazil_runtime.pmm"
_SNAPSHOT: Final = "frazil_runtime.snapshot"
PMM_ROOT: Final = f"{_PMM.replace('.', '/')}/root.json"
"""Where the root document stands below the standard library's directory."""
TRUST_MODULES: Final = frozenset({"counter", "documents", "failures", "install", "sets", "trust"})
"""The modules that check signatures: only where a root document is."""
UPDATE_MODULES: Final = frozenset({"fetcher", "updating"})
"""Those that fetch: only where the plan asks for updates."""
_METADATA: Final = f"Metadata-Version: 2.1\nName: frazil_runtime\nVersion: {__version__}\nSummary: The run-time of frazil.\n"
_ENTRY_POINTS: Final = f"[fsspec.specs]\nmemfs = {_FILESYSTEM}:MemfsFileSystem\n"


def runtime_resources(
    collection: Collection,
    library: str,
    pmm: PmmSettings | None = None,
    *,
    beside: bool = False,
    first_run: bool = False,
) -> Iterator[Resource]:
    """The run-time for ``collection``, below ``library``, the standard library's directory.

    ``beside``: some of the program is not in memory. ``first_run``: the snapshot is made at first start.
    """
    with_fsspec = any(module.name == FSSPEC for module in collection.modules())
    origin = Path(frazil_runtime.__file__).parent
    modules = []
    for file in sorted(origin.rglob("*.py")):
        parts = file.relative_to(origin.parent).with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        if (name == _BESIDE and not beside) or (f"{name}.".startswith(f"{_SNAPSHOT}.") and not first_run):
            continue
        if (name != _FILESYSTEM or with_fsspec) and (not f"{name}.".startswith(f"{_PMM}.") or _is_needed(name, pmm)):
            path = f"{library}/{file.relative_to(origin.parent)}"
            directory = path.rsplit("/", 2 if package else 1)[0]
            modules.append(SourceModule(name, package, file, path, directory, RUNTIME))
    yield from modules
    if pmm is not None and pmm.root is not None:
        yield DataFile(pmm.root, f"{library}/{PMM_ROOT}", RUNTIME)
    if with_fsspec:
        yield from _metadata(library, {module.path: Path(str(module.content)).read_bytes() for module in modules})


def _is_needed(name: str, pmm: PmmSettings | None) -> bool:
    """Whether a module of ``frazil_runtime.pmm`` is needed. With a storage comes what it imports, so each goes in alone."""
    if pmm is None:
        return False
    last = name.removeprefix(f"{_PMM}.")
    if last in MODULES:
        return any(kind_of(url)[0] == last for url in pmm.storages if url != FUNCTION)
    return (last not in TRUST_MODULES or pmm.root is not None) and (last not in UPDATE_MODULES or pmm.update)


def imports_for_itself(name: str) -> bool:
    """Whether what a module of the run-time imports inside functions is its own business, not that of who calls it."""
    return name.removeprefix(f"{_PMM}.") in TRUST_MODULES | UPDATE_MODULES


def require_root(plan: Plan) -> None:
    """Raise TrustError for a root document under which the executable would accept nothing."""
    if plan.pmm is None or plan.pmm.root is None:
        return
    where = f"the root document of {plan.name}"
    try:
        signatures, body = documents.split(plan.pmm.root, documents.MAX_ROOT, where)
        root = documents.read_root(body, where)
        if importlib.util.find_spec("cryptography") is not None:
            documents.check_signatures(signatures, body, root.roles["root"], where)
    except PmmTrustError as error:
        raise TrustError(error.problem, where=where, remedy="Make one with 'frazil pmm root', and sign it.") from error
    if root.application != plan.name:
        raise TrustError(
            f"it is for the application {root.application!r}, and this program is {plan.name!r}",
            where=where,
            remedy="Make a root document for this application, or give the program that name with --name.",
        )


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


def pmm_settings(plan: Plan, mtime_ns: int) -> dict[str, str]:
    """What the image says about storages (``docs/spec/launcher.md``, "Settings")."""
    pmm = plan.pmm
    if pmm is None:
        return {}
    settings = {f"pmm.{number}": url for number, url in enumerate(pmm.storages)}
    settings |= {"pmm": str(len(pmm.storages)), "pmm.mode": pmm.mode.value}
    listed = {"allow": ":".join(pmm.allow), "deny": ":".join(pmm.deny)}
    for name, value in (*listed.items(), ("expired", pmm.expired), ("state", pmm.state)):
        if value:
            settings[f"pmm.{name}"] = value
    if pmm.unsigned:
        settings["pmm.unsigned"] = "1"
    if pmm.root is not None:
        settings["pmm.floor"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(mtime_ns // 10**9))
        settings["pmm.root"] = f"lib/python{plan.distribution.short_version}/{PMM_ROOT}"
    return settings
