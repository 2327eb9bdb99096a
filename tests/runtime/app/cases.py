"""Cases of behaviour: ``cases.py NAME`` runs one. The tests compare an executable of this with ``python -I cases.py NAME``."""

import sys


def exits_with_a_number():
    sys.exit(7)


def exits_with_none():
    sys.exit(None)


def exits_with_a_large_number():
    sys.exit(256 + 5)


def exits_with_a_negative_number():
    sys.exit(-1)


def exits_with_a_string():
    sys.exit("a message for the error stream")


def exits_by_the_builtin():
    exit(3)


def exits_from_a_nested_call():
    try:
        sys.exit(4)
    finally:
        print("finally")


def raises():
    def inner(number):
        return 1 / number

    inner(0)


def raises_with_a_cause():
    try:
        {}["key"]
    except KeyError as error:
        raise ValueError("outer") from error


def raises_in_the_library():
    import json

    json.loads("{")


def raises_a_group():
    raise ExceptionGroup("several", [ValueError(1), TypeError("two")])


def raises_while_importing():
    import parts.broken  # noqa: F401


def raises_a_syntax_error():
    exec(compile("x = (\n", "<string>", "exec"))


def warns():
    import warnings

    warnings.warn("beware", stacklevel=1)
    warnings.warn("deprecated", DeprecationWarning, stacklevel=1)


def interrupted():
    import os
    import signal

    os.kill(os.getpid(), signal.SIGINT)
    import time

    time.sleep(5)


def interrupt_is_caught():
    import os
    import signal

    try:
        os.kill(os.getpid(), signal.SIGINT)
        import time

        time.sleep(5)
    except KeyboardInterrupt:
        print("caught")


def terminated():
    import os
    import signal

    os.kill(os.getpid(), signal.SIGTERM)


def handles_a_signal():
    import os
    import signal

    signal.signal(signal.SIGUSR1, lambda number, frame: print("handler", number, frame.f_code.co_name))
    os.kill(os.getpid(), signal.SIGUSR1)
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.getsignal(signal.SIGPIPE))


def aborts():
    import os

    os.abort()


def output_is_buffered():
    import os

    print("lost when not flushed")
    os._exit(5)


def output_is_flushed():
    print("one", end="")
    print("two", file=sys.stderr)


def writes_to_a_closed_stream():
    sys.stdout.close()
    print("?")


def reads_input():
    print(repr(sys.stdin.read()), sys.stdin.encoding, sys.stdin.errors)


def reads_bytes():
    print(sys.stdin.buffer.read())


def prints_unicode():
    print("żółw 😀", sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors)


def prints_surrogates():
    print("\udcff")


def shows_arguments():
    print(sys.argv[1:], sys.orig_argv[-1])


def shows_encodings():
    import locale

    print(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), locale.getpreferredencoding(), sys.flags.utf8_mode)
    print(locale.setlocale(locale.LC_CTYPE))


def shows_flags():
    names = (
        "debug",
        "inspect",
        "interactive",
        "optimize",
        "no_user_site",
        "ignore_environment",
        "verbose",
        "bytes_warning",
        "quiet",
        "hash_randomization",
        "isolated",
        "dev_mode",
        "utf8_mode",
        "warn_default_encoding",
        "safe_path",
        "int_max_str_digits",
    )
    print({name: getattr(sys.flags, name) for name in names}, sys.warnoptions, sys._xoptions)


def shows_main():
    import __main__

    print(__name__, __main__.__spec__, __main__.__package__, __main__.__doc__, __file__, __main__.__builtins__.__name__)
    print(type(__main__.__loader__).__mro__[-3].__name__, sorted(name for name in vars(__main__) if name.startswith("__")))


def threads_are_joined():
    import threading
    import time

    def late():
        time.sleep(0.1)
        print("thread done", threading.current_thread().name, threading.main_thread().name)

    threading.Thread(target=late, name="late").start()
    print("main done")


def exception_in_a_thread():
    import threading

    thread = threading.Thread(target=lambda: 1 / 0, name="failing")
    thread.start()
    thread.join()


def atexit_runs():
    import atexit

    atexit.register(print, "first registered")
    atexit.register(print, "last registered")
    raise RuntimeError("before")


def unraisable():
    class Bad:
        def __del__(self):
            raise ValueError("in __del__")

    Bad()


class Cyclic:
    def __init__(self, held):
        self.itself = self
        self.held = held


def finalizer_in_a_cycle():
    class Noisy:
        def __del__(self):
            print("finalized")

    global kept
    kept = Cyclic(Noisy())


