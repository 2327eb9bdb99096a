"""The work that ``bench/memfs.py`` measures; frozen, and under plain Python. Prints JSON: operations or bytes per second.

``memfs_work.py throughput MEMFS TMPFS [USER]`` compares two directories within one process, taking turns, as the user of that
number; ``memfs_work.py real FILE COUNT`` times calls on a real path.
"""

# The functions of os are what is measured.
# ruff: noqa: PTH103, PTH108, PTH116, PTH123

from __future__ import annotations

import json
import os
import sys
import time

SIZE = 64 << 20
ROUNDS = 15
FILES = 200
TIMES = 50


def write(directory: str, block: int) -> float:
    """Bytes a second into a new file."""
    data = os.urandom(block)
    descriptor = os.open(f"{directory}/large", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    begun = time.perf_counter()
    for _ in range(SIZE // block):
        os.write(descriptor, data)
    taken = time.perf_counter() - begun
    os.close(descriptor)
    return SIZE / taken


def read(directory: str, block: int) -> float:
    """Bytes a second out of the file that was written last, which goes away: which pages it got decides much, chance that."""
    view = bytearray(block)
    descriptor = os.open(f"{directory}/large", os.O_RDONLY)
    begun = time.perf_counter()
    while os.readv(descriptor, [view]):
        pass
    taken = time.perf_counter() - begun
    os.close(descriptor)
    os.unlink(f"{directory}/large")
    return SIZE / taken


def look(directory: str) -> float:
    """Files a second, opened, looked at and closed."""
    names = [f"{directory}/few/{number}" for number in range(FILES)]
    begun = time.perf_counter()
    for _ in range(TIMES):
        for name in names:
            descriptor = os.open(name, os.O_RDONLY)
            os.fstat(descriptor)
            os.close(descriptor)
    return FILES * TIMES / (time.perf_counter() - begun)


def look_by_name(directory: str) -> float:
    """The same, looked at by name."""
    names = [f"{directory}/few/{number}" for number in range(FILES)]
    begun = time.perf_counter()
    for _ in range(TIMES):
        for name in names:
            descriptor = os.open(name, os.O_RDONLY)
            os.stat(name)
            os.close(descriptor)
    return FILES * TIMES / (time.perf_counter() - begun)


WORK = {
    "sequential write, blocks of 1 MiB": lambda directory: write(directory, 1 << 20),
    "sequential read, blocks of 1 MiB": lambda directory: read(directory, 1 << 20),
    "sequential write, blocks of 64 KiB": lambda directory: write(directory, 1 << 16),
    "sequential read, blocks of 64 KiB": lambda directory: read(directory, 1 << 16),
    "open, fstat, close": look,
    "open, stat, close": look_by_name,
}


def throughput(memfs: str, tmpfs: str, user: str | None = None) -> dict[str, list[float]]:
    """The best of each directory."""
    for directory in (memfs, tmpfs):
        os.makedirs(f"{directory}/few")
        if user is not None:
            os.chown(directory, int(user), int(user))
            os.chown(f"{directory}/few", int(user), int(user))
    if user is not None:
        os.setgroups([])
        os.setresgid(int(user), int(user), int(user))
        os.setresuid(int(user), int(user), int(user))
    for directory in (memfs, tmpfs):
        for number in range(FILES):
            with open(f"{directory}/few/{number}", "wb") as file:
                file.write(b"content")
    best = {name: [0.0, 0.0] for name in WORK}
    for turn in range(ROUNDS):
        for name, work in WORK.items():
            for which in (0, 1) if turn % 2 else (1, 0):
                best[name][which] = max(best[name][which], work((memfs, tmpfs)[which]))
    return best


def real(path: str, count: int) -> dict[str, float]:
    """Calls a second on a real path."""
    begun = time.perf_counter()
    for _ in range(count):
        os.stat(path)
    stats = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(count):
        os.close(os.open(path, os.O_RDONLY))
    return {"os.stat": count / stats, "os.open, os.close": count / (time.perf_counter() - begun)}


def main() -> None:
    kind, *rest = sys.argv[1:]
    print(json.dumps(throughput(*rest) if kind == "throughput" else real(rest[0], int(rest[1]))))


if __name__ == "__main__":
    main()
