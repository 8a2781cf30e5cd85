"""limits.py: strangers' connections to the platform."""

import resource

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from streamrelay.net.descriptors import allowed
from streamrelay.net.proxies import Proxies
from streamrelay.platform.http.assets import Page
from streamrelay.platform.http.limits import BoundedSite
from streamrelay.platform.http.room import Room
from tests.documented import DESCRIPTORS_LEFT, IDLE_TIME, LEAVE_TIME, MOST_CONNECTIONS, PIECE, REQUEST_TIME
from tests.examples import there
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect
from tests.fakes.logs import Heard

FROM_ONE = "connections were dropped by max_connections_per_address = 5, since the last such line"
WAIT = "connections wait for their turn by max_connections_per_address = 5, since the last such line"
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Greeting(Resource):
    """Answers at once."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return b"hello"

    def answer_all(self) -> None:
        """They are answered."""


class Later(Resource):
    """Answers when it is told to."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    def render_GET(self, request: Request) -> int:
        self.asked.append(request)
        return NOT_DONE_YET

    def answer_all(self) -> None:
        for request in self.asked:
            request.write(b"hello")
            request.finish()


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


class Mistaken(Case):
    """Who means another port."""

    def test_tls(self) -> None:
        """Who begins with TLS on a port without it is answered at once, in plain, so that it needn't wait to know."""
        transport = self.come()
        transport.receive(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.assertTrue(transport.take().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(transport.disconnecting)
        transport = self.come()
        transport.receive(WHOLE)
        self.assertIn(b" 200 ", transport.take())
        transport.receive(b"\x16\x03\x01")
        self.assertFalse(transport.disconnecting)


class Hosts(Case):
    """The header Host (RFC 9112 §3.2, RFC 3986 §3.2.2)."""

    def status(self, host: bytes) -> bytes:
        transport = self.come()
        transport.receive(b"GET / HTTP/1.1\r\nHost:" + host + b"\r\n\r\n")
        return transport.take()[9:12]

    def test_forms(self) -> None:
        """Names, addresses and ports are taken; blanks and whatever stands in no host are answered 400."""
        for host in (b" a", b" a.example:80", b" 192.0.2.1", b" [2001:db8::1]:80", b"", b" a:", b" x_y~%41!$&'()*+,;="):
            self.assertEqual(self.status(host), b"200", host)
        bad = (
            b" a b",
            b" a\tb",
            b" a/b",
            b" a@b",
            b" a?b",
            b" a#b",
            b" a\\b",
            b" a:b",
            b" <a>",
            b' "a"',
            b" a,b c",
            b" [::1",
        )
        for host in (*bad, b" a:123456", b" \xc3\xa9", b" a\x01"):
            self.assertEqual(self.status(host), b"400", host)


class Goodbyes(Case):
    """A platform that stops."""

    def test_stop(self) -> None:
        """At a stop silent and idle connections are closed, and a request that is under way is answered as the last
        one."""
        silent, idle = self.come(), self.come()
        idle.receive(WHOLE)
        idle.take()
        self.site.resource = later = Later()
        kept, coming = self.come(), self.come()
        kept.receive(WHOLE)
        coming.receive(WHOLE[:5])
        over = self.site.goodbye.begin()
        self.assertTrue(silent.aborted and idle.disconnecting)
        self.assertFalse(kept.aborted or kept.disconnecting or coming.aborted or coming.disconnecting)
        coming.receive(WHOLE[5:])
        self.assertNoResult(over)
        later.answer_all()
        self.assertIn(b"hello", kept.take())
        answer = coming.take()
        self.assertIn(b"hello", answer)
        self.assertIn(b"connection: close", answer.lower())
        self.assertTrue(kept.disconnecting and coming.disconnecting)
        for transport in (silent, idle, kept, coming):
            self.lose(transport)
        self.successResultOf(over)

    def test_nobody(self) -> None:
        """Without connections the stop is over at once."""
        self.successResultOf(self.site.goodbye.begin())


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

    def test_begun_with_the_one_before(self) -> None:
        """A request that begins in the segment of the one before has its ten seconds too, wherever it breaks off."""
        for rest in (b"G", WHOLE[:-2], b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"):
            for answering in (Greeting(), Later()):
                self.site.resource = answering
                transport = self.come()
                transport.receive(WHOLE + rest)
                answering.answer_all()
                self.assertIn(b"hello", transport.take())
                self.clock.advance(REQUEST_TIME - 1)
                self.assertFalse(transport.aborted)
                self.clock.advance(1)
                self.assertTrue(transport.aborted, rest)

    def test_being_answered(self) -> None:
        """While a request is answered, however long that takes, its connection isn't dropped."""
        self.site.resource = Later()
        transport = self.come()
        transport.receive(WHOLE)
        self.clock.advance(REQUEST_TIME * 3)
        self.assertFalse(transport.aborted)
        self.site.resource.answer_all()
        self.assertIn(b"hello", transport.take())


class Unread(Case):
    """Answers that their client doesn't take."""

    def setUp(self) -> None:
        super().setUp()
        self.site = BoundedSite(Page(b"x" * 1_000_000, "a.js", lambda: "default-src 'none'"), self.clock, Proxies())

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
                there(transport.producer).pauseProducing()

        self.patch(transport, "write", hold)
        self.patch(transport, "writeSequence", lambda pieces: hold(b"".join(pieces)))
        return transport


class Crowds(Case):
    """How many there may be."""

    def setUp(self) -> None:
        super().setUp()
        room = Room(max_connections=12, max_connections_per_address=5, max_handshakes=10, max_handshakes_per_address=3)
        self.site = BoundedSite(Greeting(), self.clock, Proxies.named(["10.0.0.0/8"], False), room)
        self.heard = Heard(self)

    @property
    def logged(self) -> list[str]:
        """The warnings."""
        return [formatEvent(event) for event in self.heard.events if event.get("log_level") == LogLevel.warn]

    def idle(self, host: str = "192.0.2.1") -> FakeTransport:
        transport = self.come(host)
        transport.receive(WHOLE)
        return transport

    def test_one_address(self) -> None:
        """One address may have so many unfinished requests, others still come in; finished ones don't count."""
        for _ in range(8):
            self.lose(self.idle())
        crowd = [self.come() for _ in range(3)]
        waiting, other = self.come(), self.come("192.0.2.2")
        self.assertEqual([transport.reading for transport in (*crowd, waiting, other)], [True] * 3 + [False, True])
        for transport in crowd:
            self.lose(transport)
        self.assertTrue(waiting.reading and self.come().reading)

    def test_in_all(self) -> None:
        """A proxy may bring a crowd, but no more than there may be in all."""
        crowd = [self.come("10.1.1.1") for _ in range(10)]
        self.assertFalse(any(transport.aborted for transport in crowd))
        self.assertTrue(self.come("10.1.1.1").aborted)
        self.assertIn("max_handshakes = 10", self.logged[-1])

    def test_idle(self) -> None:
        """Connections count while they are idle; over the limit of an address its longest idle one gives way, once what
        is left of its answer has gone out, and after a second at the latest."""
        other = self.idle("192.0.2.2")
        crowd = [self.idle() for _ in range(5)]
        crowd[0].receive(WHOLE)  # no longer the one that was idle for the longest time
        new = self.come()
        closing = [transport.disconnecting for transport in (other, *crowd, new)]
        self.assertEqual((closing, new.reading), ([False, False, True] + [False] * 4, False))
        self.lose(crowd[1])
        self.assertTrue(new.reading)
        last = self.come()
        self.clock.advance(LEAVE_TIME)
        self.assertEqual([transport.aborted for transport in crowd], [False, False, True, False, False])
        self.assertTrue(last.reading)

    def test_at_work(self) -> None:
        """Over the limit of an address with none idle the new one waits until one is, and is dropped when its request's
        time is over, which a line tells with setting and address."""
        self.site.resource = Later()
        crowd = [self.idle() for _ in range(5)]
        waiting, other = self.come(), self.come("192.0.2.2")
        self.assertEqual([transport.reading for transport in (waiting, other)], [False, True])
        self.assertEqual((self.logged, self.heard.lines[-1]), ([], f"{WAIT} 1: 1 of 192.0.2.1"))
        self.clock.advance(REQUEST_TIME)
        self.assertTrue(waiting.aborted)
        self.assertFalse(any(transport.aborted for transport in crowd))
        self.assertEqual(self.logged, [f"{FROM_ONE} 1: 1 of 192.0.2.1"])
        waiting = self.come()
        self.site.resource.answer_all()
        self.assertTrue(all(transport.disconnecting for transport in crowd))
        self.assertFalse(any(transport.aborted for transport in crowd))
        self.lose(crowd[0])
        self.assertTrue(waiting.reading)

    def test_of_one_network(self) -> None:
        """A /64 of IPv6 counts as one address."""
        self.site.resource = Later()
        for number in range(5):
            self.idle(f"2001:db8::{number}")
        self.assertFalse(self.come("2001:db8::99").reading)
        self.assertTrue(self.come("2001:db8:0:1::99").reading)

    def test_no_room_in_all(self) -> None:
        """Over the limit in all the longest idle of all gives way, a proxy's too; else the new one is told 503 and when
        to come again, once its request is whole, and is closed. Of many such all but a few are dropped."""
        self.site.resource = Later()
        crowd = [self.idle(f"192.0.2.{number % 6}") for number in range(11)]
        self.site.resource = Greeting()
        proxied = self.idle("10.1.1.1")
        self.assertFalse(self.come("192.0.2.77").aborted)
        self.assertTrue(proxied.aborted)
        shed = self.come("192.0.2.78")
        shed.receive(WHOLE[:-2])
        self.assertEqual((shed.take(), shed.disconnecting), (b"", False))
        shed.receive(WHOLE[-2:])
        answer = shed.take().lower()
        self.assertTrue(answer.startswith(b"http/1.1 503 "))
        for line in (b"retry-after: 2\r\n", b"connection: close\r\n", b'"code":"unavailable"'):
            self.assertIn(line, answer)
        self.assertTrue(shed.disconnecting)
        more = [self.come(f"192.0.2.{number}") for number in (78, 79, 80)]
        self.assertEqual([transport.aborted for transport in more], [False, False, True])
        self.assertFalse(any(transport.aborted for transport in crowd))
        told = "connections were dropped by max_connections = 12, since the last such line 1: 1 of 192.0.2.7"
        self.assertEqual(self.logged, [f"{told}7"])
        self.clock.advance(60)
        more_told = f"{told[: -len('1: 1 of 192.0.2.7')]}4: 2 of 192.0.2.78, the others of 2 more addresses"
        self.assertEqual(self.logged, [f"{told}7", more_told])
        self.assertTrue(all(transport.aborted for transport in more))
        self.lose(shed)
        self.lose(crowd[0])
        self.assertIn(b" 200 ", self.idle("192.0.2.78").take())

    def test_unread(self) -> None:
        """One whose answer isn't taken doesn't give way."""
        self.site.resource = Page(b"x" * 1_000_000, "a.js", lambda: "default-src 'none'")
        crowd = [self.idle() for _ in range(5)]
        for transport in crowd:
            there(transport.producer).pauseProducing()
        self.assertFalse(self.come().reading)
        self.assertFalse(any(transport.aborted or transport.disconnecting for transport in crowd))

    def test_told_once_a_minute(self) -> None:
        """A crowd is told by a line at once, and one a minute later with the count; at a stop what is left."""
        self.site.resource = Later()
        for _ in range(5):
            self.idle()
        for _ in range(100):
            self.come()
        expected = [f"{FROM_ONE} 1: 1 of 192.0.2.1", f"{FROM_ONE} 99: 99 of 192.0.2.1"]
        self.clock.advance(59)
        self.assertEqual(self.logged, expected[:1])
        self.clock.advance(1)
        self.assertEqual(self.logged, expected)
        for _ in range(8):  # of whom seven wait
            self.come()
        self.clock.advance(REQUEST_TIME)
        self.site.doStart()
        self.site.doStop()
        self.assertEqual(self.logged, [*expected, f"{FROM_ONE} 8: 8 of 192.0.2.1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_leave(self) -> None:
        """Once all are gone, dropped or not, nothing is counted or remembered."""
        came = [self.idle(f"192.0.2.{number % 4}") if number % 3 else self.come() for number in range(60)]
        for transport in came:
            self.lose(transport)
        for limit in (self.site.connections, self.site.handshakes):
            self.assertEqual((limit.quota.count, len(limit.quota._by_bucket)), (0, 0))
        self.assertEqual((limit.waiting, limit.last()), (0, None))
        self.assertIsNone(self.site.idle.longest(None))

    def test_from_descriptors(self) -> None:
        """Without a setting connections take what descriptors there are, but for some that other things need."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        for descriptors, most in ((1024, 1024 - DESCRIPTORS_LEFT), (4096, 4096 - DESCRIPTORS_LEFT), (200, 100)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, before[1]))
            self.assertEqual(Room().max_connections, most)
            self.assertEqual(Room(7).max_connections, 7)

    def test_most(self) -> None:
        """However many descriptors there are, no more connections than the documents say are allowed."""
        for descriptors, most in (
            (MOST_CONNECTIONS + DESCRIPTORS_LEFT - 1, MOST_CONNECTIONS - 1),
            (MOST_CONNECTIONS + DESCRIPTORS_LEFT + 1, MOST_CONNECTIONS),
            (1 << 20, MOST_CONNECTIONS),
            (resource.RLIM_INFINITY, MOST_CONNECTIONS),
        ):
            self.patch(resource, "getrlimit", lambda _, here=descriptors: (here, here))
            self.assertEqual(allowed(), most)

    def test_told_at_the_start(self) -> None:
        """More connections than there are descriptors for are told when the site starts."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
        for given, warnings in ((0, 0), (896, 0), (897, 1)):
            site = BoundedSite(Greeting(), self.clock, Proxies(), Room(given))
            self.assertEqual(len(self.logged), 0)
            self.addCleanup(site.stopFactory)
            site.startFactory()
            self.assertEqual(len(self.logged), warnings)
