"""The examples and cases of behaviour start warm, and show what they show when they start cold and under plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from started import WARM, start
from support import Build

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("hello.py", []),
        ("cli.py", ["--version"]),
        ("cli.py", ["--nonsense"]),
        ("cli.py", ["--help"]),
        pytest.param("matrix.py", [], marks=pytest.mark.slow),
        pytest.param("pool.py", [], marks=pytest.mark.slow),
    ],
)
def test_example(name: str, arguments: list[str], build: Build, target: Path) -> None:
    executable = build(EXAMPLES / name, target, "--warm")
    decision, outcome = start([executable, *arguments])
    assert decision.splitlines()[0] == WARM, decision
    assert outcome == start([executable, *arguments], cold=True)[1]


@pytest.mark.parametrize("link", ["static", "shared"])
def test_link_modes(link: str, build: Build, target: Path) -> None:
    executable = build(EXAMPLES / "hello.py", target, "--warm", f"--link={link}")
    decision, outcome = start([executable])
    assert (decision, outcome) == (WARM, start([executable], cold=True)[1])


@pytest.mark.slow
def test_multicall(build: Build, target: Path, tmp_path: Path) -> None:
    executable = build(EXAMPLES / "tools", target, "--warm", "--multicall")
    for name in ("shout", "count"):
        (tmp_path / name).symlink_to(executable)
        decision, outcome = start([tmp_path / name, "a", "b"])
        assert decision == WARM
        assert outcome == start([tmp_path / name, "a", "b"], cold=True)[1]
