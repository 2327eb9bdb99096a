from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frazil.config.exclude_file import parse
from frazil.errors import UsageError


def excluded(text: str, path: str, *, directory: bool = False) -> bool:
    """Whether the path is left out, itself or by a directory above it."""
    rules = parse(text, "EXCLUDE")
    parts = path.split("/")
    above = ("/".join(parts[:length]) for length in range(1, len(parts)))
    return any(rules.excludes(one, directory=True) for one in above) or rules.excludes(path, directory=directory)


@pytest.mark.parametrize(
    ("text", "path", "left_out"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "deep/down/a.txt", True),
        ("*.txt", "a.txt.gz", False),
        ("/*.txt", "a.txt", True),
        ("/*.txt", "deep/a.txt", False),
        ("deep/*.txt", "deep/a.txt", True),
        ("deep/*.txt", "more/deep/a.txt", False),
        ("deep/*.txt", "deep/down/a.txt", False),
        ("**/deep/*.txt", "more/deep/a.txt", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**", "a/b/c", True),
        ("build", "build", True),
        ("build", "src/build/x", True),
        ("build/", "build", False),
        ("build/", "build/x", True),
        ("?.c", "a.c", True),
        ("?.c", "ab.c", False),
        ("[a-c].x", "b.x", True),
        ("[!a-c].x", "b.x", False),
        ("[^a-c].x", "d.x", True),
        ("[]x].x", "].x", True),
        ("[a-].x", "-.x", True),
        ("a[!b]c", "a/c", False),
        (r"\#x", "#x", True),
        (r"\!x", "!x", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("x  ", "x", True),
        ("x\\ ", "x ", True),
        ("x\\ ", "x", False),
        (" x", " x", True),
        ("# x\n\n", "# x", False),
        ("\N{BOM}x\r\ny\r\n", "x", True),
        ("*.so\n!keep.so", "lib/keep.so", False),
        ("*.so\n!keep.so\n/lib/", "lib/keep.so", True),
        ("!keep.so\n*.so", "keep.so", True),
        ("a.b", "axb", False),
        ("é*", "eté", False),
        ("é*", "école", True),
        ("x", "X", False),
    ],
)
def test_pattern(text: str, path: str, left_out: bool) -> None:  # noqa: FBT001 - an expectation
    assert excluded(text, path) is left_out


def test_what_is_left_out_by_default_can_be_taken_back_in() -> None:
    assert [excluded("", path) for path in ("Make.py", "EXCLUDE", "a/__pycache__/b.pyc", "BIOS.py")] == [
        True,
        True,
        True,
        False,
    ]
    assert not excluded("", "sub/Make.py")
    assert not excluded("!Make.py", "Make.py")


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("[ab", "has a [ without ]"),
        ("[", "has a [ without ]"),
        ("[]", "has a [ without ]"),
        ("[a\\", "has a [ without ]"),
        ("x\\", "ends in a backslash"),
        ("[z-a]", "has an empty range, z-a"),
        ("[[:alpha:]]", "named class"),
        ("../x", "has a component . or .."),
        ("./x", "has a component . or .."),
        ("a//b", "has nothing between slashes"),
        ("/", "names nothing"),
        ("!", "names nothing"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_its_line(pattern: str, problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)) as caught:
        parse(f"# first\n{pattern}\n", "sample/EXCLUDE")
    assert caught.value.where == "sample/EXCLUDE:2"


NAMES = ["a", "b", "ab", "a.c", "b.c", "#", "-"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
COMPONENTS = st.sampled_from(["a", "b", "*", "**", "?", "a*", "*.c", "[ab]", "[!a]", "[a-b]?", "a?", "\\#", "***", "*b*"])
PATTERNS = st.builds(
    lambda before, parts, after: before + "/".join(parts) + after,
    st.sampled_from(["", "", "/", "!", "!/"]),
    st.lists(COMPONENTS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)


@pytest.mark.skipif(shutil.which("git") is None, reason="git says what its patterns mean")
@settings(max_examples=60, deadline=None)
@given(patterns=st.lists(PATTERNS, min_size=1, max_size=4), paths=st.lists(PATHS, min_size=8, max_size=8, unique=True))
def test_the_rules_are_those_of_git(tmp_path_factory: pytest.TempPathFactory, patterns: list[str], paths: list[str]) -> None:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".git/info/exclude").write_text("\n".join(patterns) + "\n")
    done = subprocess.run(["git", "-C", root, "-c", "core.excludesFile=/dev/null", "check-ignore", "--stdin", "-v", "-n", "-z",
                           "--no-index"], input="\0".join(paths), capture_output=True, text=True, check=False)  # fmt: skip
    fields = done.stdout.split("\0")
    answers = {fields[at + 3]: fields[at + 2] for at in range(0, len(fields) - 1, 4)}
    for path in paths:
        ignored = bool(answers[path]) and not answers[path].startswith("!")
        assert excluded("\n".join(patterns), path) is ignored, (patterns, path, Path(root))
