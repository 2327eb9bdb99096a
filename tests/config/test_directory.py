from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frazil.cache import ContentCache
from frazil.config.directory import freeze_plan
from frazil.config.source import SourceOptions
from frazil.distribution import PythonDistribution
from frazil.errors import FrazilError, SourceError, UsageError
from frazil.plan import EntryKind, EntryPoint, Plan
from frazil.resources.kinds import APPLICATION, BytecodeModule, DataFile, ExtensionModule, NativeLibrary, SourceModule
from front_end import Write

Freeze = Callable[..., Plan]


@pytest.fixture
def freeze(tmp_path: Path, distribution: PythonDistribution, cache: ContentCache) -> Freeze:
    """The plan of the test's directory, with options of ``SourceOptions``."""

    def run(source: str = ".", leave: tuple[Path, ...] = (), **options: Any) -> Plan:
        return freeze_plan(SourceOptions(source, directory=tmp_path, **options), distribution, cache, leave)

    return run


def paths(plan: Plan) -> list[str]:
    return [one.path for one in plan.collection]


def compiled(write: Write, distribution: PythonDistribution, name: str, source: str) -> bytes:
    root = write({"made/source.py": source})
    code = f"import py_compile; py_compile.compile('source.py', {name!r}, doraise=True)"
    subprocess.run([distribution.executable, "-c", code], cwd=root / "made", check=True)
    return (root / "made" / name).read_bytes()


def test_everything_goes_in_at_its_relative_path(freeze: Freeze, write: Write) -> None:
    root = write({
        "app/BIOS.py": "import mod, pkg.sub",
        "app/Make.py": "",
        "app/EXCLUDE": "",
        "app/mod.py": "",
        "app/pkg/__init__.py": "",
        "app/pkg/sub.py": "",
        "app/pkg/__pycache__/sub.cpython-311.pyc": b"old",
        "app/data/conf.json": "{}",
        "app/.hidden": "",
        "app/lib/own.txt": "",
        "app/object.o": b"\x7fELF",
        "app/not-a-module.py": "no Python",
        "app/läufig 1": "",
    })  # fmt: skip
    (root / "app/empty").mkdir()
    plan = freeze("app")
    assert paths(plan) == [
        ".hidden", "BIOS.py", "data/conf.json", "lib/own.txt", "läufig 1", "mod.py", "not-a-module.py", "object.o",
        "pkg/__init__.py", "pkg/sub.py",
    ]  # fmt: skip
    assert plan.directories == ("data", "empty", "lib", "pkg")
    assert (plan.name, plan.application) == ("app", "")
    assert plan.entries == (EntryPoint("app", EntryKind.SCRIPT, "BIOS.py"),)
    boot = SourceModule("BIOS", package=False, content=root / "app/BIOS.py", path="BIOS.py", directory="", owner=APPLICATION)
    assert plan.collection.get("BIOS.py") == boot
    sub = plan.collection.get("pkg/sub.py")
    assert isinstance(sub, SourceModule)
    assert (sub.name, sub.directory) == ("pkg.sub", "pkg")
    assert isinstance(plan.collection.get("not-a-module.py"), DataFile)
    assert plan.warnings == ()


def test_forms_of_modules(freeze: Freeze, write: Write, distribution: PythonDistribution, tmp_path: Path) -> None:
    pyc = compiled(write, distribution, "mod.pyc", "x = 1")
    suffix = distribution.extension_suffixes[0]
    write({
        "app/BIOS.py": "",
        "app/mod.pyc": pyc,
        "app/both.py": "",
        "app/both.pyc": pyc,
        "app/foreign.pyc": b"\0\0\r\n" + pyc[4:],
        "app/empty.pyc": b"",
        f"app/fast{suffix}": b"\x7fELF",
        "app/libown.so.1": b"\x7fELF",
        "app/script.so": "INPUT(libown.so.1)",
        "app/tool": "#!/bin/sh",
    })  # fmt: skip
    (tmp_path / "app/tool").chmod(0o755)
    plan = freeze("app")
    module = plan.collection.get("mod.pyc")
    assert isinstance(module, BytecodeModule)
    assert (module.name, module.directory) == ("mod", "")
    assert "both.pyc" not in plan.collection
    assert isinstance(plan.collection.get(f"fast{suffix}"), ExtensionModule)
    assert isinstance(plan.collection.get("libown.so.1"), NativeLibrary)
    assert isinstance(plan.collection.get("script.so"), DataFile)
    tool = plan.collection.get("tool")
    assert isinstance(tool, DataFile)
    assert tool.executable
    for name in ("foreign.pyc", "empty.pyc"):
        assert isinstance(plan.collection.get(name), DataFile)
        version = distribution.short_version
        assert (
            f"{tmp_path}/app/{name}: is no bytecode of Python {version}: it goes in, but importing it will fail"
            in plan.warnings
        )
    assert len(plan.warnings) == 2


