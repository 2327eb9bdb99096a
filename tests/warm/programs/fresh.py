"""What a process can see of itself, and do: ``test_fresh.py`` compares warm and cold starts by it, command by command."""

import asyncio
import atexit
import concurrent.futures
import contextlib
import ctypes
import datetime
import decimal
import email.generator
import getpass
import hashlib
import io
import json
import locale
import logging
import mmap
import multiprocessing
import multiprocessing.process
import os
import pathlib
import platform
import pty
import random
import resource
import secrets
import select
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import traceback
import uuid
import warnings

import fresh_early

# -- what a process is -----------------------------------------------------------------------------------------------------


def state():
    """All that should be this process's own, in words that are the same for each process started in the same way."""
    status = pathlib.Path("/proc/self/status").read_text()
    yield "sys", sys.argv, len(sys.orig_argv), os.path.basename(sys.executable), sys.path, sys.flags
    yield "sys", sys.getrecursionlimit(), sys.getswitchinterval(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    yield "environ", dict(os.environ) == {os.fsdecode(k): os.fsdecode(v) for k, v in os.environb.items()}, os.getenv("X")
    c_getenv = ctypes.CDLL(None).getenv
    c_getenv.restype = ctypes.c_char_p
    yield "C environ", [c_getenv(name) for name in (b"X", b"HOME", b"NOT_SET")]
    os.environ["SET_LATER"] = "1"
    yield "C environ", c_getenv(b"SET_LATER"), subprocess.check_output(["sh", "-c", "echo $SET_LATER $X"])
    yield "main", sys.modules["__main__"].__name__, __file__, __spec__, __builtins__.__name__
    for name in ("stdin", "stdout", "stderr"):
        stream, first = getattr(sys, name), getattr(sys, f"__{name}__")
        yield name, stream is first, stream.name, stream.mode, stream.encoding, stream.errors, stream.fileno(), stream.isatty()
        yield name, stream.seekable(), stream.readable(), stream.writable(), stream.closed, stream.buffer.raw.seekable()
        yield name, stream.line_buffering, stream.write_through, stream.newlines, stream.buffer.name, stream.buffer.raw.closefd
    yield "cwd", os.getcwd(), pathlib.Path.cwd(), os.path.abspath("x")
    old = os.umask(0)
    os.umask(old)
    yield "umask", oct(old)
    yield "limits", [resource.getrlimit(getattr(resource, name)) for name in sorted(dir(resource)) if name.startswith("RLIMIT_")]
    yield "stack of threads", default_stack(), threading.stack_size()
    yield "priority", os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))
    yield "identity", os.getpid() == int(os.readlink("/proc/self")), os.getppid() > 1, os.getsid(0) > 0, os.getuid(), os.getgroups()
    yield "signals", [(number, name_of(signal.getsignal(number))) for number in sorted(signal.valid_signals())]
    yield "signals", sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), signal.getitimer(signal.ITIMER_REAL)
    for line in status.splitlines():
        if line.startswith(("Name:", "Uid:", "Groups:", "Threads:", "SigQ", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:",
                            "NoNewPrivs:", "Seccomp:", "Umask:", "TracerPid:")) and not line.startswith("SigQ"):  # fmt: skip
            yield "status", *line.split()
    yield "descriptors", [(one, kind(int(one))) for one in sorted(os.listdir("/proc/self/fd"), key=int)]
    yield "threads", [one.name for one in threading.enumerate()], threading.active_count(), len(os.listdir("/proc/self/task"))
    main = threading.main_thread()
    yield "threads", main is threading.current_thread(), main.ident == threading.get_ident(), main.native_id == os.getpid()
    yield "threads", threading.get_native_id() == os.getpid(), main.is_alive(), main.daemon, main.name
    yield "locale", [locale.setlocale(getattr(locale, f"LC_{name}")) for name in ("NUMERIC", "TIME", "MESSAGES", "COLLATE")]
    yield "locale", locale.getpreferredencoding(), locale.getpreferredencoding(False), locale.localeconv()
    yield "locale", time.strftime("%A %B", time.gmtime(0)), os.fsencode("é"), os.fsdecode(b"\xff"), "é".encode()
    yield "character type", locale.setlocale(locale.LC_CTYPE), locale.getlocale(), locale.nl_langinfo(locale.CODESET)
    yield "character type", locale.getencoding(), open(os.devnull).encoding
    yield "zone", time.tzname, time.timezone, time.altzone, time.daylight, time.strftime("%Z %z", time.localtime(0))
    yield "zone", datetime.datetime.fromtimestamp(0), datetime.datetime.fromtimestamp(0).astimezone().tzinfo
    yield "zone", datetime.datetime.strptime("2024-06-01 12:00", "%Y-%m-%d %H:%M").timestamp(), time.ctime(10**9)
    now = float(sys.argv[2])
    yield "time", abs(time.time() - now) < 60, abs(datetime.datetime.now().timestamp() - now) < 60
    yield "time", 0 <= time.clock_gettime(time.CLOCK_MONOTONIC) - time.monotonic() + 1 < 2, time.process_time() < 30, os.times().user < 30
    yield "logging", 0 <= logging.makeLogRecord({}).relativeCreated < 60_000, logging.root.handlers, logging.root.level
    record = logging.LogRecord("", 0, "", 0, "", (), None)
    yield "logging", record.process == os.getpid(), record.processName, record.threadName, record.thread == threading.get_ident()
    yield "multiprocessing", multiprocessing.get_start_method(allow_none=True), multiprocessing.current_process().name
    yield "multiprocessing", multiprocessing.active_children(), multiprocessing.parent_process(), len(multiprocessing.current_process().authkey)
    yield "platform", platform.node() == socket.gethostname() == os.uname().nodename, platform.platform(), platform.machine()
    yield "processors", os.cpu_count(), os.sysconf("SC_NPROCESSORS_ONLN"), os.sysconf("SC_OPEN_MAX"), os.sysconf("SC_ARG_MAX")
    yield "user", getpass.getuser(), os.path.expanduser("~"), pathlib.Path.home(), sysconfig.get_config_var("userbase")
    yield "tempfile", tempfile.gettempdir(), tempfile.tempdir
    yield "terminal", shutil.get_terminal_size(), os.environ.get("TERM")
    yield "asyncio", asyncio.get_event_loop_policy(), asyncio._get_running_loop()
    yield "decimal", decimal.getcontext(), decimal.Decimal(1) / 7
    yield "warnings", [one[0::2] for one in warnings.filters], sys.warnoptions
    yield "context", asyncio.events._running_loop.__class__, socket.getdefaulttimeout(), socket.gethostbyname("127.0.0.1")
    yield "hooks", sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, sys.gettrace(), sys.getprofile()
    yield "hash", hash("a string") == hash("a string"), {1: 2} == {1: 2}, hashlib.sha256(b"x").hexdigest()
    yield "auxiliary", ctypes.CDLL(None).getauxval(6), os.sysconf("SC_PAGESIZE"), ctypes.CDLL(None).getauxval(23)
    yield "hooks", len(sys.meta_path), len(sys.path_hooks), "json.tool" in sys.modules, json.loads('{"a": [1.5, null]}')


