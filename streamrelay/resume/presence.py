"""Questions whether the other end of a stream that resumes is there: pings that it alone answers, where nothing comes.

A websocket's own pings are answered by the relay, which may take a minute to notice that the leg behind it is dead. Who
asks here knows from the first pong that the other end answers; before that silence means nothing, as an older one
passes a ping over (protocol.rst, "Streams that resume").
"""

from typing import Final, Protocol

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.datapath.heartbeat import SLOWEST

QUIET: Final = 15.0
"""Seconds without a message after which it is asked."""
ANSWER: Final = 5.0
"""Seconds in which it answers, beside those for what it was sent before."""
LATE: Final = 2.0
"""Seconds that a timer may come late; after more of them this machine has slept, and the answer may be unread."""


SOON: Final = 0.1
"""Seconds for which no timer is worth its while."""


class Way(Protocol):
    """The leg that there is."""

    @property
    def sent(self) -> int:
        """Position up to which all has gone out by it."""

    @property
    def taken(self) -> int:
        """Position up to which the other end has it."""

    @property
    def is_blocked(self) -> bool:
        """True while no answer can be expected: something is unsent, or the leg isn't read."""

    def ask(self, number: int) -> None: ...

    def silent(self) -> None:
        """Take note that there was no answer."""


@define(eq=False)
class Presence:
    """One stream's other end, by whatever leg there is."""

    clock: IReactorTime
    answers: bool = False
    """True once it has answered a ping, by any leg."""
    _way: Way | None = None
    _heard: float = 0.0  # when something came last
    _number: int = 0  # of the last ping
    _asked: float | None = None  # when it went out, if it waits for its answer
    _before: int = 0  # position up to which all went out before it
    _arrived: int = 0  # position up to which all has come there, as an answer has shown
    _due: float = 0.0
    _timer: IDelayedCall | None = None

    def begin(self, way: Way) -> None:
        """Take note of a new leg, by which nothing has gone out."""
        self.stop()
        self._way, self._arrived = way, way.sent
        self.heard()
        if self.answers:
            self._look_in(QUIET)
        else:
            self._ask(way)

    def stop(self) -> None:
        """Take note that there is no leg."""
        self._way = self._asked = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self) -> None:
        """Take note that something came."""
        self._heard = self.clock.seconds()

    def answered(self, number: object) -> None:
        """Take note of a pong."""
        if number != self._number or self._way is None:
            return
        self.answers, self._arrived, self._asked = True, self._before, None
        if self._timer is None:
            self._look_in(QUIET)

    def _ask(self, way: Way) -> None:
        self._number += 1
        self._asked, self._before = self.clock.seconds(), way.sent
        way.ask(self._number)

    def _look_in(self, seconds: float) -> None:
        self._due = self.clock.seconds() + seconds
        self._timer = self.clock.callLater(seconds, self._look)

    def _look(self) -> None:
        way, self._timer = self._way, None
        if way is None:
            return
        now = self.clock.seconds()
        late = now - self._due > LATE
        quiet = now - self._heard
        if quiet < QUIET and not late:
            self._asked = None
            self._look_in(max(SOON, QUIET - quiet))
        elif self._asked is None or late:
            self._ask(way)
            self._look_in(ANSWER)
        elif way.is_blocked or (left := self._asked + ANSWER + self._slack(way) - now) > SOON:
            self._look_in(ANSWER if way.is_blocked else min(ANSWER, left))
        else:
            self.stop()
            way.silent()

    def _slack(self, way: Way) -> float:
        """Return the seconds that it may need for what it was sent, and hasn't shown to have."""
        return max(0, way.sent - max(way.taken, self._arrived)) / SLOWEST
