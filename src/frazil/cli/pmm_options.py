"""Options that verbs of ``frazil pmm`` share, and how they ask for passphrases."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from frazil.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from frazil.pmm.keys import PrivateKey, PublicKey

_Function = TypeVar("_Function", bound="Callable[..., Any]")

ROOT: Final = click.option(
    "--root", "root", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The root document to trust."
)
STATE: Final = click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the counter is kept that never goes back. Default: where the application keeps it.",
)
KEYS: Final = click.option(
    "--key", "keys", multiple=True, required=True, metavar="FILE", help="A private key; may be repeated for several."
)
PASSPHRASE: Final = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The passphrase of the keys, in the first line. Default: it is asked for.",
)
PYTHON: Final = click.option(
    "--python-tag", "python", metavar="TAG", help="Accept only modules for this Python, such as cpython-311."
)
QUIET: Final = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


def days(default: int) -> Callable[[_Function], _Function]:
    """The option of a document's lifetime."""
    return click.option(
        "--days", type=click.IntRange(1, 36_500), default=default, show_default=True, help="It expires after so many days."
    )


def read_passphrase(file: Path) -> bytes:
    """The first line of a file."""
    try:
        with file.open("rb") as stream:
            line = stream.readline(4096)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=file) from error
    passphrase = line.rstrip(b"\r\n")
    if not passphrase:
        raise UsageError("its first line is empty, and a passphrase is needed", where=file)
    return passphrase


def ask_passphrase(what: str, *, twice: bool = False) -> bytes:
    """Ask a person; UsageError when there is none."""
    if not sys.stdin.isatty():
        raise UsageError(f"the passphrase of {what} is needed, and nobody can be asked", remedy="Give --passphrase-file.")
    text: str = click.prompt(f"Passphrase of {what}", hide_input=True, confirmation_prompt=twice, err=True)
    return text.encode()


def private_keys(files: Sequence[str], passphrase_file: Path | None) -> list[PrivateKey]:
    """The keys of these files."""
    from frazil.pmm.keys import load_private  # noqa: PLC0415 - --help reads no key

    def passphrase(file: str) -> bytes:
        return ask_passphrase(file) if passphrase_file is None else read_passphrase(passphrase_file)

    return [load_private(Path(file), functools.partial(passphrase, file)) for file in files]


def public_keys(files: Sequence[str]) -> list[PublicKey]:
    """The keys of these files."""
    from frazil.pmm.keys import load_public  # noqa: PLC0415 - likewise

    return [load_public(Path(file)) for file in files]
