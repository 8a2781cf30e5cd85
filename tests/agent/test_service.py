"""service.py: from a summons to a splice, without a bus or a relay."""

import errno
import os
import re
from collections.abc import Callable
from typing import Any

from attrs import define, field
from msgspec import structs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay import __version__
from streamrelay.agent import service as module
from streamrelay.agent.catalogue import Catalogue, Entry
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.metrics import AgentMetrics
from streamrelay.agent.service import Agent
from streamrelay.bus.message import Message
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.errors import PeerError, TargetError
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.summons import Answer, Refusal, Resume, Summons, TargetInfo, Terms, Viewer
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.dial_errors import DialError
from streamrelay.websocket.ready import Ready
from tests.documented import CONNECT_TIME, SPICE_LINKS, SUMMONS_MEMORY
from tests.examples import STREAM
from tests.fakes.bus import FakeBus
from tests.fakes.connections import FakeConnection
from tests.fakes.logs import Heard

RELAY = "wss://relay.example"
MET = b'{"met": {"mode": "v1", "from": "client:1"}}'


@define(eq=False)
class FakeTarget:
    """A target that connects, or not."""

    error: Exception | None = None
    made: list[FakeConnection] = field(factory=list)
    terms: list[Terms] = field(factory=list)
    kind: str = "log"
    viewer: Viewer = "log"
    max_streams: int = 0
    hold: float | None = None
    keep: float = 0.0
    size: tuple[int, int] = (80, 24)
    connecting: Deferred[None] | None = None
    """What is waited for first."""

    async def connect(self, reactor: object, terms: Terms) -> FakeConnection:
        self.terms.append(terms)
        if self.connecting is not None:
            await self.connecting
        if self.error is not None:
            raise self.error
        self.made.append(FakeConnection())
        return self.made[-1]


@define(eq=False)
class FakeCatalogue(Catalogue):
    """A list of one target."""

    target: FakeTarget = field(factory=FakeTarget)
    entries: dict[str, Entry] = field(factory=dict)
    changed: Callable[[], None] = lambda: None

    def infos(self) -> tuple[TargetInfo, ...]:
        return (TargetInfo("log", "log"),)

    def find(self, name: str) -> FakeTarget:
        if name != "log":
            raise TargetError(Refusal.NO_SUCH_TARGET, "no such target on this host")
        return self.target


@define(eq=False)
class FakeDialler(Dialler):
    """Dials that succeed with a fake leg, or not."""

    error: Exception | None = None
    legs: list[FakeConnection] = field(factory=list)
    dialled: list[tuple[str, str]] = field(factory=list)
    seconds: list[float] = field(factory=list)
    """Seconds that each dial has."""
    elsewhere: bool = False
    """Whether the last dial can go to another relay."""
    dialling: Deferred[Any] | None = None

    def dial(
        self, url: str, token: str = "", ready: Ready | None = None, seconds: float = 0, elsewhere: bool = False
    ) -> Deferred[Any]:
        self.dialled.append((url, token))
        self.seconds.append(seconds)
        self.elsewhere = elsewhere
        if self.dialling is not None:
            return self.dialling
        if self.error is not None:
            return fail(self.error)
        self.legs.append(FakeConnection())
        return succeed(self.legs[-1])


@define(eq=False)
class FakeMemory:
    """Knows nothing of before, or refuses whatever it is asked for."""

    answer: Answer | None = None
    asked: list[str] = field(factory=list)

    def refusal(self, summons: Summons | Resume) -> Answer | None:
        self.asked.append(summons.jti)
        return self.answer

    def close(self) -> None: ...


