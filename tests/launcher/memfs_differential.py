"""Drive the same operations on memfs and on tmpfs, and compare results, errno, metadata and contents.

Run as a program under ``LD_PRELOAD`` of memfs: ``memfs_differential.py DIRECTORY STEPS EXAMPLES [USER]``, where DIRECTORY is an
empty directory of a tmpfs and USER a number to take on first. Ends with a traceback and 1 at the first difference.
"""

# The functions of os are what is compared.
# ruff: noqa: PTH101, PTH103, PTH104, PTH109, PTH116, PTH208, PTH211
from __future__ import annotations

import ctypes
import fcntl
import itertools
import mmap
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)  # now: another user may not be able to load it
NAMES = ["a", "b", "c", "d"]
OLD = 1_000_000_000  # times before it were set by an operation, later ones are "now"
# Real places to point links at: only such where no operation can change anything, even for root.
AWAY = ["", "/proc/self/fdinfo", "/proc/nowhere", "/proc/version", "a/../a", "x" * 4096, "../root"]
RENAME_FLAGS = [0, 1, 2, 3, 4]

component = st.sampled_from([*NAMES, *NAMES, *NAMES, ".", "..", "é", "n" * 255, "n" * 256])
paths = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(component, min_size=1, max_size=4),
    st.sampled_from(["", "", "", "", "", "/", "/.", "//"]),
)
simple = st.builds("/".join, st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
anywhere = st.one_of(simple, simple, paths)
modes = st.sampled_from([0o777, 0o755, 0o700, 0o644, 0o600, 0o400, 0o444, 0o000, 0o1777, 0o2755, 0o4755])
open_flags = st.builds(
    lambda access, others: access | sum(others),
    st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR]),
    st.lists(
        st.sampled_from(
            [os.O_CREAT, os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_NOFOLLOW, os.O_DIRECTORY, os.O_NONBLOCK]
        ),
        max_size=3,
        unique=True,
    ),
)
contents = st.sampled_from([b"", b"x", b"hello world", b"0123456789" * 1000])
times = st.tuples(st.integers(0, OLD * 10**9 - 1), st.integers(0, OLD * 10**9 - 1))


@dataclass
class Side:
    """One of the two file systems; ``start`` is the descriptor of its root for calls that take one."""

    top: str
    root: str
    start: int
    open: list[int]


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except OSError as error:
        return ("OSError", error.errno)


def told(status: os.stat_result) -> tuple[Any, ...]:
    mtime: Any = status.st_mtime_ns if status.st_mtime < OLD else "now"
    kind = stat.S_IFMT(status.st_mode)
    size = status.st_size if kind != stat.S_IFDIR else "directory"
    blocks = status.st_blocks if kind == stat.S_IFREG else 0
    return (oct(status.st_mode), status.st_nlink, status.st_uid, status.st_gid, size, mtime, blocks)


