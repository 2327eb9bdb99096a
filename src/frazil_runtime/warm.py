"""The Python part of the warm start (``docs/spec/snapshot.md``): importing for a snapshot, and going on in a restored process.

``resume`` runs at every warm start: it imports nothing, and looks only at modules that the snapshot holds.
"""

import gc
import sys

from frazil_runtime import boot

TYPE_CHECKING = False


def make(names: "list[str]") -> None:
    """Import the modules, and leave everything as a snapshot wants it."""
    import os  # before all else: its at-fork handlers run in the order of registration

    os.register_at_fork(after_in_child=_own_threads)
    for name in names:
        try:
            __import__(name)
        except Exception as error:
            sys.stderr.write(f"{name}: {type(error).__name__}: {error}\n")
            raise
    sys.argv = []
    sys.orig_argv = []
    for name in ("stdout", "stderr"):
        getattr(sys, name).flush()
    sys._clear_type_cache()
    for _ in range(3):
        gc.collect()


def freeze() -> None:
    """Put all objects where the collector does not look at them."""
    gc.freeze()


def _own_threads() -> None:
    """The main thread has another identity now; ``threading`` would take it for an unknown one."""
    threading = sys.modules.get("threading")
    if threading is None or not _resuming:
        return
    main = threading._main_thread
    threading._active.clear()
    main._set_ident()
    main._set_native_id()
    threading._active[main._ident] = main


_resuming: "list[bool]" = [True]


def resume(environment: "dict[bytes, bytes]") -> None:
    """Make what Python keeps of the process that of this one."""
    _resuming.clear()
    posix = sys.modules["posix"]
    posix.environ.clear()
    posix.environ.update(environment)
    os = sys.modules["os"]
    os.environ._data.clear()
    os.environ._data.update(environment)
    _renew_streams()
    boot.set_process()


def _renew_streams() -> None:
    """Initialise the standard streams again, the same objects: modules may have kept them."""
    posix = sys.modules["posix"]

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, f"__{name}__")
        if stream is None:
            continue
        buffer = stream.buffer
        raw = buffer.raw
        raw.__init__(number, "rb" if number == 0 else "wb", closefd=False)
        raw.name = f"<{name}>"
        buffer.__init__(raw, raw._blksize if raw._blksize > 1 else 8192)
        line_buffering = number == 2 or posix.isatty(number)
        stream.__init__(buffer, stream.encoding, stream.errors, "\n", line_buffering)
        stream.mode = "r" if number == 0 else "w"
