from __future__ import annotations

import itertools
import struct
import zlib
from typing import TYPE_CHECKING

import pytest

import icecube
from icecube import Entry, IcecubeError, Module, UnsupportedVersionError, layout

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRIES = [
    Entry("app/main.py", b"main", permissions=0o755, mtime_ns=5),
    Entry("app/link", b"main.py", link=True),
    Entry("app/data/x", b"x" * 100),
    Entry("app/data/y", b""),
]
IMAGE = icecube.write(
    ENTRIES,
    [Module("main", "app/main.py", "app", package=True)],
    {"b": "2", "a": "1"},
    directories={"void": 9},
)
OFFSETS = {name: struct.calcsize(layout.struct_format(layout.HEADER[:at])) for at, (name, _, _) in enumerate(layout.HEADER)}


def reseal(image: bytearray) -> bytes:
    struct.pack_into("<I", image, OFFSETS["header_crc"], zlib.crc32(image[: OFFSETS["header_crc"]]))
    return bytes(image)


def with_field(name: str, code: str, value: int) -> bytes:
    image = bytearray(IMAGE)
    struct.pack_into("<" + code, image, OFFSETS[name], value)
    return reseal(image)


def with_node(path: str, **values: int) -> bytes:
    """IMAGE with fields of one node changed and all its checksums fitting."""
    image = bytearray(IMAGE)
    reader = icecube.Image(IMAGE)
    node = reader.find(path)
    assert node is not None
    form = layout.struct_format(layout.NODE)
    at = reader.header.nodes_offset + node.index * struct.calcsize(form)
    fields = dict(zip((field.name for field in layout.NODE), struct.unpack_from(form, image, at), strict=True)) | values
    record = struct.pack(form, *fields.values())[:-4]
    name_at = reader.header.names_offset + fields["path_offset"]
    name = image[name_at : name_at + fields["path_length"]]
    image[at : at + len(record) + 4] = record + struct.pack("<I", zlib.crc32(name, zlib.crc32(record)))
    return bytes(image)


def test_tree_is_breadth_first_and_sorted() -> None:
    nodes = list(icecube.Image(IMAGE).nodes())
    assert [node.path for node in nodes] == [
        "", "app", "void", "app/data", "app/link", "app/main.py", "app/data/x", "app/data/y",
    ]  # fmt: skip
    assert [node.index for node in nodes] == list(range(8))
    assert [node.parent for node in nodes] == [0, 0, 0, 1, 1, 1, 3, 3]


def test_nodes_have_modes_times_and_sizes() -> None:
    image = icecube.Image(IMAGE)
    found = {node.path: (node.mode, node.size, node.mtime_ns) for node in image.nodes()}
    assert found["app/main.py"] == (0o100755, 4, 5)
    assert found["app/link"] == (0o120777, 7, 0)
    assert found["app/data/x"] == (0o100644, 100, 0)
    assert found["void"] == (0o040755, 0, 9)


def test_children() -> None:
    image = icecube.Image(IMAGE)
    app, void = image.find("app"), image.find("void")
    assert app is not None
    assert void is not None
    assert [node.path for node in image.children(app)] == ["app/data", "app/link", "app/main.py"]
    assert list(image.children(void)) == []


@pytest.mark.parametrize("path", ["nothing", "app/", "/app", "app/data/z", "APP", "app/link/x", "\udcff"])
def test_absent_paths(path: str) -> None:
    assert icecube.Image(IMAGE).find(path) is None


def test_root_is_found_by_the_empty_path() -> None:
    image = icecube.Image(IMAGE)
    assert image.find("") == image.node(0)


def test_modules() -> None:
    image = icecube.Image(IMAGE)
    record = image.find_module("main")
    assert record is not None
    assert record.flags == layout.MODULE_PACKAGE
    assert image.node(record.file_node).path == "app/main.py"
    assert image.node(record.dir_node).path == "app"
    assert record.code_node == layout.NO_NODE
    assert image.find_module("main.other") is None
    assert image.find_module("") is None


