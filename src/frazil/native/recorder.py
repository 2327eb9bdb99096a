"""Stands in for a compiler driver while a source distribution is built, runs it, and keeps what was linked.

A script of its own: ``python -I -S recorder.py DIRECTORY DRIVER ARGUMENT...``. It imports the standard library alone, since
whatever builds decides which Python starts it. For each shared object that is linked it keeps, below DIRECTORY, the objects and
static libraries by digest, and a JSON record; for each object that is compiled the arguments. What it makes of them is read by
``frazil.native.capture``. It never fails a build that the driver does not fail.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

_INPUTS = (".o", ".obj", ".lo", ".a")
_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".c++", ".C", ".m", ".s", ".S", ".f", ".f90")
_TAKES_A_WORD = frozenset(
    {"-o", "-MF", "-MT", "-MQ", "-I", "-isystem", "-iquote", "-idirafter", "-include", "-D", "-U", "-x", "-Xlinker", "-z", "-T"}
)
_RESPONSE_LIMIT = 1 << 20


def main(directory: str, driver: str, arguments: list[str]) -> int:
    """Run the driver; the exit code is its own."""
    words = _expanded(arguments)
    if any(one.startswith("-flto") for one in words):
        # Objects must hold machine code: what reads them later is another link.
        arguments = [*arguments, "-fno-lto"]
    if "-c" in words:
        # Builds run in directories of random names, which assertions and the like would write down.
        arguments = [*arguments, f"-ffile-prefix-map={os.getcwd()}=."]  # noqa: PTH109 - likewise
    code = subprocess.run([driver, *arguments], check=False).returncode
    if code == 0:
        try:
            _record(directory, driver, words)
        except OSError as error:
            print(f"frazil: what was linked cannot be kept: {error}", file=sys.stderr)  # noqa: T201 - a program of its own
    return code


def _expanded(arguments: list[str]) -> list[str]:
    """The arguments with response files read (gcc(1), ``@file``)."""
    words = []
    for one in arguments:
        if one.startswith("@") and os.path.isfile(one[1:]) and os.path.getsize(one[1:]) <= _RESPONSE_LIMIT:  # noqa: PTH113, PTH202 - a light script
            with open(one[1:], encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - likewise
                words += shlex.split(file.read())
        else:
            words.append(one)
    return words


def _record(directory: str, driver: str, words: list[str]) -> None:
    output = _after(words, "-o")
    if "-shared" in words and output:
        _write(directory, _linked(directory, driver, words, output))
    elif "-c" in words:
        sources = [one for one in words if one.endswith(_SOURCES) and not one.startswith("-")]
        output = output or (os.path.splitext(os.path.basename(sources[0]))[0] + ".o" if sources else "")  # noqa: PTH119, PTH122 - likewise
        _write(directory, {"kind": "compile", "driver": driver, "output": os.path.abspath(output), "words": words})  # noqa: PTH100 - likewise


def _linked(directory: str, driver: str, words: list[str], output: str) -> dict[str, object]:
    inputs: list[dict[str, str]] = []
    libraries: list[str] = []
    places: list[str] = []
    others: list[str] = []
    skip = False
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if skip:
            skip = False
        elif word in {"-l", "-L"}:
            (libraries if word == "-l" else places).append(following if word == "-l" else os.path.abspath(following))  # noqa: PTH100
            skip = True
        elif word in _TAKES_A_WORD:
            skip = True
        elif word.startswith("-l"):
            libraries.append(word[2:])
        elif word.startswith("-L"):
            places.append(os.path.abspath(word[2:]))  # noqa: PTH100 - likewise
        elif word.startswith("-"):
            others.append(word)
        elif word.endswith(_INPUTS):
            inputs.append(_kept(directory, word))
        else:
            others.append(word)
    return {
        "kind": "link",
        "driver": driver,
        "output": os.path.abspath(output),  # noqa: PTH100 - likewise
        "inputs": inputs,
        "libraries": libraries,
        "directories": places,
        "others": others,
    }


def _kept(directory: str, name: str) -> dict[str, str]:
    """A copy of an input, under its digest."""
    with open(name, "rb") as file:  # noqa: PTH123 - likewise
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    suffix = ".a" if name.endswith(".a") else ".o"
    place = os.path.join(directory, digest + suffix)  # noqa: PTH118 - likewise
    if not os.path.exists(place):  # noqa: PTH110 - likewise
        temporary = f"{place}.{os.getpid()}"
        shutil.copyfile(name, temporary)
        os.replace(temporary, place)  # noqa: PTH105 - likewise
    return {"path": os.path.abspath(name), "digest": digest, "file": digest + suffix}  # noqa: PTH100 - likewise


def _after(words: list[str], option: str) -> str:
    for at, word in enumerate(words):
        if word == option and at + 1 < len(words):
            return words[at + 1]
        if word.startswith(option) and len(word) > len(option):
            return word[len(option) :]
    return ""


def _write(directory: str, record: dict[str, object]) -> None:
    # In the order of the steps: an object may be compiled again under the same name.
    name = os.path.join(directory, f"{time.monotonic_ns():020d}-{os.getpid()}.json")  # noqa: PTH118 - likewise
    with open(name, "x", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - likewise
        json.dump(record, file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
