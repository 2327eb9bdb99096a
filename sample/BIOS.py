"""The boot script of the sample: it runs as __main__, and its exit code is the program's."""

import ctypes
import os
import sys
from pathlib import Path

import compiled  # made by Make.py: bytecode without source
from greeting import greet  # a package
from numerals import roman  # a module

HERE = Path(__file__).parent
ADDER = HERE / "native" / "libadder.so"


def main(arguments: list[str]) -> int:
    print(greet("memfs"))
    with open("memfs://primes.txt") as file:  # made by Make.py
        primes = [int(line) for line in file]
    print(f"{len(primes)} primes, the last is {primes[-1]} or {roman(primes[-1])}")
    print("wrapped by bytecode:", compiled.wrapped("one two three four", 9))
    if ADDER.exists():
        print("a native library says: 2 + 3 =", ctypes.CDLL(str(ADDER)).add(2, 3))
    else:
        print("there was no C compiler to make", ADDER.name)
    print("notes:", os.listdir("/memfs:/notes"))  # EXCLUDE leaves out all but one
    with open("memfs://notes/new.txt", "w") as file:  # in memory, gone with the process
        file.write("written at run time\n")
    print((HERE / "notes/new.txt").read_text(), end="")
    return int(arguments[0]) if arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
