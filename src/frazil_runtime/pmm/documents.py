"""Signed documents of PMM, roots and indexes: split, checked and read (``docs/spec/pmm-index.md``). This file does no I/O.

A document has one form only. Its signatures are of fixed size, so they are taken off without a parser, and the body is parsed
only after enough of them proved good. A body whose canonical form is not the very bytes that were signed is refused: no two
readers can understand it differently. Times are text of fixed form and compare as such.
"""

import _json
import keyword
from _collections_abc import Mapping  # which the start of every Python has loaded; collections would take a millisecond

from frazil_runtime.pmm import keys as names
from frazil_runtime.pmm.digest import sha256
from frazil_runtime.pmm.failures import MalformedError, MismatchError, SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = 1
MAX_ROOT = 512_000
MAX_INDEX = 5_000_000
MAX_MODULE = names.LIMIT
MAX_SIGNATURES = 16
MAX_ROTATIONS = 256
SUFFIX = ".pmm"
OBJECT = "@object."
"""What the keys of objects begin with."""
SCHEME = "ed25519"
ROLES = frozenset({"root", "snapshot", "targets", "timestamp"})

_OPEN = b'{"signatures":['
_KEYID = b'{"keyid":"'
_SIG = b'","sig":"'
_MIDDLE = b'],"signed":'
_MOST = 2**53
"""What every reader of JSON can count to."""
_KEYWORDS = frozenset(keyword.kwlist)
_HEX = b"0123456789abcdef"
_SIGNATURE_SIZE = len(_KEYID) + 64 + len(_SIG) + 128 + 2


# Plain classes: a NamedTuple compiles code when it is defined, and each start would pay for it.


class Role:
    """Whose signatures a kind of document needs, and how many; ``keys`` are raw public keys by identity."""

    __slots__ = ("keys", "threshold")

    def __init__(self, keys: "Mapping[str, bytes]", threshold: int) -> None:
        self.keys = keys
        self.threshold = threshold


class Root:
    """A root document."""

    __slots__ = ("application", "expires", "issued", "least", "roles", "version")

    def __init__(
        self, *, version: int, application: str, issued: str, expires: str, least: int, roles: "Mapping[str, Role]"
    ) -> None:
        self.version = version
        self.application = application
        self.issued = issued
        self.expires = expires
        self.least = least
        self.roles = roles


class Entry:
    """A module of an index: SHA-256 and size of the whole file, its version, and the storage's key that its bytes are under."""

    __slots__ = ("digest", "key", "name", "package", "size", "version")

    def __init__(self, name: str, *, digest: str, size: int, version: int, package: bool, key: str) -> None:
        self.name = name
        self.digest = digest
        self.size = size
        self.version = version
        self.package = package
        self.key = key


class Index:
    """An index; ``digest`` is the SHA-256 of the whole document."""

    __slots__ = ("application", "digest", "expires", "issued", "modules", "python", "version")

    def __init__(
        self,
        *,
        version: int,
        application: str,
        python: str,
        issued: str,
        expires: str,
        modules: "Mapping[str, Entry]",
        digest: str,
    ) -> None:
        self.version = version
        self.application = application
        self.python = python
        self.issued = issued
        self.expires = expires
        self.modules = modules
        self.digest = digest


def _refuse(text: str) -> object:
    raise ValueError(text)


