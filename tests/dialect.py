"""Types of the fixtures in ``config/dialect/conftest.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from frazil.plan import Plan


@dataclass(frozen=True)
class Evaluated:
    """What came of a configuration. Notes begin with line and column."""

    results: dict[str, Any]
    printed: list[str]
    notes: list[str]
    call: Callable[[Any], Any]
    """Calls a function of the program that takes nothing."""

    def plan(self, target: str = "exe") -> Plan:
        """The plan of a target."""
        plan: Plan = self.results[target].plan()
        return plan


class Evaluate(Protocol):
    """Run a configuration with some files beside it."""

    def __call__(
        self,
        program: str,
        files: dict[str, str | bytes] | None = None,
        *,
        wanted: Sequence[str] = (),
        variables: dict[str, str | None] | None = None,
    ) -> Evaluated: ...
