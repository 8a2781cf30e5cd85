"""Tunnels through proxies as endpoints of Twisted: what is connected there doesn't notice the proxy."""

from typing import Any, Final

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from streamrelay.net.outbound_proxy import OutboundProxy, ProxyError
from streamrelay.net.peer import explain, is_full
from streamrelay.net.tunnels import Tunnel, tunnel

PATIENCE: Final = 8.0
"""Seconds until a tunnel must stand, less than any dial has in all, so that it is said whom it waited for."""


@implementer(IStreamClientEndpoint)
@define(frozen=True)
class TunnelEndpoint:
    """An endpoint at a place behind a proxy, which is reached by `near`."""

    proxy: OutboundProxy
    near: IStreamClientEndpoint
    host: str
    port: int
    clock: IReactorTime

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[Any]":
        opening = Opening(tunnel(self.proxy, self.host, self.port), protocolFactory)
        opening.begin(self.near, self.clock)
        return opening.done


class Opening(Factory):
    """Factory of the one connection to a proxy on which a tunnel is opened; it fails but once, with `ProxyError`."""

    noisy = False

    def __init__(self, tunnel: Tunnel, behind: IProtocolFactory) -> None:
        self.tunnel, self.behind = tunnel, behind
        self.done: Deferred[Any] = Deferred(lambda _: self._late())
        self.over = False
        self._attempt: Deferred[Any] | None = None
        self._protocol: TunnelProtocol | None = None
        self._timer: IDelayedCall | None = None

    def begin(self, near: IStreamClientEndpoint, clock: IReactorTime) -> None:
        self._timer = clock.callLater(PATIENCE, self._late)
        self._attempt = near.connect(self)
        self._attempt.addErrback(self._unreached)

    def buildProtocol(self, addr: Any) -> "TunnelProtocol":
        self._protocol = TunnelProtocol(self)
        return self._protocol

    def fail(self, reason: str) -> None:
        """Say why there is no tunnel, unless its end was told before."""
        self._end(Failure(ProxyError(self.tunnel.proxy, reason)))

    def stands(self, protocol: Any) -> None:
        self._settle()
        self.done.callback(protocol)

    def _unreached(self, failure: Failure) -> None:
        error: Any = failure.value
        if is_full(error):
            self._end(failure)
        else:
            self.fail(f"can't be reached: {explain(failure)}")

    def _late(self) -> None:
        self.fail(f"didn't connect us to {self.tunnel.where} in time; is it a proxy, and can it reach that?")

    def _end(self, failure: Failure) -> None:
        if self.over:
            return
        self._settle()
        if self._protocol is not None and self._protocol.transport is not None:
            transport: Any = self._protocol.transport
            transport.abortConnection()
        elif self._attempt is not None:
            self._attempt.cancel()
        self.done.errback(failure)

    def _settle(self) -> None:
        self.over = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class TunnelProtocol(Protocol):
    """A connection to a proxy until the tunnel stands; then the protocol behind takes the transport over."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._opening.tunnel.begin())

    def dataReceived(self, data: bytes) -> None:
        opening, transport = self._opening, self.transport
        assert transport is not None
        if opening.over:
            return
        try:
            transport.write(opening.tunnel.receive(data))
        except ProxyError as error:
            opening._end(Failure(error))
            return
        if opening.tunnel.done:
            self._hand_over()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        why = explain(reason)
        self._opening.fail(f"closed the connection without an answer{why and f': {why}'}")

    def _hand_over(self) -> None:
        opening, transport = self._opening, self.transport
        inner: Any = opening.behind.buildProtocol(transport.getPeer())  # type: ignore[union-attr]
        bottom: Any = transport
        bottom.protocol = inner
        inner.makeConnection(transport)
        opening.stands(inner)
        if opening.tunnel.rest and bottom.protocol is inner:
            inner.dataReceived(opening.tunnel.rest)
