"""Measure memfs against tmpfs, and what it costs those who do not use it: tables for ``bench/README.md``.

``python bench/memfs.py`` prints them alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import section

if TYPE_CHECKING:
    from collections.abc import Mapping

WORK = Path(__file__).resolve().parent / "memfs_work.py"
MARKS = {"sequential": 0.95, "open, stat, close": 1.0}
"""What issue 3 promised, in units of tmpfs; rows that begin so."""
CALLS = 1_000_000
TURNS = 3
NOBODY = 65534


def frozen(work: Path, python: Path, environment: Mapping[str, str]) -> Path:
    """The program that works, as an executable."""
    path = work / "memfs-work"
    build = [sys.executable, "-m", "frazil", "build", WORK, "-o", path, "-q", f"--python={python}", "--link=static"]
    subprocess.run(list(map(str, build)), check=True, env=dict(environment))
    return path


def answer(*command: str | Path) -> dict[str, Any]:
    """What a run of it prints."""
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def throughput(program: Path) -> list[str]:
    """memfs against tmpfs, both within one process, taking turns."""
    best = compared(program)
    if os.geteuid() == 0:
        other_user = compared(program, NOBODY)
        best |= {f"{name}, as another user than root": rates for name, rates in other_user.items() if name.startswith("open")}
    rows = []
    for name, (memfs, other) in best.items():
        mark = next((mark for start, mark in MARKS.items() if name.startswith(start)), None)
        ratio = memfs / other
        verdict = "" if mark is None else "reached" if round(ratio, 2) >= mark else "**missed**"
        shown = [f"{rate / 1e9:.2f} GB/s" if name.startswith("seq") else f"{1e6 / rate:.2f} µs" for rate in (memfs, other)]
        wanted = "" if mark is None else f"≥ {mark:.2f} ×"
        rows.append(f"| {name} | {shown[0]} | {shown[1]} | {ratio:.2f} × | {wanted} | {verdict} |")
    return rows


def compared(program: Path, user: int | None = None) -> dict[str, list[float]]:
    """The rates of memfs and of tmpfs, of one run."""
    with tempfile.TemporaryDirectory(prefix="frazil-bench-", dir="/dev/shm") as tmpfs:
        extra = [] if user is None else [str(user)]
        return answer(program, "throughput", "/memfs:/bench", tmpfs, *extra)


def real_paths(program: Path, python: Path) -> list[str]:
    """A million calls on a real path, frozen and under plain Python; the best of a few runs, taking turns."""
    commands: dict[str, list[str | Path]] = {"frozen": [program], "plain": [python, "-I", WORK]}
    best: dict[str, dict[str, float]] = {"frozen": {}, "plain": {}}
    for _ in range(TURNS):
        for who, command in commands.items():
            for name, rate in answer(*command, "real", "/etc/passwd", str(CALLS)).items():
                best[who][name] = max(best[who].get(name, 0.0), rate)
    rows = []
    for name, rate in best["frozen"].items():
        other = best["plain"][name]
        rows.append(f"| {name} | {CALLS / rate:.2f} s | {CALLS / other:.2f} s | {rate / other:.2f} × |")
    return rows


def report(work: Path, python: Path, environment: Mapping[str, str]) -> list[str]:
    """The section of the page."""
    program = frozen(work, python, environment)
    return [
        "## memfs",
        "",
        "Within one frozen process, `/memfs:` against `/dev/shm`, taking turns; the best of 15. What is open is opened by its",
        "handle, which takes the kernel 0.3 µs longer than a short path; users other than root reopen it through `/proc`, which",
        "takes another 0.9 µs.",
        "",
        "| | memfs | tmpfs | rate | mark | |",
        "|---|---:|---:|---:|---:|---|",
        *throughput(program),
        "",
        f"{CALLS:,} calls on a real path, in a frozen program and under `python -I`:",
        "",
        "| | frozen | plain | rate |",
        "|---|---:|---:|---:|",
        *real_paths(program, python),
        "",
    ]


if __name__ == "__main__":
    section.print_section(report)
