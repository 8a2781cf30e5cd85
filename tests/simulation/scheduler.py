"""Virtual time, and what is to happen in it: one queue for all processes, the network, the bus and the plan.

All of a schedule goes through here, some thousand times; what is done for each step is kept little.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, Protocol

from attrs import define, field

FOR_EVER: Final = float("inf")
MOST_STEPS: Final = 400_000
"""Steps of one schedule at most; whoever needs more turns in a circle."""


class Endless(Exception):
    """A schedule that has come to no end."""


class Doer(Protocol):
    """A process, as much of it as the scheduler needs."""

    alive: bool

    def enter(self) -> None:
        """Let what follows be done by this process."""


class Event(list[Any]):
    """Something that will happen, unless it is cancelled: its time, its number, who does it, what is called, with what.

    A list, as the queue compares nothing faster; no two numbers are the same.
    """

    __slots__ = ()

    @property
    def when(self) -> float:
        when: float = self[0]
        return when

    def cancel(self) -> None:
        """Let it not happen, as a handle of asyncio does."""
        self[3] = None


@define(eq=False)
class Scheduler:
    """What will happen, in the order of its time; what has the same time, in the order in which it was asked for."""

    now: float = 0.0
    steps: int = 0
    running: Any = None
    """The process that runs now."""
    touched: list[Any] = field(factory=list)
    """What is to be looked at after this step."""
    after_step: Callable[[], None] = lambda: None
    """Called after each step that has touched something; raises what is wrong."""
    _queue: list[Event] = field(factory=list)
    _count: int = 0

    def at(self, when: float, process: Doer | None, work: Callable[..., Any], *args: Any) -> Event:
        """Let something happen at a time; at once, but after what is under way, if that is past. `process` does it, and
        must be alive for it; None: the world."""
        self._count = count = self._count + 1
        now = self.now
        event = Event((when if when > now else now, count, process, work, args))
        heappush(self._queue, event)
        return event

    def run(self, until: float) -> None:
        """Do all that happens until a time."""
        queue, touched, after_step = self._queue, self.touched, self.after_step
        while queue and queue[0][0] <= until:
            when, _, process, work, args = heappop(queue)
            if work is None or (process is not None and not process.alive):
                continue
            self.now = when
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Endless(f"no end after {MOST_STEPS} steps; the last one was {work!r}")
            if process is not None and process is not self.running:
                process.enter()
            work(*args)
            if touched:
                after_step()
        self.now = max(self.now, until)

    @property
    def next(self) -> float:
        """When anything happens again, at the earliest."""
        return self._queue[0].when if self._queue else FOR_EVER
