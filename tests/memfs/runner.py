"""Run one module of CPython's tests with the temporary and the current directory where the caller wants them.

The application that ``compare.py`` freezes: ``runner MODULE DIRECTORY RECORDS LIMIT [--skip FILE]``. DIRECTORY is made, and
is where tests put their files; FILE holds ids of tests to leave out, one a line. RECORDS, a real file, gets a line of JSON for
each step: ``["start", ID]`` and ``["end", ID, OUTCOME, MESSAGE]``, and ``["module", OUTCOME, MESSAGE]`` at the end, or when the
module itself does not load or is skipped. A test that takes longer than LIMIT seconds ends the process.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    Error = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

RESOURCES = ("cpu", "decimal", "subprocess", "tzdata", "walltime")


class Records:
    """The file of outcomes; opened for each line, since some tests close every descriptor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._process = os.getpid()

    def write(self, *fields: str) -> None:
        """Append a line, unless this is a child that a test has forked."""
        if os.getpid() != self._process:
            return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, json.dumps(fields).encode() + b"\n")
        finally:
            os.close(descriptor)


class Result(unittest.TestResult):
    """Writes what becomes of each test as it happens."""

    def __init__(self, records: Records, limit: float) -> None:
        super().__init__()
        self._records = records
        self._limit = limit
        self._outcome = ("ok", "")

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's names, as below
        super().startTest(test)
        self._outcome = ("ok", "")
        self._records.write("start", test.id())
        faulthandler.dump_traceback_later(self._limit, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        self._records.write("end", test.id(), *self._outcome)

    def _note(self, outcome: str, message: str) -> None:
        worst = ("ok", "skip", "fail", "error")
        if worst.index(outcome) > worst.index(self._outcome[0]):
            self._outcome = (outcome, message)

    def _failed(self, test: unittest.TestCase, outcome: str, err: Error) -> None:
        message = f"{err[0].__name__}: {err[1]}" if err[0] is not None else ""
        line = (message.splitlines() or [""])[0]
        print(f"== {outcome}: {test.id()}\n{self._exc_info_to_string(err, test)}", file=sys.__stderr__)  # type: ignore[attr-defined]
        if isinstance(test, unittest.TestCase):
            self._note(outcome, line)
        else:  # what setUpClass, setUpModule and their like raise
            self._records.write("end", test.id(), outcome, line)

    def addError(self, test: unittest.TestCase, err: Error) -> None:  # noqa: N802
        super().addError(test, err)
        self._failed(test, "error", err)

    def addFailure(self, test: unittest.TestCase, err: Error) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._failed(test, "fail", err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Error | None) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None and err[0] is not None:
            self._failed(test, "fail" if issubclass(err[0], test.failureException) else "error", err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        if isinstance(test, unittest.TestCase):
            self._note("skip", reason)
        else:
            self._records.write("end", test.id(), "skip", reason)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        self._note("fail", "unexpected success")


def flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """All tests of a suite."""
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from flat(one)
        else:
            yield one


def selected(suite: unittest.TestSuite, skip: str | None) -> unittest.TestSuite:
    """The tests that were asked for, each once, in the suite's order."""
    left_out = Path(skip).read_text(encoding="utf-8").splitlines() if skip else ()
    tests = {test.id(): test for test in flat(suite)}
    return unittest.TestSuite(test for name, test in tests.items() if name not in left_out)


def enter(directory: str) -> None:
    """Make ``directory`` the current one, and another in it the temporary one."""
    os.makedirs(f"{directory}/temporary", exist_ok=True)  # noqa: PTH103 - memfs:// is no path of pathlib
    os.environ["TMPDIR"] = f"{directory}/temporary"
    tempfile.tempdir = None
    os.chdir(directory)
    assert tempfile.gettempdir() == f"{directory}/temporary"


def main() -> None:
    """Run the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("directory")
    parser.add_argument("records")
    parser.add_argument("limit", type=float)
    parser.add_argument("--skip")
    options = parser.parse_args()
    records = Records(options.records)
    faulthandler.enable()
    enter(options.directory)
    # Only now: on import it tries which names files can have in the current directory.
    support = importlib.import_module("test.support")
    vars(support)["use_resources"] = RESOURCES
    try:
        module = importlib.import_module(options.module)
        suite = selected(unittest.defaultTestLoader.loadTestsFromModule(module), options.skip)
    except unittest.SkipTest as reason:
        records.write("module", "skip", str(reason))
        return
    except Exception as error:
        records.write("module", "error", f"{type(error).__name__}: {error}")
        raise
    suite.run(Result(records, options.limit))
    records.write("module", "ok", "")


if __name__ == "__main__":
    main()
