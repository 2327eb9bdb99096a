"""Requirements installed into the content cache, by uv or else by pip; an environment that is there starts no process."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import canonicalize_name

from frazil.cache import digest, file_digest
from frazil.config.installer_settings import fingerprint, installer_environment
from frazil.config.requirements import parsed
from frazil.errors import DependencyError, HostError, SourceError
from frazil.native.capture import LAYOUT as RECORDING
from frazil.native.capture import recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from frazil.toolchain import Compiler

_KIND: Final = "environments"
_LAYOUT: Final = "1"
_OBJECTS: Final = "objects"
_LINES_SHOWN: Final = 25
_PLACES: Final = frozenset({"--target", "-t", "--prefix", "--root", "--user", "--python", "--dry-run"})
_ONLY_OF_PIP: Final = re.compile(r"^error: unexpected argument ", re.MULTILINE)
"""What uv says of options that it has not."""
_LEADS_ON: Final = re.compile(r"^\s*(-|\.|/|file:)|@ *file:", re.MULTILINE)
_SECRET: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_NOT_HASHED: Final = frozenset(
    {
        *("__pycache__", ".git", ".hg", ".svn", ".tox", ".nox", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
        *(".hypothesis", ".idea", ".vscode", ".DS_Store", ".coverage"),
    }
)
_OUTPUTS: Final = frozenset({"build", "dist"})
"""At the root of a project: what building it leaves there."""


@dataclass(frozen=True, slots=True)
class FromSource:
    """Which distributions are built from source, with their objects kept, and what compiles them."""

    names: tuple[str, ...]
    compiler: Compiler


def environment(
    requirements: Sequence[str],
    project: Path | None,
    distribution: PythonDistribution,
    cache: ContentCache,
    *,
    dependencies: bool = True,
    from_source: FromSource | None = None,
) -> Path:
    """A ``site-packages`` directory with ``requirements`` and the project (built by its own backend), and all they depend on.

    What ``from_source`` names is built here; ``objects_of`` tells where the objects then stand, and those of the project. It is
    made once for the same requirements, project files, Python, installer and index settings. Raises DependencyError with
    the last lines of the installer when something does not resolve, build or install.
    """
    wanted = sorted({_normalised(parsed(text, "--with")) for text in requirements})
    installer = _installer(distribution)
    key = digest(
        _LAYOUT,
        *wanted,
        "" if dependencies else "without dependencies",
        *(["no project"] if project is None else _project_parts(project)),
        distribution.full_version,
        *distribution.extension_suffixes,
        installer[0],
        *(_content_of(text) for text in wanted),
        *fingerprint(os.environ),
        *(() if from_source is None else (*from_source.names, from_source.compiler.identity, RECORDING)),
    )
    site = Path("lib", f"python{distribution.short_version}", "site-packages")

    def make(place: Path) -> None:
        place.mkdir()
        (place / site).mkdir(parents=True)
        arguments = [*wanted, *([] if project is None else [str(project)])]
        if arguments:
            options = [*([] if dependencies else ["--no-deps"])]
            with _recorded(from_source, installer[0], place) as (more, variables):
                words = [*options, *more, "--", *arguments]
                _install(installer, words, place, project, distribution, variables)
            _settle(place, site)

    return cache.entry(_KIND, key, make) / site


def arguments_environment(
    arguments: Sequence[str],
    directory: Path,
    variables: Mapping[str, str],
    distribution: PythonDistribution,
    cache: ContentCache,
) -> Path:
    """A ``site-packages`` directory with what these arguments of ``pip install`` install.

    They are understood in ``directory``, with ``variables`` beside the user's. It is made once for the same arguments, files
    that they name, Python, installer and index settings. Raises DependencyError.
    """
    for one in arguments:
        if one.partition("=")[0] in _PLACES:
            problem = f"{one.partition('=')[0]} cannot be given: what is installed goes into the executable"
            raise DependencyError(problem, where=directory, remedy="Leave it out.")
    installer = _installer(distribution)
    named = [directory / one.rpartition("=")[2].partition("[")[0] for one in arguments]
    key = digest(
        _LAYOUT,
        "arguments",
        str(directory),
        *arguments,
        *(f"{name}={value}" for name, value in sorted(variables.items())),
        *(part for place in named for part in _state_of(place, directory)),
        distribution.full_version,
        *distribution.extension_suffixes,
        installer[0],
        *fingerprint({**os.environ, **variables}),
    )
    site = Path("lib", f"python{distribution.short_version}", "site-packages")

    def make(place: Path) -> None:
        place.mkdir()
        (place / site).mkdir(parents=True)
        try:
            _install(installer, list(arguments), place, directory, distribution, variables)
        except DependencyError as error:
            if installer[0] != "uv" or not _ONLY_OF_PIP.search(error.details):
                raise
            _install(_pip(distribution), list(arguments), place, directory, distribution, variables)
        _settle(place, site)

    return cache.entry(_KIND, key, make) / site


def _state_of(place: Path, directory: Path) -> list[str]:
    """Digests of a file or directory that an argument names; a list of requirements may lead on to anything beside it."""
    try:
        if place.is_dir():
            return _project_parts(place)
        if place.is_file():
            leads_on = place.suffix == ".txt" and _LEADS_ON.search(place.read_text(encoding="utf-8", errors="replace"))
            return [file_digest(place), *([tree_digest(directory)] if leads_on else [])]
    except OSError:
        pass
    return []


def objects_of(site: Path) -> Path:
    """Where the objects stand of what was built for the environment with this ``site-packages``."""
    return site.parent.parent.parent / _OBJECTS


@contextlib.contextmanager
def _recorded(from_source: FromSource | None, kind: str, place: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Options and variables for the installer, so that it builds what is asked for and the objects are kept."""
    if from_source is None:
        yield [], {}
        return
    # Wheels that it has built before have left no objects.
    options = ["--no-cache" if kind == "uv" else "--no-cache-dir"]
    options += [word for name in from_source.names for word in ("--no-binary", name)]
    objects = place / _OBJECTS
    objects.mkdir()
    with tempfile.TemporaryDirectory(prefix="frazil-") as drivers:
        yield options, recording(objects, Path(drivers), from_source.compiler)


