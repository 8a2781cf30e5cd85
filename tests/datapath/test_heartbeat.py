"""heartbeat.py: one heartbeat for all."""

from attrs import define
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.heartbeat import Beating, Heartbeat
from tests.documented import BEAT


@define(eq=False, slots=False)
class Member:
    """Counts its beats, and may leave at one."""

    heartbeat: Heartbeat
    beats: int = 0
    leaves: Beating | None = None

    def beat(self) -> None:
        self.beats += 1
        if self.leaves is not None:
            self.heartbeat.discard(self.leaves)


class Beats(SynchronousTestCase):
    """A heartbeat on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.heartbeat = Heartbeat(self.clock)

    def test_every_five_seconds(self) -> None:
        """Each member is told every five seconds, not at once."""
        members = [Member(self.heartbeat) for _ in range(3)]
        for member in members:
            self.heartbeat.add(member)
        self.clock.advance(BEAT - 0.1)
        self.assertEqual([member.beats for member in members], [0, 0, 0])
        self.clock.pump([0.1, BEAT, BEAT])
        self.assertEqual([member.beats for member in members], [3, 3, 3])

    def test_turns(self) -> None:
        """Of members that came one after the other few have their beat in the same turn of the reactor."""
        members = [Member(self.heartbeat) for _ in range(50)]
        for member in members:
            self.heartbeat.add(member)
            self.clock.advance(BEAT / 50)
        beats = sum(member.beats for member in members)
        for _ in range(100):
            self.clock.advance(BEAT / 50)
            now = sum(member.beats for member in members)
            self.assertLessEqual(now - beats, 6)
            beats = now
        self.assertEqual({member.beats for member in members[1:]}, {2})

    def test_after_a_pause(self) -> None:
        """A process that was stopped for a minute beats once then, as its peers' signs wait to be read."""
        member = Member(self.heartbeat)
        self.heartbeat.add(member)
        self.clock.advance(60)
        self.assertEqual(member.beats, 1)
        self.clock.advance(BEAT)
        self.assertEqual(member.beats, 2)

    def test_rests(self) -> None:
        """A heartbeat without members leaves no timer behind, and beats again for the next one."""
        member = Member(self.heartbeat)
        self.heartbeat.add(member)
        self.heartbeat.discard(member)
        self.heartbeat.discard(member)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.heartbeat.add(member)
        self.clock.advance(BEAT)
        self.assertEqual(member.beats, 1)

    def test_one_that_fails(self) -> None:
        """A member that raises is told of in the log, once, and stops neither the others' beats nor its own."""
        members = [Member(self.heartbeat) for _ in range(9)]
        for member in members:
            self.heartbeat.add(member)
        broken, was = members[4], members[4].beat

        def beat() -> None:
            was()
            raise RuntimeError("broken")

        self.patch(broken, "beat", beat)
        self.clock.pump([BEAT] * 3)
        self.assertEqual([member.beats for member in members], [3] * 9)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        for member in members:
            self.heartbeat.discard(member)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leaving_at_a_beat(self) -> None:
        """Members may leave while they are told, themselves and others."""
        one, two = Member(self.heartbeat), Member(self.heartbeat)
        one.leaves, two.leaves = one, two
        self.heartbeat.add(one)
        self.heartbeat.add(two)
        self.clock.advance(BEAT)
        self.assertEqual((one.beats, two.beats), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])
