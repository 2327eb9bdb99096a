from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import icecube
from icecube import Entry, Module, layout

GOLDEN = Path(__file__).parent / "golden"
MTIME = 1_700_000_000_123_456_789

SMALLEST = icecube.write([])
TREE = icecube.write(
    [
        Entry("a/b/c", b"deep"),
        Entry("a/link", b"b/c", link=True),
        Entry("a/same", b"deep", permissions=0o755, mtime_ns=MTIME),
        Entry("empty", b""),
        Entry("n\u00e4me", b"not ASCII"),
        Entry("bytes-\udcff", b"not UTF-8"),
        Entry("old", b"before 1970", mtime_ns=-1),
    ],
    directories={"nothing/inside": MTIME, "a": 7},
    mtime_ns=MTIME,
)
PROGRAM = icecube.write(
    [
        Entry("app/hello.py", b"print('hello')\n"),
        Entry("app/__pycache__/hello.cpython-311.pyc", b"\xa7\r\r\n" + bytes(12) + b"code", group=0),
        Entry("app/pkg/__init__.pyc", b"\xa7\r\r\n" + bytes(12) + b"package"),
        Entry("lib/python3.11/lib-dynload/_x.so", b"\x7fELF", page_aligned=True),
        Entry("lib/python3.11/codecs.py", b""),
    ],
    [
        Module("hello", "app/hello.py", "app", code="app/__pycache__/hello.cpython-311.pyc"),
        Module("pkg", "app/pkg/__init__.pyc", "app", code="app/pkg/__init__.pyc", package=True),
        Module("_x", "lib/python3.11/lib-dynload/_x.so", "lib/python3.11/lib-dynload", extension=True),
        Module("codecs", "lib/python3.11/codecs.py", "lib/python3.11"),
        Module("bin/hello", "app/hello.py", "app"),
    ],
    {"name": "hello", "python": "3.11", "link": "static", "empty": "", "entry": "1", "path": "app:lib/python3.11"},
)

# Streams as some zlib made them: what others make of the same content would be another image.
FIXED_BLOCK = bytes.fromhex("2bc957484a55c82f52c8cb2f512801717420148a1800")
STORED_AND_FIXED = bytes.fromhex(
    "001100eeff73746f7265642061732069742069732c20000000ffff4bcc4b5128c948cd53485448cbac484d5148cac94fced65148c42a0e00"
)
LONG_CODES = bytes.fromhex(
    "05c18101c3300cc3b0dbd636b125f2ff7b06fc9ef7fdbeef9c73cebdf7de7befcccccccccccceceeeeeeeeeeeeeeeeee6e92244992244992"
    "2449922449d2b66ddbb66ddbb66ddbb66ddbb66ddbb66ddbb66d010000000000000000000000000000000000000000005055555555555555"
    "55555555555555555555555555555555555555555555555555555555fd03"
)
REPETITIONS = bytes.fromhex(
    "3590c10dc3300c03ff99c223c4922cdb03a54081a0ddff1788647e24241d69dfdfdfd5cef6ffb4f3b84bf7d29d3a4a2fea5ddaa696b25c06"
    "9d8d729e748e99eb2c7037354b105394c52c394780928dd1439009a416a701f26e82af260ee232a56126b351b2ab96232d5e223e401d3b89"
    "9b6e60513d369e3674157c8c1f0f"
)
STORED = icecube.write(
    [
        Entry("raw", b"raw"),
        Entry("fixed", FIXED_BLOCK, encoding=layout.ENCODING_DEFLATE, size=38),
        Entry("stored", STORED_AND_FIXED, encoding=layout.ENCODING_DEFLATE, size=63),
        Entry("long", LONG_CODES, encoding=layout.ENCODING_DEFLATE, size=376),
        Entry("repetitions", REPETITIONS, encoding=layout.ENCODING_DEFLATE, size=324),
    ],
    mtime_ns=MTIME,
)


def to_hex(image: bytes) -> str:
    """Lines of an offset and 16 bytes; what no line shows is zero; the last line is the size. ``corpus.py`` reads it."""
    lines = []
    for at in range(0, len(image), 16):
        part = image[at : at + 16]
        if any(part):
            lines.append(f"{at:04x}  {part.hex(' ')}")
    return "\n".join([*lines, f"{len(image):04x}", ""])


