"""``frazil pmm index``, ``sign`` and ``verify``: what a set is, and who says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT
from frazil.cli.pmm_options import KEYS, PASSPHRASE, PYTHON, QUIET, ROOT, STATE, days, private_keys
from frazil.errors import UsageError

if TYPE_CHECKING:
    from frazil_runtime.pmm.documents import Index

INDEX_DAYS = 365


@click.command("index", short_help="Make the index of a directory of modules.", context_settings=CONTEXT)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--application", required=True, metavar="NAME", help="The program's name, as its root document has it.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="The counter. Default: one more than before.")
@click.option("--before", type=click.Path(path_type=Path), metavar="FILE", help="The index before. Default: the one in DIR.")
@days(INDEX_DAYS)
@QUIET
def index(directory: Path, application: str, version: int | None, before: Path | None, *, days: int, quiet: bool) -> None:
    """Write DIR/@index over all .pmm files in DIR, to be signed. A module that changed gets the version of the index."""
    from frazil.pmm.indexing import IndexPlan, index_body, previous_index, python_tag, read_modules  # noqa: PLC0415 - see below
    from frazil.pmm.signing import after, now, unsigned, write_document  # noqa: PLC0415 - --help reads nothing
    from frazil_runtime.pmm.sets import INDEX  # noqa: PLC0415 - likewise

    if before is not None and not before.exists():
        raise UsageError("there is no such file", where=before)
    former = previous_index(before or directory / INDEX)
    modules = read_modules(directory)
    number = version or (1 if former is None else former.version + 1)
    plan = IndexPlan(application, python_tag(modules, directory), number, now(), after(days))
    target = directory / INDEX
    write_document(target, unsigned(index_body(plan, modules, former), target))
    if not quiet:
        count = "1 module" if len(modules) == 1 else f"{len(modules)} modules"
        screen.line(f"{target}: version {number} for {application} with {plan.python}, {count}, unsigned")


@click.command("sign", short_help="Sign an index or a root document.", context_settings=CONTEXT)
@click.argument("document", metavar="FILE|DIR", type=click.Path(path_type=Path))
@KEYS
@PASSPHRASE
@QUIET
def sign(document: Path, keys: tuple[str, ...], passphrase_file: Path | None, *, quiet: bool) -> None:
    """Add signatures to a document, or to the index in a directory. Where several people must sign, each adds theirs."""
    from frazil.pmm.signing import read_document, refusals, signed, write_document  # noqa: PLC0415 - likewise
    from frazil_runtime.pmm import documents  # noqa: PLC0415 - likewise
    from frazil_runtime.pmm.sets import INDEX  # noqa: PLC0415 - likewise

    path = document / INDEX if document.is_dir() else document
    data = read_document(path)
    signers = private_keys(keys, passphrase_file)
    for key in signers:
        data = signed(data, key, path)
    write_document(path, data)
    if not quiet:
        with refusals():
            count = len(documents.split(data, documents.MAX_INDEX, str(path))[0])
        total = "1 signature" if count == 1 else f"{count} signatures"
        screen.line(f"{path}: signed by {', '.join(key.public.name for key in signers)}; {total}")


@click.command("verify", short_help="Check a storage's set and every module of it.", context_settings=CONTEXT)
@click.argument("storage", metavar="STORAGE")
@ROOT
@STATE
@PYTHON
@QUIET
def verify(storage: str, root: Path, state: Path | None, python: str | None, *, quiet: bool) -> None:
    """Check what a program with that root document would check: signatures, counters, dates, and every module.

    STORAGE is a directory or a URL such as sqlite:/var/lib/app/modules.db.
    """
    from frazil.pmm.hosting import host_settings, storage_of  # noqa: PLC0415 - likewise
    from frazil.pmm.signing import refusals  # noqa: PLC0415 - likewise
    from frazil_runtime.pmm import install  # noqa: PLC0415 - likewise
    from frazil_runtime.pmm.counter import Counter  # noqa: PLC0415 - likewise

    settings = host_settings(root, state, python)
    opened = storage_of(storage)
    with refusals():
        found = install.verify(opened, settings, Counter(settings.state, opened.name))
    if not quiet:
        screen.line(f"{opened.name}: {summary(found.signed)}: all of it holds")


def summary(index: Index) -> str:
    """An index in half a line."""
    count = "1 module" if len(index.modules) == 1 else f"{len(index.modules)} modules"
    return f"version {index.version} for {index.application} with {index.python}, {count}"
