"""The command ``frazil``: its verbs, loaded when they are named, and how errors become messages and exit codes.

Verbs are imported only when they run or are listed, so that ``--version`` and a warm build pay for nothing they do not use.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Final

import click

from frazil.errors import FrazilError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""

VERBS: Final = {
    "build": "Freeze an application into one executable.",
    "freeze": "Freeze a directory with a boot script into one executable.",
    "run": "Build an application through the caches and run it.",
    "archive": "Bundle modules and their objects for other builds.",
    "manifest": "Read MicroPython's manifests; compile or freeze by them.",
    "init": "Write a Starlark configuration to begin with.",
    "targets": "List the targets of a Starlark configuration.",
    "run-build-script": "Write what another build system links.",
    "config": "Check a Starlark configuration.",
    "pmm": "Make modules that are added after the build.",
    "inspect": "List what is inside an executable.",
    "doctor": "Say what this machine has for building.",
    "cache": "Show or empty the cache.",
}

EPILOG: Final = """\b
Examples:
  frazil build hello.py                one script; the result is dist/hello
  frazil build . --multicall           a project; all its console scripts in one file
  frazil build app:main --venv .venv   a function, dependencies from a virtual environment
  frazil init && frazil build          a Starlark configuration, frazil.bzl, and its targets
  frazil run hello.py -- --name you    build through the caches and run
  frazil inspect dist/hello --verify   what is inside, and whether it is whole
"""


class _Verbs(click.Group):
    """A group whose commands stand in ``frazil.cli.VERB`` as ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"frazil.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, from the table above: none has to be imported to be listed."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if wanted:
        from frazil import __version__  # noqa: PLC0415 - read only when asked for

        click.echo(f"frazil {__version__}")
        context.exit()


@click.group(cls=_Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-V",
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def program() -> None:
    """Freeze a Python application into one native executable that imports everything from memory."""


def _lines_of(error: FrazilError) -> str:
    """The message of an error: the place and problem, what a tool said, what to do."""
    where = "" if error.where is None else f"{error.where}: "
    parts = [f"{click.style('error:', fg='red', bold=True)} {where}{error.problem}"]
    if error.details.strip():
        parts.append(error.details.strip("\n"))
    if error.remedy:
        parts.append(error.remedy)
    return "\n".join(parts)


def _complain(message: str) -> None:
    """Print to the standard error stream; when even that is gone, the exit code has to do."""
    try:
        click.echo(message, err=True)
    except OSError:
        _abandon(sys.stderr)


def _abandon(stream: object) -> None:
    """Let a stream that nobody reads lead nowhere, so that flushing it at exit is quiet."""
    if isinstance(stream, io.TextIOWrapper):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _message(error: Exception) -> str:
    """The message of any other error: what the system said, or that this is our fault."""
    red = click.style("error:", fg="red", bold=True)
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{red} {where}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return f"{red} this machine's memory does not suffice"
    return (
        f"{click.style('internal error:', fg='red', bold=True)} {type(error).__name__}: {error} "
        "(this is a bug in frazil; run with FRAZIL_TRACEBACK=1 to see where)"
    )


def _report(error: Exception) -> int:
    """Tell the user about an error; the exit code."""
    if isinstance(error, click.exceptions.Abort):  # click's word for Ctrl-C
        _complain("interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        _abandon(sys.stdout)
        return 1
    if os.environ.get("FRAZIL_TRACEBACK"):
        raise error
    if isinstance(error, FrazilError):
        _complain(_lines_of(error))
        return error.exit_code
    _complain(_message(error))
    if isinstance(error, OSError):
        _abandon(sys.stdout)  # it may be the one that failed
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; ``arguments`` are those of the process by default."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may not be text in this locale
    try:
        code = program.main(args=None if arguments is None else list(arguments), prog_name="frazil", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a user sees no traceback
        return _report(error)
    return code if isinstance(code, int) else 0
