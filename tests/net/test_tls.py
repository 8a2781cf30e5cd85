"""tls.py: what a stranger's TLS records may cost before a request, and those of a relay before its answer."""

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.retry import was_dropped
from streamrelay.net.tls import READ, TlsFactory
from streamrelay.protocol.tls_records import TOO_MANY
from tests.datapath.loopback import drain, tls_pair
from tests.fakes.channels import FakeTransport
from tests.fakes.tls13 import APPLICATION, UPDATE, UPDATE_BOTH, Secrets


class Hearer(Protocol):
    """What lies above TLS."""

    def __init__(self) -> None:
        self.data = b""
        self.lost, self.reason = "", connectionDone

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost, self.reason = str(reason.value), reason


class Creator:
    """What makes TLS for Twisted: always this connection."""

    def __init__(self, connection: SSL.Connection) -> None:
        self.connection = connection

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        return self.connection

    clientConnectionForTLS = serverConnectionForTLS


class Strangers(SynchronousTestCase):
    """A peer that has shaken hands, on either side, and sends no request and no answer."""

    def meet(self, is_client: bool) -> None:
        """Make our side of TLS, which reads from a transport in memory, and the keys of the other."""
        secrets = Secrets()
        server, client = tls_pair(secrets, shake=False)
        ours, other = (client, server) if is_client else (server, client)
        self.hearer, self.transport, factory = Hearer(), FakeTransport(), Factory()
        factory.buildProtocol = lambda _: self.hearer  # type: ignore[method-assign,assignment]
        self.tls: Any = TlsFactory(Creator(ours), is_client, factory, Clock()).buildProtocol(None)
        self.transport.protocol = self.tls
        self.tls.makeConnection(self.transport)
        for _ in range(6):
            try:
                other.do_handshake()
            except SSL.WantReadError:
                pass
            if sealed := drain(other):
                self.tls.dataReceived(sealed)
            if sealed := self.transport.take():
                other.bio_write(sealed)
        self.sealer = secrets.sealer("SERVER" if is_client else "CLIENT")
        if is_client:
            self.sealer.sealed = 2  # OpenSSL's tickets

    def receive(self, sealed: bytes) -> None:
        for at in range(0, len(sealed), READ):
            if not self.transport.aborted:
                self.tls.dataReceived(sealed[at : at + READ])

    def test_key_updates(self) -> None:
        """KeyUpdates without end cut the connection with the reason, on either side, answers wanted or not."""
        for is_client in (False, True):
            for message in (UPDATE, UPDATE_BOTH):
                self.meet(is_client)
                self.receive(self.sealer.updates(1000, message))
                self.assertTrue(self.transport.aborted)
                self.tls.connectionLost(Failure(Exception("else")))
                self.assertIn(TOO_MANY, self.hearer.lost)
                self.assertFalse(was_dropped(self.hearer.reason), "who dialled would try again")
                self.assertLess(len(self.transport.take()), 20_000)

    def test_plain(self) -> None:
        """Who speaks plain HTTP to a port with TLS is answered so, in plain, and hears which URL is meant."""
        for first, rest in ((b"GET / HTTP/1.1\r\n\r\n", b""), (b"G", b"ET / HTTP/1.1\r\n\r\n")):
            server, _ = tls_pair(Secrets(), shake=False)
            self.hearer, self.transport, factory = Hearer(), FakeTransport(), Factory()
            factory.buildProtocol = lambda _: self.hearer  # type: ignore[method-assign,assignment]
            tls: Any = TlsFactory(Creator(server), False, factory, Clock()).buildProtocol(None)
            self.transport.protocol = tls
            tls.makeConnection(self.transport)
            tls.dataReceived(first)
            answer = self.transport.take()
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer)
            self.assertIn(b"this port speaks TLS; use https:// or wss://\n", answer)
            self.assertTrue(self.transport.disconnecting)
            tls.dataReceived(rest or first)
            self.assertEqual(self.transport.take(), b"")
            tls.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(self.hearer.data, b"")
            self.assertTrue(self.hearer.lost)

    def test_reason(self) -> None:
        """Why a connection was lost is told as who reads it says; an end without TLS' own word is no orderly one."""
        for reason, told in ((ConnectionLost("a channel's own"), "a channel's own"), (ConnectionDone(), "non-clean")):
            for is_client in (False, True):
                self.meet(is_client)
                self.tls.connectionLost(Failure(reason))
                self.assertIn(told, self.hearer.lost)

    def test_content(self) -> None:
        """Records of one byte are content, and a KeyUpdate now and then is followed."""
        for is_client in (False, True):
            self.meet(is_client)
            for _ in range(100):
                sealed = b"".join(self.sealer.seal(APPLICATION, b"t") for _ in range(20))
                self.receive(sealed + self.sealer.updates(1))
            self.assertEqual((self.hearer.data, self.hearer.lost), (b"t" * 2000, ""))

    def test_little_at_once(self) -> None:
        """A stranger's bytes are read 4 KiB at a time."""
        self.meet(False)
        self.assertEqual(getattr(self.transport, "bufferSize", None), 4096)
