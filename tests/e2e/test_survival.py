"""An executable runs however it was moved, stripped, named and started, and whatever lies around it."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from support import Build

# Imports only on request, and in functions, so that what comes late is read late: also where a snapshot holds what comes early.
PROBE = """\
import sys


def native():
    import _bz2, _ctypes, _decimal, _sqlite3, _ssl
    print("native", _bz2.__file__.startswith("/memfs:/"), _ssl.OPENSSL_VERSION.partition(" ")[0])


def late():
    print("ready", flush=True)
    sys.stdin.readline()
    import subprocess, wave, _lzma
    code = "import sys, colorsys, _bz2; print('child', sys.argv)"
    done = subprocess.run([sys.executable, "-c", code, "x"], capture_output=True, text=True)
    print(wave.__name__, _lzma.__name__, done.stdout.strip(), done.stderr.strip(), done.returncode)


def never():
    import colorsys


def down(n):
    return 0 if n == 0 else 1 + down(n - 1)


what = sys.argv[1] if len(sys.argv) > 1 else "where"
if what in {"native", "late", "never"}:
    globals()[what]()
elif what == "deep":
    print(down(500))
else:
    print(sys.executable, ascii(sys.argv), sys.path)
"""
NATIVE = "native True OpenSSL\n"
LATE = "wave _lzma child ['-c', 'x']  0\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes mounts and changes users")


@pytest.fixture
def probe(build: Build, target: Path, shared_directory: Path, tmp_path: Path) -> Path:
    """A copy of the executable in a directory of its own."""
    script = shared_directory / "probe.py"
    script.write_text(PROBE)
    copy = tmp_path / "place" / "probe"
    copy.parent.mkdir()
    shutil.copy(build(script, target), copy)
    return copy


def _run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    before: Callable[[], object] | None = None,
    executable: Path | None = None,
) -> tuple[int, str, str]:
    done = subprocess.run(command, env={} if env is None else env, cwd=cwd, preexec_fn=before, executable=executable,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def _where(executable: Path, *argv: str) -> tuple[int, str, str]:
    """What the probe prints when it is called with these arguments."""
    version = _version(executable)
    roots = ["app", f"lib/python{version}", f"lib/python{version}/lib-dynload", f"lib/python{version}/site-packages"]
    return 0, f"{executable} {list(argv)!a} {[f'/memfs:/{root}' for root in roots]}\n", ""


def _version(executable: Path) -> str:
    done = subprocess.run([executable, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True,
                          env={}, text=True, check=False)  # fmt: skip
    return done.stdout.partition("/lib/python")[2].partition("'")[0]


# --- the file ---


@pytest.mark.parametrize("command", ["strip", "strip --strip-all --remove-section=.comment", "llvm-strip-14",
                                     "llvm-strip-14 --strip-sections"])  # fmt: skip
def test_strip(probe: Path, command: str) -> None:
    words = command.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    subprocess.run([*words, probe], check=True)
    assert _run([probe, "native"]) == (0, NATIVE, "")


def test_renamed_and_moved(probe: Path, tmp_path: Path) -> None:
    odd = tmp_path / "an odd: plàce" / "(deleted) näme (deleted)"
    odd.parent.mkdir()
    probe.rename(odd)
    assert _run([odd], env={"LANG": "C.UTF-8"}) == _where(odd, str(odd))


def test_read_by_others_only_and_not_writable(probe: Path) -> None:
    probe.chmod(0o555)
    probe.parent.chmod(0o555)
    assert _run([probe]) == _where(probe, str(probe))
    probe.parent.chmod(0o755)


def test_symbolic_links_and_path(probe: Path, tmp_path: Path) -> None:
    link, second = tmp_path / "link", tmp_path / "bin" / "second"
    link.symlink_to(probe)
    second.parent.mkdir()
    second.symlink_to("../link")
    assert _run([second]) == _where(probe, str(second))
    assert _run(["second"], executable=second) == _where(probe, "second")
    assert (
        _run(["/bin/sh", "-c", "second; cd /; second"], env={"PATH": str(second.parent)})[1] == _where(probe, "second")[1] * 2
    )
    assert _run(["./probe"], cwd=probe.parent) == _where(probe, "./probe")
    assert _run(["../place/../place/probe"], cwd=probe.parent) == _where(probe, "../place/../place/probe")


def test_directories_that_are_gone_or_closed(probe: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    shell = f"cd {gone} && rmdir {gone} && ../place/probe && {probe} native"
    assert _run(["/bin/sh", "-c", shell]) == (0, _where(probe, "../place/probe")[1] + NATIVE, "")


def _as_nobody() -> None:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that other users can reach."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_root
def test_a_working_directory_that_cannot_be_read(probe: Path, public: Path) -> None:
    program = Path(shutil.copy(probe, public))
    closed = public / "closed"
    closed.mkdir(mode=0o311)
    assert _run([program], cwd=closed, before=_as_nobody) == _where(program, str(program))
    assert _run(["../probe", "native"], cwd=closed, before=_as_nobody) == (0, NATIVE, "")


@pytest.fixture
def late(probe: Path) -> Iterator[subprocess.Popen[str]]:
    """The probe, started and waiting for a line before it imports more."""
    with subprocess.Popen([probe, "late"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={}) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def test_deleted_while_running(probe: Path, late: subprocess.Popen[str]) -> None:
    probe.unlink()
    assert late.communicate("\n", timeout=60) == (LATE, "")


def test_renamed_while_running(probe: Path, late: subprocess.Popen[str]) -> None:
    probe.rename(probe.with_name("other"))
    assert late.communicate("\n", timeout=60) == (LATE, "")


def test_replaced_while_running_by_a_new_version(probe: Path, late: subprocess.Popen[str]) -> None:
    copy = probe.with_name("copy")
    shutil.copy(probe, copy)
    copy.replace(probe)
    assert late.communicate("\n", timeout=60) == (LATE, "")


def test_directory_removed_while_running(probe: Path, late: subprocess.Popen[str]) -> None:
    shutil.rmtree(probe.parent)
    assert late.communicate("\n", timeout=60) == (LATE, "")


def test_started_from_a_descriptor_of_a_deleted_file(probe: Path) -> None:
    file = os.open(probe, os.O_RDONLY)
    probe.unlink()
    try:
        done = subprocess.run([f"/proc/self/fd/{file}", "native"], pass_fds=[file], env={}, capture_output=True, text=True,
                              check=False)  # fmt: skip
    finally:
        os.close(file)
    assert (done.returncode, done.stdout, done.stderr) == (0, NATIVE, "")


# --- what it is started with ---


def _execute(program: Path, argv: Sequence[bytes]) -> tuple[int, str]:
    """Start a program with exactly this argv, which subprocess would not pass on."""
    code = (
        "import ctypes, sys\n"
        "argv = [bytes.fromhex(one) for one in sys.argv[2:]]\n"
        "vector = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)\n"
        "ctypes.CDLL(None).execve(sys.argv[1].encode(), vector, (ctypes.c_char_p * 1)(None))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(program), *(one.hex() for one in argv)], capture_output=True,
                          text=True, check=False, timeout=60)  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("argv", [[b""], [b"/"], [b"x/"], [b"\xff\xfe"], [b"-c"], [b"p", b"where", b"\xff"]])
def test_odd_arguments(probe: Path, argv: list[bytes]) -> None:
    assert _execute(probe, argv) == _where(probe, *map(os.fsdecode, argv))[:2]


def test_no_argument_at_all(probe: Path) -> None:
    """Kernels since 5.18 put an empty string there; older ones nothing, of which CPython makes the same."""
    assert _execute(probe, []) == _where(probe, "")[:2]


@pytest.mark.parametrize(("limit", "value"), [(resource.RLIMIT_STACK, 256 * 1024), (resource.RLIMIT_NOFILE, 16)])
def test_low_limits(probe: Path, limit: int, value: int) -> None:
    def before() -> None:
        resource.setrlimit(limit, (value, value))

    assert _run([probe, "native"], before=before) == (0, NATIVE, "")
    assert _run([probe, "deep"], before=before) == (0, "500\n", "")


def test_too_few_descriptors_are_an_import_error(probe: Path) -> None:
    def before() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))

    assert _run([probe], before=before) == _where(probe, str(probe))
    code, _, errors = _run([probe, "native"], before=before)
    assert code == 1
    assert errors.rpartition("\n")[0].rpartition("\n")[2].startswith("ImportError: /memfs:/lib/")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(probe: Path, closed: str) -> None:
    code, output, errors = _run(["/bin/sh", "-c", f"{probe} native {closed}; echo $?"])
    assert (code, output, errors) == (0, "0\n" if ">&-" in closed.replace("2>&-", "") else f"{NATIVE}0\n", "")


def test_a_full_standard_output(probe: Path) -> None:
    code, output, errors = _run(["/bin/sh", "-c", f"{probe} >/dev/full; echo $?"])
    assert (code, output) == (0, "120\n")
    assert errors.endswith("OSError: [Errno 28] No space left on device\n")


def test_wrong_libraries_in_the_environment(probe: Path, tmp_path: Path) -> None:
    for name in ("libssl.so.3", "libcrypto.so.3", "libffi.so.8", "libbz2.so.1.0"):
        subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", f"-Wl,-soname,{name}", "-o", tmp_path / name], check=True,
                       input="int nothing;\n", text=True)  # fmt: skip
    assert _run([probe, "native"], env={"LD_LIBRARY_PATH": str(tmp_path)}) == (0, NATIVE, "")


def test_a_hostile_place(probe: Path) -> None:
    """What stands in the current directory, beside the executable and in the environment is not even looked at."""
    place = probe.parent
    version = f"python{_version(probe)}"
    names = [f"{place}/{name}" for name in (
        "os.py", "site.py", "sitecustomize.py", "usercustomize.py", "_bz2.py", "_ssl.so", "encodings/__init__.py",
        "encodings/utf_8.py", "wave.py", f"lib/{version}/os.py", f"lib/{version}/encodings/__init__.py",
        f"{version.replace('.', '')}.zip", "pyvenv.cfg", "../pyvenv.cfg", "pybuilddir.txt", "Modules/Setup.local",
        "probe._pth", "python._pth", "libssl.so.3", "libm.so.6", "libpython3.so", "glibc-hwcaps/x",
    )]  # fmt: skip
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("home = /nowhere\nraise SystemExit('hostile')\n")
    environment = {"PYTHONHOME": str(place), "PYTHONPATH": str(place), "PYTHONSTARTUP": "os.py", "PYTHONINSPECT": "1",
                   "PYTHONPLATLIBDIR": str(place), "PYTHONUSERBASE": str(place), "PYTHONEXECUTABLE": str(place)}  # fmt: skip
    log = place.parent / "log"
    command: list[str | Path] = ["strace", "-f", "-s", "4096", "-o", log, "-e", "trace=%file,%desc", "./probe", "native"]
    if shutil.which("strace"):
        assert _run(command, cwd=place, env={**environment, "PATH": os.environ["PATH"]}) == (0, NATIVE, "")
        own = f'"{place}/probe"'
        for line in log.read_text().splitlines():
            seen = line.replace(own, "").replace('"./probe"', "")
            if "memfd_create(" in seen:  # has the name of what is copied into it
                continue
            assert str(place) not in seen, line
            assert not any(f'"{Path(name).name}"' in seen for name in names), line
    assert _run(["./probe", "native"], cwd=place, env=environment) == (0, NATIVE, "")


@needs_root
def test_another_users_rights(probe: Path, public: Path) -> None:
    """Set-user-ID: variables are not heeded, and who starts it cannot make it an interpreter."""
    if os.statvfs(public).f_flag & os.ST_NOSUID:
        pytest.skip("programs in /var/tmp get no rights")
    program = Path(shutil.copy(probe, public))
    program.chmod(0o4755)
    assert _run([program, "native"], before=_as_nobody, env={"FRAZIL_DEBUG": "native"}) == (0, NATIVE, "")
    interpreter = f"/memfs:/bin/python{_version(probe)}"
    assert _run([interpreter, "-c", "print(6 * 7)"], executable=probe) == (0, "42\n", "")
    code, output, errors = _run([interpreter, "-c", "print(6 * 7)"], executable=program, before=_as_nobody)
    assert (code, output) == (2, "")
    assert "it is no Python interpreter then" in errors


# --- without memfds: no /proc, or a kernel that refuses ---

NO_PROC = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")


def _cached(root: Path) -> dict[str, tuple[int, int]]:
    """The files below a directory: inode and permission bits."""
    return {path.name: (path.stat().st_ino, path.stat().st_mode & 0o777) for path in root.rglob("*.so")}


@needs_root
def test_without_proc_libraries_come_from_a_private_directory(probe: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    assert _run([*NO_PROC, probe, "native"], env=environment) == (0, NATIVE, "")
    directory = tmp_path / ".cache/frazil/native"
    assert [one.stat().st_mode & 0o777 for one in (directory, directory.parent)] == [0o700, 0o700]
    before = _cached(directory)
    assert len(before) > 5
    assert {mode for _, mode in before.values()} == {0o500}
    assert _run([*NO_PROC, probe, "native"], env=environment) == (0, NATIVE, "")
    assert _cached(directory) == before, "the second run wrote again"


@needs_root
def test_without_proc_all_else_works(probe: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    assert _run([*NO_PROC, probe], env=environment) == _where(probe, str(probe))
    code, output, errors = _run([*NO_PROC, probe, "late"], env=environment)
    assert (code, output, errors) == (0, f"ready\n{LATE}", "")


@needs_root
@pytest.mark.parametrize("damage", ["changed", "truncated", "longer", "directory", "link", "writable", "fifo"])
def test_a_file_of_the_cache_directory_that_is_not_ours_is_replaced(probe: Path, tmp_path: Path, damage: str) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    _run([*NO_PROC, probe, "native"], env=environment)
    good = {path: path.read_bytes() for path in tmp_path.rglob("*.so")}
    victim = max(good, key=lambda path: len(good[path]))
    victim.chmod(0o700)
    data = bytearray(good[victim])
    if damage == "changed":
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    elif damage == "truncated":
        os.truncate(victim, len(data) // 2)
    elif damage == "longer":
        victim.write_bytes(data + b"!")
    elif damage == "writable":
        victim.chmod(0o777)
    else:
        victim.unlink()
        if damage == "directory":
            victim.mkdir()
        elif damage == "link":
            victim.symlink_to("/etc/hostname")
        else:
            os.mkfifo(victim)
    assert _run([*NO_PROC, probe, "native"], env=environment) == (0, NATIVE, "")
    if damage != "directory":  # another place is used then
        assert victim.read_bytes() == good[victim]
        assert victim.lstat().st_mode & 0o777 == 0o500


@needs_root
@pytest.mark.parametrize("home", ["unset", "read-only", "foreign", "open to others", "file", "relative"])
def test_without_a_home_the_temporary_directory_is_used(probe: Path, tmp_path: Path, home: str) -> None:
    directory = tmp_path / "home"
    setup = "mount -t tmpfs none /proc && mount -t tmpfs none /var/tmp"
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    directory.mkdir()
    if home == "unset":
        del environment["HOME"]
    elif home == "relative":
        environment["HOME"] = "place"
    elif home == "read-only":
        setup += f" && mount -t tmpfs -o ro none {directory}"
    elif home == "file":
        directory.rmdir()
        directory.touch()
    else:
        (directory / ".cache/frazil").mkdir(parents=True)
        if home == "foreign":
            os.chown(directory / ".cache/frazil", 65533, 65533)
        else:
            (directory / ".cache/frazil").chmod(0o777)
    shell = f'{setup} && "$@" && stat -c "%a %U" /var/tmp/frazil-0'
    done = _run(["unshare", "--mount", "sh", "-c", shell, "sh", probe, "native"], env=environment, cwd=tmp_path)
    assert done == (0, f"{NATIVE}700 root\n", "")
    assert not _cached(tmp_path)


@needs_root
def test_without_any_place_for_libraries_the_import_says_so(probe: Path) -> None:
    shell = 'for one in /proc /tmp.none /var/tmp; do test ! -d $one || mount -t tmpfs -o ro none $one; done; exec "$@"'
    shell = f"cp {probe} /run/frazil-survival && mount -t tmpfs -o ro none /tmp; {shell}"
    command = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none /run; {shell}", "sh", "/run/frazil-survival", "native"]
    done = _run(command, env={"PATH": os.environ["PATH"]})
    assert done[:2] == (1, "")
    assert "cannot be loaded: neither a memfd nor a private cache directory can be had" in done[2]


@needs_root
def test_a_kernel_that_refuses_executable_memfds(probe: Path, tmp_path: Path) -> None:
    """``vm.memfd_noexec`` belongs to a namespace of processes."""
    shell = 'echo 2 >/proc/sys/vm/memfd_noexec || exit 77; "$@"'
    command: list[str | Path] = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", shell, "sh", probe]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    code, output, errors = _run([*command, "native"], env=environment)
    if code == 77:
        pytest.skip("the kernel has no vm.memfd_noexec")
    assert (code, output, errors) == (0, NATIVE, "")
    assert len(_cached(tmp_path)) > 5
    assert _run([*command, "late"], env=environment) == (0, f"ready\n{LATE}", "")


def test_a_sandbox_that_refuses_memfds(probe: Path, tmp_path: Path) -> None:
    """A seccomp filter answers memfd_create with EPERM."""
    # BPF: load the number of the system call; memfd_create is refused, all others are allowed.
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 319), (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None)

    def before() -> None:
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        if libc.prctl(22, 2, program, 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            os._exit(77)

    code_, output, errors = _run([probe, "native"], env={"HOME": str(tmp_path)}, before=before)
    if code_ == 77:
        pytest.skip("filters of system calls are not to be had")
    assert (code_, output, errors) == (0, NATIVE, "")
