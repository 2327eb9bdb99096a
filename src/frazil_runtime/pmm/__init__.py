"""Modules outside the executable, added or replaced after it was built (``docs/pmm.md``).

Only an executable whose settings name storages has this package.
"""

from frazil_runtime.pmm.errors import EnvelopeError, PmmError, StorageError
from frazil_runtime.pmm.program import register_storage

__all__ = ["EnvelopeError", "PmmError", "StorageError", "register_storage"]