class _Context:
    """What the scanner asks for how to read: there are no fractions."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = staticmethod(_refuse)
    parse_int = int
    parse_constant = staticmethod(_refuse)


# The parts of json that are in C: json itself compiles regular expressions, which takes longer than all checks of a start.
_scan = _json.make_scanner(_Context)  # type: ignore[arg-type]  # typeshed knows the one of json
_write = _json.make_encoder(None, _refuse, _json.encode_basestring, None, ":", ",", True, False, False)


def encode(value: object) -> bytes:
    """Canonical JSON of a value whose text is as the specification wants it. ValueError: it is not."""
    text = "".join(_write(value, 0))
    if "\\" in text:
        msg = "text may hold no quotation mark, backslash or control character"
        raise ValueError(msg)
    return text.encode()


def decode(data: bytes, where: str, *, canonical: bool = True) -> "dict[str, Any]":
    """The object that JSON stands for. MalformedError: it is none, holds a fraction, or is not in canonical form."""
    try:
        text = data.decode()
        value, end = _scan(text, 0)
        good = end == len(text) and type(value) is dict and (not canonical or encode(value) == data)
    except (ValueError, RecursionError, StopIteration):
        good = False
    if not good:
        raise MalformedError("this is not canonical JSON", where=where)
    found: dict[str, Any] = value
    return found


def split(data: bytes, limit: int, where: str) -> "tuple[list[tuple[str, bytes]], bytes]":
    """The signatures of a document, as pairs of key identity and signature, and the bytes that they are over."""
    if len(data) > limit:
        raise MalformedError(f"this has {len(data)} bytes, more than the {limit} that such a document may have", where=where)
    signatures: list[tuple[str, bytes]] = []
    at = len(_OPEN)
    good = data.startswith(_OPEN)
    if good and data[at : at + 1] != b"]":
        while good:
            piece = data[at : at + _SIGNATURE_SIZE]
            keyid = piece[len(_KEYID) : len(_KEYID) + 64]
            sig = piece[len(_KEYID) + 64 + len(_SIG) : -2]
            good = piece == b"".join((_KEYID, keyid, _SIG, sig, b'"}')) and _is_hex(keyid, 64) and _is_hex(sig, 128)
            good = good and (not signatures or signatures[-1][0] < keyid.decode())
            if not good:
                break
            signatures.append((keyid.decode(), bytes.fromhex(sig.decode())))
            at += _SIGNATURE_SIZE
            if data[at : at + 1] != b",":
                break
            at += 1
    if not good or len(signatures) > MAX_SIGNATURES or not data.startswith(_MIDDLE, at) or data[-1:] != b"}":
        raise MalformedError("this is no signed document", where=where, remedy="Make it with 'frazil pmm index' or 'root'.")
    return signatures, data[at + len(_MIDDLE) : -1]


def join(signatures: "Sequence[tuple[str, bytes]]", body: bytes) -> bytes:
    """The document: what ``split`` takes apart."""
    listed = b",".join(b"".join((_KEYID, keyid.encode(), _SIG, sig.hex().encode(), b'"}')) for keyid, sig in sorted(signatures))
    return b"".join((_OPEN, listed, _MIDDLE, body, b"}"))


def _is_hex(data: "bytes | str", size: int) -> bool:
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    return len(raw) == size and not raw.translate(None, _HEX)


def sha256_hex(data: bytes) -> str:
    """The digest of bytes as documents write it."""
    text: str = sha256(data).hexdigest()
    return text


def key_identity(public: bytes) -> str:
    """The identity of a raw public key."""
    return sha256_hex(encode(key_object(public)))


def key_object(public: bytes) -> "dict[str, Any]":
    """A raw public key as root documents hold it."""
    return {"keytype": SCHEME, "keyval": {"public": public.hex()}, "scheme": SCHEME}


def good_signers(signatures: "Sequence[tuple[str, bytes]]", body: bytes, role: Role) -> "list[str]":
    """The identities of those of the role's keys that signed ``body``, as many as its threshold needs; each counts once."""
    found: list[str] = []
    for keyid, sig in signatures:
        public = role.keys.get(keyid)
        if public is None or keyid in found or len(found) >= role.threshold:
            continue
        if _is_signature(sig, public, body):
            found.append(keyid)
    return found


def _is_signature(sig: bytes, public: bytes, body: bytes) -> bool:
    """Whether the owner of that raw key signed ``body``."""
    try:
        _public_key(public).verify(sig, body)
    except Exception as error:
        from cryptography.exceptions import InvalidSignature

        if isinstance(error, InvalidSignature | ValueError):
            return False
        raise
    return True


def _public_key(public: bytes) -> "Ed25519PublicKey":
    """The key's object, from where the library's public name gets it: importing that name takes more than twice as long."""
    try:
        from cryptography.hazmat.bindings._rust import openssl

        make = openssl.ed25519.from_public_bytes
    except (ImportError, AttributeError):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        make = Ed25519PublicKey.from_public_bytes
    return make(public)