class Case(SynchronousTestCase):
    """An agent in opaque mode."""

    def setUp(self) -> None:
        self.reactor, self.catalogue = MemoryReactorClock(), FakeCatalogue()
        config = AgentConfig("web-1", tokens="opaque", relays=(RELAY,), max_streams=2)
        self.agent = Agent(config, self.catalogue, self.reactor, lambda: 1000.0)
        self.agent.bus = self.bus = FakeBus()
        self.agent.memory = self.memory = FakeMemory()
        self.agent.streams.legs.dialler = self.dialler = FakeDialler(self.reactor, Heartbeat(self.reactor))
        self.target = self.catalogue.target
        self.patch(module, "as_deferred", Deferred.fromCoroutine)

    def summon(self, jti: str = "j" * 22, reply: str = "_INBOX.a", **changes: Any) -> None:
        order = {"stream": STREAM, "target": "log", "relay": RELAY, "token": "t", "jti": jti, "exp": 1020.0, **changes}
        self.agent._summoned(Message(codec.encode(order), reply))

    def answers(self) -> list[Answer]:
        return [codec.decode(data, Answer) for subject, data in self.bus.published if subject.startswith("_INBOX")]

    def events(self, kind: str) -> list[dict[str, Any]]:
        subject = f"streamrelay.v1.event.web-1.{kind}"
        return [codec.decode(data, dict) for told, data in self.bus.published if told == subject]

    def meet(self) -> tuple[FakeConnection, FakeConnection]:
        self.dialler.legs[-1].feed.control(MET)
        return self.dialler.legs[-1], self.target.made[-1]


