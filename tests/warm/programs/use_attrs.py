# /// script
# requires-python = ">=3.11"
# dependencies = ["attrs"]
# ///
import attr
from attrs import asdict, define, field, validators


@define(order=True)
class Point:
    x: int = field(validator=validators.instance_of(int))
    y: int = attr.Factory(lambda: 2)


if __name__ == "__main__":
    print(Point(1), asdict(Point(3, 4)), sorted([Point(2), Point(1)]))
    try:
        Point("a")
    except TypeError as error:
        print(error.args[0])
