"""Modules outside the executable, added or replaced after it was built (``docs/pmm.md``).

Only an executable whose settings name storages has this package.
"""

from frazil_runtime.pmm.errors import EnvelopeError, PmmError, StorageError
from frazil_runtime.pmm.program import register_storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from frazil_runtime.pmm.install import Installed

__all__ = ["EnvelopeError", "PmmError", "StorageError", "confirm", "register_storage", "update"]


def update(url: str, storage: "str | None" = None, *, trial: bool = True, attempts: int = 3) -> "Installed":
    """Install the newest set of modules that the repository at ``url`` has; it is used from the next start on.

    ``storage`` is the name of one of the program's signed storages; needed only if there are several. With ``trial`` the set is
    pending until ``confirm()``, for ``attempts`` starts. Raises ``failures.TrustError``, of a subclass for each kind of attack,
    and ``StorageError``. Nothing else ever uses the network.
    """
    from frazil_runtime.pmm import updating

    return updating.update(url, storage, trial=trial, attempts=attempts)


def confirm() -> bool:
    """Say that the set of modules on trial works, so that it stays; whether there was one."""
    from frazil_runtime.pmm import trust

    return trust.confirm()
