"""Large and busy uses of a file system: ``scale.py CASE DIRECTORY``. Each case checks itself.

All but those of other processes and of the limit hold on any Linux file system.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mmap
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEGABYTE = 1 << 20


def in_threads(*targets: Callable[[], None]) -> None:
    """Run functions side by side; the first of their errors is raised."""
    errors: list[BaseException] = []

    def guarded(target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def descriptors() -> int:
    """How many descriptors the process has open, those of memfs itself among them."""
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Bytes of memory that are the process's own."""
    with open("/proc/self/statm") as file:
        fields = file.read().split()
    return (int(fields[1]) - int(fields[2])) * mmap.PAGESIZE


def free(directory: str) -> int:
    """Bytes that are free."""
    status = os.statvfs(directory)
    return status.f_bfree * status.f_frsize


# SQLite


def connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("pragma busy_timeout = 60000")
    connection.execute("pragma synchronous = full")
    return connection


def transfer(path: str, seed: int, rounds: int) -> None:
    """Move money between accounts, a transaction each; the sum stays."""
    choice = random.Random(seed)
    connection = connect(path)
    for number in range(rounds):
        one, other = choice.sample(range(20), 2)
        connection.execute("begin immediate")
        connection.execute("update account set money = money - 1 where number = ?", (one,))
        connection.execute("update account set money = money + 1 where number = ?", (other,))
        connection.execute("insert into log values (?, ?, ?)", (seed, number, "x" * choice.randrange(500)))
        connection.execute("rollback" if number % 10 == 9 else "commit")
        if number % 50 == 49:
            connection.execute("pragma wal_checkpoint(passive)")
    connection.close()


def audit(path: str, rounds: int) -> None:
    """See the same sum in every snapshot, and the log only grow."""
    connection = connect(path)
    seen = 0
    for _ in range(rounds):
        connection.execute("begin")
        (count,) = connection.execute("select count(*) from log").fetchone()
        (total,) = connection.execute("select sum(money) from account").fetchone()
        assert connection.execute("select count(*) from log").fetchone() == (count,)
        connection.execute("commit")
        assert total == 2000
        assert count >= seen
        seen = count
    connection.close()


def bank(path: str) -> sqlite3.Connection:
    connection = connect(path)
    assert connection.execute("pragma journal_mode = wal").fetchone() == ("wal",)
    connection.execute("create table account(number integer primary key, money integer)")
    connection.execute("create table log(writer, number, text)")
    connection.executemany("insert into account values (?, 100)", [(number,) for number in range(20)])
    return connection


def sqlite_wal(directory: str) -> None:
    path = f"{directory}/bank.db"
    keeper = bank(path)
    assert {"bank.db", "bank.db-wal", "bank.db-shm"} <= set(os.listdir(directory))
    writers = [lambda seed=seed: transfer(path, seed, 100) for seed in range(4)]
    readers = [lambda: audit(path, 200) for _ in range(4)]
    in_threads(*writers, *readers)
    assert keeper.execute("select count(*) from log").fetchone() == (4 * 90,)
    assert keeper.execute("select sum(money) from account").fetchone() == (2000,)
    assert keeper.execute("pragma integrity_check").fetchone() == ("ok",)
    assert keeper.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0
    assert os.stat(f"{path}-wal").st_size == 0
    keeper.execute("vacuum")
    keeper.close()
    assert sorted(os.listdir(directory)) == ["bank.db"]


def sqlite_after_fork(directory: str) -> None:
    """A child that opens the database anew has a database of its own."""
    path = f"{directory}/bank.db"
    bank(path).close()
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            in_threads(*[lambda seed=seed: transfer(path, seed, 50) for seed in range(3)], lambda: audit(path, 50))
            status = 0 if sqlite3.connect(path).execute("pragma integrity_check").fetchone() == ("ok",) else 2
        os._exit(status)
    in_threads(*[lambda seed=seed: transfer(path, seed, 50) for seed in range(3)], lambda: audit(path, 50))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    connection = connect(path)
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    assert connection.execute("select count(*) from log").fetchone() == (3 * 45,)


