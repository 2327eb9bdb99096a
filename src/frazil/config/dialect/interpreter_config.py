"""``PythonInterpreterConfig``: how the interpreter inside an executable behaves, and what it runs."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from frazil.config.dialect.notes import renamed
from frazil.config.starlark.errors import Fault
from frazil.config.starlark.host import Attribute, HostObject
from frazil.config.starlark.text import quoted
from frazil.config.starlark.values import to_value
from frazil.plan import InterpreterConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from frazil.config.dialect.session import Session
    from frazil.config.starlark.values import Value

_ALLOCATORS: Final = {
    "not-set": "0", "default": "1", "debug": "2", "malloc": "3", "malloc-debug": "4", "py-malloc": "5", "py-malloc-debug": "6",
}  # fmt: skip
"""``PyPreConfig.allocator``."""
_BACKENDS: Final = ("default", "jemalloc", "mimalloc", "snmalloc", "rust", "system")
_BYTES_WARNINGS: Final = {"none": "0", "warn": "1", "raise": "2"}
_COERCIONS: Final = {"LC_CTYPE": "1", "C": "2"}
_START_METHODS: Final = ("none", "fork", "forkserver", "spawn", "auto")
_TERMINFO: Final = re.compile(r"dynamic|none|static(:.+)?", re.DOTALL)
ORIGIN: Final = "$ORIGIN"
"""What stands for the directory of the executable."""

# What sets a field of PyConfig or PyPreConfig, by the attribute's name; the launcher knows these fields (embed_config.c).
_FLAGS: Final = {
    "buffered_stdio": "buffered_stdio",
    "coerce_c_locale_warn": "coerce_c_locale_warn",
    "configure_c_stdio": "configure_c_stdio",
    "configure_locale": "configure_locale",
    "development_mode": "dev_mode",
    "dump_refs": "dump_refs",
    "fault_handler": "faulthandler",
    "import_time": "import_time",
    "inspect": "inspect",
    "install_signal_handlers": "install_signal_handlers",
    "interactive": "interactive",
    "isolated": "isolated",
    "malloc_stats": "malloc_stats",
    "parser_debug": "parser_debug",
    "pathconfig_warnings": "pathconfig_warnings",
    "quiet": "quiet",
    "show_ref_count": "show_ref_count",
    "skip_first_source_line": "skip_source_first_line",
    "tracemalloc": "tracemalloc",
    "user_site_directory": "user_site_directory",
    "utf8_mode": "utf8_mode",
    "verbose": "verbose",
    "write_bytecode": "write_bytecode",
}
_STRINGS: Final = {
    "check_hash_pycs_mode": "check_hash_pycs_mode",
    "filesystem_encoding": "filesystem_encoding",
    "filesystem_errors": "filesystem_errors",
    "program_name": "program_name",
    "pycache_prefix": "pycache_prefix",
    "stdio_encoding": "stdio_encoding",
    "stdio_errors": "stdio_errors",
}
_LISTS: Final = {"warn_options": "warnoptions", "x_options": "xoptions"}
_BY_NAME: Final = re.compile(r"\b(exec|eval|compile|__import__|import_module|runpy)\b")
"""In a command, what runs code that the build does not see."""
_RUNS: Final = ("run_command", "run_module", "run_filename")


def _terminfo(text: str) -> str:
    if not _TERMINFO.fullmatch(text):
        raise Fault(f"{quoted(text)} resolves no terminfo", 'There are "dynamic", "none" and "static:PATH".')
    return text


def _encoding(name: str | None) -> str | None:
    if name is not None:
        try:
            codecs.lookup(name)
        except (LookupError, ValueError):
            raise Fault(f"{quoted(name)} is no encoding", 'Write it as Python does: "utf-8", "latin-1".') from None
    return name


def _hash_seed(number: int | None) -> int | None:
    if number is not None and not 0 <= number < 1 << 32:
        raise Fault(f"{number} is no hash seed", "It is a number from 0 to 4294967295.")
    return number


def _search_paths(texts: list[str] | None) -> list[str] | None:
    for text in texts or ():
        if not text or ":" in text or not text.isprintable():
            raise Fault(f"{quoted(text)} cannot be searched for modules", "Write it as in $ORIGIN/lib, without a colon.")
    return texts


def _from_origin(text: str) -> str:
    """A search path as plans have it: absolute, or from the executable's directory; never from the current one."""
    slashed = text.replace("\\", "/")
    if slashed == ORIGIN or slashed.startswith(("/", f"{ORIGIN}/")):
        return slashed
    return ORIGIN if slashed == "." else f"{ORIGIN}/{slashed.removeprefix('./')}"


