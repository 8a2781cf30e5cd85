"""Deadlines of many things that all have the same time: one timer serves them, as one for each would cost more."""

from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.logs import Logger

log = Logger()
Thing = TypeVar("Thing")


@define(eq=False)
class Deadlines(Generic[Thing]):
    """Deadlines of things: `missed` is called with each that hasn't ended `seconds` after it began."""

    clock: IReactorTime
    seconds: float
    missed: Callable[[Thing], None]
    _ends: dict[Thing, float] = field(factory=dict)  # in the order in which they come
    _alarm: IDelayedCall | None = None

    def begin(self, thing: Thing) -> None:
        self._ends[thing] = self.clock.seconds() + self.seconds
        if self._alarm is None:
            self._alarm = self.clock.callLater(self.seconds, self._ring)

    def end(self, thing: Thing) -> bool:
        """End a thing; return True if its deadline was still to come."""
        return self._ends.pop(thing, None) is not None

    def _ring(self) -> None:
        self._alarm = None
        now = self.clock.seconds()
        # In the order of their deadlines, as all have the same time. A copy, as `missed` may begin or end others.
        for thing, end in tuple(self._ends.items()):
            if end > now:
                self._alarm = self.clock.callLater(end - now, self._ring)
                break
            try:
                self.missed(thing)
            except Exception:  # of one; the others have theirs
                log.failure("an error at a deadline; the others are kept")
            self.end(thing)
