"""What imports ask of users: the home that sysconfig looks at is this user's, and libc's own memory is not in the snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

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
