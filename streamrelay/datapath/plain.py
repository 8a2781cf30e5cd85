"""Bytes as they are: a TCP or unix connection to splice.

Its phase only ever grows:

=================  ====================  =========================  =====================  =================
what happens       OPEN                  CLOSING: in order, once    ENDED: it was cut off  LOST: the
                                         what is unsent is out      from here              transport is gone
=================  ====================  =========================  =====================  =================
send               goes out              the channel drops what is sent behind an end of file, or after its end
pause              it isn't read         --, as the peer's end is awaited                  --
join               it is read            it is read                 it is read             over, gone
is_there           asks the kernel; if the peer has reset it: reset → LOST                 --
close, in order    half-close → CLOSING  --                         --                     --
close, otherwise   reset → ENDED         --                         --                     --
bytes              told                  dropped                    dropped                --
the peer's eof     told                  the channel closes         --                     --
all is out         drained               drained; the peer has 2 s  drained                --
its time is up     (no timer)            reset → ENDED              (no timer)             (no timer)
connection_lost    over, gone → LOST     over, gone → LOST          over, gone → LOST      --
=================  ====================  =========================  =====================  =================

What isn't phase: whether the peer's end of file has come (`_eof`). Then it isn't read any more, and a close in order
closes the channel at once, where otherwise it waits for that end.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import define, field
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from streamrelay.datapath.channel import Channel, TransportChannel, keep_alive, no_delay
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.datapath.deadline import Deadline
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.datapath.tls_channel import open_channel
from streamrelay.protocol.close import CloseCode, Outcome, outcome

CLOSE_TIME: Final = 60.0
"""Seconds in which what is unsent must go out."""
LINGER: Final = 2.0
"""Seconds after our end of file in which the peer may end too; closing before would reset it over unread bytes."""

OPEN, CLOSING, ENDED, LOST = range(4)


@define(eq=False)
class PlainConnection:
    """A channel without framing. `reset` is what its end means when the peer reset it."""

    channel: Channel
    clock: IReactorTime
    reset: Outcome
    _feed: Feed | None = None
    _drain: Drain | None = None
    _phase: int = OPEN
    _eof: bool = False  # the peer's
    _deadline: Deadline = field(init=False)  # of the close

    def __attrs_post_init__(self) -> None:
        self._deadline = Deadline(self.clock, self.abort)

    @property
    def unsent(self) -> int:
        return self.channel.unsent

    def is_there(self) -> bool:
        """Tell whether the peer is still there while nothing is read; a connection that it has reset is closed."""
        if self._phase != LOST and self.channel.peer_is_gone():
            self._phase = LOST
            self.channel.abort()
        return self._phase != LOST

    def join(self, feed: Feed, drain: Drain) -> None:
        if self._phase == LOST:  # before anybody wanted to know
            feed.over(self.reset)
            feed.gone()
            return
        self._feed, self._drain = feed, drain
        self.channel.start(self)

    def send(self, data: Sequence[memoryview], size: int) -> None:
        self.channel.write(data)

    def send_control(self, message: bytes) -> None:
        """Drop a control message, as there is nobody to take it."""

    def send_eof(self) -> None:
        self.channel.finish()

    def pause(self) -> None:
        if self._phase == OPEN:
            self.channel.pause()

    def resume(self) -> None:
        if not self._eof:  # after an end of file there is only that end to be read, again and again
            self.channel.resume()

    def close(self, outcome: Outcome) -> None:
        """An orderly ending closes once all is sent; any other resets, so that nobody takes a torso for the whole."""
        if self._phase != OPEN:
            return
        if not outcome.orderly:
            self.abort()
            return
        self._phase = CLOSING
        self._deadline.set(CLOSE_TIME)
        self.resume()
        self.channel.finish()
        if self._eof:
            self.channel.close()
        elif not self.channel.unsent:
            self._deadline.set(LINGER)

    def abort(self) -> None:
        self._phase = max(self._phase, ENDED)
        self._deadline.stop()
        self.channel.abort()

    def data_received(self, data: memoryview) -> None:
        if self._feed is not None and self._phase == OPEN:
            self._feed.received([data], len(data))

    def drained(self) -> None:
        if self._phase == CLOSING and not self._eof:
            self._deadline.set(LINGER)
        if self._drain is not None:
            self._drain.drained()

    def eof_received(self) -> None:
        """Pass on that the peer half-closed."""
        self._eof = True
        if self._phase == CLOSING:
            self.channel.close()
        elif self._feed is not None and self._phase == OPEN:
            self._feed.eof()

    def connection_lost(self, in_order: bool) -> None:
        """The transport is gone."""
        self._phase = LOST
        self._deadline.stop()
        if self._feed is not None:
            self._feed.over(outcome(CloseCode.FINISHED) if in_order else self.reset)
            self._feed.gone()
        self._feed = self._drain = None


_check: type[Connection] = PlainConnection


@implementer(IHalfCloseableProtocol)
class PlainProtocol(Protocol):
    """Twisted's protocol of a plain connection; `made` is told the connection once there is one."""

    def __init__(self, clock: IReactorTime, reset: Outcome, made: Callable[[PlainConnection], object]) -> None:
        self._clock, self._reset, self._made = clock, reset, made
        self._channel: SocketChannel | TransportChannel
        self.connection: PlainConnection

    def connectionMade(self) -> None:
        transport: Any = self.transport
        no_delay(transport)
        keep_alive(transport)
        self._channel = open_channel(transport, self._clock)
        self.connection = PlainConnection(self._channel, self._clock, self._reset)
        self._made(self.connection)

    def dataReceived(self, data: bytes) -> None:
        self._channel.dataReceived(data)

    def readConnectionLost(self) -> None:
        self.connection.eof_received()

    def writeConnectionLost(self) -> None:
        """Ignore that our own half-close is done, or that the peer takes no more; the reading side tells the rest."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connection.connection_lost(reason.check(ConnectionDone) is not None)
