"""What a snapshot tells people: which modules are in it and which are not (``docs/spec/snapshot.md``, "Report")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_REASON_AT_MOST: Final = 400


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A module that is not in the snapshot but imported at start, and why."""

    module: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The names that were asked for and are in the snapshot, what was left out and why, and what its author should know."""

    modules: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """Lines of a word, a tabulator and a text; of what was left out another tabulator and the reason."""
        return "".join(f"{line}\n" for line in self._lines()).encode(errors="backslashreplace")

    def _lines(self) -> Iterator[str]:
        yield from (f"module\t{_line(one)}" for one in self.modules)
        yield from (f"left-out\t{_line(one.module)}\t{_line(one.reason)[:_REASON_AT_MOST]}" for one in self.left_out)
        yield from (f"remark\t{_line(one)}" for one in self.remarks)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read it; lines of other words are from the future, and are passed over."""
        lines = [line.split("\t") for line in data.decode(errors="replace").splitlines()]
        return cls(
            tuple(rest[0] for word, *rest in lines if word == "module" and rest),
            tuple(LeftOut(rest[0], rest[1]) for word, *rest in lines if word == "left-out" and len(rest) > 1),
            tuple(rest[0] for word, *rest in lines if word == "remark" and rest),
        )


def _line(text: str) -> str:
    return " ".join(text.split())
