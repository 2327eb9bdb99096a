"""A static web server on loopback: it remembers what it was asked for, and can be endless."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Server:
    """What is served, and what was asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[str] = []
        self.endless = ""
        """Files whose path ends with this never end."""
        self.slow = ""
        """Files whose path ends with this come a byte at a time."""
        self.url = ""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, served: Server, *arguments: object) -> None:
        self.served = served
        super().__init__(*arguments, directory=str(served.directory))  # type: ignore[arg-type]  # as the server passes them

    def do_GET(self) -> None:
        self.served.asked.append(self.path)
        with suppress(ConnectionError):  # clients are killed
            if self.served.endless and self.path.endswith(self.served.endless):
                self.send_response(200)
                self.end_headers()
                while True:
                    self.wfile.write(b" " * 100_000)
            if self.served.slow and self.path.endswith(self.served.slow):
                self.send_response(200)
                self.end_headers()
                while True:
                    self.wfile.write(b" ")
                    time.sleep(0.05)
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Be quiet."""


@contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """Serve a directory, which is made."""
    directory.mkdir(exist_ok=True)
    served = Server(directory)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, served)) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
