"""Two small programs that share one executable."""

import sys
from importlib.metadata import version
from importlib.resources import files


def shout() -> int:
    """Print the arguments in capitals, with the mark from a data file."""
    print(" ".join(sys.argv[1:]).upper() + files("tools").joinpath("mark.txt").read_text().strip())
    return 0


def count() -> int:
    """Print how many arguments there are; exit with 1 when there are none."""
    print(f"tools {version('tools')}: {len(sys.argv) - 1} arguments")
    return 0 if sys.argv[1:] else 1
