"""A Python to build with, described: where its parts stand and how it was made.

An interpreter is started once and answers with JSON; the answer is kept in the content cache together with the sizes and times
of the files it rests on, so that a later build starts no interpreter until one of them changes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil.cache import digest
from frazil.errors import DistributionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frazil.cache import ContentCache

SUPPORTED: Final = ((3, 11), (3, 12), (3, 13))
"""Versions of CPython that a launcher can embed."""

_KIND: Final = "interpreter"
_TIMEOUT: Final = 60
_ELF_MAGIC: Final = b"\x7fELF"

TEST_MODULES: Final = re.compile(r"test|_test\w+|_ctypes_test|_?xx\w+")
"""The top-level names of CPython's own tests, which ``sys.stdlib_module_names`` leaves out."""

# Runs in the interpreter that is described, whichever that is: it must parse and answer on any Python, so that a wrong one
# gets a message that names it. Prefixes come first, since the variables of a relocated build name the place it was made in.
_PROBE: Final = r"""
import json, sys
answer = {
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "version": list(sys.version_info[:3]),
    "implementation": sys.implementation.name if hasattr(sys, "implementation") else "python2",
}
if answer["implementation"] == "cpython" and sys.version_info >= (3, 8):
    import _imp, os, sysconfig, importlib.machinery, importlib.util
    v = sysconfig.get_config_vars()
    short = "%d.%d" % sys.version_info[:2] + sys.abiflags
    stdlib = os.path.dirname(os.__file__)
    def existing(names, test):
        found = []
        for name in names:
            if name and test(name) and name not in found:
                found.append(name)
        return found
    def first(names, test=os.path.isfile):
        found = existing(names, test)
        return found[0] if found else None
    multiarch = v.get("MULTIARCH") or ""
    lib = os.path.join(sys.base_exec_prefix, "lib")
    libraries = existing([lib, os.path.join(lib, multiarch), v.get("LIBDIR")], os.path.isdir)
    shared = v.get("INSTSONAME") or ""
    if ".so" not in shared:
        shared = "libpython%s.so.1.0" % short
    config = ["config-" + short + "-" + multiarch, "config-" + short]
    static = [os.path.join(stdlib, name) for name in config] + [v.get("LIBPL") or ""] + libraries
    include = [sysconfig.get_path("include"), os.path.join(sys.base_prefix, "include", "python" + short), v.get("INCLUDEPY")]
    platform_include = include + [sysconfig.get_path("platinclude"), os.path.dirname(sysconfig.get_config_h_filename())]
    answer.update(
        debug=bool(v.get("Py_DEBUG")) or hasattr(sys, "gettotalrefcount"),
        free_threaded=bool(v.get("Py_GIL_DISABLED")),
        platform=sys.platform,
        machine=os.uname().machine if sys.maxsize > 2**32 else "32-bit " + os.uname().machine,
        libc="musl" if "musl" in multiarch + (v.get("HOST_GNU_TYPE") or "") else "glibc",
        cache_tag=sys.implementation.cache_tag,
        extension_suffixes=importlib.machinery.EXTENSION_SUFFIXES,
        soabi=v.get("SOABI") or "",
        magic=importlib.util.MAGIC_NUMBER.hex(),
        stdlib=stdlib,
        dynload=first([os.path.join(stdlib, "lib-dynload"), v.get("DESTSHARED")], os.path.isdir),
        include=first(include, lambda name: os.path.isfile(os.path.join(name, "Python.h"))),
        platform_include=first(platform_include, lambda name: os.path.isfile(os.path.join(name, "pyconfig.h"))),
        static_library=first([os.path.join(name, "libpython%s.a" % short) for name in static]),
        shared_library=first([os.path.join(name, shared) for name in libraries]),
        library_directories=libraries,
        link=" ".join(v.get(name) or "" for name in ("MODLIBS", "LIBS", "SYSLIBS")),
        builtin_modules=sorted(sys.builtin_module_names),
        frozen_modules=sorted(getattr(_imp, "_frozen_module_names", list)()),
        stdlib_modules=sorted(getattr(sys, "stdlib_module_names", ())),
    )
print(json.dumps(answer))
"""


