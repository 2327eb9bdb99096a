"""What imports looked at: a start is warm while it is the same, and cold, with what is there now, when it is not."""

from __future__ import annotations

import fcntl
import os
import pty
import resource
import struct
import subprocess
import termios
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from frazil.builder.warm.inspection import inspect_warm
from frazil_runtime.snapshot.format import Question
from started import WARM, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import Build

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
FILES: Final = """\
    import ctypes, glob, os

    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    libc.realpath.restype = ctypes.c_char_p


    def first_byte(path):
        file = libc.fopen(os.fsencode(path), b"r")
        if not file:
            return None
        byte = libc.fgetc(ctypes.c_void_p(file))
        libc.fclose(ctypes.c_void_p(file))
        return byte


    SEEN = {
        "read": open("PLACE/read").read(),
        "stat": os.stat("PLACE/stat").st_size,
        "list": sorted(os.listdir("PLACE/list")),
        "glob": glob.glob("PLACE/glob/*"),
        "missing": os.path.exists("PLACE/missing"),
        "becomes-directory": os.path.isdir("PLACE/becomes-directory"),
        "access": os.access("PLACE/access", os.X_OK),
        "link": os.readlink("PLACE/link"),
        "real": libc.realpath(b"PLACE/real", None),
        "fopen": first_byte("PLACE/fopen"),
        "tolerant": os.path.isdir("PLACE/tolerant"),
        "proc": open("/proc/sys/vm/overcommit_memory").read(),
        "meminfo": len(open("/proc/meminfo").read()) > 0,
    }
    """
PROCESS: Final = """\
    import ctypes, gettext, os, platform, resource

    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    SEEN = {
        "LOOKED_AT": os.environ.get("LOOKED_AT"),
        "IN_C": libc.getenv(b"IN_C"),
        "the umask": (mask := os.umask(0)),
        "the limit RLIMIT_CORE": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "the limit of open files": os.sysconf("SC_OPEN_MAX"),
        "the processors that it may use": sorted(os.sched_getaffinity(0)),
        "the number of processors": os.cpu_count(),
        "the user": os.getuid(),
        "the host's name": platform.node(),
        "whether stream 1 is a terminal": os.isatty(1),
        "system": platform.system(),
        "word": gettext.gettext("word"),
    }
    os.umask(mask)
    """
MAIN: Final = """\
    import sys
    import asks


    def main():
        print(asks.SEEN[sys.argv[1]])


    if __name__ == "__main__":
        main()
    """


