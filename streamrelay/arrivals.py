"""Connections whose handshake isn't done: how many there may be, in all and from one place; whom a limit drops."""

from collections import Counter
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.errors import Refused
from streamrelay.logs import Logger

log = Logger()

SETTLE: Final = 1.0
"""Seconds after the first that is turned away in which others may follow, before that is said."""
QUIET: Final = 60.0
"""Seconds between two lines of one limit."""
MOST_PLACES: Final = 1000
"""Places that are counted by themselves between two lines."""


@define(eq=False)
class Arrivals:
    """Everybody who has come and not yet said who they are."""

    most: int
    most_from_one: int
    count: int = 0
    _by_place: Counter[str] = field(factory=Counter)

    def enter(self, place: str) -> None:
        """Count one in; raise `Refused` (it counts all the same until it leaves): 429 if there are too many from this
        place, 503 if there are too many in all. An empty place isn't counted by itself."""
        self.count += 1
        if place:
            self._by_place[place] += 1
            if self._by_place[place] > self.most_from_one:
                raise Refused(429, "too many from one address")
        if self.count > self.most:
            raise Refused(503, "full")

    def leave(self, place: str) -> None:
        self.count -= 1
        if place:
            self._by_place[place] -= 1
            if not self._by_place[place]:
                del self._by_place[place]


@define(eq=False)
class TurnedAway:
    """Says in the log whom one limit turns away: one line for all of a minute, the first within a second."""

    clock: IReactorTime
    limit: str
    """The limit as an operator knows it: a setting's name and what it is set to."""
    _by_place: Counter[str] = field(factory=Counter)
    _said: float | None = None  # when there was a line
    _timer: IDelayedCall | None = None

    def count(self, place: str) -> None:
        """One from this place; an empty one is a proxy, or a unix socket."""
        self._by_place[place if place in self._by_place or len(self._by_place) < MOST_PLACES else "others"] += 1
        if self._timer is None:
            now = self.clock.seconds()
            due = now + SETTLE if self._said is None else max(now + SETTLE, self._said + QUIET)
            self._timer = self.clock.callLater(due - now, self._say)

    def stop(self) -> None:
        """Say what is still to be said."""
        if self._timer is not None:
            self._timer.cancel()
            self._say()

    def _say(self) -> None:
        self._timer, self._said = None, self.clock.seconds()
        counts, self._by_place = self._by_place, Counter()
        (place, most), *others = counts.most_common()
        log.warn(
            "{count} connections were dropped by {limit}: {most} of {place}{others}",
            count=counts.total(),
            limit=self.limit,
            most=most,
            place=place or "a proxy",
            others=f", the others of {len(others)} more addresses" if others else "",
        )
