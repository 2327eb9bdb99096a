"""Reads files of its own in every way: ``reads.py CASE``."""

from __future__ import annotations

import errno
import inspect
import mmap
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
TEXT = b"".join(b"line %d of the text\n" % number for number in range(20_000))


def reads() -> None:
    """Sizes, reading, seeking, mapping, copying and changing."""
    path = HERE / "text.txt"
    assert path.stat().st_size == len(TEXT)
    assert path.stat().st_blocks * 512 >= len(TEXT)
    assert path.read_bytes() == TEXT
    with path.open("rb") as one, path.open("rb") as other:
        one.seek(100_000)
        assert one.read(50) == TEXT[100_000:100_050]
        assert other.read(50) == TEXT[:50]
        assert os.fstat(one.fileno()).st_size == len(TEXT)
        with mmap.mmap(one.fileno(), 0, access=mmap.ACCESS_READ) as view:
            assert view[:] == TEXT
    with zipfile.ZipFile(HERE / "archive.zip") as archive:
        assert archive.read("inside.txt") == TEXT
    with path.open("ab") as file:
        file.write(b"more")
    assert path.read_bytes() == TEXT + b"more"
    path.unlink()
    assert not path.exists()


def sources() -> None:
    """What tracebacks and introspection show."""
    assert inspect.getsource(sources).startswith("def sources() -> None:")
    assert Path(__file__).read_text().startswith('"""Reads files')
    try:
        raise ValueError(1)
    except ValueError as error:
        assert error.__traceback__
        line = inspect.getinnerframes(error.__traceback__)[0].code_context
        assert line
        assert line[0].strip() == "raise ValueError(1)"
    assert metadata.version("here") == "1.0"


def programs() -> None:
    """A script of the image, started as a program, is read by the interpreter that it names."""
    script = HERE / "script.sh"
    assert os.access(script, os.X_OK)
    assert subprocess.run([script, "1"], capture_output=True, check=True).stdout == b"from the script 1\n"


def damaged() -> None:
    """A file that cannot be decoded is an I/O error, again and again; all others are whole."""
    for _ in range(3):
        for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
            try:
                os.open(HERE / "text.txt", flags)
            except OSError as error:
                assert error.errno == errno.EIO
            else:
                raise AssertionError(flags)
    assert (HERE / "text.txt").stat().st_size > 0
    (HERE / "text.txt").unlink()
    (HERE / "text.txt").write_bytes(b"replaced")
    assert (HERE / "text.txt").read_bytes() == b"replaced"
    sources()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
