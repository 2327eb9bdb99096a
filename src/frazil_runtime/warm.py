"""The Python part of the warm start (``docs/spec/snapshot.md``): importing for a snapshot, and going on in a restored process.

``resume`` runs at every warm start: it imports nothing, and looks only at modules that the snapshot holds.
"""

import gc
import sys

import _frazil

from frazil_runtime import boot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_TRIAL = "/memfs:/bin/frazil-warm-trial"
_pending: "list[bool]" = [True]
"""Whether this process is yet to be made the snapshot's successor."""
_early: "set[str]" = set()
"""Modules that a cold start has before it asks storages for any."""


def make(names: "list[str]", note: "Callable[[str, bytes, bytes | None], None]") -> None:
    """Import the modules, and leave everything as a snapshot wants it."""
    begun = set(sys.modules)
    import os  # before all else: its at-fork handlers run in the order of registration

    if "pmm" in boot._settings:
        own = set(sys.modules) - begun
        import frazil_runtime.pmm.start  # noqa: F401 - each start needs it, and it asks for nothing

        _early.update(set(sys.modules) - own)
    from frazil_runtime import asked

    os.register_at_fork(after_in_child=_own_threads)
    watch = asked.Watch(os, note)
    for name in names:
        package, _, last = name.rpartition(".")
        if hasattr(sys.modules.get(package), last):
            continue  # as "from package import last" does: an attribute goes before a module of that name
        try:
            __import__(name)
        except Exception as error:
            sys.stderr.write(f"{name}: {type(error).__name__}: {error}\n")
            raise
    watch.end()
    for name, digest in _state():
        note("state", ascii(name).encode(), digest.encode())
    sys.argv = []
    sys.orig_argv = []
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    sys._clear_type_cache()
    for _ in range(3):
        gc.collect()


def _state() -> "Iterator[tuple[str, str]]":
    """What the modules hold, as digests; leaves nothing behind."""
    from frazil_runtime import state

    try:
        yield from state.digests(_RENEWED)
    finally:
        del sys.modules[state.__name__], sys.modules[state.__package__].state


def tell() -> None:
    """Print what the modules hold, for who made the snapshot and tries it: a line each."""
    if _is_tried():
        sys.stdout.write("".join(f"{name!a}\t{digest}\n" for name, digest in _state()))


def freeze() -> None:
    """Put all objects where the collector does not look at them."""
    gc.freeze()


def _own_threads() -> None:
    """The main thread has another identity now; ``threading`` would take it for an unknown one."""
    threading = sys.modules.get("threading")
    if threading is None or not _pending:
        return
    main = threading._main_thread
    threading._active.clear()
    main._set_ident()
    main._set_native_id()
    threading._active[main._ident] = main


def resume(environment: "dict[bytes, bytes]", errors: str, ignored: "list[int]") -> "str | None":
    """Make what Python keeps of the process that of this one, or say why it cannot be the snapshot's.

    ``ignored`` are the signals that it was started to ignore; ``errors`` is how the standard streams take what cannot be
    decoded.
    """
    _pending.clear()
    posix = sys.modules["posix"]
    posix.environ.clear()
    posix.environ.update(environment)
    os = sys.modules["os"]
    os.environ._data.clear()
    os.environ._data.update(environment)
    _renew_streams(posix, errors)
    boot.set_process(storages=not _is_tried())
    _take_signals(ignored)
    for name, renew in _RENEWED.items():
        module = sys.modules.get(name)
        if module is not None:
            renew(module)
    return _replaced() if "pmm" in boot._settings else None


def _is_tried() -> bool:
    """Whether whoever made the snapshot tries it: storages may have anything then, or not be there yet."""
    argv = _frazil.process()[1]
    return len(argv) > 1 and argv[0] == _TRIAL


def _take_signals(ignored: "list[int]") -> None:
    """Say of signals what a cold start says, which takes them as it finds them; a handler that an import has set stays."""
    signal = sys.modules["_signal"]
    for number in ignored:
        handler = signal.getsignal(number)
        as_found = handler in {signal.SIG_DFL, signal.default_int_handler}
        signal.signal(number, signal.SIG_IGN if as_found else handler)


