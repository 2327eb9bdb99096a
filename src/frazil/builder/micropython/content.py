"""``frozen_content.c``, what a firmware is built with: the string part is ours, the bytecode part is the firmware's own tool's.

The file is made again exactly when something that it depends on has other content: sources, the list of them, levels, flags,
mpy-cross, mpy-tool.py or the firmware's table of strings. All of that is one key in the content cache. Times count for nothing,
and a file that would not change keeps its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.bytecode import read_content
from frazil.builder.micropython import strings
from frazil.builder.micropython.entries import read_entry, write_entry
from frazil.builder.micropython.mpy_cross import read_mpy
from frazil.cache import digest, file_digest, replace_file
from frazil.errors import HostError, OutputError, SourceError, UsageError
from frazil.frozen import Dialect, Kind, with_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from frazil.builder.micropython.mpy_cross import CrossCompiler
    from frazil.cache import ContentCache
    from frazil.frozen import FrozenModule

_KIND: Final = "frozen-content"
_FORMAT: Final = "1"
"""Raised when the same modules come to other C."""
_TOOL: Final = "tools/mpy-tool.py"
_TOOL_FILES: Final = (_TOOL, "py/makeqstrdata.py")
_STRINGS: Final = "genhdr/qstrdefs.preprocessed.h"
_BYTECODE: Final = "frozen_mpy"
_DETAILS: Final = 8000

_HEAD: Final = "//\n// Content for MICROPY_MODULE_FROZEN_STR\n//\n"
_MIDDLE: Final = "//\n// Content for MICROPY_MODULE_FROZEN_MPY\n//\n"
_NOTHING: Final = """\
#include "py/emitglue.h"
extern const qstr_pool_t mp_qstr_const_pool;
const qstr_pool_t mp_qstr_frozen_const_pool = {{
    .prev = (qstr_pool_t *)&mp_qstr_const_pool,
    .total_prev_len = MP_QSTRnumber_of,
}};
const char mp_frozen_names[] = {{ MP_FROZEN_STR_NAMES "\\0" }};
const {element} *const mp_frozen_mpy_content[] = {{ NULL }};
"""
_ELEMENTS: Final = {Dialect.OLD: "mp_raw_code_t", Dialect.CURRENT: "mp_frozen_module_t"}


@dataclass(frozen=True, slots=True)
class Firmware:
    """What belongs to the firmware's build."""

    source: Path | None
    """MicroPython's source tree, ``$(MPY_DIR)``."""
    build: Path
    """Where the build leaves ``genhdr/``; ours is ``frozen_mpy/`` in it."""
    tool_flags: tuple[str, ...] = ()
    dialect: Dialect = Dialect.CURRENT


@dataclass(frozen=True, slots=True)
class ContentResult:
    """What was done. ``inputs`` are the files that the result depends on, apart from manifests."""

    changed: bool
    size: int
    inputs: tuple[Path, ...]
    messages: str = ""
    """What mpy-tool.py said while it worked."""


def freeze_content(
    modules: Sequence[FrozenModule], output: Path, firmware: Firmware, compiler: CrossCompiler | None, cache: ContentCache
) -> ContentResult:
    """Write ``output`` unless it is what it should be. ``compiler`` may be None when no module is source.

    Raises SourceError, UsageError, HostError, or OutputError; the old output then stays.
    """
    bytecode = [module for module in modules if module.kind in {Kind.SOURCE, Kind.MPY}]
    _require_ascii(bytecode)
    tools = _tools(firmware) if bytecode else ()
    texts = [(module.target, read_content(module.path)) for module in modules if module.kind is Kind.STRING]
    key = digest(
        _FORMAT,
        firmware.dialect.value,
        *firmware.tool_flags,
        *map(_digest_of, tools),
        *(part for target, data in texts for part in ("str", target, data)),
        *(part for module in bytecode for part in _described(module, compiler)),
    )
    stored = read_entry(cache, _KIND, key)
    messages = ""
    if stored is None:
        made, messages = _bytecode_part(bytecode, firmware, compiler)
        stored = (_HEAD + strings.string_part(texts) + _MIDDLE).encode() + made
        write_entry(cache, _KIND, key, stored)
    files = [module.path for module in modules if module.kind is not Kind.C_MODULE]
    return ContentResult(write_if_different(output, stored), len(stored), tuple(dict.fromkeys([*files, *tools])), messages)


def write_if_different(output: Path, data: bytes) -> bool:
    """Write a file, unless it holds this already; whether it was written. Raises OutputError."""
    try:
        if output.is_dir():
            raise OutputError("this is a directory, and a file is to be written", where=output)
        if output.exists() and output.stat().st_size == len(data) and output.read_bytes() == data:
            return False
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(output, data)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", where=output) from error
    return True


