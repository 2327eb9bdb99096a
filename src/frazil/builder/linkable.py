"""Writes what other build systems link: launcher and image as one object, the header, and flags (``docs/embedding.md``)."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frazil.builder.elf import write_output
from frazil.builder.emit import image_object
from frazil.builder.launcher import SOURCES
from frazil.errors import OutputError
from frazil.toolchain import find_compiler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frazil.builder.host import GlibcFloor, Host
    from frazil.builder.launcher import Launcher, Linkable
    from frazil.plan import Plan

HEADER: Final = "frazil.h"
FORMAT: Final = 1
_IMAGE_ADDRESS: Final = "-Wl,--section-start=.frazil.image=0x2000000000"
_PLAIN: Final = 0o644


def write_linkable(plan: Plan, image: bytes, launcher: Launcher, floor: GlibcFloor, host: Host) -> int:
    """Write ``NAME.o`` and its companions beside ``host.output``, whose name is the program's; the object's size.

    Companions are the header, ``NAME.json``, ``NAME.pc`` and copies of static libraries. Raises FrazilError.
    """
    name, directory = host.output.name, host.output.parent
    linkable = launcher.linkable()
    with image_object(image, host.cache) as made, tempfile.TemporaryDirectory(prefix="frazil-") as place:
        whole = Path(place, "program.o")
        words = ["-no-pie", "-nostdlib", "-r", os.fspath(linkable.object), os.fspath(made)]
        find_compiler(host.cache).link(words, whole)
        data = whole.read_bytes()
    write_output([data], directory / f"{name}.o", _PLAIN)
    write_output([(SOURCES / HEADER).read_bytes()], directory / HEADER, _PLAIN)
    archives = _copied(linkable.archives, directory, name)
    final = os.fspath(host.directory or directory.absolute())
    includes = [f"-I{one}" for one in map(os.fspath, plan.distribution.include_directories)]
    described = {
        "format": FORMAT,
        "name": name,
        "python": plan.distribution.full_version,
        "link": launcher.link.value,
        "glibc": floor.version,
        "object": f"{final}/{name}.o",
        "header": f"{final}/{HEADER}",
        "cflags": [f"-I{final}", *includes],
        "ldflags": _link_words(name, linkable, archives, final),
    }
    write_output([(json.dumps(described, indent=2) + "\n").encode()], directory / f"{name}.json", _PLAIN)
    text = _package(name, plan, includes, _link_words(name, linkable, archives, "${pcfiledir}"))
    write_output([text.encode()], directory / f"{name}.pc", _PLAIN)
    return len(data)


def _link_words(name: str, linkable: Linkable, archives: Sequence[str], directory: str) -> list[str]:
    """What a linker's command line needs; all of it stands behind the program's own objects."""
    held = [f"{directory}/{one}" for one in archives]
    group = ["-Wl,--start-group", *held, "-Wl,--end-group"] if held else []
    return [*linkable.words, _IMAGE_ADDRESS, f"{directory}/{name}.o", *group, *linkable.libraries]


def _copied(archives: Sequence[Path], directory: Path, name: str) -> list[str]:
    """Copies of static libraries under their own names, which the linker's words hide by. Raises OutputError."""
    found = []
    for archive in archives:
        place = directory / archive.name
        if place.exists() and archive.name in found:
            problem = f"two static libraries of {name} are called {archive.name}"
            raise OutputError(problem, where=archive, remedy="Load one of the modules from memory: --native memory.")
        try:
            shutil.copyfile(archive, place)
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror or error}", where=place) from error
        found.append(archive.name)
    return found


def _package(name: str, plan: Plan, includes: Sequence[str], words: Sequence[str]) -> str:
    lines = [
        f"Name: {name}",
        f"Description: {name} and Python {plan.distribution.full_version}, to be linked into a program (frazil)",
        "Version: 0",
        f"Cflags: {' '.join(map(_escaped, ['-I${pcfiledir}', *includes]))}",
        f"Libs: {' '.join(map(_escaped, words))}",
    ]
    return "\n".join(lines) + "\n"


def _escaped(word: str) -> str:
    """A word as pkg-config takes it."""
    return "".join(f"\\{one}" if one in " \\\"'#" else one for one in word)
