"""handshakes.py: how many handshakes may be undone at once, and who waits for a turn."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.net.proxies import Proxies
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.handshakes import LINE, Handshakes
from tests.examples import examples
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

    def start(self, proxies: tuple[str, ...] = (), **settings: Any) -> None:
        config = RelayConfig(listen=("tcp:0:interface=127.0.0.1",), tokens="opaque", **settings)
        self.handshakes = Handshakes(config, self.clock, Proxies.named(proxies, False), lambda: self.legs)

    def turn(self, address: str | None) -> Turn:
        handshake = Turn(address)
        handshake.handshakes = self.handshakes
        handshake.begin()
        return handshake

    def refused(self, address: str | None) -> int:
        refusal: Refused = self.assertRaises(Refused, self.turn, address)
        return refusal.status

    def test_most(self) -> None:
        """Over the most handshakes, and over the most connections, new ones are refused with 503."""
        self.start(max_handshakes=2, max_connections=3)
        for number in (1, 2):
            self.assertTrue(self.turn(f"192.0.2.{number}").begun)
        self.assertEqual(self.refused("192.0.2.3"), 503)
        for handshake in tuple(self.handshakes._undone):
            self.handshakes.end(handshake)
        self.assertEqual(self.handshakes.count, 0)
        self.legs = 3
        self.assertEqual(self.refused("192.0.2.1"), 503)

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

    def test_length(self) -> None:
        """A line is ten times as long as handshakes may be undone; beyond that, and over all lines' most, it is 429."""
        self.start(max_handshakes_per_address=1, max_handshakes=LINE + 1)
        self.assertEqual([self.turn("192.0.2.1").begun for _ in range(LINE + 1)], [True, *[False] * LINE])
        self.assertEqual(self.refused("192.0.2.1"), 429)
        self.assertEqual([self.turn("192.0.2.2").begun for _ in range(2)], [True, False])
        self.assertEqual(self.refused("192.0.2.2"), 429)
        self.assertTrue(self.turn("192.0.2.3").begun)

    def test_waiting_counts(self) -> None:
        """Connections that wait count among all connections."""
        self.start(max_handshakes_per_address=1, max_connections=3)
        for _ in range(3):
            self.turn("192.0.2.1")
        self.assertEqual(self.refused("192.0.2.2"), 503)

    def test_said(self) -> None:
        """Whom the relay drops by a limit is said in its log, a line for each limit with its setting."""
        self.start(max_handshakes=3, max_handshakes_per_address=1, max_connections=30)
        heard = Heard(self)
        held = [self.turn("192.0.2.1") for _ in range(4)]
        self.assertEqual(heard.lines, [])
        for _ in range(10):
            self.assertEqual(self.refused("192.0.2.1"), 429)
        held += [self.turn("192.0.2.2"), self.turn("192.0.2.3")]
        for number in (4, 5):
            self.assertEqual(self.refused(f"192.0.2.{number}"), 503)
        one, all_of_them = "max_handshakes_per_address = 1", "max_handshakes = 3"
        since = "connections were dropped by {}, since the last such line {}"
        expected = [since.format(one, 1), since.format(all_of_them, 1)]
        self.assertEqual([line.split(":")[0] for line in heard.lines], expected)
        self.handshakes.stop()
        expected += [since.format(one, 9), since.format(all_of_them, 1)]
        self.assertEqual([line.split(":")[0] for line in heard.lines], expected)
        self.assertIn("9 of 192.0.2.1", heard.lines[2])

    @examples(100)
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
    def test_any_order(self, steps: list[tuple[bool, int]]) -> None:
        """Whatever comes and goes, an address has no more undone than it may, none waits without need, none is lost."""
        self.start(max_handshakes_per_address=3)
        here: list[Turn] = []
        for comes, number in steps:
            if comes:
                here.append(self.turn(f"192.0.2.{number % 2}"))
            elif here:
                self.handshakes.end(here.pop(number % len(here)))
            for address in ("192.0.2.0", "192.0.2.1"):
                of_one = [turn for turn in here if turn.address == address]
                self.assertEqual(sum(turn.begun for turn in of_one), min(3, len(of_one)))
            self.assertEqual(self.handshakes.count, len(here))
        for turn in here:
            self.handshakes.end(turn)
        self.assertEqual((self.handshakes.count, self.handshakes._lines), (0, {}))
