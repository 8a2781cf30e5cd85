"""Virtual time, and what is to happen in it: one queue for all processes, the network, the bus and the plan."""

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


@define(eq=False)
class Event:
    """Something that will happen, unless it is cancelled."""

    process: Doer | None
    """Process that does it, and that must be alive for it; None: the world."""
    work: Callable[..., Any]
    args: tuple[Any, ...]
    is_cancelled: bool = False

    def cancel(self) -> None:
        """Let it not happen, as a handle of asyncio does."""
        self.is_cancelled = True


@define(eq=False)
class Scheduler:
    """What will happen, in the order of its time; what has the same time, in the order in which it was asked for."""

    now: float = 0.0
    steps: int = 0
    running: Any = None
    """The process that runs now."""
    after_step: Callable[[], None] = lambda: None
    """Called after each step; raises what is wrong."""
    _queue: list[tuple[float, int, Event]] = field(factory=list)
    _count: int = 0

    def at(self, when: float, process: Doer | None, work: Callable[..., Any], *args: Any) -> Event:
        """Let something happen at a time; at once, but after what is under way, if that is past."""
        event = Event(process, work, args)
        self._count = count = self._count + 1
        now = self.now
        heappush(self._queue, (when if when > now else now, count, event))
        return event

    def run(self, until: float) -> None:
        """Do all that happens until a time. All of a schedule goes through here: what it calls is kept little."""
        queue, after_step = self._queue, self.after_step
        while queue and queue[0][0] <= until:
            when, _, event = heappop(queue)
            process = event.process
            if event.is_cancelled or (process is not None and not process.alive):
                continue
            self.now = when
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Endless(f"no end after {MOST_STEPS} steps; the last one was {event.work!r}")
            if process is not None and process is not self.running:
                process.enter()
            event.work(*event.args)
            after_step()
        self.now = max(self.now, until)

    @property
    def next(self) -> float:
        """When anything happens again, at the earliest."""
        return self._queue[0][0] if self._queue else FOR_EVER
