from __future__ import annotations

import importlib.machinery
import importlib.metadata
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from frazil.errors import DependencyError
from frazil.resources.installed import SitePackages
from frazil.resources.kinds import APPLICATION, DataFile
from frazil.resources.scan import Classifier

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "lib/python3.11/site-packages"
CLASSIFIER = Classifier(tuple(sorted(importlib.machinery.EXTENSION_SUFFIXES, key=len, reverse=True)))


def install(site: Path, name: str, version: str, files: Iterable[str], requires: Iterable[str] = (), **metadata: str) -> Path:
    """Write an installed distribution; ``metadata`` are further files of its ``dist-info``."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    headers = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *headers, "", "Requires-Dist: body"]))
    for key, text in metadata.items():
        (info / key.replace("_txt", ".txt").replace("_json", ".json")).write_text(text)
    for file in files:
        place = site / file
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_text("")
    listed = [*files, *(f"{info.name}/{one.name}" for one in info.iterdir()), f"{info.name}/RECORD"]
    (info / "RECORD").write_text("".join(f'"{file}",,\n' for file in reversed(listed)))
    return info


def scan(site: Path, **options: str) -> SitePackages:
    return SitePackages(site, PREFIX, CLASSIFIER, **options)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    place = tmp_path / "env" / PREFIX
    place.mkdir(parents=True)
    return place


def test_what_of_a_distribution_is_taken(site: Path) -> None:
    files = ["pkg/__init__.py", "pkg/__pycache__/__init__.cpython-311.pyc", "pkg/d, quoted.txt", "top.py"]
    outside = ["../../../bin/run", "../../../share/man/x.1", "../../../include/x.h", "../../../../escaped", "/etc/hostname"]
    texts = {
        "INSTALLER": "pip\n",
        "REQUESTED": "",
        "direct_url_json": '{"url": "file:///x", "dir_info": {}}',
        "entry_points_txt": "",
    }
    install(site, "Some.Name", "1.0", [*files, *outside], **texts)
    packages = scan(site)
    resources = {one.path: one for one in packages.resources("some-name")}
    assert sorted(resources) == [
        f"{PREFIX}/Some.Name-1.0.dist-info/METADATA",
        f"{PREFIX}/Some.Name-1.0.dist-info/RECORD",
        f"{PREFIX}/Some.Name-1.0.dist-info/entry_points.txt",
        f"{PREFIX}/pkg/__init__.py",
        f"{PREFIX}/pkg/d, quoted.txt",
        f"{PREFIX}/top.py",
        "share/man/x.1",
    ]
    assert {one.owner for one in resources.values()} == {"some-name"}
    record = resources[f"{PREFIX}/Some.Name-1.0.dist-info/RECORD"]
    assert isinstance(record, DataFile)
    assert record.content == (
        b"../../../share/man/x.1,,\nSome.Name-1.0.dist-info/METADATA,,\nSome.Name-1.0.dist-info/entry_points.txt,,\n"
        b'pkg/__init__.py,,\n"pkg/d, quoted.txt",,\ntop.py,,\nSome.Name-1.0.dist-info/RECORD,,\n'
    )
    assert packages.warnings == []
    assert {one.owner for one in scan(site, application="some-name").resources("some-name")} == {APPLICATION}


def test_the_result_satisfies_importlib_metadata(site: Path, tmp_path: Path) -> None:
    install(site, "dist", "2.5", ["pkg/__init__.py"], ["other>=1"], entry_points_txt="[console_scripts]\nx = pkg:main\n")
    for one in scan(site).resources("dist"):
        place = tmp_path / "out" / one.path
        place.parent.mkdir(parents=True, exist_ok=True)
        assert not isinstance(one, importlib.machinery.ModuleSpec)
        content = getattr(one, "content", b"")
        place.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
    (found,) = importlib.metadata.distributions(path=[str(tmp_path / "out" / PREFIX)])
    assert (found.name, found.version, found.requires) == ("dist", "2.5", ["other>=1"])
    assert [(one.name, one.value) for one in found.entry_points] == [("x", "pkg:main")]
    assert found.files is not None
    assert all(Path(str(one.locate())).exists() for one in found.files)


def test_recorded_files_that_are_missing_are_told(site: Path) -> None:
    info = install(site, "dist", "1", ["a.py", "b.py", "c.py"])
    (site / "b.py").unlink()
    (site / "c.py").unlink()
    packages = scan(site)
    assert f"{PREFIX}/b.py" not in {one.path for one in packages.resources("dist")}
    (warning,) = packages.warnings
    assert warning.startswith(f"{info / 'RECORD'}: dist 1 lists files that are not there: ")
    assert "1 more" in warning


def test_a_distribution_without_record(site: Path) -> None:
    info = install(site, "dist", "1", ["a.py"])
    (info / "RECORD").unlink()
    with pytest.raises(DependencyError) as caught:
        scan(site).resources("dist")
    assert caught.value.problem == "the list of files of dist 1 cannot be read: No such file or directory"
    assert caught.value.where == str(info / "RECORD")


ENVIRONMENT = {"python_version": "3.11", "python_full_version": "3.11.7", "sys_platform": "linux"}


def test_the_closure(site: Path) -> None:
    install(site, "root", "1", [], ["a[fast]", "never; sys_platform == 'win32'", "old; python_version < '3'", "Weird_Name"])
    install(site, "a", "1", [], ["b; extra == 'fast'", "c; extra == 'slow'", "root"])
    install(site, "weird.name", "1", [], ["not a requirement !!"])
    for name in ("b", "c", "never", "old", "unrelated", "body"):
        install(site, name, "1", [])
    packages = scan(site)
    assert packages.closure([Requirement("root>=1")], ENVIRONMENT) == ["a", "b", "root", "weird-name"]
    assert packages.warnings == []


def test_a_closure_with_something_missing(site: Path) -> None:
    install(site, "root", "1.0", [], ["gone>=2"])
    packages = scan(site)
    assert packages.closure([Requirement("root")], ENVIRONMENT) == ["root"]
    assert packages.warnings == [f"{site}: root requires gone>=2, which is not installed"]
    with pytest.raises(DependencyError, match=r"root>=2 is required, but 1\.0 is installed"):
        packages.closure([Requirement("root>=2")], ENVIRONMENT)
    with pytest.raises(DependencyError, match="gone is not installed"):
        packages.closure([Requirement("gone")], ENVIRONMENT)


def test_an_old_installation_is_refused(site: Path) -> None:
    (site / "old_thing-1.0-py3.11.egg-info").mkdir()
    with pytest.raises(DependencyError, match="old-thing is installed in an old form"):
        scan(site).closure([Requirement("old-thing")], ENVIRONMENT)


def test_providers(site: Path) -> None:
    install(site, "one", "1", ["ns/one/__init__.py", "solo.py"])
    install(site, "two", "1", ["ns/two.py", "alone/deep/x.py"])
    providers = scan(site).providers()
    assert providers.of("ns.one.attribute") == ["one"]
    assert providers.of("ns.two") == ["two"]
    assert providers.of("ns") == []
    assert providers.knows("ns")
    assert providers.of("alone") == ["two"]
    assert providers.of("nowhere.x") == []


def editable(site: Path, origin: Path, files: dict[str, str], **metadata: str) -> SitePackages:
    for name, text in files.items():
        (site / name).write_text(text)
    url = json.dumps({"url": f"file://{origin}", "dir_info": {"editable": True}})
    install(site, "proj", "1", list(files), direct_url_json=url, **metadata)
    return scan(site)


def project(tmp_path: Path, *files: str) -> Path:
    origin = tmp_path / "my project"
    for name in files:
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_text("")
    return origin


def taken(packages: SitePackages) -> list[str]:
    found = [one.path.removeprefix(PREFIX + "/") for one in packages.resources("proj")]
    return sorted(one for one in found if ".dist-info" not in one)


def test_editable_with_a_source_directory(site: Path, tmp_path: Path) -> None:
    origin = project(
        tmp_path, "src/proj/__init__.py", "src/proj/d.txt", "src/proj.egg-info/x", "src/__pycache__/x.pyc", "pyproject.toml"
    )
    packages = editable(site, origin, {"__editable__.proj-1.pth": f"{origin}/src\n"})
    assert taken(packages) == ["proj/__init__.py", "proj/d.txt"]
    record = next(one for one in packages.resources("proj") if one.path.endswith("RECORD"))
    assert isinstance(record, DataFile)
    assert isinstance(record.content, bytes)
    assert b"proj/d.txt,," in record.content
    assert b"editable" not in record.content
    assert str(tmp_path).encode() not in record.content


def test_editable_with_the_project_root(site: Path, tmp_path: Path) -> None:
    origin = project(
        tmp_path, "proj/__init__.py", "other/__init__.py", "tests/test_x.py", "setup.py", ".venv/pyvenv.cfg", ".git/x"
    )
    packages = editable(site, origin, {"_proj.pth": f"{origin}\n"}, top_level_txt="proj\nother\n")
    assert taken(packages) == ["other/__init__.py", "proj/__init__.py"]


def test_editable_with_a_finder(site: Path, tmp_path: Path) -> None:
    origin = project(tmp_path, "lib/proj/__init__.py", "lib/proj/x.txt", "single.py")
    mapping = {"proj": f"{origin}/lib/proj", "single": f"{origin}/single"}
    finder = f"MAPPING: dict[str, str] = {mapping!r}\nNAMESPACES: dict[str, list[str]] = {{}}\n"
    line = "import __editable___proj_1_finder; __editable___proj_1_finder.install()"
    packages = editable(site, origin, {"__editable__.proj-1.pth": line, "__editable___proj_1_finder.py": finder})
    assert taken(packages) == ["proj/__init__.py", "proj/x.txt", "single.py"]
    assert packages.path_files(["proj"]) == []


def test_editable_of_an_unknown_kind(site: Path, tmp_path: Path) -> None:
    packages = editable(
        site, tmp_path, {"_proj_editable_loader.py": "install()", "proj-editable.pth": "import _proj_editable_loader"}
    )
    with pytest.raises(DependencyError) as caught:
        packages.resources("proj")
    assert caught.value.problem == "the editable installation of proj is of a kind that is not understood"
    assert caught.value.remedy == f"Install it without -e: pip install {tmp_path}"


def test_editable_whose_packages_cannot_be_told(site: Path, tmp_path: Path) -> None:
    origin = project(tmp_path, "a/__init__.py", "b/__init__.py", "setup.py")
    with pytest.raises(DependencyError, match=r"which of the packages in .* belong to proj cannot be told"):
        editable(site, origin, {"proj.pth": f"{origin}\n"}).resources("proj")


def test_path_files(site: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (site / "inner").mkdir()
    install(site, "dist", "1", ["dist.pth"])
    (site / "dist.pth").write_text("# comment\n\ninner\nnowhere\nimport os; print('x')\n")
    (site / "mine.pth").write_text(f"\ufeff{tmp_path}/outside\n")
    install(site, "nspkg", "1", ["x-nspkg.pth"])
    (site / "x-nspkg.pth").write_text("import sys, types\n")
    packages = scan(site)
    assert [one.place.name for one in packages.path_files(())] == ["mine.pth"]
    dist, mine, nspkg = packages.path_files(["dist", "nspkg"])
    assert (dist.directories, dist.code, dist.harmless) == ((site / "inner",), ("import os; print('x')",), False)
    assert (mine.directories, mine.harmless) == ((tmp_path / "outside",), True)
    assert nspkg.harmless
