"""A worker: runs the modules whose names it reads, one a line, and tells what happens as lines of JSON on a pipe.

Each test has a time limit, its class' `time_limit` or else `LIMIT`: an alarm raises `TimeLimit` in it, whatever it
waits for. Where even that doesn't end it, the crew does, by a signal that makes this process show all its stacks.
"""

import ctypes
import faulthandler
import json
import os
import resource
import signal
import sys
import time
from types import FrameType
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.reporter import Reporter
from twisted.trial.runner import ErrorHolder, TestLoader, TrialRunner

from tests.suite import guard

LIMIT = 600.0
"""Seconds that a test may take, on the busiest machine."""
PR_SET_PDEATHSIG = 1
AGAIN = 30.0
"""Seconds until the alarm comes again, for a test that swallowed it."""


class TimeLimit(AssertionError):
    """The test took longer than it may."""


class Teller(Reporter):
    """Tells each test's beginning, and its outcome with what goes with it, to whoever reads the pipe."""

    pipe: Any = None
    time_limit = LIMIT
    outcome = "passed"
    runs = False

    def tell(self, **event: object) -> None:
        self.pipe.write(json.dumps(event) + "\n")
        self.pipe.flush()

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.runs, self.outcome, self.texts = True, "passed", list[str]()
        self.began, self.spent = time.monotonic(), cpu()
        self.time_limit = float(
            getattr(getattr(test, "_originalTest", test), "time_limit", LIMIT)
        )  # trial may wrap a test
        self.tell(begun=test.id(), limit=self.time_limit)
        signal.setitimer(signal.ITIMER_REAL, self.time_limit, AGAIN)

    def stopTest(self, test: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().stopTest(test)
        self.runs = False
        seconds, spent = time.monotonic() - self.began, cpu() - self.spent
        self.tell(ended=test.id(), outcome=self.outcome, texts=self.texts, seconds=seconds, cpu=spent)

    def alarm(self, number: int, frame: FrameType | None) -> None:
        raise TimeLimit(f"the test has not ended after {self.time_limit:g} s")

    def failed(self, test: Any, error: Any) -> None:
        failure = self._getFailure(error)
        notes = getattr(failure.value, "__notes__", ())  # the example that a property test has found, among others
        text = "\n".join((self._formatFailureTraceback(failure), *notes))
        if self.runs:
            self.outcome = "failed"
            self.texts.append(text)
        else:  # logged between two tests
            self.tell(ended=test.id(), outcome="failed", texts=[text], seconds=0.0, cpu=0.0)

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self.failed(test, error)

    def addFailure(self, test: Any, fail: Any) -> None:
        super().addFailure(test, fail)
        self.failed(test, fail)

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        super().addUnexpectedSuccess(test, todo)
        self.outcome = "failed"
        self.texts.append("It passed, and was expected to fail.")

    def addSkip(self, test: Any, reason: Any) -> None:
        super().addSkip(test, reason)
        if self.outcome == "passed":
            self.outcome = "skipped"
            self.texts.append(str(reason))

    def done(self) -> None:
        """Say nothing: the crew's report does."""


def cpu() -> float:
    """Return the seconds of CPU of this process and of those that it started and that have ended."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def load(name: str) -> Any:
    try:
        return TestLoader().loadByName(name)
    except Exception:
        return ErrorHolder(name, Failure())


def main(folder: str, pipe: int) -> None:
    """Run what standard input names; what tests write goes to a folder for each module."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # when the run is killed
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background, and by all then
    os.set_inheritable(pipe, False)
    faulthandler.enable()
    guard.watch()
    Teller.pipe = os.fdopen(pipe, "w")
    names, sys.stdin = sys.stdin, open(os.devnull)  # noqa: SIM115 - for as long as the process lives
    for line in names:
        name = line.strip()

        def factory(*arguments: Any) -> Teller:
            teller = Teller(*arguments)
            signal.signal(signal.SIGALRM, teller.alarm)
            return teller

        runner = TrialRunner(factory, workingDirectory=f"{folder}/{name}", stream=sys.stdout)
        runner.run(load(name))
        Teller.pipe.write(json.dumps({"done": name}) + "\n")
        Teller.pipe.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
