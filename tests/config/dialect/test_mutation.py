"""Damaged configurations that use the dialect are told as errors. ``--starlark-seconds`` says for how long to try."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from frazil.config.dialect import configuration
from frazil.config.dialect.building import Buildable
from frazil.config.dialect.returns import types
from frazil.config.dialect.session import Surroundings
from frazil.errors import FrazilError
from mutation import mutated

if TYPE_CHECKING:
    import pytest

    from frazil.cache import ContentCache
    from front_end import Write

SOURCE: Final = """
def callback(policy, resource):
    if type(resource) in ("File", "PythonModuleSource"):
        resource.add_include = True
        resource.add_location = "filesystem-relative:lib"
        resource.add_location_fallback = None

def make():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.extension_module_filter = "all"
    policy.register_resource_callback(callback)
    policy.resources_location = "in-memory"
    policy.resources_location_fallback = "filesystem-relative:prefix"
    policy.set_resource_handling_mode("classify")
    config = dist.make_python_interpreter_config()
    config.run_module = "app"
    config.module_search_paths = ["$ORIGIN/lib"]
    config.optimization_level = 2
    exe = dist.to_python_executable(name = "app", packaging_policy = policy, config = config)
    for one in exe.read_package_root(path = CWD, packages = ["app"]):
        exe.add_python_resource(one)
    exe.add_python_resource(exe.make_python_module_source("mod", "x = 1", is_package = False))
    exe.add_python_resources(manifest("manifest.py", level = [1, {"a": None}]))
    m = FileManifest()
    m.add_python_resource("bin", exe)
    m.add_file(FileContent(filename = "a", content = "text", executable = True), path = "x/y")
    m.add_path("app/__init__.py", strip_prefix = "app", force_read = True)
    m.add_manifest(glob(["app/*"], exclude = ["*.pyc"], strip_prefix = "app"))
    m.install("here", replace = False)
    print(m.paths(), m.get_file("a"), m.remove("x/y"), can_prompt(), prompt_input("x", default = "y"))
    set_build_path("made")
    return m

register_target(name = "t", fn = make, depends = [], default = True)
resolve_targets()
"""


def test_mutations(request: pytest.FixtureRequest, write: Write, cache: ContentCache) -> None:
    directory = write({"app/__init__.py": "", "manifest.py": "module('x.py')\n", "x.py": ""})
    seconds = request.config.getoption("--starlark-seconds")
    base = random.randrange(1 << 30) if seconds else 0
    end = time.monotonic() + seconds
    count = fine = 0
    while count < 150 or time.monotonic() < end:
        source = mutated(SOURCE, random.Random(base + count)) if count else SOURCE
        count += 1
        path = directory / "frazil.bzl"
        path.write_bytes(source.encode(errors="surrogatepass"))
        try:
            found = configuration.run(path, Surroundings(cache), wanted=())
            types(found.targets)
            for value in found.targets.results.values():
                if isinstance(value, Buildable):
                    value.inputs()
            fine += 1
        except FrazilError as error:
            str(error).encode("utf-8", "backslashreplace")
        except BaseException as error:
            error.add_note(f"seed {base + count - 1}:\n{source!r}")
            raise
    assert 0 < fine < count
    assert sorted(one.name for one in directory.iterdir()) == ["app", "frazil.bzl", "manifest.py", "x.py"]