class Summoned(Case):
    """Answers to a summons."""

    def test_ready(self) -> None:
        """Once the target is connected and a leg waits at the relay, the answer is ready, with the target's kind."""
        self.summon()
        self.assertEqual(self.answers(), [Answer(ready=True, kind="log", viewer="log")])
        self.assertEqual(self.dialler.dialled, [(RELAY + "/agent", "t")])

    def test_counted(self) -> None:
        """Summonses are counted by their answer, and those that are ready by how long they took; a client who doesn't
        come is the end of a stream."""
        self.summon()
        self.summon(jti="k" * 22, relay="wss://elsewhere.example")
        self.agent._summoned(Message(b"nonsense", "_INBOX.a"))
        self.assertEqual(dict(self.agent.answers), {"ready": 1, "dial_failed": 1, "bad_summons": 1})
        self.assertEqual(self.agent.opening.buckets[-1], ("+Inf", 1.0))
        told = {family.name: family.values for family in AgentMetrics(self.agent).families()}
        self.assertEqual(told["streamrelay_agent_streams"], {("live",): 0, ("waiting",): 1})
        self.reactor.advance(self.agent.config.patience)
        self.dialler.legs[-1].feed.over(outcome(CloseCode.NOBODY_CAME))
        self.assertEqual(dict(self.agent.streams.record.tally.ended), {"nobody_came": 1})

    def test_copies(self) -> None:
        """Copies of a summons dial once and get the same answer, until it is forgotten after all could be valid."""
        for number in range(3):
            self.summon(reply=f"_INBOX.{number}")
        self.assertEqual(self.answers(), [Answer(ready=True, kind="log", viewer="log")] * 3)
        self.assertEqual(len(self.dialler.dialled), 1)
        self.reactor.advance(SUMMONS_MEMORY - 1)
        self.summon()
        self.assertEqual(len(self.dialler.dialled), 1)
        self.reactor.advance(1)
        self.summon()
        self.assertEqual(len(self.dialler.dialled), 2)

    def test_refused(self) -> None:
        """What can't be is refused with its code, and no leg is sent."""
        for changes, code in (
            ({"target": "ssh"}, Refusal.NO_SUCH_TARGET),
            ({"relay": "wss://other.example"}, Refusal.DIAL_FAILED),
            ({"exp": 900.0}, Refusal.BAD_SUMMONS),
            ({"target": "../x y"}, Refusal.BAD_SUMMONS),
        ):
            self.setUp()
            self.summon(**changes)
            self.assertEqual([answer.refused for answer in self.answers()], [code])
            self.assertEqual((self.dialler.dialled, self.target.made), ([], []))

    def test_patterns(self) -> None:
        """A host may name its relays by a pattern; one that doesn't fit is refused like any other."""
        relays = ("wss://*.relay.example", "ws://127.0.0.1:*")
        self.agent.take(AgentConfig("web-1", tokens="opaque", relays=relays))
        for number, relay in enumerate(
            ("wss://a.relay.example/", "ws://127.0.0.1:5", "wss://a.b.relay.example", RELAY)
        ):
            self.summon(jti=f"{number:j<22}", stream=f"{number:s<22}", relay=relay)
        self.assertEqual([answer.refused for answer in self.answers()], ["", "", *[Refusal.DIAL_FAILED] * 2])
        self.assertRaises(ValueError, AgentConfig, "web-1", tokens="opaque", relays=("wss://a.*.example",))

    def test_invalid(self) -> None:
        """Whoever sends what isn't a summons for now is told which host has refused it, and where to look."""
        self.summon(target="../x y")
        self.assertEqual(self.answers()[0].reason, "host web-1: the summons is invalid here; the agent's log says why")

    def test_clocks(self) -> None:
        """A summons that comes too late by the host's clock: who asked and the host's log are told by how much."""
        heard = Heard(self)
        self.summon(exp=939.0)
        words = "this host's clock and the platform's differ by 61 s or more"
        self.assertIn(f"host web-1: {words}", self.answers()[0].reason)
        self.assertIn(f"refused a summons: {words}", heard.text)
        self.agent._told_to_end(Message(codec.encode({"stream": STREAM, "jti": "j" * 22, "exp": 1091.0}), "_INBOX.a"))
        self.assertIn(words, self.answers()[1].reason)

    def test_followed_before(self) -> None:
        """Of what was followed before the start nothing is done: all copies get the same refusal, the log says why."""
        heard = Heard(self)
        self.memory.answer = Answer(refused=Refusal.BAD_SUMMONS, reason="a copy")
        for number in range(2):
            self.summon(reply=f"_INBOX.{number}")
        self.assertEqual(self.answers(), [self.memory.answer] * 2)
        self.assertEqual((self.dialler.dialled, self.target.made), ([], []))
        self.assertEqual(self.memory.asked, ["j" * 22])
        self.assertIn("refused a summons: a copy", heard.text)

    def test_target_refused(self) -> None:
        """A target that refuses is told with its reason, to who asked and to nobody else."""
        self.target.error = TargetError(Refusal.TARGET_REFUSED, "nothing listens")
        self.summon()
        self.assertEqual(self.answers(), [Answer(refused=Refusal.TARGET_REFUSED, reason="nothing listens")])
        self.assertEqual(self.dialler.dialled, [])

    def test_whatever_the_system_says(self) -> None:
        """Whatever the system, or a library, refuses about a target is told in its words: no error of ours, and no
        traceback."""
        heard = Heard(self)
        named = set(errno.errorcode) - {errno.EMFILE, errno.ENFILE}  # those are the agent's own matter
        for error, words in (
            *((OSError(number, os.strerror(number), "/x"), os.strerror(number)) for number in named),
            (OSError("out of pty devices"), "out of pty devices"),
            (TimeoutError(), "TimeoutError"),
            (ValueError("embedded null byte"), "embedded null byte"),
            (OverflowError("port must be 0-65535"), "port must be 0-65535"),
            ("\ud800".encode, "'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed"),
        ):
            if not isinstance(error, Exception):
                error = self.assertRaises(UnicodeError, error)
            with self.subTest(repr(error)):
                self.setUp()
                self.target.error = error
                self.summon()
                self.assertEqual(self.answers(), [Answer(refused=Refusal.TARGET_REFUSED, reason=f"log: {words}")])
        self.assertNotIn("Traceback", heard.text)
        self.assertIn("to log refused: log: Permission denied", heard.text)

    def test_not_allowed(self) -> None:
        """What only the host's own log may say isn't told to who asked."""
        heard = Heard(self)
        self.target.error = TargetError(Refusal.NOT_ALLOWED, "not allowed", detail="it is 127.0.0.1")
        self.summon()
        self.assertEqual(self.answers(), [Answer(refused=Refusal.NOT_ALLOWED, reason="not allowed")])
        self.assertIn("it is 127.0.0.1", heard.text)

    def test_excused_at_the_relay(self) -> None:
        """When nobody waits for the answer, the client at the relay is told why the target can't be had."""
        self.target.error = TargetError(Refusal.TARGET_UNREACHABLE, "no answer")
        self.summon(reply="")
        leg, _ = self.dialler.legs[-1], None
        leg.feed.control(MET)
        self.assertEqual((leg.closing.code, leg.closing.reason), (CloseCode.TARGET_UNREACHABLE, "no answer"))

    def test_other_relays(self) -> None:
        """A platform that could name another relay says how long this one may take, but not longer than any may; and
        one that is full isn't waited for then."""
        for number, (said, seconds) in enumerate(((0, CONNECT_TIME), (3, 3), (60, CONNECT_TIME))):
            self.summon(jti=f"{number:j<22}", stream=f"{number:s<22}", dial=said)
            self.assertEqual((self.dialler.seconds.pop(), self.dialler.elsewhere), (seconds, said > 0))
            self.agent.streams.summoned_streams.clear()
        self.summon(jti="x" * 22, dial=61)
        self.assertEqual(self.answers()[-1].refused, Refusal.BAD_SUMMONS)

    def test_dial_failed(self) -> None:
        """A relay that can't be reached is told, and the target is let go."""
        self.dialler.error = DialError("refused")
        self.summon()
        self.assertEqual([answer.refused for answer in self.answers()], [Refusal.DIAL_FAILED])
        self.assertTrue(self.target.made[0].aborted)

    def test_other_agents(self) -> None:
        """Word that another agent answers as this host is said in the log; a stop ends the matter."""
        heard = Heard(self)
        self.assertEqual(self.agent.namesakes.own, "")  # a daemon has no process yet
        self.agent.namesakes.start()
        own = self.agent.namesakes.own
        word = {"agents": [own, "vm-b"], "jti": "j" * 22, "exp": 1020.0}
        self.agent._told_to_end(Message(codec.encode(word), ""))
        [line] = heard.lines
        self.assertIn("another agent answers as web-1, too: vm-b;", line)
        self.assertRegex(own, r"^.+, process \d+, since 1970-01-01T00:16:40\.000000Z\Z")
        self.agent.stopService()
        self.assertEqual((len(heard.lines), self.agent.namesakes.own), (1, ""))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_our_fault(self) -> None:
        """An error of ours is answered, logged once, and the next summons is followed."""
        self.target.error = ZeroDivisionError()
        self.summon()
        self.assertEqual([bool(answer.refused) for answer in self.answers()], [True])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.target.error = None
        self.summon("k" * 22)
        self.assertTrue(self.answers()[-1].ready)

    def test_only_inboxes(self) -> None:
        """No answer goes to a subject that isn't an inbox."""
        self.summon(reply="streamrelay.v1.host.web-2.open")
        self.assertEqual([subject for subject, _ in self.bus.published if "host" in subject], [])

    def test_garbage(self) -> None:
        """Whatever comes as a summons, the agent refuses it and lives."""
        for data in (b"", b"[]", b"\xff", b"{" * 9000, b"x" * 20_000):
            self.agent._summoned(Message(data, "_INBOX.a"))
        self.assertEqual({answer.refused for answer in self.answers()}, {Refusal.BAD_SUMMONS})


