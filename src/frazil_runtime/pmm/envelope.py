"""The envelope of a module outside the executable (``docs/spec/pmm.md``, "The envelope"): writer and reader.

This file does no I/O. No byte reaches ``marshal`` before the digest holds.
"""

import marshal
from _frozen_importlib_external import MAGIC_NUMBER

from frazil_runtime.pmm.errors import EnvelopeError
from frazil_runtime.pmm.keys import LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

MAGIC = b"\x89FRZPMM\n"
MAJOR = 1
MINOR = 0
PACKAGE = 1
HEADER_SIZE = 72

_DIGEST_AT = 40
PYTHON_AT = 12
"""Where the magic number of the Python stands."""
_MAGIC_END = b"\r\n"
# Magic numbers by release: 3.11 began with 3450 and each minor version since keeps fifty (CPython, Lib/importlib).
_PYTHON_BASE = 3450
_PYTHON_STEP = 50
_PYTHON_FIRST = 11
_PYTHON_LAST = 30
_NO_MODULE_FLAGS = 0x0001 | 0x0002 | 0x0004 | 0x0008 | 0x0020 | 0x0080 | 0x0200
"""Flags of ``co_flags`` that only functions have: optimized, new locals, varargs, varkeywords, generators and coroutines."""


class Envelope:
    """A PMM whose digest holds, not yet unmarshalled."""

    __slots__ = ("code", "package", "source")

    def __init__(self, code: bytes, source: "bytes | None", *, package: bool) -> None:
        self.code = code
        self.source = source
        self.package = package

    def module_code(self) -> "CodeType":
        """The module's code object. Raises EnvelopeError when the code is none."""
        try:
            code = marshal.loads(self.code)  # noqa: S302 - its digest holds
        except (ValueError, EOFError, TypeError) as error:
            msg = f"its code cannot be unmarshalled: {error}"
            raise EnvelopeError(msg) from None
        kind = type(code).__name__
        if kind != "code":
            msg = f"it holds no code but an object of type {kind}"
            raise EnvelopeError(msg)
        module: CodeType = code
        arguments = module.co_argcount or module.co_kwonlyargcount or module.co_freevars
        if module.co_name != "<module>" or arguments or module.co_flags & _NO_MODULE_FLAGS:
            msg = f"its code is that of {module.co_name}, not of a module"
            raise EnvelopeError(msg)
        return module


def seal(code: bytes, *, package: bool = False, source: bytes = b"", python: bytes = MAGIC_NUMBER) -> bytes:
    """The PMM of marshalled module code; ``python`` is the magic number of the Python that marshalled it."""
    from frazil_runtime.pmm.digest import sha256  # only where there is a module: it is an extension module

    head = MAGIC + MAJOR.to_bytes(2, "little") + MINOR.to_bytes(2, "little") + python
    head += (PACKAGE if package else 0).to_bytes(4, "little") + bytes(4)
    head += len(code).to_bytes(8, "little") + len(source).to_bytes(8, "little")
    if HEADER_SIZE + len(code) + len(source) > LIMIT:
        msg = f"it would have {HEADER_SIZE + len(code) + len(source)} bytes, and {LIMIT} is the limit"
        raise EnvelopeError(msg)
    return head + sha256(head + code + source).digest() + code + source


def read(data: bytes, python: bytes = MAGIC_NUMBER) -> Envelope:
    """The envelope of a whole PMM. Raises EnvelopeError, whose message says why; see the specification for the order."""
    from frazil_runtime.pmm.digest import sha256  # likewise

    if len(data) < HEADER_SIZE:
        msg = f"it ends after {len(data)} bytes, within its header"
        raise EnvelopeError(msg)
    _check_kind(data, python)
    code_size, source_size = _number(data, 24, 8), _number(data, 32, 8)
    declared = HEADER_SIZE + code_size + source_size
    if declared != len(data):
        relation = "ends too early" if declared > len(data) else "goes on after its end"
        msg = f"it {relation}: it says it has {declared} bytes, and has {len(data)}"
        raise EnvelopeError(msg)
    state = sha256(data[:_DIGEST_AT])
    state.update(memoryview(data)[HEADER_SIZE:])
    if state.digest() != data[_DIGEST_AT:HEADER_SIZE]:
        msg = "it is damaged: its digest does not hold"
        raise EnvelopeError(msg)
    flags = _number(data, 16, 4)
    if flags & ~PACKAGE or _number(data, 20, 4):
        msg = f"it uses what this version does not know (flags {flags:#x})"
        raise EnvelopeError(msg)
    if not code_size:
        msg = "it holds no code"
        raise EnvelopeError(msg)
    end = HEADER_SIZE + code_size
    return Envelope(data[HEADER_SIZE:end], data[end:] if source_size else None, package=bool(flags & PACKAGE))


def _check_kind(data: bytes, python: bytes) -> None:
    """Whether these are bytes of a PMM that this reader and this Python can take."""
    if not data.startswith(MAGIC):
        msg = f"it is {_taken_for(data)}, not a PMM"
        raise EnvelopeError(msg)
    major = _number(data, 8, 2)
    if major != MAJOR:
        msg = f"it has format version {major}; this program reads version {MAJOR}"
        raise EnvelopeError(msg)
    magic = data[12:16]
    if magic != python:
        msg = f"it is for {python_of(magic)}; this is {python_of(python)}"
        raise EnvelopeError(msg)


def python_of(magic: bytes) -> str:
    """Which Python a magic number is of, for people: ``Python 3.12 (magic number 3531)``."""
    number = _number(magic, 0, 2)
    if magic[2:] != _MAGIC_END:
        return f"an unknown Python (magic number {magic.hex(' ')})"
    minor = minor_of(magic)
    return f"another Python (magic number {number})" if minor is None else f"Python 3.{minor} (magic number {number})"


def minor_of(magic: bytes) -> "int | None":
    """12 for a magic number of Python 3.12; None when it is of none that is known."""
    minor = _PYTHON_FIRST + (_number(magic, 0, 2) - _PYTHON_BASE) // _PYTHON_STEP
    return minor if magic[2:] == _MAGIC_END and _PYTHON_FIRST <= minor <= _PYTHON_LAST else None


def _taken_for(data: bytes) -> str:
    """What people may have put in the place of a PMM."""
    if data[2:4] == _MAGIC_END:
        return "a .pyc file"
    if data[:1] == b"M" and data[1:2] <= b"\x1f":
        return "a .mpy file of MicroPython"
    if data.startswith(b"\x7fELF"):
        return "a native library"
    return "something else"


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
