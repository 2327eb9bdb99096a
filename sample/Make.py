"""Runs first, in this directory, with the Python that goes in; when it fails, the build stops and shows its output."""

import py_compile
import shutil
import subprocess
from pathlib import Path

# Data.
numbers = range(2, 1000)
primes = [number for number in numbers if all(number % divisor for divisor in range(2, int(number**0.5) + 1))]
Path("primes.txt").write_text("".join(f"{prime}\n" for prime in primes))

# A module without its source; EXCLUDE leaves the source out.
py_compile.compile("compiled.py", "compiled.pyc", "compiled.py", doraise=True,
                   invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)  # fmt: skip

# A native library, where there is a compiler.
compiler = shutil.which("cc")
if compiler is not None:
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", "native/libadder.so", "native/adder.c"], check=True)
