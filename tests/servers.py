"""Servers on loopback, for storages that are reached over a network: fixtures of several ``conftest.py`` files."""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A Redis server of this test run: its URL and the path of its socket. It keeps nothing and wants a password."""
    program = shutil.which("redis-server")
    assert program is not None, "install redis-server (Debian, Ubuntu: apt install redis-server)"
    place = tmp_path_factory.mktemp("redis")
    port = _free_port()
    words = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(place)]
    words += ["--requirepass", "se:cret", "--unixsocket", str(place / "socket"), "--logfile", str(place / "log")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None, (place / "log").read_text()
                    time.sleep(0.05)
            yield f"redis://:se%3Acret@127.0.0.1:{port}", str(place / "socket")
        finally:
            process.terminate()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        self.server.requests.append(self.path)  # type: ignore[attr-defined]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A web server: its URL, the directory that it serves, and the paths that it was asked for."""
    root = tmp_path / "web"
    root.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        requests: list[str] = []
        server.requests = requests  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", root, requests
        finally:
            server.shutdown()
            thread.join()
