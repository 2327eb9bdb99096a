"""The modules below one ``sys.path`` entry that an application imports, found from one to the next.

Modules are looked for as Python's path finder does: package, extension module, source, bytecode, and last a directory without
``__init__``. What is not found here is left in ``wanted`` for the next entry of the path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.resources.kinds import APPLICATION, NativeLibrary, SourceModule
from frazil.resources.scan import CACHE_DIRECTORY, Classifier, Tree, without_shadowed

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from frazil.config.imports import RawImport
    from frazil.config.parsing import Parser
    from frazil.resources.kinds import Resource

_NO_CODE: Final = frozenset(
    {CACHE_DIRECTORY, ".git", ".hg", ".svn", ".tox", ".nox", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)


def is_foreign(entry: os.DirEntry[str]) -> bool:
    """Whether something in a source tree is no part of the program: caches, version control, environments."""
    if entry.name in _NO_CODE:
        return True
    if not entry.is_dir():
        return False
    return entry.name.endswith(".egg-info") or Path(entry.path, "pyvenv.cfg").exists()


@dataclass(frozen=True, slots=True)
class Use:
    """Where a module is imported, as ``path:line``, and whether the program can do without it."""

    where: str
    optional: bool


class ModuleSearch:
    """Takes modules below ``root`` as resources below ``prefix``; ``data`` takes the other files of packages too."""

    def __init__(
        self,
        root: Path,
        parser: Parser,
        excluded: Callable[[str], bool],
        *,
        prefix: str = "app",
        owner: str = APPLICATION,
        data: bool = False,
    ) -> None:
        self.root = root
        self.prefix = prefix
        self.owner = owner
        self.data = data
        self.resources: dict[str, Resource] = {}
        self.wanted: dict[str, Use] = {}
        """Imports that are found neither here nor among built-in modules."""
        self.warnings: list[str] = []
        self._parser = parser
        self._excluded = excluded
        self._classifier = classifier_of(parser)
        self._decided: dict[str, bool] = {}
        self._queue: list[SourceModule] = []

    def take_script(self, file: Path) -> SourceModule:
        """Take one file as the script that runs, whatever its name."""
        stem = file.stem if file.suffix in {".py", ".pyw"} else file.name
        path = f"{self.prefix}/{stem}.py"
        script = SourceModule(
            stem.replace(".", "_"), package=False, content=file, path=path, directory=self.prefix, owner=self.owner
        )
        self._take(script)
        return script

    def take_tree(self, directory: Path, relative: str, *, data: bool, leave: frozenset[str] = frozenset()) -> None:
        """Take all modules below ``directory``, which stands at ``relative`` (``pkg/``, or nothing for the root itself).

        Directories directly below it that ``leave`` names are left out, unless they are packages.
        """
        left = {str(directory / name) for name in leave if not (directory / name / "__init__.py").exists()}
        tree = Tree(directory, skip=lambda entry: is_foreign(entry) or entry.path in left)
        for inner, file in without_shadowed(tree.files()):
            resource = self._classifier.resource(file, relative + inner, self.prefix, self.owner)
            name = getattr(resource, "name", None)
            if name is not None and self._excluded(name):
                continue
            if name is not None or data or isinstance(resource, NativeLibrary):
                self._take(resource)
        self.warnings += tree.warnings

    def take(self, name: str) -> bool:
        """Take the module ``name``, or the package that it is in, if it is found here."""
        known = self._decided.get(name)
        if known is None:
            known = self._decided[name] = self._locate(name.split("."))
        return known

    def take_below(self, name: str) -> bool:
        """Take everything below the package or directory ``name``."""
        directory = self.root.joinpath(*name.split("."))
        if not directory.is_dir():
            return False
        if not self.take(name):
            self.take_tree(directory, name.replace(".", "/") + "/", data=self.data)
        return True

    def _take(self, resource: Resource) -> None:
        held = self.resources.setdefault(resource.path, resource)
        if held is resource and isinstance(resource, SourceModule):
            self._queue.append(resource)

    def _locate(self, parts: list[str]) -> bool:
        directory = self.root
        for depth, part in enumerate(parts, 1):
            place = directory / part
            relative = "/".join(parts[:depth])
            if self._file(place, "__init__") is not None:
                if not self._decided.get(relative + "/"):
                    self._decided[relative + "/"] = True
                    self.take_tree(place, relative + "/", data=self.data)
                return True
            file = self._file(directory, part)
            if file is not None:
                parent = relative.rpartition("/")[0]
                inside = f"{parent}/{file.name}" if parent else file.name
                self._take(self._classifier.resource(file, inside, self.prefix, self.owner))
                return True
            if not place.is_dir():
                return False
            directory = place
        return False

    def _file(self, directory: Path, stem: str) -> Path | None:
        for suffix in (*self._classifier.suffixes, ".py", ".pyc"):
            file = directory / (stem + suffix)
            if file.is_file():
                return file
        return None

    def follow(self) -> None:
        """Take what the modules that were taken import, and so on."""
        while self._queue:
            module = self._queue.pop()
            if isinstance(module.content, Path):
                for one in self._parser.imports(module.content):
                    self._import(module, module.content, one)

    def _import(self, module: SourceModule, file: Path, one: RawImport) -> None:
        level, target, names, line, optional = one
        base = target
        if level:
            package = module.name.split(".") if module.package else module.name.split(".")[:-1]
            above = package[: len(package) - level + 1]
            if not above:
                return  # fails in plain Python too, and says so
            base = ".".join([*above, target] if target else above)
        self.want(base, Use(f"{file}:{line}", optional))
        for name in names:
            self.want(f"{base}.{name}", Use(f"{file}:{line}", optional=True))

    def want(self, name: str, use: Use) -> None:
        """Take ``name`` if it is here, else note that it is wanted."""
        top = name.partition(".")[0]
        if top in self._parser.distribution.builtin_modules or not top.isidentifier() or self._excluded(name):
            return
        if self.take(name):
            return
        is_directory = self.root.joinpath(*name.split(".")).is_dir()
        held = self.wanted.get(name)
        if held is None or (held.optional and not use.optional):
            self.wanted[name] = Use(use.where, use.optional or is_directory)


def classifier_of(parser: Parser) -> Classifier:
    """What tells modules from other files for the Python of ``parser``."""
    return Classifier(tuple(sorted(parser.distribution.extension_suffixes, key=len, reverse=True)))
