"""What ``metadata()`` says of a package."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Metadata:
    """The fields by name, None where nothing was said; ``given`` are those that were."""

    description: str | None = None
    version: str | None = None
    license: str | None = None
    author: str | None = None
    stdlib: bool | None = None
    pypi: str | None = None
    pypi_publish: str | None = None
    given: dict[str, Any] = field(default_factory=dict)

    def update(self, values: dict[str, Any]) -> None:
        """Set fields that are given."""
        for one in fields(self):
            if values.get(one.name) is not None:
                setattr(self, one.name, values[one.name])
        self.given.update(values)
