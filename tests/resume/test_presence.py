"""presence.py: whether the other end is there, and when it is taken for lost."""

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.heartbeat import SLOWEST
from streamrelay.resume.presence import Presence
from tests.documented import PRESENCE_ANSWER, PRESENCE_QUIET


@define(eq=False)
class Leg:
    """What a leg knows of itself, as a test says, and what it was asked."""

    sent: int = 0
    taken: int = 0
    is_blocked: bool = False
    asked: list[int] = field(factory=list)
    lost: bool = False

    def ask(self, number: int) -> None:
        self.asked.append(number)

    def silent(self) -> None:
        self.lost = True


class Asking(SynchronousTestCase):
    """One end, whose other end has answered once."""

    def setUp(self) -> None:
        self.clock, self.leg = Clock(), Leg()
        self.presence = Presence(self.clock)
        self.presence.begin(self.leg)
        self.presence.answered(1)
        self.leg.asked.clear()

    def pass_time(self, seconds: float) -> None:
        """Let it pass in steps in which no timer comes late."""
        self.clock.pump([0.5] * round(2 * seconds))

    def test_silence(self) -> None:
        """An end that says nothing is asked after 15 s, and lost after 5 s more."""
        self.pass_time(PRESENCE_QUIET - 1)
        self.assertEqual(self.leg.asked, [])
        self.pass_time(1)
        self.assertEqual(self.leg.asked, [2])
        self.pass_time(PRESENCE_ANSWER - 1)
        self.assertFalse(self.leg.lost)
        self.pass_time(1)
        self.assertTrue(self.leg.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answers(self) -> None:
        """An end that answers is never lost, and one that says anything isn't even asked."""
        for _ in range(10):
            self.pass_time(PRESENCE_QUIET)
            self.presence.heard()
            self.presence.answered(self.leg.asked[-1])
        self.assertEqual(len(self.leg.asked), 10)
        for _ in range(100):
            self.pass_time(5)
            self.presence.heard()
        self.assertEqual((len(self.leg.asked), self.leg.lost), (10, False))

    def test_heard_after_all(self) -> None:
        """Whatever comes after the question is a sign of life, too."""
        self.pass_time(PRESENCE_QUIET + 2)
        self.presence.heard()
        self.pass_time(PRESENCE_QUIET - 1)
        self.assertEqual((self.leg.lost, self.leg.asked), (False, [2]))
        self.pass_time(1 + PRESENCE_ANSWER)
        self.assertTrue(self.leg.lost)

    def test_older(self) -> None:
        """An end that has never answered is asked once for each leg, and never lost."""
        presence, leg = Presence(self.clock), Leg()
        presence.begin(leg)
        self.pass_time(1000)
        self.assertEqual((leg.asked, leg.lost), ([1], False))
        another = Leg()
        presence.begin(another)
        presence.answered(1)  # of the leg before
        self.pass_time(100)
        self.assertEqual((another.asked, another.lost), ([2], False))

    def test_next_leg(self) -> None:
        """Of an end that is known to answer the next leg is asked only when it is quiet."""
        another = Leg()
        self.presence.begin(another)
        self.assertEqual(another.asked, [])
        self.pass_time(PRESENCE_QUIET + PRESENCE_ANSWER)
        self.assertEqual((len(another.asked), another.lost, self.leg.lost), (1, True, False))

    def test_on_its_way(self) -> None:
        """An end has a second more for each 32 KiB that it was sent, and hasn't shown to have."""
        self.leg.sent = 10 * SLOWEST
        self.pass_time(PRESENCE_QUIET + PRESENCE_ANSWER + 9)
        self.assertFalse(self.leg.lost)
        self.pass_time(1)
        self.assertTrue(self.leg.lost)

    def test_arrived(self) -> None:
        """What it has answered for, or confirmed, isn't on its way any more."""
        self.leg.sent = 100 * SLOWEST
        self.pass_time(PRESENCE_QUIET)
        self.presence.heard()
        self.presence.answered(self.leg.asked[-1])
        self.pass_time(PRESENCE_QUIET + PRESENCE_ANSWER)
        self.assertTrue(self.leg.lost)
        self.setUp()
        self.leg.sent = self.leg.taken = 100 * SLOWEST
        self.pass_time(PRESENCE_QUIET + PRESENCE_ANSWER)
        self.assertTrue(self.leg.lost)

    def test_blocked(self) -> None:
        """No answer is expected while something is unsent, or the leg isn't read."""
        self.leg.is_blocked = True
        self.pass_time(600)
        self.assertFalse(self.leg.lost)
        self.leg.is_blocked = False
        self.pass_time(PRESENCE_ANSWER)
        self.assertTrue(self.leg.lost)

    def test_slept(self) -> None:
        """A machine that has slept asks at once, and waits for this answer, whenever it had asked before."""
        self.clock.advance(3600)
        self.assertEqual((self.leg.asked, self.leg.lost), ([2], False))
        self.clock.advance(3600)
        self.assertEqual((self.leg.asked, self.leg.lost), ([2, 3], False))
        self.pass_time(PRESENCE_ANSWER)
        self.assertTrue(self.leg.lost)

    def test_stopped(self) -> None:
        """Without a leg nobody is asked, and what comes late isn't an answer."""
        self.presence.stop()
        self.presence.answered(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
