"""The object ``options`` that a manifest sees: what ``include`` and ``require`` were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Options:
    """Attributes by name: what was given, else the defaults, else None."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self._defaults: dict[str, Any] = {}

    def defaults(self, **values: Any) -> None:
        """Set what holds where nothing is given; replaces earlier defaults."""
        self._defaults = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # protocols of the language, such as __iter__, are no options
        return self._given.get(name, self._defaults.get(name))