def default_stack():
    libc = ctypes.CDLL(None)
    attributes, size = ctypes.create_string_buffer(64), ctypes.c_size_t()
    libc.pthread_getattr_default_np(attributes)
    libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))
    return size.value


def kind(descriptor):
    with contextlib.suppress(OSError):
        return oct(os.fstat(descriptor).st_mode), os.get_inheritable(descriptor)
    return "gone"  # the one that listed the directory


def name_of(handler):
    return getattr(handler, "__qualname__", repr(handler))


def show_state():
    for name, *values in state():
        text = " ".join(str(value) for value in values)
        print(name, " ".join(word if not word.startswith("0x") else "0x" for word in text.split(" ")))


# -- what must not be the same twice -----------------------------------------------------------------------------------------


def first_words_of_tls(context):
    """The first message of a client: a random number, a session and a key."""
    context.check_hostname = False
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    hello = out.read()
    key = hello.index(b"\x00\x1d\x00\x20") + 4  # a share of x25519
    return hello[11:43].hex(), hello[44:76].hex(), hello[key : key + 32].hex()


def unique():
    yield "random", random.random()
    yield "choices", random.choices(range(10**9), k=2)
    yield "uuid1", uuid.uuid1()
    yield "uuid4", uuid.uuid4()
    yield "secrets", secrets.token_hex(), secrets.SystemRandom().random()
    yield "early", fresh_early.RANDOM.random(), next(fresh_early.NAMES), fresh_early.POOL.submit(random.random).result()
    yield "urandom", os.urandom(8).hex()
    yield "openssl", ssl.RAND_bytes(8).hex()
    with tempfile.NamedTemporaryFile() as file:
        yield "tempfile", os.path.basename(file.name), os.path.basename(tempfile.mktemp())
    yield "tls", *first_words_of_tls(ssl.create_default_context())
    yield "tls-early", *first_words_of_tls(fresh_early.CONTEXT)
    yield "multiprocessing", multiprocessing.current_process().authkey.hex()
    yield "boundary", email.generator._make_boundary()
    yield "pid", os.getpid()
    yield "thread", random_in_thread()
    yield "child", random_in_child()