class Streams(Case):
    """Streams that live."""

    def test_spliced(self) -> None:
        """Once its client has come, the leg and the target are spliced, with what came right behind the news."""
        self.summon()
        leg, target = self.meet()
        leg.receive(b"up")
        target.receive(b"down")
        self.assertEqual((bytes(target.sent), bytes(leg.sent)), (b"up", b"down"))
        self.assertEqual([event["target"] for event in self.events("opened")], ["log"])

    def test_nothing_before(self) -> None:
        """No byte of a client reaches the target before the relay said that it has come."""
        self.summon()
        self.assertRaises(PeerError, self.dialler.legs[-1].receive, b"early")
        self.assertEqual(bytes(self.target.made[-1].sent), b"")
        self.assertIsNone(self.target.made[-1].joined)

    def test_ended(self) -> None:
        """The end of a stream is an event with its outcome and its bytes each way, and nothing of it stays."""
        self.summon()
        leg, target = self.meet()
        leg.receive(b"up")
        self.reactor.advance(2)
        target.lose(outcome(CloseCode.TARGET_RESET))
        leg.lose()
        [event] = self.events("ended")
        self.assertEqual((event["code"], event["seconds"], event["up"], event["down"]), (4003, 2.0, 2, 0))
        self.assertEqual(self.agent.streams.summoned_streams, set())

    def test_limits(self) -> None:
        """The agent holds a stream to its summons' limits and to its own, whatever the relay does."""
        cases: tuple[tuple[dict[str, Any], dict[str, Any], int], ...] = (
            ({}, {"quota": 3}, CloseCode.QUOTA),
            ({"quota": 3}, {"quota": 4}, CloseCode.QUOTA),
            ({}, {"lifetime": 4}, CloseCode.LIFETIME),
            ({"idle": 4}, {}, CloseCode.IDLE),
        )
        for own, limits, code in cases:
            self.setUp()
            self.agent.streams.config = structs.replace(self.agent.config, **own)
            self.summon(**limits)
            leg, target = self.meet()
            leg.receive(b"1234")
            self.reactor.pump([5.0] * 3)
            self.assertEqual((leg.closing.code, target.closing.code), (code, code))
            self.assertEqual(bytes(target.sent), b"1234"[: 3 if code == CloseCode.QUOTA else 4])
            leg.lose()
            target.lose()
            [event] = self.events("ended")
            self.assertEqual((event["code"], event["up"]), (code, len(target.sent)))
            self.assertEqual(event["reason"], leg.closing.reason)

    def test_limits_of_links(self) -> None:
        """All links of a stream use up one quota."""
        self.summon(links=2, quota=5)
        self.meet()
        self.meet()
        legs, targets = self.dialler.legs, self.target.made
        legs[0].receive(b"1234")
        legs[1].receive(b"5678")
        self.assertEqual([bytes(target.sent) for target in targets], [b"1234", b"5"])
        self.assertEqual({end.closing.code for end in (*legs, *targets)}, {CloseCode.QUOTA})

    def test_unmet(self) -> None:
        """A leg whose client never comes is closed after the patience, and its target let go."""
        self.summon()
        self.reactor.advance(self.agent.config.patience)
        leg = self.dialler.legs[-1]
        self.assertEqual(leg.closing.code, CloseCode.NOBODY_CAME)
        leg.lose()
        self.assertTrue(self.target.made[-1].aborted)

    def test_links(self) -> None:
        """A stream of two links sends a second leg once the first is met, and connects its target when that is met."""
        self.summon(links=2)
        self.assertEqual(len(self.dialler.legs), 1)
        self.meet()
        self.assertEqual((len(self.dialler.legs), len(self.target.made)), (2, 1))
        self.meet()
        [summoned] = self.agent.streams.summoned_streams
        self.assertEqual((len(self.dialler.legs), len(self.target.made), len(summoned.splices)), (2, 2, 2))

    def test_as_many_links_as_needed(self) -> None:
        """Where the summons leaves it to the target, its viewer says how many legs there are, and the answer tells."""
        self.summon("number-one", links=0)
        self.meet()
        self.assertEqual((len(self.dialler.legs), self.answers()[-1].links), (1, 1))
        self.target.viewer = "spice"
        self.summon("number-two", links=0)
        self.meet()
        self.assertEqual((len(self.dialler.legs), self.answers()[-1].links), (3, SPICE_LINKS))

    def test_terms(self) -> None:
        """A target is connected on the terms of the summons."""
        self.summon(place="here", after=7, user="anna")
        self.assertEqual(self.target.terms, [Terms(False, "here", 7, "anna")])

    def test_view_only(self) -> None:
        """A view-only stream carries what the target says, and of what its client sends the window's size alone."""
        self.target.viewer = "terminal"
        self.summon(view=True)
        leg, target = self.meet()
        leg.feed.received([memoryview(b"rm")], 2)
        leg.feed.control(b'{"resize":[90,30]}')
        leg.feed.control(b'{"exit":3}')
        leg.feed.eof()
        target.feed.received([memoryview(b"seen")], 4)
        self.assertEqual((target.sent, target.controls, target.eof_sent), (b"", [b'{"resize":[90,30]}'], False))
        self.assertEqual(leg.sent, b"seen")

    def test_not_to_be_viewed(self) -> None:
        """A target whose client can't be kept from acting isn't even connected for looking only."""
        for viewer in ("raw", "spice"):
            self.target.viewer = viewer
            self.summon(f"jti-of-{viewer}", view=True)
            self.assertEqual(self.answers()[-1].refused, Refusal.NOT_ALLOWED)
        self.assertEqual((self.target.terms, self.dialler.dialled), ([], []))

    def test_busy(self) -> None:
        """Over the most streams a summons is refused as busy."""
        for number in range(2):
            self.summon(f"number-{number}")
            self.meet()
        self.summon("one-more")
        self.assertEqual(self.answers()[-1].refused, Refusal.BUSY)

    def test_told_to_end(self) -> None:
        """A stream is ended by the platform's request with 4006; one that isn't there is refused."""
        self.summon()
        leg, target = self.meet()
        self.assertEqual(self.end("x" * 22).refused, Refusal.NO_SUCH_STREAM)
        self.assertTrue(self.end().ready)
        self.assertEqual((leg.closing.code, target.closing.code), (CloseCode.OPERATOR, CloseCode.OPERATOR))

    def end(self, stream: str = STREAM) -> Answer:
        order = {"stream": stream, "jti": "e" * 22, "exp": 1020.0}
        self.agent._told_to_end(Message(codec.encode(order), "_INBOX.e"))
        return self.answers()[-1]

    def test_waiting_counts(self) -> None:
        """What waits for its client counts, in one line of the log a minute, until nothing of it is left."""
        heard = Heard(self)
        for number in range(7):
            self.summon(f"number-{number}")
        self.assertEqual([answer.refused for answer in self.answers()], ["", "", *[Refusal.BUSY] * 5])
        self.assertEqual(len(self.target.made), 2)

        def told() -> list[str]:
            return re.findall(r"^max_streams = 2 .* busy since the last such line: (\d+);", heard.text, re.M)

        self.assertEqual(told(), ["1"])
        self.assertEqual([info.waiting for info in self.agent.streams.infos()], [True, True])
        self.assertTrue(self.end().ready)
        legs, targets = self.dialler.legs, self.target.made
        self.assertEqual({leg.closing.code for leg in legs}, {CloseCode.OPERATOR})
        for leg in legs:
            leg.lose()
        self.assertEqual([target.aborted for target in targets], [True, True])
        self.summon("while-targets-hold")
        self.assertEqual(self.answers()[-1].refused, Refusal.BUSY)
        for target in targets:
            target.lose()
        self.assertEqual(self.agent.streams.infos(), [])
        self.reactor.advance(60)  # the rest of it, whether or not there is ever another one
        self.assertEqual(told(), ["1", "5"])
        self.reactor.advance(60)
        for number in range(3):
            self.summon(f"much-later-{number}")
        self.assertEqual([answer.refused for answer in self.answers()[-3:]], ["", "", Refusal.BUSY])
        self.assertEqual(told(), ["1", "5", "1"])

    def test_opening_counts(self) -> None:
        """A target that isn't connected yet counts, is listed, and is given up with its leg when its stream ends."""
        self.target.connecting = Deferred()
        self.summon()
        [info] = self.agent.streams.infos()
        self.assertEqual((info.stream, info.waiting, self.answers()), (STREAM, True, []))
        self.assertTrue(self.end().ready)
        self.assertEqual(self.answers()[0], Answer(refused=Refusal.NOT_ALLOWED, reason="ended by an operator"))
        [leg] = self.dialler.legs
        self.assertEqual((leg.closing.code, len(self.agent.streams.summoned_streams)), (CloseCode.OPERATOR, 1))
        leg.lose()
        self.assertEqual(self.agent.streams.summoned_streams, set())

    def test_connected_after_the_end(self) -> None:
        """A target that is connected all the same, after its stream was ended, is let go before it counts no more."""
        self.target.connecting = Deferred(lambda waited: waited.callback(None))
        self.summon()
        self.end()
        [late], [leg] = self.target.made, self.dialler.legs
        leg.lose()
        self.assertEqual((late.aborted, len(self.agent.streams.summoned_streams)), (True, 1))
        late.lose()
        self.assertEqual(self.agent.streams.summoned_streams, set())

    def test_dialling_counts(self) -> None:
        """A leg that isn't open yet counts; when its stream was ended meanwhile it is left as soon as it is."""
        self.dialler.dialling = Deferred()
        self.summon()
        self.assertEqual(len(self.agent.streams.infos()), 1)
        self.end()
        leg = FakeConnection()
        self.dialler.dialling.callback(leg)
        self.assertEqual(leg.closing.code, CloseCode.OPERATOR)
        leg.lose()
        self.target.made[-1].lose()
        self.assertEqual(self.agent.streams.summoned_streams, set())

    def test_no_longer_met(self) -> None:
        """A client who comes while its leg is being left isn't met: no byte of it reaches the target."""
        self.summon()
        self.end()
        leg, target = self.meet()
        self.assertEqual((self.events("opened"), target.joined), ([], None))
        leg.lose()
        target.lose()
        self.assertEqual(self.agent.streams.summoned_streams, set())

    def test_excuses_count(self) -> None:
        """A leg that only tells a client why there is no stream counts, and waits no longer than the patience."""
        self.target.error = TargetError(Refusal.TARGET_UNREACHABLE, "no answer")
        self.summon(reply="")
        self.assertEqual(len(self.agent.streams.infos()), 1)
        self.reactor.advance(self.agent.config.patience)
        [leg] = self.dialler.legs
        self.assertEqual(leg.closing.code, CloseCode.NOBODY_CAME)
        leg.lose()
        self.assertEqual(self.agent.streams.summoned_streams, set())

    def test_links_count(self) -> None:
        """All links of a stream count once, and are listed once; the one that waits is ended with the others."""
        self.summon(links=3)
        self.meet()
        self.meet()
        self.dialler.legs[0].receive(b"12")
        self.dialler.legs[1].receive(b"345")
        [info] = self.agent.streams.infos()
        self.assertEqual((info.up, info.waiting, len(self.dialler.legs)), (5, False, 3))
        self.dialler.legs[0].lose()
        self.target.made[0].lose()
        self.assertEqual(self.agent.streams.infos()[0].up, 5)
        self.end()
        self.assertEqual([leg.closing.code for leg in self.dialler.legs[1:]], [CloseCode.OPERATOR] * 2)
        for end in (*self.dialler.legs[1:], self.target.made[1]):
            end.lose()
        self.assertEqual(self.agent.streams.summoned_streams, set())

    def broken(self, kind: str, event: object) -> None:
        raise ZeroDivisionError

    def test_errors_leave_no_count(self) -> None:
        """An error of ours, wherever it comes, leaves no stream counted and nothing open."""
        for where in ("connect", "dial", "publish"):
            self.setUp()
            error = ZeroDivisionError()
            if where == "connect":
                self.target.error = error
            elif where == "dial":
                self.dialler.error = error
            else:
                self.agent.streams.publish = self.broken
            self.summon()
            if where == "publish":
                self.meet()
            for end in (*self.dialler.legs, *self.target.made):
                self.assertTrue(end.aborted, where)
                end.lose()
            self.assertEqual(self.agent.streams.summoned_streams, set(), where)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, where)

    def test_listed(self) -> None:
        """Live streams are told with their age and bytes."""
        self.summon(user="alice")
        leg, _ = self.meet()
        leg.receive(b"abc")
        self.reactor.advance(5)
        [info] = self.agent.streams.infos()
        self.assertEqual((info.stream, info.user, info.seconds, info.up), (STREAM, "alice", 5, 3))

    def test_drain(self) -> None:
        """An agent that drains hears no summons, refuses those on their way, isn't shown any more, and lets streams run
        on; once the last one has ended it is through."""
        self.summon()
        leg, target = self.meet()
        drained = self.agent.drain()
        self.assertEqual(self.bus.ignored, ["streamrelay.v1.host.web-1.open"])
        self.summon("on-its-way")
        self.assertEqual(self.answers()[-1], Answer(refused=Refusal.BUSY, reason="the agent is shutting down"))
        self.assertEqual(self.agent._listed().targets, ())
        leg.receive(b"still runs")
        self.assertEqual((bytes(target.sent), self.agent.still_running), (b"still runs", 1))
        self.assertNoResult(drained)
        leg.lose()
        target.lose()
        self.successResultOf(drained)
        [told] = self.events("up")
        self.assertEqual((self.agent.still_running, told["targets"], "agent" in told), (0, [], False))

    def test_drain_of_opening(self) -> None:
        """A summons that is under way when the agent begins to drain is answered as ever, and its client may come."""
        self.dialler.dialling = Deferred()
        self.summon()
        drained = self.agent.drain()
        dialled = FakeConnection()
        self.dialler.legs.append(dialled)
        self.dialler.dialling.callback(dialled)
        self.assertEqual(self.answers(), [Answer(ready=True, kind="log", viewer="log")])
        leg, target = self.meet()
        leg.receive(b"here")
        self.assertEqual(bytes(target.sent), b"here")
        self.assertNoResult(drained)

    def test_up(self) -> None:
        """At each connection it is told what the host has, with its labels, the version and which agent that is."""
        self.agent.config = structs.replace(self.agent.config, labels={"site": "fra"})
        self.agent.namesakes.start()
        self.agent._connected()
        [told] = self.events("up")
        self.assertEqual((told["labels"], told["version"]), ({"site": "fra"}, __version__))
        self.assertIn(f"process {os.getpid()}, since ", told["agent"])

    def test_labels(self) -> None:
        """Labels that lists can't have are refused where settings are read, with what they may be."""
        wanted: dict[str, Any] = {"tokens": "opaque", "relays": (RELAY,)}
        for labels in ({"Site": "fra"}, {"site": "f r"}, {"": "x"}, {"a": "x" * 64}, {f"n{i}": "" for i in range(17)}):
            error = self.assertRaises(ValueError, AgentConfig, "web-1", labels=labels, **wanted)
            self.assertIn("labels: expected at most 16, each NAME = ", str(error))
        AgentConfig("web-1", labels={f"n.{i}_x-": "A:/+@" for i in range(16)}, **wanted)

    def test_readiness(self) -> None:
        """An agent is ready while it has its bus."""
        readiness, told = self.agent.readiness, []
        readiness.watchers.append(lambda: told.append(readiness.reason))
        for news in (self.agent._lost, self.agent._connected, self.agent._lost):
            news()
        self.assertEqual(told, ["no connection to NATS", "", "no connection to NATS"])

    def test_stop_of_waiting(self) -> None:
        """A stop ends what waits for its client, too, and opens nothing more."""
        self.summon()
        stopped = self.agent.stopService()
        self.summon("too-late")
        self.assertEqual(self.answers()[-1], Answer(refused=Refusal.BUSY, reason="the agent is shutting down"))
        [leg], [target] = self.dialler.legs, self.target.made
        self.assertEqual(leg.closing.code, CloseCode.LEG_LOST)
        leg.lose()
        self.assertTrue(target.aborted)
        target.lose()
        self.reactor.advance(0.05)
        self.successResultOf(stopped)

    def test_stop(self) -> None:
        """A stop ends every stream with 4005, says that the host is down, and doesn't wait for ever."""
        self.summon()
        leg, target = self.meet()
        stopped = self.agent.stopService()
        self.assertEqual(target.closing.code, CloseCode.LEG_LOST)
        self.reactor.pump([0.1] * 30)
        self.successResultOf(stopped)
        self.assertTrue(leg.aborted and target.aborted)
        self.assertEqual((len(self.events("down")), self.bus.stopped), (1, True))
