"""Builds what the targets of a configuration returned, each into a directory of its own, whole or not at all.

An output is made in a temporary directory beside its place and renamed when it is complete. A record beside the outputs keeps
the digest of all that went in and the identity of every file that came out; as long as both hold there is nothing to do.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock

from frazil.cache import digest, replace_file
from frazil.config.dialect.building import Buildable, BuildContext
from frazil.config.dialect.configuration import TRIPLE
from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.values import type_name
from frazil.errors import FrazilError, OutputError
from frazil.identity import file_identity, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from frazil.cache import ContentCache
    from frazil.config.dialect.configuration import Configuration
    from frazil.config.dialect.files import Installation
    from frazil.config.dialect.targets import Target
    from frazil.config.starlark.errors import Span
    from frazil.plan import Plan

RECORDS: Final = ".frazil"
"""The directory of records, beside the targets' directories."""
_RECORD_SIZE: Final = 64 << 20
_RECORD_FORMAT: Final = 1


class State(Enum):
    """What became of a target."""

    BUILT = "built"
    UNCHANGED = "unchanged"
    NOTHING = "nothing to build"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A target, or an installation that its function asked for."""

    name: str
    state: State
    directory: Path
    run: Path | None = None
    """What ``frazil run`` starts."""
    executables: tuple[Path, ...] = ()
    """Those that ``Production.make`` was called for, in that order."""
    value_type: str = ""
    """The type of what the target's function returned."""


@dataclass(frozen=True, slots=True)
class Production:
    """How outputs are made. ``make`` is the builder: it is given the target's name, a plan, and the executable's path."""

    cache: ContentCache
    release: bool
    make: Callable[[str, Plan, Path], None]
    progress: Callable[[str], None]
    workers: int = 2


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    directory: Path
    what: Buildable
    site: Span | None = None
    """Where the target is registered."""
    value_type: str = ""
    replace: bool = True
    """Whether the output is all that its directory holds."""


def produce(configuration: Configuration, production: Production) -> list[Outcome]:
    """Build the targets that were asked for, and what ``FileManifest.install`` was called for, several at a time.

    Raises FrazilError; what was there before then stays, and so do other targets that are complete.
    """
    base = _base(configuration, production)
    outcomes, jobs = [], []
    for name in configuration.targets.asked:
        value = configuration.targets.results[name]
        directory = base / name
        if value is None:
            _require_installation(configuration, configuration.targets.get(name))
        elif isinstance(value, Buildable):
            jobs.append(_Job(name, directory, value, configuration.targets.get(name).site, type_name(value)))
        else:
            outcomes.append(Outcome(name, State.NOTHING, directory, value_type=type_name(value)))
    for one in configuration.session.installations:
        _require_free(one, configuration, base)
        jobs.append(_job(one))
    # What a target is made of is asked for here, by the thread that ran the configuration.
    keys = [_key(job, configuration, production) for job in jobs]
    with ThreadPoolExecutor(max(1, min(production.workers, len(jobs)))) as pool:
        futures = [pool.submit(_produce, job, key, base, production) for job, key in zip(jobs, keys, strict=True)]
        try:
            return [*outcomes, *(future.result() for future in futures)]
        finally:
            for future in futures:
                future.cancel()


def produce_in(configuration: Configuration, directory: Path, production: Production) -> Outcome:
    """Build the one target that was asked for into a directory that may hold other files.

    Raises FrazilError; what was there before then stays.
    """
    (name,) = configuration.targets.asked
    value = configuration.targets.results[name]
    if not isinstance(value, Buildable):
        problem = f"target {name} makes no executable to embed; its value is of type {type_name(value)}"
        remedy = "Name another target with --target, or register one with default_build_script=True."
        raise StarlarkError(problem, configuration.targets.get(name).site, remedy=remedy)
    job = _Job(name, directory, value, configuration.targets.get(name).site, type_name(value), replace=False)
    return _produce(job, _key(job, configuration, production), _base(configuration, production), production)


def _base(configuration: Configuration, production: Production) -> Path:
    return configuration.session.build_path / TRIPLE / ("release" if production.release else "debug")


def _require_installation(configuration: Configuration, target: Target) -> None:
    """Raise StarlarkError for a target that returned nothing and installed nothing."""
    if any(one.target == target.name for one in configuration.session.installations):
        return
    problem = f"target {target.name} returns nothing, so there is nothing to build"
    raise StarlarkError(problem, target.site, remedy="Let its function return what it makes.")


def _key(job: _Job, configuration: Configuration, production: Production) -> str | None:
    """The digest of all that goes into an output; None when it cannot be told."""
    with _located(job):
        inputs = job.what.inputs()
    if inputs is None:
        return None
    program = [(str(path), path.read_bytes()) for path in configuration.files]
    return identity_of(
        _RECORD_FORMAT, job.name, str(job.directory), production.release, program, configuration.variables, *inputs
    )


@contextlib.contextmanager
def _located(job: _Job) -> Iterator[None]:
    """Let errors in building what a target returned name the target."""
    try:
        yield
    except StarlarkError:
        raise
    except FrazilError as error:
        if job.site is None:
            raise
        problem = error.problem if error.where is None else f"{error.where}: {error.problem}"
        raise StarlarkError(
            f"target {job.name} cannot be built: {problem}", job.site, remedy=error.remedy, output=error.details
        ) from error


