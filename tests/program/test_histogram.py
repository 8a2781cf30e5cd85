"""histogram.py and lag.py: what is counted, and how it is told."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program.histogram import Histogram
from streamrelay.program.lag import EACH, LoopLag


class Buckets(SynchronousTestCase):
    """Observations by their bounds."""

    def test_cumulative(self) -> None:
        """Each bucket counts all that is no more than its bound, and the last one everything."""
        seen = Histogram((0.1, 1.0))
        for value in (0.0, 0.1, 0.5, 1.0, 7.0):
            seen.observe(value)
        self.assertEqual(seen.buckets, [("0.1", 2.0), ("1.0", 4.0), ("+Inf", 5.0)])
        self.assertAlmostEqual(seen.total, 8.6)


class Lag(SynchronousTestCase):
    """The loop's lag, on a clock that the test moves."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lag = LoopLag(self.clock)
        self.lag.start()

    def test_in_time(self) -> None:
        """A loop that calls its timers in time has no lag."""
        self.clock.pump([1 / 1024] * 1024)
        (_, in_a_millisecond), *_, (_, all_looks) = self.lag.seen.buckets
        self.assertGreaterEqual(all_looks, 9)
        self.assertEqual(in_a_millisecond, all_looks)

    def test_held(self) -> None:
        """A turn that takes 0.3 s shows as 0.2 s at least, once, and not in the looks after it."""
        self.clock.advance(EACH + 0.2)
        self.clock.pump([EACH] * 9)
        self.assertAlmostEqual(self.lag.seen.total, 0.2)
        self.assertEqual(dict(self.lag.seen.buckets)["0.1"], 9.0)

    def test_stopped(self) -> None:
        """Once it is stopped no timer is left."""
        self.lag.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