@pytest.mark.parametrize(("name", "image"), [("smallest", SMALLEST), ("tree", TREE), ("program", PROGRAM), ("stored", STORED)])
def test_golden_image(name: str, image: bytes) -> None:
    assert to_hex(image) == (GOLDEN / f"{name}.hex").read_text()


def test_specification_shows_the_smallest_image() -> None:
    spec = (Path(__file__).parents[2] / "docs/spec/icecube.md").read_text()
    dump = spec.split("## The smallest image", 1)[1].split("```")[1].strip()
    image = bytearray(layout.PAGE_ALIGNMENT)
    for line in dump.splitlines():
        offset, _, data = line.partition("  ")
        part = bytes.fromhex(data)
        image[int(offset, 16) : int(offset, 16) + len(part)] = part
    assert bytes(image) == SMALLEST


def test_order_of_entries_does_not_matter() -> None:
    entries = [Entry(f"d{n % 3}/f{n}", bytes([n % 5]) * n, group=n % 2, page_aligned=n % 7 == 0) for n in range(40)]
    modules = [Module(f"m{n}", f"d{n % 3}/f{n}", f"d{n % 3}") for n in range(40)]
    values = {f"s{n}": str(n) for n in range(10)}
    one = icecube.write(entries, modules, values, directories={"x": 1, "y": 2})
    two = icecube.write(entries[::-1], modules[::-1], dict(reversed(values.items())), directories={"y": 2, "x": 1})
    assert one == two


def test_hash_seed_does_not_matter() -> None:
    code = (
        "import icecube, hashlib\n"
        "names = {f'd{n}/f{n}' for n in range(50)}\n"
        "image = icecube.write([icecube.Entry(n, n.encode()) for n in names],"
        " [icecube.Module(n.replace('/', '.'), n, n.split('/')[0]) for n in names])\n"
        "print(hashlib.sha256(image).hexdigest())"
    )
    found = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout)
    assert len(found) == 1


def test_digest_covers_the_whole_image() -> None:
    blank = bytearray(PROGRAM)
    blank[112:144] = bytes(32)
    blank[188:192] = bytes(4)
    assert PROGRAM[112:144] == hashlib.sha256(blank).digest()


def test_blobs_are_aligned_and_shared() -> None:
    image = icecube.Image(TREE)
    places = {node.path: node.data_offset for node in image.nodes() if not node.is_directory}
    assert places["a/b/c"] == places["a/same"]
    assert all(place % layout.BLOB_ALIGNMENT == 0 for place in places.values())
    native = icecube.Image(PROGRAM).find("lib/python3.11/lib-dynload/_x.so")
    assert native is not None
    assert native.data_offset % layout.PAGE_ALIGNMENT == 0


def test_lower_groups_stand_first() -> None:
    image = icecube.Image(icecube.write([Entry("a", b"a" * 40, group=2), Entry("z", b"z" * 40, group=0)]))
    first, second = image.find("z"), image.find("a")
    assert first is not None
    assert second is not None
    assert first.data_offset < second.data_offset


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\0b", "x" * 4096])
def test_paths_in_no_normal_form_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        icecube.write([Entry(path, b"")])
    with pytest.raises(ValueError, match="path"):
        icecube.write([], directories={path: 0})


def test_longest_path_fits() -> None:
    path = "/".join(["x" * 255] * 16)
    assert len(path) == layout.MAX_PATH
    found = icecube.Image(icecube.write([Entry(path, b"deep")])).find(path)
    assert found is not None


