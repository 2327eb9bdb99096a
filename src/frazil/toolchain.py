"""The C compiler of this machine: found, identified and run.

``CC`` is honoured, as builders of extension modules do, but only if what it names proves to make programs for Linux x86-64.
All other variables that steer compilers (``CFLAGS``, ``CPATH``, ``LIBRARY_PATH`` and the like) are withheld, so that the same
inputs give the same launcher.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.cache import digest
from frazil.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frazil.cache import ContentCache

_TIMEOUT: Final = 600
_ROOM: Final = 1 << 16
"""Bytes; a disk with less is taken for full."""
_DETAILS: Final = 4000
# What a compiler needs to run; everything else could change what it makes.
_KEPT: Final = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "ZIG_GLOBAL_CACHE_DIR", "LD_LIBRARY_PATH")
INSTALL_HINT: Final = "Install one with `apt install gcc libc6-dev`, or `pip install frazil[zig]`."


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler that makes programs for Linux x86-64."""

    command: tuple[str, ...]
    version: str
    """The first line of ``--version``."""
    target: str
    """Such as ``x86_64-linux-gnu``."""
    zig: bool
    identity: str
    """A digest for cache keys."""

    def compile_c(self, sources: Sequence[Path], flags: Sequence[str], output: Path) -> None:
        """Make ``output`` of ``sources`` (C files, objects and archives). Raises HostError with the compiler's output."""
        words = [*self.command, *self._own_flags(), *flags, *(os.fspath(one) for one in sources), "-o", os.fspath(output)]
        name = sources[0].name if len(sources) == 1 else output.name
        _run(words, f"the compiler could not make {name}")

    def link(self, words: Sequence[str], output: Path) -> None:
        """Link ``output``; ``words`` are passed on in their order, which matters. Raises HostError with the linker's output."""
        _run([*self.command, *self._own_flags(), *words, "-o", os.fspath(output)], f"the linker could not make {output.name}")

    def for_cxx(self) -> Compiler:
        """The driver that compiles and links C++; of gcc and clang the C driver does, where it is told what to link."""
        return replace(self, command=(self.command[0], "c++")) if self.zig else self

    @property
    def name(self) -> str:
        """Name and version, such as ``gcc 12.2.0``."""
        kind = "zig" if self.zig else "clang" if "clang" in self.version.lower() else "gcc"
        numbers = re.findall(r"\d+(?:\.\d+)+", self.version)
        return f"{kind} {numbers[-1] if kind == 'gcc' else numbers[0]}" if numbers else kind

    def file(self, name: str) -> Path | None:
        """A file that the linker would find by this name, such as ``libz.a``; None when there is none."""
        return self._asked(f"-print-file-name={name}")

    def program(self, name: str) -> Path | None:
        """A program of the compiler's own tools, such as ``objcopy``; None when there is none."""
        found = self._asked(f"-print-prog-name={name}")
        return found or next((Path(one) for one in [shutil.which(name)] if one), None) if not self.zig else None

    def _asked(self, question: str) -> Path | None:
        if self.zig:  # it has neither files nor programs beside it
            return None
        answer = _run([*self.command, question], "the compiler does not tell where its files are").strip()
        return Path(answer) if answer.startswith("/") and Path(answer).exists() else None

    def _own_flags(self) -> tuple[str, ...]:
        # Without these zig compiles for this very processor and lets undefined behaviour trap.
        return ("-mcpu=baseline", "-fno-sanitize=undefined") if self.zig else ()


def find_compiler(cache: ContentCache, environment: Mapping[str, str] | None = None) -> Compiler:
    """The compiler to use: what ``CC`` names, else ``cc``, else the ``ziglang`` package. Raises HostError if there is none."""
    variables = os.environ if environment is None else environment
    path = variables.get("PATH", os.defpath)
    if variables.get("CC", "").strip():
        return _named(variables["CC"], path, cache)
    problems = []
    for words in (_on_path(["cc"], path), _ziglang()):
        if words is None:
            continue
        try:
            return _identified(words, cache)
        except HostError as error:
            problems.append(str(error))
    problem = "no C compiler works on this machine" if problems else "there is no C compiler on this machine"
    raise HostError(problem, details="\n".join(problems), remedy=INSTALL_HINT)


