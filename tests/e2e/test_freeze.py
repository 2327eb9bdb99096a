"""``frazil freeze``: the sample in a bare chroot, what a frozen directory looks like from inside, and images to link."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import icecube
from frazil.builder.bytecode import read_content
from frazil.builder.launcher import SOURCES
from frazil.cache import ContentCache
from frazil.distribution import describe
from frazil.errors import SourceError
from frazil.inspection import open_image
from support import RunInRoot

SAMPLE = Path(__file__).resolve().parents[2] / "sample"
Freeze = Callable[..., subprocess.CompletedProcess[str]]

SAYS = """\
Hello from memfs.
168 primes, the last is 997 or CMXCVII
wrapped by bytecode: one two / three / four
a native library says: 2 + 3 = 5
notes: ['public.txt']
written at run time
"""


@pytest.fixture
def freeze(build_environment: dict[str, str], target: Path, tmp_path: Path) -> Freeze:
    """Run ``frazil freeze`` in the test's directory."""

    def run(*arguments: str | Path, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "frazil", "freeze", *arguments, "--python", target]
        return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd, env=build_environment)

    return run


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of the sample, as it is in the repository."""
    made = ("primes.txt", "compiled.pyc", "libadder.so", "__pycache__")
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample", ignore=shutil.ignore_patterns(*made)))


def write(place: Path, **files: str) -> Path:
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        (place / f"{name}.py").write_text(text)
    return place


def run(executable: Path, *arguments: str) -> str:
    done = subprocess.run([executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("link", ["static", "shared"])
def test_the_sample_stripped_in_a_bare_root(
    freeze: Freeze, sample: Path, tmp_path: Path, run_in_root: RunInRoot, link: str
) -> None:
    done = freeze("sample/", "-o", "sample.exe", "--link", link)
    assert (done.returncode, done.stderr.count("warning")) == (0, 0), done.stderr
    assert "./sample.exe" not in done.stderr
    subprocess.run(["strip", "sample.exe"], cwd=tmp_path, check=True)
    shown = run_in_root(tmp_path / "sample.exe", ["42"])
    assert (shown.returncode, shown.stdout, shown.stderr) == (42, SAYS, "")
    files = {node.path for node in open_image(tmp_path / "sample.exe").nodes()}
    assert {"BIOS.py", "compiled.pyc", "native/libadder.so", "notes/public.txt", "primes.txt"} <= files
    left_out = {"Make.py", "EXCLUDE", "README.md", "compiled.py", "native/adder.c", "notes/private.txt"}
    assert not files & left_out
    assert all((sample / name).exists() for name in left_out)


@pytest.mark.parametrize("options", [["--no-source", "--optimize=2"], ["--compress=deflate"]], ids="-".join)
def test_the_sample_with_options(freeze: Freeze, sample: Path, tmp_path: Path, options: Sequence[str]) -> None:
    done = freeze(sample, "-o", "out", "-q", *options)
    assert done.returncode == 0, done.stderr
    assert run(tmp_path / "out") == SAYS


def test_the_same_directory_gives_the_same_bytes(freeze: Freeze, sample: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    other = Path(shutil.copytree(sample, elsewhere / "sample"))
    for file in other.rglob("*"):
        os.utime(file, (1, 1))
    for output in ("one", "other"):
        done = freeze("sample" if output == "one" else other, "-o", output, "-q")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("one", "other")}
    assert len(digests) == 1


INSIDE = """
import importlib.util, os, sys
import lib.mine, mod, pkg.inner
print(sys.path[0], __file__, __name__, __spec__, sys.argv[1:])
print(mod.__file__, mod.__spec__.cached, pkg.__path__, pkg.inner.__name__, lib.mine.__name__)
print(type(mod.__loader__).__module__, importlib.util.find_spec("nothing_such"))
print(sorted(os.listdir("/memfs:/empty")), os.path.isdir("memfs://data"), os.stat("/memfs:/tool").st_mode & 0o777)
open("/memfs:/late.py", "w").write("word = 'late'")
importlib.invalidate_caches()
import late
print(late.word, late.__file__)
print(os.getcwd() == os.environ["PWD"])
sys.exit("ends so")
"""


def test_from_inside(freeze: Freeze, tmp_path: Path, target: Path) -> None:
    place = write(tmp_path / "inside", BIOS=INSIDE, mod="")
    for name in ("pkg/__init__.py", "pkg/inner.py", "lib/mine.py", "data/x", "tool"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).touch()
    (place / "tool").chmod(0o755)
    (place / "empty").mkdir()
    done = freeze("inside")
    assert done.returncode == 0, done.stderr
    assert "run it   dist/inside" in done.stdout
    shown = subprocess.run(["dist/inside", "a"], capture_output=True, text=True, cwd=tmp_path, check=False,
                           env={"PWD": str(tmp_path)})  # fmt: skip
    tag = "cpython-" + target.name.removeprefix("python").replace(".", "")
    assert shown.stdout.splitlines() == [
        "/memfs: /memfs:/BIOS.py __main__ None ['a']",
        f"/memfs:/mod.py /memfs:/__pycache__/mod.{tag}.pyc ['/memfs:/pkg'] pkg.inner lib.mine",
        "frazil_runtime.importer None",
        "[] True 493",
        "late /memfs:/late.py",
        "True",
    ]
    assert (shown.returncode, shown.stderr) == (1, "ends so\n")


def test_a_compiled_boot_script_and_an_extension_module(freeze: Freeze, tmp_path: Path) -> None:
    place = write(tmp_path / "d", Make="""
        import py_compile, subprocess, sysconfig
        py_compile.compile("BIOS_source.txt", "BIOS.pyc", doraise=True)
        include = sysconfig.get_path("include")
        subprocess.run(["cc", "-shared", "-fPIC", "-I", include, "fast.c", "-o", "fast.so"], check=True)
    """.replace("\n        ", "\n"))  # fmt: skip
    (place / "BIOS_source.txt").write_text("import fast, colorsys\nprint(fast.word, fast.__file__, __name__, __file__)")
    (place / "EXCLUDE").write_text("*.c\n*.txt\n")
    (place / "fast.c").write_text(
        '#include <Python.h>\nstatic struct PyModuleDef d = {PyModuleDef_HEAD_INIT, .m_name = "fast", .m_size = -1};\n'
        'PyMODINIT_FUNC PyInit_fast(void) { PyObject *m = PyModule_Create(&d); PyModule_AddStringConstant(m, "word", "yes"); '
        "return m; }\n"
    )
    done = freeze("d", "-o", "out", "-q")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path / "out") == "yes /memfs:/fast.so __main__ /memfs:/BIOS.pyc\n"


@pytest.mark.parametrize("child", ["spawn", "fork", "forkserver"])
def test_child_processes(freeze: Freeze, tmp_path: Path, child: str) -> None:
    text = f"""
