"""Builds ``programs/`` cold and warm, starts each many times, and writes ``libraries.md``: what fits into snapshots.

``nox -s warm_libraries`` runs it; ``-- requests django`` names some. Addresses are random (that is checked). A start
whose output or exit code differs from the cold one's fails the run; a build that makes no snapshot does so too, unless
``--keep-going``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from frazil.builder.elf import SNAPSHOT_ADDRESS, ElfFile  # noqa: E402 - as above
from started import WARM, start  # noqa: E402 - tests are no package

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TABLE = HERE / "libraries.md"
LEFT_OUT = " is not in the snapshot but imported at start:"
"""What a build says of a module that it left out, before the reason."""


@dataclass(slots=True)
class Result:
    """What became of one program."""

    name: str
    starts: int = 0
    warm: int = 0
    size: int = 0
    differences: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether each start was warm and the same."""
        return self.starts > 0 and self.warm == self.starts and not self.differences

    def row(self) -> str:
        """A line of the table."""
        said = "; ".join([*self.differences[:2], *self.remarks]).replace("|", "\\|").replace("\n", " ")
        size = f"{self.size / 2**20:.0f}" if self.size else ""
        return f"| {self.name} | {size} | {self.warm} of {self.starts} | {len(self.differences)} | {said} |"


def require_random_addresses() -> None:
    """The kernel gives each process other addresses, and nobody switched that off for this one."""
    if Path("/proc/sys/kernel/randomize_va_space").read_text().strip() != "2":
        sys.exit("addresses are not random on this machine: write 2 to /proc/sys/kernel/randomize_va_space")
    if int(Path("/proc/self/personality").read_text(), 16) & 0x0040000:
        sys.exit("addresses are not random in this process: it was started by setarch -R")


def build(source: Path, output: Path, python: Path, *options: str) -> tuple[str, str]:
    """Build it: what the build warned of, and why it failed ("" if it did not)."""
    words = [sys.executable, "-m", "frazil", "build", source, "-o", output, "--python", python, *options]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    return (done.stderr, "") if done.returncode == 0 else ("", done.stderr)


def try_program(source: Path, python: Path, runs: int, work: Path) -> Result:
    """Build it both ways and compare."""
    result = Result(source.stem.removeprefix("use_"))
    _, failure = build(source, work / source.stem, python)
    if failure:
        result.differences.append(f"the build failed: {failure.strip()}")
        return result
    expected = start([work / source.stem])[1]
    if expected.code != 0:
        result.differences.append(f"it fails cold: {expected.error[-400:]}")
        return result
    warm = work / "warm" / source.stem
    warm.parent.mkdir(exist_ok=True)
    warned, failure = build(source, warm, python, "--warm")
    if failure:
        result.differences.append(failure.strip().splitlines()[0])
        return result
    left_out = [line.removeprefix("warning: ") for line in warned.splitlines() if LEFT_OUT in line]
    result.remarks += [re.sub(r"0x[0-9a-f]+", "0x...", line.replace(LEFT_OUT, ":")) for line in left_out]
    result.size = next(one.file_size for one in ElfFile.parse(warm.read_bytes()).loads() if one.address == SNAPSHOT_ADDRESS)
    reasons: Counter[str] = Counter()
    for _ in range(runs):
        decision, outcome = start([warm])
        result.starts += 1
        result.warm += decision.splitlines()[:1] == [WARM] and "again" not in decision
        if decision != WARM:
            reasons[decision.splitlines()[-1] if decision else "no decision"] += 1
        if outcome != expected:
            result.differences.append(f"exit code {outcome.code}: {(outcome.error or outcome.output)[-200:]}")
    result.remarks += [f"{reason} ({count} times)" for reason, count in reasons.items()]
    (work / source.stem).unlink()
    warm.unlink()
    return result


def page(results: Sequence[Result], python: Path, runs: int) -> Iterator[str]:
    """The table."""
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    good = sum(one.good for one in results)
    yield "# Libraries in snapshots"
    yield ""
    yield "Written by `nox -s warm_libraries` (`tests/warm/libraries.py`): each program of `programs/` was built cold and"
    yield f"warm, and started {runs} times under random addresses; a difference is output or exit code unlike a cold start's."
    yield f"{version}: {good} of {len(results)} programs started warm each time without a difference."
    yield ""
    yield "| program | snapshot, MiB | warm starts | differences | what was left out, and why |"
    yield "|---|---:|---:|---:|---|"
    for one in results:
        yield one.row()


def main() -> None:
    """Try all or some, print, and write the table when all were tried."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--python", type=Path, default=Path(sys.base_prefix) / f"bin/python3.{sys.version_info.minor}")
    parser.add_argument("--keep-going", action="store_true", help="exit with 0 whatever was found")
    arguments = parser.parse_args()
    require_random_addresses()
    sources = [
        one for one in sorted((HERE / "programs").glob("use_*.py"))
        if not arguments.names or one.stem.removeprefix("use_") in arguments.names
    ]  # fmt: skip
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="frazil-libraries-") as work:
        for source in sources:
            results.append(try_program(source, arguments.python, arguments.runs, Path(work)))
            print(re.sub(os.fspath(Path(work)), "", results[-1].row()), flush=True)
    if not arguments.names:
        TABLE.write_text("\n".join(page(results, arguments.python, arguments.runs)) + "\n")
    if not arguments.keep_going and not all(one.good for one in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
