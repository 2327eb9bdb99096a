from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "src/frazil/launcher"
C = ROOT / "tests/launcher/c"
FLAGS: list[str | Path] = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", LAUNCHER]
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
NATIVE = [
    LAUNCHER / f"{name}.c"
    for name in (
        *("native/native", "native/plan", "native/elf", "native/map", "native/cache", "native/sha256"),
        *("platform/linux", "platform/private_directory", "image/crc32"),
    )
]


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that has native.c as the launcher has it; without sanitizers, which define dlopen themselves."""
    program = tmp_path_factory.mktemp("native") / "run"
    sources = [*NATIVE, C / "native_memfs.c", C / "native_run.c"]
    subprocess.run(["cc", *FLAGS, "-O2", "-no-pie", "-rdynamic", *sources, "-o", program, "-ldl", "-lpthread"], check=True)
    return program


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pure parts, under the sanitizers."""
    program = tmp_path_factory.mktemp("native") / "check"
    names = ("native/elf", "native/cache", "native/sha256", "platform/private_directory")
    sources = [C / "native_check.c", *(LAUNCHER / f"{name}.c" for name in names)]
    subprocess.run(["cc", *SANITIZE, *FLAGS, *sources, "-o", program], check=True)
    return program


@dataclass(frozen=True, slots=True)
class Memfs:
    """A directory that stands for memfs, and the program that loads from it."""

    root: Path
    program: Path

    def library(self, path: str, code: str, *words: str | Path, soname: str | None = None) -> Path:
        """Compile a library to ``path``."""
        made = self.root / path
        made.parent.mkdir(parents=True, exist_ok=True)
        name = [f"-Wl,-soname,{soname}"] if soname else []
        command = ["cc", "-shared", "-fPIC", "-w", "-xc", "-", "-xnone", *name, "-Wl,--no-as-needed", *words, "-o", made]
        subprocess.run(command, input=code, text=True, check=True)
        return made

    def chain(self) -> None:
        """``a.so`` needs libb.so needs libc3.so."""
        third = self.library("lib/libc3.so", "int c(void) { return 3; }", soname="libc3.so")
        second = self.library("lib/libb.so", "int c(void); int b(void) { return c() + 10; }", third, soname="libb.so")
        self.library("a.so", "int b(void); int a(void) { return b() + 100; }", second)

    def run(self, *commands: str, env: dict[str, str] | None = None, wrapper: tuple[str | Path, ...] = ()) -> list[str]:
        """The lines that the commands printed."""
        words = [*wrapper, self.program, self.root, *commands]
        result = subprocess.run(words, capture_output=True, text=True, check=False, env=env, cwd="/")
        assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
        return (result.stdout + result.stderr).splitlines()


@pytest.fixture
def memfs(runner: Path, tmp_path: Path) -> Memfs:
    (tmp_path / "root/lib").mkdir(parents=True)
    return Memfs(tmp_path / "root", runner)


# --- dependencies ---


def test_libraries_are_loaded_with_what_they_need(memfs: Memfs) -> None:
    memfs.chain()
    seen = memfs.run("files", "open=/memfs:/a.so", "call=a", "files")
    assert seen[1:3] == ["opened", "113"]
    assert seen[3] == seen[0]


def test_a_missing_dependency_is_named_with_the_path(memfs: Memfs) -> None:
    memfs.chain()
    (memfs.root / "lib/libc3.so").unlink()
    before, message, after = memfs.run("files", "open=/memfs:/a.so", "files")
    assert message == "/memfs:/a.so: libc3.so: cannot open shared object file: No such file or directory"
    assert after == before


def test_a_failure_does_not_stay(memfs: Memfs) -> None:
    memfs.library("bad.so", "extern int nowhere; int bad(void) { return nowhere; }")
    memfs.library("good.so", "int good(void) { return 5; }")
    seen = memfs.run("open=/memfs:/bad.so", "open=/memfs:/bad.so", "open=/memfs:/good.so", "call=good")
    assert seen == ["/memfs:/bad.so: undefined symbol: nowhere"] * 2 + ["opened", "5"]


