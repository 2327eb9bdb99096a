"""What Python code asks while a snapshot is made, and no function of the C library shows: variables, languages, the machine.

``Watch`` puts itself in the place of what would answer. No executable has this module when it runs.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Note = Callable[[str, bytes, bytes | None], None]

_ZONE = ("altzone", "daylight", "timezone", "tzname")
"""What the time module says of the local time zone."""
_LANGUAGES = (b"LANGUAGE", b"LC_ALL", b"LC_MESSAGES", b"LANG")
"""What gettext looks at, before it looks for catalogs."""


class Watch:
    """Notes what is asked for, until its end."""

    def __init__(self, os: "Any", note: "Note") -> None:
        import time

        self._os = os
        self._time: Any = time
        variables = _Variables(os.environ._data)
        variables.os, variables.note = os, note
        os.environ._data = variables
        self._machine = _Machine(os, note)
        time.__class__ = _time_of(os, note)

    def end(self) -> None:
        """Put everything back."""
        self._os.environ._data = dict(dict.items(self._os.environ._data))  # asks for none of them
        self._machine.end()
        self._time.__class__ = type(sys)
        del sys.modules[__name__], sys.modules[__package__].asked


class _Variables(dict):  # type: ignore[type-arg]  # what os.environ keeps its variables in
    """The environment: notes which variables are asked for."""

    os: "Any"
    note: "Note"

    def __getitem__(self, name: bytes) -> bytes:
        self._asked(name)
        return dict.__getitem__(self, name)  # type: ignore[no-any-return]

    def __contains__(self, name: object) -> bool:
        if isinstance(name, bytes):
            self._asked(name)
        return dict.__contains__(self, name)

    def __len__(self) -> int:
        self.note("environment", b"", None)
        return dict.__len__(self)

    def __iter__(self) -> "Iterator[bytes]":
        self.note("environment", b"", None)
        return dict.__iter__(self)

    def _asked(self, name: bytes) -> None:
        if name not in _LANGUAGES or _has_catalogs(self.os, sys._getframe(2)):
            self.note("variable", name, dict.get(self, name))


def _has_catalogs(os: "Any", frame: "Any") -> bool:
    """False when it is gettext that asks, and finds no catalog whatever the language is."""
    while frame is not None and frame.f_globals.get("__name__") in {"os", "collections.abc", "_collections_abc"}:
        frame = frame.f_back
    if frame is None or frame.f_code.co_name != "find" or frame.f_globals.get("__name__") != "gettext":
        return True
    place, domain = (frame.f_locals.get(name) for name in ("localedir", "domain"))
    try:
        languages = os.listdir(place)
    except OSError:
        return False
    return any(os.path.exists(f"{place}/{one}/LC_MESSAGES/{domain}.mo") for one in languages)


class _Machine:
    """``os.uname`` and ``platform.uname``: notes which functions of ``platform`` tell what.

    That module asks the system once, and tells others from what it keeps.
    """

    def __init__(self, os: "Any", note: "Note") -> None:
        self._os = os
        self._note = note
        self._platform: Any = None
        self._real: Any = None
        self._system: Any = os.uname
        os.uname = self._ask

    def _ask(self) -> "Any":
        """Stand in for ``os.uname``; its first caller is ``platform.uname``, or somebody who wants all."""
        caller = sys._getframe(1)
        if caller.f_globals.get("__name__") == "platform" and self._platform is None:
            self._platform = sys.modules["platform"]
            self._real = self._platform.uname
            self._platform.uname = self._tell
            self._say(caller.f_back)
        return self._system()

    def _tell(self) -> "Any":
        """Stand in for ``platform.uname``."""
        self._say(sys._getframe(1))
        return self._real()

    def _say(self, caller: "Any") -> None:
        inside = caller is not None and caller.f_globals.get("__name__") == "platform"
        self._note("platform", caller.f_code.co_name.encode() if inside else b"", None)

    def end(self) -> None:
        """Put the functions back."""
        self._os.uname = self._system
        if self._platform is not None:
            self._platform.uname = self._real


def _time_of(os: "Any", note: "Note") -> type:
    """A class for the time module: notes who looks at the time zone, which follows from TZ and is set anew in a new process."""

    class Time(type(sys)):  # type: ignore[misc]  # the class of modules
        def __getattribute__(self, name: str) -> "Any":
            if name in _ZONE:
                note("zone", b"TZ", dict.get(os.environ._data, b"TZ"))
            return super().__getattribute__(name)

    return Time
