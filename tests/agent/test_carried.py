"""carried.py: channels at an agent, each of them a stream of its own."""

from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.record import GATHERED
from streamrelay.bus.message import Message
from streamrelay.channels import frames
from streamrelay.channels.frames import DATA, END, EOF, OPEN, ChannelFrameReader
from streamrelay.errors import TargetError
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.summons import SPICE_LINKS, Answer, Refusal
from tests.agent.test_service import MET, RELAY, Case
from tests.documented import CHANNELS, CHANNELS_TAKEN
from tests.examples import STREAM
from tests.fakes.connections import FakeConnection
from tests.fakes.logs import Heard


class Carries(Case):
    """An agent, and a client that speaks frames."""

    def setUp(self) -> None:
        super().setUp()
        self.target.kind, self.target.viewer = "tcp", "raw"
        self.configure(max_streams=10)
        self.reader = ChannelFrameReader()

    def configure(self, **settings: Any) -> None:
        config = AgentConfig("web-1", tokens="opaque", relays=(RELAY,), **settings)
        self.agent.streams.config = self.agent.streams.quota.config = config

    def carry(self, **changes: Any) -> FakeConnection:
        """Open a stream that carries channels; its client has come."""
        self.summon(channels=True, **changes)
        self.dialler.legs[-1].feed.control(MET)
        return self.dialler.legs[-1]

    def say(self, *said: bytes) -> None:
        self.dialler.legs[-1].receive(b"".join(said))
        self.reactor.advance(0)

    def open(self, number: int) -> FakeConnection:
        self.say(frames.header(OPEN, number))
        return self.target.made[-1]

    def told(self) -> list[tuple[int, int, bytes]]:
        """The frames that the client was sent since the last time."""
        self.reactor.advance(0)
        leg = self.dialler.legs[-1]
        sent, leg.sent = bytes(leg.sent), bytearray()
        return [(kind, number, bytes(payload)) for kind, number, payload in self.reader.feed(memoryview(sent))]

    def ends(self) -> list[tuple[int, Outcome]]:
        return [(number, frames.outcome_of(payload)) for kind, number, payload in self.told() if kind == END]

    def events(self, kind: str) -> list[dict[str, Any]]:
        self.agent.streams.record.flush()
        return Case.events(self, kind)

    def listed(self) -> dict[str, Any]:
        return {info.stream.removeprefix(STREAM): info for info in self.agent.streams.infos()}


