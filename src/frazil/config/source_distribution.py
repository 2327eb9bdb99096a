"""Source distributions, kept in archives so that native modules can be built again from them for another Python."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from frazil.cache import digest
from frazil.config.install import FromSource, environment, objects_of, pip_commands, source_files, tree_digest
from frazil.config.installer_settings import fingerprint, installer_environment
from frazil.config.third_party import site_packages
from frazil.native.capture import captured
from frazil.resources.kinds import ExtensionModule
from frazil.toolchain import find_compiler

if TYPE_CHECKING:
    from frazil.archive.contribution import SdistRebuild
    from frazil.cache import ContentCache
    from frazil.config.parsing import Parser
    from frazil.distribution import PythonDistribution
    from frazil.native.record import NativeModule

_KIND: Final = "source-distribution"
_SUFFIXES: Final = (".tar.gz", ".zip")


def source_distribution(
    project: str, version: str, direct_url: str, distribution: PythonDistribution, cache: ContentCache
) -> Path | None:
    """The source distribution of an installed project: what it was installed from, or what an index has under its version.

    ``direct_url`` is where it was installed from, empty for an index (PEP 610). None when it cannot be had.
    """
    if direct_url:
        place = Path(unquote(urlsplit(direct_url).path)) if direct_url.startswith("file:") else None
        if place is None:
            return None
        return packed(place, f"{project}-{version}", cache) if place.is_dir() else place if place.is_file() else None
    key = digest(project, version, *fingerprint(os.environ))
    stored = next(iter(sorted(cache.place(_KIND, key).glob("*"))), None)
    return stored or _downloaded(project, version, key, distribution, cache)


def packed(directory: Path, name: str, cache: ContentCache) -> Path:
    """A project's directory as a source distribution, the same files the same bytes."""

    def make(place: Path) -> None:
        place.mkdir()
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=(place / f"{name}.tar.gz").open("wb"), mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for relative, file in source_files(directory):
                if file.is_file():
                    member = tarfile.TarInfo(f"{name}/{relative}")
                    member.size, member.mode = file.stat().st_size, 0o755 if os.access(file, os.X_OK) else 0o644
                    with file.open("rb") as content:
                        tar.addfile(member, content)

    return cache.entry(_KIND, digest("directory", name, tree_digest(directory)), make) / f"{name}.tar.gz"


def _downloaded(project: str, version: str, key: str, distribution: PythonDistribution, cache: ContentCache) -> Path | None:
    def make(place: Path) -> None:
        place.mkdir()
        options = ["download", "-q", "--no-deps", "--no-input", "--disable-pip-version-check", "--no-binary", project]
        for command in pip_commands(distribution):
            words = [*command, *options, "-d", str(place), f"{project}=={version}"]
            done = subprocess.run(
                words, env=installer_environment(os.environ), stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
            if done.returncode == 0:
                return
        shutil.rmtree(place)
        place.mkdir()

    entry = cache.entry(_KIND, key, make)
    found = [one for one in sorted(entry.iterdir()) if one.name.endswith(_SUFFIXES)]
    if not found:
        cache.discard(_KIND, key)
        return None
    return found[0]


def rebuilt(one: SdistRebuild, parser: Parser, cache: ContentCache) -> list[NativeModule]:
    """The modules of an archive's source distribution, built for the Python of ``parser``. Raises DependencyError."""
    compiler = find_compiler(cache)
    requirement = f"{one.project} @ {one.sdist.as_uri()}"
    from_source = FromSource((one.project,), compiler)
    root = environment([requirement], None, parser.distribution, cache, dependencies=False, from_source=from_source)
    extensions = [part for part in site_packages(root, parser).resources(one.project) if isinstance(part, ExtensionModule)]
    found = captured(objects_of(root), extensions, parser.distribution, compiler)
    return [module for module in found.modules if module.name in one.modules]
