"""deadline.py: a time limit that may be set anew."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.deadline import Deadline


class Limits(SynchronousTestCase):
    """A deadline on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.missed: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.missed.append(self.clock.seconds()))

    def test_missed(self) -> None:
        """A deadline that is missed says so once, and can be set again."""
        self.deadline.set(5)
        self.clock.pump([4.9, 0.1, 100])
        self.assertEqual(self.missed, [5.0])
        self.deadline.set(1)
        self.clock.advance(1)
        self.assertEqual(self.missed, [5.0, 106.0])

    def test_set_anew(self) -> None:
        """A deadline that is set anew counts from then on, be that sooner or later."""
        self.deadline.set(60)
        self.clock.advance(10)
        self.deadline.set(2)
        self.deadline.set(3)
        self.clock.pump([2.5, 0.5, 100])
        self.assertEqual(self.missed, [13.0])

    def test_stopped(self) -> None:
        """A deadline that is stopped, once or twice, is never missed and leaves no timer."""
        self.deadline.stop()
        self.deadline.set(5)
        self.deadline.stop()
        self.deadline.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(100)
        self.assertEqual(self.missed, [])