def check_signatures(signatures: "Sequence[tuple[str, bytes]]", body: bytes, role: Role, where: str) -> None:
    """SignatureError unless the role's threshold of keys signed."""
    good = good_signers(signatures, body, role)
    if len(good) >= role.threshold:
        return
    if not signatures:
        raise SignatureError("this is unsigned", where=where, remedy="Sign it with 'frazil pmm sign'.")
    known = sum(keyid in role.keys for keyid, _ in signatures)
    count = f"{len(good)} of the {role.threshold} signatures that are needed"
    if known == 0:
        problem = "this is signed by unknown keys only"
    elif len(good) < known:
        problem = f"a signature does not hold: this was altered, or another document was signed ({count})"
    else:
        problem = f"this has {count}"
    raise SignatureError(problem, where=where, remedy="Nothing of it is used.")


class _Body:
    """The members of a body, each taken with a check of what it is."""

    def __init__(self, members: "dict[str, Any]", where: str) -> None:
        self.members = members
        self.where = where

    def fail(self, what: str) -> MalformedError:
        return MalformedError(f"its member {what} is missing or is not what the specification wants", where=self.where)

    def number(self, name: str, least: int = 1) -> int:
        value = self.members.get(name)
        if type(value) is not int or value < least or value > _MOST:
            raise self.fail(name)
        return value

    def text(self, name: str) -> str:
        value = self.members.get(name)
        if type(value) is not str or not value:
            raise self.fail(name)
        return value

    def time(self, name: str) -> str:
        value = self.text(name)
        if not is_time(value):
            raise self.fail(name)
        return value

    def object(self, name: str) -> "dict[str, Any]":
        value = self.members.get(name)
        if type(value) is not dict:
            raise self.fail(name)
        return value

    def own(self, kind: str) -> "_Body":
        """The members that are ours, after those that every body has are known to be right."""
        if self.members.get("_type") != kind:
            raise self.fail("_type")
        if not self.text("spec_version").startswith("1.0"):
            raise self.fail("spec_version")
        own = _Body(self.object("x-frazil"), self.where)
        if own.members.get("format") != FORMAT:
            raise MalformedError(
                f"its format is {own.members.get('format')!r}, and format {FORMAT} is known",
                where=self.where,
                remedy="A newer frazil may read it.",
            )
        return own


def is_time(text: str) -> bool:
    """Whether text is ``YYYY-MM-DDTHH:MM:SSZ``."""
    shape = text.isascii() and len(text) == 20  # noqa: PLR2004 - the length of the form above
    return shape and "".join("0" if one.isdigit() else one for one in text) == "0000-00-00T00:00:00Z"


def read_root(body: bytes, where: str) -> Root:
    """A root document's body, whose signatures are the caller's business."""
    top = _Body(decode(body, where), where)
    own = top.own("root")
    if top.members.get("consistent_snapshot") is not True:
        raise top.fail("consistent_snapshot")
    keys = {keyid: _public(key, keyid, top) for keyid, key in top.object("keys").items()}
    roles = top.object("roles")
    if roles.keys() != ROLES:
        raise top.fail("roles")
    return Root(
        version=top.number("version"),
        application=own.text("application"),
        issued=own.time("issued"),
        expires=top.time("expires"),
        least=own.number("least", 0),
        roles={name: _role(role, keys, top) for name, role in roles.items()},
    )


def _public(key: object, keyid: str, top: _Body) -> bytes:
    value = key.get("keyval") if isinstance(key, dict) else None
    public = value.get("public") if isinstance(value, dict) else None
    if type(public) is str and _is_hex(public, 64):
        raw = bytes.fromhex(public)
        if key == key_object(raw) and keyid == key_identity(raw):
            return raw
    raise top.fail("keys")


def _role(role: object, keys: "Mapping[str, bytes]", top: _Body) -> Role:
    if not isinstance(role, dict):
        raise top.fail("roles")
    keyids = role.get("keyids")
    known = isinstance(keyids, list) and all(type(one) is str and one in keys for one in keyids)
    if not known or not keyids or len(set(keyids)) != len(keyids):
        raise top.fail("roles")
    threshold = role.get("threshold")
    if type(threshold) is not int or not 1 <= threshold <= len(keyids):
        raise top.fail("roles")
    return Role({one: keys[one] for one in keyids}, threshold)


