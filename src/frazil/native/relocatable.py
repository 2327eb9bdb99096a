"""One relocatable object of a native module, which shows the linker nothing but the module's init function.

A shared object that CPython loads keeps its symbols to itself (``RTLD_LOCAL``). The same is reached for modules that share a
program in three steps: the module's objects are joined (``ld -r``); COMDAT groups and unique symbols, by which the linker
would take one module's inline functions and variables for another's, are dissolved; all symbols but the init function are made
local, and that one gets a name that is made of the module's whole dotted name, so that ``a._speedups`` and ``b._speedups`` can
stand side by side.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from frazil.cache import digest, file_digest
from frazil.errors import HostError
from frazil.native.symbols import without_unique
from frazil.toolchain import run_tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from frazil.cache import ContentCache
    from frazil.native.record import NativeModule
    from frazil.toolchain import Compiler

_LAYOUT: Final = "2"
_JOIN: Final = ("-r", "-nostdlib", "-Wl,--force-group-allocation", "-Wl,--build-id=none")


def unique_symbol(name: str) -> str:
    """The name that a module's init function has in the program: one for each dotted name, made of what C allows."""
    return "frazil_init_" + "".join(map(_spelled, name))


def _spelled(character: str) -> str:
    if character == ".":
        return "_0"
    if character == "_":
        return "__"
    return character if character.isascii() else f"_u{ord(character):x}_"


def relocatable(module: NativeModule, private: Sequence[Path], compiler: Compiler, cache: ContentCache) -> Path:
    """The object; ``private`` are static libraries that go into it, as far as it needs them.

    Raises HostError when the tools are missing or fail.
    """
    objcopy = compiler.program("objcopy")
    if objcopy is None:
        raise HostError("there is no objcopy beside this compiler", where=compiler.command[0], remedy="Install binutils.")
    symbol = unique_symbol(module.name)
    inputs = [part for one in module.objects for part in (one.name, one.digest)]
    libraries = [part for one in private for part in (one.name, file_digest(one))]
    key = digest(_LAYOUT, *_JOIN, module.name, module.init_symbol, *inputs, *libraries, compiler.identity)

    def make(place: Path) -> None:
        place.mkdir()
        joined = place / "joined.o"
        objects = [os.fspath(one.path) for one in module.objects if one.path.suffix != ".a"]
        archives = [os.fspath(one.path) for one in module.objects if one.path.suffix == ".a"] + [
            os.fspath(one) for one in private
        ]
        group = ["-Wl,--start-group", *archives, "-Wl,--end-group"] if archives else []
        compiler.link([*_JOIN, *objects, *group], joined)
        joined.write_bytes(without_unique(joined.read_bytes(), module.name))
        renamed = ["--redefine-sym", f"{module.init_symbol}={symbol}"]
        problem = f"the symbols of {module.name} cannot be made its own"
        made = place / "module.o"
        run_tool([os.fspath(objcopy), *renamed, os.fspath(joined)], problem)
        run_tool(
            [os.fspath(objcopy), f"--keep-global-symbol={symbol}", "--strip-debug", os.fspath(joined), os.fspath(made)], problem
        )
        joined.unlink()

    return cache.entry("relocatable", key, make) / "module.o"
