"""Launchers: compiled, linked in both modes, cached. The C sources are a stub, so that this tests the builder alone."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from frazil.builder import elf
from frazil.builder.launcher import EMBEDDING_PATH, SOURCES, Launcher, make_launcher
from frazil.builder.shared_objects import PROVIDED_BY_GLIBC, facts_of
from frazil.cache import ContentCache
from frazil.distribution import PythonDistribution, describe, running
from frazil.errors import DistributionError, HostError
from frazil.plan import LinkMode
from frazil.resources.kinds import RUNTIME, STANDARD_LIBRARY, NativeLibrary
from frazil.toolchain import Compiler, find_compiler

STUB = Path(__file__).parent / "stub_launcher"
CODE = "import _stub, math, sys; print(_stub.answer(), math.floor(2.5), '%d.%d' % sys.version_info[:2])"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ContentCache:
    return ContentCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def distribution(target: Path, cache: ContentCache) -> PythonDistribution:
    return describe(target, cache)


def _libraries(launcher: Launcher) -> list[Path]:
    found = [one.content for one in launcher.resources if isinstance(one, NativeLibrary)]
    return [one for one in found if isinstance(one, Path)]


def _run(launcher: Launcher, distribution: PythonDistribution) -> str:
    libraries = _libraries(launcher) if launcher.link is LinkMode.SHARED else []
    home = {"PYTHONHOME": str(distribution.stdlib.parent.parent)}
    done = subprocess.run([launcher.path, CODE, *libraries], env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _check(launcher: Launcher) -> None:
    assert all(PROVIDED_BY_GLIBC.match(name) for name in facts_of(launcher.path).needed)
    data = launcher.path.read_bytes()
    assert b"\0.dynsym\0" in data
    assert b"\0.symtab\0" not in data
    assert b"\0.debug_info\0" not in data
    assert elf.spare_headers(data) >= 2


def test_static(distribution: PythonDistribution, cache: ContentCache) -> None:
    if distribution.static_library is None:
        pytest.skip("this Python has no static library")
    launcher = make_launcher(distribution, LinkMode.STATIC, cache, sources=STUB)
    assert launcher.link is LinkMode.STATIC
    assert _run(launcher, distribution) == f"42 2 {distribution.short_version}\n"
    _check(launcher)


def test_shared(distribution: PythonDistribution, cache: ContentCache) -> None:
    if distribution.shared_library is None:
        pytest.skip("this Python has no shared library")
    launcher = make_launcher(distribution, LinkMode.SHARED, cache, sources=STUB)
    assert launcher.link is LinkMode.SHARED
    assert _run(launcher, distribution) == f"42 2 {distribution.short_version}\n"
    _check(launcher)
    libpython, embedding = launcher.resources
    soname = facts_of(distribution.shared_library).soname
    assert (libpython.path, libpython.owner) == (f"lib/{soname}", STANDARD_LIBRARY)
    assert (embedding.path, embedding.owner) == (EMBEDDING_PATH, RUNTIME)
    assert _libraries(launcher)[0].stat().st_size < distribution.shared_library.stat().st_size


def test_launcher_with_an_image(distribution: PythonDistribution, cache: ContentCache, tmp_path: Path) -> None:
    launcher = make_launcher(distribution, LinkMode.AUTO, cache, sources=STUB)
    elf.assemble(launcher.path, b"image" * 1000, tmp_path / "app")
    assert subprocess.run([tmp_path / "app"], capture_output=True, check=True).stdout == b"image" * 1000


def _running(cache: ContentCache) -> PythonDistribution:
    distribution = running(cache)
    if distribution.static_library is None or distribution.shared_library is None:
        pytest.skip("the running Python lacks a static or shared library")
    return distribution


def test_auto_prefers_static(cache: ContentCache) -> None:
    launcher = make_launcher(_running(cache), LinkMode.AUTO, cache, sources=STUB)
    assert launcher.link is LinkMode.STATIC
    assert ".a is there" in launcher.reason


def test_auto_without_static_library(cache: ContentCache) -> None:
    distribution = dataclasses.replace(_running(cache), static_library=None)
    launcher = make_launcher(distribution, LinkMode.AUTO, cache, sources=STUB)
    assert launcher.link is LinkMode.SHARED
    assert launcher.reason == f"no libpython{distribution.short_version}.a"


def test_auto_with_a_static_library_that_does_not_link(cache: ContentCache, tmp_path: Path) -> None:
    broken = tmp_path / "libpython.a"
    broken.write_bytes(b"!<arch>\n")
    distribution = dataclasses.replace(_running(cache), static_library=broken, identity="broken")
    launcher = make_launcher(distribution, LinkMode.AUTO, cache, sources=STUB)
    assert launcher.link is LinkMode.SHARED
    assert launcher.reason == "libpython.a cannot be linked"
    with pytest.raises(DistributionError, match="cannot be linked") as caught:
        make_launcher(distribution, LinkMode.STATIC, cache, sources=STUB)
    assert "Py_" in caught.value.details
    assert "--link shared" in caught.value.remedy


def test_static_library_that_needs_a_shared_one(cache: ContentCache) -> None:
    distribution = _running(cache)
    wanting = dataclasses.replace(distribution, link_libraries=("-lno_such_library",), identity="wanting")
    launcher = make_launcher(wanting, LinkMode.AUTO, cache, sources=STUB)
    assert launcher.link is LinkMode.SHARED
    with pytest.raises(DistributionError) as caught:
        make_launcher(wanting, LinkMode.STATIC, cache, sources=STUB)
    assert "no_such_library" in caught.value.details


@pytest.mark.parametrize("link", list(LinkMode))
def test_without_libpython(cache: ContentCache, link: LinkMode) -> None:
    distribution = dataclasses.replace(running(cache), static_library=None, shared_library=None)
    with pytest.raises(DistributionError, match="no libpython") as caught:
        make_launcher(distribution, link, cache, sources=STUB)
    assert f"python{distribution.short_version}-dev" in caught.value.remedy
    assert "PYTHON_CONFIGURE_OPTS=--enable-shared" in caught.value.remedy


def test_without_headers(cache: ContentCache) -> None:
    distribution = running(cache)
    for lacking, name in (
        (dataclasses.replace(distribution, include=None), r"Python\.h"),
        (dataclasses.replace(distribution, platform_include=None), r"pyconfig\.h"),
    ):
        with pytest.raises(DistributionError, match=f"has no {name}") as caught:
            make_launcher(lacking, LinkMode.AUTO, cache, sources=STUB)
        assert "-dev" in caught.value.remedy


def test_wrong_libpython(cache: ContentCache, tmp_path: Path) -> None:
    library = tmp_path / "libpython.so"
    library.write_bytes(b"no library")
    distribution = dataclasses.replace(running(cache), shared_library=library)
    with pytest.raises(DistributionError, match="libpython is for no machine"):
        make_launcher(distribution, LinkMode.SHARED, cache, sources=STUB)


def _recording(compiler: Compiler, directory: Path) -> tuple[Compiler, Path]:
    """The compiler behind a script that writes down what it is called with."""
    log = directory / "log"
    log.touch()
    script = directory / "cc"
    script.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {compiler.command[0]} "$@"\n')
    script.chmod(0o755)
    return dataclasses.replace(compiler, command=(str(script), *compiler.command[1:])), log


def test_only_what_changed_is_compiled(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "cache")
    distribution = _running(cache)
    sources = tmp_path / "sources"
    shutil.copytree(STUB, sources)
    compiler, log = _recording(find_compiler(cache), tmp_path)

    def build() -> tuple[str, list[str]]:
        log.write_text("")
        launcher = make_launcher(distribution, LinkMode.STATIC, cache, sources=sources, compiler=compiler)
        compiled = [line for line in log.read_text().splitlines() if " -c " in line]
        return launcher.key, sorted(name for line in compiled for name in line.split() if name.endswith(".c"))

    files = sorted(str(one) for one in sources.rglob("*.c"))
    first, compiled = build()
    assert compiled == files
    assert build() == (first, [])
    (sources / "python/embed.c").write_text((STUB / "python/embed.c").read_text() + "\n/* changed */\n")
    second, compiled = build()
    assert compiled == [str(sources / "python/embed.c")]
    assert second != first
    (sources / "core.h").write_text((STUB / "core.h").read_text() + "\n/* changed */\n")
    third, compiled = build()
    assert compiled == files
    assert third not in {first, second}


def test_errors_in_the_sources_are_shown(cache: ContentCache, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(STUB, sources)
    (sources / "main.c").write_text("int main(void) { return nothing; }\n")
    for link in (LinkMode.AUTO, LinkMode.SHARED):
        with pytest.raises(HostError, match=r"main\.c") as caught:
            make_launcher(_running(cache), link, cache, sources=sources)
        assert "nothing" in caught.value.details


def test_two_directories_give_the_same_launcher(tmp_path: Path) -> None:
    results = []
    for name in ("one", "another"):
        cache = ContentCache(tmp_path / name / "cache")
        shutil.copytree(STUB, tmp_path / name / "sources")
        distribution = _running(cache)
        made = [
            make_launcher(distribution, link, cache, sources=tmp_path / name / "sources")
            for link in (LinkMode.STATIC, LinkMode.SHARED)
        ]
        results.append([path.read_bytes() for one in made for path in (one.path, *_libraries(one))])
    assert results[0] == results[1]


def test_stand_in_bears_the_name_of_libpython(cache: ContentCache) -> None:
    launcher = make_launcher(_running(cache), LinkMode.STATIC, cache, sources=STUB)
    (stand_in,) = launcher.resources
    facts = facts_of(_libraries(launcher)[0])
    assert stand_in.path == f"lib/{facts.soname}"
    assert not facts.needed


def test_own_sources_are_complete() -> None:
    assert {"main.c", "start.c", "embed.c", "module.c"} <= {one.name for one in SOURCES.rglob("*.c")}
