"""One timer for many deadlines."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.deadlines import Deadlines


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.missed: list[str | bool] = []
        self.deadlines: Deadlines[str] = Deadlines(self.clock, 5.0, self.missed.append)

    def test_missed(self) -> None:
        """Each thing is told when its own time is over, once."""
        self.deadlines.begin("a")
        self.clock.advance(2)
        self.deadlines.begin("b")
        self.clock.advance(3)
        self.assertEqual(self.missed, ["a"])
        self.clock.advance(2)
        self.assertEqual(self.missed, ["a", "b"])
        self.clock.advance(20)
        self.assertEqual(self.missed, ["a", "b"])

    def test_ended(self) -> None:
        """What has ended in time is told nothing; to end twice, or too late, is no end."""
        self.deadlines.begin("a")
        self.deadlines.begin("b")
        self.assertTrue(self.deadlines.end("a"))
        self.assertFalse(self.deadlines.end("a"))
        self.clock.advance(5)
        self.assertEqual(self.missed, ["b"])
        self.assertFalse(self.deadlines.end("b"))

    def test_ended_by_its_deadline(self) -> None:
        """Who is told may end the thing itself."""
        self.deadlines.missed = lambda thing: self.missed.append(self.deadlines.end(thing))
        self.deadlines.begin("a")
        self.clock.advance(5)
        self.assertEqual(self.missed, [True])

    def test_one_that_fails(self) -> None:
        """Whoever raises when told is told of in the log, and the others are told all the same, each in its time."""

        def missed(thing: str) -> None:
            self.missed.append(thing)
            if thing == "broken":
                raise RuntimeError("broken")

        self.deadlines.missed = missed
        for thing in ("broken", "b"):
            self.deadlines.begin(thing)
        self.clock.advance(1)
        self.deadlines.begin("c")
        self.clock.advance(4)
        self.assertEqual(self.missed, ["broken", "b"])
        self.clock.advance(1)
        self.assertEqual(self.missed, ["broken", "b", "c"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertFalse(self.deadlines.end("broken"))

    def test_one_timer(self) -> None:
        """However many there are, one timer runs, and none once all are through."""
        for number in range(10):
            self.deadlines.begin(str(number))
            self.clock.advance(0.1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(5)
        self.clock.advance(5)
        self.assertEqual((len(self.missed), self.clock.getDelayedCalls()), (10, []))