# Rename over, as git and every careful editor do


def page(number: int) -> bytes:
    body = b"%d\n" % number * random.Random(number).randrange(1, 3000)
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def whole(content: bytes) -> bool:
    head, _, body = content.partition(b"\n")
    return hashlib.sha256(body).hexdigest().encode() == head


def replace(directory: str, name: str, content: bytes) -> None:
    lock = f"{directory}/{name}.lock"
    descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(lock, f"{directory}/{name}")
    parent = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(parent)
    os.close(parent)


def rename_over(directory: str) -> None:
    before = descriptors()
    path = f"{directory}/ref"
    replace(directory, "ref", page(0))
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(1, 600):
                replace(directory, "ref", page(number))
        finally:
            done.set()

    def read() -> None:
        while not done.is_set():
            with open(path, "rb") as file:
                first = file.read()
                assert whole(first)
                time.sleep(0)
                file.seek(0)
                assert file.read() == first  # what was replaced stays what it was for who holds it

    held = []

    def hold() -> None:
        while not done.is_set():
            file = open(path, "rb")  # noqa: SIM115 - held open
            held.append((file, file.read(), os.fstat(file.fileno()).st_ino))
            done.wait(0.01)

    in_threads(write, read, read, read, hold)
    assert os.listdir(directory) == ["ref"]
    assert len({number for _, _, number in held}) > 1
    for file, content, _ in held[:-1]:
        file.seek(0)
        assert file.read() == content
        assert os.fstat(file.fileno()).st_nlink in {0, 1}
    for file, _, _ in held:
        file.close()
    with open(path, "rb") as file:
        assert file.read() == page(599)
    assert descriptors() <= before + 4