import multiprocessing, subprocess, sys
import mod
if __name__ == "__main__":
    with multiprocessing.get_context({child!r}).Pool(2) as pool:
        print(pool.map(mod.double, [1, 2, 3]))
    print(subprocess.run([sys.executable, "-c", "import mod; print(mod.double(4))"], capture_output=True, text=True).stdout)
"""
    write(tmp_path / "d", BIOS=text, mod="def double(number):\n    return 2 * number\n")
    done = freeze("d", "-o", "out", "-q", "--include", "multiprocessing.*")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path / "out") == "[2, 4, 6]\n8\n\n"


def test_requirements_of_the_boot_script(freeze: Freeze, tmp_path: Path) -> None:
    text = '# /// script\n# dependencies = ["click>=8"]\n# ///\nimport click\nclick.echo(click.__file__)\n'
    write(tmp_path / "d", BIOS=text)
    done = freeze("d", "-o", "out", "-q")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"/memfs:/lib/python3\.\d+/site-packages/click/__init__\.py\n", run(tmp_path / "out"))


@pytest.mark.parametrize("path", ["os.py", "os.pyc", "os/__init__.py", "frazil_runtime/boot.py", "encodings/__init__.py"])
def test_a_file_in_the_place_of_pythons_own(freeze: Freeze, tmp_path: Path, target: Path, path: str) -> None:
    place = write(tmp_path / "d", BIOS="import os")
    mine = place / "lib" / target.name / path
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"")
    if path.endswith(".pyc"):
        (mine.parent / "source.py").write_text("")
        code = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2])"
        subprocess.run([target, "-c", code, mine.parent / "source.py", mine], check=True)
    done = freeze("d", "-o", "out", "-q")
    assert done.returncode == 1
    library = f"/memfs:/lib/{target.name}"
    own = f"{library}/{'os.py' if path.startswith('os') else path}"
    assert re.match(
        f"error: {mine}: would stand at {library}/{path}, in the place of (Python|the run-time)'s own {own}", done.stderr
    )
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_a_directory(freeze: Freeze, tmp_path: Path) -> None:
    write(tmp_path / "d", BIOS="")
    (tmp_path / "d/lib").write_text("")
    done = freeze("d", "-o", "out", "-q")
    assert done.returncode == 1
    assert "'lib' is a file and cannot hold 'lib/" in done.stderr


def test_make_that_fails(freeze: Freeze, tmp_path: Path) -> None:
    write(tmp_path / "d", BIOS="", Make="print('one line', flush=True)\nraise SystemExit('enough')")
    (tmp_path / "out").write_text("former")
    done = freeze("d", "-o", "out")
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"error: {tmp_path}/d/Make.py: failed with exit code 1\none line\nenough\n"
        "The build stops when it fails; correct it or remove it.\n"
    )
    assert (tmp_path / "out").read_text() == "former"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gone"], 1, "gone: cannot be read: No such file"),
        (["d/BIOS.py"], 2, "this is no directory"),
        (["empty"], 1, "there is no BIOS.py here"),
        (["d", "--multicall"], 2, "No such option"),
        (["d", "--emit", "c"], 2, "'c' is not one of"),
        (["d", "--emit", "asm", "-o", "x.icecube"], 2, "a name that ends in .icecube is taken by the image"),
        (["d", "-o", "empty"], 1, "the output is a directory"),
        (["d", "-o", "d/BIOS.py"], 1, "the output is a file of the application"),
        (["d", "-o", "d/BIOS.py", "--emit", "obj"], 1, "the output is a file of the application"),
        (["d", "-o", "d/mine.S", "--emit", "asm"], 1, "d/mine.icecube: the image would take the place of this file"),
        (["d", "-o", "d/mine.icecube", "--emit", "obj"], 1, "the output is a file of the application"),
    ],
)
def test_errors(freeze: Freeze, tmp_path: Path, arguments: Sequence[str], code: int, message: str) -> None:
    write(tmp_path / "d", BIOS="1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "d/mine.icecube").write_text("mine")
    done = freeze(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert (tmp_path / "d/BIOS.py").read_text() == "1"
    assert (tmp_path / "d/mine.icecube").read_text() == "mine"


def test_outputs_in_the_directory_stay_out(freeze: Freeze, tmp_path: Path) -> None:
    write(tmp_path / "d", BIOS="import os; print(sorted(os.listdir('/memfs:')))")
    for emit, output in (("exe", "out"), ("asm", "out.S"), ("obj", "out.o")):
        first, second = (freeze(".", "-o", output, "--emit", emit, "-q", cwd=tmp_path / "d") for _ in range(2))
        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        kept = (tmp_path / "d" / output).read_bytes()
        if emit == "exe":
            assert run(tmp_path / "d/out") == "['BIOS.py', '__pycache__', 'lib']\n"
        else:
            assert freeze(".", "-o", output, "--emit", emit, "-q", cwd=tmp_path / "d").returncode == 0
            assert (tmp_path / "d" / output).read_bytes() == kept
            (tmp_path / "d" / output).unlink()
        for name in ("out", "out.icecube"):
            (tmp_path / "d" / name).unlink(missing_ok=True)


OWN_PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
extern const unsigned char frazil_image[], frazil_image_end[];
extern const uint64_t frazil_image_size;
int main(void)
{
    if ((uintptr_t)frazil_image % 4096 || (uint64_t)(frazil_image_end - frazil_image) != frazil_image_size)
        return 1;
    return fwrite(frazil_image, 1, frazil_image_size, stdout) != frazil_image_size;
}
"""


