"""``frozen_content.c``: its tables as C reads them, and when it is made again."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from frazil.builder.micropython.content import ContentResult, Firmware, dependencies, freeze_content
from frazil.builder.micropython.mpy_cross import CrossCompiler, find_mpy_cross
from frazil.builder.micropython.strings import string_part
from frazil.cache import ContentCache
from frazil.errors import FrazilError, HostError, OutputError, SourceError, UsageError
from frazil.frozen import Dialect, Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from frazil.frozen import FrozenModule

    Make = Callable[..., FrozenModule]

CONTENTS = {
    "plain.py": b"x = 1\n",
    "empty.py": b"",
    "pkg/__init__.py": b"",
    "pkg/quotes.py": b's = "a\\"b\\n" + \'c\' # ??= ??/ \\\n',
    "bytes.py": bytes(range(256)) + b"\x00\x011234",
    "no_end.py": b"pass",
    "returns.py": b"a = 1\r\nb = 2\r\n",
    "utf8.py": "s = 'grüß €'\n".encode(),
    "long.py": b"x = '" + b"0123456789" * 1000 + b"'\n",
    "näme.py": b"n = 1\n",
    "tab.py": b"if 1:\n\tpass\n\n\n",
}


class Frozen(NamedTuple):
    kind: str
    name: str
    content: bytes


def read_by_c(directory: Path, output: Path, *flags: str) -> list[Frozen]:
    """The modules that a C program finds in the tables."""
    program = directory / "check"
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{directory}", f"-I{output.parent}"]
    command += [*flags, str(directory / "check.c"), "-o", str(program)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    answer = subprocess.run([program], capture_output=True, check=True)
    rows = [line.split(b" ") for line in answer.stdout.splitlines()]
    assert all(int(size) == len(content) // 2 for _, _, size, content in rows)
    return [Frozen(kind.decode(), name.decode(), bytes.fromhex(content.decode())) for kind, name, _, content in rows]


class Bench:
    """A firmware to freeze for, and one cache."""

    def __init__(self, directory: Path, module: Make) -> None:
        self.directory = directory
        self.output = directory / "build/frozen_content.c"
        self.cache = ContentCache(directory / "cache")
        self.make = module
        self.firmware = Firmware(directory / "source", directory / "build")
        self.flags: tuple[str, ...] = ()
        self.program = find_mpy_cross(None, {}, os.environ)

    def freeze(self, *modules: FrozenModule) -> ContentResult:
        compiler = CrossCompiler(self.program, self.flags, self.firmware.dialect, self.cache)
        return freeze_content(modules, self.output, self.firmware, compiler, self.cache)


@pytest.fixture
def bench(firmware: Path, module: Make) -> Bench:
    return Bench(firmware, module)


LOUD = "def f(a):\n    assert a\n"
STRINGS = "-DMICROPY_MODULE_FROZEN_STR=1"


def test_strings_reach_c_whole(bench: Bench) -> None:
    modules = [bench.make(target, content, Kind.STRING) for target, content in CONTENTS.items()]
    bench.freeze(*modules, bench.make("code.py", "c = 1\n"), bench.make("pkg/deep.py", "d = 1\n", opt=3))
    found = read_by_c(bench.directory, bench.output, STRINGS)
    expected = [("str", target, content or b"\n") for target, content in CONTENTS.items()]
    assert [tuple(one) for one in found[: len(expected)]] == expected
    assert [(one.kind, one.name, one.content[:1]) for one in found[len(expected) :]] == [
        ("mpy", "code.py", b"M"),
        ("mpy", "pkg/deep.py", b"M"),
    ]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_strings_alone_and_nothing_at_all(bench: Bench, dialect: Dialect) -> None:
    bench.firmware = Firmware(None, bench.directory / "build", dialect=dialect)
    bench.freeze(bench.make("a.py", "a = 1\n", Kind.STRING))
    assert read_by_c(bench.directory, bench.output, STRINGS) == [Frozen("str", "a.py", b"a = 1\n")]
    bench.freeze()
    assert read_by_c(bench.directory, bench.output) == []


def test_a_firmware_that_cannot_take_strings_says_so(bench: Bench) -> None:
    bench.freeze(bench.make("a.py", "a = 1\n", Kind.STRING), bench.make("b.py", ""))
    command = ["cc", "-fsyntax-only", f"-I{bench.directory}", str(bench.output)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    assert "build with MICROPY_MODULE_FROZEN_STR=1" in answer.stderr


def test_bytecode_files_go_in_as_they_are(bench: Bench, tmp_path: Path) -> None:
    compiled = CrossCompiler(bench.program, (), Dialect.CURRENT, ContentCache(tmp_path / "other"))
    (data,) = compiled.compile([bench.make("ready.py", "r = 1\n")]).values()
    bench.freeze(bench.make("ready.mpy", data, Kind.MPY))
    assert read_by_c(bench.directory, bench.output) == [Frozen("mpy", "ready.py", data)]


def test_it_is_made_again_exactly_when_something_changed(bench: Bench) -> None:
    code, text = bench.make("code.py", "c = 1\n"), bench.make("text.py", "t = 1\n", Kind.STRING)
    assert bench.freeze(code, text).changed
    before = bench.output.stat()
    assert not bench.freeze(code, text).changed
    os.utime(code.path)
    os.utime(text.path)
    assert not bench.freeze(code, text).changed
    assert bench.output.stat() == before, "untouched"
    old = 1_000_000_000
    bench.output.write_bytes(b"")
    os.utime(bench.output, (2 * old, 2 * old))
    assert bench.freeze(code, text).changed, "an output of others"

    changes: list[Callable[[], ContentResult]] = [
        lambda: bench.freeze(code, bench.make("text.py", "t = 2\n", Kind.STRING)),
        lambda: bench.freeze(bench.make("code.py", LOUD), text),
        lambda: bench.freeze(bench.make("code.py", LOUD, opt=3), text),
        lambda: bench.freeze(code),
        lambda: bench.freeze(text),
        lambda: bench.freeze(text, bench.make("older.py", "o = 1\n", Kind.STRING)),
        lambda: bench.freeze(bench.make("older.py", "o = 1\n", Kind.STRING), text),
        lambda: bench.freeze(text, bench.make("newname.py", "o = 1\n", Kind.STRING)),
    ]
    for change in changes:
        for place in (code.path, text.path):
            os.utime(place, (old, old))
        assert change().changed
        assert not change().changed


def test_tools_and_flags_count_too(bench: Bench) -> None:
    code = bench.make("code.py", "def f():\n    assert 0\n")
    assert bench.freeze(code).changed
    header = bench.directory / "build/genhdr/qstrdefs.preprocessed.h"
    header.write_text("QCFG(BYTES_IN_LEN, 2)\n")
    assert bench.freeze(code).changed
    tool = bench.directory / "source/tools/mpy-tool.py"
    tool.write_text(tool.read_text().replace('"// ', '"// newer '))
    assert bench.freeze(code).changed
    bench.firmware = Firmware(bench.firmware.source, bench.firmware.build, ("-mlongint-impl", "none"))
    assert bench.freeze(code).changed
    assert "newer none QCFG(BYTES_IN_LEN, 2) False" in bench.output.read_text()
    bench.flags = ("-O3",)
    assert bench.freeze(code).changed
    assert not bench.freeze(code).changed


def test_bytecode_stands_in_the_build_and_stale_files_go(bench: Bench) -> None:
    bench.freeze(bench.make("pkg/a.py", ""), bench.make("b.py", ""))
    bench.freeze(bench.make("b.py", ""))
    assert [path.name for path in (bench.directory / "build/frozen_mpy").rglob("*.mpy")] == ["b.mpy"]


def test_the_environment_does_not_reach_the_tool(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(bench.directory))
    bench.freeze(bench.make("b.py", ""))
    assert "1) False" in bench.output.read_text()
    assert not list(bench.directory.rglob("__pycache__"))


def refused(bench: Bench, kind: type[FrazilError], *modules: FrozenModule) -> FrazilError:
    """The error; the output stays as it was."""
    bench.output.write_text("before")
    with pytest.raises(kind) as raised:
        bench.freeze(*modules)
    assert bench.output.read_text() == "before"
    return raised.value


def test_what_is_missing_is_told(bench: Bench) -> None:
    code = bench.make("code.py", "")
    source, build = bench.directory / "source", bench.directory / "build"
    bench.firmware = Firmware(None, build)
    assert "-v MPY_DIR=" in refused(bench, UsageError, code).remedy
    bench.firmware = Firmware(bench.directory, build)
    assert refused(bench, UsageError, code).where == str(bench.directory / "tools/mpy-tool.py")
    bench.firmware = Firmware(source, source)
    assert "-b" in refused(bench, UsageError, code).remedy


def test_what_the_tool_says_is_told(bench: Bench) -> None:
    (bench.directory / "build/genhdr/qstrdefs.preprocessed.h").write_text("broken")
    assert "the table of strings is broken" in refused(bench, HostError, bench.make("code.py", "")).details


def test_names_that_a_firmware_cannot_have(bench: Bench) -> None:
    error = refused(bench, SourceError, bench.make("näme.py", ""))
    assert "names of modules in a firmware are ASCII" in error.problem
    assert error.where == "manifest.py:1"


def test_sources_and_bytecode_that_are_none(bench: Bench) -> None:
    assert "SyntaxError" in refused(bench, SourceError, bench.make("bad.py", "x = =\n")).problem
    assert "no bytecode" in refused(bench, SourceError, bench.make("m.mpy", b"nothing", Kind.MPY)).problem


def test_an_output_that_is_a_directory(bench: Bench) -> None:
    bench.output.mkdir()
    with pytest.raises(OutputError, match="this is a directory"):
        bench.freeze(bench.make("a.py", "", Kind.STRING))


def test_rules_for_make(tmp_path: Path) -> None:
    """Make itself finds each name, and does not stop for one that is gone."""
    awkward = [tmp_path / name for name in ("plain.py", "with space.py", "dollar$.py", "hash#.py")]
    for path in awkward[:3]:
        path.write_text("")
    (tmp_path / "rules.d").write_bytes(dependencies(tmp_path / "out.c", awkward))
    (tmp_path / "Makefile").write_text(f"include rules.d\n{tmp_path}/out.c:\n\ttouch $@\n")

    def make() -> str:
        return subprocess.run(["make", f"{tmp_path}/out.c"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "touch" in make()
    awkward[3].write_text("")
    for path in awkward:
        make()
        assert "up to date" in make()
        later = (tmp_path / "out.c").stat().st_mtime + 10
        os.utime(path, (later, later))
        assert "touch" in make()
        os.utime(path, (1, 1))


def test_strings_are_plain_c() -> None:
    text = string_part(list(CONTENTS.items()))
    assert text.isascii()
    assert "??" not in text
    assert max(map(len, text.splitlines())) < 4096
