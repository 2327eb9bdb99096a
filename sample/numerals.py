"""A module."""

NUMERALS = ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"]
VALUES = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]


def roman(number: int) -> str:
    """The number as the Romans wrote it."""
    text = ""
    for numeral, value in zip(NUMERALS, VALUES, strict=True):
        count, number = divmod(number, value)
        text += numeral * count
    return text
