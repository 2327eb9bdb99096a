"""Run CPython's own tests in a frozen executable, on memfs and on tmpfs, and compare them test by test.

``compare.py [--python PYTHON] [--write] [MODULE ...]`` freezes ``runner.py`` with PYTHON's ``test`` package, runs each module
with the temporary and the current directory in memfs and then in ``/dev/shm``, and says what came out differently.
``reasons.toml`` names why; ``--write`` writes the table ``cpython-X.Y.md``. The exit code is 1 when a difference has no reason,
or when 1 % or more of the tests that pass on tmpfs do not pass on memfs.

A module with differences runs once more on either side: only what is different both times counts, since some tests depend on
time or on each other. When a test ends the process, it counts as crashed, and those after it run in another process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HERE: Final = Path(__file__).resolve().parent
RUNNER: Final = HERE / "runner.py"
REASONS: Final = HERE / "reasons.toml"
TMPFS: Final = "/dev/shm"
MEMFS: Final = "/memfs:/work"
BOUND: Final = 0.01
"""Fewer of the tests that pass on tmpfs may fail on memfs."""

MODULES: Final = (
    "test_file",
    "test_fileio",
    "test_glob",
    "test_importlib",
    "test_io",
    "test_mmap",
    "test_os",
    "test_pathlib",
    "test_pkgutil",
    "test_posix",
    "test_shutil",
    "test_sqlite3",
    "test_tarfile",
    "test_tempfile",
    "test_zipfile",
    "test_zipimport",
)
"""``importlib.resources`` is tested below ``test_importlib``."""
QUICK: Final = ("test_file", "test_fileio", "test_glob", "test_mmap", "test_pkgutil", "test_tempfile")

_TEST_LIMIT: Final = 120.0
_MODULE_LIMIT: Final = 900.0
_CRASHES: Final = 20
_EXTENSIONS: Final = ("_testcapi", "_testinternalcapi", "_testimportmultiple", "_testmultiphase", "_testsinglephase")

Outcomes = dict[str, str]
"""What became of each test: ok, skip, fail, error, crash, timeout or absent."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A test that does not come out the same on memfs and on tmpfs."""

    test: str
    tmpfs: str
    memfs: str
    message: str


@dataclass(slots=True)
class Side:
    """The outcomes of one module on one file system."""

    outcomes: Outcomes = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    def note(self, test: str, outcome: str, message: str) -> None:
        """Keep the outcome of a test."""
        self.outcomes[test] = outcome
        self.messages[test] = message


@dataclass(frozen=True, slots=True)
class Comparison:
    """One module on both file systems."""

    module: str
    tmpfs: Outcomes
    memfs: Outcomes
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> int:
        """How many tests pass on tmpfs."""
        return Counter(self.tmpfs.values())["ok"]

    @property
    def lost(self) -> int:
        """How many of them do not pass on memfs."""
        return sum(one.tmpfs == "ok" for one in self.differences)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some tests come out differently."""

    why: str
    tests: tuple[str, ...]

    def covers(self, test: str) -> bool:
        """Whether one of the patterns matches."""
        return any(fnmatchcase(test, pattern) for pattern in self.tests)


def reasons(file: Path = REASONS) -> list[Reason]:
    """The reviewed reasons, in the order of the file."""
    return [Reason(one["why"], tuple(one["tests"])) for one in tomllib.loads(file.read_text())["reason"]]


def reason_of(test: str, known: Iterable[Reason]) -> str:
    """Why a test comes out differently; empty when nobody said."""
    return next((one.why for one in known if one.covers(test)), "")


def build_options(modules: Iterable[str], python: Path) -> list[str]:
    """The options of ``frazil build`` that bring CPython's tests: these modules compiled, and all files."""
    probe = "import importlib.util as u, sys; print(*(one for one in sys.argv[1:] if u.find_spec(one)))"
    command = [str(python), "-I", "-c", probe, *_EXTENSIONS, "test", *(f"test.{one}" for one in modules)]
    present = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return ["--stdlib", "all", "--environment", *(word for name in present for word in ("--include", name))]


def run_module(executable: Path, module: str, directory: str, log: Path) -> Side:
    """Run one test module with its files in ``directory``."""
    side = Side()
    with tempfile.TemporaryDirectory(prefix="frazil-records-") as name:
        records, skip = Path(name, "records"), Path(name, "skip")
        for _ in range(_CRASHES):
            skip.write_text("".join(f"{test}\n" for test in side.outcomes), encoding="utf-8")
            records.write_bytes(b"")
            command = [str(executable.resolve()), f"test.{module}", directory, str(records), str(_TEST_LIMIT)]
            code = _run([*command, "--skip", str(skip)], log, name)
            finished, running = _read(records, side)
            if finished:
                break
            side.note(running or f"test.{module}", "timeout" if code is None else "crash", f"exit code {code}")
            if running is None:
                break
    return side


