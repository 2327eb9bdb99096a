# ruff: noqa: INP001 - a script, no package
"""Builds the fuzz target of the C reader and runs it: ``python fuzz/run.py [--seconds N] [--keep DIR]``.

Exit code 0 when nothing was found; otherwise the input that did it stands in DIR (by default ``build/fuzz``).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = ROOT / "src/frazil/launcher"
FLAGS = (
    "-g", "-O1", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
    "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip
LONGEST = 16384
"""Bytes of the largest input."""


def clang() -> str:
    """The clang to use; libFuzzer comes with it."""
    named = os.environ.get("CLANG")
    for name in [named] if named else ["clang", *(f"clang-{version}" for version in range(30, 11, -1))]:
        found = shutil.which(name)
        if found:
            return found
    sys.exit("there is no clang here: install clang and its run-time library (Debian: clang libclang-rt-dev), or set CLANG")


def main() -> int:
    """Build, make the seeds, run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="how long to run")
    parser.add_argument("--keep", type=Path, default=ROOT / "build/fuzz", help="where inputs go that found something")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="frazil-fuzz-") as name:
        work = Path(name)
        target, seeds = work / "fuzz_icecube", work / "seeds"
        sources = [ROOT / "fuzz/fuzz_icecube.c", LAUNCHER / "icecube.c", LAUNCHER / "crc32.c"]
        command: list[str | Path] = [clang(), *FLAGS, "-I", LAUNCHER, *sources, "-o", target]
        subprocess.run(command, check=True)
        subprocess.run([sys.executable, ROOT / "tests/icecube/corpus.py", "seeds", seeds], check=True)
        limits = [f"-max_len={LONGEST}", f"-max_total_time={options.seconds}", "-print_final_stats=1"]
        run: list[str | Path] = [target, *limits, f"-artifact_prefix={options.keep}/", seeds]
        return subprocess.run(run, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
