"""How much a program may do: steps, bytes, depth. Counted, not timed, so that the same program always ends the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from frazil.config.starlark.errors import Fault

MAXIMUM_INTEGER_BITS: Final = 14_000
"""Integers stay below what Python writes in decimal without asking (4,300 digits)."""
MAXIMUM_NESTING: Final = 100
"""Expressions and statements inside each other; values printed or compared."""
MAXIMUM_SOURCE: Final = 4 << 20
"""Bytes of one file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for everything that one interpreter does in its life."""

    steps: int = 20_000_000
    """Iterations, calls, and pieces of work of linear operations."""
    allocation: int = 1 << 30
    """Bytes asked for by all values together, freed ones too."""
    single: int = 64 << 20
    """Bytes of one value."""
    depth: int = 100
    """Calls inside each other."""


class Meter:
    """What is left of the limits."""

    __slots__ = ("allocation", "limits", "steps")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.steps = limits.steps
        self.allocation = limits.allocation

    def step(self, count: int = 1) -> None:
        """Use steps. Raises Fault when none are left."""
        self.steps -= count
        if self.steps < 0:
            raise out_of_steps(self.limits)

    def scan(self, length: int) -> None:
        """Use the steps of looking at ``length`` bytes or elements in one operation of Python's."""
        self.step(length >> 5)

    def allocate(self, size: int) -> None:
        """Use bytes, before they are there. Raises Fault when one value or all together would be too large."""
        if size > self.limits.single:
            raise Fault(f"this would make a value of {size:,} bytes; the limit is {self.limits.single:,}")
        self.allocation -= size
        if self.allocation < 0:
            raise Fault(f"the program has asked for more than {self.limits.allocation:,} bytes in all")


def out_of_steps(limits: Limits) -> Fault:
    """The fault of a program that runs too long."""
    return Fault(f"the program takes more than {limits.steps:,} steps", "Is there a loop that does not end?")
