"""What imports ask of users: the home that sysconfig looks at is this user's, and libc's own memory is not in the snapshot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from frazil_runtime.snapshot.dumps import make_dump
from frazil_runtime.snapshot.notes import conditions
from started import WARM, start
from support import Build

PROGRAM = """\
import sysconfig

import names

if __name__ == "__main__":
    print(sysconfig.get_config_var("userbase"), names.ROOT)
"""


@pytest.fixture(scope="module")
def executable(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("users")
    (place / "users.py").write_text(PROGRAM)
    (place / "names.py").write_text("import grp, pwd\nROOT = pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name\n")
    return build(place / "users.py", target, "--warm")


@pytest.mark.parametrize("home", ["/one", "/other/place"])
def test_each_home_is_its_own(executable: Path, home: str) -> None:
    decision, outcome = start([executable], env={"HOME": home})
    assert decision == WARM
    assert (outcome.code, outcome.output) == (0, f"{home}/.local ('root', 'root')\n")
    assert outcome == start([executable], env={"HOME": home}, cold=True)[1]


def test_whom_an_import_asks_for_is_a_condition(executable: Path, tmp_path: Path) -> None:
    dump = make_dump(executable, ["names"], tmp_path, 60)
    assert {one.name for one in conditions(dump.notes)} == {b"/etc/passwd", b"/etc/group"}


def test_memfs_is_the_own_of_who_starts_it(build: Build, target: Path, tmp_path: Path) -> None:
    """The image's files and those that an import wrote belong to the user who runs the program, not to the one who built it."""
    wanted: list[str | Path] = ["unshare", "--user"]
    can = subprocess.run([*wanted, "true"], capture_output=True, text=True, check=False)
    if can.returncode != 0:
        pytest.skip(f"no user namespaces here: {can.stderr.strip()}")
    (tmp_path / "writes.py").write_text("open('/memfs:/early', 'w').close()\n")
    (tmp_path / "owners.py").write_text(
        "import os\nimport writes\nopen('/memfs:/late', 'w').close()\n"
        "print([os.stat(path).st_uid - os.getuid() for path in ('/memfs:/', __file__, '/memfs:/early', '/memfs:/late')])\n"
        "print([os.stat(path).st_gid - os.getgid() for path in ('/memfs:/', __file__, '/memfs:/early', '/memfs:/late')])\n"
    )
    program = build(tmp_path / "owners.py", target, "--warm")
    for before in ([], wanted):
        decision, outcome = start([*before, program])
        assert (decision, outcome.code, outcome.output) == (WARM, 0, "[0, 0, 0, 0]\n[0, 0, 0, 0]\n")