def test_settings_are_in_order() -> None:
    assert list(icecube.Image(IMAGE).settings().items()) == [("a", "1"), ("b", "2")]


def test_a_directory_has_no_content() -> None:
    image = icecube.Image(IMAGE)
    with pytest.raises(IcecubeError, match="'app' is a directory"):
        image.data(image.node(1))


@pytest.mark.parametrize("index", [-1, 8, 2**32])
def test_records_that_do_not_exist(index: int) -> None:
    image = icecube.Image(IMAGE)
    with pytest.raises(IcecubeError, match="there is no node"):
        image.node(index)
    with pytest.raises(IcecubeError, match="there is no module"):
        image.module(index)


def test_bytes_after_the_image_do_not_matter() -> None:
    icecube.Image(IMAGE + b"more").verify()


def test_any_buffer_will_do() -> None:
    for make in (bytes, bytearray, memoryview):
        icecube.Image(make(IMAGE)).verify()


def test_names_with_one_hash_are_told_apart() -> None:
    # CRC-32 is linear: these two differ by a multiple of its polynomial.
    one, two = "plumless", "buckeroo"
    assert zlib.crc32(one.encode()) == zlib.crc32(two.encode())
    image = icecube.Image(icecube.write([Entry(one, b"1"), Entry(two, b"2")], [Module(one, one, ""), Module(two, two, "")]))
    for name, content in ((one, b"1"), (two, b"2")):
        node, record = image.find(name), image.find_module(name)
        assert node is not None
        assert bytes(image.data(node)) == content
        assert record is not None
        assert record.file_node == node.index


def test_a_full_index_is_searched_to_its_end() -> None:
    for count in (0, 1, 2, 3, 100):
        names = [f"m{n}" for n in range(count)]
        image = icecube.Image(icecube.write([Entry(name, b"") for name in names], [Module(name, name, "") for name in names]))
        for name in names:
            assert image.find(name) is not None
            assert image.find_module(name) is not None
        assert image.find("absent") is None


def test_another_major_version_is_refused() -> None:
    with pytest.raises(UnsupportedVersionError, match=rf"image format 2\.{layout.MINOR}, this reader knows 1"):
        icecube.Image(with_field("major", "H", 2))


def test_a_newer_minor_version_is_read() -> None:
    assert icecube.Image(with_field("minor", "H", 9)).find("app/main.py") is not None


def test_unused_bytes_are_ignored() -> None:
    image = bytearray(IMAGE)
    image[OFFSETS["unused"] : OFFSETS["unused"] + 40] = b"\xff" * 40
    assert icecube.Image(reseal(image)).find("app/main.py") is not None


@pytest.mark.parametrize(
    ("name", "code", "value", "problem"),
    [
        ("flags", "I", 1, "reserved bit"),
        ("header_size", "I", 191, "the size is wrong"),
        ("image_size", "Q", len(IMAGE) + 1, "truncated"),
        ("image_size", "Q", 0, "lies outside"),
        ("node_count", "I", 0, "no root"),
        ("node_count", "I", 2**32 - 1, "slots"),
        ("nodes_offset", "Q", 2**64 - 1, "node table lies outside"),
        ("nodes_offset", "Q", 0, "node table lies outside"),
        ("nodes_offset", "Q", 193, "not aligned"),
        ("names_offset", "Q", 2**64 - 1, "name pool lies outside"),
        ("names_size", "Q", 2**64 - 1, "name pool lies outside"),
        ("modules_offset", "Q", len(IMAGE), "module table lies outside"),
        ("module_count", "I", 2**31, "slots"),
        ("module_buckets", "I", 3, "slots"),
        ("module_buckets", "I", 0, "slots"),
        ("module_index_offset", "Q", len(IMAGE), "module index lies outside"),
        ("path_index_offset", "Q", len(IMAGE), "path index lies outside"),
        ("path_buckets", "I", 2**31, "path index lies outside"),
        ("settings_offset", "Q", len(IMAGE) + 1, "settings lies outside"),
        ("settings_size", "I", 2**32 - 1, "settings lies outside"),
        ("data_offset", "Q", len(IMAGE) + 1, "data lies outside"),
    ],
)
def test_headers_that_do_not_hold(name: str, code: str, value: int, problem: str) -> None:
    with pytest.raises(IcecubeError, match=problem):
        icecube.Image(with_field(name, code, value))


