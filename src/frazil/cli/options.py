"""The options that ``build``, ``freeze`` and ``run`` share, and the plans that they ask for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from frazil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from frazil.cache import ContentCache
    from frazil.config.options import SourceOptions
    from frazil.distribution import PythonDistribution
    from frazil.plan import Plan, PmmSettings

_Function = TypeVar("_Function", bound="Callable[..., object]")

CONTEXT = {"help_option_names": ["-h", "--help"]}
"""Settings of every verb: ``-h`` asks for help too."""

_MULTICALL = click.option(
    "--multicall", is_flag=True, help="All console scripts of a project in one file, told apart by its name."
)

_DECORATORS = (
    click.option("--name", metavar="NAME", help="The program's name. Default: that of SOURCE."),
    click.option(
        "--python",
        metavar="PATH|ARCHIVE|URL",
        help="The Python to build with: an interpreter or a python-build-standalone archive. Default: frazil's own.",
    ),
    click.option("--sha256", metavar="HEX", help="The digest that the archive must have; needed for a URL."),
    click.option(
        "--link",
        type=click.Choice(["auto", "static", "shared"]),
        default="auto",
        show_default=True,
        help="How libpython comes in: static starts fastest, auto takes it where it can.",
    ),
    click.option(
        "--native",
        type=click.Choice(["auto", "static", "memory"]),
        default="auto",
        show_default=True,
        help="How native modules that are compiled for this build come in: linked into the program, or loaded from memory.",
    ),
    click.option("--venv", metavar="DIR", help="Take dependencies from this virtual environment."),
    click.option("--with", "requirements", multiple=True, metavar="REQ", help="One more requirement, such as 'rich>=13'."),
    click.option(
        "--use-archive", "archives", multiple=True, metavar="PATH", help="Use this archive; of several the first one wins."
    ),
    click.option(
        "--from-source",
        multiple=True,
        metavar="PROJECT",
        help="Build this requirement from its source distribution, to link its native modules as --native says.",
    ),
    click.option("--include", multiple=True, metavar="MODULE", help="One more module; pkg.* means everything below pkg."),
    click.option("--exclude", multiple=True, metavar="MODULE", help="Leave this module out; pkg.* likewise."),
    click.option(
        "--include-data",
        multiple=True,
        metavar="SRC=DEST",
        help="One more file or directory, and where it stands beside the application.",
    ),
    click.option(
        "--stdlib",
        type=click.Choice(["used", "all"]),
        default="used",
        show_default=True,
        help="Standard library: what is reached, or all of it.",
    ),
    click.option(
        "--optimize",
        type=click.Choice(["0", "1", "2"]),
        default="0",
        show_default=True,
        help="Bytecode as with -O (1: no assert) or -OO (2: no docstrings either).",
    ),
    click.option("--no-source", is_flag=True, help="Bytecode only: smaller, but tracebacks show no lines."),
    click.option(
        "--compress",
        type=click.Choice(["none", "deflate"]),
        default="none",
        show_default=True,
        help="Store sources and data smaller; they are decompressed when opened.",
    ),
    _MULTICALL,
    click.option(
        "--warm",
        is_flag=False,
        flag_value="all",
        metavar="[first-run,][MODULE,...]",
        help="Start with modules already imported: what the program imports, or these. first-run: from its second start on, on "
        "each machine.",
    ),
    click.option("--environment", is_flag=True, help="Let PYTHON* variables count in the executable."),
    click.option("--site", is_flag=True, help="Import site at start."),
    click.option(
        "--self-exec",
        type=click.Choice(["python", "application"]),
        default="python",
        show_default=True,
        help="What sys.executable is to the program's own child processes.",
    ),
    click.option(
        "--memfs-limit",
        metavar="SIZE",
        help="How much the program may write to memfs, such as 512M. Default: half of the machine's memory.",
    ),
    click.option("--pmm", multiple=True, metavar="STORAGE", help="Look for modules here too, such as dir:{exe_dir}/modules."),
    click.option(
        "--pmm-mode",
        type=click.Choice(["override", "add", "locked"]),
        default="override",
        show_default=True,
        help="Storages before the executable's own modules, or only for others; locked: nothing can alter the storages.",
    ),
    click.option("--pmm-root", metavar="FILE", help="The root document that signatures of modules are checked by."),
    click.option("--pmm-update", is_flag=True, help="Put in what the program needs to fetch newer modules."),
    click.option("--pmm-unsigned", is_flag=True, help="Believe whoever can write to the storages."),
)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line says about a build, as it was written."""

    source: str
    name: str | None
    python: str | None
    sha256: str | None
    link: str
    native: str
    venv: str | None
    requirements: tuple[str, ...]
    archives: tuple[str, ...]
    from_source: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    include_data: tuple[str, ...]
    stdlib: str
    optimize: str
    no_source: bool
    compress: str
    multicall: bool
    warm: str | None
    environment: bool
    site: bool
    self_exec: str
    memfs_limit: str | None
    pmm: tuple[str, ...]
    pmm_mode: str
    pmm_root: str | None
    pmm_update: bool
    pmm_unsigned: bool


