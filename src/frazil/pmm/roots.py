"""Root documents: who may sign what, and how that changes (``docs/spec/pmm-index.md``, "Root document")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from frazil.errors import UsageError
from frazil_runtime.pmm import documents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frazil.pmm.keys import PublicKey
    from frazil_runtime.pmm.documents import Root

SPECIFICATION: Final = "1.0.31"
"""The version of TUF's specification that documents name."""
ROOT: Final = "root"
INDEX: Final = "targets"
ONLINE: Final = ("snapshot", "timestamp")


@dataclass(frozen=True, slots=True)
class Signers:
    """The raw public keys of a role, and how many of them must sign."""

    keys: tuple[bytes, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class RootPlan:
    """A root document to be made."""

    application: str
    version: int
    issued: str
    expires: str
    roles: Mapping[str, Signers]
    least: int = 0

    def body(self) -> dict[str, object]:
        """The document's body."""
        keys = {documents.key_identity(key): documents.key_object(key) for role in self.roles.values() for key in role.keys}
        return {
            "_type": "root",
            "consistent_snapshot": True,
            "expires": self.expires,
            "keys": keys,
            "roles": {name: _role(role) for name, role in self.roles.items()},
            "spec_version": SPECIFICATION,
            "version": self.version,
            "x-frazil": {
                "application": self.application,
                "format": documents.FORMAT,
                "issued": self.issued,
                "least": self.least,
            },
        }


def _role(role: Signers) -> dict[str, object]:
    return {"keyids": sorted({documents.key_identity(key) for key in role.keys}), "threshold": role.threshold}


def signers(what: str, keys: Sequence[PublicKey], threshold: int) -> Signers:
    """A role; UsageError for a threshold that its keys cannot reach."""
    raw = tuple(dict.fromkeys(key.raw for key in keys))
    if not 1 <= threshold <= len(raw):
        count = "1 key" if len(raw) == 1 else f"{len(raw)} keys"
        raise UsageError(f"{threshold} signatures cannot come from {count}", where=what, remedy="Name more keys, each once.")
    return Signers(raw, threshold)


def following(root: Root, issued: str, expires: str) -> RootPlan:
    """The next version of a root document, all else as it was."""
    roles = {name: Signers(tuple(role.keys.values()), role.threshold) for name, role in root.roles.items()}
    return RootPlan(root.application, root.version + 1, issued, expires, roles, root.least)


def without_key(plan: RootPlan, identity: str, substitute: bytes | None) -> RootPlan:
    """The plan without a key, which another may take the place of; UsageError when a threshold could not be reached."""
    roles = {}
    found = False
    for name, role in plan.roles.items():
        kept = tuple(key for key in role.keys if documents.key_identity(key) != identity)
        if len(kept) == len(role.keys):
            roles[name] = role
            continue
        found = True
        if substitute is not None and substitute not in kept:
            kept = (*kept, substitute)
        if len(kept) < role.threshold:
            raise UsageError(
                f"without this key {name} has {len(kept)} of the {role.threshold} that must sign",
                where=identity,
                remedy="Name a key that takes its place with --replace-by.",
            )
        roles[name] = Signers(kept, role.threshold)
    if not found:
        raise UsageError("the root document does not name this key", where=identity)
    return replace(plan, roles=roles)