@pytest.mark.parametrize(
    ("path", "values", "problem"),
    [
        ("app", {"data_offset": 0}, "no proper place"),
        ("app", {"data_offset": 1}, "no proper place"),
        ("app", {"stored_size": 100}, "lies outside"),
        ("app", {"data_offset": 2**64 - 1, "stored_size": 2**64 - 1}, "lies outside"),
        ("app", {"size": 1}, "lies outside"),
        ("app/main.py", {"parent": 5}, "no proper place"),
        ("app/main.py", {"base_offset": 3}, "no proper place"),
        ("app/main.py", {"base_offset": 11}, "no proper place"),
        ("app/main.py", {"data_offset": 0}, "lies outside"),
        ("app/main.py", {"stored_size": 2**64 - 1, "size": 2**64 - 1}, "lies outside"),
        ("app/main.py", {"size": 5}, "lies outside"),
        ("app/main.py", {"encoding": 2}, "encoding"),
        ("app/main.py", {"encoding": 1, "size": 0}, "lies outside"),
        ("app/main.py", {"encoding": 1, "size": 2**64 - 1}, "lies outside"),
        ("app", {"encoding": 1}, "lies outside"),
        ("app/main.py", {"reserved": 1}, "encoding"),
        ("app/main.py", {"mode": 0o060644}, "lies outside"),
        ("app/main.py", {"path_offset": 2**32 - 1}, "outside the name pool"),
        ("app/main.py", {"path_length": 2**16 - 1}, "outside the name pool"),
        ("", {"mode": 0o100644}, "no proper place"),
    ],
)
def test_nodes_that_do_not_hold(path: str, values: dict[str, int], problem: str) -> None:
    image = icecube.Image(with_node(path, **values))
    with pytest.raises(IcecubeError, match=problem):
        list(image.nodes())


def test_an_index_that_names_no_record() -> None:
    image = bytearray(IMAGE)
    header = icecube.Image(IMAGE).header
    image[header.path_index_offset : header.path_index_offset + 4 * header.path_buckets] = b"\xff" * 4 * header.path_buckets
    with pytest.raises(IcecubeError, match="an index names a record that does not exist"):
        icecube.Image(bytes(image)).find("app")


def test_an_index_without_an_end_is_searched_once() -> None:
    image = bytearray(IMAGE)
    header = icecube.Image(IMAGE).header
    struct.pack_into(f"<{header.path_buckets}I", image, header.path_index_offset, *itertools.repeat(1, header.path_buckets))
    assert icecube.Image(bytes(image)).find("nothing") is None


def _damage_blob(image: icecube.Image) -> int:
    node = image.find("app/data/x")
    assert node is not None
    return node.data_offset


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (_damage_blob, "SHA-256"),
        (lambda image: image.header.settings_offset, "SHA-256"),
        (lambda image: image.header.nodes_offset, "SHA-256"),
        (lambda image: image.header.data_offset - 1, "SHA-256"),
    ],
)
def test_verify_finds_damage_anywhere(place: Callable[[icecube.Image], int], problem: str) -> None:
    image = bytearray(IMAGE)
    image[place(icecube.Image(IMAGE))] ^= 1
    with pytest.raises(IcecubeError, match=problem):
        icecube.Image(bytes(image)).verify()


def test_damage_says_what_and_where() -> None:
    image = bytearray(IMAGE)
    at = _damage_blob(icecube.Image(IMAGE))
    image[at] ^= 1
    reader = icecube.Image(bytes(image))
    node = reader.find("app/data/x")
    assert node is not None
    with pytest.raises(IcecubeError) as caught:
        reader.data(node)
    assert caught.value.offset == at
    message = f"the content of 'app/data/x' is damaged: its checksum does not match (at byte {at} of the image)"
    assert str(caught.value) == message
