"""The streams of a relay that stops which outlive their legs: their legs are closed, so that they go on elsewhere.

Where there may be other relays that is spread over the time to drain, so that they don't all come at once. A lone relay
keeps them as long as it has others to wait for, as they have nowhere to go before it is back.
"""

from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.tokens import LegClaims
from streamrelay.relay.leg import Leg


class Movable(Protocol):
    """An admitted leg."""

    @property
    def claims(self) -> LegClaims: ...

    @property
    def leg(self) -> Leg: ...


@define(eq=False)
class Moving:
    """The departure of streams, which does nothing before its `begin`."""

    clock: IReactorTime
    legs: Collection[Movable]
    """Legs that were admitted and are not gone."""
    lone: Callable[[], Collection[Movable]]
    """Returns those that wait for another."""
    _begun: bool = False
    _waiting: deque[Movable] = field(factory=deque)
    _timer: IDelayedCall | None = None

    def begin(self, seconds: float) -> None:
        """Close the legs of all streams that outlive them, over so many seconds; 0: once there are no others."""
        self._begun = True
        if seconds:
            self._waiting.extend(self._clients())
            self._next(seconds / max(1, len(self._waiting)))
        else:
            self.look()

    def look(self) -> None:
        """Take note that a stream has ended."""
        if not self._begun or self._timer is not None or self.lone():
            return
        if all(admitted.claims.resumes for admitted in self.legs):
            for admitted in self._clients():
                self._move(admitted)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _clients(self) -> list[Movable]:
        lone = set(map(id, self.lone()))
        clients = (each for each in self.legs if each.claims.resumes and each.claims.role == "client")
        return [each for each in clients if id(each) not in lone]

    def _next(self, pause: float) -> None:
        self._timer = None
        if self._waiting:
            self._timer = self.clock.callLater(pause, self._next, pause)
            self._move(self._waiting.popleft())

    def _move(self, admitted: Movable) -> None:
        admitted.leg.end(outcome(CloseCode.MOVED))
