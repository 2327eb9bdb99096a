"""Writes an image without a program around it, for people who link their own: an assembler source, or an object file.

The image stands in the section ``.frazil.image``, on a page, from the symbol ``frazil_image`` to ``frazil_image_end``;
``frazil_image_size`` holds its size as eight bytes. Never a C array: a compiler needs a hundred times the memory and time.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.elf import IMAGE_SECTION, PAGE, write_output
from frazil.builder.host import Form
from frazil.errors import OutputError, UsageError
from frazil.toolchain import find_compiler
from icecube import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frazil.builder.host import Host
    from frazil.cache import ContentCache

IMAGE_SUFFIX: Final = ".icecube"
_PLAIN: Final = 0o644

_SOURCE: Final = """\
/* The image of {name}. Assemble this where {image} stands, or say where it stands with -Wa,-I,DIRECTORY. */
        .section {section}, "a", @progbits
        .balign {page}
        .globl frazil_image
        .type frazil_image, @object
        .size frazil_image, {size}
frazil_image:
        .incbin "{included}"
        .globl frazil_image_end
frazil_image_end:

        .section .rodata, "a", @progbits
        .balign 8
        .globl frazil_image_size
        .type frazil_image_size, @object
        .size frazil_image_size, 8
frazil_image_size:
        .quad {size}

        .section .note.GNU-stack, "", @progbits
"""


_SOURCE_START: Final = _SOURCE[: _SOURCE.index("{")].encode()
_NAMES: Final = 4096
"""Bytes at the end of an object file that are looked at."""


def image_path(output: Path) -> Path:
    """Where the image stands that the assembler source ``output`` includes."""
    return output.with_suffix(IMAGE_SUFFIX)


def is_emitted(path: Path) -> bool:
    """Whether frazil wrote that file: an image, an assembler source or an object file."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SOURCE_START))
            if start == _SOURCE_START or start.startswith(layout.MAGIC):
                return True
            return start.startswith(b"\x7fELF") and _has_section(path.read_bytes())
    except OSError:
        return False


def _has_section(data: bytes) -> bool:
    # Names of sections and symbols stand at the end of an object file, each behind a zero byte.
    tail = data[-_NAMES:]
    return f"\0{IMAGE_SECTION}\0".encode() in tail and b"\0frazil_image\0" in tail


def emit(name: str, image: bytes, host: Host) -> int:
    """Write ``host.output`` in the form that the host wants, no executable; its size. Raises FrazilError."""
    if host.form is Form.ASSEMBLER:
        beside = image_path(host.output)
        if beside.is_file() and not is_emitted(beside):
            problem = "the image would take the place of this file, which is none"
            raise OutputError(problem, where=beside, remedy="Name another place with -o.")
        if beside == host.output:
            problem = f"a name that ends in {IMAGE_SUFFIX} is taken by the image"
            raise UsageError(problem, where=host.output, remedy="Name an assembler source with -o, such as program.S")
        write_output([image], beside, _PLAIN)
        text = _source(name, beside.name, beside.name, len(image)).encode()
        write_output([text], host.output, _PLAIN)
        return len(text) + len(image)
    with image_object(image, host.cache) as made:
        data = made.read_bytes()
    write_output([data], host.output, _PLAIN)
    return len(data)


@contextlib.contextmanager
def image_object(image: bytes, cache: ContentCache) -> Iterator[Path]:
    """An object file with an image, there as long as the context. Raises HostError."""
    compiler = find_compiler(cache)
    with tempfile.TemporaryDirectory(prefix="frazil-") as directory:
        whole, source, made = (Path(directory, one) for one in ("program.icecube", "program.s", "program.o"))
        whole.write_bytes(image)
        source.write_text(_source("a program", whole.name, str(whole), len(image)))
        compiler.compile_c([source], ["-c"], made)
        yield made


def _source(name: str, image: str, included: str, size: int) -> str:
    quoted = included.replace("\\", "\\\\").replace('"', '\\"')
    shown = [one.replace("*/", "* /") for one in (name, image)]
    return _SOURCE.format(name=shown[0], image=shown[1], section=IMAGE_SECTION, page=PAGE, included=quoted, size=size)
