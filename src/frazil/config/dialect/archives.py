"""``archive(path)``: an archive in a configuration; added to an executable it serves as ``--use-archive`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frazil.archive.use import open_archives
from frazil.config.starlark.host import Attribute, HostObject
from frazil.config.starlark.interpreter import builtin

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.config.dialect.session import Session
    from frazil.config.starlark.values import Builtin


class Archive(HostObject, starlark_type="Archive"):
    """An archive that is there and holds."""

    path = Attribute("str", read_only=True)

    def __init__(self, place: Path, path: str) -> None:
        self.place = place
        self.path = path


def functions(session: Session) -> dict[str, Builtin]:
    """What programs call."""

    def archive(path: str) -> Archive:
        place = session.absolute(path)
        open_archives([place], session.directory, session.cache)
        return Archive(place, path)

    return {"archive": builtin(archive)}
