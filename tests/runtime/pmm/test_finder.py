"""The search: which storage answers, and that the bytes that were checked are the bytes that run."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import linecache
import marshal
import os
import pwd
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from frazil_runtime.pmm import EnvelopeError, PmmError, StorageError, envelope, program
from frazil_runtime.pmm.finder import Finder, Functions, Signed, Unsigned
from frazil_runtime.pmm.keys import LIMIT
from frazil_runtime.pmm.settings import Settings

if TYPE_CHECKING:
    from frazil_runtime.pmm.protocol import Storage


def sealed(source: str, *, package: bool = False, with_source: bool = False) -> bytes:
    code = marshal.dumps(compile(source, "/memfs:/<pmm>", "exec"))
    return envelope.seal(code, package=package, source=source.encode() if with_source else b"")


class Shelf:
    """A storage in memory that counts what it is asked for."""

    def __init__(self, name: str = "shelf:one", **content: bytes | Exception) -> None:
        self.name = name
        self.content = content
        self.asked: list[tuple[str, int]] = []

    @classmethod
    def of(cls, content: dict[str, bytes]) -> Shelf:
        made = cls()
        made.content.update(content)
        return made

    def load(self, key: str, limit: int) -> bytes | None:
        self.asked.append((key, limit))
        found = self.content.get(key)
        if isinstance(found, Exception):
            raise found
        return found


@dataclass(frozen=True)
class Entry:
    digest: str
    size: int
    version: int = 1
    package: bool = False
    key: str = "one"

    @classmethod
    def of(cls, data: bytes, key: str = "one", *, package: bool = False) -> Entry:
        return cls(sha256(data).hexdigest(), len(data), 1, package, key)


@pytest.fixture
def modules() -> Iterator[None]:
    """Forget what a test imports."""
    before, path = dict(sys.modules), list(sys.meta_path)
    yield
    sys.modules.clear()
    sys.modules.update(before)
    sys.meta_path[:] = path
    linecache.clearcache()


def finder(*sources: Unsigned | Signed | Functions, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> Finder:
    made = Finder(sources, lambda _: [], allow=allow, deny=deny)
    sys.meta_path.insert(0, made)
    return made


def imported(name: str) -> ModuleType:
    sys.modules.pop(name, None)
    return importlib.import_module(name)


@pytest.mark.usefixtures("modules")
class TestOrder:
    def test_the_first_storage_that_has_it(self) -> None:
        one, two = Shelf(one=sealed("X = 1")), Shelf("shelf:two", one=sealed("X = 2"), two=sealed("X = 2"))
        finder(Unsigned(one), Unsigned(two))
        assert imported("one").X == 1
        assert imported("two").X == 2
        assert two.asked == [("two", LIMIT)]
        with pytest.raises(ModuleNotFoundError):
            imported("three")

    def test_what_is_imported_stays(self) -> None:
        shelf = Shelf(one=sealed("X = 1"))
        finder(Unsigned(shelf))
        sys.modules["one"] = ModuleType("one")
        importlib.import_module("one")
        assert shelf.asked == []

    def test_a_broken_storage_is_not_passed_over(self) -> None:
        two = Shelf("shelf:two", one=sealed("X = 2"))
        finder(Unsigned(Shelf(one=StorageError("the storage shelf:one is broken: it burns"))), Unsigned(two))
        with pytest.raises(StorageError, match="the storage shelf:one is broken: it burns"):
            imported("one")
        assert two.asked == []

    def test_damaged_bytes_are_not_passed_over(self) -> None:
        two = Shelf("shelf:two", one=sealed("X = 2"))
        finder(Unsigned(Shelf(one=sealed("X = 1")[:-1])), Unsigned(two))
        told = r"module one cannot be taken from shelf:one/one\.pmm: it ends too early"
        with pytest.raises(EnvelopeError, match=told) as caught:
            imported("one")
        assert (caught.value.name, caught.value.path) == ("one", "shelf:one/one.pmm")
        assert two.asked == []

    def test_the_standard_library_is_replaced(self) -> None:
        finder(Unsigned(Shelf(colorsys=sealed("X = 1"))))
        assert imported("colorsys").X == 1

    def test_allow_and_deny(self) -> None:
        names = ("one", "pack", "pack.sub", "pack.sub.deep", "packer")
        shelf = Shelf.of(dict.fromkeys(names, sealed("", package=True)))

        def found(allow: Sequence[str], deny: Sequence[str]) -> list[str]:
            made = Finder([Unsigned(shelf)], lambda _: [], allow=allow, deny=deny)
            return [name for name in names if made.find_spec(name) is not None]

        assert found([], []) == list(names)
        assert found(["pack.*"], []) == ["pack.sub", "pack.sub.deep"]
        assert found(["pack", "pack.*"], ["pack.sub"]) == ["pack", "pack.sub.deep"]
        assert found([], ["pack.*", "one"]) == ["pack", "packer"]

    @pytest.mark.parametrize(
        "name", ["frazil_runtime", "frazil_runtime.pmm.trust", "../one", "a/b", "a\0b", "@index", "a..b", ""]
    )
    def test_names_that_no_storage_is_asked_for(self, name: str) -> None:
        shelf = Shelf.of({name: sealed("")})
        assert Finder([Unsigned(shelf)], lambda _: []).find_spec(name) is None
        assert shelf.asked == []


@pytest.mark.usefixtures("modules")
class TestSigned:
    def test_a_name_that_is_not_in_the_index_does_not_reach_the_storage(self) -> None:
        shelf = Shelf(one=sealed("X = 1"), two=sealed("X = 2"))
        finder(Signed(shelf, {"one": Entry.of(sealed("X = 1"))}))
        with pytest.raises(ModuleNotFoundError):
            imported("two")
        assert importlib.util.find_spec("one") is not None
        assert shelf.asked == []
        assert imported("one").X == 1
        assert shelf.asked == [("one", len(sealed("X = 1")))]

    def test_the_bytes_that_were_checked_run(self) -> None:
        """Somebody swaps the file after the check: it was read once, before it."""
        good = sealed("X = 1\n", with_source=True)

        class Swapped(Shelf):
            def load(self, key: str, limit: int) -> bytes | None:
                data = super().load(key, limit)
                self.content[key] = sealed("X = 'evil'")
                return data

        shelf = Swapped(one=good)
        finder(Signed(shelf, {"one": Entry.of(good)}))
        module = imported("one")
        assert module.X == 1
        assert inspect.getsource(module) == "X = 1\n"
        assert len(shelf.asked) == 1

    @pytest.mark.parametrize(
        ("stored", "entry", "told"),
        [
            (sealed("X = 2"), Entry.of(sealed("X = 1")), "it is not the one that the index names: its digest is another"),
            (b"x", Entry.of(sealed("X = 1")), f"it has 1 bytes, and the index says {len(sealed('X = 1'))}"),
            (b"", Entry.of(sealed("X = 1"), key="gone"), "the index names it, and it is not there"),
            (sealed(""), Entry.of(sealed(""), package=True), "the index and it disagree on whether it is a package"),
            (b"junk", Entry.of(b"junk"), "it ends after 4 bytes, within its header"),
        ],
    )
    def test_bytes_that_the_index_does_not_name(self, stored: bytes, entry: Entry, told: str) -> None:
        finder(Signed(Shelf(one=stored), {"one": entry}))
        with pytest.raises(PmmError) as caught:
            imported("one")
        assert str(caught.value) == f"module one cannot be taken from shelf:one/one.pmm: {told}"
        assert "one" not in sys.modules


@pytest.mark.usefixtures("modules")
class TestModules:
    def test_they_name_the_storage(self) -> None:
        finder(Unsigned(Shelf(one=sealed("def f():\n    raise KeyError\n", with_source=True))))
        module = imported("one")
        place = "shelf:one/one.pmm"
        assert module.__spec__ is not None
        assert (module.__file__, module.__spec__.origin, module.__spec__.cached) == (place, place, None)
        assert (module.f.__code__.co_filename, inspect.getfile(module.f)) == (place, place)
        assert inspect.getsource(module.f) == "def f():\n    raise KeyError\n"
        with pytest.raises(KeyError) as caught:
            module.f()
        last = traceback.extract_tb(caught.value.__traceback__)[-1]
        assert (last.filename, last.lineno, last.line) == (place, 2, "raise KeyError")

    def test_without_source(self) -> None:
        finder(Unsigned(Shelf(one=sealed("def f(): pass"))))
        with pytest.raises(OSError, match="could not get source code"):
            inspect.getsource(imported("one").f)

    def test_packages(self) -> None:
        finder(Unsigned(Shelf.of({"pack": sealed("from . import sub", package=True), "pack.sub": sealed("X = __package__")})))
        pack = imported("pack")
        assert (pack.sub.X, pack.__path__, pack.__package__) == ("pack", ["shelf:one/pack"], "pack")
        with pytest.raises(ModuleNotFoundError):
            imported("pack.none")

    def test_reload(self) -> None:
        shelf = Shelf(one=sealed("X = 1"))
        finder(Unsigned(shelf))
        module = imported("one")
        shelf.content["one"] = sealed("X = 2")
        assert importlib.reload(module).X == 2

    def test_loading_is_audited(self) -> None:
        events: list[tuple[str, tuple[object, ...]]] = []
        listening = True

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if listening and event in {"frazil.pmm.load", "marshal.loads"}:
                events.append((event, arguments))

        sys.addaudithook(hook)
        finder(Unsigned(Shelf(one=sealed("X = 1"))))
        imported("one")
        listening = False
        assert [event for event, _ in events] == ["marshal.loads", "frazil.pmm.load"]
        assert events[-1][1] == ("one", "shelf:one/one.pmm")


@pytest.mark.usefixtures("modules")
class TestFunctions:
    def test_what_a_storage_imports_itself_comes_from_elsewhere(self) -> None:
        asked: list[str] = []

        def load(name: str) -> bytes | None:
            asked.append(name)
            sys.modules.pop("colorsys", None)
            assert importlib.import_module("colorsys").rgb_to_hsv
            return sealed("X = 1") if name == "one" else None

        finder(Functions())
        program.register_storage(load)
        assert imported("one").X == 1
        assert asked == ["one"]
        with pytest.raises(ModuleNotFoundError):
            imported("absent")
        assert asked == ["one", "absent"]

    @pytest.fixture(autouse=True)
    def registry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(program, "_functions", [])
        monkeypatch.setattr(program, "_locked", False)
        monkeypatch.setattr(program, "_native", Shelf("function:C", three=sealed("X = 'C'")))

    def test_they_are_asked_in_order(self) -> None:
        finder(Functions())
        program.register_storage({"one": sealed("X = 1")}.get, "first")
        program.register_storage(lambda name: sealed("X = 2") if name in {"one", "two"} else None)
        assert (imported("one").X, imported("one").__file__) == (1, "function:first/one.pmm")
        assert imported("two").X == 2
        assert imported("three").X == "C"

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            ("text", "the storage function:f is broken: it returns str, not bytes"),
            (bytes(LIMIT + 1), f"the storage function:f is broken: it returns more than {LIMIT} bytes"),
            (OSError("no card"), "the storage function:f is broken: OSError: no card"),
        ],
        ids=["text", "endless", "error"],
    )
    def test_what_is_no_answer(self, answer: object, told: str) -> None:
        def load(_name: str) -> bytes:
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[return-value]  # that is the point

        program.register_storage(load, "f")
        finder(Functions())
        with pytest.raises(StorageError) as caught:
            imported("one")
        assert str(caught.value) == told

    def test_locked(self) -> None:
        program.lock()
        with pytest.raises(PmmError, match="the storages of this executable are locked"):
            program.register_storage(lambda _: None)
        assert list(program.storages()) == []

    def test_what_is_no_function(self) -> None:
        with pytest.raises(TypeError, match="a storage is a function, not str"):
            program.register_storage("x")  # type: ignore[arg-type]  # that is the point


class TestSettings:
    IMAGE = {"name": "app", "pmm": "1", "pmm.0": "dir:{user_data}/m", "pmm.mode": "override"}  # noqa: RUF012 - a constant

    def test_placeholders(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", "/data")
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        monkeypatch.setenv("HOME", "/home/me")
        settings = Settings(self.IMAGE, "/opt/app/bin/app")
        assert settings.urls == ["dir:/data/app/m"]
        assert settings.state == "/data/app/pmm"
        assert settings.expand("{exe_dir}/x:{user_cache}") == "/opt/app/bin/x:/home/me/.cache/app"

    def test_an_executable_whose_place_is_not_known(self) -> None:
        settings = Settings(self.IMAGE, "")
        with pytest.raises(StorageError, match="the place of this executable is not known"):
            settings.expand("{exe_dir}/modules")

    def test_locked_settings_ignore_the_environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"):
            monkeypatch.setenv(name, str(tmp_path))
        home = pwd.getpwuid(os.geteuid()).pw_dir
        settings = Settings({**self.IMAGE, "pmm.mode": "locked"}, "/opt/app/bin/app")
        assert settings.urls == [f"dir:{home}/.local/share/app/m"]
        assert settings.state == f"{home}/.local/share/app/pmm"
        assert settings.expand("{user_cache}") == f"{home}/.cache/app"


def test_a_shelf_is_a_storage() -> None:
    storage: Storage = Shelf()
    assert storage.load("x", 1) is None
