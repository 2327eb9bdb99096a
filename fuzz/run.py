# ruff: noqa: INP001 - a script, no package
"""Builds the fuzz targets of the C reader and runs them: ``python fuzz/run.py [TARGET] [--seconds N] [--keep DIR]``.

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
TARGETS = {"icecube": ("image/icecube", "image/crc32"), "inflate": ("image/inflate",)}
"""The parts of the launcher that each target is made of."""
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


def fuzz(name: str, options: argparse.Namespace, work: Path, seeds: Path) -> int:
    """Build one target and run it; its exit code."""
    target = work / f"fuzz_{name}"
    sources = [ROOT / f"fuzz/fuzz_{name}.c", *(LAUNCHER / f"{part}.c" for part in TARGETS[name])]
    libraries = ["-lz"] if name == "inflate" else []
    build: list[str | Path] = [clang(), *FLAGS, "-I", LAUNCHER, *sources, *libraries, "-o", target]
    subprocess.run(build, check=True)
    limits = [f"-max_len={LONGEST}", f"-max_total_time={options.seconds}", "-print_final_stats=1"]
    run: list[str | Path] = [target, *limits, f"-artifact_prefix={options.keep}/", seeds / name]
    return subprocess.run(run, check=False).returncode


def main() -> int:
    """Make the seeds, run each target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=[*TARGETS], help="only this one")
    parser.add_argument("--seconds", type=int, default=60, help="how long to run each")
    parser.add_argument("--keep", type=Path, default=ROOT / "build/fuzz", help="where inputs go that found something")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="frazil-fuzz-") as name:
        seeds = Path(name) / "seeds"
        subprocess.run([sys.executable, ROOT / "tests/icecube/corpus.py", "seeds", seeds], check=True)
        return max(fuzz(target, options, Path(name), seeds) for target in ([options.target] if options.target else TARGETS))


if __name__ == "__main__":
    sys.exit(main())
