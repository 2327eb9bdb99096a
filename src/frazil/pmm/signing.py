"""Documents in files: read, signed with one key after another, written (``docs/spec/pmm-index.md``, "Documents")."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from frazil.cache import replace_file
from frazil.errors import OutputError, SourceError, TrustError, UsageError
from frazil_runtime.pmm import documents
from frazil_runtime.pmm.errors import PmmError
from frazil_runtime.pmm.failures import TrustError as Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frazil.pmm.keys import PrivateKey
    from frazil_runtime.pmm.documents import Root

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_DAY = 86_400


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the run-time says about storages and signatures into errors of the command line."""
    try:
        yield
    except Refused as error:
        raise TrustError(error.problem, where=error.where or None, remedy=error.remedy) from error
    except PmmError as error:
        raise TrustError(str(error)) from error


def now() -> str:
    """The time that goes into documents: ``SOURCE_DATE_EPOCH``, or the clock's."""
    return time.strftime(_FORM, time.gmtime(_seconds()))


def after(days: int) -> str:
    """So many days later."""
    return time.strftime(_FORM, time.gmtime(_seconds() + days * _DAY))


def _seconds() -> float:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return time.time()
    try:
        return float(int(epoch))
    except ValueError as error:
        raise UsageError("this is no number of seconds", where=f"SOURCE_DATE_EPOCH={epoch}") from error


def read_document(path: Path) -> bytes:
    """A document's bytes, of any kind; at most what the largest kind may have."""
    try:
        with path.open("rb") as file:
            data = file.read(documents.MAX_INDEX + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    with refusals():
        documents.split(data, documents.MAX_INDEX, str(path))
    return data


def write_document(path: Path, data: bytes) -> None:
    """Write a document whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=path) from error


def unsigned(body: dict[str, object], where: Path) -> bytes:
    """The document of a body, without signatures yet."""
    try:
        return documents.join((), documents.encode(body))
    except ValueError as error:
        raise SourceError(str(error), where=where) from error


def signed(data: bytes, key: PrivateKey, where: Path | str) -> bytes:
    """The document with one more signature, or the same key's made anew."""
    with refusals():
        signatures, body = documents.split(data, documents.MAX_INDEX, str(where))
        documents.decode(body, str(where))
    others = [one for one in signatures if one[0] != key.public.identity]
    if len(others) >= documents.MAX_SIGNATURES:
        raise UsageError(f"this has {documents.MAX_SIGNATURES} signatures, the most that there can be", where=where)
    return documents.join([*others, (key.public.identity, key.sign(body))], body)


def load_root(path: Path) -> tuple[bytes, Root]:
    """A root document that is to be trusted: of the right form, and signed by its own threshold."""
    data = read_document(path)
    with refusals():
        signatures, body = documents.split(data, documents.MAX_ROOT, str(path))
        root = documents.read_root(body, str(path))
        documents.check_signatures(signatures, body, root.roles["root"], str(path))
    return data, root


def parse_root(path: Path) -> Root:
    """A root document that may lack signatures: one that is being made."""
    with refusals():
        return documents.read_root(documents.split(read_document(path), documents.MAX_ROOT, str(path))[1], str(path))
