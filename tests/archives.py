"""Archives made in memory by tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frazil.archive.content import Archive, facts_of, with_digests
from frazil.archive.metadata import Metadata, Mode, ModuleFacts, PythonFacts
from frazil.archive.paths import PYTHON, imported_name
from frazil.native.record import BuildKey

if TYPE_CHECKING:
    from collections.abc import Mapping

SOABI = "cpython-311-x86_64-linux-gnu"
PLATFORM = "x86_64-linux-gnu"
KEY = BuildKey(soabi=SOABI, python="3.11.7", platform=PLATFORM, compiler="gcc 12.2.0", flags=("-O2",), glibc="2.17")


def archive(
    name: str, files: Mapping[str, bytes], modules: Mapping[str, ModuleFacts] | None = None, **metadata: Any
) -> Archive:
    """An archive of these files; each source in ``python/`` is a module, ``modules`` says more of them."""
    found = {one: ModuleFacts(source=path) for path in files if (one := _source(path))} | dict(modules or {})
    facts = Metadata(
        app_name=metadata.pop("app_name", name),
        frazil_version="0.1.0",
        python=PythonFacts("cpython", "3.11.7", SOABI),
        mode=Mode(PLATFORM),
        modules=found,
        files={path: facts_of(content) for path, content in files.items()},
        **metadata,
    )
    return Archive(name, with_digests(facts), dict(files))


def _source(path: str) -> str | None:
    return imported_name(path[len(PYTHON) :]) if path.startswith(PYTHON) and path.endswith(".py") else None