def lock_files(directory: str) -> None:
    """Of many that create a lock file, one succeeds at a time."""
    counter = f"{directory}/counter"
    replace(directory, "counter", b"0")

    def count() -> None:
        done = 0
        while done < 50:
            try:
                descriptor = os.open(f"{directory}/index.lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                time.sleep(0)
                continue
            with open(counter, "rb") as file:
                number = int(file.read())
            os.write(descriptor, b"%d" % (number + 1))
            os.close(descriptor)
            os.replace(f"{directory}/index.lock", counter)
            done += 1

    in_threads(*[count] * 6)
    with open(counter, "rb") as file:
        assert file.read() == b"300"


# Large files


def sparse_gigabyte(directory: str) -> None:
    path = f"{directory}/sparse"
    size = 1 << 30
    with open(path, "w+b") as file:
        file.truncate(size)
        assert os.fstat(file.fileno()).st_blocks == 0
        for at in (0, size // 2, size - 7):
            file.seek(at)
            file.write(b"present")
        file.flush()
        assert os.stat(path).st_size == size
        assert os.stat(path).st_blocks * 512 <= 64 << 10
        assert os.lseek(file.fileno(), 4096, os.SEEK_DATA) == size // 2
        assert os.lseek(file.fileno(), size // 2, os.SEEK_HOLE) == size // 2 + 4096
        with mmap.mmap(file.fileno(), size) as view:
            assert view[size - 7 :] == b"present"
            assert view.find(b"present", 1, 1 + (4 << 20)) == -1
            view[size // 4 : size // 4 + 4] = b"here"
        assert os.pread(file.fileno(), 6, size // 4 - 1) == b"\0here\0"
    with open(path, "rb") as file:
        file.seek(-10, os.SEEK_END)
        assert file.read() == b"\0\0\0present"
    os.truncate(path, 3)
    assert os.stat(path).st_blocks * 512 <= 4096
    with open(path, "rb") as file:
        assert file.read() == b"pre"


def whole_gigabyte(directory: str) -> None:
    path, count = f"{directory}/whole", 1024
    block = random.Random(1).randbytes(MEGABYTE)
    before = free(directory)
    with open(path, "wb", buffering=0) as file:
        for number in range(count):
            assert file.write(number.to_bytes(8, "little") + block[8:]) == MEGABYTE
    assert os.stat(path).st_size == count * MEGABYTE
    assert os.stat(path).st_blocks * 512 >= count * MEGABYTE
    assert before - free(directory) >= count * MEGABYTE
    view = bytearray(MEGABYTE)
    with open(path, "rb", buffering=0) as file:
        for number in range(count):
            assert file.readinto(view) == MEGABYTE
            assert view[:8] == number.to_bytes(8, "little")
            assert view[8:] == block[8:]
        assert file.read() == b""
    os.rename(path, f"{directory}/moved")
    with open(f"{directory}/moved", "rb") as file:
        os.unlink(f"{directory}/moved")
        assert before - free(directory) < 2 * count * MEGABYTE
        file.seek(700 * MEGABYTE)
        assert file.read(8) == (700).to_bytes(8, "little")
    assert before - free(directory) < 16 * MEGABYTE


# Many files


def cost(action: Callable[[], object], count: int) -> float:
    """Processor seconds for each of ``count`` operations; the best of three."""
    found = []
    for _ in range(3):
        begun = time.process_time()
        action()
        found.append((time.process_time() - begun) / count)
    return min(found)


def filled(directory: str, count: int) -> float:
    """Make a directory of that many files; processor seconds for each."""
    os.mkdir(directory)
    begun = time.process_time()
    for number in range(count):
        os.close(os.open(f"{directory}/file-{number:06}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    return (time.process_time() - begun) / count


def looked_up(directory: str, count: int) -> float:
    names = [f"{directory}/file-{number:06}" for number in random.Random(7).choices(range(count), k=2000)]
    return cost(lambda: [os.stat(name) for name in names], len(names))


def hundred_thousand_files(directory: str) -> None:
    few, many = 1_000, 100_000
    small, large = f"{directory}/small", f"{directory}/large"
    made = {small: min(filled(f"{small}{number}", few) for number in range(5)), large: filled(large, many)}
    os.rename(f"{small}0", small)
    costs = {
        "make": (made[small], made[large]),
        "look up": (looked_up(small, few), looked_up(large, many)),
        "list": (cost(lambda: os.listdir(small), few), cost(lambda: os.listdir(large), many)),
        "scan": (
            cost(lambda: [entry.is_file() for entry in os.scandir(small)], few),
            cost(lambda: [entry.is_file() for entry in os.scandir(large)], many),
        ),
    }
    listed = os.listdir(large)
    assert len(listed) == many
    assert set(listed) == {f"file-{number:06}" for number in range(many)}
    begun = time.process_time()
    for name in listed[::2]:
        os.unlink(f"{large}/{name}")
    rest = os.listdir(large)
    assert sorted(rest) == sorted(listed[1::2])
    for name in rest:
        os.unlink(f"{large}/{name}")
    costs["unlink"] = (costs["make"][0], (time.process_time() - begun) / many)
    os.rmdir(large)
    print(json.dumps({name: large / max(small, 1e-9) for name, (small, large) in costs.items()}))


# The limit: these want an executable with a limit of 8 MiB


def at_the_limit(directory: str) -> None:
    status = os.statvfs(directory)
    assert status.f_blocks * status.f_frsize == 8 * MEGABYTE
    path = f"{directory}/full"
    written = 0
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                written += file.write(bytes(100_000)) or 0
        except OSError as error:
            assert error.errno == errno.ENOSPC
        assert 7 * MEGABYTE < written <= 8 * MEGABYTE
        assert os.fstat(file.fileno()).st_size == written
        for number in (errno.ENOSPC, errno.ENOSPC):
            try:
                os.pwrite(file.fileno(), bytes(MEGABYTE), written)
            except OSError as error:
                assert error.errno == number
            else:
                raise AssertionError(written)
        os.pwrite(file.fileno(), b"over", 0)  # in place there is room
    assert os.stat(path).st_size == written
    os.truncate(path, 1 << 40)  # a hole takes nothing
    os.truncate(path, 1000)
    assert free(directory) > 7 * MEGABYTE
    with open(path, "ab") as file:
        file.write(bytes(5 * MEGABYTE))
    os.unlink(path)
    assert free(directory) > 7 * MEGABYTE


def names_at_the_limit(directory: str) -> None:
    made = 0
    try:
        while made < 100_000:
            os.mkdir(f"{directory}/{made}")
            made += 1
    except OSError as error:
        assert error.errno == errno.ENOSPC
    assert 1000 < made < 100_000
    actions: list[Callable[[], None]] = [
        lambda: os.symlink("x", f"{directory}/link"),
        lambda: os.link(__file__, f"{directory}/hard"),
        lambda: os.close(os.open(f"{directory}/file", os.O_CREAT | os.O_WRONLY)),
    ]
    for action in actions:
        try:
            action()
        except OSError as error:
            assert error.errno == errno.ENOSPC
        else:
            raise AssertionError(made)
    assert len(os.listdir(directory)) == made
    os.rename(f"{directory}/0", f"{directory}/renamed")
    os.rename(f"{directory}/renamed", f"{directory}/0")
    for number in range(made):
        os.rmdir(f"{directory}/{number}")
    os.mkdir(f"{directory}/again")


def sqlite_at_the_limit(directory: str) -> None:
    path = f"{directory}/full.db"
    connection = connect(path)
    connection.execute("create table log(text)")
    done = 0
    try:
        while done < 100:
            connection.execute("insert into log values (?)", ("x" * 300_000,))
            done += 1
    except sqlite3.OperationalError as error:
        assert "full" in str(error)
    assert 5 < done < 100
    assert connection.execute("select count(*) from log").fetchone() == (done,)
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()
    os.unlink(path)
    in_threads(*[lambda number=number: fill(directory, number) for number in range(6)])
    assert free(directory) > 6 * MEGABYTE


def fill(directory: str, number: int) -> None:
    """Write until there is no room, with others; then give it back."""
    for _ in range(20):
        path = f"{directory}/part-{number}"
        try:
            with open(path, "wb", buffering=0) as file:
                for _ in range(200):
                    file.write(bytes(50_000))
        except OSError as error:
            assert error.errno == errno.ENOSPC
        else:
            raise AssertionError(path)
        if os.path.exists(path):  # for the name there was room
            os.unlink(path)


# Memory and descriptors


def memory_returns(directory: str) -> None:
    before, before_room = descriptors(), free(directory)
    content = os.urandom(50_000)
    for number in range(4000):  # many at rest: their contents are on the heap
        with open(f"{directory}/{number}", "wb") as file:
            file.write(content)
    assert before_room - free(directory) >= 4000 * 50_000
    assert descriptors() <= before + 300
    grown = resident()
    for number in range(4000):
        os.unlink(f"{directory}/{number}")
    assert resident() <= max(grown - 100 * MEGABYTE, 150 * MEGABYTE)
    assert before_room - free(directory) < MEGABYTE
    assert descriptors() <= before + 4
    for _ in range(50):  # deleted while open
        with open(f"{directory}/large", "wb") as file:
            file.write(bytes(20 * MEGABYTE))
            os.unlink(f"{directory}/large")
    assert before_room - free(directory) < MEGABYTE
    assert descriptors() <= before + 4


def inherited() -> list[str]:
    """The descriptors that another program gets."""
    done = subprocess.run(["/bin/ls", "/proc/self/fd"], capture_output=True, text=True, check=True, close_fds=False)
    return done.stdout.split()


def descriptors_are_private(directory: str) -> None:
    before = inherited()
    with contextlib.ExitStack() as held:
        for number in range(300):
            file = held.enter_context(open(f"{directory}/{number}", "w+b"))
            assert not os.get_inheritable(file.fileno())
        directory_descriptor = os.open(directory, os.O_RDONLY)
        assert not os.get_inheritable(directory_descriptor)
        assert inherited() == before
        os.close(directory_descriptor)


# Other processes


def fork_is_private(directory: str) -> None:
    for name in ("kept", "changed", "deleted", "renamed"):
        with open(f"{directory}/{name}", "w") as file:
            file.write(f"{name} before")
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            change(directory, "child")
            os.write(to_parent[1], b".")
            os.read(to_child[0], 1)
            check(directory, "child")
            status = 0
        finally:
            os._exit(status)
    os.read(to_parent[0], 1)
    for name in ("kept", "changed", "deleted", "renamed"):
        with open(f"{directory}/{name}") as file:
            assert file.read() == f"{name} before"
    assert not os.path.exists(f"{directory}/child")
    change(directory, "parent")
    os.write(to_child[1], b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    check(directory, "parent")


def change(directory: str, who: str) -> None:
    with open(f"{directory}/changed", "w") as file:
        file.write(f"by {who}")
    with open(f"{directory}/kept", "a") as file:
        file.write(f", after by {who}")
    os.unlink(f"{directory}/deleted")
    os.rename(f"{directory}/renamed", f"{directory}/{who}-renamed")
    os.mkdir(f"{directory}/{who}")


def check(directory: str, who: str) -> None:
    with open(f"{directory}/changed") as file:
        assert file.read() == f"by {who}"
    with open(f"{directory}/kept") as file:
        assert file.read() == f"kept before, after by {who}"
    assert sorted(os.listdir(directory)) == sorted(["changed", "kept", who, f"{who}-renamed"])


def exec_starts_fresh(directory: str) -> None:
    with open(f"{directory}/here", "w") as file:
        file.write("here")
    os.chmod(os.path.dirname(directory), 0o700)
    code = f"import os; print(os.path.exists({directory!r}), os.path.isdir('/memfs:/lib'), os.getcwd())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "False True /\n", done.stdout
    assert os.listdir(directory) == ["here"]


# Threads


def operations(directory: str, seed: int, rounds: int) -> None:
    """Random operations on files of one's own in a directory that all use; each outcome is known."""
    choice = random.Random(seed)
    known: dict[str, bytes] = {}
    for number in range(rounds):
        name = f"{directory}/{seed}-{choice.randrange(30)}"
        action = choice.randrange(8)
        if action < 3:
            content = b"%d." % number * choice.randrange(1, 2000)
            with open(name, "wb") as file:
                file.write(content)
            known[name] = content
        elif action == 3 and name in known:
            other = f"{directory}/{seed}-{choice.randrange(30)}"
            os.replace(name, other)
            known[other] = known.pop(name)
        elif action == 4 and name in known:
            os.unlink(name)
            del known[name]
        elif action == 5:
            mine = {f"{directory}/{entry}" for entry in os.listdir(directory) if entry.startswith(f"{seed}-")}
            assert mine == set(known)
        elif action == 6 and name in known:
            with open(name, "ab") as file:
                file.write(b"more")
            known[name] += b"more"
        elif name in known:
            assert os.stat(name).st_size == len(known[name])
            with open(name, "rb") as file:
                assert file.read() == known[name]
        else:
            assert not os.path.exists(name)
    for name, content in known.items():
        with open(name, "rb") as file:
            assert file.read() == content


def threads(directory: str) -> None:
    before = descriptors()
    in_threads(*[lambda seed=seed: operations(directory, seed, 1500) for seed in range(8)], lambda: churn(directory))
    for name in os.listdir(directory):
        os.unlink(f"{directory}/{name}")
    assert descriptors() <= before + 4


def churn(directory: str) -> None:
    """Directories that come and go, with others looking."""
    for number in range(200):
        deep = f"{directory}/c-{number}/a/b"
        os.makedirs(deep)
        for _ in walked(f"{directory}/c-{number}"):
            pass
        os.rename(f"{directory}/c-{number}/a", f"{directory}/c-{number}/z")
        os.rmdir(f"{directory}/c-{number}/z/b")
        os.rmdir(f"{directory}/c-{number}/z")
        os.rmdir(f"{directory}/c-{number}")


def walked(directory: str) -> Iterator[str]:
    for above, directories, files in os.walk(directory):
        yield from (f"{above}/{name}" for name in (*directories, *files))


def main() -> None:
    case, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    globals()[case](directory)


if __name__ == "__main__":
    main()
