"""quotas.py: who has come and not yet said who they are."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import Refused
from streamrelay.net.quotas import ConnectionQuota, turned_away
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

    def test_said(self) -> None:
        """The line has the count, the address with most of them, and the setting."""
        clock, heard = Clock(), Heard(self)
        away = turned_away(clock, "max_handshakes_per_address = 20")
        for bucket in ("10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", ""):
            away.count(bucket)
        clock.advance(60)
        words = "connections were dropped by max_handshakes_per_address = 20, since the last such line"
        rest = f"{words} 4: 2 of 10.0.0.1, the others of 2 more addresses"
        self.assertEqual(heard.lines, [f"{words} 1: 1 of 10.0.0.1", rest])
        away.stop()
