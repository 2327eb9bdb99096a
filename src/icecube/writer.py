"""Write an image: entries in, bytes out. Read side by side with ``reader.py``; the format is ``docs/spec/icecube.md``.

The same entries give the same bytes, in whatever order they were added. This file does no I/O.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from icecube import layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or symbolic link of the image's tree.

    ``path`` is relative to the mount, with ``/`` between components. ``data`` is the content, or the target of a link.
    With an ``encoding`` other than raw, ``data`` is in it (``icecube.encode`` makes it) and ``size`` is that of the content.
    ``permissions`` are the nine low bits of ``st_mode``; ``group`` places blobs: lower ones stand first in the image.
    """

    path: str
    data: bytes | memoryview
    permissions: int = 0o644
    mtime_ns: int = 0
    link: bool = False
    page_aligned: bool = False
    group: int = 1
    encoding: int = layout.ENCODING_RAW
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Module:
    """One importable module; its paths name entries (``directory`` one of their directories)."""

    name: str
    file: str
    directory: str
    code: str | None = None
    package: bool = False
    extension: bool = False


@dataclass(slots=True)
class _Directory:
    children: dict[bytes, _Directory | Entry]
    mtime_ns: int


@dataclass(slots=True)
class _Node:
    path: bytes
    base: int
    parent: int
    mode: int
    data_offset: int
    stored_size: int
    size: int
    mtime_ns: int
    data_crc: int
    encoding: int = layout.ENCODING_RAW