def test_exclude_prunes_and_takes_back(freeze: Freeze, write: Write) -> None:
    write({
        "BIOS.py": "",
        "EXCLUDE": "# a comment\n*.c\n/notes/*\n!/notes/public.txt\n/gone/\n!/gone/kept\n!Make.py\n",
        "Make.py": "",
        "x.c": "",
        "deep/x.c": "",
        "deep/x.h": "",
        "notes/public.txt": "",
        "notes/private.txt": "",
        "gone/kept": "",
    })  # fmt: skip
    plan = freeze()
    assert paths(plan) == ["BIOS.py", "Make.py", "deep/x.h", "notes/public.txt"]
    assert plan.directories == ("deep", "notes")


def test_a_directory_that_is_left_out_is_not_looked_into(freeze: Freeze, write: Write) -> None:
    root = write({"BIOS.py": "", "EXCLUDE": "bad/\nloop\n"})
    (root / "bad").mkdir()
    os.mkfifo(root / "bad/pipe")
    (root / "loop").symlink_to("loop")
    assert paths(freeze()) == ["BIOS.py"]


def test_make_runs_first_in_the_directory_with_the_target(
    freeze: Freeze, write: Write, distribution: PythonDistribution
) -> None:
    root = write({
        "BIOS.py": "import generated",
        "helper.py": "text = 'made'",
        "Make.py": """
            import helper, os, sys
            print("not shown", sys.stdin.read())
            open("generated.py", "w").write("x = 1")
            open("EXCLUDE", "w").write("helper.py")
            open("where", "w").write(os.getcwd() + " " + os.path.realpath(sys.executable))
        """,
    })  # fmt: skip
    assert paths(freeze()) == ["BIOS.py", "generated.py", "where"]
    assert (root / "where").read_text() == f"{root} {distribution.executable.resolve()}"
    assert not (root / "__pycache__").exists()


@pytest.mark.parametrize(
    ("text", "problem", "shown"),
    [
        ("import sys; print('all I know'); sys.exit(3)", "failed with exit code 3", "all I know"),
        ("1/0", "failed with exit code 1", "ZeroDivisionError"),
        ("import os, sys; os.write(2, b'\\xff'); os.kill(os.getpid(), 9)", "failed with signal 9", "\\xff"),
        ("print('x\\n' * 9000, 'the end'); 1/0", "failed with exit code 1", "the end"),
    ],
)
def test_a_failing_make_stops_the_build(freeze: Freeze, write: Write, text: str, problem: str, shown: str) -> None:
    root = write({"BIOS.py": "", "Make.py": text})
    with pytest.raises(SourceError, match=problem) as caught:
        freeze()
    assert caught.value.where == str(root / "Make.py")
    assert shown in caught.value.details
    assert len(caught.value.details) < 9000
    assert caught.value.exit_code == 1


def test_the_boot_script_must_be_there(freeze: Freeze, write: Write) -> None:
    root = write({"bios.py": "", "sub/BIOS.py": ""})
    with pytest.raises(SourceError, match=r"there is no BIOS\.py here") as caught:
        freeze()
    assert caught.value.where == str(root)
    assert "is the script that runs first" in caught.value.remedy
    write({"BIOS.py": "", "EXCLUDE": "*.py"})
    with pytest.raises(SourceError, match=r"EXCLUDE leaves out BIOS\.py") as caught:
        freeze()
    assert "!/BIOS.py" in caught.value.remedy