def _normalised(requirement: Requirement) -> str:
    name = canonicalize_name(requirement.name)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    where = f" @ {requirement.url}" if requirement.url else ",".join(sorted(str(requirement.specifier).split(",")))
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{name}{extras}{where}{marker}"


def _content_of(requirement: str) -> str:
    """A digest of what a ``name @ file:///...`` requirement names, which may change while its name does not."""
    _, separator, rest = requirement.partition("@ file://")
    if not separator:
        return ""
    place = Path(rest.split(" ;")[0].split("#")[0].strip())
    try:
        return tree_digest(place) if place.is_dir() else file_digest(place)
    except OSError:
        return ""


def _project_parts(project: Path) -> list[str]:
    """Digests of everything local that a project's build rests on.

    Its files, its history where that may give the version, and the directories that ``[tool.uv.sources]`` and requirements of
    the form ``name @ file:///...`` lead to.
    """
    parts = [tree_digest(project)]
    try:
        text = (project / "pyproject.toml").read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, ValueError):
        return parts
    if "dynamic" in text:
        parts += _history(project / ".git")
    dependencies = _table(document, "project").get("dependencies", [])
    parts += [_content_of(str(one)) for one in (dependencies if isinstance(dependencies, list) else [])]
    sources = _table(document, "tool", "uv", "sources").values()
    paths = [one["path"] for one in sources if isinstance(one, dict) and isinstance(one.get("path"), str)]
    parts += [_content_of(f"x @ file://{project / path}") for path in sorted(paths)]
    return parts


def _table(document: object, *keys: str) -> dict[str, Any]:
    """A table inside a table; empty when something on the way is missing or none."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _history(git: Path) -> list[str]:
    """What decides the version that ``setuptools-scm`` and the like compute: the current commit and the tags."""
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        tags = [
            f"{one.name} {one.read_text(encoding='utf-8')}"
            for one in sorted((git / "refs" / "tags").glob("*"))
            if one.is_file()
        ]
        places = [git / "packed-refs", git / head.removeprefix("ref: ")]
        return [head, *tags, *(place.read_text(encoding="utf-8") for place in places if place.is_file())]
    except (OSError, UnicodeDecodeError):
        return []


def tree_digest(root: Path) -> str:
    """A digest of a project's files by relative path and content, without version control, caches, environments and outputs."""
    try:
        return digest(*(part for relative, file in _sources(root, "") for part in (relative, _state(file))))
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=error.filename or root) from error


