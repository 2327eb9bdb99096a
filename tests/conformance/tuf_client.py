"""The client of updates behind the command line that the conformance suite of the TUF project wants of every client.

``python tuf_client.py --metadata-dir DIR [...] init ROOT | refresh | download``; exit code 1 for what it refuses.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from frazil_runtime.pmm.updating import client

if TYPE_CHECKING:
    from tuf.ngclient import Updater


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser()
    for name in ("metadata-dir", "metadata-url", "target-dir", "target-base-url"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--target-name", action="append", default=[])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    given = parser.parse_args()
    directory = Path(given.metadata_dir)
    anchor = directory / "anchor"  # what an executable has inside; the suite counts files named *.json
    if given.command == "init":
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(given.root, anchor)
        shutil.copyfile(given.root, directory / "root.json")
        return 0
    try:
        updater = client(
            str(directory),
            given.metadata_url.rstrip("/") + "/",
            (given.target_base_url or given.metadata_url).rstrip("/") + "/",
            anchor.read_bytes(),
            agent="conformance",
            proxies=False,
            delegations=32,
        )
        updater.refresh()
        updater.target_dir = given.target_dir
        for name in given.target_name:
            _download(updater, name)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client has refused
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _download(updater: Updater, name: str) -> None:
    info = updater.get_targetinfo(name)
    if info is None:
        raise LookupError(name)
    if updater.find_cached_target(info) is None:
        updater.download_target(info)


if __name__ == "__main__":
    sys.exit(main())
