"""One run of a configuration: what the functions of the dialect know of the world, and what they leave for later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.config.dialect.files import Installation
    from frazil.config.starlark.errors import Span
    from frazil.config.starlark.values import Value


class Terminal(Protocol):
    """A person to ask. Each raises FrazilError when no answer comes."""

    def confirm(self, prompt: str, default: bool | None) -> bool:
        """Yes or no."""

    def text(self, prompt: str, default: str | None) -> str:
        """A line."""

    def password(self, prompt: str, *, confirm: bool, default: str | None) -> str:
        """A line that is not shown; ``confirm``: asked for until it comes twice."""


def _silent(_text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run is given by who starts it."""

    cache: ContentCache
    release: bool = False
    progress: Callable[[str], None] = _silent
    """Told the name of each long step as it begins."""
    note: Callable[[str], None] = _silent
    """Told what the configuration's author should know: old spellings, settings without effect."""
    terminal: Terminal | None = None


@dataclass(slots=True)
class Session:
    """One run. Functions of the dialect get it; there is one for each configuration that is evaluated."""

    path: Path
    """The configuration, absolute."""
    surroundings: Surroundings
    call: Callable[[Value, Sequence[Value]], Value]
    """Calls a Starlark function."""
    site: Callable[[], Span | None]
    """The call that is being made."""
    target: Callable[[], str | None]
    """The target whose function runs."""
    build_path: Path
    """Where outputs stand; absolute."""
    installations: list[Installation] = field(default_factory=list)
    """What ``FileManifest.install`` is to write when the targets are built."""
    _noted: set[str] = field(default_factory=set)

    @property
    def directory(self) -> Path:
        """``CWD``: the configuration's directory."""
        return self.path.parent

    @property
    def cache(self) -> ContentCache:
        """The build's cache."""
        return self.surroundings.cache

    def absolute(self, path: str) -> Path:
        """A path as programs write it: relative to the configuration."""
        return self.directory / path

    def note(self, text: str) -> None:
        """Tell the author something, once, with the place that is running."""
        if text not in self._noted:
            self._noted.add(text)
            site = self.site()
            self.surroundings.note(text if site is None else f"{site}: {text}")
