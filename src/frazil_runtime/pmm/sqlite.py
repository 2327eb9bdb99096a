"""An SQLite database as a storage (``docs/spec/pmm.md``, "SQLite")."""

import os
import sqlite3

from frazil_runtime.pmm.errors import StorageError
from frazil_runtime.pmm.keys import is_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

APPLICATION_ID = 0x46505A4D
VERSION = 1
_CREATE = "CREATE TABLE IF NOT EXISTS modules (key TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL) WITHOUT ROWID"
_PUT = "INSERT OR REPLACE INTO modules (key, data) VALUES (?, ?)"
_WAIT = 30
"""Seconds until a database that others write to counts as broken."""


class SqliteStorage:
    """A table of keys and bytes. Reading never makes or alters the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"sqlite:{path}"
        self._reading: tuple[int, sqlite3.Connection] | None = None

    def load(self, key: str, limit: int) -> "bytes | None":
        """See ``protocol.Storage``."""
        if not is_key(key):
            return None
        try:
            connection = self._reader()
            if connection is None:
                return None
            # The length first: what is too long is not read.
            row = connection.execute("SELECT typeof(data), length(data) FROM modules WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            if row[0] != "blob" or row[1] > limit:
                raise self._broken(f"{key} has more than {limit} bytes" if row[0] == "blob" else f"{key} is no bytes")
            found = connection.execute("SELECT data FROM modules WHERE key = ? AND length(data) <= ?", (key, limit)).fetchone()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error
        return None if found is None else bytes(found[0])

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
        try:
            connection = self._writer()
            try:
                connection.execute("BEGIN IMMEDIATE")
                for key, data in changes.items():
                    if data is None:
                        connection.execute("DELETE FROM modules WHERE key = ?", (key,))
                    else:
                        connection.execute(_PUT, (key, data))
                connection.execute("COMMIT")
            finally:
                connection.close()  # which rolls back what was not committed
        except (sqlite3.Error, OSError) as error:
            raise self._broken(f"it cannot be written: {error}") from error

    def keys(self) -> list[str]:
        """See ``protocol.WritableStorage``."""
        try:
            connection = self._reader()
            rows = [] if connection is None else connection.execute("SELECT key FROM modules").fetchall()
        except sqlite3.Error as error:
            raise self._broken(str(error)) from error
        return sorted(key for (key,) in rows if isinstance(key, str) and is_key(key))

    def close(self) -> None:
        """Let the connection go; the next question makes a new one."""
        if self._reading is not None and self._reading[0] == os.getpid():
            self._reading[1].close()
        self._reading = None

    def __del__(self) -> None:
        """Python 3.13 warns of connections that nobody closes."""
        self.close()

    def _reader(self) -> "sqlite3.Connection | None":
        """A connection of this process; None as long as there is no file."""
        if self._reading is None or self._reading[0] != os.getpid():  # SQLite forbids to carry one over fork
            if not os.path.lexists(self.path):
                return None
            connection = self._connect("ro")
            try:
                self._check(connection)
            except BaseException:
                connection.close()
                raise
            self._reading = os.getpid(), connection
        return self._reading[1]

    def _writer(self) -> sqlite3.Connection:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        fresh = not os.path.lexists(self.path)
        connection = self._connect("rwc")
        try:
            if fresh or not self._is_set_up(connection):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_CREATE)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("COMMIT")
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        quoted = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        # Transactions are begun by name, not by the module; threads take turns by SQLite's own lock.
        return sqlite3.connect(
            f"file:{quoted}?mode={mode}", timeout=_WAIT, isolation_level=None, check_same_thread=False, uri=True
        )

    @staticmethod
    def _is_set_up(connection: sqlite3.Connection) -> bool:
        """Whether there is anything in the database: of an empty one, such as one whose making was cut off, we make ours."""
        return bool(connection.execute("PRAGMA schema_version").fetchone()[0])

    def _check(self, connection: sqlite3.Connection) -> None:
        identity = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if (identity, version) == (0, 0) and not self._is_set_up(connection):
            raise self._broken("the database is empty")
        if identity != APPLICATION_ID:
            raise self._broken("this is a database of something else")
        if version != VERSION:
            raise self._broken(f"it has version {version}; this program knows version {VERSION}")

    def _broken(self, what: str) -> StorageError:
        return StorageError(f"the storage {self.name} is broken: {what}")
