"""vigil.py: an agent's leg while it waits for its client."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.endings import Close, ending
from streamrelay.errors import PeerError
from streamrelay.vigil import Unmet, Vigil
from streamrelay.wire import Met
from tests.fakes import Ear, FakeConnection

MET = b'{"met": {"mode": "v1", "from": "client:1"}}'


class Waiting(SynchronousTestCase):
    """A vigil over a fake leg."""

    def setUp(self) -> None:
        self.leg = FakeConnection()
        self.vigil = Vigil(self.leg)
        self.met = self.vigil.begin()

    def test_met(self) -> None:
        """The relay's news ends the vigil, and the leg isn't read until it is joined again."""
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
        self.leg.lose(ending(Close.LEG_LOST))
        ear = Ear()
        self.vigil.hand_over(ear)
        self.assertEqual([event[0] for event in ear.said], ["bytes", "control", "bytes", "eof", "over", "gone"])
        self.assertEqual((ear.data, ear.codes), (b"ab", [Close.LEG_LOST]))

    def test_early(self) -> None:
        """Bytes, or their end, before the news are a protocol error, and aren't kept."""
        self.assertEqual(self.assertRaises(PeerError, self.leg.receive, b"early").code, Close.PROTOCOL)
        self.assertEqual(self.assertRaises(PeerError, self.leg.feed.eof).code, Close.PROTOCOL)
        self.leg.feed.control(MET)
        ear = Ear()
        self.vigil.hand_over(ear)
        self.assertEqual(ear.said, [])

    def test_unmet(self) -> None:
        """A leg that ends before its client came is unmet, with its reason."""
        self.leg.lose(ending(Close.NOBODY_CAME))
        self.assertEqual(self.failureResultOf(self.met, Unmet).value.ending.code, Close.NOBODY_CAME)

    def test_lost_before(self) -> None:
        """A leg that was lost before the vigil began is unmet as well."""
        met = Vigil(FakeConnection(lost=True)).begin()
        self.failureResultOf(met, Unmet)
