"""Every number that stands on disk in an icecube, in one place.

The C header ``src/frazil/launcher/image/icecube_format.h`` and the tables of ``docs/spec/icecube.md`` are generated from this
file by ``tools/generate_format.py``; CI checks that they are up to date. This file does no I/O.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MAGIC: Final = b"\x89FRZICE\n"
MAJOR: Final = 1
MINOR: Final = 1

BLOB_ALIGNMENT: Final = 16
"""Every blob starts on a multiple of this many bytes."""
PAGE_ALIGNMENT: Final = 4096
"""Blobs of native code start on a multiple of this many bytes."""
PYC_HEADER_SIZE: Final = 16
"""Bytes before the marshalled code in a ``.pyc`` blob (PEP 552)."""
NO_NODE: Final = 0xFFFFFFFF
"""A node index that names no node."""
MAX_PATH: Final = 4095
"""Longest path in bytes, without the terminating zero (Linux's PATH_MAX - 1)."""

ENCODING_RAW: Final = 0
ENCODING_DEFLATE: Final = 1
"""RFC 1951, without a header. Regular files only."""
DEFLATE_RATIO: Final = 1032
"""Bytes that one stored byte can stand for at most: a match of 258 bytes takes two bits."""

MODULE_PACKAGE: Final = 0x0001
"""The module is a package: it has a ``__path__``."""
MODULE_EXTENSION: Final = 0x0002
"""The module is a shared object; ``code_node`` is NO_NODE."""
MODULE_FLAGS: Final = MODULE_PACKAGE | MODULE_EXTENSION

MODE_DIRECTORY: Final = 0o040000
MODE_FILE: Final = 0o100000
MODE_SYMLINK: Final = 0o120000
MODE_TYPE: Final = 0o170000


class Field(NamedTuple):
    """One field of a structure: its name, its ``struct`` code (little-endian) and what it means."""

    name: str
    code: str
    meaning: str


HEADER: Final = (
    Field("magic", "8s", "`89 46 52 5A 49 43 45 0A`"),
    Field("major", "H", "1; a reader refuses any other"),
    Field("minor", "H", "1; a reader accepts any other and ignores what it does not know"),
    Field("header_size", "I", "bytes of this structure"),
    Field("image_size", "Q", "bytes of the whole image, this header included"),
    Field("flags", "I", "reserved: must be 0, a reader rejects any other"),
    Field("node_count", "I", "records in the node table, at least 1 (the root)"),
    Field("nodes_offset", "Q", "where the node table starts"),
    Field("names_offset", "Q", "where the name pool starts"),
    Field("names_size", "Q", "bytes of the name pool"),
    Field("modules_offset", "Q", "where the module table starts"),
    Field("module_count", "I", "records in the module table"),
    Field("module_buckets", "I", "slots of the module index, a power of two greater than `module_count`"),
    Field("module_index_offset", "Q", "where the module index starts"),
    Field("path_index_offset", "Q", "where the path index starts"),
    Field("path_buckets", "I", "slots of the path index, a power of two greater than `node_count`"),
    Field("settings_size", "I", "bytes of the settings"),
    Field("settings_offset", "Q", "where the settings start"),
    Field("data_offset", "Q", "where the blobs start; they run to the end of the image"),
    Field("digest", "32s", "SHA-256 of the image with this field and `header_crc` zero"),
    Field("settings_crc", "I", "CRC-32 of the settings"),
    Field("unused", "40s", "written as zero, ignored by readers of this version"),
    Field("header_crc", "I", "CRC-32 of this structure up to here"),
)

NODE: Final = (
    Field("path_offset", "I", "where the path starts, in the name pool"),
    Field("path_length", "H", "bytes of the path, 0 for the root"),
    Field("base_offset", "H", "where the last component starts, in the path"),
    Field("parent", "I", "index of the directory's node; the root is its own parent"),
    Field("mode", "I", "type and permission bits as in `st_mode`: directory, regular file or symbolic link"),
    Field(
        "data_offset",
        "Q",
        "file, link: where the blob starts, from the start of the image. Directory: index of the first child",
    ),
    Field("stored_size", "Q", "file, link: bytes of the blob. Directory: number of children"),
    Field("size", "Q", "bytes of the content once decoded; 0 for a directory"),
    Field("mtime_ns", "q", "modification time, nanoseconds since 1970-01-01 UTC"),
    Field("data_crc", "I", "CRC-32 of the blob as stored; 0 for a directory"),
    Field("path_hash", "I", "CRC-32 of the path"),
    Field("encoding", "H", "how the blob is stored: 0 raw, 1 deflated; a reader rejects what it does not know"),
    Field("reserved", "H", "must be 0, a reader rejects any other"),
    Field("record_crc", "I", "CRC-32 of the record up to here, followed by the path"),
)

MODULE: Final = (
    Field("name_offset", "I", "where the dotted name starts, in the name pool"),
    Field("name_length", "H", "bytes of the name, at least 1"),
    Field("flags", "H", "1 package, 2 extension module; a reader rejects other bits"),
    Field("name_hash", "I", "CRC-32 of the name"),
    Field("file_node", "I", "node of the module's `__file__`: source, shared object, or sourceless bytecode"),
    Field("code_node", "I", "node of the module's `.pyc`, or `FFFFFFFF`"),
    Field("dir_node", "I", "node of the directory on `sys.path` or in the parent's `__path__` in which the module is found"),
    Field("unused", "I", "written as zero, ignored by readers of this version"),
    Field("record_crc", "I", "CRC-32 of the record up to here, followed by the name"),
)


def struct_format(fields: tuple[Field, ...]) -> str:
    """The ``struct`` format of a structure: little-endian, no padding."""
    return "<" + "".join(field.code for field in fields)
