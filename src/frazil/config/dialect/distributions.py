"""``PythonDistribution``: a Python to build with, and the functions that find one."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frazil import distribution as interpreters
from frazil.config.dialect import older
from frazil.config.dialect.executables import PythonExecutable
from frazil.config.dialect.interpreter_config import PythonInterpreterConfig
from frazil.config.dialect.notes import renamed
from frazil.config.dialect.policies import PythonPackagingPolicy
from frazil.config.dialect.standard_library import StandardLibrary
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.host import Attribute, HostObject, method
from frazil.config.starlark.interpreter import builtin
from frazil.config.starlark.text import quoted
from frazil.distribution_archive import unpack
from frazil.errors import DistributionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil.config.dialect.resource_types import PythonResource
    from frazil.config.dialect.session import Session
    from frazil.config.starlark.values import Builtin
    from frazil.distribution import PythonDistribution as Distribution

FLAVORS: Final = ("standalone", "standalone_dynamic", "standalone_static", "windows_embeddable")
_TARGETS: Final = ("x86_64-unknown-linux-gnu",)
_VERSION: Final = re.compile(r"3\.\d{1,2}(\.\d{1,3})?")


class PythonDistribution(HostObject, starlark_type="PythonDistribution"):
    """A Python to build with. It is looked for, or unpacked, when something needs it."""

    version = Attribute("str", read_only=True)

    def __init__(self, session: Session, find: Callable[[], Distribution]) -> None:
        self._session = session
        self._find = find
        self._found: Distribution | None = None

    def record(self) -> Distribution:
        """The distribution itself. Raises DistributionError."""
        if self._found is None:
            self._found = self._find()
        return self._found

    def starlark_get(self, name: str) -> Any:
        """A member's value."""
        return self.record().full_version if name == "version" else super().starlark_get(name)

    @method
    def make_python_packaging_policy(self) -> PythonPackagingPolicy:
        """A policy with the defaults."""
        return PythonPackagingPolicy(self._session)

    @method
    def make_python_interpreter_config(self) -> PythonInterpreterConfig:
        """A configuration with the defaults."""
        return PythonInterpreterConfig(self._session)

    @method
    def python_resources(self) -> list[PythonResource]:
        """The standard library."""
        return StandardLibrary(self.record()).objects()

    @method
    def to_python_executable(
        self,
        name: str,
        packaging_policy: PythonPackagingPolicy | None = None,
        config: PythonInterpreterConfig | None = None,
        **earlier: object,
    ) -> PythonExecutable:
        """An executable of that name; what the policy says of the standard library holds for it."""
        policy = PythonPackagingPolicy(self._session) if packaging_policy is None else packaging_policy.copy()
        older.apply_keywords(self._session, policy, earlier)
        chosen = PythonInterpreterConfig(self._session) if config is None else config.copy()
        return PythonExecutable(self._session, name, self.record(), policy, chosen)

    @method
    def source_modules(self) -> list[PythonResource]:
        """The modules of the standard library."""
        return [one for one in self._earlier("source_modules") if one.starlark_type == "PythonModuleSource"]

    @method
    def extension_modules(self, filter: str = "all", preferred_variants: dict[str, str] | None = None) -> list[PythonResource]:  # noqa: A002 - the dialect's name
        """The extension modules of the standard library that are files."""
        del filter, preferred_variants
        return [one for one in self._earlier("extension_modules") if one.starlark_type == "PythonExtensionModule"]

    @method
    def package_resources(self, include_test: bool = False) -> list[PythonResource]:
        """The other files of the standard library's packages."""
        del include_test
        return [one for one in self._earlier("package_resources") if one.starlark_type == "PythonPackageResource"]

    @method
    def resources_data(self, include_test: bool = False) -> list[PythonResource]:
        """The same, as the first releases called it."""
        return self.package_resources(include_test)

    def _earlier(self, name: str) -> list[PythonResource]:
        renamed(self._session, f"PythonDistribution.{name}", "python_resources", "0.5 to 0.8")
        return self.python_resources()

    def _adder(self, name: str) -> PythonExecutable:
        """What the methods of executables work on that distributions had in 0.7."""
        renamed(self._session, f"PythonDistribution.{name}", f"PythonExecutable.{name}", "0.7")
        policy, config = PythonPackagingPolicy(self._session), PythonInterpreterConfig(self._session)
        return PythonExecutable(self._session, "python", self.record(), policy, config)

    @method
    def pip_install(self, args: list[str], extra_envs: dict[str, str] | None = None) -> list[PythonResource]:
        """As ``PythonExecutable.pip_install``."""
        return self._adder("pip_install").pip_install(args, extra_envs)

    @method
    def read_package_root(self, path: str, packages: list[str]) -> list[PythonResource]:
        """As ``PythonExecutable.read_package_root``."""
        return self._adder("read_package_root").read_package_root(path, packages)

    @method
    def read_virtualenv(self, path: str) -> list[PythonResource]:
        """As ``PythonExecutable.read_virtualenv``."""
        return self._adder("read_virtualenv").read_virtualenv(path)

    @method
    def setup_py_install(
        self,
        package_path: str,
        extra_envs: dict[str, str] | None = None,
        extra_global_arguments: list[str] | None = None,
    ) -> list[PythonResource]:
        """As ``PythonExecutable.setup_py_install``."""
        return self._adder("setup_py_install").setup_py_install(package_path, extra_envs, extra_global_arguments)


