"""Large and busy uses of memfs: ``app/scale.py``, frozen, one case each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support import Build

APPLICATION = Path(__file__).parent / "app/scale.py"
PLACE = "/memfs:/tmp/scale"
CASES = [
    "sqlite_wal", "sqlite_after_fork", "rename_over", "lock_files", "sparse_gigabyte", "memory_returns",
    "descriptors_are_private", "fork_is_private", "exec_starts_fresh", "threads",
]  # fmt: skip
AT_THE_LIMIT = ["at_the_limit", "names_at_the_limit", "sqlite_at_the_limit"]
GIGABYTES_NEEDED = 4


@pytest.fixture(scope="module")
def program(build: Build, target: Path) -> Path:
    return build(APPLICATION, target, "--link=static")


@pytest.fixture(scope="module")
def limited(build: Build, target: Path) -> Path:
    return build(APPLICATION, target, "--link=static", "--memfs-limit=8M")


def run(program: Path, case: str) -> str:
    done = subprocess.run([program, case, PLACE], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("case", CASES)
def test_scale(case: str, program: Path) -> None:
    run(program, case)


@pytest.mark.parametrize("case", AT_THE_LIMIT)
def test_limit(case: str, limited: Path) -> None:
    run(limited, case)


@pytest.mark.slow
def test_a_file_of_a_gigabyte(program: Path) -> None:
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    if int(fields["MemAvailable"].split()[0]) < GIGABYTES_NEEDED << 20:
        pytest.skip("there is too little memory")
    run(program, "whole_gigabyte")


@pytest.mark.slow
def test_a_directory_of_100000_files_costs_what_100_of_1000_cost(program: Path) -> None:
    ratios = json.loads(run(program, "hundred_thousand_files"))
    assert set(ratios) == {"make", "look up", "list", "scan", "unlink"}
    assert {name: ratio for name, ratio in ratios.items() if ratio >= 5} == {}
