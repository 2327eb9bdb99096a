"""Questions of configurations, asked on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
def make():
    m = FileManifest()
    answers = [prompt_confirm("Go on?", default = True), prompt_input("Name"), prompt_input("Place", default = "here"),
               prompt_password("Secret", confirm = True), can_prompt()]
    m.add_file(FileContent(filename = "answers", content = repr(answers)))
    return m

register_target("answers", make)
resolve_targets()
"""
# Makes the terminal on the standard input stream that of the session, as a shell's is.
ON_TERMINAL = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """``frazil build`` with a person at the other end."""

    def __init__(self, directory: Path) -> None:
        self.person, terminal = pty.openpty()
        command = [sys.executable, "-c", ON_TERMINAL, sys.executable, "-m", "frazil", "build", "-q"]
        environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
        self.process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=directory,
                                        env=environment, start_new_session=True)  # fmt: skip
        os.close(terminal)
        self.seen = ""

    def read(self) -> bool:
        """Read a piece; False at the end."""
        try:
            data = os.read(self.person, 4096)
        except OSError:  # what Linux says when the other end is closed
            return False
        self.seen += data.decode()
        return bool(data)

    def answer(self, prompt: str, answer: str) -> None:
        """Wait for a prompt, and type."""
        while prompt not in self.seen:
            assert self.read(), self.seen
        self.seen = self.seen.partition(prompt)[2]
        os.write(self.person, answer.encode())

    def interrupt(self, prompt: str) -> None:
        """Wait for a prompt, and type Control-C until it is noticed: just before Python reads, it waits for a key."""
        self.answer(prompt, "\x03")
        while self.process.poll() is None:
            time.sleep(0.2)
            with contextlib.suppress(OSError):
                os.write(self.person, b"\x03")

    def end(self) -> int:
        """The exit code; ``seen`` is then all that was printed."""
        while self.read():
            pass
        os.close(self.person)
        return self.process.wait(60)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    (tmp_path / "frazil.bzl").write_text(PROGRAM)
    return Terminal(tmp_path)


def test_answers(terminal: Terminal, tmp_path: Path) -> None:
    terminal.answer("Go on? [Y/n]: ", "n\n")
    terminal.answer("Name: ", "a name\n")
    terminal.answer("Place [here]: ", "\n")
    terminal.answer("Secret: ", "one\n")
    terminal.answer("Repeat for confirmation: ", "other\n")
    terminal.answer("Secret: ", "one\n")
    terminal.answer("Repeat for confirmation: ", "one\n")
    assert terminal.end() == 0, terminal.seen
    assert "one" not in terminal.seen
    made = tmp_path / "build/x86_64-unknown-linux-gnu/debug/answers/answers"
    assert made.read_text() == '[False, "a name", "here", "one", True]'


def test_interrupted(terminal: Terminal, tmp_path: Path) -> None:
    terminal.interrupt("Go on? [Y/n]: ")
    assert terminal.end() == 130
    assert "interrupted" in terminal.seen
    assert not (tmp_path / "build").exists()
