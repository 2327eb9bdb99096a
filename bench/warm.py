"""Measure warm starts against plain Python and cold starts: tables and plots for ``bench/README.md``.

``python bench/warm.py`` prints them alone. Starts take turns, so that whatever else the machine does meets all of them; each start
that counts as warm said under FRAZIL_DEBUG that it was.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
DJANGO = HERE / "warm_django/manage.py"
PLOT = HERE / "warm-start.svg"
WARM = "frazil: warm: warm"
RUNS = 40
REQUIREMENTS = ["click", "requests", "rich", "numpy", "django"]
MODULES = [
    [],
    ["json", "argparse"],
    ["asyncio", "sqlite3"],
    ["asyncio", "sqlite3", "xml.dom.minidom", "email.message", "http.client", "unittest", "logging.config"],
    ["click", "requests"],
    [
        "click",
        "requests",
        "rich.console",
        "rich.markdown",
        "asyncio",
        "sqlite3",
        "unittest",
        "xml.dom.minidom",
        "logging.config",
    ],
]
"""What the programs of the plot import, from little to much."""


@dataclass(slots=True)
class Case:
    """One program, three ways; times in milliseconds."""

    name: str
    plain: list[str | Path]
    cold: list[str | Path]
    warm: list[str | Path]
    mark: float | None = None
    times: dict[str, list[float]] = field(default_factory=lambda: {"plain": [], "cold": [], "warm": []})
    modules: int = 0

    def median(self, way: str) -> float:
        return statistics.median(self.times[way])


def start(command: Sequence[str | Path], env: Mapping[str, str]) -> tuple[float, str]:
    """How long a process takes, and what it wrote to its error stream."""
    began = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, restore_signals=True) as process:  # fmt: skip
        assert process.stderr
        error = process.stderr.read()
    took = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit code {process.returncode}\n{error[-3000:]}")
    return took * 1e3, error


class Work:
    """A directory, an environment with the libraries, and what was built."""

    def __init__(self, place: Path, python: Path, environment: Mapping[str, str]) -> None:
        self.place = place
        self.python = python
        self.environment = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
        self.bare = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        self.venv = place / "warm-venv"

    def prepare(self) -> None:
        subprocess.run([self.python, "-m", "venv", self.venv], check=True)
        subprocess.run([self.venv / "bin/pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS], check=True)
        subprocess.run([self.venv / "bin/python", "-m", "compileall", "-q", self.venv / "lib"], check=True)

    def build(self, source: Path, name: str, *options: str) -> tuple[Path, float]:
        """The executable, and how long it took with what can be cached in the cache."""
        path = self.place / "warm" / name
        path.parent.mkdir(exist_ok=True)
        words = [
            sys.executable,
            "-m",
            "frazil",
            "build",
            source,
            "-o",
            path,
            "-q",
            f"--python={self.python}",
            "--link=static",
            *options,
        ]
        subprocess.run(list(map(str, words)), check=True, env=self.environment)
        began = time.perf_counter()
        subprocess.run(list(map(str, words)), check=True, env=self.environment)
        return path, time.perf_counter() - began

    def once(self, case: Case, way: str) -> None:
        """One more start."""
        variables = dict(self.bare)
        if way == "warm":
            variables["FRAZIL_DEBUG"] = "warm"
        took, error = start(getattr(case, way), variables)
        if way == "warm" and not any(line == WARM for line in error.splitlines()):
            sys.exit(f"{case.name}: this start was not warm:\n{error}")
        case.times[way].append(took)

    def measure(self, cases: Sequence[Case], runs: int) -> None:
        """All ways of a case take turns."""
        for case in cases:
            for turn in range(runs + 3):
                for way in case.times:
                    self.once(case, way)
                if turn < 3:
                    for times in case.times.values():
                        times.clear()


def cases(work: Work) -> tuple[list[Case], dict[str, tuple[float, float]]]:
    """What is measured, and how long the builds took: cold and warm."""
    found = []
    builds = {}
    rows = [
        ("hello", EXAMPLES / "hello.py", [], [work.python, "-I", "-S"], 0.35),
        ("click + requests + rich CLI", EXAMPLES / "cli.py", ["--version"], [work.venv / "bin/python", "-I"], 0.06),
        ("numpy product", EXAMPLES / "matrix.py", [], [work.venv / "bin/python", "-I"], 0.40),
        ("a Django management command", DJANGO, ["check"], [work.venv / "bin/python", "-E", "-s"], 0.15),
    ]
    for name, source, arguments, python, mark in rows:
        cold, cold_seconds = work.build(source, f"{source.stem}-cold")
        warm, warm_seconds = work.build(source, f"{source.stem}-warm", "--warm")
        builds[name] = (cold_seconds, warm_seconds)
        found.append(Case(name, [*python, source, *arguments], [cold, *arguments], [warm, *arguments], mark))
    return found, builds


def growing(work: Work) -> list[Case]:
    """Programs that import more and more, for the plot."""
    found = []
    for number, names in enumerate(MODULES):
        source = work.place / f"imports{number}.py"
        lines = ["# /// script", '# dependencies = ["click", "requests", "rich"]', "# ///", "import sys"]
        lines += [f"import {name}" for name in names]
        source.write_text("\n".join([*lines, "", 'if __name__ == "__main__":', "    print(len(sys.modules))", ""]))
        cold, warm = work.build(source, f"imports{number}-cold")[0], work.build(source, f"imports{number}-warm", "--warm")[0]
        case = Case(source.stem, [work.venv / "bin/python", "-I", source], [cold], [warm])
        case.modules = int(subprocess.run(case.plain, capture_output=True, check=True, text=True).stdout)
        found.append(case)
    return found


def private_memory(command: Sequence[str | Path], env: Mapping[str, str]) -> int:
    """KiB of private, written memory of a CLI that is waiting for an answer which never comes."""
    import socket  # noqa: PLC0415 - here only

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        with subprocess.Popen(
            [*map(str, command), url], env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            connection, _ = server.accept()
            connection.recv(1)  # its first word: everything is imported
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            process.kill()
            connection.close()
    return int(re.findall(r"^Private_Dirty: +(\d+)", text, re.MULTILINE)[0])


def key_check(case: Case, work: Work, runs: int) -> float:
    """Milliseconds that finding the snapshot and checking its key take, as the launcher says under FRAZIL_DEBUG=key; median."""
    found = []
    for _ in range(runs):
        _, error = start(case.warm, {**work.bare, "FRAZIL_DEBUG": "key"})
        found += [int(one) for one in re.findall(r"^frazil: warm: the key was checked in (\d+) us$", error, re.MULTILINE)]
    return statistics.median(found) / 1e3


def verdict(value: float, mark: float) -> str:
    return "reached" if value <= mark else "**missed**"


def table(found: Sequence[Case], builds: Mapping[str, tuple[float, float]], work: Work) -> Iterator[str]:
    """What was promised, and what was measured."""
    yield "| | plain, ms | cold, ms | warm, ms | warm / plain | mark | |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for one in found:
        ratio = one.median("warm") / one.median("plain")
        times = " | ".join(f"{one.median(way):.1f}" for way in ("plain", "cold", "warm"))
        yield f"| {one.name} | {times} | {ratio:.2f} | ≤ {one.mark:.2f} | {verdict(ratio, one.mark or 0)} |"
    yield ""
    yield "| | without | with a snapshot | mark | |"
    yield "|---|---:|---:|---:|---|"
    cli = found[1]
    cold, warm = (min(private_memory(command[:1], work.bare) for _ in range(3)) for command in (cli.cold, cli.warm))
    yield f"| private memory of the CLI, MiB | {cold / 1024:.1f} | {warm / 1024:.1f} | ≤ 0.60 × | {warm / cold:.2f} ×, {verdict(warm / cold, 0.6)} |"
    for one in found:
        cold_seconds, warm_seconds = builds[one.name]
        mark = cold_seconds + 4 * one.median("cold") / 1e3 + 2
        yield f"| build of {one.name}, s | {cold_seconds:.1f} | {warm_seconds:.1f} | ≤ {mark:.1f} | {verdict(warm_seconds, mark)} |"
    for one in found:
        took = key_check(one, work, 30)
        yield f"| checking the key of {one.name}, ms | | {took:.3f} | ≤ 0.100 | {verdict(took, 0.1)} |"
    yield ""


# -- the plot ------------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 60, 50, 20, 110
COLOURS = {"plain": "#888888", "cold": "#3572a5", "warm": "#d9480f"}
NAMES = {"plain": "python -I", "cold": "frazil, cold", "warm": "frazil, warm"}


def _ticks(highest: float) -> list[float]:
    """Five to ten round numbers up to the highest."""
    for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000):
        if highest / step <= 10:
            return [step * number for number in range(int(highest / step) + 2)]
    return [0, highest]


def plot(found: Sequence[Case]) -> str:
    """Start-up time by the number of modules, as SVG."""
    across, up = _ticks(max(one.modules for one in found)), _ticks(max(one.median(way) for one in found for way in NAMES))
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(value: float) -> float:
        return LEFT + inner_width * value / across[-1]

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - inner_height * value / up[-1]

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for value in up:
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e5e5e5"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    lines += [f'<text x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>' for value in across]
    lines.append(f'<text x="{LEFT + inner_width / 2}" y="{HEIGHT - 10}" text-anchor="middle">modules imported</text>')
    middle = TOP + inner_height / 2
    lines.append(f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">start to end, ms</text>')
    for way, colour in COLOURS.items():
        points = [(x(one.modules), y(one.median(way))) for one in found]
        lines.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>'
        )
        lines += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        lines.append(f'<text x="{points[-1][0] + 8:.1f}" y="{points[-1][1] + 4:.1f}" fill="{colour}">{NAMES[way]}</text>')
    return "\n".join([*lines, "</svg>", ""])


# -- the section -----------------------------------------------------------------------------------------------------------


def report(place: Path, python: Path, environment: Mapping[str, str], runs: int = RUNS) -> list[str]:
    """The section of the page; writes the plot beside it."""
    work = Work(place, python, environment)
    work.prepare()
    found, builds = cases(work)
    work.measure(found, runs)
    grown = growing(work)
    work.measure(grown, runs // 2)
    PLOT.write_text(plot(grown))
    return [
        "## Warm starts",
        "",
        f"Whole processes, median of {runs} starts that took turns; every warm one said that it was. Builds are with warm caches.",
        "",
        *table(found, builds, work),
        f"![Start-up time by number of modules]({PLOT.name})",
        "",
        "| modules | plain, ms | cold, ms | warm, ms |",
        "|---:|---:|---:|---:|",
        *(f"| {one.modules} | " + " | ".join(f"{one.median(way):.1f}" for way in NAMES) + " |" for one in grown),
        "",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path, default=section.interpreter())
    parser.add_argument("--runs", type=int, default=RUNS)
    arguments = parser.parse_args()
    section.print_section(lambda *given: report(*given, arguments.runs), arguments.python)


if __name__ == "__main__":
    main()
