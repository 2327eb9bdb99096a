# ruff: noqa: E501 - tables
"""FileContent, FileManifest, glob, set_build_path, prompts: what programs see of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frazil.cache import default_cache
from frazil.config.dialect import configuration
from frazil.config.dialect.building import BuildContext
from frazil.config.dialect.session import Surroundings
from frazil.config.starlark.errors import StarlarkError
from frazil.errors import FrazilError

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.config.dialect.building import Built
    from frazil.config.dialect.files import FileManifest
    from frazil.plan import Plan
    from front_end import Write

TREE = {
    "data/a.txt": "a",
    "data/b.md": "b",
    "data/deep/c.txt": "c",
    "data/.hidden.txt": "h",
    "tool.sh": "#!/bin/sh\n",
}


class Answers:
    """A person who answers."""

    def confirm(self, prompt: str, default: bool | None) -> bool:  # noqa: FBT001 - as Terminal has it
        return prompt.endswith("?") and default is not False

    def text(self, prompt: str, default: str | None) -> str:
        return default or prompt

    def password(self, prompt: str, *, confirm: bool, default: str | None) -> str:
        return f"{prompt} {confirm} {default}"


class Example:
    def __init__(self, write: Write) -> None:
        self.directory = write(dict(TREE))
        (self.directory / "tool.sh").chmod(0o755)
        self.notes: list[str] = []

    def run(self, body: str, terminal: Answers | None = None) -> tuple[list[str], configuration.Configuration]:
        """What a program prints that runs ``body`` in a target."""
        printed: list[str] = []
        path = self.directory / "frazil.bzl"
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        path.write_text(f'def make():\n{lines}\nregister_target("made", make)\nresolve_targets()\n')
        ran = configuration.run(
            path,
            Surroundings(default_cache(), note=self.notes.append, terminal=terminal),
            wanted=(),
            on_print=lambda text, _: printed.append(text),
        )
        return printed, ran

    def build(self, body: str) -> tuple[Path, Built]:
        """The directory with what the manifest ``m`` writes."""
        _, ran = self.run(f"{body}\nreturn m")
        manifest: FileManifest = ran.targets.results["made"]
        into = self.directory / "out"
        into.mkdir()
        return into, manifest.build(context(into))


def context(directory: Path) -> BuildContext:
    def make(_plan: Plan, _path: Path) -> None:
        raise AssertionError

    return BuildContext("made", directory, False, default_cache(), lambda _step: None, make)


@pytest.fixture
def example(write: Write) -> Example:
    return Example(write)


def tree(directory: Path) -> dict[str, tuple[str, bool]]:
    return {
        str(one.relative_to(directory)): (one.read_text(), bool(one.stat().st_mode & 0o100))
        for one in sorted(directory.rglob("*"))
        if one.is_file()
    }


PATHS = {
    "glob": ('print(glob(["data/*.txt"]).paths())', '["data/.hidden.txt", "data/a.txt"]'),
    "glob of a tree": ('print(glob(["data/**/*.txt"]).paths())', '["data/.hidden.txt", "data/a.txt", "data/deep/c.txt"]'),
    "glob leaves directories out": ('print(glob(["data/*"]).paths())', '["data/.hidden.txt", "data/a.txt", "data/b.md"]'),
    "exclude": ('print(glob(["data/*.txt"], exclude=["data/.*"]).paths())', '["data/a.txt"]'),
    "strip_prefix": ('print(glob(["data/**/*.txt"], strip_prefix="data/").paths())', '[".hidden.txt", "a.txt", "deep/c.txt"]'),
    "absolute": ('print(glob([CWD + "/data/deep/*"], strip_prefix=CWD + "/data").paths())', '["deep/c.txt"]'),
    "absolute without a prefix": ('print(glob([CWD + "/data/deep/*"]).paths())', '["data/deep/c.txt"]'),
    "several patterns": ('print(glob(["tool.sh", "data/b.md", "tool.*"]).paths())', '["data/b.md", "tool.sh"]'),
    "add_path": ('m = FileManifest()\nm.add_path("data/deep/c.txt", "data")\nprint(m.paths())', '["deep/c.txt"]'),
    "add_path with an absolute path": ('m = FileManifest()\nm.add_path(CWD + "/data/a.txt", CWD, force_read=True)\nprint(m.paths())', '["data/a.txt"]'),
    "add_file": ('m = FileManifest()\nm.add_file(FileContent(path="data/a.txt"))\nm.add_file(FileContent(path="tool.sh"), directory="bin")\nm.add_file(FileContent(filename="x", content=""), path="y/z")\nprint(m.paths())', '["a.txt", "bin/tool.sh", "y/z"]'),
    "remove": ('m = glob(["tool.sh"])\nprint(m.remove("tool.sh").filename, m.remove("tool.sh"), m.paths())', "tool.sh None []"),
    "get_file": ('m = glob(["tool.sh"])\nf = m.get_file("./tool.sh")\nprint(f.filename, f.executable, m.get_file("x"))', "tool.sh True None"),
    "content": ('f = FileContent(path="tool.sh", executable=False)\nprint(f.filename, f.executable)\nf.executable = True\nf.filename = "b"\nprint(f.filename, f.executable)', "tool.sh False|b True"),
    "types": ('print(type(FileManifest()), type(FileContent(path="tool.sh")))', "FileManifest FileContent"),
    "no terminal": ('print(can_prompt(), prompt_confirm("x", False), prompt_input("x", "d"), prompt_password("x", default="p"))', "False False d p"),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_programs(example: Example, name: str) -> None:
    body, shown = PATHS[name]
    printed, _ = example.run(body)
    assert "|".join(printed) == shown


def test_terminal(example: Example) -> None:
    printed, _ = example.run(
        'print(can_prompt(), prompt_confirm("x?"), prompt_input("a", default="b"), prompt_password("c", confirm=True))',
        Answers(),
    )
    assert printed == ["True True b c True None"]


def test_a_pattern_without_files_is_noted(example: Example) -> None:
    assert example.run('print(glob(["none/*"]).paths())')[0] == ["[]"]
    assert example.notes == [f"{example.directory / 'frazil.bzl'}:2:11: glob: none/* matches no file"]


def test_build(example: Example) -> None:
    into, built = example.build(
        'm = glob(["data/a.txt"])\n'
        "other = FileManifest()\n"
        'other.add_file(FileContent(filename="a.txt", content="ä"), directory="data")\n'
        'other.add_file(FileContent(path="tool.sh"))\n'
        "m.add_manifest(other)"
    )
    assert tree(into) == {"data/a.txt": ("ä", False), "tool.sh": ("#!/bin/sh\n", True)}
    assert built.paths == (into / "data/a.txt", into / "tool.sh")
    assert built.run is None


def test_a_file_and_a_directory_of_one_name(example: Example) -> None:
    with pytest.raises(FrazilError, match="two entries of the manifest need this path") as caught:
        example.build('m = FileManifest()\nf = FileContent(path="tool.sh")\nm.add_file(f, path="a")\nm.add_file(f, path="a/b")')
    assert caught.value.where == "a/b"


def test_installations_are_kept_for_later(example: Example) -> None:
    _, ran = example.run('set_build_path("made")\nm = glob(["tool.sh"])\nm.install("here")\nm.remove("tool.sh")\nreturn m')
    kept = ran.session.installations[0]
    assert (kept.target, kept.directory, kept.replace, len(kept.entries)) == ("made", example.directory / "made/here", True, 1)
    assert kept.place == f"{example.directory / 'frazil.bzl'}:4:5"
    assert not (example.directory / "made").exists()


FAILURES = {
    "nothing": ("FileContent()", "FileContent() needs either path or content"),
    "both": ('FileContent(path="tool.sh", content="x")', "FileContent() needs either path or content"),
    "no name": ('FileContent(content="x")', "FileContent() with content needs filename"),
    "a path as name": ('FileContent(content="x", filename="a/b")', "'a/b' is no name of a file"),
    "missing": ('FileContent(path="none")', "none: there is no such file"),
    "a name that is too long": ('FileContent(path="x" * 5000)', "File name too long"),
    "directory": ('FileContent(path="data")', "data: it is a directory"),
    "name later": ('FileContent(path="tool.sh").filename = ".."', "'..' is no name of a file"),
    "leads out": ('FileManifest().add_file(FileContent(path="tool.sh"), path="../x")', "'../x' is not below the manifest's directory"),
    "absolute": ('FileManifest().add_file(FileContent(path="tool.sh"), path="/x")', "'/x' is not below the manifest's directory"),
    "both places": ('FileManifest().add_file(FileContent(path="tool.sh"), path="x", directory="y")', "add_file() takes path or directory, not both"),
    "add_path missing": ('FileManifest().add_path("none", "")', "none: there is no such file"),
    "other prefix": ('FileManifest().add_path("tool.sh", "data")', "does not begin with the prefix data"),
    "not a resource": ('FileManifest().add_python_resource(".", "x")', "value of add_python_resource(): expected an executable or a Python resource, got a string"),
    "a manifest as resource": ('FileManifest().add_python_resource(".", FileManifest())', "expected an executable or a Python resource, got a FileManifest"),
    "not a manifest": ('FileManifest().add_manifest("x")', "other of add_manifest(): expected FileManifest, got string"),
    "misspelt": ("FileManifest().add_manifst(1)", "FileManifest has no attribute add_manifst"),
    "glob of a string": ('glob("data/*")', "include of glob(): expected list of string, got string"),
    "empty pattern": ('glob([""])', "'' is no pattern"),
    "install nowhere": ('FileManifest().install("")', "install() needs the path of a directory"),
    "build path": ('set_build_path("")', "the build path is empty or no path"),
    "nobody": ('prompt_input("Name")', "nobody is there to answer 'Name': the standard input stream is no terminal"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failure(example: Example, name: str) -> None:
    body, problem = FAILURES[name]
    with pytest.raises(StarlarkError) as caught:
        example.run(body)
    assert problem in caught.value.problem
    assert caught.value.exit_code == 1
    assert ":2:" in str(caught.value.where)
