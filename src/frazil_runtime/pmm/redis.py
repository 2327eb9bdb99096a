"""A Redis server as a storage (``docs/spec/pmm.md``, "Redis"): a client for the few commands that this takes.

The protocol is RESP 2. What a server sends is read in bounds: a line has at most 64 KiB, a value at most ``limit`` bytes.
"""

import os
import socket
from _thread import allocate_lock
from urllib.parse import parse_qs, unquote, urlsplit

from frazil_runtime.pmm.errors import StorageError
from frazil_runtime.pmm.keys import is_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Answer = bytes | int | None | list["Answer"]

_PORT = 6379
_PREFIX = "frazil:pmm:"
_WAIT = 10
"""Seconds until a server counts as gone."""
_LINE = 1 << 16
_KEYS = 1 << 20
_DEPTH = 4


class _ServerError(Exception):
    """What the server says when it refuses."""


class RedisStorage:
    """Strings under a prefix.

    ``redis://[[USER]:PASSWORD@]HOST[:PORT][/DB][?prefix=P]``, or ``redis+unix://[[USER]:PASSWORD@]PATH[?db=N&prefix=P]``.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self._prefix = query.get("prefix", [_PREFIX])[0]
        self._address: str | tuple[str, int]
        try:
            if parts.scheme == "redis+unix":
                self._address = unquote(parts.path)
                database = query.get("db", ["0"])[0]
                self.name = f"redis+unix:{parts.path}"
            else:
                self._address = (parts.hostname or "localhost", parts.port or _PORT)
                database = parts.path.strip("/") or "0"
                self.name = f"redis://{parts.netloc.rpartition('@')[2]}/{database}"
            self._database = int(database)
        except ValueError as error:
            msg = f"{url!r} names no storage: {error}"
            raise StorageError(msg) from error
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._connection: tuple[int, _Connection] | None = None
        self._lock = allocate_lock()  # one question at a time

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        if not is_key(key):
            return None
        with self._lock:
            size = self._ask(["STRLEN", self._key(key)], limit=_LINE)
            if isinstance(size, int) and size > limit:
                raise self._broken(f"{key} has more than {limit} bytes")
            data = self._ask(["GET", self._key(key)], limit=limit)
        if data is not None and not isinstance(data, bytes):
            raise self._broken(f"{key} is no string")
        return data

    def store(self, key: str, data: bytes) -> None:
        """See ``protocol.WritableStorage``."""
        self.replace({key: data})

    def remove(self, key: str) -> None:
        """See ``protocol.WritableStorage``."""
        self.replace({key: None})

    def replace(self, changes: "Mapping[str, bytes | None]") -> None:
        """See ``protocol.TransactionalStorage``."""
        for key in changes:
            if not is_key(key):
                raise self._broken(f"{key!r} cannot be the name of a module")
        with self._lock:
            self._ask(["MULTI"])
            try:
                for key, data in changes.items():
                    self._ask(["DEL", self._key(key)] if data is None else ["SET", self._key(key), data])
            except BaseException:
                self.close()  # which ends the transaction
                raise
            if not isinstance(self._ask(["EXEC"]), list):
                raise self._broken("it did not take the changes")

    def keys(self) -> list[str]:
        """See ``protocol.WritableStorage``."""
        pattern = "".join(f"\\{one}" if one in r"\*?[]^-" else one for one in self._prefix) + "*"
        found: set[str] = set()
        cursor: Answer = b"0"
        while True:
            with self._lock:
                answer = self._ask(["SCAN", cursor if isinstance(cursor, bytes) else b"0", "MATCH", pattern, "COUNT", "1000"])
            if not isinstance(answer, list) or len(answer) != 2 or not isinstance(answer[1], list):  # noqa: PLR2004 - a pair
                raise self._broken("it does not speak Redis's protocol")
            names = [one.decode("utf-8", "replace") for one in answer[1] if isinstance(one, bytes)]
            found.update(name[len(self._prefix) :] for name in names)
            cursor = answer[0]
            if cursor == b"0":
                return sorted(filter(is_key, found))

    def close(self) -> None:
        """Let the connection go; the next question makes a new one."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    def _key(self, key: str) -> str:
        return self._prefix + key

    def _ask(self, words: "list[str | bytes]", limit: int = _KEYS) -> "Answer":
        try:
            return self._connected().ask(words, limit)
        except _ServerError as error:
            raise self._broken(str(error)) from error
        except (OSError, ValueError) as error:
            self.close()
            raise self._broken(f"{error}" or type(error).__name__) from error

    def _connected(self) -> "_Connection":
        if self._connection is None or self._connection[0] != os.getpid():
            connection = _Connection(self._address)
            try:
                if self._password:
                    connection.ask(["AUTH", *([self._user] if self._user else []), self._password], _LINE)
                if self._database:
                    connection.ask(["SELECT", str(self._database)], _LINE)
            except BaseException:
                connection.close()
                raise
            self.close()
            self._connection = os.getpid(), connection
        return self._connection[1]

    def _broken(self, what: str) -> StorageError:
        return StorageError(f"the storage {self.name} is broken: {what}")


class _Connection:
    """One connection. OSError: it is gone; ValueError: the server says what is no RESP."""

    def __init__(self, address: "str | tuple[str, int]") -> None:
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(_WAIT)
            try:
                self._socket.connect(address)
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection(address, _WAIT)
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        """End it."""
        self._file.close()
        self._socket.close()

    def ask(self, words: "list[str | bytes]", limit: int) -> "Answer":
        """The answer to one command. Raises _ServerError when the server refuses it."""
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word.encode() if isinstance(word, str) else word
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
        self._socket.sendall(b"".join(parts))
        return self._answer(limit, _DEPTH)

    def _answer(self, limit: int, depth: int) -> "Answer":
        line = self._file.readline(_LINE)
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server went away" if not line else "the server does not speak Redis's protocol")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise _ServerError(rest.decode("utf-8", "replace"))
        number = int(rest)
        if kind == b":":
            return number
        if kind not in {b"$", b"*"} or number < -1 or number > limit or not depth:
            raise ValueError("the server's answer is longer than it may be, or not in Redis's protocol")
        if number == -1:
            return None
        if kind == b"*":
            return [self._answer(limit, depth - 1) for _ in range(number)]
        data = self._file.read(number + 2)
        if len(data) != number + 2:
            raise ConnectionError("the server went away")
        return data[:-2]