def _named(value: str, path: str, cache: ContentCache) -> Compiler:
    remedy = "Unset CC, or let it name a compiler for this machine."
    try:
        words = _on_path(shlex.split(value), path)
    except ValueError as error:
        raise HostError(f"CC cannot be understood: {error}", where=value, remedy=remedy) from error
    if words is None:
        raise HostError("the environment variable CC names no program", where=value, remedy=remedy)
    try:
        return _identified(words, cache)
    except HostError as error:
        raise HostError(error.problem, where=f"CC={value}", remedy=remedy, details=error.details) from error


def _on_path(words: Sequence[str], path: str) -> tuple[str, ...] | None:
    # Directories relative to the current one are no place to take a compiler from.
    safe = os.pathsep.join(one for one in path.split(os.pathsep) if one.startswith("/"))
    found = shutil.which(words[0], path=safe) if words else None
    return (found, *words[1:]) if found is not None and Path(found).is_absolute() else None


def _ziglang() -> tuple[str, ...] | None:
    # `python -m ziglang cc` starts this very program; starting it directly spares an interpreter for each call.
    spec = importlib.util.find_spec("ziglang")
    for directory in (spec.submodule_search_locations or ()) if spec is not None else ():
        program = Path(directory, "zig")
        if os.access(program, os.X_OK):
            return (os.fspath(program), "cc")
    return None


def _identified(words: tuple[str, ...], cache: ContentCache) -> Compiler:
    real = Path(words[0]).resolve()
    try:
        status = real.stat()
    except OSError as error:
        raise HostError(f"the compiler cannot be read: {error.strerror}", where=words[0]) from error
    key = digest(*words, os.fspath(real), f"{status.st_size}:{status.st_mtime_ns}")
    stored = cache.read("compiler", key)
    try:
        version, target = json.loads(stored) if stored is not None else _identify(words)
    except (ValueError, TypeError):
        version, target = _identify(words)  # a damaged entry is made again
    if stored is None:
        cache.write("compiler", key, json.dumps([version, target]).encode())
    if not target.startswith("x86_64") or "linux" not in target or "musl" in target:
        problem = f"this compiler makes programs for {target}, not for Linux x86_64 with glibc"
        raise HostError(problem, where=words[0])
    zig = Path(words[0]).name == "zig"
    return Compiler(words, version, target, zig, digest(*words, os.fspath(real), key, version, target))


def _identify(words: tuple[str, ...]) -> tuple[str, str]:
    version = _run([*words, "--version"], "the compiler does not tell its version").splitlines()
    if Path(words[0]).name == "zig":
        # It names the target of the clang inside; what it compiles for is this machine with its glibc.
        return version[0], f"{platform.machine()}-linux-gnu.{'.'.join(platform.libc_ver()[1:])}"
    target = _run([*words, "-dumpmachine"], "the compiler does not tell what it compiles for").strip()
    return (version[0] if version else "unknown"), target


def run_tool(words: Sequence[str], problem: str) -> str:
    """Run a tool that belongs to the compiler, in its environment. Raises HostError with what it printed."""
    return _run(words, problem)


def _run(words: Sequence[str], problem: str) -> str:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
    try:
        result = subprocess.run(
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT, check=False, env=environment
        )
    except OSError as error:
        raise HostError(f"{problem}: {error.strerror}", where=words[0], remedy=INSTALL_HINT) from error
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{problem} within {_TIMEOUT} seconds", where=words[0]) from error
    if result.returncode != 0:
        output = result.stderr.decode(errors="replace") + result.stdout.decode(errors="replace")
        remedy = "Free some space, or name other directories in FRAZIL_CACHE_DIR and TMPDIR." if _is_full(words) else ""
        raise HostError(problem, where=words[0], details=output[-_DETAILS:], remedy=remedy)
    return result.stdout.decode(errors="replace")


def _is_full(words: Sequence[str]) -> bool:
    """Whether there is no room for the compiler's result or its temporary files; its own messages do not always say so."""
    places = [Path(tempfile.gettempdir()), *(Path(words[at + 1]).parent for at, word in enumerate(words[:-1]) if word == "-o")]
    with contextlib.suppress(OSError):
        return any(shutil.disk_usage(place).free < _ROOM for place in places)
    return False
