"""``PythonExecutable``: a program in the making, and ``PythonEmbeddedResources``, what is inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from frazil.config import api
from frazil.config.assembly import check_name
from frazil.config.dialect import older
from frazil.config.dialect.archives import Archive
from frazil.config.dialect.building import Built
from frazil.config.dialect.files import FileManifest
from frazil.config.dialect.filters import kept, names_in
from frazil.config.dialect.notes import renamed
from frazil.config.dialect.planning import Planner, standard_library_rules
from frazil.config.dialect.resource_types import PythonModuleSource, PythonResource, Scanner
from frazil.config.dialect.sources import Sources
from frazil.config.native import native_issues
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.host import Attribute, HostObject, method
from frazil.config.starlark.text import quoted
from frazil.config.starlark.values import StarlarkList
from frazil.errors import SourceError, UsageError
from frazil.plan import APPLICATION_DIRECTORY
from frazil.resources.kinds import APPLICATION, SourceModule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from frazil.config.dialect.building import BuildContext
    from frazil.config.dialect.interpreter_config import PythonInterpreterConfig
    from frazil.config.dialect.policies import PythonPackagingPolicy
    from frazil.config.dialect.session import Session
    from frazil.distribution import PythonDistribution as Distribution
    from frazil.plan import Plan

    Items = Any

_LOAD_MODES: Final = ("none", "embedded:", "binary-relative-memory-mapped:")
_DLL_MODES: Final = ("never", "when-present", "always")


def _load_mode(text: str) -> str:
    if not text.startswith(_LOAD_MODES[1:]) and text != "none":
        listed = ", ".join(map(quoted, ("none", "embedded:NAME", "binary-relative-memory-mapped:NAME")))
        raise Fault(f"{quoted(text)} is no way to load resources", f"There are {listed}.")
    return text


def _build(value: HostObject, target: str) -> None:
    """Refuse ``build(target)``: a program says what there is to build, and has ended before anything is built."""
    problem = f"{value.starlark_type}.build() is not for configurations"
    raise Fault(problem, f"Return the value from a target, and call frazil build --target {target}.")


def _settings() -> dict[str, Attribute]:
    """Attributes that PyOxidizer has not: what any front-end can say about a plan."""
    made = {one.name: Attribute(one.kind, one.default, choices=one.choices) for one in api.SETTINGS}
    for name, (kind, default, choices) in api.PMM.items():
        made[api.pmm_name(name)] = Attribute(kind, default, choices=choices)
    return made


class PythonExecutable(
    HostObject,
    starlark_type="PythonExecutable",
    starlark_methods={**older.adders(), "build": _build},
    starlark_attributes=_settings(),
):
    """An executable: a distribution, resources, and what runs."""

    licenses_filename = Attribute("str | None", "COPYING.txt")
    packed_resources_load_mode = Attribute("str", "embedded:packed-resources", check=_load_mode)
    tcl_files_path = Attribute("str | None")
    windows_runtime_dlls_mode = Attribute("str", "when-present", choices=_DLL_MODES)
    windows_subsystem = Attribute("str", "console")

    def __init__(
        self,
        session: Session,
        name: str,
        distribution: Distribution,
        policy: PythonPackagingPolicy,
        config: PythonInterpreterConfig,
    ) -> None:
        _check(name)
        config.start()  # a contradiction is told here, where it has a place
        self._session = session
        self._site = session.site()
        self.name = name
        self.distribution = distribution
        self.policy = policy
        self.config = config
        self.sources = Sources(session, distribution)
        self.resources: dict[str, PythonResource] = {}
        """Those that were added, by path below the mount; their location is settled."""
        self.native: list[dict[str, Any]] = []
        """The native modules to compile, as tables of ``[[tool.frazil.native]]``."""
        self._plan: Plan | None = None
        self._rules = standard_library_rules(distribution, policy)

    # -- making resources ---------------------------------------------------------------------------------------------

    def _made(self, found: Iterable[tuple[str, Sequence[Any]]]) -> list[PythonResource]:
        """Objects of records, each list of them with the ``sys.path`` entry that they are below."""
        scanner = Scanner(self.policy.file_scanner_classify_files, self.policy.file_scanner_emit_files)
        made = [one for root, resources in found for one in scanner.objects(resources, root)]
        for one in made:
            self.policy.apply(one)
        return made

    @method
    def make_python_module_source(self, name: str, source: str, is_package: bool = False) -> PythonModuleSource:
        """A module that is written in the configuration."""
        if not all(map(str.isidentifier, name.split("."))):
            raise Fault(f"{quoted(name)} is no name of a module")
        relative = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        path = f"{APPLICATION_DIRECTORY}/{relative}"
        directory = path.rsplit("/", 2 if is_package else 1)[0]
        made = PythonModuleSource(
            SourceModule(name, is_package, source.encode(), path, directory, APPLICATION), APPLICATION_DIRECTORY
        )
        self.policy.apply(made)
        return made

    @method
    def pip_install(self, args: list[str], extra_envs: dict[str, str] | None = None) -> list[PythonResource]:
        """What ``pip install ARGS`` installs. Raises DependencyError with the installer's last lines."""
        return self._made(self.sources.installed(args, extra_envs or {}))

    @method
    def pip_download(self, args: list[str]) -> list[PythonResource]:
        """The same from wheels only."""
        return self._made(self.sources.installed(["--only-binary=:all:", *args], {}))

    @method
    def setup_py_install(
        self,
        package_path: str,
        extra_envs: dict[str, str] | None = None,
        extra_global_arguments: list[str] | None = None,
    ) -> list[PythonResource]:
        """What a project with ``setup.py`` installs, without what it requires."""
        options = [f"--config-settings=--global-option={one}" for one in extra_global_arguments or ()]
        arguments = ["--no-deps", *options, str(self._session.absolute(package_path))]
        return self._made(self.sources.installed(arguments, extra_envs or {}))

    @method
    def read_package_root(self, path: str, packages: list[str]) -> list[PythonResource]:
        """The packages and modules of those names below ``path``."""
        return self._made([(APPLICATION_DIRECTORY, self.sources.packages(self._session.absolute(path), packages))])

    @method
    def read_virtualenv(self, path: str) -> list[PythonResource]:
        """What is installed in a virtual environment."""
        return self._made(self.sources.virtual_environment(self._session.absolute(path)))

    # -- adding resources ---------------------------------------------------------------------------------------------

    @method
    def add_python_resource(self, resource: object, **earlier: object) -> None:
        """Add one resource, as its ``add_*`` attributes say."""
        self._add(resource, "add_python_resource", None, earlier)

    @method
    def add_python_resources(self, resources: Items, **earlier: object) -> None:
        """Add several."""
        for one in resources:
            self._add(one, "add_python_resources", None, earlier)

    def add_earlier(self, name: str, value: object, location: str | None, options: Mapping[str, object]) -> None:
        """What the methods ``add_*`` of earlier releases do."""
        new = "add_python_resources" if name.endswith("python_resources") else "add_python_resource"
        place = "" if location is None else ", with add_location set on the resource"
        renamed(self._session, f"PythonExecutable.{name}", f"{new}{place}", "0.5 to 0.7")
        values = value if isinstance(value, StarlarkList) else [value]
        for one in values:
            self._add(one, name, location, options)

    def _add(self, resource: object, name: str, location: str | None, options: Mapping[str, object]) -> None:
        if not isinstance(resource, PythonResource):
            problem = "only resources can be added to an executable"
            raise Fault(problem, "They come from pip_install(), read_package_root(), make_python_module_source() and the like.")
        older.apply_options(resource, name, options)
        if resource.of_python:
            self._rules.add(resource)
            return
        if location is not None:
            resource.add_location = location
        where = self.policy.wanted(resource)
        if where is not None:
            resource.add_location = str(where)
            self.resources[resource.resource.path] = resource

    @method
    def filter_resources_from_files(self, files: list[str] | None = None, glob_files: list[str] | None = None) -> None:
        """Keep only those resources that the files name, one name a line."""
        names = names_in(self._session.directory, files or (), glob_files or ())
        self.resources = kept(self.resources, names)

    @method
    def filter_from_files(self, files: list[str] | None = None, glob_patterns: list[str] | None = None) -> None:
        """The same, as the first releases called it."""
        renamed(self._session, "filter_from_files", "filter_resources_from_files", "0.5")
        self.filter_resources_from_files(files, glob_patterns)

    @method
    def add_cargo_manifest_licensing(
        self,
        manifest_path: str,
        all_features: bool = False,
        features: list[str] | None = None,
    ) -> None:
        """Accepted and ignored: there is no Rust inside."""

    # -- what becomes of it -------------------------------------------------------------------------------------------

    @method
    def to_embedded_resources(self) -> PythonEmbeddedResources:
        """What is inside the executable, for those who link their own."""
        return PythonEmbeddedResources(self)

    @method
    def to_embedded_data(self) -> PythonEmbeddedResources:
        """The same, as the first releases called it."""
        renamed(self._session, "to_embedded_data", "to_embedded_resources", "0.5")
        return PythonEmbeddedResources(self)

    @method
    def to_file_manifest(self, prefix: str) -> FileManifest:
        """A manifest with the executable in the directory ``prefix``, ``.`` for the manifest's own."""
        manifest = FileManifest(self._session)
        manifest.add_python_resource(prefix, self)
        return manifest

    @method
    def to_wix_bundle_builder(self, *args: object, **named: object) -> None:
        """Refused."""
        del args, named
        raise _foreign("to_wix_bundle_builder")

    @method
    def to_wix_msi_builder(self, *args: object, **named: object) -> None:
        """Refused."""
        del args, named
        raise _foreign("to_wix_msi_builder")

    def settings(self) -> dict[str, Any]:
        """What the program has set of the settings of all front-ends."""
        names = [*(one.name for one in api.SETTINGS), *map(api.pmm_name, api.PMM)]
        return {name: vars(self)[name] for name in names if name in vars(self)}

    @method
    def add_archive(self, archive: Archive | str) -> None:
        """Use an archive, or what is at a path; the first one that has something wins."""
        place = archive.place if isinstance(archive, Archive) else self._session.absolute(archive)
        vars(self)["archives"] = [*vars(self).get("archives", []), str(place)]

    @method
    def add_native_module(  # noqa: PLR0917 - as programs call it
        self,
        module: str,
        sources: list[str],
        include_dirs: list[str] | None = None,
        define: list[str] | None = None,
        libraries: list[str] | None = None,
        library_dirs: list[str] | None = None,
        flags: list[str] | None = None,
        language: str = "c",
        package: bool = False,
    ) -> None:
        """A module to be compiled, as ``[[tool.frazil.native]]`` declares it; ``native_link`` says how it comes in."""
        table = {"module": module, "sources": sources, "language": language, "package": package}
        lists = {"include-dirs": include_dirs, "define": define, "libraries": libraries, "library-dirs": library_dirs}
        table |= {name: value or [] for name, value in (lists | {"flags": flags}).items()}
        if issues := native_issues("", [*self.native, table]):
            raise Fault("; ".join(one.partition(".")[2] for one in issues))
        self.native.append(table)

    def plan(self) -> Plan:
        """The executable, described. Raises FrazilError."""
        if self._plan is None:
            try:
                self._plan = Planner(self, self._rules, self._session).plan()
            except UsageError as error:  # not the command line's fault, but that of the place where the executable is made
                problem = error.problem if error.where is None else f"{error.where}: {error.problem}"
                raise SourceError(problem, where=self._site, remedy=error.remedy, details=error.details) from error
        return self._plan

    def inputs(self) -> Sequence[object] | None:
        """All that a build depends on."""
        return (self.plan(),)

    def build(self, context: BuildContext) -> Built:
        """Write the executable, and the files that stand beside it."""
        plan = self.plan()
        path = context.directory / self.name
        context.make(plan, path)
        return Built((path, *_beside(plan, context.directory)), path)


