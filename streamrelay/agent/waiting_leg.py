"""An agent's leg while it waits at the relay for its client: WAITING until ``met`` has come, or the leg is over.

===============  ================================  ==============================  ==========================
what happens     WAITING                           LEFT: we have had enough        MET: a splice will take over
===============  ================================  ==============================  ==========================
``met``          paused → MET                      nothing                         kept for the splice
bytes, eof       protocol error                    protocol error                  kept for the splice
leave            closed without an answer → LEFT   the same, for the first reason  closed in order
over             NotMet, by its outcome            NotMet, by our reason           kept for the splice
===============  ================================  ==============================  ==========================

WAITING and LEFT: `met` is not called, and `_why` tells one from the other.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, Outcome
from streamrelay.protocol.control import Met, decode_control


class NotMet(Exception):
    """End of a leg before its client came; `outcome` says how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class Leg(Connection, Protocol):
    """A connection to a relay, which can be left without an answer."""

    def leave(self, outcome: Outcome) -> None:
        """Close at once, without an answer."""

    def measure(self, size: int, headers: int) -> None:
        """Take note that so many of `size` bytes were headers."""

    def outlive(self) -> None:
        """Take note that the stream outlives this leg."""


@define(eq=False)
class WaitingLeg(Feed, Drain):
    """A leg at the relay that waits to be met; whatever follows right behind ``met`` is kept for the splice."""

    leg: Leg
    met: "Deferred[Met]" = field(factory=Deferred)
    left: "Deferred[None]" = field(factory=Deferred)
    """Called back when the leg, which no splice has taken over, holds nothing any more."""
    _why: Outcome | None = None  # it was left from here
    _later: list[tuple[str, Any]] = field(factory=list)

    def begin(self) -> "Deferred[Met]":
        self.leg.join(self, self)
        return self.met

    def leave(self, why: Outcome) -> None:
        """Close the leg. A relay doesn't read it before its client comes, and then passes on what it finds there."""
        if self.met.called:
            self.leg.close(why)
            return
        self._why = self._why or why
        self.leg.leave(self._why)

    def received(self, data: Sequence[memoryview], size: int) -> None:
        self._expect_met()
        self._later.append(("received", b"".join(data)))

    def control(self, message: bytes) -> None:
        if self.met.called:
            self._later.append(("control", message))
        elif self._why is None and (met := decode_control(message).met) is not None:
            self.leg.pause()  # only what was read along with it is still told, and kept for the splice
            self.met.callback(met)

    def eof(self) -> None:
        self._expect_met()
        self._later.append(("eof", None))

    def over(self, outcome: Outcome) -> None:
        if self.met.called:
            self._later.append(("over", outcome))
        else:
            self.met.errback(NotMet(self._why or outcome))

    def gone(self) -> None:
        self._later.append(("gone", None))
        self.left.callback(None)

    def _expect_met(self) -> None:
        """Raise `PeerError` for bytes before ``met`` (protocol.rst, "Control messages"): to keep them has no bound."""
        if not self.met.called:
            raise PeerError(CloseCode.PROTOCOL, "bytes before the client has come")

    def drained(self) -> None:
        """Ignore that there is room, as nothing was sent."""

    def hand_over(self, feed: Feed) -> None:
        """Tell the splice's half, now joined, what came in between."""
        for what, value in self._later:
            if what == "received":
                feed.received([memoryview(value)], len(value))
            elif value is None:
                getattr(feed, what)()
            else:
                getattr(feed, what)(value)
