"""Python that is compiled ahead of time."""


def double(value: int) -> int:
    return 2 * value
