"""How fast the machine is while something is timed, by a bystander: a process that does a bit of work now and then.

Run as a program it prints, for each bit, how many times longer than its CPU that took: 1 on a machine with a free core,
5 where ten programs want two cores. What a test times is divided by that.
"""

import atexit
import math
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from attrs import define, field

WORK = 0.010
"""Seconds of CPU of a bit of work: several slices of the scheduler."""
PAUSE = 0.4
KEPT = 6000
"""Bits that are remembered, ten minutes."""


@define(eq=False)
class Bystander:
    """The process, and when it took how long."""

    process: "subprocess.Popen[bytes]"
    bits: "deque[tuple[float, float]]" = field(factory=lambda: deque(maxlen=KEPT))

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.bits.append((time.monotonic(), float(line)))

    def slowness(self, since: float) -> float:
        """How many times slower than free the machine was, from a little before until now."""
        found = [times for when, times in list(self.bits) if when >= since - 3 * PAUSE] or [1.0]
        return max(1.0, statistics.mean(found))


@cache
def bystander() -> Bystander:
    """The one of this process; it has looked once when it is given."""
    process = subprocess.Popen((sys.executable, "-I", __file__), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(process.kill)
    found = Bystander(process)
    threading.Thread(target=found.listen, daemon=True).start()
    while not found.bits and process.poll() is None:
        time.sleep(0.005)
    return found


def slowness() -> float:
    """How many times slower than free the machine is now."""
    return bystander().slowness(time.monotonic() - 1)


@define(eq=False)
class Stopwatch:
    """Seconds since it began, on the wall when it is called."""

    began: float = field(factory=time.monotonic)

    def __call__(self) -> float:
        return time.monotonic() - self.began

    @property
    def fair(self) -> float:
        """What it would have been on a free machine: for upper bounds. Lower bounds are of the wall's seconds."""
        return self.fairly(self())

    def fairly(self, seconds: float) -> float:
        """What seconds that something else measured in this time would have been."""
        return seconds / bystander().slowness(self.began)


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """A stopwatch of the block."""
    bystander()
    yield Stopwatch()


def main() -> None:
    """Work, and say how long it took, until nobody listens."""
    while True:
        began, spent = time.monotonic(), time.thread_time()
        number = 0
        while time.thread_time() - spent < WORK:
            number += 1
            math.sqrt(number)
        print((time.monotonic() - began) / (time.thread_time() - spent), flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit()
