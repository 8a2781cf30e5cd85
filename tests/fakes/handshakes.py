"""Handshakes of TLS in memory, between our own two sides as programs make them, and what each says of its end."""

from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from streamrelay.net.certificates import ServerTls, read_certificates
from streamrelay.net.client_tls import ClientContext
from streamrelay.net.peer import explain
from streamrelay.net.tls import TlsFactory

PEER = IPv4Address("TCP", "192.0.2.7", 4711)


class Hearer(Protocol):
    """What lies above TLS: it keeps why it was lost."""

    lost: str | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = explain(reason)


class Wire(StringTransport):
    """One end's transport, which is lost in the next turn, as real ones are."""

    protocol: Any
    losing = lost = False

    def loseConnection(self) -> None:
        self.losing = True

    abortConnection = loseConnection

    def turn(self) -> None:
        """Tell the protocol that the connection is lost, if it is."""
        if self.losing and not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(ConnectionDone()))

    def take(self) -> bytes:
        data: bytes = self.value()
        self.clear()
        return data


@define(eq=False)
class Ended:
    """How a handshake ended: what the client says, what the server does, and what it tells its operator."""

    client: str | None
    """None: it stands; so is the server's."""
    server: str | None
    told: list[tuple[Any, Failure]] = field(factory=list)


def shake(server: ServerTls, ca: str, host: str, mine: Any = None) -> Ended:
    """Let a client that trusts `ca` shake hands with a server which it takes for `host`."""
    told: list[tuple[Any, Failure]] = []
    options = ClientContext(read_certificates(ca), mine).to(host, 443)
    ends = []
    for creator, is_client in ((options, True), (server, False)):
        hearer, factory = Hearer(), Factory()
        factory.buildProtocol = lambda _, hearer=hearer: hearer  # type: ignore[method-assign,misc]
        made: Any = TlsFactory(creator, is_client, factory, Clock(), lambda *about: told.append(about))
        wire = Wire(peerAddress=PEER)
        wire.protocol = made.buildProtocol(None)
        wire.protocol.makeConnection(wire)
        ends.append((wire, hearer))
    (near, client), (far, other) = ends
    for _ in range(8):
        for sender, receiver in ((near, far), (far, near)):
            if (sealed := sender.take()) and not receiver.lost:
                receiver.protocol.dataReceived(sealed)
            receiver.turn()
    for end in (near, far) if near.lost or far.lost else ():
        end.losing = True
        end.turn()
    return Ended(client.lost, other.lost, told)
