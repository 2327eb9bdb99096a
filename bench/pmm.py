"""Measure what storages of modules cost the start: a table for ``bench/README.md``.

``python bench/pmm.py`` prints it alone.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import section

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODULES = 100
RUNS = 60
PROGRAM = "pass\n"
# What the check of a signature imports; and one check, since the first one sets OpenSSL up (RFC 8032, section 7.1, test 1).
CRYPTOGRAPHY = (
    "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey\nimport cryptography.exceptions\n"
)
KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
CHECK = f"Ed25519PublicKey.from_public_bytes(bytes.fromhex({KEY!r})).verify(bytes.fromhex({SIGNATURE!r}), b'')\n"


class Cases:
    """The programs, each in a directory of its own."""

    def __init__(self, work: Path, python: Path, environment: Mapping[str, str]) -> None:
        self.work = work / "pmm"
        self.work.mkdir()
        self.python = python
        self.environment = {**environment, "HOME": str(self.work / "home"), "XDG_DATA_HOME": str(self.work / "data")}
        self.environment.setdefault("FRAZIL_CACHE_DIR", str(work / "cache"))

    def frazil(self, *words: str | Path) -> None:
        command = [sys.executable, "-m", "frazil", *map(str, words)]
        environment = {**self.environment, "HOME": os.environ.get("HOME", "/")}
        subprocess.run(command, check=True, env=environment, cwd=self.work)

    def program(self, name: str, source: str, *options: str) -> Path:
        place = self.work / name
        place.mkdir()
        (place / "app.py").write_text(source)
        self.frazil("build", place / "app.py", "-o", place / "app", "-q", f"--python={self.python}", "--name=app", *options)
        return place / "app"

    def root(self) -> Path:
        """A root document; who signs indexes is ``key``."""
        self.frazil("pmm", "keygen", "key", "-q")
        self.frazil("pmm", "root", "-o", "root.json", "--application=app", "--key=key.pub", "-q")
        self.frazil("pmm", "sign", "root.json", "--key=key.key", "-q")
        return self.work / "root.json"

    def modules(self) -> Path:
        """A signed directory of modules."""
        source = self.work / "source/many"
        source.mkdir(parents=True)
        (source / "__init__.py").touch()
        for number in range(MODULES - 1):
            (source / f"module{number:03}.py").write_text(f"NUMBER = {number}\n")
        made = self.work / "modules"
        self.frazil("pmm", "compile", source, "-o", made, "-q", f"--python={self.python}")
        self.frazil("pmm", "index", made, "--application=app", "-q")
        self.frazil("pmm", "sign", made, "--key=key.key", "-q")
        return made


def times(programs: Mapping[str, Path], environment: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of the processor and of the clock for whole processes, taking turns; the first turn fills caches."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for turn in range(RUNS + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            process = os.posix_spawn(program, [str(program)], dict(environment))
            _, status, usage = os.wait4(process, 0)
            took = time.perf_counter() - start
            if status:
                sys.exit(f"{program}: status {status}")
            if turn:
                found[name].append(((usage.ru_utime + usage.ru_stime) * 1e3, took * 1e3))
    return found


def report(work: Path, python: Path, environment: Mapping[str, str]) -> list[str]:
    """The section of the page."""
    cases = Cases(work, python, environment)
    root = cases.root()
    made = cases.modules()
    storage = "dir:{exe_dir}/modules"
    programs = {
        "no storage": cases.program("none", PROGRAM),
        "memfs and functions": cases.program("own", PROGRAM, "--pmm=memfs:/modules", "--pmm=function"),
        "unsigned directory": cases.program("unsigned", PROGRAM, "--pmm", storage, "--pmm-unsigned"),
        "no storage, imports cryptography": cases.program("cryptography", CRYPTOGRAPHY, "--with=cryptography>=42"),
        "no storage, checks one signature": cases.program("check", CRYPTOGRAPHY + CHECK, "--with=cryptography>=42"),
        "signed directory": cases.program("signed", PROGRAM, "--pmm", storage, "--pmm-root", str(root)),
    }
    for name in ("unsigned", "signed"):
        shutil.copytree(made, cases.work / name / "modules")
    measured = times(programs, cases.environment)
    best = {name: min(processor for processor, _ in values) for name, values in measured.items()}
    cost = best["no storage, imports cryptography"] - best["no storage"]
    whole = best["signed directory"] - best["no storage"]
    verdict = "reached" if whole <= cost + 1 else "**missed**"
    rows = []
    for name, values in measured.items():
        middle = statistics.median(processor for processor, _ in values)
        clock = min(took for _, took in values)
        rows.append(
            f"| {name} | {best[name]:.2f} ms | {best[name] - best['no storage']:+.2f} ms | {middle:.2f} ms | {clock:.2f} ms |"
        )
    return [
        "## Modules from storages",
        "",
        f"A program that does nothing, with a storage of {MODULES} modules of which it imports none; {RUNS} starts, taking turns. Time of the",
        "processor, which depends less on what else the machine does, and of the clock.",
        "",
        "| storage | processor, best | more than none | median | clock, best |",
        "|---|---:|---:|---:|---:|",
        *rows,
        "",
        f"A signed storage adds {whole:.2f} ms; the mark is what importing cryptography takes once, {cost:.2f} ms, and 1 ms: {verdict}.",
        "It is less than that since a signature is checked through the library's core, without most of its Python.",
        "",
    ]


if __name__ == "__main__":
    section.print_section(report)