def random_in_thread():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(random.random).result()


def random_in_child():
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, f"{random.random()}{ssl.RAND_bytes(8).hex()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(reader, 100).decode(), random.random(), ssl.RAND_bytes(8).hex()


def show_unique():
    for name, *values in unique():
        print(name, *values)


# -- what a process can do -------------------------------------------------------------------------------------------------


def threads():
    seen, local, lock = [], threading.local(), threading.Lock()

    def work(number):
        local.number = number
        with lock:
            seen.append(local.number)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    print(sorted(seen), hasattr(local, "number"), threading.enumerate() == [threading.main_thread()])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(lambda i: i * i, range(100))), [one.name[-3:] for one in threading.enumerate()][:1])
    event, timer = threading.Event(), None
    timer = threading.Timer(0.01, event.set)
    timer.start()
    print(event.wait(20), threading.Thread().name)
    condition = threading.Condition()
    threading.Thread(target=lambda: (condition.acquire(), condition.notify(), condition.release()), daemon=True)
    threading.excepthook = lambda one: print("in a thread:", one.exc_type.__name__)
    broken = threading.Thread(target=lambda: 1 / 0)
    broken.start()
    broken.join()
    deep = threading.Thread(target=lambda: print(recurse(800)))
    deep.start()
    deep.join()
    print(threading.active_count())


def recurse(depth):
    return 0 if depth == 0 else 1 + recurse(depth - 1)


def fork():
    print("before", end=" ", flush=True)
    if (child := os.fork()) == 0:
        main = threading.main_thread()
        print("child", main is threading.current_thread(), main.native_id == os.getpid(), os.getppid() > 1, flush=True)
        if (grandchild := os.fork()) == 0:
            print("grandchild", sqlite3.connect(":memory:").execute("select 1").fetchall(), flush=True)
            os._exit(3)
        code = os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])
        worker = threading.Thread(target=lambda: print("thread in child", flush=True))
        worker.start()
        worker.join()
        os._exit(code + 4)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    if (child := os.fork()) == 0:
        sys.exit(5)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    pid, master = pty.fork()
    if pid == 0:
        print("in a terminal", os.isatty(1))
        sys.stdout.flush()
        os._exit(0)
    print(os.read(master, 100), os.waitpid(pid, 0)[1])


def square(number):
    return number * number, multiprocessing.current_process().name.rstrip("0123456789"), multiprocessing.get_start_method()


def processes(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        print([one[0] for one in pool.map(square, range(8))], pool.apply(square, (3,))[0])
    queue, process = context.Queue(), None
    process = context.Process(target=queue_square, args=(queue, 7))
    process.start()
    print(queue.get(timeout=60))
    process.join()
    print(process.exitcode, multiprocessing.active_children())
    with context.Manager() as manager:
        shared = manager.dict(a=1)
        worker = context.Process(target=shared.update, kwargs={"b": 2})
        worker.start()
        worker.join()
        print(dict(shared), worker.exitcode)
    value = context.Value("i", 5)
    process = context.Process(target=increase, args=(value,))
    process.start()
    process.join()
    print(value.value)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(abs, range(-3, 0))))


