"""The life of one websocket at the relay: greeting, waiting, spliced, closed.

    greeting --open--> waiting --pair--> spliced --connection_lost--> closed
                          |--time_out, end, wind_up--> closing --connection_lost--> closed

While it waits a leg isn't read: its bytes, and its end, stay in the kernel. Bytes never pass through this machine.
"""

from collections.abc import Callable
from typing import Protocol

from attrs import define
from automat import TypeMachineBuilder
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.datapath.splice import Splice
from streamrelay.protocol.close import CloseCode, Outcome, outcome


class Leg(Protocol):
    """Inputs of a leg's machine. Every state takes every one of them."""

    def open(self, connection: Connection) -> None:
        """Wait for the other leg, as the 101 has gone out."""

    def pair(self, splice: Splice) -> None:
        """Let `splice` join this leg with the other one, which is here."""

    def time_out(self) -> None:
        """Stop waiting, as nobody came within the leg's patience: close with 4004."""

    def end(self, why: Outcome) -> None:
        """End this leg, and its stream, in order."""

    def wind_up(self, why: Outcome) -> None:
        """End this leg, and its stream once the client has got what its agent had sent."""

    def connection_lost(self) -> None:
        """Take note that the connection is gone."""


@define(eq=False)
class LegCore:
    """Parts that a leg keeps in every state of its machine."""

    clock: IReactorTime
    patience: float
    """Seconds that the leg waits for the other one."""
    withdraw: Callable[[Outcome], None]
    """Called when the leg stops waiting without having met the other one, with its outcome."""
    lost: Callable[[], None]
    """Called when the leg is lost while it waits."""
    left: Callable[[], None]
    """Called once, when the leg is closed."""


@define(eq=False)
class Waiting(Feed, Drain):
    """A leg that waits: its connection, and the timer of its patience."""

    connection: Connection
    timer: IDelayedCall
    leg: Leg

    def end(self, why: Outcome) -> None:
        self.timer_off()
        self.connection.join(self, self)
        self.connection.close(why)

    def timer_off(self) -> None:
        if self.timer.active():
            self.timer.cancel()

    # As a closing leg's feed: nobody takes its bytes.

    def received(self, data: object, size: int) -> None: ...

    def control(self, message: bytes) -> None: ...

    def eof(self) -> None: ...

    def over(self, outcome: Outcome) -> None: ...

    def drained(self) -> None: ...

    def gone(self) -> None:
        self.leg.connection_lost()


def _wait(leg: Leg, core: LegCore, connection: Connection) -> Waiting:
    return Waiting(connection, core.clock.callLater(core.patience, leg.time_out), leg)


def _splice(leg: Leg, core: LegCore, splice: Splice) -> Splice:
    return splice


builder = TypeMachineBuilder(Leg, LegCore)
greeting = builder.state("greeting")
waiting = builder.state("waiting", _wait)
spliced = builder.state("spliced", _splice)
closing = builder.state("closing")
closed = builder.state("closed")

# Nothing to do: the inputs that come too early or too late.
greeting.upon(Leg.pair).loop().returns(None)
greeting.upon(Leg.time_out).loop().returns(None)
greeting.upon(Leg.end).loop().returns(None)
greeting.upon(Leg.wind_up).loop().returns(None)
waiting.upon(Leg.open).loop().returns(None)
spliced.upon(Leg.open).loop().returns(None)
spliced.upon(Leg.pair).loop().returns(None)
spliced.upon(Leg.time_out).loop().returns(None)
closing.upon(Leg.open).loop().returns(None)
closing.upon(Leg.pair).loop().returns(None)
closing.upon(Leg.time_out).loop().returns(None)
closing.upon(Leg.end).loop().returns(None)
closing.upon(Leg.wind_up).loop().returns(None)
closed.upon(Leg.open).loop().returns(None)
closed.upon(Leg.pair).loop().returns(None)
closed.upon(Leg.time_out).loop().returns(None)
closed.upon(Leg.end).loop().returns(None)
closed.upon(Leg.wind_up).loop().returns(None)
closed.upon(Leg.connection_lost).loop().returns(None)

greeting.upon(Leg.open).to(waiting).returns(None)


@greeting.upon(Leg.connection_lost).to(closed)
def lost_in_greeting(leg: Leg, core: LegCore) -> None:
    core.left()


@waiting.upon(Leg.pair).to(spliced)
def paired(leg: Leg, core: LegCore, state: Waiting, splice: Splice) -> None:
    state.timer_off()


@waiting.upon(Leg.time_out).to(closing)
def timed_out(leg: Leg, core: LegCore, state: Waiting) -> None:
    ended(leg, core, state, outcome(CloseCode.NOBODY_CAME))


@waiting.upon(Leg.wind_up).to(closing)
@waiting.upon(Leg.end).to(closing)
def ended(leg: Leg, core: LegCore, state: Waiting, why: Outcome) -> None:
    core.withdraw(why)
    state.end(why)


@waiting.upon(Leg.connection_lost).to(closed)
def lost_in_waiting(leg: Leg, core: LegCore, state: Waiting) -> None:
    state.timer_off()
    core.lost()
    core.left()


@spliced.upon(Leg.end).loop()
def ended_in_splice(leg: Leg, core: LegCore, splice: Splice, why: Outcome) -> None:
    splice.end(why)


@spliced.upon(Leg.wind_up).loop()
def wound_up(leg: Leg, core: LegCore, splice: Splice, why: Outcome) -> None:
    splice.wind_up(why)


@spliced.upon(Leg.connection_lost).to(closed)
def lost_in_splice(leg: Leg, core: LegCore, splice: Splice) -> None:
    core.left()


@closing.upon(Leg.connection_lost).to(closed)
def lost_in_closing(leg: Leg, core: LegCore) -> None:
    core.left()


make_leg = builder.build()
