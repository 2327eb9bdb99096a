"""A package, with a data file of its own."""

from importlib import resources


def greet(name: str) -> str:
    template = resources.files(__name__).joinpath("template.txt").read_text()
    return template.strip().format(name=name)
