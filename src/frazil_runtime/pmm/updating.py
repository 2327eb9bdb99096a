"""Fetch a newer set of modules from a TUF repository, only when somebody asks (``docs/spec/pmm-index.md``).

python-tuf is the client; it keeps its metadata beside the counter. What it accepted is checked once more, by the verifier that
every start uses, and installed like a set that came by hand. No step alters what is installed before the last write.
"""

import contextlib
import os

from frazil_runtime.pmm import documents, failures, install, sets, trust
from frazil_runtime.pmm.counter import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuf.ngclient import Updater

    from frazil_runtime.pmm.documents import Entry
    from frazil_runtime.pmm.install import Installed, Release
    from frazil_runtime.pmm.protocol import TrustSettings, WritableStorage


def update(url: str, storage: "str | None" = None, *, trial: bool = True, attempts: int = sets.ATTEMPTS) -> "Installed":
    """See ``frazil_runtime.pmm.update``, which programs call."""
    one = _opened(storage)
    if one.on_trial:
        raise failures.UpdateError(
            "the modules that run now are on trial",
            where=one.storage.name,
            remedy="Call confirm() when they have proved to work.",
        )
    if not hasattr(one.storage, "store"):
        raise failures.UpdateError("this storage cannot be written to", where=one.storage.name)
    target: WritableStorage = one.storage  # type: ignore[assignment]  # it has what they have
    return update_storage(url, target, one.settings, trial=trial, attempts=attempts)


def _opened(name: "str | None") -> trust.Opened:
    """The storage that the program means."""
    if name is not None and name in trust.opened:
        return trust.opened[name]
    if name is None and len(trust.opened) == 1:
        return next(iter(trust.opened.values()))
    known = ", ".join(trust.opened) or "none"
    problem = "this is no signed storage of the program" if name else "the program has not exactly one signed storage"
    raise failures.UpdateError(problem, where=name or "", remedy=f"Name one of them. There are: {known}.")


def update_storage(
    url: str,
    storage: "WritableStorage",
    settings: "TrustSettings",
    *,
    trial: bool,
    attempts: int = sets.ATTEMPTS,
) -> "Installed":
    """The same for any storage."""
    if not url.startswith(("http://", "https://")):
        raise failures.UpdateError("this is no URL of a repository", where=url, remedy="It begins with https:// or http://.")
    if settings.root is None:
        raise failures.SignatureError("this program was built without a root document", where=storage.name)
    counter = Counter(settings.state, storage.name)
    with counter.locked(".metadata"):
        with _told(url, counter.metadata):
            os.makedirs(counter.metadata, mode=0o700, exist_ok=True)
            base = url.rstrip("/")
            updater = client(
                counter.metadata,
                f"{base}/metadata/",
                f"{base}/targets/",
                settings.root,
                agent=settings.application,
                proxies=not settings.locked,
            )
            updater.refresh()
        release = _release(updater, url, counter.metadata)
        return install.install(storage, settings, release, trial=trial, attempts=attempts, counter=counter)


def client(
    directory: str, metadata: str, targets: str, root: bytes, *, agent: str, proxies: bool, delegations: int = 0
) -> "Updater":
    """python-tuf as it is used here; ``directory`` keeps its metadata, ``metadata`` and ``targets`` are URLs."""
    try:
        from tuf.ngclient import Updater, UpdaterConfig

        from frazil_runtime.pmm.fetcher import Fetcher
    except ImportError as error:
        raise failures.UpdateError(
            f"updates need the package tuf ({error})", remedy="Install frazil[pmm]; in an executable, build with updates."
        ) from error
    config = UpdaterConfig(
        max_root_rotations=documents.MAX_ROTATIONS,
        root_max_length=documents.MAX_ROOT,
        targets_max_length=documents.MAX_INDEX,
        max_delegations=delegations,
    )
    fetcher = Fetcher(agent, proxies=proxies)
    return Updater(directory, metadata, directory, targets, fetcher=fetcher, config=config, bootstrap=root)


def _release(updater: "Updater", url: str, directory: str) -> "Release":
    """What the client has accepted, as something that can be installed."""
    with _told(url, directory):
        with open(f"{directory}/targets.json", "rb") as file:
            index = file.read(documents.MAX_INDEX + 1)
        roots = dict(_roots(f"{directory}/root_history"))

    def fetch(entry: "Entry") -> bytes:
        path = f"{directory}/module"
        with _told(url, directory, entry.name):
            info = updater.get_targetinfo(entry.name + documents.SUFFIX)
            if info is None:
                raise failures.MismatchError("the repository does not have this module", where=f"{url}: {entry.name}")
            updater.download_target(info, path)
            with open(path, "rb") as file:
                data = file.read(entry.size + 1)
            os.unlink(path)
        return data

    return install.Release(roots, index, fetch)


def _roots(directory: str) -> "Iterator[tuple[int, bytes]]":
    for name in os.listdir(directory):
        version = name.removesuffix(".root.json")
        if version.isdecimal():
            with open(f"{directory}/{name}", "rb") as file:
                yield int(version), file.read(documents.MAX_ROOT + 1)


@contextlib.contextmanager
def _told(url: str, directory: str, module: str = "") -> "Iterator[None]":
    """Turn what the client raises into errors that name the kind of attack or fault."""
    where = f"{url}: {module}" if module else url
    try:
        yield
    except failures.TrustError:
        raise
    except Exception as error:
        told = _translated(error, where, directory)
        if told is None:
            raise
        raise told from error


def _translated(error: Exception, where: str, directory: str) -> "failures.TrustError | None":
    if isinstance(error, OSError) and error.filename is not None:
        return failures.UpdateError(f"{error.filename} cannot be used ({error.strerror})", where=directory)
    from tuf.api import exceptions

    for kind, told, problem in (
        (exceptions.ExpiredMetadataError, failures.ExpiredError, "its metadata has expired"),
        (exceptions.BadVersionNumberError, failures.RollbackError, "its metadata went back"),
        (exceptions.UnsignedMetadataError, failures.SignatureError, "its metadata is not signed by enough keys"),
        (exceptions.LengthOrHashMismatchError, failures.MismatchError, "this is not what its metadata names"),
        (exceptions.DownloadLengthMismatchError, failures.MismatchError, "this is longer than it may be"),
        (exceptions.SlowRetrievalError, failures.UpdateError, "it does not answer in time"),
        (exceptions.DownloadError, failures.UpdateError, "this cannot be fetched"),
        (exceptions.RepositoryError, failures.MalformedError, "this is no metadata of TUF"),
    ):
        if isinstance(error, kind):
            text = f"{problem} ({error})" if str(error) else problem
            return told(text, where=where, remedy="What is installed stays as it is.")
    return None
