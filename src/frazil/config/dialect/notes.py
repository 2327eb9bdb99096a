"""Notes for the authors of configurations that were written for earlier releases of PyOxidizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frazil.config.dialect.session import Session


def renamed(session: Session, old: str, new: str, releases: str) -> None:
    """Tell that a name belongs to earlier ``releases``."""
    session.note(f"{old} is deprecated, a name of PyOxidizer {releases}: write {new}")
