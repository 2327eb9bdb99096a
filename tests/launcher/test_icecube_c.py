from __future__ import annotations

import itertools
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "src/frazil/launcher"
ICECUBE_TESTS = ROOT / "tests/icecube"
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS: list[str | Path] = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I", LAUNCHER]


@pytest.fixture(scope="session")
def dump_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C reader's dump program, under the sanitizers."""
    program = tmp_path_factory.mktemp("c") / "icecube_dump"
    sources = [
        ROOT / "tests/launcher/c/icecube_dump.c",
        *(LAUNCHER / f"image/{name}.c" for name in ("icecube", "crc32", "inflate")),
    ]
    subprocess.run(["cc", *SANITIZE, *FLAGS, *sources, "-o", program], check=True)
    return program


def lines(words: list[Path | str]) -> tuple[list[str], int]:
    """What a dump program prints and its exit code; messages about damage may differ in their words."""
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    plain = ["damaged" if line.startswith("damaged: ") else line for line in result.stdout.splitlines()]
    return plain, result.returncode


@pytest.mark.parametrize("kind", ["golden", "truncated", "flipped", "forged"])
def test_both_readers_see_the_same(kind: str, dump_program: Path, tmp_path: Path) -> None:
    batch = tmp_path / kind
    subprocess.run([sys.executable, ICECUBE_TESTS / "corpus.py", kind, batch], check=True)
    in_c, c_code = lines([dump_program, batch])
    in_python, python_code = lines([sys.executable, ICECUBE_TESTS / "dump.py", batch])
    different = [(number, *pair) for number, pair in enumerate(itertools.zip_longest(in_c, in_python)) if pair[0] != pair[1]]
    assert different[:5] == []
    assert c_code == python_code == (0 if kind == "golden" else 1)
    assert in_c.count("end") > 2


def test_damage_says_what_and_where(dump_program: Path, tmp_path: Path) -> None:
    batch = tmp_path / "damaged"
    batch.write_bytes((4).to_bytes(8, "little") + b"\x89FRZ")
    result = subprocess.run([dump_program, batch], capture_output=True, text=True, check=False)
    assert result.stdout == "damaged: truncated: there is no room for a header (at byte 4 of the image)\nend\n"
    assert result.returncode == 1


def test_crc32_is_that_of_zlib(tmp_path: Path) -> None:
    program = tmp_path / "crc32_vectors"
    sources = [ROOT / "tests/launcher/c/crc32_vectors.c", LAUNCHER / "image/crc32.c"]
    subprocess.run(["cc", *SANITIZE, *FLAGS, *sources, "-o", program], check=True)
    data = bytes((n * n + n // 7) & 0xFF for n in range(70000))
    (tmp_path / "data").write_bytes(data)
    answer = subprocess.run([program, tmp_path / "data"], capture_output=True, text=True, check=True).stdout.splitlines()
    seen = 0
    for line in answer:
        start, size, seed, fast, portable = line.split()
        expected = zlib.crc32(data[int(start) : int(start) + int(size)], int(seed, 16))
        assert int(fast, 16) == int(portable, 16) == expected, (start, size)
        seen += 1
    assert seen > 500