def test_a_missing_file_and_one_that_is_no_library(memfs: Memfs) -> None:
    (memfs.root / "text.so").write_text("no library\n" * 20)
    (memfs.root / "empty.so").touch()
    assert memfs.run("open=/memfs:/none.so", "open=/memfs:/text.so", "open=/memfs:/empty.so", "open=/memfs:/lib") == [
        "/memfs:/none.so: cannot open shared object file: No such file or directory",
        "/memfs:/text.so: invalid ELF header",
        "/memfs:/empty.so: file too short",
        "/memfs:/lib: cannot open shared object file: Is a directory",
    ]


def test_cycles(memfs: Memfs) -> None:
    stand_in = memfs.library("lib/liby.so", "int y(void) { return 0; }", soname="liby.so")
    x = memfs.library("lib/libx.so", "int y(void); int x(void) { return 1; } int xy(void) { return y(); }", stand_in,
                      soname="libx.so")  # fmt: skip
    memfs.library("lib/liby.so", "int x(void); int y(void) { return x() + 41; }", x, soname="liby.so")
    assert memfs.run("open=/memfs:/lib/libx.so", "call=xy") == ["opened", "42"]
    assert memfs.run("open=/memfs:/lib/liby.so", "call=y") == ["opened", "42"]


@pytest.mark.parametrize("way", ["memfd", "cache"])
def test_needed_libraries_without_soname_or_with_another(way: str, memfs: Memfs, tmp_path: Path) -> None:
    plain = memfs.library("d/e/libplain.so", "int plain(void) { return 6; }")
    other = memfs.library("d/e/libother.so", "int other(void) { return 7; }")
    words = [f"-L{plain.parent}", "-lplain", "-lother", "-Wl,-rpath,$ORIGIN/e"]
    memfs.library("d/user.so", "int plain(void), other(void); int user(void) { return plain() * other(); }", *words)
    memfs.library("d/e/libother.so", "int other(void) { return 7; }", soname="libother.so.2")
    assert other.exists()
    env = {"HOME": str(tmp_path)}
    commands = ["refuse"] if way == "cache" else []
    assert memfs.run(*commands, "open=/memfs:/d/user.so", "call=user", env=env) == ["opened", "42"]


def test_runpath_holds_for_the_library_alone_and_rpath_for_what_it_needs(memfs: Memfs) -> None:
    deep = memfs.library("hidden/libdeep.so", "int deep(void) { return 8; }", soname="libdeep.so")
    middle = memfs.library("hidden/libmiddle.so", "int deep(void); int middle(void) { return deep(); }", deep,
                           soname="libmiddle.so")  # fmt: skip
    code = "int middle(void); int top(void) { return middle(); }"
    find: list[str | Path] = [middle, f"-Wl,-rpath-link,{deep.parent}", "-Wl,-rpath,$ORIGIN/../hidden"]
    memfs.library("top/rpath.so", code, *find, "-Wl,--disable-new-dtags")
    memfs.library("top/runpath.so", code, *find, "-Wl,--enable-new-dtags")
    assert memfs.run("open=/memfs:/top/rpath.so", "call=top") == ["opened", "8"]
    assert memfs.run("open=/memfs:/top/runpath.so") == [
        "/memfs:/top/runpath.so: libdeep.so: cannot open shared object file: No such file or directory"
    ]


def test_an_absolute_path_under_the_mount_in_runpath(memfs: Memfs) -> None:
    deep = memfs.library("far/libfar.so", "int far(void) { return 9; }", soname="libfar.so")
    memfs.library("near.so", "int far(void); int near(void) { return far(); }", deep, "-Wl,-rpath,/nowhere:/memfs:/far:$LIB")
    assert memfs.run("open=/memfs:/near.so", "call=near") == ["opened", "9"]


def test_symbols_are_found_in_the_whole_group(memfs: Memfs) -> None:
    """A library may use a sibling's symbols without naming it; ld.so looks through all that was loaded together."""
    uses = memfs.library("lib/libuses.so", "extern int data; int uses(void) { return data; }", soname="libuses.so")
    gives = memfs.library("lib/libgives.so", "int data = 77;", soname="libgives.so")
    memfs.library("top.so", "int uses(void); int top(void) { return uses(); }", uses, gives)
    assert memfs.run("open=/memfs:/top.so", "call=top") == ["opened", "77"]


