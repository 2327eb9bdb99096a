"""From a ``PythonExecutable`` to a plan: resources at their locations, the standard library's part, what runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from frazil.config.api import applied
from frazil.config.assembly import Draft
from frazil.config.dialect.policies import COPYLEFT, WITH_LIBRARIES
from frazil.config.dialect.standard_library import StandardLibrary
from frazil.config.native import native_sources
from frazil.config.options import SourceOptions
from frazil.config.starlark.errors import suggestion
from frazil.errors import UsageError
from frazil.plan import EntryKind, EntryPoint
from frazil.plan import StandardLibrary as Amount
from frazil.resources.kinds import APPLICATION, SourceModule
from frazil.resources.location import IN_MEMORY, Location, Locations, parse_location

if TYPE_CHECKING:
    from frazil.config.dialect.executables import PythonExecutable
    from frazil.config.dialect.interpreter_config import Start
    from frazil.config.dialect.policies import PythonPackagingPolicy
    from frazil.config.dialect.resource_types import PythonResource
    from frazil.config.dialect.session import Session
    from frazil.distribution import PythonDistribution as Distribution
    from frazil.plan import InterpreterConfig, Plan
    from frazil.resources.kinds import Resource


@dataclass(slots=True)
class StandardLibraryRules:
    """What a policy and its callbacks say of the standard library, of which the builder takes what is reached."""

    exclude: set[str] = field(default_factory=set)
    by_path: dict[str, Location] = field(default_factory=dict)
    whole: bool = False

    def add(self, resource: PythonResource) -> None:
        """A program adds a resource of the standard library: it wants all that it can reach by name."""
        self.whole = True
        name = getattr(resource, "name", "")
        if not resource.add_include and resource.starlark_type != "PythonPackageResource":
            self.exclude.add(name)
        if resource.add_location is not None:
            self.by_path[resource.resource.path] = parse_location(resource.add_location)


def standard_library_rules(distribution: Distribution, policy: PythonPackagingPolicy) -> StandardLibraryRules:
    """The rules for the standard library under ``policy``, whose callbacks see all of it."""
    rules = StandardLibraryRules()
    if policy.extension_module_filter in {"no-copyleft", "no-gpl"}:
        rules.exclude.update(COPYLEFT)
    elif policy.extension_module_filter == "no-libraries":
        rules.exclude.update(WITH_LIBRARIES)
    if policy.callbacks:
        for one in StandardLibrary(distribution, tests=policy.include_test).objects():
            policy.apply(one)
            if one.starlark_type == "PythonPackageResource":
                continue
            if not one.add_include:
                rules.exclude.add(one.name)  # type: ignore[attr-defined] # modules have one
            elif one.add_location is not None and one.add_location != policy.resources_location:
                rules.by_path[one.resource.path] = parse_location(one.add_location)
    return rules


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes the plan of one executable."""

    executable: PythonExecutable
    rules: StandardLibraryRules
    session: Session

    def plan(self) -> Plan:
        """The plan. Raises FrazilError, Fault."""
        executable = self.executable
        distribution = executable.distribution
        interpreter = executable.config.record()
        finished = [one.finished(interpreter.optimize) for one in executable.resources.values()]
        started = executable.config.start()
        if started.module is not None:
            self._require(started.module, finished)
        locations = self._locations()
        entry, scripts = self._entry(started, finished, locations)
        draft = Draft(self._options(started, interpreter), distribution, self.session.cache)
        draft.resources += [*finished, *scripts]
        draft.warnings += executable.sources.warnings
        draft.extra_paths += executable.sources.extra_paths
        if draft.options.requirements:
            draft.add_third_party({}, (), self.session.path)
        plan = draft.plan(executable.name, (entry,))
        return replace(plan, locations=locations, outside_paths=executable.config.search_paths())

    def _require(self, module: str, finished: list[Resource]) -> None:
        """Raise UsageError for a module to run that is nowhere to be seen."""
        known = {getattr(one, "name", None) for one in finished}
        executable = self.executable
        settings = executable.settings()
        elsewhere = executable.config.module_search_paths or settings.get("archives") or settings.get("pmm_search")
        stdlib = module.partition(".")[0] in executable.distribution.stdlib_modules
        if not (elsewhere or stdlib or {module, f"{module}.__main__"} & known):
            problem = f"there is no module {module} to run"
            remedy = suggestion(module, {name for name in known if name}) or "Add what has it with add_python_resources()."
            raise UsageError(problem, where="run_module", remedy=remedy)

    def _options(self, started: Start, interpreter: InterpreterConfig) -> SourceOptions:
        """What the plan is told beside its resources."""
        executable = self.executable
        policy = executable.policy
        top = "" if started.module is None else started.module.partition(".")[0]
        include = [started.module] if started.module is not None and top in executable.distribution.stdlib_modules else []
        if policy.include_test and StandardLibrary(executable.distribution).has_tests():
            include.append("test.*")
        whole = self.rules.whole or started.interactive or executable.config.sees_more()
        options = SourceOptions(
            source="",
            include=tuple(include),
            exclude=tuple(sorted(self.rules.exclude)),
            stdlib=Amount.ALL if whole else Amount.USED,
            with_source=policy.include_distribution_sources,
            interpreter=interpreter,
            directory=self.session.directory,
        )
        options = applied(options, executable.settings(), self.session.path)
        return replace(options, native=native_sources(executable.native, self.session.directory))

    def _locations(self) -> Locations:
        """Where everything stands; what starts the program is in memory."""
        standard = self.executable.policy.location()
        by_path = {**self.rules.by_path, f"bin/{self.executable.name}": IN_MEMORY}
        for path, one in self.executable.resources.items():
            by_path[path] = parse_location(one.add_location)
        return Locations(standard, {path: one for path, one in by_path.items() if one != standard})

    def _entry(self, started: Start, finished: list[Resource], locations: Locations) -> tuple[EntryPoint, list[SourceModule]]:
        """The entry point, and the script that it starts unless it is a module of the image."""
        name = self.executable.name
        prelude = self.executable.config.prelude()
        if started.module is not None and not prelude and _is_in_memory(started.module, finished, locations):
            return EntryPoint(name, EntryKind.MODULE, started.module), []
        path = f"bin/{name}"
        script = SourceModule(path, False, f"{prelude}{started.script}".encode(), path, "bin", APPLICATION)
        return EntryPoint(name, EntryKind.COMMAND, path), [script]


def _is_in_memory(module: str, finished: list[Resource], locations: Locations) -> bool:
    """Whether the module that runs is in the image. What is none of the program's own is left to ``runpy``."""
    places = [one.path for one in finished if getattr(one, "name", None) in {module, f"{module}.__main__"}]
    return bool(places) and all(locations.of(path) == IN_MEMORY for path in places)
