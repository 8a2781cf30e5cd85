"""site.py: strangers' connections to the platform."""

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from streamrelay.pages import PIECE, Page
from streamrelay.proxies import Proxies
from streamrelay.site import IDLE_TIME, MOST, MOST_FROM_ONE, REQUEST_TIME, BoundedSite
from tests.fakes import FakeTransport, connect

WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Greeting(Resource):
    """Answers at once."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return b"hello"


class Case(SynchronousTestCase):
    """A site on transports in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.site = BoundedSite(Greeting(), self.clock, Proxies.named(["10.0.0.0/8"], False))

    def come(self, host: str = "192.0.2.1") -> FakeTransport:
        transport = FakeTransport()
        transport.peerAddr = IPv4Address("TCP", host, 1)
        transport.protocol = connect(self.site, transport)
        self.addCleanup(transport.protocol.connectionLost, Failure(ConnectionDone()))
        return transport

    def lose(self, transport: FakeTransport) -> None:
        transport.protocol.connectionLost(Failure(ConnectionDone()))


class Times(Case):
    """How long a request may take."""

    def test_slow(self) -> None:
        """A request that drips is dropped after ten seconds, however often a byte comes; a silent one, too."""
        silent, dripping = self.come(), self.come()
        for number in range(20):
            if not dripping.aborted:
                dripping.receive(WHOLE[number : number + 1])
            self.clock.advance(REQUEST_TIME / 20 - 0.01)
        self.assertFalse(silent.aborted or dripping.aborted)
        self.clock.advance(1)
        self.assertTrue(silent.aborted and dripping.aborted)

    def test_answered(self) -> None:
        """One that is whole in time is answered, and so are others after it, each with its own ten seconds."""
        transport = self.come()
        for _ in range(3):
            transport.receive(WHOLE[:5])
            self.clock.advance(REQUEST_TIME - 1)
            transport.receive(WHOLE[5:])
            self.assertIn(b"hello", transport.take())
            self.clock.advance(REQUEST_TIME * 2)
            self.assertFalse(transport.aborted)
        transport.receive(b"G")
        self.clock.advance(REQUEST_TIME)
        self.assertTrue(transport.aborted)


class Unread(Case):
    """Answers that their client doesn't take."""

    def setUp(self) -> None:
        super().setUp()
        self.site = BoundedSite(Page(b"x" * 1_000_000, "a.js", "default-src 'none'"), self.clock, Proxies())

    def test_pieces(self) -> None:
        """Of a file a client that reads nothing holds a piece, and gets all of it once it reads."""
        transport = self.full()
        transport.receive(WHOLE)
        self.assertLess(len(transport.value()), 2 * PIECE)
        total = len(transport.take())
        while transport.producer is not None and total < 1_000_000:
            transport.drain()
            self.assertLessEqual(len(transport.value()), PIECE)
            total += len(transport.take())
        self.assertGreater(total, 1_000_000)
        self.clock.advance(IDLE_TIME - 1)
        self.assertFalse(transport.aborted)

    def test_many_requests(self) -> None:
        """Requests in a row, of which no answer is read, aren't answered one upon the other; many are dropped."""
        transport = self.full()
        transport.receive(WHOLE * 3)
        self.assertLess(len(transport.value()), 2 * PIECE)
        self.site.resource = Greeting()
        transport = self.full()
        transport.receive(WHOLE * 5000)
        self.assertTrue(transport.aborted)
        self.assertLess(len(transport.value()), 2 * PIECE)

    def test_never_read(self) -> None:
        """Who takes nothing for a minute is dropped."""
        transport = self.full()
        transport.receive(WHOLE)
        self.clock.advance(IDLE_TIME - 1)
        self.assertFalse(transport.aborted)
        transport.drain()
        self.clock.advance(IDLE_TIME - 1)
        self.assertFalse(transport.aborted)
        self.clock.advance(1)
        self.assertTrue(transport.aborted)

    def full(self) -> FakeTransport:
        """A transport that holds what is written, and says at once that it has no more room."""
        transport = self.come()
        write = transport.write

        def hold(data: bytes) -> None:
            write(data)
            if len(transport.value()) >= PIECE and transport.producer is not None:
                transport.producer.pauseProducing()

        self.patch(transport, "write", hold)
        self.patch(transport, "writeSequence", lambda pieces: hold(b"".join(pieces)))
        return transport


class Crowds(Case):
    """How many there may be."""

    def test_one_address(self) -> None:
        """One address may have so many unfinished requests, others still come in; finished ones don't count."""
        for _ in range(MOST_FROM_ONE * 2):
            self.come().receive(WHOLE)
        crowd = [self.come() for _ in range(MOST_FROM_ONE)]
        self.assertFalse(any(transport.aborted for transport in crowd))
        self.assertTrue(self.come().aborted)
        self.assertFalse(self.come("192.0.2.2").aborted)
        for transport in crowd:
            self.lose(transport)
        self.assertFalse(self.come().aborted)

    def test_in_all(self) -> None:
        """A proxy may bring a crowd, but no more than there may be in all."""
        crowd = [self.come("10.1.1.1") for _ in range(MOST)]
        self.assertFalse(any(transport.aborted for transport in crowd))
        self.assertTrue(self.come("10.1.1.1").aborted)