def test_symbol_versions(memfs: Memfs) -> None:
    script = memfs.root / "versions"
    script.write_text("VERS_1 { global: versioned; local: *; };")
    gives = memfs.library("lib/libver.so.1", "int versioned(void) { return 12; }", f"-Wl,--version-script,{script}",
                          soname="libver.so.1")  # fmt: skip
    memfs.library("uses.so", "int versioned(void); int uses(void) { return versioned(); }", gives)
    assert memfs.run("open=/memfs:/uses.so", "call=uses") == ["opened", "12"]


def test_what_the_host_has_loaded_is_not_loaded_again(memfs: Memfs, tmp_path: Path) -> None:
    gives = memfs.library("lib/libshared.so.1", "int which(void) { return 1; }", soname="libshared.so.1")
    memfs.library("uses.so", "int which(void); int uses(void) { return which(); }", gives)
    host = Memfs(tmp_path, memfs.program).library("host.so", "int which(void) { return 2; }", soname="libshared.so.1")
    assert memfs.run("open=/memfs:/uses.so", "call=uses") == ["opened", "1"]
    assert memfs.run(f"open={host}", "open=/memfs:/uses.so", "call=uses") == ["opened", "opened", "2"]
    assert memfs.run(f"open={host}", "open=libshared.so.1", "same", "call=which") == ["opened", "opened", "same", "2"]


# --- identity ---


def test_one_file_is_one_library(memfs: Memfs) -> None:
    memfs.library("count.so", "int n; int next(void) { return ++n; }")
    (memfs.root / "link.so").symlink_to("count.so")
    seen = memfs.run("open=/memfs:/count.so", "call=next", "open=/memfs:/link.so", "same", "close", "close",
                     "open=memfs://count.so", "same", "call=next")  # fmt: skip
    assert seen == ["opened", "1", "opened", "same", "0", "0", "opened", "same", "2"]


def test_equal_contents_under_two_names_are_two_libraries(memfs: Memfs, tmp_path: Path) -> None:
    made = memfs.library("one.so", "int n; int next(void) { return ++n; }")
    shutil.copy(made, memfs.root / "two.so")
    commands = ["open=/memfs:/one.so", "call=next", "open=/memfs:/two.so", "same", "call=next"]
    assert memfs.run(*commands) == ["opened", "1", "opened", "different", "1"]
    assert memfs.run("refuse", *commands, env={"HOME": str(tmp_path)}) == ["opened", "1", "opened", "different", "1"]


def test_eighty_libraries_with_descriptors_used_again(memfs: Memfs) -> None:
    first = memfs.library("n0.so", '__attribute__((section(".data"))) int value = 1000000; int n(void) { return value; }')
    data = first.read_bytes()
    number = (1000000).to_bytes(4, "little")
    assert data.count(number) == 1
    for n in range(1, 80):
        (memfs.root / f"n{n}.so").write_bytes(data.replace(number, (1000000 + n).to_bytes(4, "little")))
    commands = [word for n in range(80) for word in (f"open=/memfs:/n{n}.so", "call=n")]
    seen = memfs.run("files", *commands, "files")
    assert seen[1:-1] == [line for n in range(80) for line in ("opened", str(1000000 + n))]
    assert seen[0] == seen[-1]


def test_flags(memfs: Memfs) -> None:
    memfs.chain()
    assert memfs.run("noload=/memfs:/a.so") == ["not opened"]
    assert memfs.run("open=/memfs:/a.so", "noload=/memfs:/a.so", "same", "forget", "call=b")[:3] == ["opened", "opened", "same"]
    assert "undefined symbol: b" in memfs.run("open=/memfs:/a.so", "forget", "call=b")[-1]
    assert memfs.run("global=/memfs:/a.so", "forget", "call=b") == ["opened", "13"]
    assert memfs.run("open=/memfs:/a.so", "global=/memfs:/a.so", "forget", "call=b") == ["opened", "opened", "13"]


