"""arrivals.py: who has come and not yet said who they are."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.arrivals import Arrivals
from streamrelay.errors import Refused
from tests.fakes import examples


class Counts(SynchronousTestCase):
    """The limits."""

    def test_from_one_place(self) -> None:
        """One place may not have more than its share, while there is room for others; 429 says so."""
        arrivals = Arrivals(10, 2)
        arrivals.enter("a")
        arrivals.enter("a")
        self.assertEqual(self.assertRaises(Refused, arrivals.enter, "a").status, 429)
        arrivals.enter("b")

    def test_in_all(self) -> None:
        """Beyond the most in all everybody is refused with 503, those from uncounted places too."""
        arrivals = Arrivals(2, 2)
        arrivals.enter("")
        arrivals.enter("")
        self.assertEqual(self.assertRaises(Refused, arrivals.enter, "").status, 503)
        self.assertEqual(self.assertRaises(Refused, arrivals.enter, "a").status, 503)

    @examples(100)
    @given(st.lists(st.sampled_from(["a", "b", ""]), max_size=30))
    def test_all_leave(self, places: list[str]) -> None:
        """Once all have left, refused or not, nothing is counted or remembered."""
        arrivals = Arrivals(8, 3)
        for place in places:
            try:
                arrivals.enter(place)
            except Refused:
                continue
        self.assertEqual(arrivals.count, len(places))
        for place in places:
            arrivals.leave(place)
        self.assertEqual((arrivals.count, len(arrivals._by_place)), (0, 0))
