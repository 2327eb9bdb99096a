"""What stands in directories beside the executable (``docs/spec/launcher.md``, "Beside the executable").

importlib's own path finder finds modules there. This file adds what no search along one path can know: packages of which one
part is in memory and another one in files, and libraries that the ordinary loader would look for in vain.
"""

import _frozen_importlib_external
import sys

import _frazil

from frazil_runtime.importer import ImageFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_ORIGIN = "$ORIGIN"

_split: "dict[str, list[str]]" = {}
"""The directories that packages have beside their own."""
_needs: "dict[str, list[str]]" = {}
"""The libraries that extension modules need, in the order of loading."""
_origin = ""
"""The executable's directory."""


class _Loader(_frozen_importlib_external.ExtensionFileLoader):
    """Loads what an extension module needs before the module itself."""

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        for library in _needs[spec.name]:
            _frazil.preload(placed(library))
        return super().create_module(spec)


class BesideFinder:
    """A meta path finder for the names that the list has; stands before the image's."""

    @staticmethod
    def find_spec(
        fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The module's spec as the other finders have it, with what the list says of it."""
        if fullname not in _split and fullname not in _needs:
            return None
        spec = ImageFinder.find_spec(fullname, path, target)
        if spec is None:
            spec = _frozen_importlib_external.PathFinder.find_spec(fullname, path, target)
        if spec is None:
            return None
        if fullname in _split and spec.submodule_search_locations is not None:
            spec.submodule_search_locations.extend(map(placed, _split[fullname]))
        if fullname in _needs and type(spec.loader) is _frozen_importlib_external.ExtensionFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def placed(path: str) -> str:
    """A path of the list, or of the settings, as it is in this process."""
    return _origin + path[len(_ORIGIN) :] if path.startswith(_ORIGIN) else path


def install(table: str) -> None:
    """Read the list, and stand before the other finders."""
    global _origin  # noqa: PLW0603 - the one thing that another process has otherwise
    _origin = sys.executable.rpartition("/")[0]
    kinds = {"split": _split, "needs": _needs}
    with open(table, encoding="utf-8") as lines:  # noqa: PTH123 - no pathlib here
        for line in lines:
            kind, name, *paths = line.rstrip("\n").split("\t")
            kinds[kind][name] = paths
    sys.meta_path.insert(0, BesideFinder)


def move() -> None:
    """Follow the executable, when this process continues one that was started elsewhere."""
    global _origin
    former, _origin = _origin, sys.executable.rpartition("/")[0]
    if former != _origin:
        sys.path[:] = [_origin + entry[len(former) :] if f"{entry}/".startswith(f"{former}/") else entry for entry in sys.path]