def test_the_process_sees_the_names_of_memfs(memfs: Memfs) -> None:
    memfs.chain()
    seen = memfs.run("open=/memfs:/a.so", "where=a", "where=b", "objects", "call=missing")
    assert seen[1:3] == ["/memfs:/a.so", "/memfs:/lib/libb.so"]
    assert {"/memfs:/a.so", "/memfs:/lib/libb.so", "/memfs:/lib/libc3.so"} <= set(seen[3:-1])
    assert seen[-1] == "/memfs:/a.so: undefined symbol: missing"
    assert not any(line.startswith("/proc") for line in seen)


# --- who calls, and when ---


def test_bare_names(memfs: Memfs) -> None:
    memfs.chain()
    assert memfs.run("open=libb.so", "call=b", "open=libb.so", "same") == ["opened", "13", "opened", "same"]
    (missing,) = memfs.run("open=libnone.so")
    assert missing == "libnone.so: cannot open shared object file: No such file or directory"
    assert memfs.run("open=libm.so.6") == ["opened"]


OPENER = """
#include <dlfcn.h>
int opens(void) { void *h = dlopen("libplug.so", RTLD_NOW); int (*f)(void) = h ? (int (*)(void))dlsym(h, "plug") : 0;
                  return f ? f() : -1; }
"""


def test_bare_names_are_looked_for_in_the_callers_runpath(memfs: Memfs, tmp_path: Path) -> None:
    disk = Memfs(tmp_path / "disk", memfs.program)
    for one, value in ((memfs, 21), (disk, 22)):
        one.library("opener.so", OPENER, "-Wl,-rpath,$ORIGIN/plugins")
        one.library("plugins/libplug.so", f"int plug(void) {{ return {value}; }}")
    assert memfs.run("open=/memfs:/opener.so", "call=opens") == ["opened", "21"]
    assert memfs.run(f"open={disk.root}/opener.so", "call=opens") == ["opened", "22"]


