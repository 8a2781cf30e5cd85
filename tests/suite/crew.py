"""The workers: each takes modules until none is left; one that dies or hangs is replaced, and its test has failed.

Live tests wait for much of their time. What CPU they leave goes to one more worker of a lower priority, which runs the
other tests, the smallest modules first.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import filterfalse
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.suite.deal import ROOT, is_live
from tests.suite.report import Report

GRACE = 90.0
"""Seconds beyond its limit until a test that no alarm ends is ended with its worker."""
BETWEEN = 300.0
"""Seconds that a worker may take between tests, for example to import a module."""
NICE = 5
"""How far the priority of who fills gaps is below that of the others: not so far that its tests might starve."""


class Lost(Exception):
    """The worker ended, or had to be ended."""


@define(eq=False)
class Worker:
    """One process, in which one module after the other runs."""

    number: int
    folder: Path
    command: tuple[str, ...]
    report: Report
    grace: float = GRACE
    nice: int = 0
    test: str = ""
    """The test that runs."""
    _process: Any = None
    _pipe: int = -1
    _text: bytes = b""
    _until: float = 0.0

    @property
    def output(self) -> Path:
        """What tests print, and the stacks of a worker that hung."""
        return self.folder / f"worker-{self.number}.out"

    def start(self) -> None:
        reader, writer = os.pipe()
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                (sys.executable, *self.command, "tests.suite.worker", str(self.folder), str(writer)),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**os.environ, "STREAMRELAY_WORKER": str(self.number)},
                pass_fds=(writer,),
                text=True,
            )
        os.setpriority(os.PRIO_PROCESS, self._process.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + self.nice))
        os.close(writer)
        self._pipe, self._text = reader, b""

    def run(self, take: Callable[[], str]) -> None:
        """Run modules until there is none to take."""
        while True:
            try:
                module = take()
            except IndexError:
                break
            self.run_one(module)
        self.stop()

    def run_one(self, module: str) -> None:
        if self._process is None:
            self.start()
        self.test, before = module, self.output.stat().st_size
        try:
            self._process.stdin.write(module + "\n")
            self._process.stdin.flush()
            while "done" not in (event := self.event()):
                self.tell(event)
            self.report.module(module)
        except (Lost, BrokenPipeError) as error:
            self.end()
            with self.output.open("rb") as output:
                output.seek(before)
                tail = output.read()[-8000:].decode(errors="replace")
            self.report.ended(self.test, "failed", [f"{error}; the rest of {module} was not run\n{tail}"], 0.0, 0.0)

    def tell(self, event: dict[str, Any]) -> None:
        if "begun" in event:
            self.test, self._until = event["begun"], time.monotonic() + event["limit"] + self.grace
        else:
            self._until = 0.0
            self.report.ended(event["ended"], event["outcome"], event["texts"], event["seconds"], event["cpu"])

    def event(self) -> dict[str, Any]:
        """Return what the worker tells next."""
        until = self._until or time.monotonic() + BETWEEN
        while b"\n" not in self._text:
            if not select.select([self._pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise Lost("hangs, and no alarm ended it")
            data = os.read(self._pipe, 1 << 20)
            if not data:
                raise Lost(f"the worker's process ended with {self._process.wait()}")
            self._text += data
        line, _, self._text = self._text.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    def end(self) -> None:
        """End a process that hangs; it shows its stacks before."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGABRT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self._process.kill()
            self._process.wait()
        self._forget()

    def stop(self) -> None:
        """Let the process end, and with it what tests share."""
        if self._process is not None:
            self._process.stdin.close()
            try:
                self._process.wait(BETWEEN)
            except subprocess.TimeoutExpired:
                self.end()
                self.report.ended(f"worker {self.number}", "failed", ["It did not end after its last test."], 0.0, 0.0)
                return
            self._forget()

    def _forget(self) -> None:
        os.close(self._pipe)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process, self._until = None, 0.0


@define(eq=False)
class Waiting:
    """Modules that nobody has taken yet. Each method raises `IndexError` where there is none."""

    _live: "deque[str]"
    _others: "deque[str]"
    _lock: threading.Lock = field(factory=threading.Lock)

    @classmethod
    def of(cls, modules: list[str]) -> "Waiting":
        return cls(deque(filter(is_live, modules)), deque(filterfalse(is_live, modules)))

    @property
    def has_gaps(self) -> bool:
        return bool(self._live and self._others)

    def next(self) -> str:
        """Take the one that is to run next."""
        with self._lock:
            return (self._live or self._others).popleft()

    def last(self) -> str:
        """Take the last of those that aren't live."""
        with self._lock:
            return self._others.pop()


@define(eq=False)
class Crew:
    """Several workers at once."""

    count: int
    folder: Path
    command: tuple[str, ...]
    report: Report
    grace: float = GRACE

    def run(self, modules: list[str]) -> None:
        waiting = Waiting.of(modules)
        roles = [(waiting.next, 0)] * min(self.count, len(modules))
        if waiting.has_gaps:
            roles.append((waiting.last, NICE))
        threads = []
        for number, (take, nice) in enumerate(roles):
            worker = Worker(number, self.folder, self.command, self.report, self.grace, nice)
            threads.append(threading.Thread(target=worker.run, args=(take,), daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