class Lives(Carries):
    """Channels that are opened, and end."""

    def test_answer(self) -> None:
        """An agent says how many channels there may be: none for who doesn't ask, only looks, or of another kind."""
        self.carry()
        self.assertEqual(self.answers(), [Answer(ready=True, kind="tcp", channels=CHANNELS)])
        no: dict[str, Any] = {}
        for kind, changes in (("tcp", no), ("log", {"channels": True}), ("pty", {"channels": True})):
            self.setUp()
            self.target.kind = kind
            self.summon(**changes)
            self.assertEqual(self.answers()[0], Answer(ready=True, kind=kind))
        self.setUp()
        self.target.viewer = "vnc"
        self.summon(channels=True, view=True)
        self.assertEqual(self.answers()[0].channels, 0)

    def test_first(self) -> None:
        """Channel 1 is the connection that was made before the answer; further ones are made as they are opened."""
        self.carry()
        [first] = self.target.made
        self.say(b"".join(frames.data_frames(1, [memoryview(b"one")], 3)))
        second = self.open(2)
        self.say(b"".join(frames.data_frames(2, [memoryview(b"two")], 3)))
        self.assertEqual((bytes(first.sent), bytes(second.sent), len(self.target.made)), (b"one", b"two", 2))
        second.receive(b"answer")
        self.assertEqual(self.told(), [(DATA, 2, b"answer")])

    def test_behind_the_news(self) -> None:
        """What comes right behind the news that the client has come goes to its channels."""
        leg = self.carry()
        leg.receive(frames.header(DATA, 1, 2) + b"hi")
        self.assertEqual(bytes(self.target.made[0].sent), b"hi")

    def test_each_recorded(self) -> None:
        """Each channel has its own lines, events, bytes and outcome; the stream that carries them has no event."""
        heard = Heard(self)
        self.carry(user="alice")
        self.open(2)
        self.say(b"".join(frames.data_frames(2, [memoryview(b"up")], 2)))
        self.target.made[1].receive(b"answer")
        self.reactor.advance(2)
        self.target.made[1].lose(outcome(CloseCode.TARGET_RESET))
        self.assertEqual([code.code for _, code in self.ends()], [CloseCode.TARGET_RESET])
        self.assertEqual([event["stream"] for event in self.events("opened")], [f"{STREAM}.1", f"{STREAM}.2"])
        [ended] = self.events("ended")
        self.assertEqual(
            (ended["stream"], ended["user"], ended["code"], ended["up"], ended["down"], ended["seconds"]),
            (f"{STREAM}.2", "alice", 4003, 2, 6, 2.0),
        )
        self.assertIn(f"stream {STREAM} to log carries channels for alice from client:1", heard.text)
        self.assertIn(f"stream {STREAM}.2 to log opened for alice from client:1 (v1)", heard.text)

    def test_gathered(self) -> None:
        """Events of channels wait for each other a moment, and for no agent's end."""
        self.carry()
        self.open(2)
        self.assertEqual(Case.events(self, "opened"), [])
        self.reactor.advance(GATHERED)
        self.assertEqual(len(Case.events(self, "opened")), 2)
        self.open(3)
        stopped = Deferred.fromCoroutine(self.agent.streams.stop())
        for connection in (*self.target.made, self.dialler.legs[-1]):
            connection.lose()
        self.reactor.advance(0.05)
        self.successResultOf(stopped)
        self.assertEqual((len(Case.events(self, "opened")), len(Case.events(self, "ended"))), (3, 3))

    def test_listed(self) -> None:
        """Lists show the stream that carries and each of its channels; channels are ended one by one, or all."""
        self.carry()
        self.open(2)
        self.open(3)
        self.assertEqual(
            {name: info.channels for name, info in self.listed().items()},
            {"": 3, ".1": UNSET, ".2": UNSET, ".3": UNSET},
        )
        request = codec.encode({"stream": f"{STREAM}.2", "jti": "j" * 22, "exp": 1020.0})
        self.agent._told_to_end(Message(request, "_INBOX.a"))
        self.assertTrue(self.answers()[-1].ready)
        self.assertEqual(self.ends(), [(2, outcome(CloseCode.OPERATOR))])
        self.assertEqual(self.target.made[1].closing.code, CloseCode.OPERATOR)
        self.target.made[1].lose()
        self.assertEqual(set(self.listed()), {"", ".1", ".3"})
        self.agent.streams.end(STREAM)
        self.assertEqual(self.dialler.legs[-1].closing.code, CloseCode.OPERATOR)
        self.assertEqual([made.closing.code for made in self.target.made], [CloseCode.OPERATOR] * 3)
        for connection in (*self.target.made, self.dialler.legs[-1]):
            connection.lose()
        self.assertEqual(self.listed(), {})

    def test_refused(self) -> None:
        """A target that refuses, and a limit, end that channel alone, with code and words."""
        self.carry()
        for number, code, close, detail in (
            (2, Refusal.TARGET_REFUSED, 4001, "nothing listens"),
            (3, Refusal.TARGET_UNREACHABLE, 4002, "no route"),
            (4, Refusal.NOT_ALLOWED, 4001, "not allowed"),
            (5, Refusal.BUSY, 1013, "names hang"),
        ):
            self.target.error = TargetError(code, detail)
            self.open(number)
            self.assertEqual(self.ends(), [(number, Outcome(close, detail))])
        self.target.error = None
        self.assertEqual(set(self.listed()), {"", ".1"})

    def test_refusals_are_counted(self) -> None:
        """A flood of channels that are refused costs the log a line a minute, and one with the rest at the end."""
        self.carry()
        heard = Heard(self)
        self.target.error = TargetError(Refusal.TARGET_REFUSED, "nothing listens")
        for number in range(2, 12):
            self.open(number)
        since = "refused, since the last such line"
        told = [line for line in heard.lines if since in line]
        self.assertEqual([line.partition(since)[2] for line in told], [" 1: nothing listens"])
        self.dialler.legs[-1].lose()
        told = [line for line in heard.lines if since in line]
        self.assertEqual([line.partition(since)[2] for line in told][1:], [" 9: nothing listens"])

    def test_left_while_connecting(self) -> None:
        """A client that resets a channel whose target is being connected has that given up."""
        self.carry()
        given_up: list[bool] = []
        self.target.connecting = Deferred(lambda _: given_up.append(True))
        self.say(frames.header(OPEN, 2))
        self.assertEqual((self.listed()[".1"].waiting, self.listed()[".2"].waiting, given_up), (False, True, []))
        self.say(frames.end(2, outcome(CloseCode.LEG_LOST)))
        self.assertEqual((given_up, set(self.listed())), ([True], {"", ".1"}))

    def test_ended_while_connecting(self) -> None:
        """A channel that is ended by an operator while its target is connected is told so."""
        self.carry()
        self.target.connecting = Deferred()
        self.say(frames.header(OPEN, 2))
        self.assertTrue(self.agent.streams.end(f"{STREAM}.2"))
        self.assertEqual(self.ends(), [(2, outcome(CloseCode.OPERATOR))])
        self.assertEqual(set(self.listed()), {"", ".1"})

    def test_leg_lost(self) -> None:
        """With the leg all channels are lost, those that are being connected too."""
        leg = self.carry()
        self.open(2)
        self.target.connecting = Deferred()
        self.say(frames.header(OPEN, 3))
        leg.lose(outcome(CloseCode.LEG_LOST))
        for made in self.target.made:
            self.assertEqual(made.closing.code, CloseCode.LEG_LOST)
            made.lose()
        self.assertEqual(self.listed(), {})
        self.assertEqual({event["code"] for event in self.events("ended")}, {4005})

    def test_old(self) -> None:
        """After 300 s no channel is taken any more; what is open goes on, and with the last of them the stream ends."""
        leg = self.carry()
        self.reactor.advance(CHANNELS_TAKEN - 1)
        second = self.open(2)
        self.reactor.advance(1)
        self.say(frames.header(OPEN, 3))
        [(number, why)] = self.ends()
        self.assertEqual(
            (number, why.code, why.reason), (3, 4005, "the stream that carries it was opened too long ago")
        )
        self.say(frames.end(3, FINISHED), frames.end(1, outcome(CloseCode.LEG_LOST)))
        self.assertIsNone(leg.closed)
        second.feed.eof()
        self.say(frames.header(EOF, 2))
        self.say(frames.end(2, FINISHED))
        self.assertEqual(leg.closed, FINISHED)

    def test_ready(self) -> None:
        """A stream without channels stands ready, listed, for 300 s, and ends then."""
        leg = self.carry()
        self.say(frames.end(1, outcome(CloseCode.LEG_LOST)))
        self.target.made[0].lose()
        self.assertEqual({name: info.channels for name, info in self.listed().items()}, {"": 0})
        self.reactor.advance(CHANNELS_TAKEN - 1)
        self.assertIsNone(leg.closed)
        self.reactor.advance(1)
        self.assertEqual(leg.closed, FINISHED)
        leg.lose()
        self.assertEqual((self.listed(), self.reactor.getDelayedCalls()), ({}, self._forgetting()))

    def _forgetting(self) -> list[Any]:
        """The timers that are the summonses'."""
        return [call for call in self.reactor.getDelayedCalls() if "forget" in str(call.func)]  # type: ignore[attr-defined]


