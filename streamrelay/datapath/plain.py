"""Bytes as they are: a TCP or unix connection to splice."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import define
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from streamrelay.datapath.channel import Channel, TransportChannel, no_delay
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.datapath.tls_channel import open_channel
from streamrelay.protocol.close import CloseCode, Outcome, outcome

CLOSE_TIME: Final = 60.0
"""Seconds in which what is unsent must go out."""
LINGER: Final = 2.0
"""Seconds after our end of file in which the peer may end too; closing before would reset it over unread bytes."""


@define(eq=False)
class PlainConnection:
    """A channel without framing. `reset` is what its end means when the peer reset it."""

    channel: Channel
    clock: IReactorTime
    reset: Outcome
    _feed: Feed | None = None
    _drain: Drain | None = None
    _eof: bool = False  # the peer's
    _closing: bool = False
    _over: bool = False
    _lost: bool = False
    _timer: IDelayedCall | None = None

    @property
    def unsent(self) -> int:
        return self.channel.unsent

    def is_there(self) -> bool:
        """Tell whether the peer is still there while nothing is read; a connection that it has reset is closed."""
        if not self._lost and self.channel.peer_is_gone():
            self._lost = True
            self.channel.abort()
        return not self._lost

    def join(self, feed: Feed, drain: Drain) -> None:
        if self._lost:  # before anybody wanted to know
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
        if not self._closing:
            self.channel.pause()

    def resume(self) -> None:
        if not self._eof:  # after an end of file there is only that end to be read, again and again
            self.channel.resume()

    def close(self, outcome: Outcome) -> None:
        """An orderly ending closes once all is sent; any other resets, so that nobody takes a torso for the whole."""
        if self._closing or self._lost:
            return
        self._closing = True
        if not outcome.orderly:
            self.channel.abort()
            return
        self._timer = self.clock.callLater(CLOSE_TIME, self.abort)
        self.resume()
        self.channel.finish()
        if self._eof:
            self.channel.close()
        elif not self.channel.unsent:
            self._linger()

    def abort(self) -> None:
        self.channel.abort()

    def data_received(self, data: memoryview) -> None:
        if self._feed is not None and not self._closing:
            self._feed.received([data], len(data))

    def drained(self) -> None:
        if self._closing and not self._eof:
            self._linger()
        if self._drain is not None:
            self._drain.drained()

    def eof_received(self) -> None:
        """Pass on that the peer half-closed."""
        self._eof = True
        if self._closing:
            self.channel.close()
        elif self._feed is not None:
            self._feed.eof()

    def connection_lost(self, in_order: bool) -> None:
        """The transport is gone."""
        self._lost = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._feed is not None:
            if not self._over:
                self._over = True
                self._feed.over(outcome(CloseCode.FINISHED) if in_order else self.reset)
            self._feed.gone()
        self._feed = self._drain = None

    def _linger(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.reset(LINGER)


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
        if hasattr(transport, "setTcpKeepAlive"):
            transport.setTcpKeepAlive(True)
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
