# /// script
# requires-python = ">=3.11"
# dependencies = ["attrs"]
# ///
import attr
from attrs import asdict, define, evolve, field, fields, validators


@define(order=True)
class Point:
    x: int = field(validator=validators.instance_of(int))
    y: int = attr.Factory(lambda: 2)


@define(frozen=True, slots=True)
class Line:
    name: str = field(converter=str.strip, repr=lambda value: value.upper())
    points: list[Point] = field(factory=list, metadata={"unit": "m"})


def main():
    line = Line("  a ", [Point(1, 5)])
    print(line, evolve(line, name="b"), fields(Line).points.metadata["unit"], asdict(line, filter=attr.filters.exclude(list)))
    try:
        line.name = "c"
    except attr.exceptions.FrozenInstanceError as error:
        print(type(error).__name__)
    print(Point(1), asdict(Point(3, 4)), sorted([Point(2), Point(1)]))
    try:
        Point("a")
    except TypeError as error:
        print(error.args[0])


if __name__ == "__main__":
    main()
