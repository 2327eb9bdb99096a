"""The front-end for ``frazil freeze``: a directory with a boot script and whatever it needs becomes a plan.

All files go in at their relative paths, directly below the mount, but those that ``EXCLUDE`` leaves out (``exclude_file.py``).
Symbolic links are followed: what they lead to goes in under their name. Everything that cannot go in is told at once.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.config import exclude_file
from frazil.config.assembly import Draft
from frazil.config.modules import Use, classifier_of
from frazil.config.parsing import decoded, read_source
from frazil.config.requirements import check_python
from frazil.config.script_metadata import script_metadata
from frazil.config.settings import merged
from frazil.errors import SourceError, UsageError
from frazil.plan import EntryKind, EntryPoint
from frazil.resources.kinds import APPLICATION, BytecodeModule, DataFile, SourceModule
from frazil.resources.scan import is_text, without_shadowed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from frazil.cache import ContentCache
    from frazil.config.exclude_file import ExcludeFile
    from frazil.config.options import SourceOptions
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan
    from frazil.resources.kinds import Resource

BOOT: Final = "BIOS.py"
MAKE: Final = "Make.py"
EXCLUDE: Final = "EXCLUDE"

_COMPILED_BOOT: Final = "BIOS.pyc"
_EXCLUDE_SIZE: Final = 1 << 20
_OUTPUT_SHOWN: Final = 8000
"""Characters at the end of the output of ``Make.py``."""
_PROBLEMS_SHOWN: Final = 20
_LEAVE_OUT: Final = f"Mend this, or name it in {EXCLUDE}."
_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def freeze_plan(
    options: SourceOptions, distribution: PythonDistribution, cache: ContentCache, leave: Collection[Path] = ()
) -> Plan:
    """The plan of the directory ``options.source``; ``Make.py`` runs first. ``leave`` are files that are left out: the output.

    Raises UsageError, SourceError, DependencyError, DistributionError, or HostError.
    """
    directory = _directory(options)
    make(directory, distribution)
    tree = read_tree(directory, _exclude_file(directory), leave)
    boot = _boot(tree)
    requirements: tuple[str, ...] = ()
    where: object = boot
    if boot.name == BOOT:
        metadata = script_metadata(decoded(read_source(boot), boot), boot)
        options = merged(options, metadata.document, boot)
        if metadata.requires_python is not None:
            check_python(metadata.requires_python, boot, distribution)
        requirements = tuple(metadata.requirements)
        where = f"{boot}:{metadata.line}" if metadata.line else boot
    draft = Draft(options, distribution, cache, prefix="", directories=tree.directories)
    draft.resources += _resources(tree, draft)
    draft.add_third_party(_wanted(draft, tree), requirements, where)
    name = options.name or directory.name
    return draft.plan(name, (EntryPoint(name, EntryKind.SCRIPT, boot.name),))


def _directory(options: SourceOptions) -> Path:
    if not options.source or "\0" in options.source:
        raise UsageError("no directory is named", where=repr(options.source))
    # The current directory's own name counts for ".", and symbolic links keep theirs.
    path = Path(os.path.abspath(options.directory / options.source))  # noqa: PTH100 - resolve() follows links
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    if not is_directory:
        remedy = f"Name a directory with a {BOOT}; `frazil build` takes scripts."
        raise UsageError("this is no directory", where=path, remedy=remedy)
    return path


def make(directory: Path, distribution: PythonDistribution) -> None:
    """Run ``Make.py``, if there is one, with the target interpreter in its directory. Raises SourceError when it fails."""
    script = directory / MAKE
    if not script.is_file():
        return
    # -B: what it imports from the directory shall leave no bytecode there.
    command = [os.fspath(distribution.executable), "-B", MAKE]
    try:
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError as error:
        raise SourceError(f"cannot be run: {error.strerror}", where=script) from error
    if done.returncode == 0:
        return
    code = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    text = done.stdout.decode(errors="backslashreplace")
    details = text if len(text) <= _OUTPUT_SHOWN else "...\n" + text[-_OUTPUT_SHOWN:].partition("\n")[2]
    remedy = "The build stops when it fails; correct it or remove it."
    raise SourceError(f"failed with {code}", where=script, details=details, remedy=remedy)


def _exclude_file(directory: Path) -> ExcludeFile:
    path = directory / EXCLUDE
    if not os.path.lexists(path):
        return exclude_file.parse("", path)
    try:
        with path.open("rb") as file:
            data = file.read(_EXCLUDE_SIZE + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    if len(data) > _EXCLUDE_SIZE:
        raise SourceError(f"is larger than {_EXCLUDE_SIZE >> 20} MiB", where=path, remedy="Are these patterns?")
    try:
        return exclude_file.parse(data.decode(), path)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{data[error.start]:02x} is not valid in UTF-8"
        raise UsageError(problem, where=f"{path}:{line}", remedy="Save it as UTF-8.") from error


@dataclass(slots=True)
class FrozenTree:
    """What goes in: pairs of relative path and file, and the directories, both in a defined order."""

    root: Path
    files: list[tuple[str, Path]] = field(default_factory=list)
    directories: tuple[str, ...] = ()
    excluded: set[str] = field(default_factory=set)
    """The paths directly in the root that ``EXCLUDE`` leaves out."""


def read_tree(root: Path, excluded: ExcludeFile, leave: Collection[Path] = ()) -> FrozenTree:
    """The files below ``root``. Raises SourceError that lists all that cannot go in."""
    walk = _Walk(excluded, _identities(leave), FrozenTree(root))
    try:
        walk.directory(root, "", ())
    except RecursionError as error:
        raise SourceError("directories are nested too deeply", where=root, remedy=_LEAVE_OUT) from error
    if walk.problems:
        count = len(walk.problems)
        if count == 1:
            path, problem = walk.problems[0]
            raise SourceError(problem, where=root / path, remedy=_LEAVE_OUT)
        lines = [f"  {path}: {problem}" for path, problem in walk.problems[:_PROBLEMS_SHOWN]]
        lines += [f"  and {count - _PROBLEMS_SHOWN} more"] if count > _PROBLEMS_SHOWN else []
        raise SourceError(f"{count} files cannot go in", where=root, details="\n".join(lines), remedy=_LEAVE_OUT)
    walk.tree.directories = tuple(walk.directories)
    walk.tree.files = without_shadowed(walk.tree.files)
    return walk.tree


def _identities(paths: Iterable[Path]) -> set[tuple[int, int]]:
    found = set()
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # not there yet
        found.add((status.st_dev, status.st_ino))
    return found


@dataclass(slots=True)
class _Walk:
    excluded: ExcludeFile
    leave: set[tuple[int, int]]
    tree: FrozenTree
    directories: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def directory(self, place: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> None:
        """Take what is in one directory; ``above`` are the identities of those that lead to it."""
        try:
            status = place.stat()
            with os.scandir(place) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            self.problems.append((prefix or ".", f"cannot be read: {error.strerror}"))
            return
        here = (*above, (status.st_dev, status.st_ino))
        for name in names:
            self._entry(place / name, prefix + name, here)

    def _entry(self, place: Path, relative: str, above: tuple[tuple[int, int], ...]) -> None:
        try:
            status = place.stat()
        except OSError as error:
            if not self.excluded.excludes(relative, directory=False):
                self.problems.append((_shown(relative), _unreachable(error)))
            return
        is_directory = stat.S_ISDIR(status.st_mode)
        identity = (status.st_dev, status.st_ino)
        if identity in self.leave:
            return
        if self.excluded.excludes(relative, directory=is_directory):
            self._leave(relative)
        elif not is_text(relative):
            self.problems.append((_shown(relative), "the name is not UTF-8"))
        elif is_directory and identity in above:
            self.problems.append((relative, "a symbolic link to a directory above itself"))
        elif is_directory:
            self.directories.append(relative)
            self.directory(place, f"{relative}/", above)
        elif stat.S_ISREG(status.st_mode):
            self._file(place, relative)
        else:
            self.problems.append((relative, f"is {_KINDS.get(stat.S_IFMT(status.st_mode), 'no file')}"))

    def _leave(self, relative: str) -> None:
        if "/" not in relative:
            self.tree.excluded.add(relative)

    def _file(self, place: Path, relative: str) -> None:
        try:
            os.close(os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError as error:
            self.problems.append((relative, f"cannot be read: {error.strerror}"))
        else:
            self.tree.files.append((relative, place))


def _shown(relative: str) -> str:
    return relative if is_text(relative) else repr(os.fsencode(relative))


def _unreachable(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a symbolic link that leads back to itself"
    if error.errno == errno.ENOENT:
        return "a symbolic link that leads nowhere"
    return f"cannot be read: {error.strerror}"


def _boot(tree: FrozenTree) -> Path:
    """The boot script; a compiled one if there is no source."""
    files = dict(tree.files)
    for name in (BOOT, _COMPILED_BOOT):
        if name in files:
            # Under the name in the directory: a link may lead to a file of any name.
            return tree.root / name
    if BOOT in tree.excluded:
        problem, remedy = f"{EXCLUDE} leaves out {BOOT}, which is what runs", f"Add a line !/{BOOT} at its end."
    else:
        problem = f"there is no {BOOT} here"
        remedy = f"{BOOT} is the script that runs first. Write one, such as: from main import main; main()"
    raise SourceError(problem, where=tree.root, remedy=remedy)


def _resources(tree: FrozenTree, draft: Draft) -> list[Resource]:
    classifier = classifier_of(draft.parser)
    found: list[Resource] = []
    for relative, file in tree.files:
        made = classifier.resource(file, relative, "", APPLICATION)
        if isinstance(made, BytecodeModule) and not _is_bytecode(file, draft.distribution.magic):
            version = draft.distribution.short_version
            if relative == _COMPILED_BOOT:
                remedy = f"Put {BOOT} here, or compile it with Python {version}, for instance in {MAKE}."
                raise SourceError(f"this is no bytecode of Python {version}", where=file, remedy=remedy)
            draft.warnings.append(f"{file}: is no bytecode of Python {version}: it goes in, but importing it will fail")
            made = DataFile(file, made.path, APPLICATION)
        found.append(made)
    return found


def _is_bytecode(file: Path, magic: bytes) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(magic)) == magic
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=file) from error


def _wanted(draft: Draft, tree: FrozenTree) -> dict[str, Use]:
    """What the sources import that is not in the directory."""
    own = {path.partition("/")[0].partition(".")[0] for path, _ in tree.files}
    builtin = draft.distribution.builtin_modules
    wanted: dict[str, Use] = {}
    for resource in draft.resources:
        if not isinstance(resource, SourceModule) or not isinstance(resource.content, Path) or draft.excluded(resource.name):
            continue
        for level, target, names, line, optional in draft.parser.imports(resource.content):
            top = target.partition(".")[0]
            if level or top in own or top in builtin:
                continue
            where = f"{resource.content}:{line}"
            for name, surely in ((target, not optional), *((f"{target}.{name}", False) for name in names)):
                held = wanted.get(name)
                if held is None or (held.optional and surely):
                    wanted[name] = Use(where, optional=not surely)
    return wanted