def _replaced() -> "str | None":
    """Why no module of the snapshot may be used: a storage has one of them."""
    finder: Any = sys.meta_path[0]
    if type(finder).__module__ != "frazil_runtime.pmm.finder":
        return None  # no storages, or their modules come last
    for name in [name for name in sys.modules if name not in _early]:
        try:
            found = finder.find_spec(name)
        except Exception:  # noqa: BLE001 - the cold start meets it again, and says it
            found = finder
        if found is not None:
            return f"a storage has a module that the snapshot holds: {name}"
    return None


def _renew_streams(posix: "Any", errors: str) -> None:
    """Initialise the standard streams again, the same objects: modules may have kept them.

    Only what is under their buffers is new: it would not look again whether one can seek in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, f"__{name}__")
        buffer = stream.buffer
        raw = type(buffer.raw)(number, "rb" if number == 0 else "wb", closefd=False)
        raw.name = f"<{name}>"
        buffer.__init__(raw, raw._blksize if raw._blksize > 1 else 8192)
        line_buffering = number == 2 or posix.isatty(number)
        stream.__init__(buffer, "utf-8", "backslashreplace" if number == 2 else errors, "\n", line_buffering)
        stream.mode = "r" if number == 0 else "w"


def _current_directory() -> "str | None":
    os = sys.modules["os"]
    try:
        return os.path.abspath(os.getcwd())  # type: ignore[no-any-return]  # modules of the snapshot have no types here
    except OSError:
        return None


def _renew_logging(logging: "Any") -> None:
    """The time that records count from."""
    import time

    logging._startTime = time.time_ns() if isinstance(logging._startTime, int) else time.time()


def _renew_multiprocessing(process: "Any") -> None:
    """The key that processes of one program know each other by, and where they start."""
    process.ORIGINAL_DIR = _current_directory()
    process.current_process()._config["authkey"] = process.AuthenticationString(sys.modules["posix"].urandom(32))


def _renew_descriptors(util: "Any") -> None:
    """How many files may be open."""
    util.MAXFD = sys.modules["os"].sysconf("SC_OPEN_MAX")


def _renew_spawn(spawn: "Any") -> None:
    """What is started for a new process."""
    spawn.set_executable(sys.executable)


def _renew_rich(rich: "Any") -> None:
    """What paths of files are completed by."""
    rich._IMPORT_CWD = _current_directory()


def _renew_numpy(random: "Any") -> None:
    """The generator behind ``numpy.random``'s functions."""
    random.seed()


def _renew_platform(platform: "Any") -> None:
    """What was found out about the machine."""
    platform._uname_cache = None
    platform._os_release_cache = None
    platform._platform_cache.clear()


def _renew_uuid(uuid: "Any") -> None:
    """The machine's address, and what follows it in identifiers made of the time."""
    uuid._node = uuid._last_timestamp = None


def _renew_time(time: "Any") -> None:
    """The time zone, from TZ or the system's file."""
    time.tzset()


def _renew_sysconfig(sysconfig: "Any") -> None:
    """The directory of the user's packages."""
    found = sysconfig._CONFIG_VARS
    if found and "userbase" in found:
        found["userbase"] = sysconfig._getuserbase()


_RENEWED: "dict[str, Callable[[Any], None]]" = {
    "logging": _renew_logging,
    "multiprocessing.process": _renew_multiprocessing,
    "multiprocessing.spawn": _renew_spawn,
    "multiprocessing.util": _renew_descriptors,
    "numpy.random.mtrand": _renew_numpy,
    "platform": _renew_platform,
    "rich": _renew_rich,
    "sysconfig": _renew_sysconfig,
    "time": _renew_time,
    "uuid": _renew_uuid,
}
"""Modules that took time, random numbers or the executable's path when they were imported, and do not look again after fork."""