def _require_free(one: Installation, configuration: Configuration, base: Path) -> None:
    """Raise OutputError when an installation would take away what no installation put there."""
    build_path = configuration.session.build_path
    kept = (build_path, base, configuration.session.directory)
    problem = ""
    if one.directory.exists() and not one.directory.is_dir():
        problem = "this is no directory"
    elif not one.replace:
        return
    elif any(path == one.directory or one.directory in path.parents for path in kept):
        problem = "this directory holds more than the installation, and all of it would be replaced"
    elif build_path not in one.directory.parents and one.directory.exists() and any(one.directory.iterdir()):
        if _record(base, _job(one)).exists():
            return
        problem = "this directory stands outside of the build path and is not empty, and all of it would be replaced"
    if problem:
        remedy = f"It is asked for at {one.place}. Install elsewhere, or with replace=False beside what is there."
        raise OutputError(problem, where=one.directory, remedy=remedy)


def _job(one: Installation) -> _Job:
    return _Job(f"install of {one.directory.name}", one.directory, one, replace=one.replace)


def _record(base: Path, job: _Job) -> Path:
    return base / RECORDS / f"{digest(job.name, str(job.directory))[:32]}.json"


def _produce(job: _Job, key: str | None, base: Path, production: Production) -> Outcome:
    record = _record(base, job)
    try:
        # In the cache, so that a build that fails leaves nothing where the output would be.
        lock = production.cache.place("output", digest(str(record))).with_suffix(".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            held = _held(record)
            state = State.UNCHANGED
            if key is None or held.get("key") != key or held["files"] != _listing(job, held["files"]):
                state = State.BUILT
                held = {"format": _RECORD_FORMAT, "key": key, **_build(job, record, held.get("files", {}), production)}
                record.parent.mkdir(parents=True, exist_ok=True)
                replace_file(record, json.dumps(held).encode())
    except OSError as error:
        problem = f"the output cannot be written: {error.strerror or error}"
        where = error.filename or job.directory
        raise OutputError(problem, where=where, remedy="Free some space, or set another build path.") from error
    run = None if held["run"] is None else job.directory / held["run"]
    executables = tuple(job.directory / one for one in held["executables"])
    return Outcome(job.name, state, job.directory, run, executables, job.value_type)


def _held(record: Path) -> dict[str, Any]:
    """What a former build left; nothing when that cannot be relied on."""
    try:
        if record.stat().st_size > _RECORD_SIZE:
            return {}
        held = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(held, dict) or held.get("format") != _RECORD_FORMAT or not isinstance(held.get("files"), dict):
        return {}
    executables, run = held.get("executables"), held.get("run")
    return held if isinstance(executables, list) and (run is None or run in held["files"]) else {}


def _listing(job: _Job, names: Iterable[str]) -> dict[str, str]:
    """The identity of all files of an output; of those with ``names`` when its directory holds more."""
    whole = job.directory
    paths = (
        (path for path in whole.rglob("*") if path.is_symlink() or not path.is_dir())
        if job.replace
        else map(whole.joinpath, names)
    )
    return {str(path.relative_to(whole)): file_identity(path) for path in paths}


def _build(job: _Job, record: Path, former: Mapping[str, str], production: Production) -> dict[str, Any]:
    """Make an output and put it in its place; what the record says of it. ``former`` is what it says of the former one."""
    into = job.directory
    if into.exists() and not into.is_dir():
        raise OutputError(
            "the output is a directory, and this is a file", where=into, remedy="Move it, or set another build path."
        )
    with (
        _directory(into.parent),
        tempfile.TemporaryDirectory(prefix=".frazil-", dir=into.parent, ignore_cleanup_errors=True) as temporary,
    ):
        stage = Path(temporary, "output")
        stage.mkdir()
        executables: list[str] = []

        def make(plan: Plan, path: Path) -> None:
            production.make(job.name, plan, path)
            executables.append(str(path.relative_to(stage)))

        context = BuildContext(job.name, stage, production.release, production.cache, production.progress, make)
        with _located(job):
            built = job.what.build(context)
        record.unlink(missing_ok=True)
        inner = sorted(str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_symlink() or not path.is_dir())
        if job.replace:
            _exchange(stage, into, Path(temporary, "former"))
        else:
            _merge(stage, into, inner)
            _take_away(into, {name: identity for name, identity in former.items() if name not in inner})
    run = None if built.run is None else str(built.run.relative_to(stage))
    return {"run": run if run in inner else None, "executables": executables, "files": _listing(job, inner)}


@contextlib.contextmanager
def _directory(place: Path) -> Iterator[None]:
    """Make a directory, and take it and those above away again when nothing came into them."""
    made = [one for one in (place, *place.parents) if not one.exists()]
    place.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the first that holds something
            for one in made:
                one.rmdir()


def _exchange(stage: Path, into: Path, former: Path) -> None:
    """Put ``stage`` where ``into`` is; what was there goes to ``former``, and back when the other move fails."""
    if not into.exists():
        stage.rename(into)
        return
    into.rename(former)
    try:
        stage.rename(into)
    except OSError:
        former.rename(into)
        raise


def _merge(stage: Path, into: Path, inner: Iterable[str]) -> None:
    """Put files among others, each at once."""
    for one in inner:
        place = into / one
        if place.is_dir() and not place.is_symlink():
            raise OutputError("a file would take the place of this directory", where=place, remedy="Install elsewhere.")
        place.parent.mkdir(parents=True, exist_ok=True)
        (stage / one).replace(place)


def _take_away(directory: Path, former: Mapping[str, str]) -> None:
    """Remove files of an earlier output, unless somebody has changed them since."""
    for name, identity in former.items():
        place = directory / name
        if file_identity(place) == identity:
            place.unlink()
            with contextlib.suppress(OSError):  # others are there
                for above in place.relative_to(directory).parents[:-1]:
                    (directory / above).rmdir()
