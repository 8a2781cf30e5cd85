"""waiting_leg.py: an agent's leg while it waits for its client."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.waiting_leg import NotMet, WaitingLeg
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.control import Met
from tests.fakes.connections import Ear, FakeConnection

MET = b'{"met": {"mode": "v1", "from": "client:1"}}'


class Waiting(SynchronousTestCase):
    """A waiting leg over a fake connection."""

    def setUp(self) -> None:
        self.leg = FakeConnection()
        self.waiting_leg = WaitingLeg(self.leg)
        self.met = self.waiting_leg.begin()

    def test_met(self) -> None:
        """The relay's news ends the waiting, and the leg isn't read until it is joined again."""
        self.leg.feed.control(b'{"resize": [80, 24]}')
        self.assertNoResult(self.met)
        self.leg.feed.control(MET)
        self.assertEqual(self.successResultOf(self.met), Met("v1", "client:1"))
        self.assertTrue(self.leg.paused)

    def test_kept(self) -> None:
        """What came right behind the news is handed over in order."""
        self.leg.feed.control(MET)
        self.leg.receive(b"a")
        self.leg.feed.control(b'{"resize": [80, 24]}')
        self.leg.receive(b"b")
        self.leg.feed.eof()
        self.leg.lose(outcome(CloseCode.LEG_LOST))
        ear = Ear()
        self.waiting_leg.hand_over(ear)
        self.assertEqual([event[0] for event in ear.said], ["bytes", "control", "bytes", "eof", "over", "gone"])
        self.assertEqual((ear.data, ear.codes), (b"ab", [CloseCode.LEG_LOST]))

    def test_early(self) -> None:
        """Bytes, or their end, before the news are a protocol error, and aren't kept."""
        self.assertEqual(self.assertRaises(PeerError, self.leg.receive, b"early").code, CloseCode.PROTOCOL)
        self.assertEqual(self.assertRaises(PeerError, self.leg.feed.eof).code, CloseCode.PROTOCOL)
        self.leg.feed.control(MET)
        ear = Ear()
        self.waiting_leg.hand_over(ear)
        self.assertEqual(ear.said, [])

    def test_unmet(self) -> None:
        """A leg that ends before its client came is not met, with its reason."""
        self.leg.lose(outcome(CloseCode.NOBODY_CAME))
        self.assertEqual(self.failureResultOf(self.met, NotMet).value.outcome.code, CloseCode.NOBODY_CAME)

    def test_lost_before(self) -> None:
        """A leg that was lost before the waiting began is not met either."""
        met = WaitingLeg(FakeConnection(lost=True)).begin()
        self.failureResultOf(met, NotMet)