def functions(session: Session) -> dict[str, Builtin]:
    """What programs call to get a distribution."""

    def default_python_distribution(
        flavor: str = "standalone", build_target: str | None = None, python_version: str | None = None
    ) -> PythonDistribution:
        if build_target is not None and build_target not in _TARGETS:
            problem = f"frazil builds for {_TARGETS[0]}, not for {quoted(build_target)}"
            raise Fault(problem, "Leave build_target out, or give BUILD_TARGET_TRIPLE.")
        _check_version(python_version)
        _check_flavor(flavor)
        return PythonDistribution(session, lambda: _local(session, python_version))

    def make(
        sha256: str, local_path: str | None = None, url: str | None = None, flavor: str = "standalone"
    ) -> PythonDistribution:
        if local_path is not None and url is not None:
            raise Fault("cannot define both local_path and url", "Give one of them.")
        if local_path is None and url is None:
            raise Fault("PythonDistribution needs local_path or url", "Name an archive of python-build-standalone.")
        _check_flavor(flavor)
        source = str(session.absolute(local_path)) if local_path is not None else str(url)
        return PythonDistribution(session, lambda: unpack(source, sha256, session.cache))

    return {
        "default_python_distribution": builtin(default_python_distribution),
        "PythonDistribution": builtin(make, "PythonDistribution"),
        "PythonInterpreterConfig": builtin(lambda **given: older.interpreter_config(session, given), "PythonInterpreterConfig"),
    }


def _check_flavor(flavor: str) -> None:
    if flavor not in FLAVORS:
        raise Fault(f"{quoted(flavor)} is no flavor of distributions", f"There are {', '.join(map(quoted, FLAVORS))}.")


def _check_version(text: str | None) -> None:
    if text is not None and not _VERSION.fullmatch(text):
        raise Fault(f"{quoted(text)} is no version of Python", 'Write it as in python_version = "3.12".')


def _local(session: Session, version: str | None) -> Distribution:
    """A Python of this machine: the running one, or one of ``version``; for versions too old to embed the running one too."""
    running = interpreters.running(session.cache)
    if version is None:
        return running
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < interpreters.SUPPORTED[0]:
        oldest = ".".join(map(str, interpreters.SUPPORTED[0]))
        text = f"python_version {version} is older than what frazil builds with ({oldest} and later)"
        session.note(f"{text}: {running.full_version} is taken")
        return running
    for candidate in (running, *_candidates(session, f"{major}.{minor}")):
        if version in {candidate.full_version, candidate.short_version}:
            return candidate
    remedy = f"Install it, so that python{major}.{minor} is found on PATH, or name an archive with PythonDistribution(...)."
    raise DistributionError(f"there is no Python {version} on this machine", remedy=remedy)


def _candidates(session: Session, short: str) -> list[Distribution]:
    """The Pythons of that version on PATH, beside the running one, and among those of pyenv."""
    name = f"python{short}"
    found = [shutil.which(name), Path(sys.base_prefix, "bin", name)]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found += sorted(root.glob(f"versions/{short}.*/bin/{name}"), reverse=True)
    made = []
    for one in dict.fromkeys(Path(each) for each in found if each is not None):
        if one.exists():
            try:
                made.append(interpreters.describe(one, session.cache))
            except DistributionError:
                continue  # a shim, or a build that cannot be embedded
    return made
