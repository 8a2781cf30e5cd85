"""Memory, descriptors, timers and event-loop lag of each program over time."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
from attrs import define, field

from bench.lag import buckets, late
from tests.live.support.processes import rss
from tests.soak.background import Background
from tests.soak.chain import SoakChain

TIMERS = re.compile(r"^streamrelay_delayed_calls (\S+)$", re.MULTILINE)


class Sample(msgspec.Struct):
    """One program at one time."""

    at: float
    """Seconds of the run."""
    program: str
    pid: int
    rss: float
    """MiB."""
    descriptors: int
    lag: float | None = None
    """Milliseconds under which 99 of 100 timers since the sample before were late; None where it isn't told."""
    timers: float | None = None
    """Delayed calls of the reactor; None where they aren't told."""


@define(eq=False)
class Watch(Background):
    """A thread that looks at all programs every few seconds, and appends to a file."""

    chain: SoakChain
    path: Path
    now: Callable[[], float]
    every: float = 2.0
    samples: list[Sample] = field(factory=list)
    _buckets: dict[int, dict[float, float]] = field(factory=dict)

    def run(self) -> None:
        with self.path.open("wb") as file:
            while not self.stopped.wait(self.every):
                for name, program in self.chain.by_name.items():
                    try:
                        sample = self._look(name, program.pid)
                    except (OSError, AssertionError):  # it is being restarted
                        continue
                    self.samples.append(sample)
                    file.write(msgspec.json.encode(sample) + b"\n")
                file.flush()

    def _look(self, name: str, pid: int) -> Sample:
        told = "" if name == "nats" else self.chain.metrics(name)
        timers = TIMERS.search(told)
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        lag = self._lag(pid, told)
        return Sample(round(self.now(), 2), name, pid, rss(pid), descriptors, lag, timers and float(timers[1]))

    def _lag(self, pid: int, told: str) -> float | None:
        before, self._buckets[pid] = self._buckets.get(pid, {}), buckets(told)
        return late(before, self._buckets[pid], 0.99)
