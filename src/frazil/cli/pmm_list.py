"""``frazil pmm list``: what a storage holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT
from frazil.cli.pmm_sign import summary

if TYPE_CHECKING:
    from frazil_runtime.pmm.documents import Entry, Index
    from frazil_runtime.pmm.protocol import Storage
    from frazil_runtime.pmm.sets import Chosen


@click.command("list", short_help="List what a storage holds.", context_settings=CONTEXT)
@click.argument("storage", metavar="STORAGE")
@click.option("--json", "json_wanted", is_flag=True, help="Print an object instead of a table.")
def command(storage: str, *, json_wanted: bool) -> None:
    """List the modules of the set that a storage holds, and the set before it. Nothing is checked: 'verify' does that."""
    from frazil.pmm.hosting import storage_of  # noqa: PLC0415 - --help lists nothing
    from frazil.pmm.signing import refusals  # noqa: PLC0415 - likewise
    from frazil_runtime.pmm import sets  # noqa: PLC0415 - likewise

    opened = storage_of(storage)
    with refusals():
        pointer = sets.read_pointer(opened)
        current = _index(opened, None if pointer is None else pointer.current)
        previous = None if pointer is None or pointer.previous is None else _index(opened, pointer.previous)
    trial = pointer is not None and pointer.trial
    if json_wanted:
        entries = [_as_json(entry) for _, entry in sorted(current.modules.items())]
        value = {
            "version": current.version,
            "application": current.application,
            "python": current.python,
            "expires": current.expires,
            "installed": pointer is not None,
            "trial": trial,
            "previous": None if previous is None else previous.version,
            "modules": entries,
        }
        click.echo(json.dumps(value, indent=2))
        return
    screen.line(f"{opened.name}: {summary(current)}, expires {current.expires}")
    rows: list[tuple[screen.Cell, ...]] = [("module", "version", "size", "sha256")]
    rows += [(one.name, str(one.version), str(one.size), one.digest[:16]) for _, one in sorted(current.modules.items())]
    screen.table(rows, right=frozenset({1, 2}))
    if trial:
        screen.line("installed on trial: pending until the program confirms it")
    if previous is not None:
        screen.line(f"before it: {summary(previous)}")


def _index(storage: Storage, chosen: Chosen | None) -> Index:
    from frazil_runtime.pmm import documents, sets  # noqa: PLC0415 - likewise

    data = sets.read_index(storage, chosen)
    _, body = documents.split(data, documents.MAX_INDEX, storage.name)
    return documents.read_index(body, documents.sha256_hex(data), storage.name, installed=chosen is not None)


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "version": entry.version,
        "size": entry.size,
        "package": entry.package,
        "sha256": entry.digest,
    }
