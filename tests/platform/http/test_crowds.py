"""limits.py: bursts of many users behind one address, and a user who shares theirs with a crowd of strangers."""

from twisted.web.resource import Resource
from twisted.web.server import Request

from streamrelay.net.proxies import Proxies
from streamrelay.platform.http.limits import BoundedSite, remember
from streamrelay.platform.http.room import Room
from tests.documented import REQUEST_TIME
from tests.fakes.channels import FakeTransport
from tests.fakes.logs import Heard
from tests.platform.http.test_limits import WHOLE, Case, Later

ASKED = b"GET / HTTP/1.1\r\nHost: a\r\nX-User: alice\r\n\r\n"


class Knowing(Resource):
    """Answers at once, and takes whoever names a user for that user."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        remember(request, request.getHeader("x-user") or "")
        return b"hello"


class Bursts(Case):
    """A site with little room, whose connections are closed in the next turn, as real ones are."""

    def setUp(self) -> None:
        super().setUp()
        room = Room(max_connections=60, max_connections_per_address=10, max_handshakes=40, max_handshakes_per_address=5)
        self.site = BoundedSite(Knowing(), self.clock, Proxies(), room)
        self.heard = Heard(self)

    def settle(self, transports: list[FakeTransport]) -> bool:
        """Lose those that are closed; tell whether there was one."""
        closed = [transport for transport in transports if transport.disconnecting and transport.connected]
        for transport in closed:
            transport.connected = False
            self.lose(transport)
        return bool(closed)

    def test_burst(self) -> None:
        """Of so many that come at once each is served in the end, no one is reset, and few are read at a time."""
        crowd = [self.come() for _ in range(40)]
        self.assertEqual(sum(transport.reading for transport in crowd), 5)
        self.assertTrue(self.come("192.0.2.2").reading)
        answered: set[int] = set()
        most = 0
        while reading := [each for each in crowd if each.reading and id(each) not in answered and each.connected]:
            most = max(most, len(reading))
            reading[0].receive(WHOLE)
            self.assertIn(b"hello", reading[0].take())
            answered.add(id(reading[0]))
            self.settle(crowd)
        self.assertEqual((len(answered), most), (40, 5))
        self.assertFalse(any(transport.aborted for transport in crowd))
        self.assertNotIn("dropped", "".join(self.heard.lines))

    def test_pipelined(self) -> None:
        """A second request that begins while its address is crowded isn't read on until its turn; none is lost."""
        first = self.come()
        first.receive(WHOLE)
        crowd = [self.come() for _ in range(5)]
        first.take()
        first.receive(WHOLE[:7])
        self.assertFalse(first.reading)
        first.receive(WHOLE[7:20])  # read along with it
        self.assertEqual(first.take(), b"")
        self.lose(crowd[0])
        self.assertTrue(first.reading)
        first.receive(WHOLE[20:])
        self.assertIn(b"hello", first.take())
        self.lose(first)

    def test_shared_with_strangers(self) -> None:
        """A connection that has brought a good credential is neither closed nor held up for strangers beside it."""
        known = self.come()
        known.receive(ASKED)
        strangers = [self.come() for _ in range(30)]
        self.assertFalse(strangers[-1].reading)
        for _ in range(3):
            known.take()
            for piece in (ASKED[:9], ASKED[9:]):
                known.receive(piece)
                self.assertTrue(known.reading)
            self.assertIn(b"hello", known.take())
        for stranger in strangers:
            if stranger.reading:
                stranger.receive(WHOLE)
        self.settle(strangers)
        self.clock.advance(REQUEST_TIME)
        self.assertFalse(known.aborted or known.disconnecting)

    def test_user(self) -> None:
        """A user's connections have their own limits at an address, and none is passed by names that are none."""
        crowd = [self.come() for _ in range(2)]
        for transport in crowd * 4:
            transport.receive(ASKED)
        for _ in range(20):
            crowd.append(self.come())
            crowd[-1].receive(ASKED)
            self.settle(crowd)
        self.assertEqual(self.site.connections.quota.of("alice at 192.0.2.1"), 10)
        self.assertLessEqual(self.site.connections.quota.of("192.0.2.1"), 10)

    def test_full(self) -> None:
        """Where there is no room in all, those who wait give way to another address, before anybody who is idle."""
        idle = self.come("192.0.2.3")
        idle.receive(WHOLE)
        self.site.resource = Later()
        busy = [self.come(f"192.0.2.{100 + number // 10}") for number in range(20)]
        for transport in busy:
            transport.receive(WHOLE)
        crowd = [self.come() for _ in range(60)]
        self.assertEqual(sum(not transport.aborted for transport in crowd), 39)
        self.assertTrue(self.come("192.0.2.2").reading)
        self.assertEqual(sum(not transport.aborted for transport in crowd), 38)
        self.assertFalse(any(transport.aborted for transport in (idle, *busy, *crowd[:10])))
