"""The finder: a shortcut from a module's name to its code in the image.

memfs makes the image's tree a real installation: importlib's own PathFinder finds every module in it, with nothing of ours
in the way. The finder answers the same question from an index, and only where the answer is sure to be the same: when the
search along ``sys.path`` or ``__path__`` reaches the module's directory before any directory that the image does not know.
Otherwise it says None and PathFinder searches.

This file runs before any module can be imported from a file: it uses only what ``importlib`` has loaded, and no future
statement, which would import a module.
"""

import _frozen_importlib
import _frozen_importlib_external
import _imp
import sys

import _frazil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

PACKAGE = 0x0001
EXTENSION = 0x0002
_REWRITTEN = -1
"""In the place of an image's record of code: none of it is of this source."""

path_hooks: "list[object]" = []
"""``sys.path_hooks`` as the interpreter has them; where the program has others, these decide what a directory holds."""

_find = _frazil.find
_load_code = _frazil.load_code


class _ImageCode:
    """What the loaders of the image have in common: the code comes from the mapping."""

    def __init__(self, name: str, path: str, code: int) -> None:
        self.name = name
        self.path = path
        self._code = code

    def get_code(self, _fullname: str) -> "CodeType":
        """The module's code. ImportError: the image is damaged."""
        return _load_code(self._code)


class ImageLoader(_ImageCode, _frozen_importlib_external.SourceFileLoader):  # type: ignore[misc]  # typeshed's bases disagree
    """Loads a module whose source stands in memfs."""

    def get_code(self, _fullname: str) -> "CodeType":
        """The module's code: the image's, or that of a source which the program has written anew."""
        if self._code != _REWRITTEN:
            return _load_code(self._code)
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


class SourcelessImageLoader(_ImageCode, _frozen_importlib_external.SourcelessFileLoader):
    """Loads a module of which there is only bytecode."""


class StaticLoader(_frozen_importlib_external.ExtensionFileLoader):
    """Loads an extension module that is linked into this program. Its file, a shared object that leads there, loads it too."""

    def create_module(self, spec: "ModuleSpec") -> "ModuleType":
        """The module, not yet executed."""
        return _frazil.create_static(spec)


def spec_from_record(fullname: str, record: tuple[int, str, str | None, str, int]) -> "ModuleSpec":
    """The spec of a module that the image has a record of."""
    flags, file, cached, directory, code = record
    loader: ImageLoader | SourcelessImageLoader | _frozen_importlib_external.ExtensionFileLoader
    if flags & EXTENSION:
        kind = StaticLoader if _frazil.is_static(fullname) else _frozen_importlib_external.ExtensionFileLoader
        loader = kind(fullname, file)
    elif file == cached:
        loader = SourcelessImageLoader(fullname, file, code)
    else:
        loader = ImageLoader(fullname, file, code)
    spec = _frozen_importlib.ModuleSpec(fullname, loader, origin=file, is_package=bool(flags & PACKAGE))
    spec.has_location = True
    spec.cached = cached
    if spec.submodule_search_locations is not None:
        spec.submodule_search_locations.append(directory)
    return spec


def _search(fullname: str, path: "Sequence[str] | None") -> "ModuleSpec | None":
    """What the search comes to where the program has changed the files of the image."""
    if _imp.is_frozen(fullname):
        return None
    spec = _frozen_importlib_external.PathFinder.find_spec(fullname, path)
    if spec is None or type(spec.loader) is not _frozen_importlib_external.SourceFileLoader:
        return spec
    if spec.has_location and spec.origin and not _frazil.unchanged(spec.origin):
        spec.loader = ImageLoader(fullname, spec.origin, _REWRITTEN)
    return spec


class ImageFinder:
    """The meta path finder; stands first on ``sys.meta_path``."""

    @staticmethod
    def find_spec(
        fullname: str, path: "Sequence[str] | None" = None, _target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The module's spec if the image is sure to be what the search comes to, else None."""
        if sys.path_hooks != path_hooks:
            return None
        record = _find(fullname, sys.path if path is None else path)
        if record:
            return spec_from_record(fullname, record)
        return None if record is None else _search(fullname, path)