def _require_ascii(modules: Iterable[FrozenModule]) -> None:
    for module in modules:
        if not module.target.isascii() or not module.target.isprintable():
            problem = f"{module.target!r}: names of modules in a firmware are ASCII"
            raise SourceError(problem, where=module.place, remedy="Rename the file.")


def _tools(firmware: Firmware) -> tuple[Path, ...]:
    """mpy-tool.py, what it imports, and the firmware's table of strings."""
    if firmware.source is None:
        remedy = "Say where MicroPython's source is with -v MPY_DIR=DIRECTORY."
        raise UsageError("bytecode is made C by the firmware's own mpy-tool.py, and $(MPY_DIR) is not given", remedy=remedy)
    tool, header = firmware.source / _TOOL, firmware.build / _STRINGS
    if not tool.is_file():
        raise UsageError("no such file", where=tool, remedy="$(MPY_DIR) must be MicroPython's source tree.")
    if not header.is_file():
        remedy = "The firmware's build makes it; name the build's directory with -b."
        raise UsageError("no such file", where=header, remedy=remedy)
    others = [firmware.source / name for name in _TOOL_FILES[1:] if (firmware.source / name).is_file()]
    return (tool, *others, header)


def _digest_of(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise HostError(f"cannot be read: {error.strerror}", where=path) from error


def _described(module: FrozenModule, compiler: CrossCompiler | None) -> tuple[str | bytes, ...]:
    if module.kind is Kind.MPY:
        return ("mpy", module.target, read_mpy(module))
    source = with_version(read_content(module.path), module.version)
    return ("py", _required(compiler).key(module, source))


def _required(compiler: CrossCompiler | None) -> CrossCompiler:
    if compiler is None:
        raise HostError("there is no mpy-cross")
    return compiler


def _bytecode_part(modules: Sequence[FrozenModule], firmware: Firmware, compiler: CrossCompiler | None) -> tuple[bytes, str]:
    """C for the bytecode, and what the tool said."""
    if not modules:
        return _NOTHING.format(element=_ELEMENTS[firmware.dialect]).encode(), ""
    compiled = _required(compiler).compile(modules) if any(module.kind is Kind.SOURCE for module in modules) else {}
    with _places(firmware) as directory:
        files = []
        kept = set()
        for module in modules:
            place = module.path
            if module.kind is Kind.SOURCE:
                place = directory / f"{module.target.removesuffix('.py')}.mpy"
                kept.add(place)
                write_if_different(place, compiled[module.target])
            files.append(place)
        _drop_stale(directory, kept)
        return _run_tool(files, firmware)


@contextmanager
def _places(firmware: Firmware) -> Iterator[Path]:
    """Where bytecode stands while the tool reads it: in the build's directory, where other tools look for it."""
    if firmware.build.is_dir():
        yield firmware.build / _BYTECODE
        return
    with tempfile.TemporaryDirectory(prefix="frazil-mpy-") as scratch:
        yield Path(scratch)


def _drop_stale(directory: Path, kept: set[Path]) -> None:
    for file in sorted(directory.rglob("*.mpy")):
        if file not in kept and not file.is_dir():
            file.unlink(missing_ok=True)


def _run_tool(files: Sequence[Path], firmware: Firmware) -> tuple[bytes, str]:
    tool, *_, header = _tools(firmware)
    # Nothing of the environment decides what comes out, nor does the tool leave anything in the source tree.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    python = sys.executable or shutil.which("python3") or "python3"
    command = [python, str(tool), "-f", "-q", str(header), *firmware.tool_flags, *map(str, files)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    except OSError as error:
        raise HostError(f"cannot be started: {error.strerror}", where=tool) from error
    said = done.stderr.decode(errors="backslashreplace").strip()
    if done.returncode != 0:
        text = (said or done.stdout.decode(errors="backslashreplace"))[-_DETAILS:]
        raise HostError(f"mpy-tool.py failed with {done.returncode}", where=tool, details=text)
    return done.stdout, said


def dependencies(output: Path, inputs: Iterable[Path | str]) -> bytes:
    """Rules for make: ``output`` depends on ``inputs``, and an input that is gone is no error (as gcc's -MD -MP)."""
    names = [_escaped(str(one)) for one in dict.fromkeys(inputs)]
    target = _escaped(str(output))
    rule = " \\\n  ".join([f"{target}:", *names])
    return "\n".join([rule, *(f"\n{name}:" for name in names), ""]).encode("utf-8", "surrogateescape")


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("$", "$$").replace("#", "\\#").replace(" ", "\\ ").replace(":", "\\:")