def queue_square(queue, number):
    queue.put(square(number)[0])


def increase(value):
    with value.get_lock():
        value.value += 1


def signals():
    got = []
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append((number, frame.f_code.co_name)))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    print(got)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)
    except KeyboardInterrupt:
        print("interrupted")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    os.kill(os.getpid(), signal.SIGUSR2)
    print(signal.sigpending(), signal.sigwait([signal.SIGUSR2]))
    signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    os.kill(os.getpid(), signal.SIGUSR1)
    print(os.read(reader, 10), signal.set_wakeup_fd(-1) == writer)
    print(signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.siginterrupt(signal.SIGUSR1, False))
    os.kill(os.getpid(), signal.SIGTERM)
    child = subprocess.Popen(["sleep", "60"])
    child.send_signal(signal.SIGTERM if "ignored" in sys.argv else signal.SIGKILL)
    print(child.wait())
    try:
        socket.socketpair()[0].close()
        first, second = socket.socketpair()
        second.close()
        first.send(b"x")
    except BrokenPipeError as error:
        print(error)


async def asynchronous():
    loop = asyncio.get_running_loop()
    got = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, got.set_result, "signal")
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await asyncio.wait_for(got, 20))
    process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(await process.communicate(b"through cat"), process.returncode)
    shell = await asyncio.create_subprocess_shell("exit 3")
    print(await shell.wait(), await loop.run_in_executor(None, recurse, 10), await asyncio.to_thread(recurse, 5))

    async def echo(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    print(await reader.read())
    writer.close()
    server.close()
    print(await asyncio.gather(*(asyncio.sleep(0.001 * i, i) for i in range(3))), await loop.getaddrinfo("127.0.0.1", 80) != [])
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(20)
    except TimeoutError:
        print("timed out", type(loop).__name__)


def databases():
    os.makedirs("/memfs:/tmp", exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for where in (":memory:", f"{place}/real.db", "/memfs:/tmp/data.db"):
            base = sqlite3.connect(where)
            base.create_function("twice", 1, lambda x: 2 * x)
            base.execute("create table numbers (n integer primary key, t text)")
            with base:
                base.executemany("insert into numbers values (?, ?)", [(i, str(i)) for i in range(1000)])
            print(base.execute("select count(*), sum(twice(n)) from numbers").fetchone(), base.execute("pragma integrity_check").fetchone())
            try:
                base.execute("select nothing from nowhere")
            except sqlite3.OperationalError as error:
                print(error)
            base.close()
    seen = []
    base = sqlite3.connect("file::memory:?cache=shared", uri=True, check_same_thread=False)
    base.execute("create table t (x)")
    worker = threading.Thread(target=lambda: seen.append(base.execute("select count(*) from t").fetchone()))
    worker.start()
    worker.join()
    print(seen)


def files():
    root = pathlib.Path("/memfs:/tmp/fresh")
    root.mkdir(parents=True)
    print(sorted(os.listdir(root)), root.is_dir())
    (root / "a.txt").write_text("one\ntwo\n")
    with (root / "a.txt").open("r+b") as file:
        with mmap.mmap(file.fileno(), 0) as view:
            print(view[:3], view.find(b"two"))
            view[0:3] = b"ONE"
        print(file.read())
    print((root / "a.txt").stat().st_size, [one.name for one in root.iterdir()], shutil.copy(root / "a.txt", root / "b"))
    with (root / "a.txt").open("a") as file:
        file.write("three\n")
    print((root / "a.txt").read_text(), (root / "b").read_text())
    os.rename(root / "b", root / "c")
    os.symlink("c", root / "link")
    print(sorted(os.listdir(root)), os.readlink(root / "link"), (root / "link").read_bytes()[:3])
    print(pathlib.Path(__file__).read_text()[:3], pathlib.Path(json.__file__).exists(), os.path.getsize(json.__file__) > 0)
    with open(json.__file__, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        print(view[:3], file.fileno() > 2)
    shutil.rmtree(root)
    print(root.exists())
    with tempfile.TemporaryFile() as file:
        file.write(b"real")
        print(file.tell())
    try:
        open("/memfs:/nowhere/x")
    except FileNotFoundError as error:
        print(error)


def subprocesses():
    print(subprocess.run(["sh", "-c", "cat; echo error >&2; exit 4"], input=b"in", capture_output=True, check=False))
    print(subprocess.check_output([sys.executable, "-c", "import sys; print(6 * 7, sys.argv)", "a"], text=True))
    print(subprocess.run(["sh", "-c", "umask; echo $X"], env={"X": "y"}, umask=0o27, capture_output=True, check=True).stdout)
    print(subprocess.run(["sh", "-c", "exit 1"], preexec_fn=os.setsid, check=False, start_new_session=False).returncode)
    print(os.system("exit 5") >> 8, os.popen("echo popen").read(), os.waitstatus_to_exitcode(
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], os.environ), 0)[1]))  # fmt: skip
    again = subprocess.run([sys.executable, "exit", "7"], env={**os.environ, "FRAZIL_DEBUG": ""}, check=False)
    print(again.returncode)
    try:
        subprocess.run(["/nowhere"], check=False)
    except FileNotFoundError as error:
        print(error)


