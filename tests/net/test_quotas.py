"""quotas.py: who has come and not yet said who they are."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.net.quotas import MOST_BUCKETS, ConnectionQuota, TurnedAway
from tests.examples import examples
from tests.fakes.logs import Heard


class Counts(SynchronousTestCase):
    """The limits."""

    def test_from_one_place(self) -> None:
        """One bucket may not have more than its share, while there is room for others; 429 says so."""
        quota = ConnectionQuota(10, 2)
        quota.enter("a")
        quota.enter("a")
        self.assertEqual(self.assertRaises(Refused, quota.enter, "a").status, 429)
        quota.enter("b")

    def test_in_all(self) -> None:
        """Beyond the most in all everybody is refused with 503, those from uncounted places too."""
        quota = ConnectionQuota(2, 2)
        quota.enter("")
        quota.enter("")
        self.assertEqual(self.assertRaises(Refused, quota.enter, "").status, 503)
        self.assertEqual(self.assertRaises(Refused, quota.enter, "a").status, 503)

    @examples(100)
    @given(st.lists(st.sampled_from(["a", "b", ""]), max_size=30))
    def test_all_leave(self, places: list[str]) -> None:
        """Once all have left, refused or not, nothing is counted or remembered."""
        quota = ConnectionQuota(8, 3)
        for bucket in places:
            try:
                quota.enter(bucket)
            except Refused:
                continue
        self.assertEqual(quota.count, len(places))
        for bucket in places:
            quota.leave(bucket)
        self.assertEqual((quota.count, len(quota._by_bucket)), (0, 0))


class Said(SynchronousTestCase):
    """What the log says of those who are turned away."""

    def setUp(self) -> None:
        self.clock, self.heard = Clock(), Heard(self)
        self.away = TurnedAway(self.clock, "max_handshakes_per_address = 20")

    def test_once_a_minute(self) -> None:
        """A burst is one line within a second, with the count, the address and the setting; what follows in the same
        minute is one more at its end."""
        for _ in range(40):
            self.away.count("10.0.0.1")
        self.clock.advance(1)
        expected = "40 connections were dropped by max_handshakes_per_address = 20: 40 of 10.0.0.1"
        self.assertEqual(self.heard.lines, [expected])
        for bucket in ("10.0.0.1", "10.0.0.1", "10.0.0.2", ""):
            self.clock.advance(5)
            self.away.count(bucket)
        self.clock.advance(39)
        self.assertEqual(len(self.heard.lines), 1)
        self.clock.advance(1)
        self.assertTrue(self.heard.lines[1].endswith("2 of 10.0.0.1, the others of 2 more addresses"), self.heard.lines)
        self.clock.advance(200)
        self.assertEqual((len(self.heard.lines), self.clock.getDelayedCalls()), (2, []))

    def test_many_places(self) -> None:
        """Whoever has a million addresses fills no memory."""
        for number in range(5000):
            self.away.count(str(number))
        self.assertLessEqual(len(self.away._by_bucket), MOST_BUCKETS + 1)
        self.clock.advance(1)
        self.assertTrue(self.heard.lines[0].startswith("5000 connections"), self.heard.lines)

    def test_at_a_stop(self) -> None:
        """What isn't said yet is said when the program stops."""
        self.away.stop()
        self.away.count("a")
        self.away.stop()
        self.assertEqual((len(self.heard.lines), self.clock.getDelayedCalls()), (1, []))
