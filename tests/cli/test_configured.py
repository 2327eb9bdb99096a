# ruff: noqa: E501 - tables
"""``frazil build``, ``run`` and ``init`` with a Starlark configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from frazil.cache import default_cache
from frazil.cli.configured import configuration_at, variables_of
from frazil.config.dialect import configuration
from frazil.config.dialect.building import Buildable, BuildContext, Built
from frazil.config.dialect.output import Outcome, Production, State, produce
from frazil.config.dialect.session import Surroundings
from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.host import HostObject
from frazil.errors import FrazilError, HostError, UsageError

TRIPLE = "x86_64-unknown-linux-gnu"
PROGRAM = """\
def make_files():
    m = glob(["data/*"])
    m.add_file(FileContent(filename = "flavour", content = str(VARS.get("FLAVOUR", "plain"))))
    return m

def make_script():
    m = FileManifest()
    m.add_file(FileContent(filename = "script", content = "#!/bin/sh\\necho $# $1", executable = True))
    return m

def make_nothing():
    pass

def install():
    glob(["data/*"]).install("installed")

def distribution():
    return ["a value"]

register_target("files", make_files)
register_target("script", make_script)
register_target("nothing", make_nothing)
register_target("install", install)
register_target("distribution", distribution)

resolve_targets()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "frazil.bzl").write_text(PROGRAM)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    return tmp_path


def frazil(directory: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "frazil", *arguments]
    whole = {**os.environ, **(env or {})}
    return subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=directory, env=whole, stdin=subprocess.DEVNULL
    )


def tree(directory: Path) -> dict[str, str]:
    return {str(one.relative_to(directory)): one.read_text() for one in sorted(directory.rglob("*")) if one.is_file()}


def test_build_again_and_again(project: Path) -> None:
    into = project / "build" / TRIPLE / "debug" / "files"
    first = frazil(project, "build")
    assert (first.returncode, first.stdout) == (0, f"files: build/{TRIPLE}/debug/files\n"), first.stderr
    assert tree(into) == {"data/a.txt": "a", "flavour": "plain"}
    identity = into.stat().st_ino

    again = frazil(project, "build")
    assert again.stdout == f"files: nothing has changed: build/{TRIPLE}/debug/files\n"
    assert into.stat().st_ino == identity

    (project / "data" / "a.txt").write_text("b")
    assert "nothing has changed" not in frazil(project, "build").stdout
    assert tree(into)["data/a.txt"] == "b"

    (into / "flavour").write_text("spoilt")
    assert "nothing has changed" not in frazil(project, "build").stdout
    assert tree(into)["flavour"] == "plain"
    (into / "more").write_text("not ours")
    assert "nothing has changed" not in frazil(project, "build").stdout
    assert "more" not in tree(into)

    changed = frazil(project, "build", "frazil.bzl", "--var", "FLAVOUR=sweet")
    assert (changed.returncode, tree(into)["flavour"]) == (0, "sweet")
    other = frazil(project, "build", ".", "--var-env", "FLAVOUR=TASTE", env={"TASTE": "sour"})
    assert (other.returncode, tree(into)["flavour"]) == (0, "sour")
    assert list((project / "build" / TRIPLE / "debug").glob(".frazil-*")) == []


def test_several_targets_and_release(project: Path) -> None:
    answer = frazil(
        project, "build", "--release", "-t", "files", "-t", "script", "-t", "distribution", "-t", "install", "--json"
    )
    told = json.loads(answer.stdout)["targets"]
    assert [(one["name"], one["state"], one["type"]) for one in told] == [
        ("distribution", "nothing to build", "list"),
        ("files", "built", "FileManifest"),
        ("script", "built", "FileManifest"),
        ("install of installed", "built", ""),
    ]
    assert tree(project / "build" / TRIPLE / "release" / "script") == {"script": "#!/bin/sh\necho $# $1"}
    assert tree(project / "build" / "installed") == {"data/a.txt": "a"}
    assert not (project / "build" / TRIPLE / "debug").exists()


