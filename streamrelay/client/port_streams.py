"""Streams for the connections of one local port: channels of as few streams as will do, or a stream for each.

The first connection opens a stream that carries channels, and those that come meanwhile wait for it. Where the other
side can't, as it is older or the target is of another kind, each gets a stream of its own.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.channels.carrier import Carrier
from streamrelay.client.platform_api import OpenedStream, PlatformError, Unwanted
from streamrelay.datapath.connection import Connection
from streamrelay.net.retry import persist
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.limits import CHANNELS_TAKEN, CONNECT_TIME
from streamrelay.websocket.dial_errors import DialError, place

USED: Final = CHANNELS_TAKEN - 15
"""Seconds after the request for it in which a stream gets new channels: the agent has some left by then."""
RENEWED: Final = CHANNELS_TAKEN - 60
"""Seconds after which a stream in use gets a successor, so that no connection has to wait for it."""
UNUSED: Final = 5.0
"""Seconds that the connection which a successor was opened with waits for somebody to use it."""
UNABLE: Final = 300.0
"""Seconds after which who couldn't carry channels is asked again."""


class LegLost(DialError):
    """Loss of a stream's leg before the platform has said that it is open; the next one may stand."""


class Local(Protocol):
    """A local connection that wants a stream."""

    def is_there(self) -> bool:
        """Tell whether anybody still wants it."""


Got = tuple[OpenedStream, Any]
"""What the platform told of a stream, and the connection to be spliced."""
Ask = Callable[[bool, Callable[[], bool]], Awaitable[Got]]
"""Opens a stream, to carry channels or not, if it is still wanted when its turn comes; its connection is the leg."""


@define(eq=False)
class CarryingStream:
    """One stream that carries channels of the local port. `asked` is when it was asked for, in seconds of the clock."""

    told: OpenedStream
    carrier: Carrier
    asked: float
    clock: IReactorTime
    left: Callable[["CarryingStream"], None]
    """Called when it has ended."""
    _first: bool = True  # channel 1 is free
    _timers: list[IDelayedCall] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.carrier.on_over, self.carrier.on_forgotten = self._over, self._forgotten
        self._timers.append(self.clock.callLater(max(0.0, self.asked + USED - self.clock.seconds()), self._forgotten))

    def start(self) -> None:
        """Join the leg. One that was lost meanwhile says so at once, so it must be known by then who is left."""
        self.carrier.join()

    @property
    def age(self) -> float:
        return self.clock.seconds() - self.asked

    @property
    def takes(self) -> bool:
        """True if a new channel may be opened."""
        return self.carrier.outcome is None and self.age < USED and (self._first or self.carrier.has_room)

    def open(self) -> Connection:
        if self._first:
            self._first = False
            return self.carrier.first
        return self.carrier.open()

    def drop_first(self) -> None:
        """Let go of the connection that it was opened with, if nobody came to use it."""
        if self._first and self.carrier.outcome is None:
            self._first = False
            self.carrier.first.close(outcome(CloseCode.LEG_LOST, "nobody came to use it"))

    def drop_first_later(self) -> None:
        if self.carrier.outcome is None:
            self._timers.append(self.clock.callLater(UNUSED, self.drop_first))

    def _forgotten(self) -> None:
        """End the stream if it has no channels and gets none any more."""
        if not self.carrier.ends and self.age >= USED:
            self.carrier.end(FINISHED)

    def _over(self, how: Outcome) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self.left(self)


@define(eq=False)
class PortStreams:
    """All streams of one local port."""

    clock: IReactorTime
    ask: Ask
    carrying: list[CarryingStream] = field(factory=list)
    """Streams that carry channels, the newest last."""
    _waiting: "list[tuple[Deferred[Got | None], Local]]" = field(factory=list)  # for the stream that is being opened
    _opening: bool = False
    _unable_until: float | None = None  # as the other side can't carry channels

    async def connect(self, local: Local) -> Got:
        """Return a connection for a local one; `PlatformError` or `DialError` if there is none, `Unwanted` if the local
        one has been reset meanwhile."""
        while True:
            if not local.is_there():
                raise Unwanted
            if self._unable_until is not None and self.clock.seconds() < self._unable_until:
                return await self.ask(False, local.is_there)
            stream = next((stream for stream in reversed(self.carrying) if stream.takes), None)
            if stream is not None:
                if stream.age >= RENEWED and stream is self.carrying[-1]:
                    self._open()
                return stream.told, stream.open()
            waiting: Deferred[Got | None] = Deferred()
            self._waiting.append((waiting, local))
            self._open()
            if (own := await waiting) is not None:
                return own

    def _open(self) -> None:
        """Begin to open one more stream that carries channels, unless one is being opened."""
        if not self._opening:
            self._opening = True
            Deferred.fromCoroutine(self._opened(self.clock.seconds(), not self._waiting))

    async def _opened(self, asked: float, ahead: bool) -> None:
        """Open a stream, and tell those who wait for it; `ahead` if nobody did."""
        try:
            told, leg, stream = await persist(self.clock, asked + CONNECT_TIME, lambda: self._attempt(ahead), LegLost)
        except Exception as error:
            self._opening = False
            self._failed(error)
            return
        self._opening = False
        if stream is None:
            self._unable_until = self.clock.seconds() + UNABLE
            self._give(told, leg)
            return
        self._wake()
        if ahead:
            stream.drop_first_later()
        else:
            stream.drop_first()

    async def _attempt(self, ahead: bool) -> tuple[OpenedStream, Any, CarryingStream | None]:
        """Ask for a stream once, and join its leg; None in place of one that can't carry channels."""
        asked = self.clock.seconds()
        told, leg = await self.ask(True, lambda: ahead or any(local.is_there() for _, local in self._waiting))
        if not told.channels:
            return told, leg, None
        stream = CarryingStream(told, Carrier(leg, self.clock, told.channels), asked, self.clock, self.carrying.remove)
        self.carrying.append(stream)
        stream.start()
        if stream.carrier.outcome is not None:
            raise LegLost(f"the connection to {place(told.url)} is lost each time before the stream is open")
        return told, leg, stream

    def _give(self, told: OpenedStream, leg: Any) -> None:
        """Give an ordinary stream to the first who is still there; the others ask for their own."""
        taken = False
        for waiting, local in self._taken():
            mine = not taken and local.is_there()
            taken = taken or mine
            waiting.callback((told, leg) if mine else None)
        if not taken:
            leg.abort()

    def _failed(self, error: Exception) -> None:
        """Tell those who wait why there is no stream, unless they may go on: an old platform knows no channels, and of
        who has come since nobody has asked whether they want one."""
        if isinstance(error, PlatformError) and error.status == 400:
            self._unable_until = self.clock.seconds() + UNABLE
            self._wake()
        elif isinstance(error, Unwanted):
            self._wake()
        else:
            for waiting, _ in self._taken():
                waiting.errback(error)

    def _wake(self) -> None:
        for waiting, _ in self._taken():
            waiting.callback(None)

    def _taken(self) -> "list[tuple[Deferred[Got | None], Local]]":
        taken, self._waiting = self._waiting, []
        return taken