def build_options(function: _Function) -> _Function:
    """Declare SOURCE's options on a command; it passes them to ``BuildOptions(source=..., **options)``."""
    for decorate in reversed(_DECORATORS):
        function = decorate(function)
    return function


def freeze_options(function: _Function) -> _Function:
    """The same for a directory, which is one program; ``BuildOptions(source=..., multicall=False, **options)``."""
    for decorate in reversed(_DECORATORS):
        if decorate is not _MULTICALL:
            function = decorate(function)
    return function


def gather(source: str, options: dict[str, Any]) -> BuildOptions:
    """The options as a record."""
    return BuildOptions(source=source, **options)


def is_archive(python: str) -> bool:
    """Whether ``--python`` names an archive rather than an interpreter."""
    return "://" in python or python.endswith((".tar.gz", ".tgz", ".tar.zst"))


def distribution_of(python: str | None, sha256: str | None, cache: ContentCache) -> PythonDistribution:
    """The Python that ``--python`` and ``--sha256`` name; the running one when they name none."""
    from frazil import distribution  # noqa: PLC0415 - a build's imports are none of --help's business

    if sha256 is not None and (python is None or not is_archive(python)):
        raise UsageError("--sha256 is the digest of an archive, and --python names none")
    if python is None:
        return distribution.running(cache)
    if is_archive(python):
        from frazil.distribution_archive import unpack  # noqa: PLC0415 - few builds need it

        if "://" in python and sha256 is None:
            raise UsageError(
                "a Python that is downloaded needs its digest",
                where=python,
                remedy="Give it with --sha256; publishers list it beside the archive.",
            )
        return unpack(python, sha256, cache)
    return distribution.describe(_interpreter(python), cache)


def _interpreter(python: str) -> Path:
    """A path as it stands, a bare command name (``python3.12``) through PATH; a directory is an installation or environment."""
    if "/" not in python and not Path(python).exists():
        found = shutil.which(python)
        if found is None:
            raise UsageError("no such interpreter on PATH", where=python, remedy="Give --python a path.")
        return Path(found)
    path = Path(python)
    return path / "bin" / "python3" if path.is_dir() else path


def source_options(options: BuildOptions) -> SourceOptions:
    """The options as front-ends take them."""
    from frazil.config.options import SourceOptions  # noqa: PLC0415 - see above
    from frazil.config.sizes import parse_size  # noqa: PLC0415 - see above
    from frazil.config.warm import parse_warm  # noqa: PLC0415 - see above
    from frazil.plan import Compression, InterpreterConfig, LinkMode, NativeLink, StandardLibrary  # noqa: PLC0415 - see above

    interpreter = InterpreterConfig(
        optimize=int(options.optimize),
        honour_environment=options.environment,
        import_site=options.site,
        self_exec_application=options.self_exec == "application",
    )
    return SourceOptions(
        source=options.source,
        name=options.name,
        venv=None if options.venv is None else Path(options.venv),
        requirements=options.requirements,
        from_source=options.from_source,
        include=options.include,
        exclude=options.exclude,
        include_data=options.include_data,
        multicall=options.multicall,
        link=LinkMode(options.link),
        stdlib=StandardLibrary(options.stdlib),
        with_source=not options.no_source,
        compression=Compression(options.compress),
        memfs_limit=None if options.memfs_limit is None else parse_size(options.memfs_limit, "--memfs-limit"),
        archives=tuple(map(Path, options.archives)),
        interpreter=interpreter,
        pmm=_pmm(options),
        native_link=NativeLink(options.native),
        warm=parse_warm(options.warm, "--warm"),
    )


def _pmm(options: BuildOptions) -> PmmSettings | None:
    if not options.pmm:
        if options.pmm_root is not None or options.pmm_unsigned:
            raise UsageError("--pmm-root and --pmm-unsigned are about storages, and --pmm names none", where="--pmm")
        return None
    from frazil.config.pmm import pmm_settings  # noqa: PLC0415 - see above

    root = None if options.pmm_root is None else Path(options.pmm_root)
    # A project may say the rest.
    return pmm_settings(
        options.pmm,
        mode=options.pmm_mode,
        root=root,
        unsigned=options.pmm_unsigned,
        update=options.pmm_update,
        complete=False,
    )


def plans_of(options: BuildOptions, cache: ContentCache) -> tuple[Plan, ...]:
    """The plans that the options ask for; FrazilError for what cannot be."""
    from frazil.config.source import plans  # noqa: PLC0415 - see above

    return plans(source_options(options), distribution_of(options.python, options.sha256, cache), cache)