def _foreign(name: str) -> Fault:
    return Fault(
        f"{name} is for Windows installers, which frazil does not make", "Build another target; frazil targets lists them."
    )


def _beside(plan: Plan, directory: Path) -> list[Path]:
    """The files of a build that stand beside the executable."""
    prefixes = {one.prefix for one in (plan.locations.standard, *plan.locations.by_path.values()) if one.prefix is not None}
    return sorted({file for prefix in prefixes for file in (directory / prefix).rglob("*") if file.is_file()})


def _check(name: str) -> None:
    try:
        check_name(name)
    except UsageError as error:
        raise Fault(error.problem, "Give to_python_executable() a name without a slash.") from None


class PythonEmbeddedResources(HostObject, starlark_type="PythonEmbeddedResources", starlark_methods={"build": _build}):
    """What is inside an executable. As a target it is the executable itself; ``run-build-script`` writes it for linkers."""

    def __init__(self, executable: PythonExecutable) -> None:
        self.executable = executable

    def plan(self) -> Plan:
        """The executable, described. Raises FrazilError."""
        return self.executable.plan()

    def inputs(self) -> Sequence[object] | None:
        """All that a build depends on."""
        return self.executable.inputs()

    def build(self, context: BuildContext) -> Built:
        """Write the executable, and the files that stand beside it."""
        return self.executable.build(context)