class _Modules(Mapping):  # type: ignore[type-arg]  # at run time it has none
    """The modules of an index, each read when it is asked for."""

    def __init__(self, targets: "Mapping[str, object]", where: str, *, installed: bool) -> None:
        self._targets = targets
        self._where = where
        self._installed = installed

    def __getitem__(self, name: str) -> Entry:
        file = name + SUFFIX
        return _entry(file, self._targets[file], self._where, installed=self._installed)

    def __iter__(self) -> "Iterator[str]":
        return (file.removesuffix(SUFFIX) for file in self._targets)

    def __len__(self) -> int:
        return len(self._targets)


def _checked(targets: "Mapping[str, object]", where: str, *, installed: bool) -> "Mapping[str, Entry]":
    modules = {}
    for file, target in targets.items():
        entry = _entry(file, target, where, installed=installed)
        modules[entry.name] = entry
    if len({name.casefold() for name in modules}) != len(modules):
        raise MalformedError("two of its modules have names that differ by case only", where=where)
    return modules


def read_index(body: bytes, digest: str, where: str, *, installed: bool, known: bool = False) -> Index:
    """An index's body, whose signatures are the caller's business.

    ``installed`` decides the keys of its modules; ``known`` says that these very bytes were read and accepted before: then only
    the entries that are asked for are looked at again.
    """
    top = _Body(decode(body, where, canonical=not known), where)
    own = top.own("targets")
    if "delegations" in top.members:
        raise top.fail("delegations")
    read = _Modules if known else _checked
    modules = read(top.object("targets"), where, installed=installed)
    return Index(
        version=top.number("version"),
        application=own.text("application"),
        python=own.text("python"),
        issued=own.time("issued"),
        expires=top.time("expires"),
        modules=modules,
        digest=digest,
    )


def _entry(file: str, target: object, where: str, *, installed: bool) -> Entry:
    name = file.removesuffix(SUFFIX)
    if name == file or not is_module_name(name):
        raise MalformedError(f"{file!r} is no name of a module", where=where, remedy="Nothing of the index is used.")
    try:
        # Written out: an index may have thousands of these, and each start reads it.
        size, hashes, custom = target["length"], target["hashes"], target["custom"]  # type: ignore[index]  # the next line
        digest, version, package = hashes["sha256"], custom["version"], custom["package"]
        good = type(size) is int and 0 <= size <= MAX_MODULE and type(version) is int and 1 <= version <= _MOST
        good = good and type(package) is bool and len(hashes) == 1 and type(digest) is str and _is_hex(digest, 64)
    except (KeyError, TypeError):
        good = False
    if not good:
        raise MalformedError("this is no module's entry", where=f"{where}: {name}", remedy="Nothing of the index is used.")
    key = OBJECT + digest if installed else name
    return Entry(name, digest=digest, size=size, version=version, package=package, key=key)


def is_module_name(name: str) -> bool:
    """Whether this names a module, in the one way that it can be spelled: identifiers in form NFKC, no keywords."""
    if not names.is_module_name(name) or not _KEYWORDS.isdisjoint(name.split(".")):
        return False
    if name.isascii():
        return True
    import unicodedata

    return unicodedata.normalize("NFKC", name) == name


def as_digest(value: object) -> str:
    """The value, if it is a digest. ValueError: it is not."""
    if type(value) is not str or not _is_hex(value, 64):
        raise ValueError
    return value


def object_key(digest: str) -> str:
    """The storage's key for bytes of that digest."""
    return OBJECT + digest


def root_key(version: int) -> str:
    """The storage's key for a root document."""
    return f"@root.{version}"


def check_module(data: bytes, entry: Entry, where: str) -> None:
    """MismatchError unless these are the bytes that the index names."""
    if len(data) != entry.size or sha256_hex(data) != entry.digest:
        raise MismatchError(
            f"these are not the bytes of version {entry.version} that the index names (damaged, swapped or of another set)",
            where=f"{where}: {entry.name}",
            remedy="Install the set again.",
        )