@dataclass(frozen=True, slots=True)
class PythonDistribution:
    """An interpreter, its standard library and what it takes to embed it. All paths are absolute."""

    executable: Path
    """The base interpreter, never the one of a virtual environment."""
    version: tuple[int, int, int]
    cache_tag: str
    """Such as ``cpython-311``."""
    extension_suffixes: tuple[str, ...]
    soabi: str
    magic: bytes
    """The four bytes at the start of a ``.pyc`` file."""
    stdlib: Path
    dynload: Path | None
    """The standard library's extension modules; None when all of them are built in."""
    include: Path | None
    """Where ``Python.h`` is."""
    platform_include: Path | None
    """Where ``pyconfig.h`` is; Debian keeps it apart."""
    static_library: Path | None
    shared_library: Path | None
    """The real file, such as ``libpython3.11.so.1.0``."""
    library_directories: tuple[Path, ...]
    """Where the installation keeps shared libraries of its own."""
    link_libraries: tuple[str, ...]
    """What ``static_library`` needs: ``-lNAME``, or absolute paths of archives."""
    builtin_modules: frozenset[str]
    frozen_modules: frozenset[str]
    """Dotted names of what CPython itself carries as frozen modules; they come before any file on ``sys.path``."""
    stdlib_modules: frozenset[str]
    """The top-level names of the standard library (``sys.stdlib_module_names``)."""
    identity: str
    """A digest for cache keys: changes whenever this Python does."""

    @property
    def short_version(self) -> str:
        """Such as ``3.11``."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def full_version(self) -> str:
        """Such as ``3.11.7``."""
        return ".".join(str(part) for part in self.version)

    @property
    def include_directories(self) -> tuple[Path, ...]:
        """What a compiler needs as ``-I``."""
        found = [one for one in (self.include, self.platform_include) if one is not None]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Overrides:
    """What an archive knows better than the interpreter inside it, whose variables name the place where it was built."""

    static_library: Path | None = None
    shared_library: Path | None = None
    include: Path | None = None
    link_libraries: tuple[str, ...] | None = None


def running(cache: ContentCache) -> PythonDistribution:
    """The Python that runs frazil; the base installation when that is a virtual environment."""
    executable = getattr(sys, "_base_executable", None) or sys.executable
    if not executable:
        raise DistributionError("the running Python does not know its own path", remedy="Name an interpreter with --python.")
    return describe(Path(executable), cache)


def describe(executable: Path, cache: ContentCache, overrides: Overrides | None = None) -> PythonDistribution:
    """The distribution that ``executable`` belongs to. Raises DistributionError when it is none that can be embedded."""
    path = executable.absolute()
    answer = _answer(path, cache)
    _check(answer, path)
    return _distribution(answer, overrides or Overrides(), path)


def _answer(path: Path, cache: ContentCache) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            native = file.read(4) == _ELF_MAGIC
    except OSError as error:
        problem = f"this Python cannot be read: {error.strerror}"
        raise DistributionError(problem, where=path, remedy="Name an interpreter with --python.") from error
    # A script, such as pyenv's shims, decides by environment and current directory which Python it starts: never cached.
    if not native:
        return _probe(path)
    key = digest(_PROBE, os.fspath(path))
    stored = cache.read(_KIND, key)
    if stored is not None:
        answer = _still_true(stored)
        if answer is not None:
            return answer
    answer = _probe(path)
    answer["witnesses"] = {str(one): _stamp(one) for one in (path, *_parts(answer))}
    cache.write(_KIND, key, json.dumps(answer).encode())
    return answer


def _still_true(stored: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(stored)
        witnesses: Mapping[str, str] = answer["witnesses"]
        if all(_stamp(Path(name)) == stamp for name, stamp in witnesses.items()):
            return dict(answer)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # a damaged entry is made again
    return None


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "absent"
    return f"{status.st_size}:{status.st_mtime_ns}"


def _parts(answer: Mapping[str, Any]) -> list[Path]:
    """The files that this Python consists of, as far as they say whether it has changed."""
    names = [answer.get("executable"), answer.get("static_library"), answer.get("shared_library")]
    if answer.get("stdlib"):
        names.append(os.path.join(answer["stdlib"], "os.py"))  # noqa: PTH118 -- plain strings, as JSON has them
    if answer.get("platform_include"):
        names.append(os.path.join(answer["platform_include"], "pyconfig.h"))  # noqa: PTH118 -- likewise
    return [Path(name) for name in names if name]


def _probe(path: Path) -> dict[str, Any]:
    remedy = "Name a CPython 3.11, 3.12 or 3.13 with --python."
    try:
        result = subprocess.run(
            [path, "-I", "-S", "-"], input=_PROBE.encode(), capture_output=True, timeout=_TIMEOUT, check=False
        )
    except OSError as error:
        raise DistributionError(f"this Python cannot be started: {error.strerror}", where=path, remedy=remedy) from error
    except subprocess.TimeoutExpired as error:
        problem = f"this Python did not answer within {_TIMEOUT} seconds"
        raise DistributionError(problem, where=path, remedy=remedy) from error
    try:
        answer = json.loads(result.stdout)
        if isinstance(answer, dict) and Path(answer["executable"]).is_absolute():
            return answer
    except (ValueError, KeyError, TypeError):
        pass
    details = result.stderr.decode(errors="replace").strip()
    problem = f"this is no working Python (it ended with {result.returncode})"
    raise DistributionError(problem, where=path, remedy=remedy, details=details[-2000:])


def _check(answer: Mapping[str, Any], path: Path) -> None:
    version = ".".join(str(part) for part in answer.get("version", ()))
    remedy = "Name a CPython 3.11, 3.12 or 3.13 with --python."
    implementation = answer.get("implementation")
    if implementation != "cpython":
        raise DistributionError(f"this Python is {implementation} {version}, not CPython", where=path, remedy=remedy)
    if tuple(answer["version"][:2]) not in SUPPORTED:
        raise DistributionError(f"CPython {version} is not supported", where=path, remedy=remedy)
    if answer["debug"]:
        raise DistributionError(f"CPython {version} is a debug build, which is not supported", where=path, remedy=remedy)
    if answer["free_threaded"]:
        problem = f"CPython {version} is a free-threaded build, which is not supported"
        raise DistributionError(problem, where=path, remedy=remedy)
    if (answer["platform"], answer["machine"], answer["libc"]) != ("linux", "x86_64", "glibc"):
        what = f"{answer['platform']} {answer['machine']} with {answer['libc']}"
        raise DistributionError(f"CPython {version} is for {what}; only Linux x86_64 with glibc is supported", where=path)


def _distribution(answer: Mapping[str, Any], overrides: Overrides, path: Path) -> PythonDistribution:
    try:
        shared = overrides.shared_library or _path(answer["shared_library"])
        links = _link_libraries(answer["link"].split()) if overrides.link_libraries is None else overrides.link_libraries
        major, minor, micro = answer["version"]
        return PythonDistribution(
            executable=Path(answer["executable"]).resolve(),
            version=(major, minor, micro),
            cache_tag=answer["cache_tag"],
            extension_suffixes=tuple(answer["extension_suffixes"]),
            soabi=answer["soabi"],
            magic=bytes.fromhex(answer["magic"]),
            stdlib=Path(answer["stdlib"]),
            dynload=_path(answer["dynload"]),
            include=overrides.include or _path(answer["include"]),
            platform_include=overrides.include or _path(answer["platform_include"]),
            static_library=overrides.static_library or _path(answer["static_library"]),
            shared_library=shared.resolve() if shared is not None else None,
            library_directories=tuple(Path(name) for name in answer["library_directories"]),
            link_libraries=links,
            builtin_modules=frozenset(answer["builtin_modules"]),
            frozen_modules=frozenset(answer["frozen_modules"]),
            stdlib_modules=frozenset(answer["stdlib_modules"]),
            identity=_identity(answer, overrides),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DistributionError("this Python describes itself in a way that is not understood", where=path) from error


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


def _link_libraries(words: Sequence[str]) -> tuple[str, ...]:
    """The libraries among linker words; directories and run paths belong to the machine that built this Python."""
    return tuple(dict.fromkeys(word for word in words if word.startswith("-l") and len(word) > len("-l")))


def _identity(answer: Mapping[str, Any], overrides: Overrides) -> str:
    # `python` and `python3` of one installation are the same distribution.
    described = {name: value for name, value in answer.items() if name not in {"witnesses", "executable"}}
    real = os.path.realpath(answer["executable"])
    parts = _parts(answer)
    parts += [one for one in (overrides.static_library, overrides.shared_library) if one is not None]
    return digest(json.dumps(described, sort_keys=True), real, repr(overrides), *(f"{one}:{_stamp(one)}" for one in parts))
