"""Measure how executables start whose native modules are linked in, against loading them from memory: a table for
``bench/README.md``.

``python bench/archives.py`` prints it alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import section

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PACKAGES = {
    "markupsafe==3.0.4": ("markupsafe._speedups",),
    "ujson==6.1.0": ("ujson",),
    "pyyaml==6.0.3": ("yaml._yaml",),
    "msgpack==1.2.4": ("msgpack._cmsgpack",),
    "pytomlpp==1.1.0": ("pytomlpp._impl",),
    "lxml==6.1.3": ("lxml._elementpath",),
}
"""Six packages, built from their source distributions (pytomlpp is one of pybind11), and what of them is imported.

lxml.etree is loaded from memory in either form: Debian has libxslt as a shared library alone.
"""
TURNS = 200


def built(work: Path, how: str, python: Path, environment: Mapping[str, str], imports: str) -> tuple[Path, list[str]]:
    """An executable that does nothing but import, and the modules that are linked into it."""
    source = work / "imports.py"
    source.write_text(imports)
    path = work / f"imports-{how}"
    command = [sys.executable, "-m", "frazil", "build", source, "-o", path, "--json", f"--python={python}", "--link=static"]
    command += [f"--native={how}", *(f"--with={one}" for one in PACKAGES)]
    command += [f"--from-source={one.partition('==')[0]}" for one in PACKAGES]
    done = subprocess.run(list(map(str, command)), check=True, env=dict(environment), capture_output=True)
    found = json.loads(done.stdout)["executables"][0]["native"]
    return path, [one["name"] for one in found if one["how"] == "static"]


def starts(programs: Mapping[str, Path], turns: int = TURNS) -> dict[str, tuple[float, float, float]]:
    """Milliseconds from start to end: the least, the median, and the least of the processor; the programs take turns."""
    walls: dict[str, list[float]] = {name: [] for name in programs}
    used: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(turns + 2):
        for name, path in programs.items():
            begun = time.perf_counter()
            child = os.posix_spawn(path, [str(path)], {"PATH": "/usr/bin:/bin"})
            _, status, usage = os.wait4(child, 0)
            if status:
                raise RuntimeError(f"{path} ended with {status}")
            if turn >= 2:  # the first runs read the file
                walls[name].append(1000 * (time.perf_counter() - begun))
                used[name].append(1000 * (usage.ru_utime + usage.ru_stime))
    return {name: (min(walls[name]), statistics.median(walls[name]), min(used[name])) for name in programs}


def rows(work: Path, python: Path, environment: Mapping[str, str], title: str, imports: str) -> list[str]:
    """The rows of one program in both forms."""
    static, linked = built(work, "auto", python, environment, imports)
    memory, _ = built(work, "memory", python, environment, imports)
    names = [line.split()[1] for line in imports.splitlines()]
    counted = f"{sum(name in linked for name in names)} of {len(names)} modules static"
    times = starts({"static": static, "memory": memory})
    ratio = times["memory"][2] / times["static"][2]  # other programs have no part in it
    sizes = [f"{path.stat().st_size / 1e6:.1f}" for path in (static, memory)]
    return [
        f"| {title}: {counted} | {_cells(times['static'])} | {sizes[0]} | {ratio:.2f} × |",
        f"| {title}: from memory | {_cells(times['memory'])} | {sizes[1]} | |",
    ]


def _cells(times: tuple[float, float, float]) -> str:
    return " | ".join(f"{one:.1f}" for one in times)


def report(work: Path, python: Path, environment: Mapping[str, str]) -> list[str]:
    """The section of the page."""
    modules = [name for names in PACKAGES.values() for name in names]
    all_of_them = "".join(f"import {name}\n" for name in modules)
    with_etree = all_of_them + "import lxml.etree\n"
    return [
        "## Native modules",
        "",
        f"Packages built from their source distributions ({', '.join(PACKAGES)}), a module of each imported by",
        "a program that does nothing else: linked into the executable, and loaded from memory. Milliseconds from start to end,",
        f"taking turns, {TURNS} times. lxml.etree needs libxslt, which is there as a shared library alone, and is loaded from memory",
        "in both forms.",
        "",
        "| | least | median | least, processor | MB | by the processor |",
        "|---|---:|---:|---:|---:|---:|",
        *rows(work, python, environment, "six modules", all_of_them),
        *rows(work, python, environment, "and lxml.etree", with_etree),
        "",
    ]


if __name__ == "__main__":
    section.print_section(report)