def test_paths_cannot_be_used_twice() -> None:
    with pytest.raises(ValueError, match="used twice: 'a/b'"):
        icecube.write([Entry("a/b", b""), Entry("a/b", b"")])
    with pytest.raises(ValueError, match="used twice: 'a'"):
        icecube.write([Entry("a/b", b""), Entry("a", b"")])
    with pytest.raises(ValueError, match="'a' is a file and cannot hold 'a/b'"):
        icecube.write([Entry("a", b""), Entry("a/b", b"")])


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (Module("m", "no.py", "d"), "no file of the image: 'no.py'"),
        (Module("m", "d/m.py", "no"), "no directory of the image: 'no'"),
        (Module("m", "d/m.py", "d", code="no"), "no file of the image: 'no'"),
        (Module("m", "d", "d"), "no file of the image: 'd'"),
        (Module("m", "d/m.py", "d/m.py"), "no directory of the image: 'd/m.py'"),
        (Module("", "d/m.py", "d"), "no name for a module"),
        (Module("m\0", "d/m.py", "d"), "no name for a module"),
        (Module("m" * 5000, "d/m.py", "d"), "no name for a module"),
    ],
)
def test_modules_must_name_what_is_there(module: Module, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        icecube.write([Entry("d/m.py", b"")], [module])


def test_modules_cannot_be_used_twice() -> None:
    with pytest.raises(ValueError, match="module used twice: 'm'"):
        icecube.write([Entry("d/m.py", b"")], [Module("m", "d/m.py", "d")] * 2)


@pytest.mark.parametrize("values", [{"": "x"}, {"a\0": "x"}, {"a": "x\0"}])
def test_settings_without_zero_bytes(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a setting holds a zero byte or has no name"):
        icecube.write([], settings=values)


def _text(data: bytes) -> str:
    return data.replace(b"\0", b"0").decode("utf-8", "surrogateescape")


_TEXT = st.binary(max_size=8).map(_text) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
)
_COMPONENT = _TEXT.map(lambda text: text.replace("/", "|")).filter(lambda text: text not in {"", ".", ".."})
_FILES = st.dictionaries(
    st.lists(_COMPONENT, min_size=1, max_size=4).map("/".join), st.tuples(st.binary(max_size=64), st.booleans()), max_size=12
)


def _without_files_in_the_way(files: dict[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    return {path: value for path, value in files.items() if not any(other.startswith(path + "/") for other in files)}


@settings(max_examples=60, deadline=None)
@given(
    _FILES.map(_without_files_in_the_way),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
        _TEXT,
        max_size=6,
    ),
    st.integers(-(2**63), 2**63 - 1),
)
def test_what_was_written_is_read(files: dict[str, tuple[bytes, bool]], values: dict[str, str], mtime: int) -> None:
    entries = [Entry(path, data, page_aligned=aligned, mtime_ns=mtime) for path, (data, aligned) in files.items()]
    image = icecube.Image(icecube.write(entries, settings=values))
    image.verify()
    assert image.settings() == values
    read = {node.path: bytes(image.data(node)) for node in image.nodes() if not node.is_directory}
    assert read == {path: data for path, (data, _) in files.items()}
    for path, (data, _) in files.items():
        node = image.find(path)
        assert node is not None
        assert (node.size, node.mtime_ns) == (len(data), mtime)
        assert node in image.children(image.node(node.parent))


def test_encoded_files_read_as_their_content() -> None:
    image = icecube.Image(STORED)
    image.verify()
    content = {node.path: bytes(image.data(node)) for node in image.nodes() if not node.is_directory}
    numbers = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144]
    assert content == {
        "raw": b"raw",
        "fixed": b"to be or not to be, to be or not to be",
        "stored": b"stored as it is, and then a fixed block, and then a fixed block",
        "long": b"".join(bytes([65 + at]) * number for at, number in enumerate(numbers)),
        "repetitions": b"".join(b"line %d of %d\n" % (n * n % 97, n**3 % 89) for n in range(24)),
    }


@given(st.binary(max_size=200), st.integers(1, 200))
def test_encoding_saves_an_eighth_or_is_not_used(part: bytes, times: int) -> None:
    data = part * times
    encoding, stored = icecube.encode(data)
    if encoding == layout.ENCODING_RAW:
        assert stored == data
    else:
        assert 8 * (len(data) - len(stored)) >= len(data) > 0
    image = icecube.Image(icecube.write([Entry("file", stored, encoding=encoding, size=len(data))]))
    node = image.find("file")
    assert node is not None
    assert (node.size, node.stored_size, node.encoding) == (len(data), len(stored), encoding)
    assert image.data(node) == data


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a", b"raw", size=4),
        Entry("a", FIXED_BLOCK, encoding=layout.ENCODING_DEFLATE),
        Entry("a", FIXED_BLOCK, encoding=layout.ENCODING_DEFLATE, size=0),
        Entry("a", FIXED_BLOCK, encoding=layout.ENCODING_DEFLATE, size=len(FIXED_BLOCK) * layout.DEFLATE_RATIO + 1),
        Entry("a", FIXED_BLOCK, encoding=2, size=38),
        Entry("a", FIXED_BLOCK, encoding=layout.ENCODING_DEFLATE, size=38, link=True),
        Entry("a", FIXED_BLOCK, encoding=layout.ENCODING_DEFLATE, size=38, page_aligned=True),
    ],
)
def test_writer_refuses_what_readers_would(entry: Entry) -> None:
    with pytest.raises(ValueError, match="cannot have"):
        icecube.write([entry])
