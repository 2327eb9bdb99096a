"""Read an image: a buffer in, records out. Read side by side with ``writer.py``; the format is ``docs/spec/icecube.md``.

Nothing is parsed up front; each offset and length is checked against the buffer before use. This file does no I/O.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from icecube import encoding, layout
from icecube.errors import IcecubeError, UnsupportedVersionError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = struct.Struct(layout.struct_format(layout.HEADER))
_NODE = struct.Struct(layout.struct_format(layout.NODE))
_MODULE = struct.Struct(layout.struct_format(layout.MODULE))


def _offset_of(fields: tuple[layout.Field, ...], name: str) -> int:
    names = [field.name for field in fields]
    return struct.calcsize(layout.struct_format(fields[: names.index(name)]))


_PATH_HASH = _offset_of(layout.NODE, "path_hash")
_NAME_HASH = _offset_of(layout.MODULE, "name_hash")
_DIGEST = _offset_of(layout.HEADER, "digest")
_SETTINGS_CRC = _offset_of(layout.HEADER, "settings_crc")
_HEADER_CRC = _offset_of(layout.HEADER, "header_crc")


class Header(NamedTuple):
    """The header's fields, in the order of the specification."""

    magic: bytes
    major: int
    minor: int
    header_size: int
    image_size: int
    flags: int
    node_count: int
    nodes_offset: int
    names_offset: int
    names_size: int
    modules_offset: int
    module_count: int
    module_buckets: int
    module_index_offset: int
    path_index_offset: int
    path_buckets: int
    settings_size: int
    settings_offset: int
    data_offset: int
    digest: bytes
    settings_crc: int
    unused: bytes
    header_crc: int


class Node(NamedTuple):
    """One file, directory or symbolic link. ``path`` is relative to the mount; sizes are in bytes."""

    index: int  # type: ignore[assignment]  # shadows tuple.index, which nobody wants of a record
    path: str
    parent: int
    mode: int
    data_offset: int
    stored_size: int
    size: int
    mtime_ns: int
    data_crc: int
    encoding: int

    @property
    def is_directory(self) -> bool:
        """Whether the node is a directory."""
        return self.mode & layout.MODE_TYPE == layout.MODE_DIRECTORY


class ModuleRecord(NamedTuple):
    """One importable module; nodes by index."""

    name: str
    flags: int
    file_node: int
    code_node: int
    dir_node: int


def _check_region(header: Header, name: str, offset: int, size: int, alignment: int = 1) -> None:
    if offset < header.header_size or offset > header.image_size or size > header.image_size - offset:
        msg = f"the {name} lies outside the image"
        raise IcecubeError(msg, offset)
    if offset % alignment:
        msg = f"the {name} is not aligned to {alignment} bytes"
        raise IcecubeError(msg, offset)


def _stands_in_tree(node: Node, path: bytes, base: int) -> bool:
    """Whether a record's place holds: breadth first, so no directory can contain itself and no walk is endless."""
    if node.is_directory and node.stored_size and node.data_offset <= node.index:
        return False
    if not node.index:
        return node.is_directory and not (node.parent or path or base)
    if not (node.parent < node.index and base < len(path) <= layout.MAX_PATH) or b"\0" in path:
        return False
    return not base or path[base - 1 : base] == b"/"


