"""Write a signed set as a TUF repository that any static web server can serve (``docs/spec/pmm-index.md``).

``timestamp.json`` is written last and is the only file that is ever replaced: a client that reads meanwhile sees the repository
as it was or as it will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from frazil.errors import HostError, OutputError, SourceError, TrustError
from frazil.pmm.signing import refusals, write_document
from frazil_runtime.pmm import documents, install

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tuf.api.metadata import Metadata, Root, Snapshot, Timestamp

    from frazil.pmm.keys import PrivateKey
    from frazil_runtime.pmm.protocol import Storage, TrustSettings

    _Online = TypeVar("_Online", Snapshot, Timestamp)

_TIMESTAMP: Final = "timestamp.json"
_SNAPSHOT: Final = "snapshot.json"
_TARGETS: Final = "targets.json"


@dataclass(frozen=True, slots=True)
class Published:
    """What a repository has now."""

    version: int
    """Of the index."""
    modules: int
    new: int
    """Files below ``targets`` that were not there before."""


@dataclass(frozen=True, slots=True)
class Online:
    """Who signs the snapshot and the timestamp, and until when that is good."""

    keys: Sequence[PrivateKey]
    expires: str


def publish(storage: Storage, settings: TrustSettings, repository: Path, online: Online) -> Published:
    """Publish a flat storage's set. FrazilError: it does not verify, or is older than what is published."""
    _require_tuf()
    with refusals():
        accepted = install.verify(storage, settings)
        release = install.release_in(storage, settings)
    index = accepted.signed
    metadata = repository / "metadata"
    before = _versions(metadata)
    if index.version < before.index:
        raise TrustError(f"the repository has version {before.index}, and this is version {index.version}", where=storage.name,
                         remedy="Make the index again: it gets a later version.")  # fmt: skip
    chain = _chain(settings, release.roots)
    online_documents = _online(chain[-1][1], index.version, release.document, before, online)
    new = 0
    for entry in index.modules.values():
        path = repository / "targets" / f"{entry.digest}.{entry.name}{documents.SUFFIX}"
        if not path.exists():
            with refusals():
                data = release.fetch(entry)
            write_document(path, data)
            new += 1
    for version, root in chain:
        _write_once(metadata / f"{version}.root.json", root)
    _write_once(metadata / f"{index.version}.{_TARGETS}", release.document)
    for name, data in online_documents:
        write_document(metadata / name, data)
    return Published(index.version, len(index.modules), new)


def _require_tuf() -> None:
    try:
        import tuf.api.metadata  # noqa: F401, PLC0415 - an extra: few users publish modules
    except ImportError as error:
        raise HostError("publishing needs the package tuf", remedy="pip install 'frazil[pmm]'") from error


def _chain(settings: TrustSettings, later: Mapping[int, bytes]) -> Sequence[tuple[int, bytes]]:
    """All root documents that clients may ask for, by version."""
    first = settings.root or b""
    with refusals():
        version = documents.read_root(documents.split(first, documents.MAX_ROOT, "root")[1], "root").version
    return [(version, first), *sorted(later.items())]


def _write_once(path: Path, data: bytes) -> None:
    """Write what never changes under its name."""
    if not path.exists():
        write_document(path, data)
    elif path.read_bytes() != data:
        raise OutputError("another document of this version was published", where=path, remedy="A change needs a new version.")


@dataclass(frozen=True, slots=True)
class _Versions:
    """What is published."""

    index: int = 0
    snapshot: int = 0
    timestamp: int = 0


def _versions(metadata: Path) -> _Versions:
    """The versions that clients see; the repository is the publisher's own, so signatures do not matter."""
    from tuf.api.exceptions import RepositoryError  # noqa: PLC0415 - see above
    from tuf.api.metadata import Metadata, Snapshot, Timestamp  # noqa: PLC0415 - see above

    path = metadata / _TIMESTAMP
    if not path.exists():
        return _Versions()
    try:
        timestamp = Metadata[Timestamp].from_bytes(path.read_bytes()).signed
        path = metadata / f"{timestamp.snapshot_meta.version}.{_SNAPSHOT}"
        snapshot = Metadata[Snapshot].from_bytes(path.read_bytes()).signed
        return _Versions(snapshot.meta[_TARGETS].version, snapshot.version, timestamp.version)
    except (OSError, RepositoryError, KeyError) as error:
        raise SourceError(f"this is no metadata of a repository: {error}", where=path,
                          remedy="Publish into another directory, or restore this file.") from error  # fmt: skip


def _online(root: bytes, version: int, index: bytes, before: _Versions, online: Online) -> Sequence[tuple[str, bytes]]:
    """The snapshot and the timestamp, in the order in which they are written."""
    from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Timestamp  # noqa: PLC0415 - see above

    expires = datetime.strptime(online.expires, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    trusted = Metadata[Root].from_bytes(root)
    meta = {_TARGETS: MetaFile(version, len(index), {"sha256": documents.sha256_hex(index)})}
    snapshot = Metadata(Snapshot(version=before.snapshot + 1, expires=expires, meta=meta))
    snapshot_data = _signed(snapshot, "snapshot", trusted, online)
    pointer = MetaFile(before.snapshot + 1, len(snapshot_data), {"sha256": documents.sha256_hex(snapshot_data)})
    timestamp = Metadata(Timestamp(version=before.timestamp + 1, expires=expires, snapshot_meta=pointer))
    timestamp_data = _signed(timestamp, "timestamp", trusted, online)
    return [(f"{before.snapshot + 1}.{_SNAPSHOT}", snapshot_data), (_TIMESTAMP, timestamp_data)]


def _signed(document: Metadata[_Online], role: str, trusted: Metadata[Root], online: Online) -> bytes:
    """The document with signatures; TrustError when clients would not take them."""
    from securesystemslib.signer import Signature  # noqa: PLC0415 - see above
    from tuf.api.exceptions import UnsignedMetadataError  # noqa: PLC0415 - see above
    from tuf.api.serialization.json import JSONSerializer  # noqa: PLC0415 - see above

    body = document.signed_bytes
    for key in online.keys:
        document.signatures[key.public.identity] = Signature(key.public.identity, key.sign(body).hex())
    try:
        trusted.signed.verify_delegate(role, body, document.signatures)
    except UnsignedMetadataError as error:
        threshold = trusted.signed.roles[role].threshold
        raise TrustError(
            f"these keys may not sign the {role}: the root document wants {threshold} of its online keys",
            where=", ".join(key.public.name for key in online.keys) or "--key",
            remedy="Name keys that the root document lists with --online-key.",
        ) from error
    return document.to_bytes(JSONSerializer(compact=True))