def _state(file: Path) -> str:
    if file.is_symlink():
        return f"link {file.readlink()}"
    return f"{file_digest(file)} {file.stat().st_mode & 0o100}"


def _sources(directory: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        name = entry.name
        if name in _NOT_HASHED or name.endswith((".egg-info", ".pyc")) or (not prefix and name in _OUTPUTS):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not Path(entry.path, "pyvenv.cfg").exists():
                yield from _sources(Path(entry.path), f"{prefix}{name}/")
        elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
            yield prefix + name, Path(entry.path)


def _installer(distribution: PythonDistribution) -> tuple[str, list[list[str]]]:
    """Which installer, and the commands that start it, to be tried in turn."""
    found = shutil.which("uv")
    if found is not None:
        return "uv", [[found]]
    if importlib.util.find_spec("uv") is not None:
        return "uv", [[sys.executable, "-P", "-m", "uv"]]
    return _pip(distribution)


def pip_commands(distribution: PythonDistribution) -> list[list[str]]:
    """The commands that start pip for a Python, to be tried in turn."""
    return _pip(distribution)[1]


def source_files(project: Path) -> Iterator[tuple[str, Path]]:
    """A project's files by relative path, without version control, caches, environments and outputs."""
    return _sources(project, "")


def _pip(distribution: PythonDistribution) -> tuple[str, list[list[str]]]:
    own = [str(distribution.executable), "-P", "-m", "pip"]
    # A Python without pip (Debian's, say) can be served by the pip of the Python that runs frazil.
    served = [sys.executable, "-P", "-m", "pip", "--python", str(distribution.executable)]
    return "pip", [own, served]


def _install(  # noqa: PLR0917 - what an installer is told
    installer: tuple[str, list[list[str]]],
    arguments: list[str],
    place: Path,
    project: Path | None,
    distribution: PythonDistribution,
    variables: Mapping[str, str] | None = None,
) -> None:
    kind, commands = installer
    if kind == "uv":
        options = ["pip", "install", "--prefix", str(place), "--python", str(distribution.executable), "--no-progress"]
    else:
        options = ["install", "--prefix", str(place), "--ignore-installed", "--no-compile", "--no-input"]
        options += ["--no-warn-script-location", "--disable-pip-version-check", "--root-user-action", "ignore"]
    result = None
    for command in commands:
        try:
            result = subprocess.run(
                [*command, *options, *arguments],
                cwd=project or place,
                env=installer_environment({**os.environ, **(variables or {})}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise HostError(f"{command[0]} cannot be started: {error.strerror}") from error
        if result.returncode == 0:
            return
        if b"No module named pip" not in result.stderr:
            break
    if result is None or b"No module named pip" in result.stderr:
        raise HostError("there is neither uv nor pip to install requirements with", remedy="Install one: pip install uv")
    raise _failed(kind, result, project)


def _failed(kind: str, result: subprocess.CompletedProcess[bytes], project: Path | None) -> DependencyError:
    text = (result.stdout + result.stderr).decode(errors="replace")
    lines = [line for line in _SECRET.sub("***", text).splitlines() if line.strip()]
    problem = f"the requirements cannot be installed: {kind} ended with {result.returncode}"
    remedy = "Check the names and versions of the requirements, the network, and the index settings of pip or uv."
    return DependencyError(problem, where=project, details="\n".join(lines[-_LINES_SHOWN:]), remedy=remedy)


def _settle(place: Path, site: Path) -> None:
    """Bring what the installer made into one layout, and remove what scanning would leave out anyway."""
    local = place / "local"
    if (local / "lib").is_dir():  # Debian's scheme for a prefix
        shutil.copytree(local, place, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(local)
    for other in sorted([*place.glob("lib*/python*/site-packages"), *place.glob("lib*/python*/dist-packages")]):
        if other != place / site:
            shutil.copytree(other, place / site, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(other)
    for cached in list(place.rglob("__pycache__")):
        shutil.rmtree(cached)
    shutil.rmtree(place / "bin", ignore_errors=True)
    (place / ".lock").unlink(missing_ok=True)