def test_constructors_may_open_libraries_and_ask_where_they_are(memfs: Memfs) -> None:
    memfs.chain()
    helper = memfs.library("lib/libhelper.so", "int helper(void) { return 4; }", soname="libhelper.so")
    code = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <string.h>
    int helper(void);
    static int result; int asked(void) { return result; }
    __attribute__((constructor)) static void start(void) {
        Dl_info info; void *a = dlopen("/memfs:/a.so", RTLD_NOW), *h = dlopen("libhelper.so", RTLD_NOW);
        void *self = dlopen("/memfs:/asks.so", RTLD_NOW);
        result = dladdr(&result, &info) && strcmp(info.dli_fname, "/memfs:/asks.so") == 0;
        result += a && ((int (*)(void))dlsym(a, "a"))() == 113 ? 10 : 0;
        result += h && dlsym(h, "helper") == (void *)helper ? 100 : 0;
        result += self && dlsym(self, "asked") == (void *)asked ? 1000 : 0; }
    """
    memfs.library("asks.so", code, helper)
    seen = memfs.run("files", "open=/memfs:/asks.so", "call=asked", "files")
    assert seen[1:3] == ["opened", "1111"]
    assert seen[0] == seen[3]


def test_threads(memfs: Memfs) -> None:
    memfs.chain()
    memfs.library("d.so", "int b(void); int d(void) { return b(); }", memfs.root / "lib/libb.so")
    before, *seen, after = memfs.run("files", "threads=/memfs:/a.so", "threads=/memfs:/d.so", "call=d", "files")
    assert seen == ["same", "same", "13"]
    assert before == after


def test_after_fork(memfs: Memfs) -> None:
    memfs.chain()
    seen = memfs.run("open=/memfs:/lib/libc3.so", "fork", "open=/memfs:/a.so", "call=a")
    assert seen[-2:] == ["opened", "113"]


def test_a_closed_standard_input(memfs: Memfs) -> None:
    memfs.chain()
    assert memfs.run("closein", "open=/memfs:/a.so", "call=a") == ["opened", "113"]


# --- where memfds cannot be loaded ---


def test_a_sandbox_without_memfds(memfs: Memfs, tmp_path: Path) -> None:
    memfs.chain()
    env = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    seen = memfs.run("debug", "refuse", "open=/memfs:/a.so", "call=a", "where=a", env=env)
    assert seen[:3] == ["opened", "113", "/memfs:/a.so"]
    directory = tmp_path / "cache/frazil/native"
    said = [line for line in seen if line.startswith("frazil: native: /memfs:/a.so: by cache directory ")]
    assert said
    assert directory in Path(said[0].rpartition(" ")[2]).parents
    assert {one.stat().st_mode & 0o777 for one in directory.iterdir()} == {0o500}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "home").exists()
    names = sorted(directory.iterdir())
    assert memfs.run("refuse", "open=/memfs:/a.so", "call=a", env=env) == ["opened", "113"]
    assert sorted(directory.iterdir()) == names


def test_the_way_is_said_once(memfs: Memfs) -> None:
    memfs.chain()
    seen = memfs.run("debug", "open=/memfs:/a.so", "open=/memfs:/a.so", "open=/memfs:/lib/libb.so")
    assert [line for line in seen if line.startswith("frazil: ")] == [
        f"frazil: native: /memfs:/{path}: by memfd" for path in ("a.so", "lib/libb.so", "lib/libc3.so")
    ]


def enter(words: list[str | Path]) -> None:
    """Skip when this machine does not let us do that."""
    result = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip(f"{' '.join(map(str, words))}: {result.stderr.strip()}")


def test_without_proc(memfs: Memfs, tmp_path: Path) -> None:
    memfs.chain()
    if os.geteuid() != 0:
        pytest.skip("chroot is for root")
    linked = subprocess.run(["ldd", memfs.program], capture_output=True, text=True, check=True).stdout
    jail = tmp_path / "jail"
    for library in {*re.findall(r"/[^ ]+", linked)}:
        (jail / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, jail / library[1:])
    shutil.copy(memfs.program, jail / "run")
    shutil.copytree(memfs.root, jail / "root")
    (jail / "tmp").mkdir(mode=0o1777)
    words: list[str | Path] = [
        shutil.which("chroot") or "chroot",
        jail,
        "/run",
        "/root",
        "open=/memfs:/a.so",
        "call=a",
        "where=a",
    ]
    result = subprocess.run(words, capture_output=True, text=True, check=False, env={})
    assert (result.stdout, result.stderr) == ("opened\n113\n/memfs:/a.so\n", "")
    assert list((jail / "tmp/frazil-0").iterdir())
    shutil.rmtree(jail / "tmp")
    result = subprocess.run(words[:-2], capture_output=True, text=True, check=False, env={})
    assert result.stdout == "/memfs:/a.so: cannot be loaded: neither a memfd nor a private cache directory can be had\n"


def test_memfds_that_may_not_be_executed(memfs: Memfs, tmp_path: Path) -> None:
    memfs.chain()
    wrapper: tuple[str | Path, ...] = ("unshare", "--pid", "--fork", "--mount-proc", "--")
    forbid = 'echo 2 > /proc/sys/vm/memfd_noexec && exec "$0" "$@"'
    wrapper += ("sh", "-c", forbid)
    enter([*wrapper])
    seen = memfs.run("debug", "open=/memfs:/a.so", "call=a", env={"HOME": str(tmp_path), "PATH": os.defpath}, wrapper=wrapper)
    assert seen[:2] == ["opened", "113"]
    assert "by cache directory" in seen[2]


def cached(checker: Path, name: str, file: Path, env: dict[str, str]) -> Path:
    result = subprocess.run([checker, "cache", name, file], capture_output=True, text=True, check=True, env=env)
    return Path(result.stdout.strip())


def test_a_damaged_file_in_the_cache_is_written_again(checker: Path, tmp_path: Path) -> None:
    (tmp_path / "library").write_bytes(b"the content" * 1000)
    env = {"HOME": str(tmp_path)}
    path = cached(checker, "/memfs:/x.so", tmp_path / "library", env)
    assert path.parent == tmp_path / ".cache/frazil/native"
    for damage in (b"other bytes" * 1000, b"", b"the content" * 999):
        path.unlink()
        path.write_bytes(damage)
        path.chmod(0o500)
        assert cached(checker, "/memfs:/x.so", tmp_path / "library", env) == path
        assert path.read_bytes() == (tmp_path / "library").read_bytes()
    path.unlink()
    path.symlink_to(tmp_path / "library")
    assert cached(checker, "/memfs:/x.so", tmp_path / "library", env) == path
    assert not path.is_symlink()
    assert cached(checker, "/memfs:/y.so", tmp_path / "library", env) != path


@pytest.mark.parametrize("fault", ["writable", "link", "file", "relative"])
def test_a_directory_that_others_control_is_not_used(fault: str, checker: Path, tmp_path: Path) -> None:
    (tmp_path / "library").write_bytes(b"content")
    bad = tmp_path / "bad"
    (bad / "frazil").mkdir(parents=True)
    if fault == "writable":
        (bad / "frazil/native").mkdir()
        (bad / "frazil/native").chmod(0o777)
    elif fault == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (bad / "frazil/native").symlink_to(tmp_path / "elsewhere")
    elif fault == "file":
        (bad / "frazil/native").touch()
    env = {"XDG_CACHE_HOME": "bad" if fault == "relative" else str(bad), "HOME": str(tmp_path)}
    assert cached(checker, "n", tmp_path / "library", env).parent == tmp_path / ".cache/frazil/native"


# --- the pure parts ---


def test_the_reader_survives_damage(checker: Path, memfs: Memfs) -> None:
    needed = memfs.library("lib/libq.so", "int q(void) { return 1; }", soname="libq.so")
    made = memfs.library("m.so", "int q(void); int m(void) { return q(); }", needed, "-Wl,-rpath,$ORIGIN/x", soname="libm.so")
    result = subprocess.run([checker, "mutilate", made], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("survived\n", "")


def test_the_reader_sees_names(checker: Path, memfs: Memfs) -> None:
    needed = memfs.library("lib/libq.so", "int q(void) { return 1; }", soname="libq.so")
    made = memfs.library("m.so", "", needed, "-Wl,-rpath,$ORIGIN/x", "-Wl,--enable-new-dtags", "-nostdlib", soname="libm.so")
    seen = subprocess.run([checker, "show", made], capture_output=True, text=True, check=True).stdout.splitlines()
    assert seen == ["soname libm.so", "rpath -", "runpath $ORIGIN/x", "needed libq.so"]
    seen = subprocess.run([checker, "show", memfs.program], capture_output=True, text=True, check=True).stdout.splitlines()
    assert seen == ["problem not a shared object"]


def test_rename(checker: Path, memfs: Memfs, tmp_path: Path) -> None:
    made = memfs.library("plain.so", "int plain(void) { return 1; }")
    again = memfs.library("named.so", "int plain(void) { return 1; }", soname="libnamed.so")
    for source in (made, again):
        words: list[str | Path] = [checker, "rename", source, "libnew.so.1", tmp_path / "new.so"]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "renamed\n"
        listed = subprocess.run(["readelf", "-d", tmp_path / "new.so"], capture_output=True, text=True, check=True).stdout
        assert listed.count("SONAME") == 1
        words = [checker, "rename", source, "x" * 200, tmp_path / "new.so"]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "no room\n"
        assert (tmp_path / "new.so").read_bytes() == source.read_bytes()


def test_a_group_needs_its_libraries_in_order(checker: Path, tmp_path: Path) -> None:
    names = ["/proc/self/fd/./7", "b", "c" * 300]
    subprocess.run([checker, "group", tmp_path / "group.so", *names], check=True)
    seen = subprocess.run([checker, "show", tmp_path / "group.so"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^needed (.*)$", seen, re.MULTILINE) == names
    headers = subprocess.run(["readelf", "-lW", tmp_path / "group.so"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"GNU_STACK .* RW ", headers)
    assert "RWE" not in headers


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_sha256(size: int, checker: Path, tmp_path: Path) -> None:
    data = bytes(n * 7 & 0xFF for n in range(size))
    (tmp_path / "data").write_bytes(data)
    for part in (1, 64, 999):
        words: list[str | Path] = [checker, "sum", tmp_path / "data", str(part)]
        seen = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert seen.strip() == hashlib.sha256(data).hexdigest()
