"""``frazil pmm keygen``, ``root`` and ``revoke``: who may sign modules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frazil.cli import screen
from frazil.cli.options import CONTEXT
from frazil.cli.pmm_options import PASSPHRASE, QUIET, ask_passphrase, days, public_keys, read_passphrase
from frazil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frazil.pmm.roots import RootPlan

    _Given = Mapping[str, tuple[tuple[str, ...], int | None]]
    """For each role the files of its public keys, and its threshold, as far as they were named."""

ROOT_DAYS = 3650


@click.command("keygen", short_help="Make pairs of keys.", context_settings=CONTEXT)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("-o", "--output", default=".", type=click.Path(path_type=Path), metavar="DIR", help="Where. Default: here.")
@click.option("--encrypt", is_flag=True, help="Protect the private keys by a passphrase.")
@PASSPHRASE
@QUIET
def keygen(names: tuple[str, ...], output: Path, passphrase_file: Path | None, *, encrypt: bool, quiet: bool) -> None:
    """Make NAME.key, which signs and stays secret, and NAME.pub, which root documents list."""
    from frazil.pmm.keys import PRIVATE, PUBLIC, generate, require_cryptography  # noqa: PLC0415 - --help makes no key

    require_cryptography()
    for name in names:
        for suffix in (PRIVATE, PUBLIC):
            if (output / f"{name}{suffix}").exists():
                raise UsageError("this is there already, and a key is not overwritten", where=output / f"{name}{suffix}")
    passphrase = None
    if passphrase_file is not None:
        passphrase = read_passphrase(passphrase_file)
    elif encrypt:
        passphrase = ask_passphrase("the new keys", twice=True)
    for name in names:
        path, public = generate(output, name, passphrase)
        if not quiet:
            screen.line(f"{path}  {public.identity}")


@click.command("root", short_help="Make a root document: who may sign.", context_settings=CONTEXT)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The document.")
@click.option("--application", metavar="NAME", help="The program's name, as executables have it.")
@click.option(
    "--from", "former", type=click.Path(path_type=Path), metavar="FILE", help="The version before; what is not named stays."
)
@click.option("--key", "root_keys", multiple=True, metavar="PUB", help="A public key that signs root documents.")
@click.option("--threshold", type=int, metavar="N", help="So many of them must sign. Default: 1.")
@click.option(
    "--index-key", "index_keys", multiple=True, metavar="PUB", help="One that signs indexes. Default: those of --key."
)
@click.option("--index-threshold", type=int, metavar="N", help="So many of them must sign. Default: as --threshold.")
@click.option(
    "--online-key",
    "online_keys",
    multiple=True,
    metavar="PUB",
    help="One that signs what is published. Default: as --index-key.",
)
@click.option("--least", type=click.IntRange(0), metavar="N", help="Withdraw indexes of lower versions.")
@days(ROOT_DAYS)
@QUIET
def root(
    *,
    output: Path,
    application: str | None,
    former: Path | None,
    root_keys: tuple[str, ...],
    threshold: int | None,
    index_keys: tuple[str, ...],
    index_threshold: int | None,
    online_keys: tuple[str, ...],
    least: int | None,
    days: int,
    quiet: bool,
) -> None:
    """Make the root document, or with --from its next version. Then sign it; a next version by old keys and new ones."""
    from frazil.pmm.roots import INDEX, ONLINE, ROOT, following  # noqa: PLC0415 - --help makes nothing
    from frazil.pmm.signing import after, now, parse_root  # noqa: PLC0415 - likewise

    given = {
        ROOT: (root_keys, threshold),
        INDEX: (index_keys, index_threshold),
        **dict.fromkeys(ONLINE, (online_keys, 1 if online_keys else None)),
    }
    if former is None:
        plan = _first(application, given, now(), after(days))
    elif application is not None:
        raise UsageError("the application of a root document never changes", where="--application")
    else:
        plan = _next(following(parse_root(former), now(), after(days)), given)
    if least is not None:
        if least < plan.least:
            raise UsageError(f"versions below {plan.least} are withdrawn already", where="--least")
        plan = replace(plan, least=least)
    _write(plan, output, quiet=quiet)


def _next(plan: RootPlan, given: _Given) -> RootPlan:
    """The plan with those roles changed that are given."""
    from frazil.pmm.roots import Signers, signers  # noqa: PLC0415 - likewise

    roles = dict(plan.roles)
    for name, (files, count) in given.items():
        if files:
            roles[name] = signers(name, public_keys(files), count or roles[name].threshold)
        elif count is not None:
            if not 1 <= count <= len(roles[name].keys):
                raise UsageError(f"{count} signatures cannot come from {len(roles[name].keys)} keys", where=name)
            roles[name] = Signers(roles[name].keys, count)
    return replace(plan, roles=roles)


def _first(application: str | None, given: _Given, issued: str, expires: str) -> RootPlan:
    from frazil.pmm.roots import INDEX, ONLINE, ROOT, RootPlan, Signers, signers  # noqa: PLC0415 - likewise

    if not application:
        raise UsageError("no application is named", where="--application", remedy="Name it as executables have it.")
    files, threshold = given[ROOT]
    if not files:
        raise UsageError("no key is named", where="--key", remedy="Make some with 'frazil pmm keygen'.")
    roles: dict[str, Signers] = {ROOT: signers("--threshold", public_keys(files), threshold or 1)}
    files, threshold = given[INDEX]
    default = roles[ROOT]
    roles[INDEX] = signers("--index-threshold", public_keys(files), threshold or 1) if files else default
    if threshold is not None and not files:
        raise UsageError("keys for it are needed too", where="--index-threshold", remedy="Name them with --index-key.")
    files, _ = given[ONLINE[0]]
    online = signers("--online-key", public_keys(files), 1) if files else roles[INDEX]
    roles |= dict.fromkeys(ONLINE, online)
    return RootPlan(application, 1, issued, expires, roles)


def _write(plan: RootPlan, output: Path, *, quiet: bool) -> None:
    from frazil.pmm.roots import ROOT  # noqa: PLC0415 - likewise
    from frazil.pmm.signing import unsigned, write_document  # noqa: PLC0415 - likewise

    if output.exists():
        raise UsageError(
            "this is there already, and a root document is not overwritten", where=output, remedy="Choose another name."
        )
    write_document(output, unsigned(plan.body(), output))
    if not quiet:
        needed = plan.roles[ROOT].threshold
        more = " of its keys, and by those of the version before" if plan.version > 1 else " of its keys"
        screen.line(f"{output}: version {plan.version} for {plan.application}, to be signed by {needed}{more}")


@click.command("revoke", short_help="Make a root document without a key.", context_settings=CONTEXT)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option(
    "--root", "former", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The newest root document."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Its next version.")
@click.option("--replace-by", metavar="PUB", help="A public key that takes the place of the one that is revoked.")
@days(ROOT_DAYS)
@QUIET
def revoke(keys: tuple[str, ...], former: Path, output: Path, replace_by: str | None, *, days: int, quiet: bool) -> None:
    """Make the next root document without KEY, a .pub file or an identity. It counts once it is signed and installed."""
    from frazil.pmm.roots import following, without_key  # noqa: PLC0415 - likewise
    from frazil.pmm.signing import after, now, parse_root  # noqa: PLC0415 - likewise

    if replace_by is not None and len(keys) > 1:
        raise UsageError("one key can take the place of one only", where="--replace-by")
    substitute = None if replace_by is None else public_keys([replace_by])[0].raw
    plan = following(parse_root(former), now(), after(days))
    for identity in _identities(keys):
        plan = without_key(plan, identity, substitute)
    _write(plan, output, quiet=quiet)


def _identities(keys: Sequence[str]) -> list[str]:
    """What the keys are known by: they are identities, or files."""
    digits = frozenset("0123456789abcdef")
    return [key if len(key) == 64 and digits.issuperset(key) else public_keys([key])[0].identity for key in keys]  # noqa: PLR2004 - SHA-256
