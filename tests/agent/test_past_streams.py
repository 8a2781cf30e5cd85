"""past_streams.py: how streams have ended, for those who come back too late."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.past_streams import PastStreams
from streamrelay.protocol.summons import PastEnd
from tests.documented import PAST_STREAMS, PAST_STREAMS_TIME

END = PastEnd(4006, "maintenance")


class Past(SynchronousTestCase):
    """An agent's memory of streams."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.past = PastStreams(self.clock)

    def test_found(self) -> None:
        """An end is told to its own user, for a day."""
        self.past.add("alice", "s", END)
        for user, stream, told in (("alice", "s", END), ("bob", "s", None), ("alice", "t", None), ("", "s", None)):
            self.assertEqual(self.past.find(user, stream), told)
        self.clock.advance(PAST_STREAMS_TIME)
        self.assertEqual(self.past.find("alice", "s"), END)
        self.clock.advance(1)
        self.assertIsNone(self.past.find("alice", "s"))

    def test_last(self) -> None:
        """Of one id the last end counts."""
        self.past.add("alice", "s", END)
        self.past.add("alice", "s", PastEnd(1000))
        self.assertEqual(self.past.find("alice", "s"), PastEnd(1000))

    def test_bound(self) -> None:
        """A thousand are remembered; who has many takes nothing from who has few."""
        self.past.add("bob", "b", END)
        for number in range(3 * PAST_STREAMS):
            self.past.add("alice", f"{number}", END)
        self.assertEqual(self.past.find("bob", "b"), END)
        known = [number for number in range(3 * PAST_STREAMS) if self.past.find("alice", f"{number}")]
        self.assertEqual(known, list(range(2 * PAST_STREAMS + 1, 3 * PAST_STREAMS)))

    def test_forgotten(self) -> None:
        """Nothing is left of who isn't remembered any more."""
        past = PastStreams(self.clock, most=1)
        for name in ("alice", "bob", "carol"):
            past.add(name, "s", END)
        self.assertEqual([bool(past.find(name, "s")) for name in ("alice", "bob", "carol")], [False, False, True])
        self.clock.advance(PAST_STREAMS_TIME + 1)
        past.find("carol", "s")
        self.assertEqual((past._count, past._ends), (0, {}))