def file_in_a_cycle():
    import os
    import subprocess
    import tempfile

    name = os.path.join(tempfile.mkdtemp(), "file")
    code = f"""
class Cyclic: pass
kept = Cyclic()
kept.itself = kept
kept.file = open({name!r}, "w")
kept.file.write("not flushed by the program")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    print(open(name).read())


def unflushed_file_in_a_cycle():
    import os

    global kept
    kept = Cyclic(open(os.environ["HOME"] + "/unflushed", "w"))
    kept.held.write("flushed by finalization")


def generator_in_a_cycle():
    def generate():
        try:
            yield 1
        finally:
            print("closed")

    global kept
    kept = Cyclic(generate())
    next(kept.held)


def finalizer_made_at_exit():
    import atexit

    class Noisy:
        def __del__(self):
            print("finalized")

    def late():
        global kept
        kept = Cyclic(Noisy())

    atexit.register(late)


def weak_references_at_exit():
    import weakref

    class Thing:
        pass

    global kept
    kept = Thing()
    weakref.finalize(kept, print, "finalize called")


def collector_is_watched():
    import gc

    gc.callbacks.append(lambda phase, info: phase == "start" and print("collection", info["generation"]))
    gc.collect()


def finds_resources():
    from importlib import resources

    print(resources.files("parts").joinpath("data/text.txt").read_text(), end="")
    print(resources.read_text("parts", "note.txt"), resources.is_resource("parts", "note.txt"))
    with resources.as_file(resources.files("parts") / "data" / "text.txt") as path:
        print(path.read_bytes(), path.exists(), path.parent.name)
    print(sorted(entry.name for entry in resources.files("parts").iterdir() if entry.name != "__pycache__"))
    with resources.open_binary("parts", "note.txt") as file:
        print(file.read())


def gets_data():
    import pkgutil

    print(pkgutil.get_data("parts", "data/text.txt"))
    print([(name, ispkg) for _, name, ispkg in pkgutil.iter_modules(__import__("parts").__path__)])
    print(
        [module.name for module in pkgutil.walk_packages(__import__("parts").__path__, "parts.") if "broken" not in module.name]
    )


def runs_modules():
    import runpy

    print(
        runpy.run_module("parts.plain")["VALUE"], runpy.run_module("parts.plain", run_name="__main__", alter_sys=True)["VALUE"]
    )
    print(runpy.run_path(__file__, run_name="other")["__name__"])


def gets_source():
    import inspect

    from parts import plain

    print(inspect.getsource(plain.function), inspect.getsourcefile(plain), inspect.getfile(raises))
    print(inspect.getsource(gets_source).splitlines()[0], inspect.getmodule(plain.function).__name__)


def imports_namespaces():
    import space.portion

    print(space.portion.VALUE, list(space.__path__), space.__spec__.loader.__class__.__name__, space.__file__)


def imports_relatively():
    from parts import sub

    print(sub.deep.VALUE, sub.deep.__package__, sub.deep.__spec__.parent, sub.__path__)


def shows_a_module():
    import parts
    from parts import plain

    for module in (parts, plain):
        spec = module.__spec__
        print(
            module.__name__,
            module.__file__,
            module.__cached__,
            module.__package__,
            spec.origin,
            spec.has_location,
            spec.cached,
            spec.submodule_search_locations,
            spec.parent,
        )
        print(
            isinstance(module.__loader__, __import__("importlib.machinery").machinery.SourceFileLoader),
            module.__loader__.get_filename(),
            module.__loader__.is_package(module.__name__),
            module.__loader__.get_source(module.__name__)[:20],
        )


def has_a_path_hook():
    from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader

    class Loader(SourceFileLoader):
        def exec_module(self, module):
            print("loads", module.__name__)
            super().exec_module(module)

    sys.path_hooks.insert(0, FileFinder.path_hook((Loader, SOURCE_SUFFIXES)))
    sys.path_importer_cache.clear()
    import colorsys

    del sys.path_hooks[0], sys.modules["colorsys"]
    sys.path_importer_cache.clear()
    import colorsys

    print(colorsys.__name__)


def shows_frozen_modules():
    import abc
    import codecs
    import io
    import os
    import stat

    for module in (abc, codecs, io, os, stat, os.path):
        state = module.__spec__.loader_state
        print(module.__name__, module.__file__, module.__spec__.origin, vars(state) if state else None)


def makes_another_importlib():
    import importlib

    for name in ("importlib", "importlib._bootstrap", "importlib._bootstrap_external"):
        sys.modules.pop(name, None)
    kept = {name: sys.modules.pop(name) for name in ("_frozen_importlib", "_frozen_importlib_external")}
    sys.modules |= dict.fromkeys(kept)
    fresh = importlib.import_module("importlib")
    sys.modules |= kept
    print(fresh is importlib, fresh._bootstrap.__name__, fresh.import_module("colorsys").__name__)


def makes_an_interpreter():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters

    number = interpreters.create()
    print(interpreters.run_string(number, "import sys, colorsys; print(colorsys.__file__)"))
    interpreters.destroy(number)


def module_not_found():
    import importlib.util

    print(importlib.util.find_spec("parts.absent"), importlib.util.find_spec("absent"))
    from parts import absent  # noqa: F401


def reloads():
    import importlib

    from parts import plain

    plain.VALUE = 0
    print(importlib.reload(plain).VALUE, importlib.import_module("parts.sub.deep").VALUE)
    importlib.invalidate_caches()


def imports_from_a_real_directory():
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "outside.py"), "w") as file:
            file.write("VALUE = 'outside'\n")
        with open(os.path.join(directory, "colorsys.py"), "w") as file:
            file.write("VALUE = 'shadows the standard library'\n")
        sys.path.insert(0, directory)
        import colorsys
        import outside

        print(outside.VALUE, colorsys.VALUE)


def imports_from_a_zip_file():
    import os
    import tempfile
    import zipfile

    with tempfile.TemporaryDirectory() as directory:
        name = os.path.join(directory, "modules.zip")
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr("zipped.py", "VALUE = 'zipped'\n")
        sys.path.append(name)
        import zipped

        print(zipped.VALUE, type(zipped.__loader__).__name__)


def removes_the_finder():
    sys.meta_path[:] = [finder for finder in sys.meta_path if "frazil" not in finder.__module__]
    import colorsys

    from parts import plain

    print(plain.VALUE, colorsys.rgb_to_hsv(0, 0, 0))


def pickles():
    import pickle

    from parts import plain

    print(pickle.loads(pickle.dumps(plain.Thing(5))).number, pickle.loads(pickle.dumps(plain.function))())


def starts_python_with_a_command():
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.argv, __name__, sys.path[0]); sys.exit(9)", "-x", "y"],
        capture_output=True,
        text=True,
    )
    print(done.returncode, done.stdout, done.stderr)


def starts_python_with_a_module():
    import subprocess

    done = subprocess.run([sys.executable, "-I", "-m", "json.tool"], input='{"a":1}', capture_output=True, text=True)
    print(done.returncode, done.stdout, done.stderr)


def starts_python_with_a_script():
    import os
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        script = os.path.join(directory, "script.py")
        with open(script, "w") as file:
            file.write(
                "import sys, os, helper\nprint(sys.argv[1:], __name__, os.path.basename(__file__), helper.VALUE)\n"
                "print(sys.path[0] == os.path.dirname(__file__))\n1/0\n"
            )
        with open(os.path.join(directory, "helper.py"), "w") as file:
            file.write("VALUE = 'helps'\n")
        done = subprocess.run([sys.executable, script, "a", "-c", "b"], capture_output=True, text=True)
        print(done.returncode, done.stdout, done.stderr.replace(directory, "DIR"))


def starts_python_with_options():
    import subprocess

    code = "import sys; print(sys.flags.isolated, sys.flags.optimize, sys.flags.bytes_warning, sys.warnoptions, sys._xoptions)"
    done = subprocess.run([sys.executable, "-IOb", "-W", "error", "-Xdev", "-c", code], capture_output=True, text=True)
    print(done.returncode, done.stdout, done.stderr)


def child_has_the_same_environment():
    import os
    import subprocess

    code = "import os; print(sorted(os.environ.items()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ, EXTRA="1"))
    print(done.returncode, done.stdout == f"{sorted(dict(os.environ, EXTRA='1').items())}\n", done.stderr)


def replaces_itself():
    import os

    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-c", "print('replaced')"])


def spawns_with_posix_spawn():
    import os

    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "raise SystemExit(6)"], os.environ)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _work(number):
    return number * 2


def _pool(method):
    import multiprocessing

    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        print(pool.map(_work, range(5)))
    queue = context.Queue()
    process = context.Process(target=_put, args=(queue, "from a child"))
    process.start()
    print(queue.get(timeout=30))
    process.join(30)
    print(process.exitcode)


def _put(queue, what):
    queue.put(what)


def multiprocessing_by_spawn():
    _pool("spawn")


def multiprocessing_by_fork():
    _pool("fork")


def multiprocessing_by_forkserver():
    _pool("forkserver")


def multiprocessing_with_shared_memory():
    from multiprocessing import shared_memory

    memory = shared_memory.SharedMemory(create=True, size=16)
    memory.buf[:4] = b"abcd"
    other = shared_memory.SharedMemory(memory.name)
    print(bytes(other.buf[:4]))
    other.close()
    memory.close()
    memory.unlink()


def forks():
    import os

    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        import parts.plain

        print("child", parts.plain.VALUE)
        sys.exit(2)
    print("parent", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def uses_asyncio():
    import asyncio

    async def main():
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('child')", stdout=asyncio.subprocess.PIPE)
        print((await process.communicate())[0], process.returncode, await asyncio.to_thread(lambda: "thread"))

    asyncio.run(main())


def opens_its_own_files():
    import glob
    import os
    import pathlib
    import shutil
    import tempfile

    here = pathlib.Path(__file__).parent
    text = here / "parts" / "data" / "text.txt"
    print(text.read_text(), text.stat().st_size, text.is_file(), text.parent.is_dir(), os.path.exists(text / "no"))
    print(
        sorted(os.listdir(here / "parts" / "data")), sorted(entry.name for entry in os.scandir(text.parent) if entry.is_file())
    )
    print([(len(dirs) > 0, "text.txt" in files) for top, dirs, files in os.walk(here / "parts") if top.endswith("data")])
    print([os.path.basename(name) for name in glob.glob(str(here / "parts" / "d*" / "*.txt"))])
    print(sorted(path.name for path in (here / "parts").rglob("*.txt")))
    with tempfile.TemporaryDirectory() as directory:
        print(pathlib.Path(shutil.copy(text, directory)).read_text(), os.path.getsize(os.path.join(directory, "text.txt")))
        print(sorted(os.listdir(shutil.copytree(text.parent, os.path.join(directory, "tree")))))
    descriptor = os.open(text, os.O_RDONLY)
    print(os.fstat(descriptor).st_size, os.pread(descriptor, 4, 1), os.path.samestat(os.fstat(descriptor), os.stat(text)))
    os.close(descriptor)
    try:
        open(here / "absent.txt")
    except FileNotFoundError as error:
        print(error.errno, error.strerror)


def opens_a_zip_of_its_own():
    import pathlib
    import zipfile

    with zipfile.ZipFile(pathlib.Path(__file__).parent / "parts" / "data" / "archive.zip") as archive:
        print(archive.namelist(), archive.read("inside.txt"))


def opens_a_database_of_its_own():
    import pathlib
    import sqlite3

    path = pathlib.Path(__file__).parent / "parts" / "data" / "numbers.db"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    print(connection.execute("select sum(number) from numbers").fetchone())


def loads_certificates_in_c():
    import pathlib
    import ssl

    context = ssl.create_default_context(cafile=pathlib.Path(__file__).parent / "parts" / "data" / "ca.pem")
    print(len(context.get_ca_certs()))


def uses_ctypes():
    import ctypes
    import ctypes.util

    print(ctypes.CDLL(None).strlen(b"four"), ctypes.util.find_library("no such library"))


def uses_extension_modules():
    import _bisect
    import _json
    import array
    import bz2
    import decimal
    import hashlib
    import lzma
    import unicodedata
    import zlib

    print(_bisect.bisect([1, 2], 1), array.array("i", [1]), bz2.decompress(bz2.compress(b"b")), decimal.Decimal("1") / 3)
    print(hashlib.sha256(b"").hexdigest()[:8], hashlib.new("md5", b"").hexdigest()[:8], lzma.decompress(lzma.compress(b"l")))
    print(unicodedata.name("ż"), zlib.crc32(b"z"), _json.__name__)


def is_isolated():
    print("outside" in str(sys.path), [entry for entry in sys.path if entry in ("", ".")], sys.flags.isolated)


def shows_tempdir_and_home():
    import os
    import tempfile

    print(tempfile.gettempdir(), os.path.expanduser("~"), os.getcwd())


def platform_information():
    import platform
    import sysconfig

    print(
        platform.python_implementation(),
        platform.python_version(),
        sysconfig.get_config_var("py_version_short"),
        sysconfig.get_platform(),
        platform.system(),
    )


def compiles_regular_expressions():
    import re

    print(re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"), re.compile("a+").pattern)


def time_zone():
    import datetime
    import zoneinfo

    print(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC).strftime("%Y %j"), datetime.datetime.strptime("3 2020", "%m %Y"))
    print(zoneinfo.ZoneInfo("UTC"))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
