"""Why modules are not trusted: one class for each kind of attack or damage, so that programs can tell them apart.

TrustError                  every one of them; an ImportError
├── MalformedError          bytes that are no document in the one form that there is
├── SignatureError          unsigned, signed by unknown keys, or by fewer than the threshold
├── TargetError             made for another application or another Python
├── RollbackError           older than what was accepted before
├── ExpiredError            past its date
├── MismatchError           a module that is not the one that the index names: swapped, mixed, damaged, endless
├── CounterError            the counter cannot be read or written
└── UpdateError             an update that could not be fetched
"""

from frazil_runtime.pmm.errors import PmmError


class TrustError(PmmError):
    """``problem`` is one sentence without a full stop, ``where`` a storage, file or URL, ``remedy`` says what to do."""

    def __init__(self, problem: str, *, where: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.where = where
        self.remedy = remedy
        head = f"{where}: {problem}" if where else problem
        super().__init__(f"{head}. {remedy}" if remedy else head)


class MalformedError(TrustError):
    """Bytes that are no document in the one form that there is."""


class SignatureError(TrustError):
    """Unsigned, signed by unknown keys, or by fewer than the threshold."""


class TargetError(TrustError):
    """Made for another application or another Python."""


class RollbackError(TrustError):
    """Older than what was accepted before."""


class ExpiredError(TrustError):
    """Past its date."""


class MismatchError(TrustError):
    """A module that is not the one that the index names."""


class CounterError(TrustError):
    """The counter cannot be read or written."""


class UpdateError(TrustError):
    """An update that could not be fetched."""
