"""Each example, built in both link modes, runs in a chroot that holds nothing but the C library."""

from __future__ import annotations

import http.server
import json
import shutil
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from support import Build, RunInRoot

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LINKS = ("static", "shared")


@pytest.fixture(params=LINKS)
def link(request: pytest.FixtureRequest) -> str:
    return f"--link={request.param}"


def test_hello(build: Build, run_in_root: RunInRoot, target: Path, link: str) -> None:
    done = run_in_root(build(EXAMPLES / "hello.py", target, link))
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello from one file.\n", "")


@pytest.fixture
def https_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTPS server on the loopback interface: its URL and its authority's certificate."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/", bundle
    server.shutdown()
    server.server_close()


def test_cli_asks_over_https(
    build: Build, run_in_root: RunInRoot, bare_root: Path, target: Path, link: str, https_server: tuple[str, Path]
) -> None:
    url, authority = https_server
    shutil.copy(authority, bare_root / "ca.pem")
    done = run_in_root(build(EXAMPLES / "cli.py", target, link), [url, "--cacert", "/ca.pem"])
    assert done.returncode == 0, done.stderr
    assert "│ status      │ 200" in done.stdout
    authorities = int(done.stdout.split("authorities │")[1].split()[0])
    assert authorities > 100, "certifi's bundle was not read"


def test_cli_refuses_an_unknown_authority(
    build: Build, run_in_root: RunInRoot, target: Path, https_server: tuple[str, Path]
) -> None:
    done = run_in_root(build(EXAMPLES / "cli.py", target, "--link=auto"), [https_server[0]])
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr


def test_cli_shows_its_usage_under_its_own_name(build: Build, run_in_root: RunInRoot, target: Path) -> None:
    done = run_in_root(build(EXAMPLES / "cli.py", target, "--link=auto"), ["--nonsense"], name="fetch")
    assert done.returncode == 2
    assert "Usage: fetch [OPTIONS] URL" in done.stderr


def test_numpy(build: Build, run_in_root: RunInRoot, target: Path, link: str) -> None:
    done = run_in_root(build(EXAMPLES / "matrix.py", target, link))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("trace of the product: 333283335000.0\n")


def test_flask_answers_over_loopback(build: Build, bare_root: Path, enter: list[str], target: Path, link: str) -> None:
    shutil.copy(build(EXAMPLES / "web.py", target, link), bare_root / "app")
    with subprocess.Popen([*enter, "/app", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={"LANG": "C.UTF-8"}) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on "), process.stderr.read() if process.poll() is not None else line
            with urllib.request.urlopen(f"http://127.0.0.1:{line.split()[-1]}/", timeout=10) as answer:
                assert json.load(answer) == {"message": "Hello from one file.", "frozen": True}
        finally:
            process.kill()


def test_process_pool_under_spawn(build: Build, run_in_root: RunInRoot, target: Path, link: str) -> None:
    done = run_in_root(build(EXAMPLES / "pool.py", target, link))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "squares: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]\nin other processes: True\n"


def test_multicall_pair(build: Build, run_in_root: RunInRoot, target: Path, link: str) -> None:
    executable = build(EXAMPLES / "tools", target, link, "--multicall")
    assert run_in_root(executable, ["hi", "there"], name="shout").stdout == "HI THERE!\n"
    counted = run_in_root(executable, [], name="count")
    assert (counted.returncode, counted.stdout) == (1, "tools 1.0: 0 arguments\n")
    assert run_in_root(executable, ["shout", "hi"], name="tools").stdout == "HI!\n"
    neither = run_in_root(executable, [], name="tools")
    assert neither.returncode == 2
    assert "shout" in neither.stderr
    assert "count" in neither.stderr