class Image:
    """An image in a buffer. Raises IcecubeError at once for a header that does not hold, later for damaged records."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data).cast("B")
        self.header = self._read_header()

    def _read_header(self) -> Header:
        if len(self._data) < _HEADER.size:
            msg = f"truncated: {len(self._data)} bytes, a header has {_HEADER.size}"
            raise IcecubeError(msg, len(self._data))
        header = Header._make(_HEADER.unpack_from(self._data))
        if header.magic != layout.MAGIC:
            msg = "no image: the magic number is wrong"
            raise IcecubeError(msg, 0)
        if header.major != layout.MAJOR:
            msg = f"image format {header.major}.{header.minor}, this reader knows {layout.MAJOR}"
            raise UnsupportedVersionError(msg, 8)
        if zlib.crc32(self._data[: _HEADER.size - 4]) != header.header_crc:
            msg = "damaged header: its checksum does not match"
            raise IcecubeError(msg, 0)
        if header.header_size != _HEADER.size or header.flags:
            msg = "damaged header: a reserved bit is set or the size is wrong"
            raise IcecubeError(msg, 12)
        if header.image_size > len(self._data):
            msg = f"truncated: {len(self._data)} of {header.image_size} bytes"
            raise IcecubeError(msg, len(self._data))
        for count, buckets, what in (
            (header.node_count, header.path_buckets, "path index"),
            (header.module_count, header.module_buckets, "module index"),
        ):
            if buckets <= count or buckets & (buckets - 1):
                msg = f"the {what} has {buckets} slots for {count} records"
                raise IcecubeError(msg)
        if not header.node_count:
            msg = "the image has no root directory"
            raise IcecubeError(msg)
        _check_region(header, "node table", header.nodes_offset, header.node_count * _NODE.size, 8)
        _check_region(header, "module table", header.modules_offset, header.module_count * _MODULE.size, 4)
        _check_region(header, "module index", header.module_index_offset, header.module_buckets * 4, 4)
        _check_region(header, "path index", header.path_index_offset, header.path_buckets * 4, 4)
        _check_region(header, "settings", header.settings_offset, header.settings_size)
        _check_region(header, "name pool", header.names_offset, header.names_size)
        _check_region(header, "data", header.data_offset, 0)
        return header

    def _name(self, offset: int, length: int, record: memoryview, record_crc: int, at: int) -> bytes:
        if offset > self.header.names_size or length > self.header.names_size - offset:
            msg = "a name lies outside the name pool"
            raise IcecubeError(msg, at)
        start = self.header.names_offset + offset
        name = bytes(self._data[start : start + length])
        if zlib.crc32(name, zlib.crc32(record)) != record_crc:
            msg = "damaged record: its checksum does not match"
            raise IcecubeError(msg, at)
        return name

    def node(self, index: int) -> Node:
        """The node with that index."""
        if not 0 <= index < self.header.node_count:
            msg = f"there is no node {index}"
            raise IcecubeError(msg)
        at = self.header.nodes_offset + index * _NODE.size
        (path_offset, path_length, base, parent, mode, data_offset, stored, size, mtime, data_crc, _hash, encoded, reserved,
         record_crc) = _NODE.unpack_from(self._data, at)  # fmt: skip
        path = self._name(path_offset, path_length, self._data[at : at + _NODE.size - 4], record_crc, at)
        if encoded not in {layout.ENCODING_RAW, layout.ENCODING_DEFLATE} or reserved:
            msg = f"{path!r} is stored in an encoding that this reader does not know"
            raise IcecubeError(msg, at)
        text = path.decode("utf-8", "surrogateescape")
        node = Node(index, text, parent, mode, data_offset, stored, size, mtime, data_crc, encoded)
        if not _stands_in_tree(node, path, base):
            msg = f"{text!r} has no proper place in the tree"
            raise IcecubeError(msg, at)
        if not self._content_fits(node):
            msg = f"the content of {text!r} lies outside the image"
            raise IcecubeError(msg, at)
        return node

    def _content_fits(self, node: Node) -> bool:
        """Whether a record's content lies where it may: nodes for a directory, bytes of the data for others."""
        if node.is_directory:
            count = self.header.node_count
            fits = node.data_offset <= count and node.stored_size <= count - node.data_offset
            return fits and not (node.size or node.data_crc or node.encoding)
        end = self.header.image_size
        fits = self.header.data_offset <= node.data_offset <= end and node.stored_size <= end - node.data_offset
        kind = node.mode & layout.MODE_TYPE
        if node.encoding == layout.ENCODING_RAW:
            return fits and kind in {layout.MODE_FILE, layout.MODE_SYMLINK} and node.size == node.stored_size
        return fits and kind == layout.MODE_FILE and 0 < node.size <= node.stored_size * layout.DEFLATE_RATIO

    def nodes(self) -> Iterator[Node]:
        """All nodes, the root first."""
        return (self.node(index) for index in range(self.header.node_count))

    def children(self, node: Node) -> Iterator[Node]:
        """The entries of a directory, by byte order of their names."""
        return (self.node(index) for index in range(node.data_offset, node.data_offset + node.stored_size))

    def _probe(self, value: int, index_offset: int, buckets: int, count: int) -> Iterator[int]:
        slot = value & (buckets - 1)
        for _ in range(buckets):
            (number,) = struct.unpack_from("<I", self._data, index_offset + 4 * slot)
            if not number:
                return
            if number > count:
                msg = "an index names a record that does not exist"
                raise IcecubeError(msg, index_offset + 4 * slot)
            yield number - 1
            slot = (slot + 1) & (buckets - 1)

    def _claims(self, value: int, at: int) -> bool:
        """Whether a record claims that hash, to pass by others cheaply; its checksum is verified once it is the one."""
        return struct.unpack_from("<I", self._data, at) == (value,)

    def find(self, path: str) -> Node | None:
        """The node at ``path`` (relative to the mount, normal form), or None. Links are not followed."""
        wanted = zlib.crc32(path.encode("utf-8", "surrogateescape"))
        header = self.header
        for number in self._probe(wanted, header.path_index_offset, header.path_buckets, header.node_count):
            if self._claims(wanted, header.nodes_offset + number * _NODE.size + _PATH_HASH):
                node = self.node(number)
                if node.path == path:
                    return node
        return None

    def module(self, index: int) -> ModuleRecord:
        """The module record with that index."""
        if not 0 <= index < self.header.module_count:
            msg = f"there is no module {index}"
            raise IcecubeError(msg)
        at = self.header.modules_offset + index * _MODULE.size
        name_offset, length, flags, _hash, file_node, code_node, dir_node, _unused, crc = _MODULE.unpack_from(self._data, at)
        name = self._name(name_offset, length, self._data[at : at + _MODULE.size - 4], crc, at)
        if flags & ~layout.MODULE_FLAGS or not name:
            msg = "damaged module record: a reserved bit is set or it has no name"
            raise IcecubeError(msg, at)
        for number in (file_node, dir_node, *([code_node] if code_node != layout.NO_NODE else [])):
            if number >= self.header.node_count:
                msg = f"module {name!r} names a node that does not exist"
                raise IcecubeError(msg, at)
        return ModuleRecord(name.decode("utf-8", "surrogateescape"), flags, file_node, code_node, dir_node)

    def modules(self) -> Iterator[ModuleRecord]:
        """All module records, by byte order of their names."""
        return (self.module(index) for index in range(self.header.module_count))

    def find_module(self, name: str) -> ModuleRecord | None:
        """The record of that module, or None."""
        header = self.header
        wanted = zlib.crc32(name.encode("utf-8", "surrogateescape"))
        for number in self._probe(wanted, header.module_index_offset, header.module_buckets, header.module_count):
            if self._claims(wanted, header.modules_offset + number * _MODULE.size + _NAME_HASH):
                record = self.module(number)
                if record.name == name:
                    return record
        return None

    def stored(self, node: Node) -> memoryview:
        """A file or link as it is stored; its checksum is verified."""
        if node.is_directory:
            msg = f"{node.path!r} is a directory"
            raise IcecubeError(msg)
        view = self._data[node.data_offset : node.data_offset + node.stored_size]
        if zlib.crc32(view) != node.data_crc:
            msg = f"the content of {node.path!r} is damaged: its checksum does not match"
            raise IcecubeError(msg, node.data_offset)
        return view

    def data(self, node: Node) -> memoryview:
        """The content of a file, or the target of a link; its checksum is verified."""
        stored = self.stored(node)
        if node.encoding == layout.ENCODING_RAW:
            return stored
        content = encoding.decode(node.encoding, stored, node.size)
        if content is None:
            msg = f"the content of {node.path!r} is damaged: it cannot be decoded"
            raise IcecubeError(msg, node.data_offset)
        return memoryview(content)

    def settings(self) -> dict[str, str]:
        """The settings, by name."""
        header = self.header
        raw = bytes(self._data[header.settings_offset : header.settings_offset + header.settings_size])
        if zlib.crc32(raw) != header.settings_crc or (raw and not raw.endswith(b"\0")):
            msg = "the settings are damaged: their checksum does not match"
            raise IcecubeError(msg, header.settings_offset)
        parts = raw.decode("utf-8", "surrogateescape").split("\0")[:-1]
        if len(parts) % 2:
            msg = "the settings are damaged: a name has no value"
            raise IcecubeError(msg, header.settings_offset)
        found: dict[str, str] = {}
        for name, value in zip(parts[::2], parts[1::2], strict=True):
            found.setdefault(name, value)  # of two with one name, which no writer makes, the first counts, as in C
        return found

    def verify(self) -> None:
        """Check the digest and every record; IcecubeError says what does not hold."""
        size = self.header.image_size
        digest = hashlib.sha256(self._data[:_DIGEST])
        digest.update(bytes(_SETTINGS_CRC - _DIGEST))
        digest.update(self._data[_SETTINGS_CRC:_HEADER_CRC])
        digest.update(bytes(4))
        digest.update(self._data[_HEADER.size : size])
        if digest.digest() != self.header.digest:
            msg = "the image is damaged: its SHA-256 does not match"
            raise IcecubeError(msg)
        for node in self.nodes():
            if self.find(node.path) != node:
                msg = f"the path index does not know {node.path!r}"
                raise IcecubeError(msg)
            if not node.is_directory:
                self.data(node)
        for record in self.modules():
            if self.find_module(record.name) != record:
                msg = f"the module index does not know {record.name!r}"
                raise IcecubeError(msg)
        self.settings()
