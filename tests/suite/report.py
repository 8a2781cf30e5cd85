"""What is shown of a run: progress while it lasts, failures at once and again at its end, then figures and skips."""

import os
import threading
import time
from collections import Counter
from pathlib import Path

from attrs import define, field, frozen

from tests.suite.skips import Skips

PAUSE = 15.0
"""Seconds between two lines of progress."""
SLOWEST = 10
LINE = "-" * 79
COUNTS = "STREAMRELAY_COUNTS"
"""The variable that names a file to which a run adds its counts, for who makes several runs."""


@frozen
class Outcome:
    """How a test ended."""

    test: str
    word: str
    texts: list[str]
    seconds: float
    cpu: float


@define(eq=False)
class Report:
    """Everything that workers told."""

    total: int
    """Modules to run."""
    log: Path
    skips: Skips | None
    """The skips that are allowed; None if any is."""
    outcomes: list[Outcome] = field(factory=list)
    modules: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)
    _began: float = field(factory=time.monotonic)
    _shown: float = 0.0

    def ended(self, test: str, word: str, texts: list[str], seconds: float, cpu: float) -> None:
        """Take a test's outcome; one that failed is shown at once."""
        if word == "skipped" and self.skips is not None and not self.skips.allow(texts[0]):
            word, texts = "failed", [f"skipped, which tests/suite/skips.toml does not allow here: {texts[0]}"]
        outcome = Outcome(test, word, texts, seconds, cpu)
        with self._lock:
            self.outcomes.append(outcome)
            with self.log.open("a") as log:
                log.write(f"{test} ... {word} ({seconds:.2f} s, {cpu:.2f} s of CPU)\n")
                log.writelines(f"{text.rstrip()}\n" for text in texts)
            if word == "failed":
                self.show_failure(outcome)

    def module(self, name: str) -> None:
        """Take that a module is done, and say so now and then."""
        with self._lock:
            self.modules += 1
            now = time.monotonic()
            if now - self._shown >= PAUSE:
                self._shown = now
                done = f"{self.modules} of {self.total} modules, {len(self.outcomes)} tests"
                say(f"   {clock(now - self._began)}  {done}, {self.count('failed')} failed; {name} is done")

    def count(self, word: str) -> int:
        return sum(outcome.word == word for outcome in self.outcomes)

    def show_failure(self, outcome: Outcome) -> None:
        say(f"{LINE}\nFAILED {outcome.test}")
        for text in outcome.texts:
            say(text.rstrip())
        say(LINE)

    def end(self, figures: list[str]) -> bool:
        """Show the whole; whether all is well."""
        for outcome in self.outcomes:
            if outcome.word == "failed":
                self.show_failure(outcome)
        for figure in figures:
            say(figure)
        skipped = Counter(outcome.texts[0] for outcome in self.outcomes if outcome.word == "skipped")
        for reason, count in skipped.most_common():
            say(f"skipped: {count} because: {reason}")
        slowest = sorted(self.outcomes, key=lambda outcome: -outcome.seconds)[:SLOWEST]
        say("slowest: " + ", ".join(f"{outcome.test} {outcome.seconds:.0f} s" for outcome in slowest))
        passed, failed = self.count("passed"), self.count("failed")
        say(f"in {time.monotonic() - self._began:.0f} s")
        say(f"{passed} passed, {failed} failed, {self.count('skipped')} skipped")
        if os.environ.get(COUNTS):
            with open(os.environ[COUNTS], "a") as file:
                file.write(f"{passed} {failed} {self.count('skipped')}\n")
        return passed > 0 and not failed


def say(text: str) -> None:
    print(text, flush=True)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