class OneSession(Carries):
    """Channels of a target that is shown by SPICE: the connections of one session."""

    def setUp(self) -> None:
        super().setUp()
        self.target.kind, self.target.viewer = "qemu", "spice"
        self.configure(max_streams=1)

    def test_answer(self) -> None:
        """There may be as many channels as there could be websockets, by one leg, so such a stream resumes."""
        self.carry()
        self.assertEqual(self.answers(), [Answer(ready=True, kind="qemu", viewer="spice", channels=SPICE_LINKS)])

    def test_one_stream(self) -> None:
        """They are one stream: it is listed and counted once, with the bytes of all, and ended as a whole."""
        leg = self.carry(user="alice")
        self.target.max_streams = 1
        others = [self.open(2), self.open(3)]
        self.say(b"".join(frames.data_frames(2, [memoryview(b"up")], 2)))
        others[1].receive(b"answer")
        [info] = self.agent.streams.infos()
        self.assertEqual((info.stream, info.up, info.down, info.channels), (STREAM, 2, 6, UNSET))
        self.assertEqual(self.agent.streams.quota.count, 1)
        self.assertEqual([event["stream"] for event in self.events("opened")], [STREAM] * 3)
        self.assertTrue(self.agent.streams.end(STREAM))
        self.assertEqual([one.closing.code for one in (leg, *self.target.made)], [CloseCode.OPERATOR] * 4)

    def test_ends_alone(self) -> None:
        """A channel that its client ends, or that can't be connected, ends alone."""
        self.carry()
        self.open(2)
        self.target.error = TargetError(Refusal.TARGET_REFUSED, "nothing listens")
        self.say(frames.header(OPEN, 3))
        self.assertEqual(self.ends(), [(3, outcome(CloseCode.TARGET_REFUSED, "nothing listens"))])
        self.say(frames.end(2, FINISHED))
        self.assertEqual([code for code, _ in self.ends()], [2])
        self.assertEqual(len(self.agent.streams.infos()), 1)

    def test_left_while_connecting(self) -> None:
        """A connection that comes when its client has ended the channel is let go."""
        self.carry()
        connecting: Deferred[None] = Deferred()
        self.target.connecting = connecting
        self.say(frames.header(OPEN, 2))
        self.say(frames.end(2, FINISHED))
        connecting.callback(None)
        self.assertTrue(self.target.made[-1].aborted)