def _options(texts: list[str] | None) -> list[str] | None:
    for text in texts or ():
        if "\0" in text or "\n" in text:
            raise Fault(f"{quoted(text)} cannot be an option: it has a line break or a zero byte")
    return texts


class PythonInterpreterConfig(HostObject, starlark_type="PythonInterpreterConfig"):
    """Fields of CPython's own configuration, and what PyOxidizer added to it. None leaves the default."""

    # What PyOxidizer added.
    allocator_backend = Attribute("str", "default", choices=_BACKENDS)
    allocator_raw = Attribute("bool", True)
    allocator_mem = Attribute("bool", False)
    allocator_obj = Attribute("bool", False)
    allocator_pymalloc_arena = Attribute("bool", False)
    allocator_debug = Attribute("bool", False)
    oxidized_importer = Attribute("bool", True)
    filesystem_importer = Attribute("bool", False)
    argvb = Attribute("bool", False)
    multiprocessing_auto_dispatch = Attribute("bool", True)
    multiprocessing_start_method = Attribute("str", "auto", choices=_START_METHODS)
    sys_frozen = Attribute("bool", True)
    sys_meipass = Attribute("bool", False)
    terminfo_resolution = Attribute("str", "dynamic", check=_terminfo)
    write_modules_directory_env = Attribute("str | None")
    # PyPreConfig
    config_profile = Attribute("str", "isolated", choices=("isolated", "python"))
    allocator = Attribute("str | None", choices=tuple(_ALLOCATORS))
    configure_locale = Attribute("bool | None", True)
    coerce_c_locale = Attribute("str | None", choices=("LC_CTYPE", "C"))
    coerce_c_locale_warn = Attribute("bool | None")
    development_mode = Attribute("bool | None")
    isolated = Attribute("bool | None")
    legacy_windows_fs_encoding = Attribute("bool | None")
    parse_argv = Attribute("bool | None")
    use_environment = Attribute("bool | None")
    utf8_mode = Attribute("bool | None")
    # PyConfig
    base_exec_prefix = Attribute("str | None")
    base_executable = Attribute("str | None")
    base_prefix = Attribute("str | None")
    buffered_stdio = Attribute("bool | None")
    bytes_warning = Attribute("str | None", choices=tuple(_BYTES_WARNINGS))
    check_hash_pycs_mode = Attribute("str | None", choices=("always", "never", "default"))
    configure_c_stdio = Attribute("bool | None")
    dump_refs = Attribute("bool | None")
    exec_prefix = Attribute("str | None")
    executable = Attribute("str | None")
    fault_handler = Attribute("bool | None")
    filesystem_encoding = Attribute("str | None", check=_encoding)
    filesystem_errors = Attribute("str | None")
    hash_seed = Attribute("int | None", check=_hash_seed)
    home = Attribute("str | None")
    import_time = Attribute("bool | None")
    inspect = Attribute("bool | None")
    install_signal_handlers = Attribute("bool | None")
    interactive = Attribute("bool | None")
    legacy_windows_stdio = Attribute("bool | None")
    malloc_stats = Attribute("bool | None")
    module_search_paths = Attribute("list[str] | None", check=_search_paths)
    optimization_level = Attribute("int | None")
    parser_debug = Attribute("bool | None")
    pathconfig_warnings = Attribute("bool | None")
    prefix = Attribute("str | None")
    program_name = Attribute("str | None")
    pycache_prefix = Attribute("str | None")
    python_path_env = Attribute("str | None")
    quiet = Attribute("bool | None")
    run_command = Attribute("str | None")
    run_filename = Attribute("str | None")
    run_module = Attribute("str | None")
    show_ref_count = Attribute("bool | None")
    site_import = Attribute("bool | None")
    skip_first_source_line = Attribute("bool | None")
    stdio_encoding = Attribute("str | None", check=_encoding)
    stdio_errors = Attribute("str | None")
    tracemalloc = Attribute("bool | None")
    user_site_directory = Attribute("bool | None")
    verbose = Attribute("bool | int | None")
    warn_options = Attribute("list[str] | None", check=_options)
    write_bytecode = Attribute("bool | None")
    x_options = Attribute("list[str] | None", check=_options)
    # Names of earlier releases.
    run_mode = Attribute("str | None")
    run_eval = Attribute("str | None")
    run_file = Attribute("str | None")
    run_noop = Attribute("bool | None")
    run_repl = Attribute("bool | None")
    raw_allocator = Attribute("str | None")
    optimize_level = Attribute("int | None")
    sys_paths = Attribute("list[str] | None", check=_options)
    use_hash_seed = Attribute("bool | None")
    ignore_environment = Attribute("bool | None")
    no_site = Attribute("bool | None")
    no_user_site_directory = Attribute("bool | None")
    dont_write_bytecode = Attribute("bool | None")
    unbuffered_stdio = Attribute("bool | None")

    def __init__(self, session: Session) -> None:
        self._session = session

    def copy(self) -> PythonInterpreterConfig:
        """A configuration that later assignments to this one leave alone."""
        twin = PythonInterpreterConfig(self._session)
        vars(twin).update(vars(self))
        return twin

    def starlark_set(self, name: str, value: Value) -> None:
        """Assign an attribute; names of earlier releases set what they are called now."""
        super().starlark_set(name, value)
        if name == "optimization_level" and self.optimization_level not in {None, 0, 1, 2}:
            raise Fault(f"{self.optimization_level} is no optimization level", "There are 0, 1 and 2.")
        if name == "module_search_paths" and self.module_search_paths:
            self.filesystem_importer = True
        translate = _EARLIER.get(name)
        if translate is not None:
            new, era = translate
            renamed(self._session, f"PythonInterpreterConfig.{name}", new, era)
            self._translate(name, getattr(self, name))

    def _translate(self, name: str, value: Any) -> None:
        if name == "run_mode":
            self._run_mode(value or "none")
        elif name == "run_eval":
            self.run_command = value
        elif name == "run_file":
            self.run_filename = value
        elif name in {"run_noop", "run_repl"}:
            self.run_command = "" if name == "run_noop" and value else None
        elif name == "optimize_level":
            self.starlark_set("optimization_level", value)
        elif name == "sys_paths":
            self.starlark_set("module_search_paths", to_value(value))
        elif name in _NEGATED:
            setattr(self, _NEGATED[name], None if value is None else not value)

    def _run_mode(self, text: str) -> None:
        kind, _, what = text.partition(":")
        attribute = {"eval": "run_command", "module": "run_module", "file": "run_filename"}.get(kind)
        for one in _RUNS:
            setattr(self, one, None)
        if attribute is not None and what:
            setattr(self, attribute, what)
        elif kind == "noop":
            self.run_command = ""
        elif kind not in {"repl", "none"}:
            raise Fault(
                f"{quoted(text)} is no run mode", 'There are "eval:CODE", "module:NAME", "file:PATH", "repl" and "noop".'
            )

    def record(self) -> InterpreterConfig:
        """What the plan says of it."""
        return InterpreterConfig(
            optimize=self.optimization_level or 0,
            honour_environment=self._honours_environment(),
            import_site=bool(self._python_default("site_import")),
            fields=tuple(sorted(self._fields())),
            marks=tuple(sorted(self._marks())),
            interpreter=self.is_interpreter(),
        )

    def is_interpreter(self) -> bool:
        """Whether the executable behaves as ``python`` itself does: nothing runs, and it reads its arguments."""
        parses = self.config_profile == "python" if self.parse_argv is None else self.parse_argv
        return parses and not any(getattr(self, one) is not None for one in _RUNS)

    def _honours_environment(self) -> bool:
        if self.use_environment is not None:
            return bool(self.use_environment)
        return self.config_profile == "python" and not self.isolated

    def _python_default(self, name: str) -> bool | None:
        """A flag's value; what ``python`` has where the profile is that, and the flag is left alone."""
        value: bool | None = getattr(self, name)
        return True if value is None and self.config_profile == "python" else value

    def _fields(self) -> Iterator[tuple[str, str]]:
        tables: list[tuple[Mapping[str, str], Callable[[Any], str]]] = [
            (_FLAGS, lambda value: str(int(value))),
            (_STRINGS, str),
            (_LISTS, "\n".join),
            ({"allocator": "allocator"}, _ALLOCATORS.__getitem__),
            ({"bytes_warning": "bytes_warning"}, _BYTES_WARNINGS.__getitem__),
            ({"coerce_c_locale": "coerce_c_locale"}, _COERCIONS.__getitem__),
            ({"hash_seed": "hash_seed"}, str),
        ]
        for names, written in tables:
            for attribute, field in names.items():
                value = getattr(self, attribute)
                if value is not None and (attribute, value) != ("configure_locale", True):
                    yield field, written(value)
        if self.config_profile == "python" and self.isolated is None:
            yield "isolated", "0"

    def _marks(self) -> Iterator[str]:
        yield "oxidized"
        if not self.sys_frozen:
            yield "not-frozen"
        if self.sys_meipass:
            yield "meipass"
        if self.argvb:
            yield "argvb"

    def search_paths(self) -> tuple[str, ...]:
        """``module_search_paths``, those that begin with ``$ORIGIN`` relative to the executable's directory."""
        return tuple(map(_from_origin, self.module_search_paths or ()))

    def sees_more(self) -> bool:
        """Whether the program may import what the build does not see, so that it may need any of the standard library."""
        return bool(self.filesystem_importer or self.module_search_paths or _BY_NAME.search(self.run_command or ""))

    def prelude(self) -> str:
        """What runs before the program."""
        if self.multiprocessing_start_method in {"none", "auto"}:
            return ""
        return f"import multiprocessing; multiprocessing.set_start_method({self.multiprocessing_start_method!r})\n"

    def start(self) -> Start:
        """What runs. Raises Fault when it is several things."""
        chosen = [one for one in _RUNS if getattr(self, one) is not None]
        if len(chosen) > 1:
            raise Fault(f"the interpreter is to run several things: {', '.join(chosen)}", "Keep one of them.")
        if chosen == ["run_module"]:
            return Start(_MODULE.format(self.run_module), module=str(self.run_module))
        if chosen == ["run_command"]:
            return Start(str(self.run_command))
        if chosen == ["run_filename"]:
            return Start(_FILE.format(self.run_filename), interactive=True)
        return Start(_REPL, interactive=True)