class Started:
    """A start of the program: what it wrote, and what was said of the snapshot."""

    def __init__(self, executable: Path, *words: str, before: tuple[str, ...] = (), **options: Any) -> None:
        environment = {"PATH": os.environ["PATH"], "FRAZIL_DEBUG": "warm", **options.pop("environment", {})}
        done = subprocess.run(
            [*before, executable, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60,
            env=environment, **{"cwd": "/", **options},
        )  # fmt: skip
        self.output: str = done.stdout.strip()
        self.said: str = done.stderr.strip()


def _build(build: Build, target: Path, place: Path, asks: str) -> Path:
    (place / "asks.py").write_text(textwrap.dedent(asks).replace("PLACE", str(place)))
    main = place / f"{place.parent.name}-{place.name}.py"  # the name by which executables are built once
    main.write_text(textwrap.dedent(MAIN))
    return build(main, target, "--warm")


@pytest.fixture(scope="module")
def files(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An executable whose import looks at files, and where these are."""
    place = tmp_path_factory.mktemp("files-asked")
    for name in ("read", "stat", "access", "becomes-directory", "fopen", "target", "other"):
        (place / name).write_text("a")
    for name in ("list", "glob", "tolerant"):
        (place / name).mkdir()
        (place / name / "a").touch()
    for name in ("link", "real"):
        (place / name).symlink_to("target")
    return _build(build, target, place, FILES), place


def _write(path: Path) -> None:
    path.write_text("changed")


def _add(path: Path) -> None:
    (path / "b").touch()


def _point_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("other")


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@contextmanager
def _kept(path: Path, aside: Path) -> Iterator[None]:
    """Put back what is there now, with its times, at the end."""
    there = os.path.lexists(path)
    if there:
        subprocess.run(["cp", "-a", path, aside], check=True)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", path], check=True)
        if there:
            subprocess.run(["cp", "-a", aside, path], check=True)


@pytest.mark.parametrize(
    ("name", "change", "before", "after"),
    [
        ("read", _write, "a", "changed"),
        ("stat", _write, "1", "7"),
        ("list", _add, "['a']", "['a', 'b']"),
        ("glob", _add, "1", "2"),
        ("missing", _write, "False", "True"),
        ("becomes-directory", _make_directory, "False", "True"),
        ("access", lambda path: path.chmod(0o755), "False", "True"),
        ("link", _point_elsewhere, "target", "other"),
        ("real", _point_elsewhere, "target", "other"),
        ("fopen", _write, "97", "99"),
    ],
)
def test_files(
    files: tuple[Path, Path], tmp_path: Path, name: str, change: Callable[[Path], None], before: str, after: str
) -> None:
    executable, place = files
    path = place / name

    def shown(output: str) -> str:
        return str(output.count("/glob/")) if name == "glob" else output.replace(f"b'{place}/", "").rstrip("'")

    warm = Started(executable, name)
    assert (warm.said, shown(warm.output)) == ("frazil: warm: warm", before)
    with _kept(path, tmp_path / "kept"):
        change(path)
        cold = Started(executable, name)
    assert cold.said == f"frazil: warm: cold: an import looked at this, and it was different: {path}"
    assert shown(cold.output) == after
    assert Started(executable, name).said == "frazil: warm: warm"


def test_what_is_in_a_directory_that_was_not_listed_does_not_count(files: tuple[Path, Path]) -> None:
    executable, place = files
    (place / "tolerant/b").touch()
    assert Started(executable, "tolerant").said == "frazil: warm: warm"


@pytest.fixture(scope="module")
def process(build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executable whose import looks at its process and machine."""
    return _build(build, target, tmp_path_factory.mktemp("process-asked"), PROCESS)


def _cold(executable: Path, subject: str, **options: Any) -> str:
    """What it prints in a start that is cold for that reason alone."""
    assert Started(executable, subject).said == "frazil: warm: warm"
    done = Started(executable, subject, **options)
    assert done.said == f"frazil: warm: cold: an import looked at this, and it was different: {subject}"
    return done.output


def test_variables_in_python_and_c(process: Path) -> None:
    assert Started(process, "IN_C").output == "None"
    assert _cold(process, "LOOKED_AT", environment={"LOOKED_AT": "x"}) == "x"
    assert _cold(process, "IN_C", environment={"IN_C": "x"}) == "b'x'"
    assert Started(process, "IN_C", environment={"OTHER": "x"}).said == "frazil: warm: warm"


def test_what_asks_for_the_language_is_imported_at_each_start(
    build: Build, target: Path, tmp_path: Path, process: Path
) -> None:
    place = tmp_path / "languages-asked"
    catalog = place / "locale/de/LC_MESSAGES/words.mo"
    catalog.parent.mkdir(parents=True)
    catalog.write_bytes(struct.pack("<7I", 0x950412DE, 0, 0, 28, 28, 0, 28))
    asks = "import gettext\nSEEN = {'kind': type(gettext.translation('words', 'PLACE/locale', fallback=True)).__name__}\n"
    program = _build(build, target, place, asks)
    german = {"LANGUAGE": "de"}
    assert Started(program, "kind").output == "NullTranslations"
    spoken = Started(program, "kind", environment=german)
    assert (spoken.output, spoken.said) == ("GNUTranslations", "frazil: warm: warm")
    assert Started(process, "word", environment=german).said == "frazil: warm: warm"


def test_the_umask(process: Path) -> None:
    assert _cold(process, "the umask", umask=0o057) == str(0o057)


def test_limits(process: Path) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (4096, 8192))

    def lower_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (123, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    assert _cold(process, "the limit RLIMIT_CORE", preexec_fn=lower) == "4096"
    assert _cold(process, "the limit of open files", preexec_fn=lower_files) == "123"


def test_processors(process: Path) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) == 1:
        pytest.skip("this process may use one processor only")
    before = Started(process, "the number of processors").output

    def bind() -> None:
        os.sched_setaffinity(0, {allowed[-1]})

    assert before == str(os.cpu_count())
    assert _cold(process, "the processors that it may use", preexec_fn=bind) == f"[{allowed[-1]}]"


def test_processors_that_numpy_counts(build: Build, target: Path) -> None:
    """It takes the fewer of those that there are and those that it may use: which these are is enough."""
    allowed = sorted(os.sched_getaffinity(0))
    executable = build(EXAMPLES / "matrix.py", target, "--warm")
    found = inspect_warm(executable)
    assert found
    assert {one.question for one in found.conditions} & {Question.SYSTEM, Question.PROCESSORS} == {Question.PROCESSORS}
    decision, outcome = start([executable])
    assert decision == WARM
    if len(allowed) == 1:
        pytest.skip("this process may use one processor only")
    decision, again = start([executable], prepare=lambda: os.sched_setaffinity(0, {allowed[-1]}))
    assert "the processors that it may use" in decision
    assert again == outcome


def _require_unshare(*options: str) -> None:
    """Skip where no namespaces can be made."""
    done = subprocess.run(["unshare", *options, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no namespaces here: {done.stderr.strip()}")


def test_the_user(process: Path) -> None:
    _require_unshare("--user")
    assert _cold(process, "the user", before=("unshare", "--user")) == "65534"


def test_the_host(process: Path) -> None:
    names = ("--user", "--map-user", str(os.getuid()), "--uts", "--keep-caps")
    _require_unshare(*names)
    before = ("unshare", *names, "sh", "-c", 'hostname elsewhere && exec "$@"', "sh")
    assert Started(process, "system").output == "Linux"
    assert _cold(process, "the host's name", before=before) == "elsewhere"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("os.chdir('/usr')", "the current directory"),
        ("os.umask(0o77)", "the umask"),
        (
            "resource.setrlimit(resource.RLIMIT_NOFILE, (99, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
            "the process's limits",
        ),
    ],
)
def test_a_module_that_changes_the_process_is_left_out(
    build: Build, target: Path, tmp_path: Path, change: str, what: str
) -> None:
    place = tmp_path / f"changes-{what.rsplit(maxsplit=1)[-1]}"
    place.mkdir()
    program = _build(build, target, place, f"import os, resource\n{change}\nSEEN = {{'directory': os.getcwd()}}\n")
    found = inspect_warm(program)
    assert found is not None
    assert [(one.module, one.reason) for one in found.report.left_out] == [
        ("asks", f"no snapshot can be made: {what} was changed")
    ]
    assert Started(program, "directory", cwd=tmp_path).output == ("/usr" if "chdir" in change else str(tmp_path))


@pytest.mark.parametrize(
    "how", ["{k: v for k, v in os.environ.items() if k.startswith('APP_')}", "dict(os.environ)", "len(os.environ)"]
)
def test_a_module_that_looks_at_all_variables_is_left_out(build: Build, target: Path, tmp_path: Path, how: str) -> None:
    place = tmp_path / f"all-variables-{len(how)}"
    place.mkdir()
    program = _build(build, target, place, f"import os\nALL = {how}\nSEEN = {{'size': 'APP_X' in str(ALL)}}\n")
    found = inspect_warm(program)
    assert found is not None
    left_out = [(one.module, one.reason.partition("/app/")[2]) for one in found.report.left_out]
    assert left_out == [("asks", "asks.py:2 looks at all variables of the environment")]
    done = Started(program, "size", environment={"APP_X": "1"})
    assert (done.said, done.output) == ("frazil: warm: warm", str("len" not in how))


def test_a_change_that_is_taken_back_is_none(build: Build, target: Path, tmp_path: Path) -> None:
    place = tmp_path / "takes-back"
    place.mkdir()
    program = _build(build, target, place, "import os\nos.chdir('/usr')\nos.chdir('/')\nSEEN = {'x': 1}\n")
    assert Started(program, "x").said == "frazil: warm: warm"


@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_the_locale_that_an_import_sets_is_that_of_the_process(
    build: Build, target: Path, tmp_path_factory: pytest.TempPathFactory, language: str
) -> None:
    place = tmp_path_factory.mktemp("locale-asked")
    asks = "import locale\nlocale.setlocale(locale.LC_ALL, '')\n"
    asks += "class Seen:\n    def __getitem__(self, name): return locale.setlocale(locale.LC_ALL)\nSEEN = Seen()\n"
    program = _build(build, target, place, asks)
    warm = Started(program, "x", environment={"LC_ALL": language})
    cold = Started(program, "x", environment={"LC_ALL": language, "FRAZIL_START_COLD": "1"})
    assert warm.said == "frazil: warm: warm"
    assert warm.output == cold.output == language


def test_what_an_import_does_to_others_is_said(build: Build, target: Path, tmp_path: Path) -> None:
    place = tmp_path / "does-things"
    place.mkdir()
    asks = "import os, subprocess\nsubprocess.run(['/bin/true'], check=True)\nopen('PLACE/written', 'w').close()\n"
    asks += "os.makedirs('PLACE/made', exist_ok=True)\nSEEN = {'load': len(os.getloadavg())}\n"
    (place / "made").mkdir()
    found = inspect_warm(_build(build, target, place, asks))
    assert found is not None
    assert {one.partition(": ")[2] for one in found.report.remarks} >= {
        "an import runs /bin/true, which warm starts do not",
        f"an import writes {place}/written, which warm starts do not",
        f"an import writes {place}/made, which warm starts do not",
        "an import asks for the system's load, which all warm starts then share",
    }


def test_the_current_directory(build: Build, target: Path, tmp_path: Path) -> None:
    place = tmp_path / "directory-asked"
    place.mkdir()
    program = _build(build, target, place, "import os\nSEEN = {'the current directory': os.getcwd()}\n")
    assert _cold(program, "the current directory", cwd=tmp_path) == str(tmp_path)


def _on_a_terminal(executable: Path, subject: str) -> tuple[str, str]:
    """What it writes to a terminal of 61 columns, and what is said of the snapshot."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 31, 61, 0, 0))
    environment = {"PATH": os.environ["PATH"], "FRAZIL_DEBUG": "warm"}
    done = subprocess.run(
        [executable, subject], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, text=True, check=True,
        timeout=60, env=environment, cwd="/",
    )  # fmt: skip
    output = os.read(ours, 100).decode().strip()
    os.close(ours)
    os.close(theirs)
    return output, done.stderr


def test_a_terminal(process: Path) -> None:
    subject = "whether stream 1 is a terminal"
    assert Started(process, subject).output == "False"
    output, said = _on_a_terminal(process, subject)
    assert output == "True"
    assert f"it was different: {subject}" in said


def test_the_size_of_a_terminal(build: Build, target: Path, tmp_path: Path) -> None:
    place = tmp_path / "window-asked"
    place.mkdir()
    asks = "import shutil\nSEEN = {'size': shutil.get_terminal_size((7, 7)).columns}\n"
    program = _build(build, target, place, asks)
    warm = Started(program, "size")
    assert (warm.said, warm.output) == ("frazil: warm: warm", "7")
    output, said = _on_a_terminal(program, "size")
    assert output == "61"
    assert "it was different: the size of the terminal on stream 1" in said
