"""What is inside an executable or a bare image: whose files, how large, which modules. Prints nothing."""

from __future__ import annotations

import csv
import io
import mmap
import posixpath
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import icecube
from frazil.errors import SourceError
from frazil.plan import APPLICATION_DIRECTORY
from frazil.resources.kinds import APPLICATION, RUNTIME, STANDARD_LIBRARY, SYSTEM
from icecube import layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from frazil.builder.warm.inspection import WarmStart

_CACHED: Final = re.compile(r"(?:(.*)/)?__pycache__/([^/]+?)\.[^./]+(?:\.opt-[12])?\.pyc")
_ORIGIN: Final = "$ORIGIN/"
_DIST_INFO: Final = re.compile(r"(.*)-[^-]+\.dist-info")


@dataclass(frozen=True, slots=True)
class File:
    """A file or link of the tree: its path below the mount, bytes, bytes as stored, owner and what it is."""

    path: str
    size: int
    stored_size: int
    owner: str
    kind: str
    """``source``, ``bytecode``, ``native``, ``link`` or ``data``."""


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """An importable module: its name, the path of its ``__file__``, its owner and whether it is a shared object."""

    name: str
    file: str
    owner: str
    extension: bool
    has_source: bool
    how: Literal["", "static", "memory", "file"] = ""
    """How an extension module comes in: linked into the program, loaded from memory, or from a file beside the executable."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry point: the name it is called by, and what runs."""

    name: str
    kind: str
    module: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an executable holds. Sizes in bytes; contents that share a place count once."""

    path: Path
    size: int
    image_size: int
    settings: Mapping[str, str]
    entries: tuple[Entry, ...]
    files: tuple[File, ...]
    modules: tuple[ModuleFile, ...]
    sizes: Mapping[str, int]
    """Bytes by owner, largest first."""
    warm: WarmStart | None = None
    """The snapshot, in an executable that was built warm."""


def open_image(path: Path) -> icecube.Image:
    """The image in an executable, or the bare image; FrazilError when there is none or its header is damaged."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(layout.MAGIC))
            if magic == layout.MAGIC:
                return icecube.Image(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        if magic[:4] != b"\x7fELF":
            raise SourceError("no executable and no image", where=path, remedy="Name a file that frazil built.")
        from frazil.builder.elf import read_image  # noqa: PLC0415 - bare images need no ELF reader

        return icecube.Image(read_image(path))
    except icecube.IcecubeError as error:
        raise damage(path, error) from error
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", where=path) from error


def damage(path: Path, error: icecube.IcecubeError) -> SourceError:
    """A damaged image as an error for the user."""
    return SourceError(f"this executable is damaged: {error}", where=path, remedy="Build it again, or fetch a whole copy.")


def _source_of(path: str) -> str:
    """The source that a ``.pyc`` belongs to; any other path as it is."""
    if found := _CACHED.fullmatch(path):
        return posixpath.join(found[1] or "", found[2] + ".py")
    return path[:-1] if path.endswith(".pyc") else path


def _recorded(image: icecube.Image) -> dict[str, str]:
    """Owners by path, from the RECORD of each distribution; and by top-level name for files that no RECORD lists."""
    owners: dict[str, str] = {}
    for node in image.nodes():
        above, base = posixpath.split(node.path)
        place, info = posixpath.split(above)
        found = _DIST_INFO.fullmatch(info)
        if base != "RECORD" or node.is_directory or found is None:
            continue
        owner = re.sub(r"[-_.]+", "-", found[1]).lower()
        owner = RUNTIME if owner == "frazil-runtime" else owner
        text = bytes(image.data(node)).decode("utf-8", "replace")
        owners[posixpath.join(above)] = owner
        for row in csv.reader(io.StringIO(text)):
            if not row:
                continue
            path = posixpath.normpath(posixpath.join(place, row[0]))
            owners.setdefault(path, owner)
            top = row[0].split("/", 1)[0]
            if "/" in row[0] and top not in {"..", "__pycache__"}:
                owners.setdefault(posixpath.join(place, top), owner)
    return owners


def owner_of(path: str, recorded: Mapping[str, str], library: str) -> str:
    """Whose a file is; ``library`` is the standard library's directory, such as ``lib/python3.11``."""
    source = _source_of(path)
    for candidate in (path, source):
        if candidate in recorded:
            return recorded[candidate]
    packages = f"{library}/site-packages/"
    if path.startswith(packages):
        top = source[len(packages) :].split("/", 1)[0]
        return recorded.get(packages + top, top.removesuffix(".py"))
    if path.startswith((f"{library}/frazil_runtime/", "lib/libfrazil-")):
        return RUNTIME
    if path.startswith((f"{library}/", "lib/libpython")):
        return STANDARD_LIBRARY
    if path.startswith((f"{APPLICATION_DIRECTORY}/", "bin/")):
        return APPLICATION
    return SYSTEM if posixpath.dirname(path) == "lib" else APPLICATION


def _kind(node: icecube.Node) -> str:
    if node.mode & layout.MODE_TYPE == layout.MODE_SYMLINK:
        return "link"
    base = posixpath.basename(node.path)
    if base.endswith((".py", ".pyi")):
        return "source"
    if base.endswith(".pyc"):
        return "bytecode"
    return "native" if re.search(r"\.so(\.[0-9.]+)?$", base) else "data"


def _entries(settings: Mapping[str, str]) -> tuple[Entry, ...]:
    try:
        count = int(settings.get("entry", "0"))
    except ValueError:
        count = 0
    found = []
    for number in range(min(count, len(settings))):
        name, kind, module = (settings.get(f"entry.{number}.{part}", "") for part in ("name", "kind", "module"))
        found.append(Entry(name, kind, module))
    return tuple(found)


def inspect(path: Path, image: icecube.Image) -> Inspection:
    """What ``image`` (that of the file at ``path``) holds; SourceError when a record does not hold."""
    try:
        return _inspect(path, image)
    except icecube.IcecubeError as error:
        raise damage(path, error) from error


def _inspect(path: Path, image: icecube.Image) -> Inspection:
    settings = image.settings()
    recorded = _recorded(image)
    library = f"lib/python{settings.get('python', '')}"
    sizes: Counter[str] = Counter()
    placed: set[int] = set()
    files = []
    for node in image.nodes():
        if node.is_directory:
            continue
        owner = owner_of(node.path, recorded, library)
        files.append(File(node.path, node.size, node.stored_size, owner, _kind(node)))
        if node.data_offset not in placed:
            sizes[owner] += node.stored_size
            placed.add(node.data_offset)
    size = path.stat().st_size
    overhead = image.header.image_size - sum(sizes.values())
    sizes["<index>"] = overhead
    warm = _warm_start(path)
    if size > image.header.image_size:
        sizes["<launcher>"] = size - image.header.image_size - (warm.size if warm else 0)
    if warm:
        sizes["<snapshot>"] = warm.size
    modules = []
    static = frozenset(settings.get("static", "").split(":"))
    for record in image.modules():
        file = image.node(record.file_node).path
        extension = bool(record.flags & layout.MODULE_EXTENSION)
        owner = owner_of(file, recorded, library)
        how: Literal["", "static", "memory"] = "" if not extension else "static" if record.name in static else "memory"
        modules.append(ModuleFile(record.name, file, owner, extension, file.endswith(".py"), how))
    modules += _beside(path, settings, {one.name for one in modules})
    return Inspection(
        path=path,
        size=size,
        image_size=image.header.image_size,
        settings=settings,
        entries=_entries(settings),
        files=tuple(files),
        modules=tuple(modules),
        sizes=dict(sorted(sizes.items(), key=lambda part: (-part[1], part[0]))),
        warm=warm,
    )


def _warm_start(path: Path) -> WarmStart | None:
    with path.open("rb") as file:
        if file.read(len(layout.MAGIC)) == layout.MAGIC:
            return None
    from frazil.builder.warm.inspection import inspect_warm  # noqa: PLC0415 - bare images need no ELF reader

    return inspect_warm(path)


def _beside(path: Path, settings: Mapping[str, str], known: AbstractSet[str]) -> Iterator[ModuleFile]:
    """The extension modules that stand as files beside the executable, where ``sys.path`` leads."""
    seen = set(known)
    # A directory inside another one comes first: there a module has its shorter name.
    places = sorted({one for one in settings.get("path", "").split(":") if one.startswith(_ORIGIN)}, key=len, reverse=True)
    for place in places:
        root = path.resolve().parent / place[len(_ORIGIN) :]
        for file in sorted(root.rglob("*.so")):
            relative = file.relative_to(root)
            name = ".".join((*relative.parts[:-1], relative.name.partition(".")[0])).removesuffix(".__init__")
            where = f"{place}/{relative.as_posix()}"
            if all(map(str.isidentifier, name.split("."))) and name not in seen and _is_extension(file, name):
                seen.add(name)
                yield ModuleFile(name, where, APPLICATION, extension=True, has_source=False, how="file")


def _is_extension(file: Path, name: str) -> bool:
    """Whether a shared object has the function that makes a module of that name."""
    try:
        return f"PyInit_{name.rpartition('.')[2]}".encode() in file.read_bytes()
    except OSError:
        return False


def verify(path: Path, image: icecube.Image) -> None:
    """Check the digest and every record; SourceError says what does not hold."""
    try:
        image.verify()
    except icecube.IcecubeError as error:
        raise damage(path, error) from error