def _run(command: Sequence[str], log: Path, directory: str) -> int | None:
    """Run to the end in a process group of its own, started in ``directory``; the exit code, or None when it took too long."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FRAZIL"))}
    with log.open("ab") as output, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment,
        cwd=directory,
    ) as process:  # fmt: skip
        try:
            return process.wait(_MODULE_LIMIT)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _read(records: Path, side: Side) -> tuple[bool, str | None]:
    """Take the records over; whether the module came to its end, and else the test that ran last."""
    running: str | None = None
    for line in records.read_text(encoding="utf-8").splitlines():
        kind, *rest = json.loads(line)
        if kind == "start":
            running = rest[0]
        elif kind == "end":
            side.note(*rest)
            running = None
        else:
            if rest[0] != "ok":
                side.note("module", *rest)
            return True, None
    return False, running


def compare_module(executable: Path, module: str, work: Path) -> Comparison:
    """Run a module on both file systems, twice if they differ."""
    tmpfs, memfs, found = _both(executable, module, work)
    if found:
        again = {one.test for one in _both(executable, module, work)[2]}
        found = [one for one in found if one.test in again]
    return Comparison(module, tmpfs.outcomes, memfs.outcomes, tuple(found))


def _both(executable: Path, module: str, work: Path) -> tuple[Side, Side, list[Difference]]:
    real = tempfile.mkdtemp(prefix="frazil-", dir=TMPFS)
    try:
        tmpfs = run_module(executable, module, real, work / f"{module}.tmpfs.log")
    finally:
        shutil.rmtree(real, ignore_errors=True)
    memfs = run_module(executable, module, MEMFS, work / f"{module}.memfs.log")
    return tmpfs, memfs, list(_differences(tmpfs, memfs))


def _differences(tmpfs: Side, memfs: Side) -> Iterator[Difference]:
    for test in sorted({*tmpfs.outcomes, *memfs.outcomes}):
        here, there = memfs.outcomes.get(test, "absent"), tmpfs.outcomes.get(test, "absent")
        passing = ("ok" in {here, there}, "skip" in {here, there})
        if here != there and any(passing):
            yield Difference(test, there, here, memfs.messages.get(test) or tmpfs.messages.get(test, ""))


def table(version: str, results: Sequence[Comparison], known: Sequence[Reason]) -> str:
    """The committed page."""
    lines = [
        f"# CPython {version}'s own tests on memfs and on tmpfs",
        "",
        "Generated by `tests/memfs/compare.py --write`; the reasons are those of `tests/memfs/reasons.toml`. The tests run as",
        "root in a frozen executable, with the temporary and the current directory in memfs, and on tmpfs. What passes on",
        "neither is due to the executable, not to memfs.",
        "",
        "| tests | run | pass on tmpfs | of them not on memfs | pass on neither |",
        "|---|---:|---:|---:|---:|",
    ]
    total = Counter[str]()
    for one in results:
        run = {name for name, outcome in one.tmpfs.items() if outcome != "skip"}
        neither = sum(one.tmpfs[name] != "ok" and one.memfs.get(name) != "ok" for name in run)
        row = {"run": len(run), "passed": one.passed, "lost": one.lost, "neither": neither}
        total.update(row)
        lines.append(f"| `{one.module}` | " + " | ".join(f"{row[key]:,}" for key in row) + " |")
    lines.append("| all | " + " | ".join(f"{total[key]:,}" for key in ("run", "passed", "lost", "neither")) + " |")
    share = total["lost"] / max(total["passed"], 1)
    lines += ["", f"{share:.2%} of the tests that pass on tmpfs do not pass on memfs.", ""]
    lines += ["## Differences", "", "| test | tmpfs | memfs | why |", "|---|---|---|---|"]
    for one in results:
        for each in one.differences:
            why = reason_of(each.test, known) or "**unknown**"
            lines.append(f"| `{each.test}` | {each.tmpfs} | {each.memfs} | {why} |")
    return "\n".join(lines) + "\n"


def verdict(results: Sequence[Comparison], known: Sequence[Reason]) -> list[str]:
    """What is wrong with the results, a line each."""
    found = [
        f"no reason for {one.test}: {one.tmpfs} on tmpfs, {one.memfs} on memfs: {one.message}"
        for result in results
        for one in result.differences
        if not reason_of(one.test, known)
    ]
    passed, lost = sum(one.passed for one in results), sum(one.lost for one in results)
    if not passed:
        found.append("no test passes on tmpfs")
    elif lost / passed >= BOUND:
        found.append(f"{lost} of the {passed} tests that pass on tmpfs do not pass on memfs")
    return found


def build(python: Path, modules: Sequence[str], output: Path) -> None:
    """Freeze the runner."""
    command = [sys.executable, "-m", "frazil", "build", str(RUNNER), "-o", str(output), "--python", str(python), "-q"]
    subprocess.run([*command, *build_options(modules, python)], check=True)


def _version(python: Path) -> str:
    command = [str(python), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _summary(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """Build, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter to freeze")
    parser.add_argument("--executable", type=Path, help="what was built before")
    parser.add_argument("--work", type=Path, help="where the executable and the output of the tests stay")
    parser.add_argument("--write", action="store_true", help="write the table")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="frazil-memfs-"))
    work.mkdir(parents=True, exist_ok=True)
    executable = options.executable or work / "runner"
    if options.executable is None:
        build(options.python, options.modules, executable)
    known = reasons()
    results = []
    for module in options.modules:
        result = compare_module(executable, module, work)
        results.append(result)
        counts = _summary(Counter(result.tmpfs.values())), _summary(Counter(result.memfs.values()))
        _say(f"{module}: tmpfs {counts[0]}; memfs {counts[1]}")
        for one in result.differences:
            _say(f"  {one.test}: {one.tmpfs} on tmpfs, {one.memfs} on memfs: {one.message}")
    version = _version(options.python)
    if options.write:
        (HERE / f"cpython-{version}.md").write_text(table(version, results, known), encoding="utf-8")
    wrong = verdict(results, known)
    _say(*wrong, f"the tests' output is in {work}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
