"""An archive in memory: its metadata, and where the bytes of each file come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from frazil.archive.metadata import FileFacts, Metadata, module_digest
from frazil.cache import file_digest
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frazil.resources.kinds import Content


@dataclass(frozen=True, slots=True)
class Archive:
    """``files`` has the content of every path that ``metadata.files`` lists. ``name`` is what people called it."""

    name: str
    metadata: Metadata
    files: Mapping[str, Content]
    root: Path | None = None
    """The directory that it stands in; None for one that was made in memory."""

    def below(self, folder: str) -> list[str]:
        """The paths in a folder, in sorted order."""
        return sorted(path for path in self.files if path.startswith(folder))


def facts_of(content: Content, *, executable: bool = False) -> FileFacts:
    """Size and digest of a file. Raises SourceError when it cannot be read."""
    if isinstance(content, bytes):
        return FileFacts(len(content), hashlib.sha256(content).hexdigest(), executable)
    try:
        return FileFacts(content.stat().st_size, file_digest(content), executable)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", where=content) from error


def content_of(path: str, archive: Archive) -> bytes:
    """The bytes of a file, which must still be those that the metadata lists. Raises SourceError otherwise."""
    content, facts = archive.files[path], archive.metadata.files[path]
    if isinstance(content, Path):
        try:
            content = content.read_bytes()
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or error}", where=archive.files[path]) from error
    if len(content) != facts.size or hashlib.sha256(content).hexdigest() != facts.sha256:
        where = f"{archive.name}: {path}"
        raise SourceError("changed while it was read", where=where, remedy="Build when nothing writes to it.")
    return content


def with_digests(metadata: Metadata) -> Metadata:
    """The metadata with the digest of each module set."""
    modules = {
        name: replace(module, digest=module_digest(module.files(), metadata.files)) if module.files() else module
        for name, module in metadata.modules.items()
    }
    return replace(metadata, modules=modules)
