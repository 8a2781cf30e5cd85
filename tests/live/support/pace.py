"""How fast the machine is while something is timed, by a bystander: a process that does a bit of work now and then.

Run as a program it prints, for each bit, when it was done and how many times longer than its CPU that took since it was
due: 1 on a machine with a free core, 5 where ten programs want two cores. What a test times is divided by that. One
takes a sixtieth of a core, so all workers of a run read what the same one prints.
"""

import atexit
import math
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from attrs import define, field

WORK = 0.010
"""Seconds of CPU of a bit of work: several slices of the scheduler."""
PAUSE = 0.6
KEPT = 6000
"""Bits that are remembered, ten minutes."""
LATE = 10.0
"""Seconds by which a busy machine may hold up one program more than the bystander: an upper bound has them on top."""

FILE = "STREAMRELAY_PACE"
"""The variable that names what the run's bystander prints into; without it each process starts its own."""


@define(eq=False)
class Bystander:
    """What one printed: when a bit was done, and how long it took."""

    path: Path
    bits: "deque[tuple[float, float]]" = field(factory=lambda: deque(maxlen=KEPT))
    _read: int = 0

    def look(self) -> None:
        """Read the lines that are new."""
        with self.path.open("rb") as file:
            begin = file.seek(self._read)
            lines, end, _ = file.read().rpartition(b"\n")
        for line in lines.splitlines():
            when, times = line.split()
            self.bits.append((float(when), float(times)))
        self._read = begin + len(lines + end)

    def slowness(self, since: float, now: float | None = None) -> float:
        """How many times slower than free the machine was, from a little before until now."""
        self.look()
        bits = list(self.bits)
        found = [times for when, times in bits if when >= since - 3 * PAUSE]
        held_up = (time.monotonic() if now is None else now) - bits[-1][0] - PAUSE if bits else 0.0
        if WORK < held_up < LATE:  # it isn't done with the next one, just when the machine is slowest; or it has ended
            found.append(held_up / WORK)
        return max(1.0, statistics.mean(found or [1.0]))


def start(path: Path) -> "subprocess.Popen[bytes]":
    """A bystander that prints into a file, until its standard input ends."""
    with path.open("wb") as file:
        return subprocess.Popen((sys.executable, "-I", __file__), stdin=subprocess.PIPE, stdout=file)


def start_own() -> Path:
    descriptor, name = tempfile.mkstemp(prefix="streamrelay-pace-")
    os.close(descriptor)
    atexit.register(os.unlink, name)
    atexit.register(start(Path(name)).kill)
    return Path(name)


@cache
def bystander() -> Bystander:
    """The one of this process, or of its run; it has looked once when it is given."""
    found = Bystander(Path(os.environ[FILE]) if FILE in os.environ else start_own())
    while not found.bits:
        time.sleep(0.005)
        found.look()
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
    due = time.monotonic()
    while True:
        spent = time.thread_time()
        number = 0
        while time.thread_time() - spent < WORK:
            number += 1
            math.sqrt(number)
        now = time.monotonic()
        print(now, (now - due) / (time.thread_time() - spent), flush=True)
        due = time.monotonic() + PAUSE
        if select.select([sys.stdin], [], [], PAUSE)[0]:
            return


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit()