def test_a_compiled_boot_script_will_do(freeze: Freeze, write: Write, distribution: PythonDistribution) -> None:
    pyc = compiled(write, distribution, "BIOS.pyc", "x = 1")
    write({"app/BIOS.pyc": pyc})
    assert freeze("app").entries[0].target == "BIOS.pyc"
    write({"app/BIOS.pyc": b"\0\0\r\n" + pyc[4:]})
    with pytest.raises(SourceError, match=f"no bytecode of Python {distribution.short_version}"):
        freeze("app")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("gone", "No such file"),
        ("file", "this is no directory"),
        ("", "no directory is named"),
        ("a\0b", "no directory is named"),
    ],
)
def test_what_is_no_directory(freeze: Freeze, write: Write, source: str, problem: str) -> None:
    write({"file": ""})
    with pytest.raises(FrazilError, match=problem):
        freeze(source)


def refused(freeze: Freeze) -> SourceError:
    with pytest.raises(SourceError) as caught:
        freeze()
    assert caught.value.remedy == "Mend this, or name it in EXCLUDE."
    return caught.value


def test_symbolic_links_are_followed(freeze: Freeze, write: Write) -> None:
    root = write({"app/BIOS.py": "", "outside/data/x": "", "app/real/y": ""})
    (root / "app/link").symlink_to("../outside/data")
    (root / "app/again").symlink_to("real")
    (root / "app/file.py").symlink_to("BIOS.py")
    plan = freeze("app")
    assert paths(plan) == ["BIOS.py", "again/y", "file.py", "link/x", "real/y"]
    module = plan.collection.get("file.py")
    assert isinstance(module, SourceModule)
    assert module.name == "file"


@pytest.mark.parametrize(
    ("link", "leads_to", "problem"),
    [
        ("loop", "loop", "a symbolic link that leads back to itself"),
        ("gone", "nowhere", "a symbolic link that leads nowhere"),
        ("sub/up", "..", "a symbolic link to a directory above itself"),
        ("sub/deep/up", "../../sub", "a symbolic link to a directory above itself"),
        ("device", "/dev/null", "is a device"),
    ],
)
def test_links_that_cannot_be_followed(freeze: Freeze, write: Write, link: str, leads_to: str, problem: str) -> None:
    root = write({"BIOS.py": "", "sub/deep/x": ""})
    (root / link).symlink_to(leads_to)
    error = refused(freeze)
    assert (error.problem, error.where) == (problem, str(root / link))


def test_two_directories_that_link_to_each_other(freeze: Freeze, write: Write) -> None:
    root = write({"BIOS.py": "", "a/x": "", "b/x": ""})
    (root / "a/b").symlink_to("../b")
    (root / "b/a").symlink_to("../a")
    error = refused(freeze)
    assert error.problem == "2 files cannot go in"
    assert error.details.splitlines() == [
        "  a/b/a: a symbolic link to a directory above itself",
        "  b/a/b: a symbolic link to a directory above itself",
    ]