def _align(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def _components(path: str) -> list[bytes]:
    encoded = path.encode("utf-8", "surrogateescape")
    parts = encoded.split(b"/")
    if not encoded or b"\0" in encoded or any(part in (b"", b".", b"..") for part in parts):
        msg = f"not a relative path in normal form: {path!r}"
        raise ValueError(msg)
    if len(encoded) > layout.MAX_PATH:
        msg = f"path of {len(encoded)} bytes, at most {layout.MAX_PATH} fit: {path[:80]!r}..."
        raise ValueError(msg)
    return parts


def _tree(entries: Iterable[Entry], directories: Mapping[str, int], mtime_ns: int) -> _Directory:
    """Arrange entries as directories of directories; ValueError for a path that is used twice or lies below a file."""
    root = _Directory({}, mtime_ns)

    def directory(parts: list[bytes], whole: str) -> _Directory:
        here = root
        for part in parts:
            below = here.children.setdefault(part, _Directory({}, mtime_ns))
            if not isinstance(below, _Directory):
                msg = f"{below.path!r} is a file and cannot hold {whole!r}"
                raise ValueError(msg)  # noqa: TRY004 - a wrong value, not a wrong type
            here = below
        return here

    for path, mtime in directories.items():
        directory(_components(path), path).mtime_ns = mtime
    for entry in entries:
        *above, base = _components(entry.path)
        siblings = directory(above, entry.path).children
        if base in siblings:
            msg = f"path used twice: {entry.path!r}"
            raise ValueError(msg)
        siblings[base] = entry
    return root


def _number(root: _Directory, mtime_ns: int) -> tuple[list[_Node], list[tuple[int, Entry]]]:
    """Breadth first, siblings by byte order: children of one directory stand together."""
    nodes = [_Node(b"", 0, 0, layout.MODE_DIRECTORY | 0o755, 0, 0, 0, mtime_ns, 0)]
    files: list[tuple[int, Entry]] = []
    queue: list[tuple[int, _Directory]] = [(0, root)]
    for index, directory in queue:
        node = nodes[index]
        node.data_offset, node.stored_size = len(nodes), len(directory.children)
        prefix = node.path + b"/" if node.path else b""
        for base, child in sorted(directory.children.items()):
            path = prefix + base
            if isinstance(child, _Directory):
                mode, mtime = layout.MODE_DIRECTORY | 0o755, child.mtime_ns
                queue.append((len(nodes), child))
            else:
                kind = layout.MODE_SYMLINK | 0o777 if child.link else layout.MODE_FILE | (child.permissions & 0o777)
                mode, mtime = kind, child.mtime_ns
                files.append((len(nodes), child))
            nodes.append(_Node(path, len(prefix), index, mode, 0, 0, 0, mtime, 0))
    return nodes, files


def _buckets(count: int) -> int:
    size = 1
    while size < 2 * count + 1:
        size *= 2
    return size


def _index(hashes: list[int], buckets: int) -> bytes:
    """Open addressing, linear probing; a slot holds record number + 1, or 0."""
    slots = [0] * buckets
    for number, value in enumerate(hashes):
        slot = value & (buckets - 1)
        while slots[slot]:
            slot = (slot + 1) & (buckets - 1)
        slots[slot] = number + 1
    return struct.pack(f"<{buckets}I", *slots)


def _settings(settings: Mapping[str, str]) -> bytes:
    out = []
    for key, value in sorted(settings.items()):
        if not key or "\0" in key or "\0" in value:
            msg = f"a setting holds a zero byte or has no name: {key!r}"
            raise ValueError(msg)
        out.append(key.encode() + b"\0" + value.encode("utf-8", "surrogateescape") + b"\0")
    return b"".join(out)


class _Blobs:
    """Places blobs one after the other; equal contents with equal alignment share a place."""

    def __init__(self) -> None:
        self.chunks: list[bytes | memoryview] = []
        self.size = 0
        self.placed: dict[tuple[bytes, bool], int] = {}

    def place(self, data: bytes | memoryview, *, page_aligned: bool) -> int:
        key = (hashlib.sha256(data).digest(), page_aligned)
        if key in self.placed:
            return self.placed[key]
        start = _align(self.size, layout.PAGE_ALIGNMENT if page_aligned else layout.BLOB_ALIGNMENT)
        self.chunks += [bytes(start - self.size), data]
        self.size = start + len(data)
        self.placed[key] = start
        return start


def write(
    entries: Iterable[Entry],
    modules: Iterable[Module] = (),
    settings: Mapping[str, str] | None = None,
    *,
    directories: Mapping[str, int] | None = None,
    mtime_ns: int = 0,
) -> bytes:
    """The image that holds ``entries``, ``modules`` and ``settings``.

    ``directories`` maps directories that must exist (even empty) to their times; those that entries imply get ``mtime_ns``.
    ValueError: a path or name is not in normal form, used twice, or names nothing.
    """
    nodes, files = _number(_tree(entries, directories or {}, mtime_ns), mtime_ns)
    blobs = _Blobs()
    for index, entry in sorted(files, key=lambda pair: (pair[1].page_aligned, pair[1].group, nodes[pair[0]].path)):
        node = nodes[index]
        node.data_offset = blobs.place(entry.data, page_aligned=entry.page_aligned)
        node.stored_size, node.size, node.encoding = len(entry.data), _size(entry), entry.encoding
        node.data_crc = zlib.crc32(entry.data)
    return _assemble(nodes, _sorted_modules(modules), _settings(settings or {}), blobs)


def _size(entry: Entry) -> int:
    """Bytes of the content; ValueError when the entry is not stored as it says."""
    stored = len(entry.data)
    size = stored if entry.size is None else entry.size
    if entry.encoding == layout.ENCODING_RAW:
        holds = size == stored
    else:
        known = entry.encoding == layout.ENCODING_DEFLATE and not (entry.link or entry.page_aligned)
        holds = known and entry.size is not None and 0 < size <= stored * layout.DEFLATE_RATIO
    if not holds:
        msg = f"{entry.path!r} cannot have {size} bytes, stored as {stored} in encoding {entry.encoding}"
        raise ValueError(msg)
    return size


def _sorted_modules(modules: Iterable[Module]) -> list[Module]:
    ordered = sorted(modules, key=lambda module: module.name.encode())
    for module in ordered:
        if not 0 < len(module.name.encode()) <= layout.MAX_PATH or "\0" in module.name:
            msg = f"no name for a module: {module.name[:80]!r}"
            raise ValueError(msg)
    for one, other in itertools.pairwise(ordered):
        if one.name == other.name:
            msg = f"module used twice: {one.name!r}"
            raise ValueError(msg)
    return ordered


def _pack_modules(modules: list[Module], nodes: list[_Node], names: bytearray) -> tuple[bytes, list[int]]:
    by_path = {node.path.decode("utf-8", "surrogateescape"): index for index, node in enumerate(nodes)}
    records = bytearray()
    hashes = []
    form = struct.Struct(layout.struct_format(layout.MODULE[:-1]))

    def numbered(module: Module, path: str, *, directory: bool) -> int:
        number = by_path.get(path)
        if number is None or (nodes[number].mode & layout.MODE_TYPE == layout.MODE_DIRECTORY) != directory:
            what = "directory" if directory else "file"
            msg = f"module {module.name!r} names a path that is no {what} of the image: {path!r}"
            raise ValueError(msg)
        return number

    for module in modules:
        name = module.name.encode()
        file_node = numbered(module, module.file, directory=False)
        dir_node = numbered(module, module.directory, directory=True)
        code_node = layout.NO_NODE if module.code is None else numbered(module, module.code, directory=False)
        flags = layout.MODULE_PACKAGE * module.package | layout.MODULE_EXTENSION * module.extension
        hashes.append(zlib.crc32(name))
        record = form.pack(len(names), len(name), flags, hashes[-1], file_node, code_node, dir_node, 0)
        records += record + struct.pack("<I", zlib.crc32(name, zlib.crc32(record)))
        names += name
    return bytes(records), hashes


def _pack_nodes(nodes: list[_Node], data_offset: int) -> bytes:
    form = struct.Struct(layout.struct_format(layout.NODE[:-1]))
    records = bytearray()
    position = 0
    for node in nodes:
        is_directory = node.mode & layout.MODE_TYPE == layout.MODE_DIRECTORY
        where = node.data_offset if is_directory else data_offset + node.data_offset
        record = form.pack(
            position, len(node.path), node.base, node.parent, node.mode, where, node.stored_size, node.size,
            node.mtime_ns, node.data_crc, zlib.crc32(node.path), node.encoding, 0,
        )  # fmt: skip
        records += record + struct.pack("<I", zlib.crc32(node.path, zlib.crc32(record)))
        position += len(node.path)
    return bytes(records)


def _assemble(nodes: list[_Node], modules: list[Module], settings: bytes, blobs: _Blobs) -> bytes:
    names = bytearray(b"".join(node.path for node in nodes))
    module_table, module_hashes = _pack_modules(modules, nodes, names)
    module_index = _index(module_hashes, _buckets(len(modules)))
    path_index = _index([zlib.crc32(node.path) for node in nodes], _buckets(len(nodes)))

    node_size = struct.calcsize(layout.struct_format(layout.NODE))
    header_size = struct.calcsize(layout.struct_format(layout.HEADER))
    nodes_offset = _align(header_size, 64)
    modules_offset = nodes_offset + node_size * len(nodes)
    module_index_offset = modules_offset + len(module_table)
    path_index_offset = module_index_offset + len(module_index)
    settings_offset = path_index_offset + len(path_index)
    names_offset = settings_offset + len(settings)
    data_offset = _align(names_offset + len(names), layout.PAGE_ALIGNMENT)

    body = b"".join(
        [
            bytes(nodes_offset - header_size), _pack_nodes(nodes, data_offset), module_table, module_index, path_index,
            settings, names, bytes(data_offset - names_offset - len(names)), *blobs.chunks,
        ]
    )  # fmt: skip

    def header(digest: bytes) -> bytes:
        return struct.pack(
            layout.struct_format(layout.HEADER[:-1]),
            layout.MAGIC, layout.MAJOR, layout.MINOR, header_size, header_size + len(body), 0,
            len(nodes), nodes_offset, names_offset, len(names), modules_offset, len(modules),
            len(module_index) // 4, module_index_offset, path_index_offset, len(path_index) // 4,
            len(settings), settings_offset, data_offset, digest, zlib.crc32(settings), b"",
        )  # fmt: skip

    whole = hashlib.sha256(header(bytes(32)) + bytes(4))
    whole.update(body)
    final = header(whole.digest())
    return final + struct.pack("<I", zlib.crc32(final)) + body
