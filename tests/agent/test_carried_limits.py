"""carried.py, stream_quota.py: channels count as streams, and are held to their limits."""

from typing import Any

from twisted.internet.defer import Deferred

from streamrelay.agent.carried import AT_ONCE, Carried
from streamrelay.channels import frames
from streamrelay.channels.frames import OPEN
from streamrelay.errors import TargetError
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.summons import Refusal
from tests.agent.test_carried import Carries
from tests.agent.test_service import FakeCatalogue
from tests.documented import CHANNELS
from tests.fakes.connections import Turns


class Bounded(Carries):
    """Channels count as streams, and are held to their limits."""

    def test_user(self) -> None:
        """Channels count as streams of their user: the stream that carries them only while it has none."""
        self.configure(max_streams=10, max_streams_per_user=2)
        self.carry(user="alice")
        self.open(2)
        self.say(frames.header(OPEN, 3))
        [(_, why)] = self.ends()
        self.assertEqual(why, Outcome(1013, "too many streams of this user on this host (max_streams_per_user)"))
        self.summon("k" * 22, user="alice", stream="t" * 22)
        self.assertEqual(self.answers()[-1].refused, Refusal.BUSY)
        for number in (1, 2):
            self.say(frames.end(number, outcome(CloseCode.LEG_LOST)))
            self.target.made[number - 1].lose()
        for jti, reason in (("l", ""), ("m", why.reason)):
            self.summon(jti * 22, user="alice", stream=jti * 22)
            self.assertEqual(self.answers()[-1].reason, reason)

    def test_target(self) -> None:
        """Channels count as streams of their target, and a stream that only carries doesn't."""
        self.target.max_streams = 2
        self.carry()
        self.open(2)
        self.say(frames.header(OPEN, 3))
        self.assertEqual([how.reason for _, how in self.ends()], ["too many streams to this target (its max_streams)"])
        self.assertEqual(len(self.target.made), 2)

    def test_limits(self) -> None:
        """Each channel is held to the strictest limits by itself, and the others go on."""
        cases: tuple[tuple[dict[str, Any], CloseCode], ...] = (
            ({"quota": 3}, CloseCode.QUOTA),
            ({"lifetime": 4}, CloseCode.LIFETIME),
            ({"idle": 4}, CloseCode.IDLE),
        )
        for limits, code in cases:
            for own in (True, False):
                self.setUp()
                self.configure(max_streams=10, **(limits if own else {}))
                self.carry(**({} if own else limits))
                self.reactor.pump([1] * 3)
                self.say(b"".join(frames.data_frames(1, [memoryview(b"abc")], 3)))
                self.open(2)
                if code is CloseCode.QUOTA:
                    self.say(b"".join(frames.data_frames(2, [memoryview(b"four")], 4)))
                else:
                    self.reactor.advance(1 if code is CloseCode.LIFETIME else 2)
                    self.reactor.advance(0 if code is CloseCode.LIFETIME else 2)
                    self.target.made[1].receive(b"x")
                    self.reactor.advance(0 if code is CloseCode.LIFETIME else 3)
                self.assertEqual(
                    [(n, how.code) for n, how in self.ends()], [(2 if code is CloseCode.QUOTA else 1, code)]
                )

    def test_flood(self) -> None:
        """Of channels that are opened at once only a few are begun in one turn of the reactor, all in the end."""
        self.configure(max_streams=1000)
        self.carry()
        self.dialler.legs[-1].receive(b"".join(frames.header(OPEN, number) for number in range(2, CHANNELS + 1)))
        self.assertEqual(len(self.target.made), 1 + AT_ONCE)
        self.reactor.pump([0] * (CHANNELS // AT_ONCE))
        self.assertEqual(len(self.target.made), CHANNELS)

    def test_opened_for_nothing(self) -> None:
        """Channels that are ended as soon as they are opened connect little, and wait for no turn."""
        self.carry()
        pairs = [frames.header(OPEN, number) + frames.end(number, FINISHED) for number in range(2, 1000)]
        self.dialler.legs[-1].receive(b"".join(pairs))
        turns: Any = self.reactor
        Turns.advance(turns, 0)
        [carried] = [each.carrying for each in self.agent.streams.summoned_streams if each.channels]
        assert isinstance(carried, Carried)
        self.assertEqual((len(self.target.made), len(carried._waiting)), (1 + AT_ONCE, 0))

    def test_no_other_target(self) -> None:
        """A channel leads to the target of its stream's summons, as the list has it by then."""
        self.carry()
        self.patch(FakeCatalogue, "find", self._gone)
        self.say(frames.header(OPEN, 2))
        self.assertEqual(self.ends(), [(2, Outcome(4001, "no such target on this host"))])

    @staticmethod
    def _gone(catalogue: object, name: str) -> Any:
        raise TargetError(Refusal.NO_SUCH_TARGET, "no such target on this host")

    def test_stop(self) -> None:
        """An agent that stops ends all channels with 4005 and its words."""
        self.carry()
        self.open(2)
        Deferred.fromCoroutine(self.agent.streams.stop())
        self.assertEqual(self.dialler.legs[-1].closing, Outcome(4005, "the agent is shutting down"))
        self.assertEqual({event["reason"] for event in self.events("ended")}, set())
        for made in self.target.made:
            self.assertEqual(made.closing.reason, "the agent is shutting down")
            made.lose()
        self.assertEqual({event["reason"] for event in self.events("ended")}, {"the agent is shutting down"})
