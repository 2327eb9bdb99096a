"""Ed25519 keys in files: private ones in PEM (PKCS 8), readable by their owner alone; public ones in PEM beside them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from frazil.errors import HostError, OutputError, SourceError, UsageError
from frazil_runtime.pmm import documents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE: Final = ".key"
PUBLIC: Final = ".pub"
_OTHERS: Final = 0o077
_LIMIT: Final = 16_384


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; ``name`` is what its file is called."""

    name: str
    raw: bytes

    @property
    def identity(self) -> str:
        """What documents know it by."""
        return documents.key_identity(self.raw)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that can sign."""

    public: PublicKey
    _key: Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, 64 bytes."""
        return self._key.sign(data)


def require_cryptography() -> None:
    """HostError unless the library is there."""
    try:
        import cryptography  # noqa: F401, PLC0415 - an extra: few users sign modules
    except ImportError as error:
        raise HostError("signing and checking need the package cryptography", remedy="pip install 'frazil[pmm]'") from error


def generate(directory: Path, name: str, passphrase: bytes | None) -> tuple[Path, PublicKey]:
    """Make a pair of keys, NAME.key and NAME.pub, which must not be there; the private one's path, and the public one."""
    require_cryptography()
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above

    if not name or "/" in name or name.startswith("."):
        raise UsageError("this is no name for a key", where=name, remedy="Name it like a file, without a directory.")
    key = Ed25519PrivateKey.generate()
    encryption = form.BestAvailableEncryption(passphrase) if passphrase else form.NoEncryption()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, encryption)
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    path = directory / f"{name}{PRIVATE}"
    _create(directory / f"{name}{PUBLIC}", public, 0o644)
    _create(path, private, 0o600)
    return path, PublicKey(name, key.public_key().public_bytes_raw())


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
    except FileExistsError as error:
        raise OutputError(
            "this is there already, and a key is not overwritten", where=path, remedy="Choose another name."
        ) from error
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=path) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error


def load_public(path: Path) -> PublicKey:
    """A public key from its file."""
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - see above

    data = _read(path)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        mistaken = b"PRIVATE KEY" in data
        remedy = (
            f"Name the file {PUBLIC} beside it: the private key stays where it is." if mistaken else "Make one with 'keygen'."
        )
        raise SourceError(
            "this is no public Ed25519 key" + (" but a private key" if mistaken else ""), where=path, remedy=remedy
        )
    return PublicKey(path.name.removesuffix(PUBLIC), key.public_bytes_raw())


def load_private(path: Path, passphrase: Callable[[], bytes]) -> PrivateKey:
    """A private key from its file, which others may not read; ``passphrase`` is asked when the key is encrypted."""
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - see above

    data = _read(path)
    if b"PUBLIC KEY" in data:
        raise SourceError(
            "this is no private Ed25519 key but a public key", where=path, remedy=f"Name the file {PRIVATE} beside it."
        )
    mode = path.stat().st_mode & 0o777
    if mode & _OTHERS:
        raise SourceError(f"others may read this private key (mode {mode:04o})", where=path, remedy=f"chmod 600 {path}")
    encrypted = b"ENCRYPTED" in data
    try:
        key = load_pem_private_key(data, passphrase() if encrypted else None)
    except (ValueError, UnsupportedAlgorithm) as error:
        problem = "the passphrase is wrong, or the key is damaged" if encrypted else "this is no private Ed25519 key"
        raise SourceError(problem, where=path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SourceError("this is no private Ed25519 key", where=path, remedy="Make one with 'frazil pmm keygen'.")
    return PrivateKey(PublicKey(path.name.removesuffix(PRIVATE), key.public_key().public_bytes_raw()), key)