class Differential(RuleBasedStateMachine):
    base = Path()
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        number = next(self.numbers)
        self.sides = []
        for top in (str(self.base), "/memfs:"):
            root = f"{top}/{number}/1/2/3/4/5/6/root"  # deep: ".." stays inside
            os.makedirs(root)
            start = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            self.sides.append(Side(top, root, start, []))
        os.umask(0o022)

    def teardown(self) -> None:
        os.chdir("/")
        for side in self.sides:
            for fd in [*side.open, side.start]:
                os.close(fd)

    def both(self, call: Callable[[Side], Any]) -> Any:
        """Make the call on both sides; the results must be the same."""
        real, ours = (outcome(lambda side=side: call(side)) for side in self.sides)  # type: ignore[misc]
        assert ours == real, f"memfs: {ours!r}, tmpfs: {real!r}"
        self.compare_trees()
        return real

    def path_call(self, path: str, function: Callable[..., Any], how: str, *arguments: Any, **more: Any) -> Any:
        """Call a function on a path, told as an absolute one or relative to the root's descriptor."""
        if how == "fd":
            return self.both(lambda side: function(path, *arguments, dir_fd=side.start, **more))
        return self.both(lambda side: function(f"{side.root}/{path}", *arguments, **more))

    def snapshot(self, side: Side) -> list[Any]:
        found: list[Any] = []

        def visit(fd: int, path: str) -> None:
            for name in sorted(os.listdir(fd)):
                status = outcome(lambda name=name: os.stat(name, dir_fd=fd, follow_symlinks=False))  # type: ignore[misc]
                if isinstance(status, tuple) and status[0] == "OSError":
                    found.append([name, *status])
                    continue
                entry: list[Any] = [f"{path}/{name}", *told(status)]
                if stat.S_ISLNK(status.st_mode):
                    entry.append(os.readlink(name, dir_fd=fd))
                elif stat.S_ISREG(status.st_mode):
                    entry.append(outcome(lambda name=name: self.content(name, fd)))  # type: ignore[misc]
                found.append(entry)
                if stat.S_ISDIR(status.st_mode):
                    entry.append(outcome(lambda name=name: visit_below(fd, name, path)))  # type: ignore[misc]

        def visit_below(fd: int, name: str, path: str) -> None:
            below = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
            try:
                visit(below, f"{path}/{name}")
            finally:
                os.close(below)

        found.append(told(os.fstat(side.start)))
        found.append(outcome(lambda: visit(side.start, "")))
        found.extend(told(os.fstat(fd)) for fd in side.open)
        return found

    @staticmethod
    def content(name: str, directory: int) -> bytes:
        fd = os.open(name, os.O_RDONLY | os.O_NOATIME, dir_fd=directory)
        try:
            return os.pread(fd, 1 << 20, 0)
        finally:
            os.close(fd)

    def compare_trees(self) -> None:
        real, ours = (self.snapshot(side) for side in self.sides)
        assert ours == real

    how = st.sampled_from(["absolute", "fd"])

    @rule(path=anywhere, mode=modes, how=how)
    def mkdir(self, path: str, mode: int, how: str) -> None:
        self.path_call(path, os.mkdir, how, mode)

    @rule(path=anywhere, how=how)
    def rmdir(self, path: str, how: str) -> None:
        self.path_call(path, os.rmdir, how)

    @rule(path=anywhere, how=how)
    def unlink(self, path: str, how: str) -> None:
        self.path_call(path, os.unlink, how)

    @rule(path=anywhere, data=contents)
    def write_file(self, path: str, data: bytes) -> None:
        def call(side: Side) -> int:
            with Path(f"{side.root}/{path}").open("wb") as stream:
                return stream.write(data)

        self.both(call)

    @rule(path=anywhere, data=contents)
    def append_file(self, path: str, data: bytes) -> None:
        def call(side: Side) -> int:
            with Path(f"{side.root}/{path}").open("ab") as stream:
                return stream.write(data)

        self.both(call)

    @rule(path=anywhere, flags=open_flags, mode=modes, how=how)
    def open(self, path: str, flags: int, mode: int, how: str) -> None:
        def call(side: Side) -> str:
            start = side.start if how == "fd" else None
            side.open.append(os.open(path if how == "fd" else f"{side.root}/{path}", flags, mode, dir_fd=start))
            return "opened"

        self.both(call)
        self.limit_descriptors()

    @rule(path=anywhere, how=how, flags=st.sampled_from([0, os.O_NOFOLLOW, os.O_DIRECTORY, os.O_NOFOLLOW | os.O_DIRECTORY]))
    def open_path(self, path: str, how: str, flags: int) -> None:
        self.open(path, flags | os.O_PATH, 0, how)

    @rule(path=anywhere, flags=st.sampled_from([os.O_RDWR, os.O_WRONLY, os.O_RDONLY, os.O_RDWR | os.O_EXCL]))
    def open_nameless(self, path: str, flags: int) -> None:
        self.open(path, flags | os.O_TMPFILE, 0o640, "absolute")

    def limit_descriptors(self) -> None:
        while len(self.sides[0].open) > 6:
            for side in self.sides:
                os.close(side.open.pop(0))

    def on_descriptor(self, number: int, call: Callable[[int], Any]) -> None:
        self.both(lambda side: call(side.open[number % len(side.open)]))

    number = st.integers(0, 5)

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, data=contents)
    def write(self, number: int, data: bytes) -> None:
        self.on_descriptor(number, lambda fd: os.write(fd, data))

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, size=st.integers(0, 20))
    def read(self, number: int, size: int) -> None:
        self.on_descriptor(number, lambda fd: os.read(fd, size))

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, offset=st.integers(-1, 9000), whence=st.sampled_from([0, 1, 2]))
    def seek(self, number: int, offset: int, whence: int) -> None:
        def call(fd: int) -> int:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                return 0
            return os.lseek(fd, offset, whence)

        self.on_descriptor(number, call)

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, size=st.integers(-1, 20000))
    def ftruncate(self, number: int, size: int) -> None:
        self.on_descriptor(number, lambda fd: os.ftruncate(fd, size))

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, mode=modes)
    def fchmod(self, number: int, mode: int) -> None:
        self.on_descriptor(number, lambda fd: os.fchmod(fd, mode))

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, when=times)
    def futime(self, number: int, when: tuple[int, int]) -> None:
        self.on_descriptor(number, lambda fd: os.utime(fd, ns=when))

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number)
    def flags_of(self, number: int) -> None:
        def call(fd: int) -> int:
            flags = fcntl.fcntl(fd, fcntl.F_GETFL)
            return flags & (os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK | os.O_PATH)

        self.on_descriptor(number, call)

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number)
    def list_descriptor(self, number: int) -> None:
        self.on_descriptor(number, lambda fd: sorted(os.listdir(fd)))

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number)
    def copy_descriptor(self, number: int) -> None:
        def call(side: Side) -> None:
            side.open.append(os.dup(side.open[number % len(side.open)]))

        self.both(call)
        self.limit_descriptors()

    @precondition(lambda self: len(self.sides[0].open) > 1)
    @rule(number=number, other=number)
    def copy_over(self, number: int, other: int) -> None:
        def call(side: Side) -> None:
            os.dup2(side.open[number % len(side.open)], side.open[other % len(side.open)])

        self.both(call)

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number)
    def close(self, number: int) -> None:
        self.both(lambda side: os.close(side.open.pop(number % len(side.open))))

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number)
    def fchdir(self, number: int) -> None:
        def call(side: Side) -> tuple[list[str], str]:
            os.fchdir(side.open[number % len(side.open)])
            names = sorted(os.listdir("."))
            where = os.getcwd().removeprefix(side.top)
            os.chdir("/")
            return names, where

        self.both(call)

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, path=anywhere, follow=st.booleans())
    def stat_from(self, number: int, path: str, follow: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        def call(side: Side) -> Any:
            fd = side.open[number % len(side.open)]
            return told(os.stat(path, dir_fd=fd, follow_symlinks=follow))

        self.both(call)

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, path=anywhere)
    def link_descriptor(self, number: int, path: str) -> None:
        self.both(
            lambda side: os.link(
                f"/proc/self/fd/{side.open[number % len(side.open)]}",
                f"{side.root}/{path}",
                src_dir_fd=side.start,
                follow_symlinks=True,
            )
        )

    @precondition(lambda self: self.sides[0].open)
    @rule(number=number, data=contents)
    def map_shared(self, number: int, data: bytes) -> None:
        def call(fd: int) -> bytes:
            if not stat.S_ISREG(os.fstat(fd).st_mode) or os.fstat(fd).st_size == 0:
                return b""
            with mmap.mmap(fd, 0) as mapping:
                mapping[: len(data)] = data[: len(mapping)].ljust(min(len(data), len(mapping)))
                return mapping[:]

        self.both(lambda side: outcome_of_mapping(lambda: call(side.open[number % len(side.open)])))

    @rule(path=anywhere, follow=st.booleans(), how=how)
    def stat(self, path: str, follow: bool, how: str) -> None:  # noqa: FBT001 - hypothesis passes by name
        self.path_call(path, lambda *a, **k: told(os.stat(*a, **k)), how, follow_symlinks=follow)

    @rule(path=anywhere, mode=st.integers(0, 7), how=how, effective=st.booleans())
    def access(self, path: str, mode: int, how: str, effective: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        self.path_call(path, os.access, how, mode, effective_ids=effective)

    @rule(path=anywhere, how=how)
    def readlink(self, path: str, how: str) -> None:
        self.path_call(path, os.readlink, how)

    @rule(path=anywhere)
    def list(self, path: str) -> None:
        self.both(lambda side: sorted(os.listdir(f"{side.root}/{path}")))

    @rule(path=anywhere)
    def scan(self, path: str) -> None:
        def call(side: Side) -> Any:
            with os.scandir(f"{side.root}/{path}") as entries:
                return sorted((e.name, e.is_dir(), e.is_symlink(), e.is_file(follow_symlinks=False)) for e in entries)

        self.both(call)

    @rule(path=anywhere)
    def realpath(self, path: str) -> None:
        self.both(lambda side: os.path.realpath(f"{side.root}/{path}").removeprefix(side.top))

    @rule(path=anywhere, other=anywhere)
    def chdir(self, path: str, other: str) -> None:
        def call(side: Side) -> Any:
            os.chdir(f"{side.root}/{path}")
            try:
                where = os.getcwd()
                found = outcome(lambda: told(os.stat(other)))
                return where.removeprefix(side.top), found, sorted(os.listdir("."))
            finally:
                os.chdir("/")

        self.both(call)

    @rule(old=anywhere, new=anywhere)
    def rename(self, old: str, new: str) -> None:
        self.both(lambda side: os.rename(f"{side.root}/{old}", f"{side.root}/{new}"))

    @rule(old=anywhere, new=anywhere)
    def rename_from_descriptor(self, old: str, new: str) -> None:
        self.both(lambda side: os.rename(old, new, src_dir_fd=side.start, dst_dir_fd=side.start))

    @rule(old=anywhere, new=anywhere, flags=st.sampled_from(RENAME_FLAGS))
    def renameat2(self, old: str, new: str, flags: int) -> None:
        if flags & 4:  # RENAME_WHITEOUT: listed as a deviation
            return
        self.both(lambda side: renameat2(f"{side.root}/{old}", f"{side.root}/{new}", flags))

    @rule(old=anywhere, new=anywhere, follow=st.booleans())
    def link(self, old: str, new: str, follow: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        self.both(lambda side: os.link(old, new, src_dir_fd=side.start, dst_dir_fd=side.start, follow_symlinks=follow))

    @rule(to=anywhere, path=anywhere)
    def symlink(self, to: str, path: str) -> None:
        self.both(lambda side: os.symlink(to, f"{side.root}/{path}"))

    @rule(to=st.sampled_from(AWAY), path=anywhere)
    def symlink_away(self, to: str, path: str) -> None:
        self.both(lambda side: os.symlink(to, f"{side.root}/{path}"))

    @rule(path=anywhere, mode=modes, how=how)
    def chmod(self, path: str, mode: int, how: str) -> None:
        self.path_call(path, os.chmod, how, mode)

    @rule(path=anywhere, user=st.sampled_from([-1, 0, 1000, 65534]), group=st.sampled_from([-1, 0, 1000]), follow=st.booleans())
    def chown(self, path: str, user: int, group: int, follow: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        self.both(lambda side: os.chown(path, user, group, dir_fd=side.start, follow_symlinks=follow))

    @rule(path=anywhere, when=times, follow=st.booleans())
    def utime(self, path: str, when: tuple[int, int], follow: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        self.both(lambda side: os.utime(path, ns=when, dir_fd=side.start, follow_symlinks=follow))

    @rule(path=anywhere)
    def touch(self, path: str) -> None:
        self.both(lambda side: os.utime(f"{side.root}/{path}"))

    @rule(path=anywhere, size=st.integers(-1, 20000))
    def truncate(self, path: str, size: int) -> None:
        self.both(lambda side: os.truncate(f"{side.root}/{path}", size))

    @rule(path=anywhere, mode=modes)
    def mknod(self, path: str, mode: int) -> None:
        self.both(lambda side: os.mknod(f"{side.root}/{path}", mode | stat.S_IFREG))

    @rule(mask=st.sampled_from([0, 0o022, 0o077, 0o027]))
    def umask(self, mask: int) -> None:
        os.umask(mask)

    @rule(path=anywhere)
    def lock(self, path: str) -> None:
        def call(side: Side) -> Any:
            one, two = (os.open(f"{side.root}/{path}", os.O_RDWR) for _ in range(2))
            try:
                fcntl.flock(one, fcntl.LOCK_EX)
                return outcome(lambda: fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB))
            finally:
                os.close(one)
                os.close(two)

        self.both(call)


def outcome_of_mapping(call: Callable[[], bytes]) -> Any:
    try:
        return call()
    except ValueError as error:
        return str(error)


def renameat2(old: str, new: str, flags: int) -> int:
    result: int = LIBC.renameat2(-100, old.encode(), -100, new.encode(), flags)
    if result != 0:
        raise OSError(ctypes.get_errno(), "renameat2")
    return result


def main() -> None:
    directory, steps, examples, *user = sys.argv[1:]
    Differential.base = Path(directory)
    if user:
        os.chmod("/memfs:", 0o777)
        os.setgroups([])
        os.setegid(int(user[0]))
        os.seteuid(int(user[0]))
    run_state_machine_as_test(
        Differential,
        settings=settings(
            stateful_step_count=int(steps),
            max_examples=int(examples),
            deadline=None,
            database=None,
            derandomize="RANDOM" not in os.environ,
            phases=[Phase.generate, Phase.shrink] if "SHRINK" in os.environ else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


main()
