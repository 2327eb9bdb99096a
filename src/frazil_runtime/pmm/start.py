"""The start of an executable that has storages: open them, read their indexes, install the finder."""

import sys

import _frazil

from frazil_runtime.pmm import program
from frazil_runtime.pmm.errors import PmmError
from frazil_runtime.pmm.finder import Finder, Functions, Signed, Unsigned
from frazil_runtime.pmm.settings import Settings
from frazil_runtime.pmm.storages import FUNCTION, is_trusted, open_storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def start(image: "Mapping[str, str]") -> None:
    """Look for modules in storages from now on. May run again; ends the program when a storage cannot be trusted."""
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, Finder)]
    try:
        settings = Settings(image, sys.executable)
        sources = [_source(url, settings) for url in settings.urls]
    except PmmError as error:
        raise SystemExit(f"{image['name']}: {error}") from None
    if FUNCTION not in settings.urls:
        if settings.locked:
            program.lock()
        else:
            sources.append(Functions())
    finder = Finder(sources, _places, allow=settings.allow, deny=settings.deny)
    if settings.mode == "add":
        sys.meta_path.append(finder)
    else:
        sys.meta_path.insert(0, finder)


def _source(url: str, settings: Settings) -> "Unsigned | Signed | Functions":
    if url == FUNCTION:
        return Functions()
    storage = open_storage(url, settings.expand("{user_cache}/pmm"))
    if settings.unsigned or is_trusted(url):
        return Unsigned(storage)
    from frazil_runtime.pmm import trust

    return Signed(storage, trust.open_index(storage, settings))


def _places(name: str) -> "list[str]":
    """The directory that the image has for a package."""
    record = _frazil.record(name)
    return [] if record is None else [record[3]]
