"""Measure frazil against plain Python and other freezers, in one run; write ``bench/README.md``.

Start-up is measured by hyperfine, as whole processes, warmed up, one command after the other. All
figures of a table come from one run on one machine; compare ratios, not milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import archives
import memfs
import pmm
import section
import warm

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
HERE = Path(__file__).resolve().parent
PEERS = ("pyinstaller", "cx_Freeze")
MANY = 50_000


class Bench:
    """A work directory with two environments: frazil's, and one of the applications with the peers in it."""

    def __init__(self, work: Path, python: Path, runs: int) -> None:
        self.work = work
        self.python = python
        self.runs = runs
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.environment["FRAZIL_CACHE_DIR"] = str(work / "cache")
        self.times: dict[str, tuple[float, float]] = {}
        self.sizes: dict[str, int] = {}
        self.builds: dict[str, float] = {}

    def run(self, *command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> float:
        """Run a command that must succeed; seconds it took."""
        start = time.perf_counter()
        done = subprocess.run(list(map(str, command)), cwd=cwd, env=env or self.environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return time.perf_counter() - start

    def frazil(self, source: Path, output: str, *options: str, cache: str = "cache") -> Path:
        """Build with frazil; notes time and size."""
        path = self.work / "frazil" / output
        env = {**self.environment, "FRAZIL_CACHE_DIR": str(self.work / cache)}
        seconds = self.run(sys.executable, "-m", "frazil", "build", source, "-o", path, "-q", f"--python={self.python}", *options,
                           env=env)  # fmt: skip
        self.builds[output] = seconds
        self.sizes[output] = path.stat().st_size
        return path

    def peers(self, venv: Path, source: Path, name: str) -> dict[str, Path]:
        """Build with the peers: what to run, by name."""
        found = {}
        out = self.work / "peers" / name
        for mode in ("onefile", "onedir"):
            key = f"PyInstaller --{mode}"
            self.builds[f"{name}: {key}"] = self.run(
                venv / "bin/pyinstaller", f"--{mode}", "--noconfirm", "--distpath", out / mode, "--workpath", out / "work",
                "--specpath", out, "--name", name, source,
            )  # fmt: skip
            found[key] = out / mode / name if mode == "onefile" else out / mode / name / name
        self.builds[f"{name}: cx_Freeze"] = self.run(
            venv / "bin/cxfreeze", "build_exe", "--build-exe", out / "cx", "--silent", f"--script={source}", cwd=out
        )
        found["cx_Freeze"] = next(path for path in (out / "cx").iterdir() if path.stem == source.stem and os.access(path, os.X_OK)
                                  and path.is_file())  # fmt: skip
        for key, path in found.items():
            top = path if "onefile" in key else path.parent
            self.sizes[f"{name}: {key}"] = (
                top.stat().st_size if top.is_file() else sum(one.stat().st_size for one in top.rglob("*") if one.is_file())
            )
        return found

    def time(self, group: str, commands: dict[str, list[str | Path]]) -> None:
        """Measure start-up of commands; notes mean and standard deviation in milliseconds."""
        out = self.work / "hyperfine.json"
        lines = [" ".join(map(str, command)) for command in commands.values()]
        self.run("hyperfine", "-N", "--warmup", "5", "--runs", str(self.runs), "--export-json", out, *lines)
        for name, result in zip(commands, json.loads(out.read_text())["results"], strict=True):
            self.times[f"{group}: {name}"] = (result["median"] * 1e3, result["stddev"] * 1e3)


def make_venv(bench: Bench, requirements: list[str]) -> Path:
    """The applications' environment, with the peers; bytecode compiled, as an installation has it."""
    venv = bench.work / "venv"
    bench.run(bench.python, "-m", "venv", venv)
    bench.run(venv / "bin/pip", "install", "-q", *requirements, *PEERS)
    bench.run(venv / "bin/python", "-m", "compileall", "-q", "-j2", venv / "lib")
    return venv


def many_modules(bench: Bench) -> Path:
    """Hello, beside a package of 50,000 modules."""
    place = bench.work / "many"
    place.mkdir()
    shutil.copy(EXAMPLES / "hello.py", place / "hello.py")
    for group in range(MANY // 500):
        package = place / "many" / f"group{group:03}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        for number in range(499):
            (package / f"module{number:03}.py").write_text(f"NUMBER = {group * 1000 + number}\n")
    (place / "many/__init__.py").touch()
    return place / "hello.py"


def measure(bench: Bench) -> None:
    """All measurements."""
    venv = make_venv(bench, ["click", "requests", "rich", "numpy"])
    plain = bench.python
    cases = {"hello": EXAMPLES / "hello.py", "cli": EXAMPLES / "cli.py", "matrix": EXAMPLES / "matrix.py"}
    arguments = {"hello": [], "cli": ["--version"], "matrix": []}
    for name, source in cases.items():
        bench.frazil(source, f"{name}.download", cache="cache")  # wheels and the launcher's parts come over the network once
        bench.frazil(source, f"{name}.cold", cache=f"cold-{name}")
        static = bench.frazil(source, name, "--link=static")
        static = bench.frazil(source, name, "--link=static")  # warm
        shared = bench.frazil(source, f"{name}.shared", "--link=shared")
        (bench.work / "peers" / name).mkdir(parents=True)
        peers = bench.peers(venv, source, name)
        interpreter = venv / "bin/python" if name != "hello" else plain
        first = "python -I -S" if name == "hello" else "python -I in its venv"
        flags = ["-I", "-S"] if name == "hello" else ["-I"]
        more: dict[str, list[str | Path]] = {"python -I": [plain, "-I", source]} if name == "hello" else {}
        extra = arguments[name]
        bench.time(name, {
            first: [interpreter, *flags, source, *extra],
            **more,
            "frazil static": [static, *extra],
            "frazil shared": [shared, *extra],
            **{peer: [path, *extra] for peer, path in peers.items()},
        })  # fmt: skip
    hello = bench.work / "frazil/hello"
    many = bench.frazil(many_modules(bench), "many", "--link=static", "--include=many.*")
    bench.time("many", {"hello": [hello], f"hello among {MANY:,} modules": [many]})


def ratio(bench: Bench, group: str, name: str, base: str) -> float:
    """How long a command takes, in units of another."""
    return bench.times[f"{group}: {name}"][0] / bench.times[f"{group}: {base}"][0]


def goals(bench: Bench) -> list[str]:
    """What issue after issue promised, and what was measured."""
    many = bench.times[f"many: hello among {MANY:,} modules"][0] / bench.times["many: hello"][0]
    rows = [
        ("hello, static / `python -I -S`", ratio(bench, "hello", "frazil static", "python -I -S"), 0.75, "×"),
        ("hello, shared / `python -I -S`", ratio(bench, "hello", "frazil shared", "python -I -S"), 1.3, "×"),
        (
            "click + requests + rich, static / `python -I`",
            ratio(bench, "cli", "frazil static", "python -I in its venv"),
            0.8,
            "×",
        ),
        ("numpy product, static / `python -I`", ratio(bench, "matrix", "frazil static", "python -I in its venv"), 1.0, "×"),
        (f"hello among {MANY:,} modules / hello", many, 1.05, "×"),
        ("build of hello, warm", bench.builds["hello"], 1, "s"),
        ("build of hello, cold", bench.builds["hello.cold"], 5, "s"),
        ("build of the CLI, warm", bench.builds["cli"], 2, "s"),
        ("build of the CLI, cold", bench.builds["cli.cold"], 10, "s"),
        ("size of hello", bench.sizes["hello"] / 1e6, 12, "MB"),
    ]
    return [
        f"| {what} | ≤ {mark} {unit} | {value:.2f} {unit} | {'reached' if value <= mark else '**missed**'} |"
        for what, value, mark, unit in rows
    ]


def report(bench: Bench) -> str:
    """The page."""
    version = subprocess.run([bench.python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    lines = [
        "# Measurements",
        "",
        "Written by `nox -s bench` (`bench/run.py`). All figures come from one run on one machine: compare ratios, not",
        f"milliseconds. {version}, Linux {platform.release()}, {os.cpu_count()} processors, {bench.runs} runs each, median.",
        "",
        "| goal | mark | measured | |",
        "|---|---:|---:|---|",
        *goals(bench),
        "",
    ]
    titles = {"hello": "`examples/hello.py`", "cli": "`examples/cli.py --version` (click, requests, rich)",
              "matrix": "`examples/matrix.py` (numpy)"}  # fmt: skip
    for group, title in titles.items():
        base = next(iter(value[0] for key, value in bench.times.items() if key.startswith(f"{group}: ")))
        lines += [f"## {title}", "", "| | ms | ± | ratio | size, MB | build, s |", "|---|---:|---:|---:|---:|---:|"]
        for key, (median, deviation) in bench.times.items():
            kind, _, name = key.partition(": ")
            if kind != group:
                continue
            own = {"frazil static": group, "frazil shared": f"{group}.shared"}.get(name, key)
            size = f"{bench.sizes[own] / 1e6:.1f}" if own in bench.sizes else ""
            build = f"{bench.builds[own]:.1f}" if own in bench.builds else ""
            lines.append(f"| {name} | {median:.1f} | {deviation:.1f} | {median / base:.2f} | {size} | {build} |")
        lines.append("")
    lines += [
        "Builds of frazil are with warm caches; the peers build as they do, with what they cache. Sizes of directories are sums.",
        "",
        *memfs.report(bench.work, bench.python, bench.environment),
        *archives.report(bench.work, bench.python, bench.environment),
        *pmm.report(bench.work, bench.python, bench.environment),
        *warm.report(bench.work, bench.python, bench.environment),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path, default=section.interpreter())
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--output", type=Path, default=HERE / "README.md")
    arguments = parser.parse_args()
    if not shutil.which("hyperfine"):
        sys.exit("bench: hyperfine is needed (apt install hyperfine)")
    with tempfile.TemporaryDirectory(prefix="frazil-bench-") as work:
        bench = Bench(Path(work), arguments.python, arguments.runs)
        measure(bench)
        arguments.output.write_text(report(bench))
    print(arguments.output.read_text())


if __name__ == "__main__":
    main()
