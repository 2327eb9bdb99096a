"""The envelope: what is written is read, and nothing else is; no byte reaches marshal before the digest holds."""

from __future__ import annotations

import hashlib
import marshal
import py_compile
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from frazil_runtime.pmm import EnvelopeError, PmmError, envelope
from frazil_runtime.pmm.keys import LIMIT, is_key, is_module_name

CODE = marshal.dumps(compile("X = 1\ndef f(): return X\n", "/memfs:/<pmm>", "exec"))
SEALED = envelope.seal(CODE)


def digested(data: bytes) -> bytes:
    """The bytes with a digest that holds, whatever they say."""
    return data[:40] + hashlib.sha256(data[:40] + data[72:]).digest() + data[72:]


def field(at: int, size: int, value: int) -> bytes:
    """A good PMM in which one number is another."""
    return digested(SEALED[:at] + value.to_bytes(size, "little") + SEALED[at + size :])


def refusal(data: bytes) -> str:
    with pytest.raises(EnvelopeError) as caught:
        envelope.read(data).module_code()
    assert isinstance(caught.value, PmmError)
    assert isinstance(caught.value, ImportError)
    return str(caught.value)


def test_what_is_sealed_is_read() -> None:
    sealed = envelope.seal(CODE, package=True, source=b"X = 1\n")
    read = envelope.read(sealed)
    assert (read.code, read.source, read.package) == (CODE, b"X = 1\n", True)
    assert read.module_code() == marshal.loads(CODE)
    assert (envelope.read(SEALED).source, envelope.read(SEALED).package) == (None, False)


def test_the_bytes_are_those_of_the_specification() -> None:
    head = b"\x89FRZPMM\n\1\0\0\0" + MAGIC_NUMBER + bytes(8)
    head += len(CODE).to_bytes(8, "little") + bytes(8)
    assert head + hashlib.sha256(head + CODE).digest() + CODE == SEALED


def test_truncation_at_every_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marshal, "loads", lambda _: pytest.fail("unmarshalled"))
    for length in range(len(SEALED)):
        told = refusal(SEALED[:length])
        expected = f"it ends after {length} bytes, within its header"
        if length >= envelope.HEADER_SIZE:
            expected = f"it ends too early: it says it has {len(SEALED)} bytes, and has {length}"
        assert told == expected


def test_every_single_bit_flip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marshal, "loads", lambda _: pytest.fail("unmarshalled"))
    reasons = (
        "not a PMM",
        "format version",
        "it is for",
        "it ends too early",
        "it goes on after its end",
        "digest does not hold",
    )
    for bit in range(8 * len(SEALED)):
        flipped = bytearray(SEALED)
        flipped[bit // 8] ^= 1 << bit % 8
        told = refusal(bytes(flipped))
        assert any(reason in told for reason in reasons), (bit, told)


@pytest.mark.parametrize("tail", [b"\0", b"x" * 1000, SEALED])
def test_trailing_bytes(tail: bytes) -> None:
    size = len(SEALED)
    assert refusal(SEALED + tail) == f"it goes on after its end: it says it has {size} bytes, and has {size + len(tail)}"


@pytest.mark.parametrize("at", [24, 32])
@pytest.mark.parametrize("value", [10**6, 2**63, 2**64 - 1])
def test_a_length_past_the_end(at: int, value: int) -> None:
    assert refusal(field(at, 8, value)).startswith("it ends too early: it says it has ")


@pytest.mark.parametrize(
    ("magic", "who"),
    [
        (3495, "Python 3.11 (magic number 3495)"),
        (3531, "Python 3.12 (magic number 3531)"),
        (3571, "Python 3.13 (magic number 3571)"),
        (3439, "another Python (magic number 3439)"),
    ],
)
def test_another_python_is_named(magic: int, who: str) -> None:
    other = envelope.seal(CODE, python=magic.to_bytes(2, "little") + b"\r\n")
    if magic == int.from_bytes(MAGIC_NUMBER[:2], "little"):
        assert envelope.read(other).code == CODE
        return
    mine = f"Python 3.{sys.version_info.minor} (magic number {int.from_bytes(MAGIC_NUMBER[:2], 'little')})"
    assert refusal(other) == f"it is for {who}; this is {mine}"


def test_a_magic_number_of_no_python() -> None:
    assert "an unknown Python (magic number 01 02 03 04)" in refusal(envelope.seal(CODE, python=b"\1\2\3\4"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (field(8, 2, 2), "it has format version 2; this program reads version 1"),
        (field(16, 4, 2), "it uses what this version does not know (flags 0x2)"),
        (field(20, 4, 1), "it uses what this version does not know (flags 0x0)"),
        (digested(SEALED[:24] + bytes(16) + bytes(32)), "it holds no code"),
        (b"\x7fELF" + bytes(100), "it is a native library, not a PMM"),
        (b"M\x06\x00\x1f" + bytes(100), "it is a .mpy file of MicroPython, not a PMM"),
        (b"", "it ends after 0 bytes, within its header"),
        (bytes(100), "it is something else, not a PMM"),
    ],
)
def test_what_else_is_refused(data: bytes, told: str) -> None:
    assert refusal(data) == told


def test_a_newer_minor_version_is_read() -> None:
    assert envelope.read(field(10, 2, 7)).code == CODE


def test_a_pyc_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("print('a module that is long enough for a header of seventy-two bytes')\n")
    compiled = py_compile.compile(str(tmp_path / "x.py"), str(tmp_path / "x.pyc"))
    assert refusal(Path(str(compiled)).read_bytes()) == "it is a .pyc file, not a PMM"


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (marshal.dumps({"x": 1}), "it holds no code but an object of type dict"),
        (marshal.dumps(None), "it holds no code but an object of type NoneType"),
        (marshal.dumps((lambda: 1).__code__), "its code is that of <lambda>, not of a module"),
        (CODE[:-20], "its code cannot be unmarshalled: "),
        (b"?", "its code cannot be unmarshalled: bad marshal data"),
    ],
)
def test_a_payload_that_is_no_module(payload: bytes, told: str) -> None:
    assert refusal(envelope.seal(payload)).startswith(told)


def test_more_than_the_limit_is_not_sealed() -> None:
    with pytest.raises(EnvelopeError, match=f"it would have {LIMIT + 1} bytes, and {LIMIT} is the limit"):
        envelope.seal(bytes(LIMIT + 1 - envelope.HEADER_SIZE))


def test_names_that_cannot_be_keys() -> None:
    for name in ("telemetry", "a.b.c", "é", "_x1"):
        assert is_module_name(name)
        assert is_key(name)
    bad = ("", ".", "..", "../x", "a/b", "a\0b", "a..b", ".a", "a.", "a-b", "1a", "a b", "\udc80", "a" * 201, "é" * 101, "a\n")
    for name in bad:
        assert not is_key(name), name
    assert is_key("@index")
    assert is_key("@root.12")
    assert not is_module_name("@index")
    for name in ("@", "@a/b", "@a\0", "@é", "@" + "a" * 200):
        assert not is_key(name), name
