"""Compile modules with the target interpreter, in parallel, through the content cache.

An entry of the cache is the worker's answer (``bytecode_worker.py``) with a checksum behind it; its key is made of everything
that the answer depends on. Each worker process is driven by one thread, one job at a time, so that neither side of its pipes
ever waits for the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from frazil.builder.imports import Import
from frazil.cache import digest
from frazil.errors import DistributionError, HostError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.resources.kinds import Content, SourceModule

MOUNT: Final = "/memfs:/"
"""Where the image is mounted (``docs/spec/launcher.md``); compiled into each code object's ``co_filename``."""

_KIND: Final = "bytecode"
_WORKER: Final = Path(__file__).with_name("bytecode_worker.py")
_CHECKSUM_SIZE: Final = 4
_JOBS_PER_WORKER: Final = 6
"""Fewer than this are not worth another process."""


@dataclass(frozen=True, slots=True)
class CompileError:
    """Why a module has no bytecode. ``line`` and ``column`` count from 1; 0 where there is none."""

    message: str
    line: int
    column: int
    text: str

    def marked(self) -> str:
        """The source line with a caret below the column, or an empty string."""
        if not self.text.strip():
            return ""
        shown = self.text.lstrip()
        column = max(self.column - 1 - (len(self.text) - len(shown)), 0)
        return f"    {shown}\n    {' ' * min(column, len(shown))}^"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A module's source and what the target interpreter made of it."""

    source: bytes
    pyc: bytes
    """A whole ``.pyc`` file, unchecked and hash-based (PEP 552); empty when there is an error."""
    imports: tuple[Import, ...] = ()
    warnings: tuple[tuple[int, str], ...] = ()
    """Lines and texts of what the compiler warned about."""
    error: CompileError | None = None


def read_content(content: Content) -> bytes:
    """The bytes of a resource. Raises SourceError for a file that cannot be read, or that changes meanwhile."""
    if isinstance(content, bytes):
        return content
    try:
        with content.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read()
            after = os.fstat(file.fileno())
    except OSError as error:
        problem = f"this file cannot be read: {error.strerror or error}"
        raise SourceError(problem, where=content, remedy="Make it readable or leave it out with --exclude.") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != after.st_size:
        raise SourceError("this file changed while it was read", where=content, remedy="Build when nothing writes to it.")
    return data


class Compiler:
    """Compiles for one interpreter at one optimization level; a context manager, since it keeps worker processes."""

    def __init__(
        self, distribution: PythonDistribution, optimize: int, cache: ContentCache, processes: int | None = None
    ) -> None:
        self._cache = cache
        self._limit = max(processes or len(os.sched_getaffinity(0)), 1)
        self._command = [str(distribution.executable), "-s", "-S", "-P", "-B", "-X", "utf8", str(_WORKER), str(optimize)]
        self._base = digest(_WORKER.read_bytes(), distribution.identity, str(optimize))
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    def compile(self, modules: Iterable[SourceModule]) -> dict[str, Compiled]:
        """Each module's bytecode by path; a module that is no valid Python has an ``error`` instead."""
        results: dict[str, Compiled] = {}
        missing: deque[_Job] = deque()
        for module in modules:
            source = read_content(module.content)
            level = () if module.optimize is None else (f"-O{module.optimize}",)
            key = digest(self._base, module.name, str(module.package), module.path, source, *level)
            done = _restored(self._cache.read(_KIND, key), source)
            if done is None:
                missing.append(_Job(module, source, key))
            else:
                results[module.path] = done
        if missing:
            self._run(missing, results)
        return results

    def _run(self, jobs: deque[_Job], results: dict[str, Compiled]) -> None:
        wanted = min(self._limit, -(-len(jobs) // _JOBS_PER_WORKER))
        while len(self._workers) < wanted:
            self._workers.append(_Worker(self._command))
        problems: list[BaseException] = []

        def drive(worker: _Worker) -> None:
            while not problems:
                try:
                    job = jobs.popleft()
                except IndexError:
                    return
                try:
                    answer = worker.ask(job)
                    results[job.module.path] = _parse(answer, job.source)
                    self._cache.write(_KIND, job.key, answer + zlib.crc32(answer).to_bytes(_CHECKSUM_SIZE, "little"))
                except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
                    problems.append(error)

        threads = [threading.Thread(target=drive, args=(worker,)) for worker in self._workers[:wanted]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]


@dataclass(frozen=True, slots=True)
class _Job:
    module: SourceModule
    source: bytes
    key: str


class _Worker:
    """One process of the target interpreter."""

    def __init__(self, command: list[str]) -> None:
        # Nothing of the environment may decide what bytecode looks like, but the loader may need its part of it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment["PYTHONHASHSEED"] = "0"
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        except OSError as error:
            raise HostError(f"the interpreter cannot be started: {error.strerror}", where=command[0]) from error

    def ask(self, job: _Job) -> bytes:
        """The answer to a job. Raises DistributionError when the interpreter dies of it."""
        module = job.module
        head = {
            "name": module.name,
            "package": module.package,
            "filename": MOUNT + module.path,
            "size": len(job.source),
            "optimize": module.optimize,
        }
        try:
            jobs, answers = _open(self._process.stdin), _open(self._process.stdout)
            jobs.write(json.dumps(head).encode() + b"\n" + job.source)
            jobs.flush()
            line = answers.readline()
            body = answers.read(json.loads(line)["size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            code = self._process.wait()
            raise DistributionError(
                f"the interpreter died while it compiled {module.path} (it ended with {code})",
                where=module.content if isinstance(module.content, Path) else module.path,
                remedy="Leave the file out with --exclude.",
            ) from error
        return line + body

    def close(self) -> None:
        """End the process, which has nothing more to do."""
        with contextlib.suppress(OSError):
            _open(self._process.stdin).close()
        _open(self._process.stdout).close()
        self._process.wait()


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("the pipe is closed")
    return pipe


def _restored(stored: bytes | None, source: bytes) -> Compiled | None:
    """What a cache entry holds; None when there is none, or a damaged one, which is then made again."""
    if stored is None:
        return None
    answer, checksum = stored[:-_CHECKSUM_SIZE], stored[-_CHECKSUM_SIZE:]
    return _parse(answer, source) if zlib.crc32(answer).to_bytes(_CHECKSUM_SIZE, "little") == checksum else None


def _parse(answer: bytes, source: bytes) -> Compiled:
    head_line, _, pyc = answer.partition(b"\n")
    head = json.loads(head_line)
    error = None if head["error"] is None else CompileError(*head["error"])
    imports = tuple(Import(name, tuple(names), line, flags) for name, names, line, flags in head["imports"])
    warnings = tuple((line, text) for line, text in head["warnings"])
    return Compiled(source, pyc, imports, warnings, error)
