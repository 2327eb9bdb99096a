"""What this machine has for building and running executables, and what it lacks. Prints nothing."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.cache import ContentCache
from frazil.errors import FrazilError
from frazil.toolchain import find_compiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frazil.distribution import PythonDistribution

NOEXEC: Final = Path("/proc/sys/vm/memfd_noexec")
ROOM: Final = 256 * 1024 * 1024
"""Free space in the cache below which a build may fail."""


class State(Enum):
    """What a finding means for a build."""

    OK = "ok"
    WARNING = "warning"
    """Something is slower or smaller than it could be; builds work."""
    MISSING = "missing"
    """No build can work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, how it stands, and what to do."""

    subject: str
    state: State
    value: str
    remedy: str = ""


def _compiler(cache: ContentCache) -> Iterator[Finding]:
    try:
        compiler = find_compiler(cache)
    except FrazilError as error:
        yield Finding("compiler", State.MISSING, str(error).splitlines()[0], error.remedy)
    else:
        yield Finding("compiler", State.OK, f"{compiler.version} ({compiler.target}, {' '.join(compiler.command)})")


def _python(python: PythonDistribution | FrazilError) -> Iterator[Finding]:
    if isinstance(python, FrazilError):
        yield Finding("python", State.MISSING, str(python).splitlines()[0], python.remedy or "Name another with --python.")
        return
    yield Finding("python", State.OK, f"CPython {python.full_version} ({python.executable})")
    yield from _libpython(python)
    if python.include is not None:
        yield Finding("headers", State.OK, str(python.include))
    else:
        remedy = f"Install them (Debian: apt install libpython{python.short_version}-dev)."
        yield Finding("headers", State.MISSING, "there is no Python.h for this Python", remedy)


def _libpython(python: PythonDistribution) -> Iterator[Finding]:
    static, shared = python.static_library, python.shared_library
    none = static is None and shared is None
    remedy = f"Install it (Debian: apt install libpython{python.short_version}-dev), or name another Python with --python."
    if static is not None:
        yield Finding("libpython static", State.OK, str(static))
    else:
        yield Finding("libpython static", State.MISSING if none else State.WARNING, "not there", remedy)
    if shared is not None:
        yield Finding("libpython shared", State.OK, str(shared))
    else:
        hint = remedy if none else "Only --link shared needs it."
        yield Finding("libpython shared", State.MISSING if none else State.OK, "not there", hint)


def _small_library() -> Path | None:
    """Some shared object of this Python, to try to load from memory."""
    place = sysconfig.get_config_var("DESTSHARED")
    found = sorted(Path(place).glob("*.so"), key=lambda path: path.stat().st_size) if place else []
    return found[0] if found else None


def _memory_files() -> Iterator[Finding]:
    try:
        policy = NOEXEC.read_text().strip()
    except OSError:
        policy = "absent"
    setting = f"vm.memfd_noexec is {policy}" if policy != "absent" else "this kernel does not restrict them"
    fallback = "Executables will load native code through a cache directory here"
    try:
        handle = os.memfd_create("frazil-doctor")
    except OSError as error:
        yield Finding("memfd", State.WARNING, f"not to be had: {error.strerror} ({setting})", f"{fallback}.")
        return
    try:
        _load_from(handle)
    except OSError as error:
        remedy = f"{fallback}; vm.memfd_noexec=0 or 1 allows memory files."
        yield Finding("memfd", State.WARNING, f"cannot be loaded from: {error} ({setting})", remedy)
    else:
        yield Finding("memfd", State.OK, f"works, executable ({setting})")
    finally:
        os.close(handle)


def _load_from(handle: int) -> None:
    """Do what an executable does with an extension module; OSError when that is refused."""
    library = _small_library()
    if library is not None:
        os.write(handle, library.read_bytes())
        ctypes.CDLL(f"/proc/self/fd/{handle}", mode=os.RTLD_LAZY)


def _proc() -> Iterator[Finding]:
    if Path("/proc/self/fd").is_dir():
        yield Finding("/proc", State.OK, "mounted")
    else:
        yield Finding(
            "/proc", State.WARNING, "not mounted", "Executables will load native code through a cache directory here."
        )


def _glibc() -> Iterator[Finding]:
    name = None
    with contextlib.suppress(ValueError, OSError):
        name = os.confstr("CS_GNU_LIBC_VERSION")
    if name:
        yield Finding("C library", State.OK, name)
    else:
        yield Finding("C library", State.MISSING, "not glibc", "frazil builds for Linux x86-64 with glibc.")


def _installer(python: PythonDistribution | FrazilError) -> Iterator[Finding]:
    """Uv, or a pip: that of the Python to build with, or our own."""
    commands = [["uv", "--version"]] if shutil.which("uv") is not None else []
    if importlib.util.find_spec("uv") is not None:
        commands.append([sys.executable, "-P", "-m", "uv", "--version"])
    if not isinstance(python, FrazilError):
        commands.append([str(python.executable), "-P", "-m", "pip", "--version"])
    commands.append([sys.executable, "-P", "-m", "pip", "--version"])
    for command in commands:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            if answer.returncode == 0:
                yield Finding("installer", State.OK, answer.stdout.strip())
                return
    remedy = "Applications without dependencies build all the same; for others install uv, or use --venv."
    yield Finding("installer", State.WARNING, "neither uv nor pip", remedy)


def _cache(cache: ContentCache) -> Iterator[Finding]:
    remedy = "Name another directory in FRAZIL_CACHE_DIR."
    try:
        cache.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache.root):
            pass
        free = shutil.disk_usage(cache.root).free
        size = sum(path.lstat().st_size for path in cache.root.rglob("*") if not path.is_dir())
    except OSError as error:
        yield Finding("cache", State.MISSING, f"{cache.root}: {error.strerror or error}", remedy)
        return
    value = f"{cache.root} ({size // 2**20} MiB used, {free // 2**20} MiB free)"
    if free < ROOM:
        yield Finding("cache", State.WARNING, value, f"Free some space. {remedy}")
    else:
        yield Finding("cache", State.OK, value)


def diagnose(cache: ContentCache, describe: Callable[[ContentCache], PythonDistribution]) -> tuple[Finding, ...]:
    """All findings, in the order to read them; ``describe`` gives the Python to look at, or raises FrazilError."""
    of_cache = tuple(_cache(cache))
    with tempfile.TemporaryDirectory(prefix="frazil-doctor-") as directory:
        # What the others find out goes elsewhere when the cache is what ails.
        usable = cache if of_cache[0].state is not State.MISSING else ContentCache(Path(directory))
        python: PythonDistribution | FrazilError
        try:
            python = describe(usable)
        except FrazilError as error:
            python = error
        return (
            *_compiler(usable),
            *_python(python),
            *_glibc(),
            *_memory_files(),
            *_proc(),
            *_installer(python),
            *of_cache,
        )
