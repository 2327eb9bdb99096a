"""Native modules as shared objects: linked from their objects, or stubs that lead into the program."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Final

from frazil.cache import digest
from frazil.native.relocatable import unique_symbol

if TYPE_CHECKING:
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.native.record import NativeModule
    from frazil.toolchain import Compiler

_FLAGS: Final = ("-shared", "-fPIC", "-s", "-Wl,--build-id=none", "-Wl,--hash-style=gnu", "-Wl,-O1")
_CXX_RUNTIME: Final = ("-static-libgcc", "-Wl,-Bstatic", "-lstdc++", "-Wl,-Bdynamic", "-Wl,--exclude-libs,ALL", "-lm")
_STUB: Final = """\
extern void *{unique}(void);
void *{init}(void);
void *{init}(void) {{ return {unique}(); }}
"""


def module_file(name: str, soabi: str, *, package: bool) -> str:
    """The file of an extension module, relative to where its top-level package stands."""
    path = name.replace(".", "/") + ("/__init__" if package else "")
    return f"{path}.{soabi}.so" if soabi else f"{path}.so"


def module_place(module: NativeModule, base: str, soabi: str) -> tuple[str, str]:
    """``path`` and ``directory`` of an extension module below the mount; ``base`` is where its top-level package stands."""
    relative = module_file(module.name, soabi, package=module.package)
    above = module.name.rpartition(".")[0]
    directory = posixpath.join(base, above.replace(".", "/")).rstrip("/") if module.directory is None else module.directory
    inside = posixpath.relpath(relative, above.replace(".", "/") or ".") if above else relative
    return posixpath.join(directory, inside), directory


def shared_object(module: NativeModule, compiler: Compiler, cache: ContentCache) -> Path:
    """The module linked as CPython loads it. Raises HostError with the linker's output."""
    words = [*_FLAGS, *(f"-L{one}" for one in module.library_directories)]
    libraries = [f"-l{one}" for one in module.libraries]
    if module.language == "c++":
        libraries += ["-lm"] if compiler.zig else _CXX_RUNTIME
    key = digest(module.name, *words, *libraries, *(one.digest for one in module.objects), compiler.identity)

    def make(place: Path) -> None:
        place.mkdir()
        objects = [os.fspath(one.path) for one in module.objects]
        group = ["-Wl,--start-group", *objects, "-Wl,--end-group"]
        driver = compiler.for_cxx() if module.language == "c++" else compiler
        driver.link([*words, *group, *libraries], place / "module.so")

    return cache.entry("shared-object", key, make) / "module.so"


def stub(module: NativeModule, compiler: Compiler, cache: ContentCache) -> Path:
    """A shared object that is the module to whoever loads its file: its init function is the one inside the program."""
    text = _STUB.format(unique=unique_symbol(module.name), init=module.init_symbol)
    words = [*_FLAGS, "-nostdlib", "-O2", "-Wl,-z,noseparate-code"]

    def make(place: Path) -> None:
        place.mkdir()
        source = place / "stub.c"
        source.write_text(text)
        compiler.compile_c([source], words, place / "stub.so")

    return cache.entry("shared-object", digest(text, *words, compiler.identity), make) / "stub.so"
