"""TLS by Twisted, where a peer's records are bounded in the handshake and after it (protocol/tls_records.py)."""

from collections.abc import Callable
from typing import Any, Final

from attrs import define
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer, providedBy
from zope.interface.declarations import Provides

from streamrelay.net.certificate_faults import CertificateFault
from streamrelay.protocol.tls_records import TOO_MANY, Records

READ: Final = 4096
"""Sealed bytes that are read at once: records of one byte make up to 180 of it. Who moves much has a channel."""
_PLAIN_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 45\r\n"
    b"Connection: close\r\n\r\nthis port speaks TLS; use https:// or wss://\n"
)

Answered = Callable[[SSL.Connection], None]
"""Taker of a connection on which the first content has come."""


class TooManyRecords(Exception):
    """Loss of a connection whose peer sent too many records without content; it isn't tried again."""

    def __init__(self) -> None:
        super().__init__(TOO_MANY)


class Counted:
    """A connection of OpenSSL that counts what is read from it; Twisted has it for the connection itself."""

    def __init__(self, connection: SSL.Connection, answered: Answered | None = None) -> None:
        self.connection, self._answered = connection, answered
        self.opened = self.pieces = 0
        self.heard = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def recv(self, most: int) -> bytes:
        """Return the content of one record."""
        content = self.connection.recv(most)
        if not self.heard:
            self.heard = True
            if self._answered is not None:
                self._answered(self.connection)
        self.opened += len(content)
        self.pieces += 1
        return content


class BoundedTls(BufferingTLSTransport):
    """Twisted's TLS over any transport, a few records at a time and no more than are allowed."""

    factory: "TlsFactory"
    _reason: Failure | None  # Twisted's: what is told above
    _begun = False
    _shaken = False
    _cut = False

    def makeConnection(self, transport: Any) -> None:
        self.records = Records()
        _keep_declarations(transport)
        bottom = transport
        while hasattr(bottom, "wrappedProtocol"):
            bottom = bottom.transport
        bottom.bufferSize = READ
        super().makeConnection(transport)

    def getHandle(self) -> Any:
        """Return OpenSSL's own, as others read from that."""
        return getattr(super().getHandle(), "connection", None)

    def dataReceived(self, bytes: bytes) -> None:
        sealed = memoryview(bytes)
        if not self._begun:
            self._begun = True
            self._look(bytes[:1])
        while sealed and self.connected and not self._cut:
            size = self.records.turn(sealed)
            counted: Counted = super().getHandle()
            counted.opened = counted.pieces = 0
            super().dataReceived(sealed[:size])
            self._settle(counted)
            sealed = sealed[size:]

    def refuse(self, why: Exception) -> None:
        """Keep in words why OpenSSL is about to give the connection up, of which it tells the peer, too."""
        if self._reason is None:
            self._reason = Failure(why)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep why a channel has lost it, which Twisted takes for an end without TLS' own."""
        counted: Counted = super().getHandle()
        if isinstance(why := counted.connection.get_app_data(), CertificateFault):
            self._reason = Failure(why)
        if self._reason is None and not reason.check(ConnectionDone):
            self._reason = reason
        if self._reason is not None and not self._shaken and self._reason.check(SSL.Error, CertificateFault):
            self.factory.failed(self.getPeer(), self._reason)
        super().connectionLost(reason)

    def _look(self, first: bytes) -> None:
        """Answer a request that begins here in plain, as its sender can't know otherwise why it gets no answer."""
        if first.isalpha() and not self.factory.is_client:
            self._cut = True
            below: Any = self.transport
            below.write(_PLAIN_ANSWER)
            self._tlsShutdownFinished(Failure(SSL.Error([("SSL routines", "", "http request")])))  # as OpenSSL calls it

    def _settle(self, counted: Counted) -> None:
        fits = self.records.settle(counted.opened, counted.pieces)
        if not self._shaken and counted.connection.get_peer_finished() is not None:
            self._shaken = True
            self.records.shaken()
        if not fits:
            self._cut = True
            self.failVerification(Failure(TooManyRecords()))


_kept: dict[object, list[object]] = {}


def _keep_declarations(transport: object) -> None:
    """Keep what Twisted declares of each TLS connection over such a transport, one interface after the other.

    zope.interface remembers a declaration only as long as an object has it, and works it out anew for the next one:
    that took a tenth of a TLS connection's CPU.
    """
    interfaces = providedBy(transport)
    if interfaces not in _kept:
        each = [Provides(BoundedTls, interface) for interface in interfaces]
        _kept[interfaces] = [*each, Provides(BoundedTls, *interfaces)]


@implementer(IOpenSSLServerConnectionCreator, IOpenSSLClientConnectionCreator)
@define(frozen=True)
class Counting:
    """What makes connections' TLS for Twisted, each counted; if it has `answered`, it is told of each on which content
    has come, before that is told."""

    creator: Any

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        return Counted(self.creator.serverConnectionForTLS(tlsProtocol))

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        return Counted(self.creator.clientConnectionForTLS(tlsProtocol), getattr(self.creator, "answered", None))


class TlsFactory(TLSMemoryBIOFactory):
    """Factory of bounded TLS before the protocols of another factory."""

    protocol = BoundedTls

    def __init__(
        self,
        creator: Any,
        is_client: bool,
        factory: IProtocolFactory,
        clock: IReactorTime,
        failed: Callable[[Any, Failure], None] = lambda peer, reason: None,
    ) -> None:
        """`failed` is told of handshakes that TLS has ended: with whom, and why."""
        super().__init__(Counting(creator), is_client, factory, clock)
        self.failed = failed
        self.is_client = is_client


@implementer(IStreamClientEndpoint)
@define(frozen=True)
class TlsEndpoint:
    """An endpoint that goes on with bounded TLS where another is connected."""

    creator: IOpenSSLClientConnectionCreator
    plain: IStreamClientEndpoint
    clock: IReactorTime

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":
        connecting: Deferred[Any] = self.plain.connect(TlsFactory(self.creator, True, protocolFactory, self.clock))
        return connecting.addCallback(lambda protocol: protocol.wrappedProtocol)
