"""Named tuples for the start: those of ``typing`` are made by compiling source text, a quarter of a millisecond each.

To type checkers ``NamedTuple`` is the one of ``typing``; this one has of it what the classes here use.
"""

from _operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class NamedTuple(tuple[object, ...]):  # noqa: SLOT001 - which fields there are the classes below it say
    """A tuple whose places have names, those of the class's annotations; a value in the class is a default."""

    _fields: tuple[str, ...] = ()
    _field_defaults: dict[str, object] = {}  # noqa: RUF012 - each class has its own

    def __init_subclass__(cls) -> None:
        """Make the fields."""
        names = tuple(cls.__annotations__)
        cls._field_defaults = {name: vars(cls)[name] for name in names if name in vars(cls)}
        cls._fields = names
        for number, name in enumerate(names):
            setattr(cls, name, property(itemgetter(number)))

    def __new__(cls, *values: object, **named: object) -> "Self":
        """The tuple of these values; TypeError when they are too few, too many, or not known."""
        names = cls._fields
        if named or len(values) != len(names):
            given = {**cls._field_defaults, **dict(zip(names, values, strict=False)), **named}
            if len(values) > len(names) or given.keys() != set(names):
                msg = f"{cls.__name__} has the fields {', '.join(names)}"
                raise TypeError(msg)
            values = tuple(given[name] for name in names)
        return tuple.__new__(cls, values)

    def _asdict(self) -> dict[str, object]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **changes: object) -> "Self":
        return type(self)(**{**self._asdict(), **changes})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

    def __getnewargs__(self) -> tuple[object, ...]:
        return tuple(self)
