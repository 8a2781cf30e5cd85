"""resuming.py: streams of a host that are held without a leg, and taken up again."""

import time
from functools import partial
from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.service import Agent
from streamrelay.bus.message import Message
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.control import StreamEnd, Word
from streamrelay.protocol.summons import Answer, PastEnd, Refusal
from streamrelay.protocol.tokens import Signer
from streamrelay.resume.outgoing import OVERHEAD
from streamrelay.websocket.dial_errors import DialError
from tests.agent.test_service import MET, RELAY, Case, FakeDialler, FakeMemory
from tests.documented import SLOWEST
from tests.examples import STREAM
from tests.fakes.connections import FakeConnection
from tests.fakes.files import key_pair

HOLD = 120.0
LOST = outcome(CloseCode.LEG_LOST)


class Holding(Case):
    """An agent that holds streams, for a platform that signs."""

    def setUp(self) -> None:
        super().setUp()
        private, public = key_pair(self)
        self.signer, self.public = Signer.load(str(private)), str(public)
        self.start()

    def start(self, **settings: Any) -> None:
        config = AgentConfig("web-1", platform_key=(self.public,), **settings)
        self.agent = Agent(config, self.catalogue, self.reactor, time.time)
        self.agent.bus, self.agent.memory = self.bus, FakeMemory()
        self.bus.published.clear()
        self.agent.streams.legs.dialler = self.dialler = FakeDialler(self.reactor, self.agent.streams.heartbeat)

    def ask(self, role: str, **claims: Any) -> Answer:
        self.ask_only(role, **claims)
        return self.answers()[-1]

    def ask_only(self, role: str, **claims: Any) -> None:
        about = {"stream": STREAM, "target": "log", "relay": RELAY, "token": "t", "user": "alice", **claims}
        self.agent._summoned(Message(self.signer.mint("web-1", 20, role=role, **about).encode(), "_INBOX.a"))

    def open(self, **claims: Any) -> FakeConnection:
        """Open a stream whose client has come."""
        self.ask("summons", resume=True, **claims)
        self.dialler.legs[-1].feed.control(MET)
        return self.dialler.legs[-1]

    def come_back(self, received: int = 0, attempt: int = 1, **claims: Any) -> Answer:
        return self.ask("resume", **{"received": received, "try": attempt, **claims})

    def test_goes_on(self) -> None:
        """A stream that has lost its leg goes on by another one, at the byte that each end has; its target knows
        nothing of it."""
        leg = self.open()
        self.assertEqual(self.answers()[-1].resume, HOLD)
        leg.receive(b"up")
        self.target.made[-1].receive(b"down")
        leg.lose(LOST)
        self.reactor.advance(5)
        [info] = self.agent.streams.infos()
        self.assertEqual((info.detached, info.up), (5, 2))
        self.target.made[-1].receive(b"more")
        answer = self.come_back(received=1)
        self.assertEqual((answer.ready, answer.received, answer.kind), (True, 2, "log"))
        new = self.dialler.legs[-1]
        self.assertEqual(bytes(new.sent), b"")
        new.feed.control(MET)
        self.assertEqual(bytes(new.sent), b"ownmore")
        new.receive(b"again")
        self.assertEqual(bytes(self.target.made[-1].sent), b"upagain")
        self.assertEqual(len(self.target.made), 1)
        [info] = self.agent.streams.infos()
        self.assertNotIn("detached", codec.decode(codec.encode(info), dict))

    def test_hold(self) -> None:
        """Nobody who comes back within the hold: the stream ends, and who comes later is told how."""
        self.open().lose(LOST)
        self.reactor.advance(HOLD - 1)
        self.assertEqual(len(self.agent.streams.infos()), 1)
        self.reactor.advance(1)
        self.assertTrue(self.target.made[-1].aborted or self.target.made[-1].closed)
        self.target.made[-1].lose()
        self.assertEqual(self.agent.streams.infos(), [])
        answer = self.come_back()
        self.assertEqual(answer.refused, Refusal.STREAM_OVER)
        self.assertIn("nobody came back within 120 s", answer.reason)

    def test_terminal_unseen(self) -> None:
        """A kept terminal whose stream is ended before its client has confirmed anything isn't kept, though that client
        has come; one of which anything was confirmed is, and one to whose stream the client has come back."""
        self.target.keep, self.target.kind, self.target.viewer = 3600.0, "pty", "terminal"
        for number, said in enumerate(("", "ack", "again")):
            stream = f"stream-{number:016d}"
            leg = self.open(stream=stream)
            self.target.made[-1].receive(b"ready> ")
            if said == "ack":
                leg.feed.control(codec.encode(Word(ack=1)))
            elif said:
                leg.lose(LOST)
                self.come_back(stream=stream)
                self.dialler.legs[-1].feed.control(MET)
            self.agent.streams.end(stream, reason="left")
            self.assertEqual(len(self.agent.streams.terminals.infos()), number, said)

    def test_ended_meanwhile(self) -> None:
        """Who comes back to a stream that has ended without them is told how, in words and by its code."""
        self.open().lose(LOST)
        self.agent.streams.end(STREAM, reason="maintenance")
        self.target.made[-1].lose()
        answer = self.come_back()
        self.assertEqual(answer.ended, PastEnd(4006, "maintenance"))
        self.assertEqual(answer.reason, "the stream is over: 4006 ended by an operator: maintenance")
        self.assertEqual(self.come_back(user="bob", attempt=2).ended, UNSET)

    def test_exit_missed(self) -> None:
        """Who comes back too late to be told the end of a program is told its status by the refusal."""
        self.open().lose(LOST)
        target = self.target.made[-1]
        target.feed.control(b'{"exit":3}')
        target.feed.eof()
        target.lose()
        self.reactor.advance(HOLD)
        answer = self.come_back()
        assert isinstance(answer.ended, PastEnd)
        self.assertEqual((answer.ended.code, answer.ended.exit), (4005, 3))
        self.assertIn("nobody came back within 120 s; its end was to be told yet: 1000 finished", answer.reason)
        self.assertIn("its program had ended with status 3", answer.reason)

    def test_limit_missed(self) -> None:
        """Of a stream whose limit was reached while it was held, and for which nobody came in time, both are told."""
        self.open(idle=60).lose(LOST)
        self.reactor.pump([5] * 15)
        self.assertTrue(self.target.made[-1].closed or self.target.made[-1].aborted)
        self.target.made[-1].lose()
        self.reactor.advance(HOLD)
        self.assertIn("its end was to be told yet: 4008 idle too long", self.come_back().reason)

    def test_before_met(self) -> None:
        """Who is back before the relay's word has come that its client came is asked to wait, and nobody else."""
        self.ask("summons", resume=True)
        self.assertEqual(self.come_back(user="bob").refused, "stream_over")
        self.assertEqual(self.come_back().refused, "busy")
        self.dialler.legs[-1].feed.control(MET)
        self.assertEqual((self.come_back(attempt=2).refused, len(self.dialler.legs)), ("", 2))

    def test_of_target(self) -> None:
        """A target may have a hold of its own, and none at all."""
        for hold, expected in ((3600.0, 3600.0), (0.0, 0.0), (None, HOLD)):
            self.target.hold = hold
            answer = self.ask("summons", resume=True, stream=f"{hold}".replace(".", "-").ljust(22, "x"))
            self.assertEqual((answer.ready, answer.resume), (True, expected))

    def test_not_asked(self) -> None:
        """Who doesn't ask for it has a stream that ends with its leg, and so has one of several websockets."""
        self.assertEqual(self.ask("summons").resume, 0)
        self.target.viewer = "spice"
        self.assertEqual(self.ask("summons", resume=True, links=0, stream="t" * 22).resume, 0)
        self.assertEqual(self.ask("summons", resume=True, channels=True, stream="u" * 22).resume, HOLD)

    def test_others(self) -> None:
        """Another user's stream, one to another target, or to look at one that does more: it isn't there."""
        leg = self.open()
        for claims in ({"user": "bob"}, {"target": "other"}, {"view": True}, {"stream": "u" * 22}):
            answer = self.come_back(**claims)
            self.assertEqual((answer.refused, answer.ready), (Refusal.STREAM_OVER, False), claims)
        self.assertFalse(leg.aborted)
        self.assertEqual(len(self.dialler.legs), 1)

    def test_shared(self) -> None:
        """A stream of a terminal that another user has started goes on only while the platform says that it may; one of
        their own needs no such word."""
        self.target.keep, self.target.kind, self.target.viewer = 600.0, "pty", "terminal"
        self.assertTrue((started := self.ask("summons", resume=True, user="ann", stream="t" * 22)).terminal)
        self.dialler.legs[-1].feed.control(MET)
        self.open(terminal=started.terminal, share=True)
        self.assertEqual(self.come_back().refused, Refusal.STREAM_OVER)
        self.assertTrue(self.come_back(share=True).ready)
        self.assertTrue(self.come_back(user="ann", stream="t" * 22).ready)

    def test_looked_at(self) -> None:
        """A stream that is looked at only goes on as such, also for who may do more by now."""
        self.open(view=True)
        for attempt, view in ((1, True), (2, False)):
            self.assertTrue(self.come_back(attempt=attempt, view=view).ready)

    def test_newest(self) -> None:
        """A request that isn't the newest is stale; the newest drops the leg that there is."""
        leg = self.open()
        self.assertTrue(self.come_back(attempt=5).ready)
        self.assertTrue(leg.aborted)
        self.assertEqual(self.come_back(attempt=4).refused, Refusal.STALE)
        first, second = self.dialler.legs[-1], None
        self.assertTrue(self.come_back(attempt=6).ready)
        second = self.dialler.legs[-1]
        first.feed.control(MET)
        self.assertEqual(first.closing.code, CloseCode.LEG_LOST)
        second.feed.control(MET)
        self.target.made[-1].receive(b"x")
        self.assertEqual((bytes(first.sent), bytes(second.sent)), (b"", b"x"))

    def test_late_copy(self) -> None:
        """A request that a platform hears twice, as its answer was lost, brings two summonses of one try. The later one
        ends nothing once the other's leg was met: its position is behind what was confirmed since."""
        leg = self.open()
        self.target.made[-1].receive(b"hello")
        leg.lose(LOST)
        self.come_back(received=0)
        new = self.dialler.legs[-1]
        new.feed.control(MET)
        new.feed.control(b'{"ack":5}')
        self.assertEqual(self.come_back(received=0).refused, Refusal.STALE)
        self.assertFalse(new.aborted or self.target.made[-1].closed)
        self.target.made[-1].receive(b"more")
        self.assertEqual(bytes(new.sent), b"hellomore")

    def test_one_leg(self) -> None:
        """However often a leg is asked for, a stream has one that waits, and one dial."""
        self.open().lose(LOST)
        for attempt in range(1, 6):
            self.assertTrue(self.come_back(attempt=attempt).ready)
        waiting = [leg for leg in self.dialler.legs[1:] if leg.closed is None]
        self.assertEqual(waiting, [self.dialler.legs[-1]])
        cancelled: list[int] = []
        for attempt in (6, 7, 8):
            self.dialler.dialling = Deferred(partial(lambda number, _: cancelled.append(number), attempt))
            self.ask_only("resume", received=0, **{"try": attempt})
        self.assertEqual(cancelled, [6, 7])
        self.assertEqual([answer.refused for answer in self.answers()[-2:]], [Refusal.STALE] * 2)
        self.assertIsNotNone(self.dialler.legs[-1].closed)
        assert self.dialler.dialling is not None
        self.dialler.dialling.errback(DialError("no route"))  # or it would fail in another test, as it is forgotten

    def test_over(self) -> None:
        """A stream that is over is told so, also while its target is still let go."""
        self.open()
        self.come_back(received=7)
        answer = self.come_back(attempt=2)
        self.assertEqual(answer.refused, Refusal.STREAM_OVER)
        self.assertIn("position 7", answer.reason)

    def test_out_of_reach(self) -> None:
        """A position that was never sent ends the stream, as nothing can go on there."""
        self.open()
        answer = self.come_back(received=7)
        self.assertEqual(answer.refused, Refusal.STREAM_OVER)
        self.assertIn("position 7", answer.reason)
        self.assertTrue(self.target.made[-1].closed or self.target.made[-1].aborted)

    def test_no_relay(self) -> None:
        """A relay that can't be reached is told as ever, and the stream is held on."""
        self.open().lose(LOST)
        self.dialler.error = DialError("no route")
        self.assertEqual(self.come_back().refused, Refusal.DIAL_FAILED)
        self.dialler.error = None
        self.assertTrue(self.come_back().ready)  # of the same try, as the platform asks by another relay

    def test_not_met(self) -> None:
        """A new leg whose client doesn't come is left, and the stream is held on."""
        self.open().lose(LOST)
        self.come_back()
        leg = self.dialler.legs[-1]
        leg.lose(outcome(CloseCode.NOBODY_CAME))
        self.assertEqual(len(self.agent.streams.infos()), 1)
        self.assertTrue(self.come_back(attempt=2).ready)

    def test_detached(self) -> None:
        """Of more streams than may be held the next one that loses its leg ends."""
        self.start(max_detached=1)
        legs = [self.open(stream=letter * 22) for letter in "ab"]
        for leg in legs:
            leg.lose(LOST)
        self.assertEqual(self.let_go(), [False, True])

    def test_detached_told(self) -> None:
        """Who comes back to a stream that wasn't held is told which limit it was, however long the loss has words."""
        self.start(max_detached=1)
        for letter in "ab":
            self.open(stream=letter * 22).lose(outcome(CloseCode.LEG_LOST, "w" * 300))
        answer = self.come_back(stream="b" * 22)
        self.assertEqual(answer.refused, Refusal.STREAM_OVER)
        self.assertIn("this user has 1 stream without a leg already (half of max_detached)", answer.reason[:200])

    def let_go(self) -> list[bool]:
        """Whether each target was let go, in the order in which they were connected."""
        return [made.closed is not None or made.aborted for made in self.target.made]

    def test_share(self) -> None:
        """One user has half of the room for streams without a leg, also by asking for legs for which nobody comes."""
        self.start(max_detached=4)
        for letter in "abcd":
            leg = self.open(stream=letter * 22)
            if letter in "ab":
                leg.lose(LOST)
            else:
                self.come_back(stream=letter * 22)
        more = [
            self.open(stream=letter * 22, user=user) for letter, user in zip("efghi", ("alice", *"bcde"), strict=True)
        ]
        for leg in more:
            leg.lose(LOST)
        self.assertEqual(self.let_go(), [False] * 4 + [True, False, False, True, True])

    def test_ended(self) -> None:
        """An operator ends a stream that has no leg, and so does its user's platform; no other user's does."""
        self.open().lose(LOST)
        for user, ends in (("bob", False), ("alice", True)):
            request = self.signer.mint("web-1", 20, role="end", stream=STREAM, user=user, reason="withdrawn")
            self.agent._told_to_end(Message(request.encode(), "_INBOX.a"))
            self.assertEqual(self.answers()[-1].ready, ends)
        self.assertEqual(self.target.made[-1].closing, Outcome(4006, "withdrawn"))

    def test_tail(self) -> None:
        """A target that ends while there is no leg: what it sent, and its end, are told to who comes back."""
        self.open().lose(LOST)
        target = self.target.made[-1]
        target.receive(b"last words")
        target.feed.eof()
        target.lose()
        self.assertTrue(self.come_back().ready)
        self.dialler.legs[-1].feed.control(MET)
        leg = self.dialler.legs[-1]
        self.assertEqual(
            (bytes(leg.sent), leg.controls), (b"last words", [b'{"fin":true}', b'{"end":{"code":1000,"reason":""}}'])
        )
        leg.feed.control(b'{"ack":12}')
        leg.lose()
        self.assertEqual(self.agent.streams.infos(), [])

    def test_limits(self) -> None:
        """A stream's limits are counted over all its legs: coming back begins none of them anew."""
        for limit, code, passed in (("lifetime", 4009, 60), ("idle", 4008, 65), ("quota", 4011, 60)):
            self.setUp()
            self.open(**{limit: 60})
            for attempt in range(1, 7):
                leg = self.dialler.legs[-1]
                if limit == "quota":
                    leg.receive(bytes(9))
                    self.target.made[-1].receive(b"x")
                leg.lose()
                self.assertTrue(self.come_back(attempt=attempt).ready, (limit, attempt))
                self.dialler.legs[-1].feed.control(MET)
                self.assertEqual(self.dialler.legs[-1].controls, [], (limit, attempt))
                self.reactor.pump([1] * 9)
            self.reactor.pump([1] * (passed - 54))
            if limit == "quota":
                self.dialler.legs[-1].receive(b"x")
            end = codec.decode(self.dialler.legs[-1].controls[-1], Word).end
            assert isinstance(end, StreamEnd)
            self.assertEqual(end.code, code, limit)

    def test_unconfirmed(self) -> None:
        """An end that its client doesn't confirm is waited for as long as a stream is held, and a second for each 32
        KiB that wait before it, by whatever leg; then the leg is cut, and nothing is left."""
        for cut in (False, True):
            self.setUp()
            leg = self.open()
            target = self.target.made[-1]
            target.receive(bytes(10 * SLOWEST - 3 * OVERHEAD))
            target.feed.eof()
            target.lose()
            for attempt in range(1, 14):
                self.reactor.advance(9.9)
                self.assertEqual(len(self.agent.streams.infos()), 1)
                if cut:
                    leg.lose()
                    self.come_back(attempt=attempt)
                    leg = self.dialler.legs[-1]
                    leg.feed.control(MET)
            self.reactor.advance(HOLD + 10 - 13 * 9.9 + 0.1)
            self.assertTrue(leg.aborted)
            leg.lose()
            self.assertEqual(self.agent.streams.infos(), [])
            self.assertIn("its client has confirmed nothing", self.come_back(attempt=99).reason)

    def test_stop(self) -> None:
        """An agent that stops holds nothing, and ends what it holds."""
        self.open().lose(LOST)
        self.agent.streams.goodbye.begin()
        self.assertEqual(self.come_back().refused, Refusal.BUSY)
        self.agent.streams.goodbye.cut()
        self.assertTrue(self.target.made[-1].closed or self.target.made[-1].aborted)

    def test_full_memory(self) -> None:
        """Where all streams keep too much already a new one doesn't resume, and its answer says so; where it is one
        user who does, others' do."""
        self.start(resume_memory=1200)
        self.open()
        self.target.made[-1].receive(bytes(700))
        asked = {"resume": True, "user": "alice"}
        self.assertEqual(self.ask("summons", **asked, stream="n" * 22).resume, 0)
        self.assertEqual(self.ask("summons", resume=True, user="bob", stream="o" * 22).resume, HOLD)
        self.open(user="bob", stream="p" * 22)
        self.target.made[-1].receive(bytes(400))
        for letter, user in ("q", "carol"), ("r", "bob"):
            self.assertEqual(self.ask("summons", resume=True, user=user, stream=letter * 22).resume, 0)

    def test_part_of_memory(self) -> None:
        """A user's part is given back with what their streams have kept."""
        self.start(resume_memory=1200)
        leg = self.open()
        self.target.made[-1].receive(bytes(700))
        self.assertEqual(self.agent.streams.resuming.memory.kept, 700 + OVERHEAD)
        leg.feed.control(b'{"ack":700}')
        self.assertEqual(self.agent.streams.resuming.memory.kept, 0)
        self.assertEqual(self.ask("summons", resume=True, stream="n" * 22).resume, HOLD)
