"""Builds ``programs/`` cold and warm, starts each many times, and writes ``libraries.md``: what fits into snapshots.

``nox -s warm_libraries`` runs it for each supported Python of this machine; ``-- requests django`` names some programs,
``--write`` writes the page, ``--cold`` only builds and starts cold. Addresses are random (that is checked). A start whose
output or exit code differs from the cold one's fails the run; a build that makes no snapshot does so too, unless
``--keep-going``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from conftest import SUPPORTED, interpreters  # noqa: E402 - tests are no package
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
    version: str
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


def wrapped(source: Path, place: Path) -> Path:
    """A script that imports the program and runs it, so that all that the program defines is in the snapshot."""
    text = source.read_text()
    header = text[: text.index("# ///\n", 1) + len("# ///\n")]
    place.mkdir()
    (place / source.name).write_text(text)
    script = place / f"run_{source.name}"
    script.write_text(f'{header}import {source.stem}\n\nif __name__ == "__main__":\n    {source.stem}.main()\n')
    return script


def try_program(source: Path, version: str, runs: int, place: Path) -> Result:
    """Build it both ways and compare; 0 runs: only build it cold, and start it so."""
    result = Result(source.stem.removeprefix("use_"), version)
    work, python = place / version, interpreters()[version]
    script = wrapped(source, work / f"{source.stem}-source")
    _, failure = build(script, work / source.stem, python)
    if failure:
        result.differences.append(f"the build failed: {failure.strip()}")
        return result
    expected = start([work / source.stem])[1]
    if expected.code != 0:
        result.differences.append(f"it fails cold: {expected.error[-400:]}")
        return result
    again = start([work / source.stem])[1]
    if again != expected:
        result.differences.append("two cold starts are not the same")
        return result
    if runs == 0:
        (work / source.stem).unlink()
        return result
    warm = work / "warm" / source.stem
    warned, failure = build(script, warm, python, "--warm")
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


def page(results: Sequence[Result], runs: int) -> Iterator[str]:
    """The tables, one for each version."""
    yield "# Libraries in snapshots"
    yield ""
    yield "Written by `nox -s warm_libraries -- --write` (`tests/warm/libraries.py`): each program of `programs/` was built"
    yield f"cold and warm, and started {runs} times under random addresses; a difference is output or exit code unlike a cold"
    yield "start's."
    for version in dict.fromkeys(one.version for one in results):
        rows = sorted((one for one in results if one.version == version), key=lambda one: one.name)
        python = subprocess.run(
            [interpreters()[version], "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
        yield ""
        yield f"## {python}"
        yield ""
        yield f"{sum(one.good for one in rows)} of {len(rows)} programs started warm each time without a difference."
        yield ""
        yield "| program | snapshot, MiB | warm starts | differences | what was left out, and why |"
        yield "|---|---:|---:|---:|---|"
        for one in rows:
            yield one.row()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="programs; all of them if none is named")
    known = [one for one in SUPPORTED if one in interpreters()]
    parser.add_argument("--targets", type=lambda names: names.split(","), default=known, help=f"such as {','.join(known)}")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--cold", action="store_true", help="only build cold, and start so")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    parser.add_argument("--keep-going", action="store_true", help="exit with 0 whatever was found")
    return parser.parse_args()


def main() -> None:
    """Try all or some, print, and write the page when asked to."""
    asked = arguments()
    require_random_addresses()
    sources = [
        one for one in sorted((HERE / "programs").glob("use_*.py"))
        if not asked.names or one.stem.removeprefix("use_") in asked.names
    ]  # fmt: skip
    results: list[Result] = []
    runs = 0 if asked.cold else asked.runs
    with tempfile.TemporaryDirectory(prefix="frazil-libraries-") as place, ThreadPoolExecutor(asked.parallel) as pool:
        for version in asked.targets:
            (Path(place) / version / "warm").mkdir(parents=True)
        tries = [
            pool.submit(try_program, source, version, runs, Path(place)) for version in asked.targets for source in sources
        ]
        for one in tries:
            results.append(one.result())
            print(results[-1].version, re.sub(place, "", results[-1].row()), flush=True)
    if asked.write:
        TABLE.write_text("\n".join(page(results, runs)) + "\n")
    if not asked.keep_going and not all(not one.differences if asked.cold else one.good for one in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
