"""A connection to a relay that stands ready: it is made before it is known whether a leg will go there.

Nothing is said on it but what TLS, or a proxy on the way, needs. A dial of the same relay takes it over; if none comes,
it is closed without a word.
"""

from functools import partial
from typing import Any, Final

from attrs import define
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from streamrelay.datapath.channel import hand_over

READY_TIME: Final = 3.0
"""Seconds until nobody comes for it any more: a relay has room for some of one address that say nothing, and
`HANDSHAKE_TIME` for each."""


class Gone(Exception):
    """Lack of the connection: it failed, was lost, or nobody came for it in time."""


class Ready(Factory):
    """One such connection, from its dial on until it is taken or dropped."""

    noisy = False

    def __init__(self, origin: object, endpoint: IStreamClientEndpoint, clock: IReactorTime) -> None:
        """`origin` is that of the relay, to be compared with another one."""
        self.origin = origin
        self._over = False  # taken or closed
        self._stands: Any = None  # its transport
        self._taker: Deferred[Any] | None = None
        self._timer = clock.callLater(READY_TIME, self.drop)
        self._attempt: Deferred[Any] = maybeDeferred(endpoint.connect, self)
        self._attempt.addCallbacks(self._connected, lambda failure: self.lost())

    def buildProtocol(self, addr: object) -> "ReadyProtocol":
        return ReadyProtocol(self)

    def take(self) -> "Deferred[Any]":
        """Return the transport once it is connected; or fail with `Gone`."""
        taker = self._taker = Deferred(self._given_up)
        if self._over:
            self.lost()
        elif self._stands is not None:
            self._give()
        elif self._timer.active():
            self._timer.cancel()  # who dials has a time limit
        return taker

    def drop(self) -> None:
        """Close it, unless it is taken or closed already."""
        if not self._over:
            self.lost()
            self._attempt.cancel()
            if self._stands is not None:
                self._stands.abortConnection()

    def lost(self) -> None:
        """Take note that there is no such connection any more."""
        taker = self._end()
        if taker is not None:
            taker.errback(Gone())

    def _connected(self, protocol: "ReadyProtocol") -> None:
        self._stands = protocol.transport
        if self._over:
            self._stands.abortConnection()
        elif self._taker is not None:
            self._give()

    def _give(self) -> None:
        taker = self._end()
        assert taker is not None
        taker.callback(self._stands)

    def _given_up(self, taker: "Deferred[Any]") -> None:
        self._taker = None  # which is told of that already
        self.drop()

    def _end(self) -> "Deferred[Any] | None":
        """Note the end, and return who is to be told of it."""
        self._over = True
        if self._timer.active():
            self._timer.cancel()
        taker, self._taker = self._taker, None
        return taker


class ReadyProtocol(Protocol):
    """The connection's protocol until it is taken: whatever happens on it is its end."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    def dataReceived(self, data: bytes) -> None:  # a relay has nothing to say yet
        self._ready.drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ready.lost()


@implementer(IStreamClientEndpoint)
@define(frozen=True)
class ReadyEndpoint:
    """An endpoint whose one connection stands ready, or is on its way; where nothing comes of it, `fresh` makes one."""

    ready: Ready
    fresh: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[Any]":
        def again(failure: Failure) -> "Deferred[Any]":
            failure.trap(Gone)
            return self.fresh.connect(protocolFactory)

        return self.ready.take().addCallbacks(partial(_take_over, protocolFactory), again)


def _take_over(factory: IProtocolFactory, transport: Any) -> "Deferred[Any]":
    """Put a protocol of this factory upon a transport that is connected."""
    protocol: Any = factory.buildProtocol(transport.getPeer())
    hand_over(transport, protocol)
    protocol.makeConnection(transport)
    return succeed(protocol)