@dataclass(frozen=True, slots=True)
class Start:
    """What an executable runs: a script, which for a module is what ``python -m`` does."""

    script: str
    module: str | None = None
    interactive: bool = False
    """Whether what it runs comes from outside, so that nothing tells what it imports."""


_EARLIER: Final = {
    "run_mode": ("run_command, run_module or run_filename", "0.8"),
    "run_eval": ("run_command", "0.5 to 0.8"),
    "run_file": ("run_filename", "0.5 to 0.8"),
    "run_noop": ("run_command", "0.5 to 0.8"),
    "run_repl": ("no run_* at all", "0.5 to 0.8"),
    "raw_allocator": ("allocator_backend", "0.5 to 0.10"),
    "optimize_level": ("optimization_level", "0.5 to 0.8"),
    "sys_paths": ("module_search_paths", "0.5 to 0.8"),
    "use_hash_seed": ("hash_seed", "0.5 to 0.8"),
    "ignore_environment": ("use_environment", "0.5 to 0.8"),
    "no_site": ("site_import", "0.5 to 0.8"),
    "no_user_site_directory": ("user_site_directory", "0.5 to 0.8"),
    "dont_write_bytecode": ("write_bytecode", "0.5 to 0.8"),
    "unbuffered_stdio": ("buffered_stdio", "0.5 to 0.8"),
}
_NEGATED: Final = {
    "ignore_environment": "use_environment",
    "no_site": "site_import",
    "no_user_site_directory": "user_site_directory",
    "dont_write_bytecode": "write_bytecode",
    "unbuffered_stdio": "buffered_stdio",
}
_MODULE: Final = "import runpy\nrunpy._run_module_as_main({0!r}, alter_argv=False)\n"
_FILE: Final = """\
import os, runpy, sys
_file = {0!r}
if _file.startswith("$ORIGIN"):
    _file = os.path.dirname(sys.executable) + _file[len("$ORIGIN"):]
runpy.run_path(_file, run_name="__main__")
"""
_REPL: Final = """\
import sys
if sys.stdin is not None and sys.stdin.isatty():
    import code
    code.interact(local=dict(__name__="__main__", __builtins__=__builtins__), exitmsg="")
elif sys.stdin is not None:
    exec(compile(sys.stdin.read(), "<stdin>", "exec"), dict(__name__="__main__"))
"""