def sockets():
    with socket.create_server(("127.0.0.1", 0)) as server, select.epoll() as poll:
        poll.register(server, select.EPOLLIN)
        with socket.create_connection(server.getsockname()) as client:
            print([flags for _, flags in poll.poll(20)])
            connection, _ = server.accept()
            client.sendall(b"hello")
            print(connection.recv(5))
            connection.close()


# -- how a process ends ------------------------------------------------------------------------------------------------------


class Closing:
    def __del__(self):
        print("finalized", flush=True)


def end(how):
    atexit.register(print, "atexit")
    if how.isdecimal():
        sys.exit(int(how))
    if how == "message":
        sys.exit("a last word")
    if how == "exception":
        try:
            recurse("a")
        except TypeError as error:
            raise ValueError("with a cause") from error
    if how == "group":
        raise ExceptionGroup("several", [OSError(1, "one"), KeyError("two")])
    if how == "recursion":
        recurse(10**6)
    if how == "finalized":
        globals()["closing"] = Closing()
    if how == "thread":
        threading.Thread(target=lambda: (time.sleep(0.05), print("the thread is awaited"))).start()
    if how == "daemon":
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    if how == "unflushed":
        print("kept back")
        os._exit(0)
    if how == "full":
        sys.stdout = sys.__stdout__
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        print("nowhere to go")
    if how == "closed":
        os.close(1)
        print("nowhere to go")
    if how == "abort":
        os.abort()
    if how == "fault":
        ctypes.string_at(8)
    if how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(20)
    if how == "interrupt":
        print("ready", flush=True)
        time.sleep(30)
    if how == "interrupt-asyncio":
        asyncio.run(interrupted())
    print("ended", how)


async def interrupted():
    try:
        print("ready", flush=True)
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        print("cancelled")
        raise


def read():
    print(sys.stdin.readline(), end="")
    print(input("prompt> "))
    print(sys.stdin.isatty(), sys.stdin.buffer.read(3), sys.stdin.read(), sys.stdin.seekable())


def write():
    if sys.stdout.seekable() and not sys.stdout.isatty():
        print(sys.stdout.tell(), os.lseek(1, 0, os.SEEK_CUR))
    print("to the stream é\udc80" if sys.stdout.errors == "surrogateescape" else "to the stream é")
    print("to the error stream \udc80", file=sys.stderr)
    sys.stdout.buffer.write(b"bytes\n")
    sys.stdout.flush()
    os.write(1, b"past the stream\n")
    print("a progress", end="\r")
    traceback.print_stack()
    print(io.TextIOWrapper(io.BytesIO(), write_through=True).write("x"))


COMMANDS = {
    "state": show_state, "unique": show_unique, "threads": threads, "fork": fork, "signals": signals, "files": files,
    "databases": databases, "subprocesses": subprocesses, "sockets": sockets, "read": read, "write": write,
    "asyncio": lambda: asyncio.run(asynchronous()), "processes": lambda: processes(sys.argv[2]), "exit": lambda: end(sys.argv[2]),
}  # fmt: skip

if __name__ == "__main__":
    COMMANDS[sys.argv[1]]()
