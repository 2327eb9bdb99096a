"""What the image says about storages (``docs/spec/launcher.md``, "Settings"), and the placeholders in their URLs."""

import posix
import sys

from frazil_runtime.pmm.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_SEPARATOR = ":"


class Settings:
    """The image's settings about storages. Also what ``frazil_runtime.pmm.trust`` goes by."""

    __slots__ = (
        "allow",
        "application",
        "deny",
        "executable",
        "expired",
        "floor",
        "image",
        "locked",
        "mode",
        "python",
        "root",
        "state",
        "unsigned",
        "urls",
    )

    def __init__(self, image: "Mapping[str, str]", executable: str) -> None:
        self.image = image
        self.executable = executable
        self.application = image["name"]
        self.python = sys.implementation.cache_tag or ""
        self.mode = image.get("pmm.mode", "override")
        self.locked = self.mode == "locked"
        self.unsigned = image.get("pmm.unsigned") == "1"
        self.floor = image.get("pmm.floor", "")
        self.expired = image.get("pmm.expired", "")
        self.allow = _names(image.get("pmm.allow", ""))
        self.deny = _names(image.get("pmm.deny", ""))
        self.urls = [self.expand(image[f"pmm.{number}"]) for number in range(int(image["pmm"]))]
        root = image.get("pmm.root")
        self.root = None if root is None else _content(f"/memfs:/{root}")
        self.state = self.expand(image.get("pmm.state", "{user_data}/pmm"))

    def expand(self, text: str) -> str:
        """A URL or path with its placeholders filled in."""
        if "{" in text:
            for name, place in (("{exe_dir}", self._exe_dir), ("{user_data}", self._data), ("{user_cache}", self._cache)):
                if name in text:
                    text = text.replace(name, place())
        return text

    def _exe_dir(self) -> str:
        if not self.executable.startswith("/"):
            raise StorageError("the place of this executable is not known (is /proc mounted?), and its storages are beside it")
        return self.executable.rpartition("/")[0]

    def _data(self) -> str:
        return self._user("XDG_DATA_HOME", ".local/share")

    def _cache(self) -> str:
        return self._user("XDG_CACHE_HOME", ".cache")

    def _user(self, variable: str, below: str) -> str:
        """The user's own place for this application (XDG Base Directory Specification)."""
        trusted = not self.locked and posix.getuid() == posix.geteuid() and posix.getgid() == posix.getegid()
        base = _environment(variable) if trusted else ""
        if not base.startswith("/"):
            home = _environment("HOME") if trusted else ""
            base = f"{home if home.startswith('/') else _home()}/{below}"
        return f"{base}/{self.application}"


def _environment(name: str) -> str:
    """A variable of the environment that this process was started with."""
    encoding = sys.getfilesystemencoding()
    return posix.environ.get(name.encode(), b"").decode(encoding, sys.getfilesystemencodeerrors())


def _home() -> str:
    import pwd

    try:
        return pwd.getpwuid(posix.geteuid()).pw_dir
    except KeyError:
        return f"/nonexistent/{posix.geteuid()}"  # as Debian names the home of who has none; nothing can be written there


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(_SEPARATOR)) if text else ()


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
