"""The run-time's part of the start (``docs/spec/launcher.md``, "The start"); the launcher calls these functions in order.

This file runs before any module can be imported from a file: it uses only what ``importlib`` has loaded, and no future
statement, which would import a module.
"""

import _frozen_importlib
import _frozen_importlib_external
import gc
import sys

import _frazil

from frazil_runtime.importer import ImageFinder, path_hooks, spec_from_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zipimport
    from types import CodeType


MOUNT = "/memfs:"
MAKER = "/memfs:/bin/frazil-warm"
"""What the executable is while a snapshot is made of it (``warm/warm.h``): it has no storages yet."""
_settings: dict[str, str] = {}
_EARLY = ("encodings", "encodings.aliases", "encodings.utf_8", "frazil_runtime", "frazil_runtime.importer", __name__)


def install() -> None:
    """Make imports work: the finder, the path hook for zip files; and what ``site`` gives, as far as asked."""
    _settings.update(_frazil.settings())
    sys.meta_path.insert(0, ImageFinder)
    if "zipimport" not in sys.modules:
        sys.path_hooks.insert(0, _zip_hook)
    path_hooks[:] = sys.path_hooks
    sys.frozen = True  # type: ignore[attr-defined]  # the mark by which programs know a frozen executable
    for name in _EARLY:
        _adopt(name)
    if "beside" in _settings:
        from frazil_runtime import beside

        beside.install(f"{MOUNT}/{_settings['beside']}")
    if not sys._stdlib_dir:  # type: ignore[attr-defined]  # noqa: SLF001 - what importlib looks at
        _place_frozen()
    if _settings.get("site") == "1":
        import site

        site.main()
    else:
        _add_exit()
    # What stands now lives as long as the process: the collector need not look at it, least of all three times at exit.
    gc.freeze()
    _renew_main()


def _renew_main() -> None:
    """Replace ``__main__`` by one that the collector knows: at exit it must find that nothing needs the program's objects."""
    old = sys.modules["__main__"]
    new = type(old)("__main__")
    vars(new).update(vars(old))
    if "__annotations__" in vars(old):
        new.__annotations__ = {}
    sys.modules["__main__"] = new


def _add_exit() -> None:
    """Those built-ins of ``site`` that scripts use."""
    import _sitebuiltins
    import builtins

    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.help = _sitebuiltins._Helper()  # noqa: SLF001 - what site itself does


def _zip_hook(path: str) -> "zipimport.zipimporter":
    """Stand in for ``zipimport.zipimporter`` until a path entry is no directory; only then import it."""
    if _frozen_importlib_external._path_isdir(path):  # type: ignore[attr-defined]  # noqa: SLF001 - os may not be imported
        raise ImportError
    import zipimport

    for hooks in (sys.path_hooks, path_hooks):
        hooks[hooks.index(_zip_hook)] = zipimport.zipimporter
    return zipimport.zipimporter(path)


def _adopt(name: str) -> None:
    """Give a module that was frozen for the start the spec that it would have, had the finder been there."""
    record = _frazil.record(name)
    module = sys.modules.get(name)
    if record is None or module is None:
        return
    spec = spec_from_record(name, record)
    vars(module).update(__spec__=spec, __loader__=spec.loader, __file__=spec.origin, __cached__=spec.cached)
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations


def _place_frozen() -> None:
    """Say where the modules are that CPython has frozen: before 3.12 it forgets the directory that the launcher names."""
    sys._stdlib_dir = _standard_library()  # type: ignore[attr-defined]  # noqa: SLF001 - likewise
    frozen = _frozen_importlib.FrozenImporter
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if spec is None or spec.loader is not frozen or not spec.loader_state.origname:
            continue
        package = spec.submodule_search_locations
        place = (spec.loader_state.origname, name, package is not None)
        file, directory = frozen._resolve_filename(*place)  # type: ignore[attr-defined]  # noqa: SLF001 - likewise
        if file:
            module.__file__ = spec.loader_state.filename = file
        if directory:
            package.insert(0, directory)


def _standard_library() -> str:
    if "stdlib" in _settings:
        from frazil_runtime import beside

        return beside.placed(_settings["stdlib"])
    return f"{MOUNT}/lib/python{sys.version_info.major}.{sys.version_info.minor}"


def set_process(*, storages: bool = True) -> None:
    """Set all that Python keeps of this process, storages too. May run again, in another process that continues this one."""
    sys.executable, argv, application = _frazil.process()
    sys._base_executable = sys.executable  # type: ignore[attr-defined]  # noqa: SLF001 - venv looks at it
    sys.orig_argv = argv
    if "marks" in _settings:
        _mark(_settings["marks"].split(":"), argv)
    if "beside" in _settings:
        from frazil_runtime import beside

        beside.move()
    if application:
        sys.argv = argv.copy()
    if storages and "pmm" in _settings and sys.executable != MAKER:
        _open_storages()


def _open_storages() -> None:
    """Let modules come from storages. Its imports make thousands of objects that stay: the collector need not look at them."""
    gc.disable()
    from frazil_runtime.pmm.start import start

    start(_settings)
    gc.freeze()
    gc.enable()
    _renew_main()


def _mark(marks: "list[str]", argv: "list[str]") -> None:
    """Set in ``sys`` what programs look for that were made for PyOxidizer."""
    fields = vars(sys)
    if "oxidized" in marks:
        fields["oxidized"] = True
    if "not-frozen" in marks:
        fields.pop("frozen", None)
    if "meipass" in marks:
        fields["_MEIPASS"] = sys.executable.rpartition("/")[0] or "/"
    if "argvb" in marks:
        import os

        fields["argvb"] = list(map(os.fsencode, argv))


def prepare_main(name: str, kind: str) -> "CodeType":
    """Make ``__main__`` ready for the entry with that module record; its code.

    ``script`` leaves ``__main__`` as ``python FILE`` does, ``module`` as ``python -m NAME`` does, ``command`` as ``python -c``.
    """
    record = _frazil.record(name)
    if record is None:
        msg = f"this executable is damaged: it holds no module {name!r}"
        raise ImportError(msg)
    spec = spec_from_record(name if kind == "module" else "__main__", record)
    # What CPython leaves in __main__ of a script has no spec and no __cached__.
    main: dict[str, object] = {"__file__": spec.origin, "__loader__": spec.loader, "__cached__": None}
    if kind == "module":
        main |= {"__spec__": spec, "__cached__": spec.cached, "__package__": spec.parent}
        if spec.parent:
            __import__(spec.parent)
    elif kind == "command":
        main = {"__loader__": _frozen_importlib.BuiltinImporter}
    vars(sys.modules["__main__"]).update(main)
    return _frazil.load_code(record[4])


def run_multiprocessing_child() -> None:
    """Run as a child that ``multiprocessing`` started."""
    from multiprocessing.spawn import freeze_support

    freeze_support()
