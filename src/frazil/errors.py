"""What can go wrong in a build, split by who can repair it.

FrazilError                 every error that a user may see; says what, where and what to do
├── UsageError              the command line or a configuration (exit code 2)
├── SourceError             the application: missing, unreadable, syntax
├── DependencyError         a requirement that does not resolve or install
├── DistributionError       the Python to build with: no libpython, corrupt archive, unsupported
├── HostError               this machine: no compiler, disk full
├── TrustError              modules that are unsigned, old, expired or for another program
└── OutputError             the output: a directory, busy, not writable
"""

from __future__ import annotations

from typing import ClassVar


class FrazilError(Exception):
    """An error with a place and a remedy.

    ``problem`` is one sentence without a full stop; ``where`` a path, ``path:line`` or name; ``remedy`` says what to do;
    ``details`` is output of a tool or a marked source line, shown as it is.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, where: object = None, remedy: str = "", details: str = "") -> None:
        self.problem = problem
        self.where = None if where is None else str(where)
        self.remedy = remedy
        self.details = details
        super().__init__(problem)

    def __str__(self) -> str:
        """The problem with its place, remedy and details, a line each."""
        head = self.problem if self.where is None else f"{self.where}: {self.problem}"
        return "\n".join(part for part in (head, self.details.rstrip(), self.remedy) if part)


class UsageError(FrazilError):
    """The command line or a configuration asks for what cannot be."""

    exit_code = 2


class SourceError(FrazilError):
    """The application's own files."""


class DependencyError(FrazilError):
    """A requirement."""


class DistributionError(FrazilError):
    """The Python to build with."""


class HostError(FrazilError):
    """The machine that builds."""


class TrustError(FrazilError):
    """Modules outside the executable that it would refuse."""


class OutputError(FrazilError):
    """Where the result should go."""