def test_special_files(freeze: Freeze, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write({"BIOS.py": ""})
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    error = refused(freeze)
    assert error.details.splitlines() == ["  pipe: is a named pipe", "  socket: is a socket"]


def test_a_name_that_is_no_text(freeze: Freeze, write: Write) -> None:
    root = write({"BIOS.py": ""})
    (Path(os.fsdecode(bytes(root) + b"/\xff"))).touch()
    error = refused(freeze)
    assert error.problem == "the name is not UTF-8"
    write({"EXCLUDE": "?"})
    assert paths(freeze()) == ["BIOS.py"]


@pytest.fixture
def as_somebody() -> Iterator[Path]:
    """A directory, and from then on the rights of a user who is not root."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        yield place
        if os.geteuid() != os.getuid():
            os.seteuid(os.getuid())


def test_unreadable_files_are_all_told(as_somebody: Path, distribution: PythonDistribution, cache: ContentCache) -> None:
    for name in ("BIOS.py", "secret", "sub/x"):
        (as_somebody / name).parent.mkdir(exist_ok=True)
        (as_somebody / name).touch()
    (as_somebody / "secret").chmod(0)
    (as_somebody / "sub").chmod(0)
    if os.getuid() == 0:
        os.seteuid(65534)
    with pytest.raises(SourceError) as caught:
        freeze_plan(SourceOptions(str(as_somebody)), distribution, cache)
    assert caught.value.details.splitlines() == [
        "  secret: cannot be read: Permission denied",
        "  sub/: cannot be read: Permission denied",
    ]


def test_many_problems_are_summed_up(freeze: Freeze, write: Write) -> None:
    root = write({"BIOS.py": ""})
    for number in range(25):
        (root / f"link{number}").symlink_to("nowhere")
    error = refused(freeze)
    assert error.problem == "25 files cannot go in"
    assert error.details.splitlines()[-1] == "  and 5 more"
    assert len(error.details.splitlines()) == 21


def test_directories_nested_too_deeply(freeze: Freeze, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write({"BIOS.py": ""})
    monkeypatch.chdir(root)
    for _ in range(3000):
        os.mkdir("d")  # noqa: PTH102 - of a path that is too long for one call
        os.chdir("d")
    try:
        refused(freeze)
    finally:
        subprocess.run(["rm", "-rf", root / "d"], check=True)  # Python 3.11 cannot


def test_the_former_output_is_left_out(freeze: Freeze, write: Write) -> None:
    root = write({"BIOS.py": "", "out.S": "", "out.icecube": ""})
    assert paths(freeze(leave=(root / "out.S", root / "out.icecube", root / "gone"))) == ["BIOS.py"]


@pytest.mark.parametrize(
    ("data", "error", "where", "problem"),
    [
        (b"ok\n[x\n", UsageError, ":2", r"the pattern '\[x' has a \[ without \]"),
        (b"ok\nb\xe4d\n", UsageError, ":2", "byte 0xe4 is not valid in UTF-8"),
        (b"#" * ((1 << 20) + 1), SourceError, "", "is larger than 1 MiB"),
    ],
)
def test_a_bad_exclude_file(
    freeze: Freeze, write: Write, data: bytes, error: type[FrazilError], where: str, problem: str
) -> None:
    root = write({"BIOS.py": "", "EXCLUDE": data})
    with pytest.raises(error, match=problem) as caught:
        freeze()
    assert caught.value.where == f"{root}/EXCLUDE{where}"


def test_exclude_may_be_no_directory(freeze: Freeze, write: Write) -> None:
    write({"BIOS.py": "", "EXCLUDE/x": ""})
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        freeze()


def test_syntax_errors_are_told_with_their_line(freeze: Freeze, write: Write) -> None:
    root = write({"BIOS.py": "", "mod.py": "x = 1\ny = = 2\n"})
    with pytest.raises(SourceError, match="syntax error") as caught:
        freeze()
    assert caught.value.where == f"{root}/mod.py:2"
    assert "BIOS.py" in paths(freeze(exclude=("mod",)))


def test_metadata_and_settings_of_the_boot_script(freeze: Freeze, write: Write) -> None:
    write({
        "app/BIOS.py": """
            # /// script
            # requires-python = ">=3.11"
            # [tool.frazil]
            # name = "tool"
            # include-data = ["../more=extra"]
            # exclude = ["unused"]
            # ///
        """,
        "app/unused.py": "",
        "more/x.txt": "",
    })  # fmt: skip
    plan = freeze("app")
    assert plan.name == "tool"
    assert paths(plan) == ["BIOS.py", "extra/x.txt"]


def test_what_is_nowhere_is_told(freeze: Freeze, write: Write) -> None:
    root = write({
        "BIOS.py": "import json, space.part, missing.part\ntry:\n    import optional\nexcept ImportError:\n    pass\n",
        "space/part.py": "from . import other",
        "space/other.py": "",
    })  # fmt: skip
    (warning,) = freeze().warnings
    assert re.match(re.escape(f"{root}/BIOS.py:1: module 'missing' is not found. "), warning)
