"""A publisher for tests: keys, root documents and indexes made by the functions that ``frazil pmm`` uses."""

from __future__ import annotations

import hashlib
import marshal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from frazil.pmm import roots
from frazil.pmm.indexing import IndexPlan, ModuleFile, index_body
from frazil.pmm.keys import PrivateKey, PublicKey
from frazil.pmm.signing import signed
from frazil_runtime.pmm import documents, envelope, install
from frazil_runtime.pmm.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

APPLICATION = "orbit"
PYTHON = sys.implementation.cache_tag or ""
ISSUED = "2026-01-01T00:00:00Z"
EXPIRES = "2099-01-01T00:00:00Z"


def key(name: str) -> PrivateKey:
    """The key of that name, always the same."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    return PrivateKey(PublicKey(name, private.public_key().public_bytes_raw()), private)


def pmm(source: str, *, package: bool = False) -> bytes:
    """A module, sealed."""
    return envelope.seal(marshal.dumps(compile(source, "<pmm>", "exec")), package=package)


def sign(body: dict[str, Any], *names: str) -> bytes:
    """A document of that body, signed by the keys of these names."""
    data = documents.join((), documents.encode(body))
    for name in names:
        data = signed(data, key(name), "test")
    return data


@dataclass
class Settings:
    """What an executable says about trust."""

    root: bytes | None
    state: str
    application: str = APPLICATION
    python: str = PYTHON
    locked: bool = False
    floor: str = ""
    expired: str = ""


@dataclass
class Memory:
    """A storage that keeps what was written; the write number ``fail_at`` ends the process."""

    name: str = "memory:modules"
    content: dict[str, bytes] = field(default_factory=dict)
    writes: int = 0
    fail_at: int = -1

    def load(self, key: str, limit: int) -> bytes | None:
        data = self.content.get(key)
        if data is not None and len(data) > limit:
            msg = f"{self.name}: {key} has more than {limit} bytes"
            raise StorageError(msg)
        return data

    def store(self, key: str, data: bytes) -> None:
        self._write()
        self.content[key] = data

    def remove(self, key: str) -> None:
        self._write()
        self.content.pop(key, None)

    def replace(self, changes: Mapping[str, bytes | None]) -> None:
        raise NotImplementedError

    def keys(self) -> list[str]:
        return sorted(self.content)

    def _write(self) -> None:
        if self.writes == self.fail_at:
            raise KeyboardInterrupt
        self.writes += 1


@dataclass
class Publisher:
    """Alice, Bob and Carol sign roots and indexes, two of them each time; "online" signs the rest."""

    application: str = APPLICATION
    python: str = PYTHON
    signers: tuple[str, ...] = ("alice", "bob", "carol")
    threshold: int = 2

    def root(self, version: int = 1, *names: str, signers: tuple[str, ...] = (), expires: str = EXPIRES, **more: Any) -> bytes:
        """A root document whose roles have ``signers``, signed by ``names``."""
        keys = signers or self.signers
        role = roots.Signers(tuple(key(name).public.raw for name in keys), self.threshold)
        online = roots.Signers((key("online").public.raw,), 1)
        kinds = {"root": role, "targets": role, "snapshot": online, "timestamp": online}
        plan = roots.RootPlan(self.application, version, more.pop("issued", ISSUED), expires, kinds, **more)
        return sign(plan.body(), *(names or keys[: self.threshold]))

    def body(self, version: int, modules: dict[str, bytes], before: bytes | None = None, **more: Any) -> dict[str, Any]:
        """The body of an index."""
        plan = IndexPlan(self.application, self.python, version, more.get("issued", ISSUED), more.get("expires", EXPIRES))
        files = tuple(ModuleFile(name, data, package=False, magic=b"") for name, data in modules.items())
        known = None if before is None else documents.read_index(documents.split(before, 10**7, "")[1], "", "", installed=False)
        return index_body(plan, files, known)

    def index(self, version: int, modules: dict[str, bytes], *names: str, before: bytes | None = None, **more: Any) -> bytes:
        """An index, signed by ``names``."""
        return sign(self.body(version, modules, before, **more), *(names or self.signers[: self.threshold]))

    def flat(self, index: bytes, modules: dict[str, bytes], roots: dict[int, bytes] | None = None) -> Memory:
        """A flat storage."""
        extra = {documents.root_key(version): data for version, data in (roots or {}).items()}
        return Memory(content={"@index": index, **modules, **extra})

    def release(self, index: bytes, modules: dict[str, bytes], roots: dict[int, bytes] | None = None) -> install.Release:
        """What is installed."""
        return install.Release(roots or {}, index, lambda entry: modules[entry.name])


def settings(directory: Path, root: bytes | None, **more: Any) -> Settings:
    """Settings whose counter is below ``directory``."""
    return Settings(root, str(directory / "state"), **more)