def test_another_build_path(project: Path) -> None:
    (project / "frazil.bzl").write_text(f'set_build_path("made")\n{PROGRAM}')
    assert frazil(project, "build").returncode == 0
    assert tree(project / "made" / TRIPLE / "debug" / "files")


def test_a_program_need_not_resolve_its_targets(project: Path) -> None:
    (project / "frazil.bzl").write_text(PROGRAM.replace("resolve_targets()", ""))
    assert frazil(project, "build").stdout == f"files: build/{TRIPLE}/debug/files\n"


BAD = {
    "a target that returns nothing": (
        ("build", "-t", "nothing"), 1,
        'error: frazil.bzl:22:1: target nothing returns nothing, so there is nothing to build\n    register_target("nothing", make_nothing)\n    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\nLet its function return what it makes.\n'),
    "an unknown target": (
        ("build", "-t", "fils"), 1,
        "error: frazil.bzl:26:1: there is no target fils\n    resolve_targets()\n    ^^^^^^^^^^^^^^^^^\nDid you mean files?\n"),
    "an option of SOURCE": (
        ("build", "--multicall"), 2,
        "error: --multicall goes with SOURCE\nA configuration says such things itself; -h tells which options go with it.\n"),
    "an output": (
        ("build", ".", "-o", "x"), 2,
        "error: --output goes with SOURCE\nA configuration says such things itself; -h tells which options go with it.\n"),
    "a variable twice": (("build", "--var", "A=1", "--var", "A=2"), 2, "error: --var A is given twice\n"),
    "a variable of both kinds": (("build", "--var", "A=1", "--var-env", "A=B"), 2, "error: --var-env A: it is given already\n"),
    "no variable": (("build", "--var-env", "A="), 2, "error: --var-env A= is not NAME=ENV\n"),
    "no configuration": (
        ("build", "data", "--target", "x"), 1,
        "error: data: there is no frazil.bzl and no pyoxidizer.bzl here\nName the configuration's file.\n"),
    "a missing file": (("build", "none.bzl"), 1, "error: none.bzl: cannot be read: No such file or directory\n"),
    "a manifest and a target": (
        ("build", "--manifest", "m.py", "--target", "x"), 2,
        "error: --target, --var-env and --release go with a configuration, not with --manifest\n"),
    "run and an option of SOURCE": (
        ("run", "--script", "x"), 2,
        "error: --script goes with SOURCE\nA configuration says such things itself; -h tells which options go with it.\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(project: Path, name: str) -> None:
    arguments, code, told = BAD[name]
    answer = frazil(project, *arguments)
    assert (answer.returncode, answer.stderr) == (code, told)
    assert not (project / "build").exists()


def test_a_failure_leaves_the_previous_output(project: Path) -> None:
    assert frazil(project, "build").returncode == 0
    into = project / "build" / TRIPLE / "debug" / "files"
    before = tree(into)
    (project / "frazil.bzl").write_text(
        PROGRAM.replace("    return m\n", '    m.add_file(FileContent(path = "data/a.txt"), path = "data")\n    return m\n', 1)
    )
    failed = frazil(project, "build")
    assert failed.returncode == 1
    assert failed.stderr == (
        "error: frazil.bzl:21:1: target files cannot be built: data: two entries of the manifest need this path, "
        "one as a file and one as a directory\n"
        '    register_target("files", make_files)\n    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n'
        "Give one of them another path.\n"
    )
    assert tree(into) == before
    assert list(into.parent.glob(".frazil-*")) == []


def test_a_target_without_a_program_cannot_be_run(project: Path) -> None:
    answer = frazil(project, "run", "--target", "files", "--", "x")
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: frazil.bzl: target files makes no program to run\n"
        "Name a target that makes an executable with --target; frazil targets lists all.\n"
    )


INSTALLATIONS = {
    "the build path": ('"."', "this directory holds more than the installation, and all of it would be replaced"),
    "the configuration's directory": (
        '".."',
        "this directory holds more than the installation, and all of it would be replaced",
    ),
    "what others made": (
        'CWD + "/data"',
        "this directory stands outside of the build path and is not empty, and all of it would be replaced",
    ),
    "a file": ('CWD + "/frazil.bzl"', "this is no directory"),
}


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_an_installation_takes_nothing_away(project: Path, name: str) -> None:
    path, problem = INSTALLATIONS[name]
    (project / "frazil.bzl").write_text(PROGRAM.replace('"installed"', path))
    answer = frazil(project, "build", "-t", "install")
    assert answer.returncode == 1
    assert problem in answer.stderr
    assert "It is asked for at frazil.bzl:15:5. Install elsewhere, or with replace=False beside what is there." in answer.stderr
    assert (project / "data" / "a.txt").read_text() == "a"


def test_an_installation_outside_of_the_build_path(project: Path) -> None:
    (project / "frazil.bzl").write_text(PROGRAM.replace('"installed"', 'CWD + "/there"'))
    for _ in range(2):
        assert frazil(project, "build", "-t", "install").returncode == 0
        assert tree(project / "there") == {"data/a.txt": "a"}
        (project / "there" / "data" / "a.txt").write_text("spoilt")


def test_an_installation_beside_other_files(project: Path) -> None:
    (project / "frazil.bzl").write_text(PROGRAM.replace('"installed"', "CWD, replace = False").replace('"data/*"', '"data/a*"'))
    (project / "data" / "b.txt").write_text("b")
    answer = frazil(project, "build", "-t", "install")
    assert answer.returncode == 0, answer.stderr
    assert tree(project / "data") == {"a.txt": "a", "b.txt": "b"}


def test_what_is_installed_no_more_is_taken_away(project: Path) -> None:
    program = PROGRAM.replace(
        'glob(["data/*"]).install("installed")', 'glob(["data/**"]).install(CWD + "/there", replace = False)'
    )
    (project / "frazil.bzl").write_text(program)
    (project / "there").mkdir()
    (project / "there" / "mine").write_text("mine")
    for name in ("old/x/1.txt", "old/2.txt", "changed.txt"):
        (project / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "data" / name).write_text(name)
    assert frazil(project, "build", "-t", "install").returncode == 0
    (project / "there" / "data" / "changed.txt").write_text("by hand")
    for name in ("old/x/1.txt", "old/2.txt", "changed.txt"):
        (project / "data" / name).unlink()
    assert frazil(project, "build", "-t", "install").returncode == 0
    assert tree(project / "there") == {"mine": "mine", "data/a.txt": "a", "data/changed.txt": "by hand"}
    assert not (project / "there" / "data" / "old").exists()


class Thing(HostObject, starlark_type="Thing"):
    """A value that builds an executable shell script, together with its partners."""

    def __init__(self, meeting: threading.Barrier | None, error: FrazilError | None = None) -> None:
        self.meeting = meeting
        self.error = error

    def inputs(self) -> list[object] | None:
        return None if self.error is None else ["known"]

    def build(self, context: BuildContext) -> Built:
        if self.meeting is not None:
            self.meeting.wait(30)
        place = context.directory / context.name
        place.write_text('#!/bin/sh\necho "$#" "$1"\n')
        place.chmod(0o755)
        if self.error is not None:
            raise self.error
        return Built((place,), place)


def ran(path: Path, *things: Thing) -> configuration.Configuration:
    """A configuration whose targets a, b, ... are things."""
    path.write_text("".join(f'register_target("{name}", lambda: "")\n' for name in "abc"[: len(things)]))
    found = configuration.run(path, Surroundings(default_cache()), wanted="abc"[: len(things)])
    found.targets._resolved.update(zip("abc", things, strict=False))
    return found


def production() -> Production:
    return Production(default_cache(), False, lambda _target, _plan, _path: None, lambda _step: None, 3)


def test_targets_are_built_at_the_same_time(tmp_path: Path) -> None:
    meeting = threading.Barrier(3)
    made = produce(ran(tmp_path / "x.bzl", Thing(meeting), Thing(meeting), Thing(meeting)), production())
    assert [(one.name, one.state, one.run) for one in made] == [
        (name, State.BUILT, tmp_path / "build" / TRIPLE / "debug" / name / name) for name in "abc"
    ]


def test_what_cannot_tell_its_inputs_is_built_anew(tmp_path: Path) -> None:
    def state() -> State:
        outcome: Outcome = produce(ran(tmp_path / "x.bzl", Thing(None)), production())[0]
        return outcome.state

    assert isinstance(Thing(None), Buildable)
    assert [state(), state()] == [State.BUILT, State.BUILT]


def test_one_target_fails_and_the_other_is_whole(tmp_path: Path) -> None:
    with pytest.raises(StarlarkError, match="target b cannot be built: no room"):
        produce(ran(tmp_path / "x.bzl", Thing(None), Thing(None, HostError("no room"))), production())
    assert list(tree(tmp_path / "build" / TRIPLE / "debug" / "a")) == ["a"]
    assert not (tmp_path / "build" / TRIPLE / "debug" / "b").exists()


@pytest.mark.parametrize("record", ["", "{", "[]", '{"format": 1}', '{"format": 1, "key": "x", "files": []}', "[" * 100_000])
def test_a_damaged_record_is_no_record(project: Path, record: str) -> None:
    assert frazil(project, "build", "-q").returncode == 0
    (held,) = (project / "build" / TRIPLE / "debug" / ".frazil").glob("*.json")
    held.write_text(record)
    answer = frazil(project, "build")
    assert (answer.returncode, answer.stdout) == (0, f"files: build/{TRIPLE}/debug/files\n"), answer.stderr


def test_which_sources_are_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert configuration_at(None) is None
    assert configuration_at("x.bzl") == Path("x.bzl")
    (tmp_path / "pyoxidizer.bzl").touch()
    assert configuration_at(None) == Path("pyoxidizer.bzl")
    assert configuration_at(".") == Path("pyoxidizer.bzl")
    (tmp_path / "frazil.bzl").touch()
    assert configuration_at(".") == Path("frazil.bzl")
    assert configuration_at("app.py") is None
    (tmp_path / "pyproject.toml").touch()
    assert configuration_at(".") is None
    assert configuration_at(".", surely=True) == configuration_at(None) == Path("frazil.bzl")


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERE", "x=y")
    monkeypatch.delenv("ABSENT", raising=False)
    assert variables_of(["A=1=2", "B="], ["C=THERE", "D=ABSENT"]) == {"A": "1=2", "B": "", "C": "x=y", "D": None}
    with pytest.raises(UsageError):
        variables_of(["=1"])


def test_init(tmp_path: Path) -> None:
    answer = frazil(tmp_path, "init", "my app", "--python-code", 'print("a\\n")', "--pip-install", "rich>=13")
    assert (answer.returncode, answer.stdout) == (0, "my app/frazil.bzl: written; frazil build builds it\n")
    text = (tmp_path / "my app" / "frazil.bzl").read_text()
    assert 'name = "my-app"' in text
    assert 'config.run_command = "print(\\"a\\\\n\\")"' in text
    assert 'exe.pip_install(["rich>=13"])' in text
    assert frazil(tmp_path, "config", "check", "my app").returncode == 0
    again = frazil(tmp_path, "init", "my app")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("error: my app/frazil.bzl: there is a configuration already\n")
    assert (tmp_path / "my app" / "frazil.bzl").read_text() == text
    (tmp_path / "pyoxidizer.bzl").symlink_to("nowhere")
    assert "pyoxidizer.bzl: there is a configuration already" in frazil(tmp_path, "init").stderr
