from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import pytest

from frazil.config import install
from frazil.config.installer_settings import fingerprint, installer_environment, pip_settings
from frazil.config.modules import classifier_of
from frazil.config.parsing import Parser
from frazil.config.third_party import site_packages
from frazil.errors import DependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution


def installed(site: Path, distribution: PythonDistribution, cache: ContentCache) -> dict[str, bytes]:
    """Everything that scanning finds, by path."""
    packages = site_packages(site, Parser(distribution, cache))
    found = {}
    for name in packages.distributions:
        for one in packages.resources(name):
            content = getattr(one, "content", b"")
            found[one.path] = content if isinstance(content, bytes) else content.read_bytes()
    assert packages.warnings == []
    return found


def test_pip_and_uv_install_the_same(
    distribution: PythonDistribution, cache: ContentCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirement = ["click==8.1.7"]
    if install._installer(distribution)[0] != "uv":
        pytest.skip("uv is not installed")
    by_uv = install.environment(requirement, None, distribution, cache)
    monkeypatch.setenv("PATH", str(tmp_path))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uv" else find_spec(name))
    assert install._installer(distribution)[0] == "pip"
    by_pip = install.environment(requirement, None, distribution, cache)
    assert by_pip != by_uv
    assert sorted(one.name for one in by_pip.iterdir()) == ["click", "click-8.1.7.dist-info"]
    assert installed(by_pip, distribution, cache) == installed(by_uv, distribution, cache)


def test_a_failing_installer_shows_its_last_lines_and_leaves_nothing(
    distribution: PythonDistribution, cache: ContentCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\nfor i in $(seq 40); do echo line $i; done\necho at https://me:secret@host/simple >&2\nexit 3\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for _ in range(2):
        with pytest.raises(DependencyError) as caught:
            install.environment(["some-package"], None, distribution, cache)
    assert caught.value.problem == "the requirements cannot be installed: uv ended with 3"
    lines = caught.value.details.splitlines()
    assert lines[-2:] == ["line 40", "at https://***@host/simple"]
    assert len(lines) == 25


def key(
    requirements: Sequence[str], distribution: PythonDistribution, cache: ContentCache, project: Path | None = None
) -> Path:
    return install.environment(requirements, project, distribution, cache)


def test_the_key(
    distribution: PythonDistribution, cache: ContentCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    one = key(["b>=2,<3", "A.b[y,x]"], distribution, cache)
    assert key(["a_B[x, y]", "b<3, >=2", "b<3,>=2"], distribution, cache) == one
    assert key(["b>=2"], distribution, cache) != one
    monkeypatch.setenv("UV_INDEX_URL", "https://elsewhere.example/simple")
    assert key(["b>=2,<3", "A.b[y,x]"], distribution, cache) != one
    monkeypatch.delenv("UV_INDEX_URL")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    assert key(["b>=2,<3", "A.b[y,x]"], distribution, cache) == one
    wheel = tmp_path / "x.whl"
    wheel.write_text("1")
    local = key([f"x @ file://{wheel}"], distribution, cache)
    wheel.write_text("2")
    assert key([f"x @ file://{wheel}"], distribution, cache) != local


def test_a_tree_is_known_by_its_sources(tmp_path: Path) -> None:
    root = tmp_path / "proj"
    for name in ("a.py", "sub/b.py", "build/pkg.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    first = install.tree_digest(root)
    for name in (
        "dist/x.whl",
        "build/lib/x",
        ".git/HEAD",
        "sub/__pycache__/b.pyc",
        "p.egg-info/x",
        "env/pyvenv.cfg",
        ".venv/x",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    assert install.tree_digest(root) == first
    (root / "sub/build").mkdir()
    (root / "sub/build/x").write_text("a package may have this name")
    second = install.tree_digest(root)
    assert second != first
    (root / "a.py").chmod(0o755)
    assert install.tree_digest(root) != second


def test_tags_count_where_the_version_is_dynamic(tmp_path: Path) -> None:
    (tmp_path / ".git/refs/tags").mkdir(parents=True)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    for text, differs in (('[project]\nversion = "1"\n', False), ('[project]\ndynamic = ["version"]\n', True)):
        (tmp_path / "pyproject.toml").write_text(text)
        before = install._project_parts(tmp_path)
        (tmp_path / ".git/refs/tags/v1").write_text(text)
        assert (install._project_parts(tmp_path) != before) is differs


def test_local_sources_count(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "proj").mkdir()
    (tmp_path / "proj/pyproject.toml").write_text(
        '[tool.uv.sources]\nx = { path = "../other" }\ny = 3\n[project]\ndependencies = 3\n'
    )
    before = install._project_parts(tmp_path / "proj")
    (tmp_path / "other/x.py").write_text("")
    assert install._project_parts(tmp_path / "proj") != before


def test_settings_of_pip_reach_uv(tmp_path: Path) -> None:
    config = tmp_path / ".config/pip/pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text(
        "[global]\nindex-url = https://one.example/simple\nextra-index-url =\n  https://two.example\n  https://three.example\n"
    )
    environ = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
        "PIP_TARGET": "/x",
        "PYTHONPATH": "/y",
        "PIP_INDEX_URL": "https://four.example",
    }
    environ["PIP_NO_INDEX"] = ""
    assert pip_settings(environ)["index-url"] == "https://four.example"
    made = installer_environment(environ)
    assert made["UV_INDEX_URL"] == "https://four.example"
    assert made["UV_EXTRA_INDEX_URL"] == "https://two.example https://three.example"
    assert made["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert "PIP_TARGET" not in made
    assert "PYTHONPATH" not in made


@pytest.mark.parametrize("own", ["variable", "file"])
def test_uv_settings_come_before_those_of_pip(tmp_path: Path, own: str) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path), "PIP_INDEX_URL": "https://pip.example"}
    before = fingerprint(environ)
    if own == "variable":
        environ["UV_DEFAULT_INDEX"] = "https://uv.example"
    else:
        (tmp_path / ".config/uv").mkdir(parents=True)
        (tmp_path / ".config/uv/uv.toml").write_text("offline = false\n")
    assert "UV_INDEX_URL" not in installer_environment(environ)
    assert fingerprint(environ) != before


def test_extension_suffixes_are_tried_longest_first(distribution: PythonDistribution, cache: ContentCache) -> None:
    lengths = [len(suffix) for suffix in classifier_of(Parser(distribution, cache)).suffixes]
    assert lengths == sorted(lengths, reverse=True)


def test_options_that_only_pip_has(distribution: PythonDistribution, cache: ContentCache, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("iniconfig==2.0.0\n")
    arguments = ["--prefer-binary", "--progress-bar=off", "-r", "requirements.txt"]
    site = install.arguments_environment(arguments, tmp_path, {}, distribution, cache)
    assert sorted(one.name for one in site.iterdir()) == ["iniconfig", "iniconfig-2.0.0.dist-info"]
    assert install.arguments_environment(arguments, tmp_path, {}, distribution, cache) == site
    (tmp_path / "requirements.txt").write_text("iniconfig==2.0.0\n# changed\n")
    assert install.arguments_environment(arguments, tmp_path, {}, distribution, cache) != site
