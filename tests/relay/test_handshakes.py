"""handshakes.py: how many handshakes may be undone at once, and who waits for a turn."""

import resource
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.net.descriptors import SPARE
from streamrelay.net.proxies import Proxies
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.handshakes import Handshakes
from streamrelay.relay.waiting_room import Crowded
from tests.documented import DESCRIPTORS_LEFT
from tests.fakes.admission import FakeHandshake
from tests.fakes.logs import Heard


class Turn(FakeHandshake):
    """A connection that asks again when its turn comes, as the relay's do."""

    handshakes: Handshakes

    def begin(self) -> None:
        self.begun = self.handshakes.begin(self)


class HandshakesTest(SynchronousTestCase):
    """Handshakes by address."""

    def setUp(self) -> None:
        self.clock, self.legs = Clock(), 0
        self.there: list[Turn] = []

    def start(self, proxies: tuple[str, ...] = (), **settings: Any) -> None:
        config = RelayConfig(listen=("tcp:0:interface=127.0.0.1",), tokens="opaque", **settings)
        self.handshakes = Handshakes(config, self.clock, Proxies.named(proxies, False), lambda: self.legs)

    def turn(self, address: str | None) -> Turn:
        handshake = Turn(address)
        handshake.handshakes = self.handshakes
        self.there.append(handshake)
        handshake.begin()
        return handshake

    def refused(self, address: str | None) -> int:
        refusal: Refused = self.assertRaises(Refused, self.turn, address)
        return refusal.status

    def has_room(self) -> bool:
        try:
            self.handshakes.check_room("192.0.2.9")
        except Crowded as refusal:
            self.assertEqual(refusal.status, 503)
            return False
        return True

    def test_most(self) -> None:
        """Over the most handshakes, and over the most connections, new ones are refused with 503."""
        self.start(max_handshakes=2, max_connections=3)
        for number in (1, 2):
            self.assertTrue(self.turn(f"192.0.2.{number}").begun)
        self.assertEqual(self.refused("192.0.2.3"), 503)
        for handshake in tuple(self.there):
            self.handshakes.end(handshake)
        self.assertEqual(self.handshakes.count, 0)
        self.legs = 3
        self.assertEqual(self.refused("192.0.2.1"), 503)

    def test_descriptors(self) -> None:
        """Before the descriptors are used up new ones are refused with 503, however many the setting allows: without a
        descriptor nobody could be answered."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.start(max_handshakes=200)
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS_LEFT + 900, hard))
        self.legs = 899
        self.turn("192.0.2.1")
        self.assertTrue(self.has_room())
        self.turn("192.0.2.2")
        self.assertFalse(self.has_room())
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS_LEFT + 901, hard))
        self.assertTrue(self.has_room())

    def test_answered(self) -> None:
        """Some over the most connections begin all the same, as only who was read can be answered; far fewer than there
        are descriptors left, beyond which nobody is heard."""
        heard = Heard(self)
        self.start(max_handshakes=200, max_connections=400)
        self.legs = 400
        for number in range(SPARE):
            self.turn(f"192.0.2.{number}")
            self.assertFalse(self.has_room())
        self.assertLess(SPARE, DESCRIPTORS_LEFT)
        self.assertEqual(self.refused("192.0.2.1"), 503)
        self.assertIn("max_connections = 400, since the last such line 1:", heard.text)

    def test_line(self) -> None:
        """Over the most of one address they wait, and begin in their order as those before them end; others begin."""
        self.start(max_handshakes_per_address=2, proxies=("10.0.0.0/8", "unix"))
        first, second, third, fourth = (self.turn("192.0.2.1") for _ in range(4))
        self.assertEqual([turn.begun for turn in (first, second, third, fourth)], [True, True, False, False])
        mapped = self.turn("::ffff:192.0.2.1")
        neighbours = [self.turn(f"2001:db8::{number}").begun for number in range(3)]
        self.assertEqual((mapped.begun, neighbours), (False, [True, True, False]))
        for address in ("192.0.2.2", *["10.1.1.1"] * 3, *[None] * 3):
            self.assertTrue(self.turn(address).begun)
        self.handshakes.end(third)  # it was lost while it waited
        self.handshakes.end(first)
        self.assertEqual((third.begun, fourth.begun, mapped.begun), (False, True, False))
        self.handshakes.end(first)  # said twice
        self.assertFalse(mapped.begun)
        self.handshakes.end(second)
        self.assertTrue(mapped.begun)

    def test_waiting_counts(self) -> None:
        """Connections that wait count among all connections."""
        self.start(max_handshakes_per_address=1, max_connections=3)
        for _ in range(3):
            self.turn("192.0.2.1")
        self.assertEqual(self.refused("192.0.2.2"), 503)

    def test_said(self) -> None:
        """Whom the relay lets wait or drops by a limit is said in its log, a line for each limit with its setting."""
        self.start(max_handshakes=3, max_handshakes_per_address=1, max_connections=30)
        heard = Heard(self)
        held = [self.turn("192.0.2.1") for _ in range(4)]
        (waiting,) = heard.lines
        one, all_of_them = "max_handshakes_per_address = 1", "max_handshakes = 3"
        self.assertEqual(
            waiting, f"connections wait for their turn by {one}, since the last such line 1: 1 of 192.0.2.1"
        )
        heard.events.clear()
        for _ in range(10):
            self.assertEqual(self.refused("192.0.2.1"), 429)
        held += [self.turn("192.0.2.2"), self.turn("192.0.2.3")]
        for number in (4, 5):
            self.assertEqual(self.refused(f"192.0.2.{number}"), 503)
        since = "connections were dropped by {}, since the last such line {}"
        expected = [since.format(one, 1), since.format(all_of_them, 1)]
        self.assertEqual([line.split(":")[0] for line in heard.lines], expected)
        self.handshakes.stop()
        expected += [since.format(one, 9), since.format(all_of_them, 1)]
        self.assertEqual([line.split(":")[0] for line in heard.lines[:-1]], expected)
        self.assertIn("wait for their turn", heard.lines[-1])
        self.assertIn("9 of 192.0.2.1", heard.lines[2])
