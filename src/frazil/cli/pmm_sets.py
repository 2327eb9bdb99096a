"""``frazil pmm install``, ``update`` and ``publish``: sets on their way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT
from frazil.cli.pmm_options import KEYS, PASSPHRASE, PYTHON, QUIET, ROOT, STATE, days, private_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil_runtime.pmm.install import Installed

PUBLISH_DAYS = 30
_TO = click.option("--to", "target", required=True, metavar="STORAGE", help="A directory, or a URL such as sqlite:PATH.")
_TRIAL = click.option("--trial", is_flag=True, help="Pending until the program confirms it; otherwise it is rolled back.")
_ATTEMPTS = click.option(
    "--attempts", type=click.IntRange(1, 1000), default=3, show_default=True, help="So many starts it has to confirm it."
)


def _placing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of verbs that put a set into a storage."""
    for option in reversed((_TO, ROOT, STATE, PYTHON, _TRIAL, _ATTEMPTS, QUIET)):
        function = option(function)
    return function


@click.command("install", short_help="Put a signed set into a storage.", context_settings=CONTEXT)
@click.argument("source", metavar="SOURCE")
@_placing
def install(
    *,
    source: str,
    target: str,
    root: Path,
    state: Path | None,
    python: str | None,
    attempts: int,
    trial: bool,
    quiet: bool,
) -> None:
    """Put the signed set in SOURCE, a directory that 'frazil pmm index' made, into a storage: all of it or nothing."""
    from frazil.pmm.hosting import host_settings, storage_of, writable  # noqa: PLC0415 - --help installs nothing
    from frazil.pmm.signing import refusals  # noqa: PLC0415 - likewise
    from frazil_runtime.pmm import install as installer  # noqa: PLC0415 - likewise

    settings = host_settings(root, state, python)
    storage = writable(storage_of(target), target)
    with refusals():
        release = installer.release_in(storage_of(source), settings)
        done = installer.install(storage, settings, release, trial=trial, attempts=attempts)
    if not quiet:
        screen.line(f"{storage.name}: {_told(done, attempts if trial else 0)}")


@click.command("update", short_help="Fetch a newer set from a repository.", context_settings=CONTEXT)
@click.option("--from", "url", required=True, metavar="URL", help="Where 'frazil pmm publish' put the repository.")
@_placing
def update(
    *,
    url: str,
    target: str,
    root: Path,
    state: Path | None,
    python: str | None,
    attempts: int,
    trial: bool,
    quiet: bool,
) -> None:
    """Fetch the newest set, only what changed, and put it into a storage: all of it or nothing."""
    from frazil.pmm.hosting import host_settings, storage_of, writable  # noqa: PLC0415 - likewise
    from frazil.pmm.signing import refusals  # noqa: PLC0415 - likewise
    from frazil_runtime.pmm.updating import update_storage  # noqa: PLC0415 - likewise

    settings = host_settings(root, state, python)
    storage = writable(storage_of(target), target)
    with refusals():
        done = update_storage(url, storage, settings, trial=trial, attempts=attempts)
    if not quiet:
        screen.line(f"{storage.name}: {_told(done, attempts if trial else 0)}")


def _told(done: Installed, attempts: int) -> str:
    if not done.changed:
        return f"version {done.version} is there already"
    fetched = "nothing new" if not done.fetched else f"new: {', '.join(done.fetched)}"
    trial = f", on trial for {attempts} starts" if attempts else ""
    return f"version {done.version}{trial}; {fetched}"


@click.command("publish", short_help="Make a repository that any web server can serve.", context_settings=CONTEXT)
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The repository.")
@ROOT
@KEYS
@PASSPHRASE
@days(PUBLISH_DAYS)
@QUIET
def publish(
    source: str, output: Path, root: Path, keys: tuple[str, ...], passphrase_file: Path | None, *, days: int, quiet: bool
) -> None:
    """Add the signed set in SOURCE to a TUF repository; --key is an online key. Publish again before it expires."""
    from frazil.pmm import publishing  # noqa: PLC0415 - likewise
    from frazil.pmm.hosting import host_settings, storage_of  # noqa: PLC0415 - likewise
    from frazil.pmm.signing import after  # noqa: PLC0415 - likewise

    settings = host_settings(root, None)
    online = publishing.Online(private_keys(keys, passphrase_file), after(days))
    done = publishing.publish(storage_of(source), settings, output, online)
    if not quiet:
        count = "1 module" if done.modules == 1 else f"{done.modules} modules"
        screen.line(f"{output}: version {done.version}, {count}, {done.new} new, good until {online.expires}")
