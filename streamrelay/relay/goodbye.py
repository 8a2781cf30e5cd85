"""The stop of a relay's legs: no stream is let in any more, others run on, then all are told, clients last.

A stream whose first leg is here is one that there is: its client may have been told the URL just now. So for a while
legs that wait for another go on waiting, and that other one is let in.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.datapath.splice import Splice
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.relay.leg import Leg

MEETING: Final = 5.0
"""Seconds for which legs that wait for another one go on waiting."""
WIND_UP: Final = 3.0
"""Seconds in which what agents had sent may go out to their clients."""
GOODBYE: Final = 2.0
"""Seconds behind these that legs get to take their close."""
ANSWERED: Final = 0.5
"""Seconds in which legs answer their close, where all is to end now."""


class Told(Protocol):
    """An admitted leg."""

    @property
    def leg(self) -> Leg: ...


@define(eq=False)
class Goodbye:
    """The end of all legs, which says nothing before its `begin`, or `end`."""

    clock: IReactorTime
    legs: Collection[Told]
    """Legs that were admitted and are not gone."""
    lone: Callable[[], Collection[Told]]
    """Returns the legs that wait for another one."""
    busy: Callable[[], bool]
    """Tells whether a splice lives, a leg waits or opens, or a handshake is under way: who has come is answered."""
    begun: bool = False
    """True once no stream is let in any more, while those that there are may still run."""
    _drained: "Deferred[None] | None" = None  # nothing is busy
    _empty: "Deferred[None] | None" = None  # no leg is left
    _meeting: IDelayedCall | None = None  # the end of the time in which legs may still meet

    @property
    def parted(self) -> bool:
        """True once no leg meets another one any more."""
        return self.begun and self._meeting is None

    def begin(self) -> "Deferred[None]":
        """Let no stream in any more, and tell legs that have met nobody after a while; the answer comes once all is
        quiet."""
        self.begun, self._drained = True, Deferred()
        self._meeting = self.clock.callLater(MEETING, self._part)
        self.look()
        return self._drained

    def _part(self) -> None:
        """Tell those that wait, and from now on who comes."""
        if self._meeting is not None and self._meeting.active():
            self._meeting.cancel()
        self._meeting = None
        for admitted in tuple(self.lone()):
            admitted.leg.end(outcome(CloseCode.GOING_AWAY))
        self.look()

    def look(self) -> None:
        """Take note that a stream or a handshake may have been the last one, or a leg."""
        if self._drained is not None and not self._drained.called and not self.busy():
            self._drained.callback(None)
            self._part()
        if self._empty is not None and not self._empty.called and not self.legs:
            self._empty.callback(None)

    def end(self) -> "Deferred[None]":
        """Tell every leg, clients behind what their agents had sent; the answer comes once all have heard it, or have
        had their time."""
        self.begun, self._empty = True, Deferred()
        self._part()
        for admitted in tuple(self.legs):
            admitted.leg.wind_up(outcome(CloseCode.GOING_AWAY))
        hurry = self.clock.callLater(WIND_UP, self._hurry)
        self._empty.addTimeout(WIND_UP + GOODBYE, self.clock, onTimeoutCancel=lambda value, _: None)
        self._empty.addCallback(lambda _: hurry.cancel() if hurry.active() else None)
        self.look()
        return self._empty

    def cut(self, splices: Iterable[Splice]) -> "Deferred[None]":
        """End the streams that live, and cut those that take longer than `ANSWERED`; the answer comes once all is
        quiet."""
        for splice in tuple(splices):
            splice.end(outcome(CloseCode.GOING_AWAY))

        def abort() -> None:
            for splice in tuple(splices):
                splice.abort()

        cut = self.clock.callLater(ANSWERED, abort)
        self.begun, self._drained = True, Deferred()
        self._part()
        return self._drained.addCallback(lambda _: cut.cancel() if cut.active() else None)

    def _hurry(self) -> None:
        """Tell clients whose agents haven't answered, for instance as their targets take nothing."""
        for admitted in tuple(self.legs):
            admitted.leg.end(outcome(CloseCode.GOING_AWAY))