@pytest.mark.parametrize("emit", ["asm", "obj"])
def test_an_image_in_a_program_of_ones_own(freeze: Freeze, tmp_path: Path, emit: str) -> None:
    write(tmp_path / "my dir", BIOS="print(1)")
    (tmp_path / "main.c").write_text(OWN_PROGRAM)
    (tmp_path / "made").mkdir()
    output = {"asm": 'made/my "pro\\gram.S', "obj": "made/program.o"}[emit]
    done = freeze("my dir", "--emit", emit, "-o", output)
    assert done.returncode == 0, done.stderr
    assert "link it" in done.stdout
    command = ["cc", str(tmp_path / "main.c"), Path(output).name, "-o", str(tmp_path / "program")]
    subprocess.run(command, cwd=tmp_path / "made", check=True)
    image = subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout
    if emit == "asm":
        assert image == (tmp_path / output).with_suffix(".icecube").read_bytes()
        assert b"frazil_image" in (tmp_path / output).read_bytes()
    read = icecube.Image(image)
    read.verify()
    assert read.find("BIOS.py") is not None
    assert [path.suffix for path in tmp_path.rglob("*.c")] == [".c"]  # ours: no C array
    sections = subprocess.run(["readelf", "-SW", tmp_path / "program"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"\.frazil\.image +PROGBITS .* A +0 +0 4096", sections)


def test_the_launcher_linked_by_hand(freeze: Freeze, tmp_path: Path, target: Path, build_environment: dict[str, str]) -> None:
    """As docs/freeze.md says, with an object of one's own."""
    python = describe(target, ContentCache(Path(build_environment["FRAZIL_CACHE_DIR"])))
    if python.static_library is None or python.include is None:
        pytest.skip("needs libpython*.a")
    write(tmp_path / "d", BIOS="import ctypes, sys\nsys.exit(ctypes.CDLL(None).own_function())")
    assert freeze("d", "--link", "static", "--emit", "obj", "-o", "program.o", "-q").returncode == 0
    (tmp_path / "own.c").write_text("int own_function(void) { return 42; }")
    includes = ["-I", str(SOURCES), "-I", str(python.include), "-I", str(python.platform_include)]
    libpython = ["-Wl,--whole-archive", str(python.static_library), "-Wl,--no-whole-archive", *python.link_libraries]
    command = [
        *("cc", "-std=gnu11", "-D_GNU_SOURCE=", "-U_FORTIFY_SOURCE", "-fno-pie", "-no-pie", "-rdynamic", *includes),
        *(*map(str, SOURCES.rglob("*.c")), "own.c", "program.o", "-Wl,--section-start=.frazil.image=0x2000000000"),
        *(*libpython, "-ldl", "-lpthread", "-lm", "-lutil", "-o", "program"),
    ]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run(["strip", "program"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "program"], check=False).returncode == 42


def test_as_json(freeze: Freeze, tmp_path: Path) -> None:
    write(tmp_path / "d", BIOS="")
    done = freeze("d", "--json", "--emit", "obj")
    (made,) = json.loads(done.stdout)["executables"]
    assert made["path"] == "dist/d.o"
    assert made["size"] == (tmp_path / "dist/d.o").stat().st_size
    assert "launcher" not in made["sizes"]


def test_a_file_that_is_longer_than_it_says(tmp_path: Path) -> None:
    """Files of the kernel are the sure case of a file that is not what its size says."""
    link = tmp_path / "link"
    link.symlink_to("/proc/self/status")
    with pytest.raises(SourceError, match="this file changed while it was read"):
        read_content(link)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as opened:
        opened.truncate(256 << 20)
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            os.utime(file, ns=(number, number))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        with pytest.raises(SourceError, match="this file changed while it was read") as caught:
            read_content(file)
    finally:
        done.set()
        thread.join()
    assert caught.value.where == str(file)
