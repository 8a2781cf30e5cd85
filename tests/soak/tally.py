"""What became of streams and of restarts, and which of it may not be."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable

from attrs import define, field
from msgspec import Struct

STALLED = 15.0
"""Seconds in which an echo must come, however busy the machine is: under those between two pings."""


class Stream(Struct):
    """One stream, or one try to open it."""

    kind: str
    host: str
    asked: float
    established: float | None = None
    """When its first byte came."""
    ended: float = 0.0
    outcome: str = ""
    """Finished, left, aborted or refused as it should be; else `cut` or `failed`, and by what."""

    @property
    def is_well(self) -> bool:
        return not self.outcome.startswith(("cut", "failed"))


class Break(Struct):
    """One restart of a program."""

    program: str
    way: str
    """``kill`` or ``stop``."""
    began: float
    cuts_from: float = 0.0
    """From here on its streams may be cut: at once, or once the drain is over."""
    returned: float = float("inf")
    recovered: float | None = None
    """When a new stream through each host succeeded."""

    def excuses(self, stream: Stream) -> bool:
        """Whether it is why a stream failed: new ones may at any break, those that live only at one on their way."""
        if stream.established is None:
            return self.began <= stream.ended and (self.recovered is None or stream.asked <= self.recovered)
        on_its_way = self.program in ("relay", stream.host.replace("host", "agent"))
        return on_its_way and stream.established <= self.returned and self.cuts_from <= stream.ended


@define(eq=False)
class Tally:
    """Counts of a run; threads add to it."""

    within: float = 2.0
    """Seconds from a program's return in which new streams must succeed again."""
    say: Callable[[str], None] = lambda words: None
    """Where a fault is told at once."""
    faults: list[str] = field(factory=list)
    breaks: list[Break] = field(factory=list)
    counts: dict[str, Counter[str]] = field(factory=lambda: defaultdict(Counter))
    """Outcomes by kind."""
    bytes: int = 0
    lines: int = 0
    longest_echo: float = 0.0
    """Seconds."""
    wrong: int = 0
    """Streams with bytes lost, doubled or changed."""
    _unwell: list[Stream] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)

    def add(self, stream: Stream) -> None:
        with self._lock:
            self.counts[stream.kind][stream.outcome] += 1
            if not stream.is_well:
                self._unwell.append(stream)

    def moved(self, count: int) -> None:
        with self._lock:
            self.bytes += count

    def echoed(self, seconds: float) -> None:
        with self._lock:
            self.longest_echo = max(self.longest_echo, seconds)
        if seconds > STALLED:
            self.fault(f"an echo took {seconds:.1f} s")

    def fault(self, words: str) -> None:
        with self._lock:
            self.faults.append(words)
        self.say(f"FAULT: {words}")

    def bytes_wrong(self, words: str) -> None:
        self.fault(words)
        with self._lock:
            self.wrong += 1

    def judge(self) -> list[str]:
        """Return all faults: those told, and streams that failed without a restart that excuses them."""
        loose = [one for one in self._unwell if not any(each.excuses(one) for each in self.breaks)]
        told = [f"{one.kind} at {one.host}, {one.asked:.1f} to {one.ended:.1f} s: {one.outcome}" for one in loose]
        late = [
            f"{one.program} ({one.way}): no new stream within {self.within:g} s of its return at {one.returned:.1f} s"
            for one in self.breaks
            if one.recovered is None or one.recovered - one.returned > self.within
        ]
        return [*self.faults, *told, *late]
