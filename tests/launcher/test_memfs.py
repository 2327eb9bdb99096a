"""memfs: C programs under sanitizers, the same operations on tmpfs, and CPython's own file functions on it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from icecube.writer import Entry, write

LAUNCHER = Path(__file__).parents[2] / "src/frazil/launcher"
PROGRAMS = Path(__file__).parent / "c"
DIFFERENTIAL = Path(__file__).parent / "memfs_differential.py"
REAL_FILE = "/lib64/ld-linux-x86-64.so.2"
STRICT = ["-std=c11", "-g", "-D_GNU_SOURCE", "-U_FORTIFY_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{LAUNCHER}"]
NOBODY = 65534

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() != "x86_64", reason="the launcher is for Linux x86-64"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root directory or its user")


def sources() -> list[Path]:
    """What memfs consists of, and what it needs."""
    own = [*LAUNCHER.glob("memfs/*.c"), *LAUNCHER.glob("libc/*.c")]
    # libc/thread.c belongs to the loading of native code.
    own = sorted(path for path in own if path.name != "thread.c")
    return [*own, *sorted(LAUNCHER.glob("image/*.c"))]


def compile_c(output: Path, *arguments: str | Path) -> Path:
    command = ["gcc", *STRICT, "-o", output, *arguments, "-lpthread", "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return output


def run(*command: str | Path, **variables: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memfs")


@pytest.fixture(scope="session")
def preload(built: Path) -> Path:
    """memfs as a library for LD_PRELOAD."""
    return compile_c(built / "memfs.so", "-O2", "-shared", "-fPIC", *sources(), PROGRAMS / "memfs_preload.c")


@pytest.fixture(scope="session")
def image(built: Path) -> Path:
    """The image that the C test expects."""
    content = bytearray(
        write(
            [
                Entry("data.txt", b"data of the image\n", mtime_ns=1234567890_123456789),
                Entry("dir/inner.txt", b"inner\n"),
                Entry("dir/link", b"../data.txt", link=True),
                Entry("away", REAL_FILE.encode(), link=True),
                Entry("loop", b"loop", link=True),
                Entry("damaged.bin", b"DAMAGE THIS CONTENT"),
            ],
            directories={"empty": 0},
        )
    )
    content[content.index(b"DAMAGE THIS")] ^= 1
    path = built / "test.icecube"
    path.write_bytes(content)
    return path


@pytest.fixture
def tmpfs(tmp_path: Path) -> Path:
    """An empty directory that anybody may write to, on a tmpfs where there is one."""
    shared = Path("/dev/shm")
    path = shared / f"frazil-{os.getpid()}-{tmp_path.name}" if os.access(shared, os.W_OK) else tmp_path / "tmpfs"
    path.mkdir()
    path.chmod(0o777)
    return path


def test_c_program_under_address_and_undefined_behaviour_sanitizers(built: Path, image: Path) -> None:
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize=nonnull-attribute", "-fno-sanitize-recover=all"]
    program = compile_c(built / "asan", "-O1", "-rdynamic", *sanitizers, *sources(), PROGRAMS / "memfs_test.c")
    assert run(program, image) == "all well\n"


@needs_root
@pytest.mark.parametrize("user", [0, NOBODY])
def test_c_program_where_proc_is_not_mounted(image: Path, tmp_path: Path, user: int) -> None:
    for library in [REAL_FILE, "/lib/x86_64-linux-gnu/libc.so.6"]:
        place = tmp_path / library[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    (tmp_path / "proc").mkdir()
    tmp_path.chmod(0o755)
    compile_c(tmp_path / "test", "-O1", "-rdynamic", *sources(), PROGRAMS / "memfs_test.c")
    shutil.copy(image, tmp_path / "image")
    assert run("chroot", f"--userspec={user}:{user}", tmp_path, "/test", "/image") == "all well\n"


def test_threads_under_thread_sanitizer(built: Path) -> None:
    objects = []
    for source in sources():
        # The functions in libc's place run before the sanitizer is ready; they hold no state.
        sanitizer = [] if source.parent.name == "libc" else ["-fsanitize=thread"]
        objects.append(compile_c(built / f"{source.parent.name}-{source.stem}.tsan.o", "-O1", "-c", *sanitizer, source))
    program = compile_c(built / "tsan", "-O1", "-rdynamic", "-fsanitize=thread", *objects, PROGRAMS / "memfs_stress.c")
    # Some kernels place mappings where this compiler's sanitizer does not expect them.
    assert run("setarch", "-R", program, TSAN_OPTIONS="halt_on_error=1") == "all well\n"


@pytest.mark.parametrize("user", [None, pytest.param(NOBODY, marks=needs_root)])
def test_same_as_tmpfs(request: pytest.FixtureRequest, preload: Path, tmpfs: Path, user: int | None) -> None:
    """In sequences of 40 operations; ``--memfs-operations`` says how many in all."""
    extra = [] if user is None else [str(user)]
    sequences = request.config.getoption("--memfs-operations") // 40
    try:
        run(sys.executable, DIFFERENTIAL, tmpfs, "40", str(sequences), *extra, LD_PRELOAD=str(preload))
    finally:
        shutil.rmtree(tmpfs)


def python(preload: Path, code: str, **variables: str) -> str:
    return run(sys.executable, "-I", "-c", textwrap.dedent(code), LD_PRELOAD=str(preload), **variables)


def test_python_reads_the_image(preload: Path, image: Path) -> None:
    python(
        preload,
        """
        import os, pathlib, shutil, tempfile
        assert sorted(os.listdir("/memfs:/")) == ["away", "damaged.bin", "data.txt", "dir", "empty", "loop"]
        assert [found[0] for found in os.walk("/memfs:")] == ["/memfs:", "/memfs:/dir", "/memfs:/empty"]
        assert pathlib.Path("/memfs:/dir/link").read_text() == "data of the image\\n"
        assert os.stat("/memfs:/data.txt").st_mtime_ns == 1234567890123456789
        with open("memfs://data.txt") as stream:
            assert os.path.sameopenfile(stream.fileno(), os.open("/memfs:/dir/link", os.O_RDONLY))
            assert os.path.sameopenfile(stream.fileno(), os.open("memfs:/data.txt", os.O_RDONLY))
        with tempfile.TemporaryDirectory() as directory:
            shutil.copytree("/memfs:/dir", directory + "/copy")
            assert open(directory + "/copy/inner.txt").read() == "inner\\n"
        try:
            open("/memfs:/damaged.bin")
        except OSError as error:
            assert error.errno == 5
        else:
            raise AssertionError
        """,
        FRAZIL_TEST_IMAGE=str(image),
    )


def test_python_libraries_work_in_memfs(preload: Path) -> None:
    python(
        preload,
        """
        import importlib, mmap, os, pathlib, shutil, sqlite3, subprocess, sys, tarfile, tempfile, zipfile
        root = pathlib.Path(tempfile.mkdtemp(dir="/memfs:"))
        for mode in "DELETE", "WAL":
            base = sqlite3.connect(root / f"{mode}.db")
            assert base.execute(f"PRAGMA journal_mode={mode}").fetchone() == (mode.lower(),)
            other = sqlite3.connect(root / f"{mode}.db")
            with base:
                base.execute("CREATE TABLE t (x)")
                base.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(1000)])
            assert other.execute("SELECT sum(x) FROM t").fetchone() == (499500,)
            base.close(), other.close()
        (root / "package").mkdir()
        (root / "package/__init__.py").write_text("from .inner import value")
        (root / "package/inner.py").write_text("value = 42")
        with zipfile.ZipFile(root / "more.zip", "w") as archive:
            archive.writestr("zipped.py", "value = 43")
        sys.path[:0] = [str(root), str(root / "more.zip")]
        assert importlib.import_module("package").value == 42 and importlib.import_module("zipped").value == 43
        assert (root / "package/__pycache__").is_dir()
        with tarfile.open(root / "t.tar.gz", "w:gz") as archive:
            archive.add(root / "package", "package")
        with tarfile.open(root / "t.tar.gz") as archive:
            archive.extractall(root / "out", filter="data")
        assert (root / "out/package/inner.py").read_text() == "value = 42"
        with open(root / "map", "w+b") as stream:
            stream.truncate(10000)
            with mmap.mmap(stream.fileno(), 0) as mapping:
                mapping[5000:5005] = b"hello"
        assert (root / "map").read_bytes()[5000:5005] == b"hello"
        with open(root / "output", "w") as stream:
            process = subprocess.Popen(["sh", "-c", "sleep 0.2; echo from a child"], stdout=stream, env={})
        for number in range(1000):
            (root / f"many{number}").write_text(str(number))
        process.wait()
        assert (root / "output").read_text() == "from a child\\n"
        os.chdir(root)
        os.symlink("package", "link")
        assert sorted(os.listdir("link")) == ["__init__.py", "__pycache__", "inner.py"]
        assert os.path.realpath("link/inner.py") == f"{root}/package/inner.py"
        assert len(list(pathlib.Path().glob("many*"))) == 1000
        os.chdir("/")
        shutil.rmtree(root)
        assert os.listdir("/memfs:") == []
        """,
    )


def test_fork_gives_the_child_a_copy(preload: Path) -> None:
    python(
        preload,
        """
        import os
        def write(text):
            with open("/memfs:/file", "w") as stream:
                stream.write(text)
        write("parent")
        child = os.fork()
        if child == 0:
            write("child")
            os.rename("/memfs:/file", "/memfs:/other")
            os._exit(0 if open("/memfs:/other").read() == "child" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert open("/memfs:/file").read() == "parent" and os.listdir("/memfs:") == ["file"]
        """,
    )


def test_full_memfs_says_so_and_recovers(preload: Path) -> None:
    python(
        preload,
        """
        import errno, os
        def fill(make):
            try:
                while True:
                    make()
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
        stream = open("/memfs:/big", "wb", buffering=0)
        fill(lambda: stream.write(bytes(99999)))
        assert 900_000 < stream.tell() <= 1_000_000
        space = os.statvfs("/memfs:")
        assert space.f_blocks == 244 and space.f_bavail == 0
        os.unlink("/memfs:/big")
        stream.close()
        assert os.statvfs("/memfs:").f_bavail > 200
        open("/memfs:/again", "wb").write(bytes(500_000))
        numbers = iter(range(10**6))
        fill(lambda: os.mkdir(f"/memfs:/{next(numbers)}"))
        """,
        FRAZIL_TEST_LIMIT="1000000",
    )


def test_real_links_lead_into_memfs(preload: Path, tmp_path: Path) -> None:
    python(
        preload,
        f"""
        import os, pathlib, shutil
        real = pathlib.Path({str(tmp_path)!r})
        os.makedirs("/memfs:/a/b")
        pathlib.Path("/memfs:/a/b/file").write_text("text")
        os.symlink("/memfs:/a", real / "link")
        assert (real / "link/b/file").read_text() == "text" and os.listdir(real / "link") == ["b"]
        assert (real / "link").is_symlink() and os.readlink(real / "link") == "/memfs:/a"
        os.chdir(real)
        assert os.listdir(os.path.relpath("/memfs:/a")) == ["b"] and os.listdir("link/b") == ["file"]
        os.chdir("/")
        shutil.rmtree(real)
        assert os.path.exists("/memfs:/a/b/file")
        """,
    )


def test_large_directory_and_large_file(preload: Path) -> None:
    python(
        preload,
        """
        import os
        os.mkdir("/memfs:/d")
        for number in range(20_000):
            os.close(os.open(f"/memfs:/d/{number}", os.O_CREAT | os.O_WRONLY))
        assert sorted(map(int, os.listdir("/memfs:/d"))) == list(range(20_000))
        assert len(os.listdir("/proc/self/fd")) < 600
        for entry in os.scandir("/memfs:/d"):
            os.unlink(entry.path)
        os.rmdir("/memfs:/d")
        with open("/memfs:/large", "wb") as stream:
            stream.seek(3 << 30)
            stream.write(b"end")
        assert os.stat("/memfs:/large").st_size == (3 << 30) + 3 and os.stat("/memfs:/large").st_blocks == 8
        """,
    )
