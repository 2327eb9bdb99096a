"""The configuration that ``frazil init`` writes: small, commented, and built as it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HELLO: Final = "print('Hello from one file.')"
_TEMPLATE: Final = """\
# A Starlark configuration of frazil.
#
#   frazil build                     builds the default target into build/TRIPLE/debug/TARGET/
#   frazil build --target exe        builds another one
#   frazil run -- ARGS               builds the default target and runs it
#   frazil targets                   lists the targets
#   frazil config check              looks for mistakes, running nothing


def make_exe():
    # The Python to build with: the one that frazil runs on. Another one: python_version = "3.13".
    dist = default_python_distribution()

    # Where modules, data and libraries go. In memory is inside the executable; files beside it would be
    # "filesystem-relative:lib".
    policy = dist.make_python_packaging_policy()
    policy.resources_location = "in-memory"

    # How the interpreter starts, and what it runs: run_command, run_module or run_filename.
    config = dist.make_python_interpreter_config()
    config.run_command = {what}

    exe = dist.to_python_executable(
        name = {name},
        packaging_policy = policy,
        config = config,
    )

    # Dependencies from the package index, as `pip install` takes them.
    {pip}

    # Packages and modules beside this file.
    # exe.add_python_resources(exe.read_package_root(path = CWD, packages = [{package}]))

    # What stands in a virtual environment.
    # exe.add_python_resources(exe.read_virtualenv(path = CWD + "/.venv"))

    return exe


def make_install(exe):
    # The executable, and files that stand beside it.
    files = FileManifest()
    files.add_python_resource(".", exe)
    # files.add_manifest(glob(["README.md", "data/**"]))
    return files


# VARS holds what `frazil build --var NAME=VALUE` says.
register_target("exe", make_exe)
register_target("install", make_install, depends = ["exe"], default = True)

resolve_targets()
"""


def program_name(text: str) -> str:
    """A program's name made of any text."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "app"


def template(name: str, code: str | None = None, requirements: Sequence[str] = ()) -> str:
    """The configuration of a program called ``name``; it runs ``code`` and has ``requirements`` inside."""
    call = f"exe.add_python_resources(exe.pip_install([{', '.join(map(_literal, requirements))}]))"
    return _TEMPLATE.format(
        name=_literal(name),
        what=_literal(code or HELLO),
        pip=call if requirements else '# exe.add_python_resources(exe.pip_install(["rich>=13"]))',
        package=_literal(re.sub(r"\W", "_", name)),
    )


def _literal(text: str) -> str:
    """A string as Starlark writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(_ESCAPES.get(one, one) for one in escaped) + '"'


_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
