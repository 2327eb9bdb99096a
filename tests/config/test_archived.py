"""What archives give to a build, and what they leave to the build itself."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archives import archive
from frazil.archive.metadata import ModuleFacts
from frazil.archive.writer import write_archive
from frazil.builder.archive import archive_of
from frazil.errors import SourceError, UsageError

if TYPE_CHECKING:
    from frazil.archive.content import Archive
    from frazil.cache import ContentCache
    from frazil.distribution import PythonDistribution
    from front_end import MakePlans, Write

TAG = f"cpython-{sys.version_info.major}{sys.version_info.minor}"


def distribution_archive(version: str, **more: bytes) -> Archive:
    """An archive with the distribution ``part``."""
    record = "part/__init__.py,,\npart/data.txt,,\n../../../share/part.txt,,\n"
    files = {
        "python/part/__init__.py": f"version = {version!r}\n".encode(),
        "python/part/data.txt": version.encode(),
        "data/share/part.txt": b"shared",
        f"dist-info/part-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: part\nVersion: {version}\n".encode(),
        f"dist-info/part-{version}.dist-info/RECORD": record.encode(),
        **{f"python/{name}.py": data for name, data in more.items()},
    }
    return archive(f"part-{version}", files)


def wheel(place: Path, name: str, version: str, requires: str = "") -> Path:
    """A wheel of one module."""
    file = place / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    more = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(f"{name}/__init__.py", f"version = 'installed {version}'\n")
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}")
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", f"{name}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return file


def test_distributions_stand_in_site_packages_and_the_rest_with_the_application(
    write: Write, make_plans: MakePlans, distribution: PythonDistribution
) -> None:
    place = write({"main.py": "import part, helper\n"})
    write_archive(distribution_archive("1.0", helper=b""), place / "made")
    (plan,) = make_plans("main.py", archives=(Path("made"),))
    site = f"lib/python{distribution.short_version}/site-packages"
    assert {one.path: one.owner for one in plan.collection} == {
        "app/main.py": "<application>",
        "app/helper.py": "part-1-0",
        f"{site}/part/__init__.py": "part",
        f"{site}/part/data.txt": "part",
        f"{site}/part-1.0.dist-info/METADATA": "part",
        f"{site}/part-1.0.dist-info/RECORD": "part",
        "share/part.txt": "part",
    }
    assert plan.warnings == ()


def test_a_requirement_that_an_archive_satisfies_is_not_installed(write: Write, make_plans: MakePlans) -> None:
    place = write({"main.py": "import part\n"})
    write_archive(distribution_archive("1.0"), place / "made")
    (plan,) = make_plans("main.py", archives=(Path("made"),), requirements=("part>=1", "Part<2"))
    assert {one.owner for one in plan.collection} == {"<application>", "part"}


def test_of_the_same_version_the_archives_distribution_is_taken(write: Write, make_plans: MakePlans) -> None:
    place = write({"main.py": "import whole\n"})
    write_archive(distribution_archive("1.0"), place / "made")
    part = wheel(place, "part", "1.0")
    whole = wheel(place, "whole", "1", f"part @ {part.as_uri()}")
    (plan,) = make_plans("main.py", archives=(Path("made"),), requirements=(f"whole @ {whole.as_uri()}",))
    (taken,) = [one.content for one in plan.collection if one.path.endswith("/part/__init__.py") and not hasattr(one, "target")]
    assert isinstance(taken, Path)
    assert taken.read_text() == "version = '1.0'\n"
    assert plan.warnings == ()


def test_of_another_version_what_was_installed_is_taken_whole(write: Write, make_plans: MakePlans) -> None:
    place = write({"main.py": "import whole\n"})
    write_archive(distribution_archive("1.0"), place / "made")
    part = wheel(place, "part", "2.0")
    whole = wheel(place, "whole", "1", f"part @ {part.as_uri()}")
    (plan,) = make_plans("main.py", archives=(Path("made"),), requirements=(f"whole @ {whole.as_uri()}",))
    paths = [one.path.rpartition("site-packages/")[2] for one in plan.collection if one.owner == "part"]
    assert "part/__init__.py" in paths
    assert "part/data.txt" not in paths
    assert "part-1.0.dist-info/METADATA" not in paths
    assert plan.warnings == ("part: 2.0 was installed and taken, 1.0 of the archives left out",)


def test_the_application_wins_path_by_path(write: Write, make_plans: MakePlans) -> None:
    place = write({"main.py": "import helper\n", "helper.py": "mine = 1\n"})
    write_archive(archive("lib", {"python/helper.py": b"theirs = 1\n", "python/other.py": b""}), place / "made.tar.gz")
    (plan,) = make_plans("main.py", archives=(Path("made.tar.gz"),))
    helper = plan.collection.get("app/helper.py")
    assert helper is not None
    assert helper.owner == "<application>"
    assert "app/other.py" in plan.collection


def test_what_is_excluded_does_not_come_from_archives_either(write: Write, make_plans: MakePlans) -> None:
    place = write({"main.py": ""})
    write_archive(distribution_archive("1.0", helper=b""), place / "made")
    (plan,) = make_plans("main.py", archives=(Path("made"),), exclude=("part", "helper"))
    assert [one.path for one in plan.collection] == ["app/main.py"]


def test_archives_of_a_table_are_relative_to_its_file(write: Write, make_plans: MakePlans) -> None:
    place = write({"sub/main.py": '# /// script\n# [tool.frazil]\n# archives = ["../made"]\n# ///\nimport helper\n'})
    write_archive(archive("lib", {"python/helper.py": b""}), place / "made")
    (plan,) = make_plans("sub/main.py")
    assert "app/helper.py" in plan.collection
    write({"sub/main.py": "# /// script\n# [tool.frazil]\n# archives = 1\n# ///\n"})
    with pytest.raises(UsageError, match="a setting is not valid") as caught:
        make_plans("sub/main.py")
    assert "tool.frazil.archives: must be an array of strings" in caught.value.details


def test_a_shared_object_serves_the_python_that_its_name_says(write: Write, make_plans: MakePlans) -> None:
    place = write({"main.py": ""})
    elf = Path("/proc/self/exe").read_bytes()[:64]
    here = f"python/pkg/here.{TAG}-x86_64-linux-gnu.so"
    other = "python/pkg/other.cpython-310-x86_64-linux-gnu.so"
    files = {"python/pkg/__init__.py": b"", here: elf, other: elf, "python/pkg/other.py": b""}
    modules = {
        "pkg.here": ModuleFacts(native=True, shared=here),
        "pkg.other": ModuleFacts(native=True, shared=other, source="python/pkg/other.py"),
    }
    write_archive(archive("lib", files, modules), place / "made")
    (plan,) = make_plans("main.py", archives=(Path("made"),))
    modules_of_plan = {one.name: type(one).__name__ for one in plan.collection.modules()}
    assert modules_of_plan["pkg.here"] == "ExtensionModule"
    assert modules_of_plan["pkg.other"] == "SourceModule"
    (warning,) = plan.warnings
    assert "pkg.other: its Python source is used" in warning
    assert "other.cpython-310-x86_64-linux-gnu.so is for another Python" in warning
    modules["pkg.other"] = ModuleFacts(native=True, shared=other)
    del files["python/pkg/other.py"]
    write_archive(archive("lib", files, modules), place / "made")
    with pytest.raises(SourceError, match="cannot be used in this build") as caught:
        make_plans("main.py", archives=(Path("made"),))
    assert "pkg.other: it has no objects; other.cpython-310-x86_64-linux-gnu.so is for another Python" in caught.value.details


def test_bytecode_serves_where_there_is_no_source(
    write: Write, make_plans: MakePlans, distribution: PythonDistribution, cache: ContentCache
) -> None:
    place = write({"lib.py": "import pkg.inner\nwho = pkg.inner.who\n", "pkg/__init__.py": "", "pkg/inner.py": "who = 7\n"})
    (plan,) = make_plans("lib.py", with_source=False)
    made = archive_of(plan, cache)
    assert made.warnings == ()
    assert sorted(made.archive.files) == [
        f"object/lib/lib.{TAG}.pyc",
        f"object/pkg.inner/inner.{TAG}.pyc",
        f"object/pkg/__init__.{TAG}.pyc",
    ]
    assert all(one.precompile and not one.source for one in made.archive.metadata.modules.values())
    write_archive(made.archive, place / "made")
    write({"use/main.py": "import lib\n"})
    (used,) = make_plans("use/main.py", archives=(Path("made"),))
    assert {one.path: type(one).__name__ for one in used.collection} == {
        "app/main.py": "SourceModule",
        "app/lib.pyc": "BytecodeModule",
        "app/pkg/__init__.pyc": "BytecodeModule",
        "app/pkg/inner.pyc": "BytecodeModule",
    }
    other = made.archive.files[f"object/lib/lib.{TAG}.pyc"]
    assert isinstance(other, bytes)
    damaged = {**made.archive.files, f"object/lib/lib.{TAG}.pyc": b"\x00\x00\r\n" + other[4:]}
    contents = {path: content for path, content in damaged.items() if isinstance(content, bytes)}
    write_archive(archive("lib", contents, made.archive.metadata.modules), place / "made")
    with pytest.raises(SourceError, match="cannot be used in this build") as caught:
        make_plans("use/main.py", archives=(Path("made"),))
    assert f"lib: lib.{TAG}.pyc is for another Python, this is {distribution.cache_tag}" in caught.value.details


def test_an_archive_of_an_archive_is_the_same_again(write: Write, make_plans: MakePlans, cache: ContentCache) -> None:
    """What comes from archives is left to merging: it keeps all that the archive says of it."""
    place = write({"main.py": "import part\n"})
    write_archive(distribution_archive("1.0", helper=b""), place / "made")
    (plan,) = make_plans("main.py", archives=(Path("made"),))
    assert sorted(archive_of(plan, cache).archive.files) == ["python/main.py"]


def test_a_project_without_scripts_can_be_archived(write: Write, make_plans: MakePlans, cache: ContentCache) -> None:
    place = write({"empty": ""})
    built = wheel(place, "library", "3")
    (place / "project").mkdir()
    (place / "project/pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "library"\nversion = "3"\n'
    )
    (place / "project/backend.py").write_text(
        "import shutil\ndef build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        f"    shutil.copy({str(built)!r}, directory)\n    return {built.name!r}\n"
    )
    (plan,) = make_plans("project", library=True)
    made = archive_of(plan, cache).archive
    assert (made.metadata.app_name, made.metadata.app_version) == ("library", "3")
    assert sorted(made.files) == [
        "dist-info/library-3.dist-info/METADATA",
        "dist-info/library-3.dist-info/RECORD",
        "dist-info/library-3.dist-info/WHEEL",
        "python/library/__init__.py",
    ]
    with pytest.raises(SourceError, match="nothing to run"):
        make_plans("project")
