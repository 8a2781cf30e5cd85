"""port_streams.py: many connections of one local port, by few streams."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.channels import frames
from streamrelay.client.platform_api import OpenedStream, PlatformError, Unwanted
from streamrelay.client.port_streams import RENEWED, UNABLE, UNUSED, USED, Got, PortStreams
from streamrelay.datapath.connection import Drain, Feed
from streamrelay.net.retry import FIRST_WAIT
from streamrelay.protocol.close import FINISHED, CloseCode, outcome
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.websocket.dial_errors import DialError
from tests.documented import CHANNELS_TAKEN
from tests.fakes.connections import Ear, FakeConnection


@define(eq=False)
class Local:
    """A local connection."""

    there: bool = True

    def is_there(self) -> bool:
        return self.there


@define(eq=False)
class Asked:
    """A stream that was asked for."""

    channels: bool
    wanted: Callable[[], bool]
    answer: "Deferred[Got]" = field(factory=Deferred)
    leg: FakeConnection = field(factory=FakeConnection)

    def open(self, channels: int = 256) -> None:
        if self.wanted():
            self.answer.callback((OpenedStream("s" * 22, "wss://x", channels=channels), self.leg))
        else:
            self.answer.errback(Unwanted())


@define(eq=False)
class LostBefore(FakeConnection):
    """A leg that was lost before anybody joined it, as a `FramedConnection` says it."""

    def join(self, feed: Feed, drain: Drain) -> None:
        feed.over(outcome(CloseCode.LEG_LOST))
        feed.gone()


class Case(SynchronousTestCase):
    """A port whose streams are the test's to open."""

    def setUp(self) -> None:
        self.clock, self.asked = Clock(), list[Asked]()
        self.streams = PortStreams(self.clock, self.ask)

    def ask(self, channels: bool, wanted: Callable[[], bool]) -> "Deferred[Got]":
        self.asked.append(Asked(channels, wanted))
        return self.asked[-1].answer

    def connect(self, local: Local | None = None) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self.streams.connect(local or Local()))

    def got(self, connecting: "Deferred[Any]") -> Any:
        """The connection that was got."""
        return self.successResultOf(connecting)[1]

    def number(self, connecting: "Deferred[Any]") -> int:
        return int(self.got(connecting).number)

    def ready(self, channels: int = 256) -> FakeConnection:
        """One stream stands ready; its channel 1 is in use."""
        first = self.connect()
        self.asked[-1].open(channels)
        self.number(first)
        return self.asked[-1].leg

    def end_all(self, leg: FakeConnection) -> None:
        """Let all channels on a leg end both ways."""
        [stream] = [each for each in self.streams.carrying if each.carrier.leg is leg]
        for number, end in tuple(stream.carrier.ends.items()):
            leg.receive(frames.end(number, FINISHED))
            end.close(FINISHED)


class Carried(Case):
    """Connections as channels."""

    def test_one_stream(self) -> None:
        """Two hundred connections at once wait for the first stream, and then all are channels of it."""
        connecting = [self.connect() for _ in range(200)]
        self.assertEqual([asked.channels for asked in self.asked], [True])
        self.asked[0].open()
        self.assertEqual([self.number(each) for each in connecting], list(range(1, 201)))
        self.assertEqual(self.number(self.connect()), 201)
        self.assertEqual(len(self.asked), 1)

    def test_more_than_fit(self) -> None:
        """Those for whom there is no room wait for a second stream."""
        connecting = [self.connect() for _ in range(5)]
        self.asked[0].open(channels=3)
        self.assertEqual([self.number(each) for each in connecting[:3]], [1, 2, 3])
        self.asked[1].open(channels=3)
        self.assertEqual([self.number(each) for each in connecting[3:]], [1, 2])
        self.end_all(self.asked[0].leg)
        self.assertEqual(self.number(self.connect()), 3)
        self.assertEqual(self.number(self.connect()), 4)
        self.assertEqual(len(self.asked), 2)

    def test_refused(self) -> None:
        """All who wait are told why there is no stream, and the next one asks again."""
        connecting = [self.connect() for _ in range(3)]
        self.asked[0].answer.errback(PlatformError(502, "connection refused"))
        for each in connecting:
            self.assertEqual(str(self.failureResultOf(each, PlatformError).value), "connection refused")
        self.connect()
        self.assertEqual(len(self.asked), 2)

    def test_unwanted(self) -> None:
        """A stream for which nobody is there any more isn't asked for; who is still there gets it."""
        locals_ = [Local(), Local()]
        connecting = [self.connect(local) for local in locals_]
        locals_[0].there = False
        self.assertTrue(self.asked[0].wanted())
        self.asked[0].open()
        self.failureResultOf(connecting[0], Unwanted)
        self.assertEqual(self.number(connecting[1]), 1)
        self.setUp()
        local = Local()
        connecting = [self.connect(local)]
        local.there = False
        self.asked[0].open()
        self.failureResultOf(connecting[0], Unwanted)

    def test_gone_before(self) -> None:
        """Who is gone when it is looked at gets no channel of a stream that stands ready, and asks for none."""
        self.failureResultOf(self.connect(Local(there=False)), Unwanted)
        self.assertEqual(self.asked, [])
        leg = self.ready()
        sent = len(leg.sent)
        self.failureResultOf(self.connect(Local(there=False)), Unwanted)
        self.clock.advance(1)
        self.assertEqual((len(leg.sent), self.number(self.connect())), (sent, 2))

    def test_all_left(self) -> None:
        """If all have left when the stream is there, the connection that it was opened with is let go."""
        local = Local()
        connecting = self.connect(local)
        answer = self.asked[0]
        wanted = answer.wanted()
        local.there = False
        answer.answer.callback((OpenedStream("s" * 22, "wss://x", channels=5), answer.leg))
        self.failureResultOf(connecting, Unwanted)
        self.clock.advance(0)
        self.assertTrue(wanted)
        self.assertEqual(bytes(answer.leg.sent), frames.end(1, outcome(CloseCode.LEG_LOST, "nobody came to use it")))

    def test_lost(self) -> None:
        """A stream that is lost takes its channels along; the next connection opens another, without a word."""
        leg, ear = self.ready(), Ear()
        end = self.got(self.connect())
        end.join(ear, ear)
        leg.lose(outcome(CloseCode.LEG_LOST))
        self.assertEqual(ear.codes, [CloseCode.LEG_LOST])
        self.connect()
        self.assertEqual((len(self.asked), self.streams.carrying), (2, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_before(self) -> None:
        """A leg that was lost before the stream's answer came carries nobody: those who wait get another stream, after
        the pause of every retry."""
        connecting = [self.connect() for _ in range(2)]
        self.asked[0].leg = LostBefore()
        self.asked[0].open()
        self.assertEqual((len(self.asked), self.streams.carrying), (1, []))
        self.clock.advance(1.5 * FIRST_WAIT)
        self.assertEqual((len(self.asked), self.clock.getDelayedCalls()), (2, []))
        self.asked[1].open()
        self.assertEqual([self.number(each) for each in connecting], [1, 2])

    def test_always_lost_before(self) -> None:
        """Where each leg is lost before the stream's answer, the platform is asked later and later, and who waits is
        told after as long as a dial has."""
        connecting = self.connect()
        for _ in range(int(1.2 * CONNECT_TIME / 0.01)):  # a pause that has begun by then is waited for
            if not self.asked[-1].answer.called:
                self.asked[-1].leg = LostBefore()
                self.asked[-1].open()
            self.clock.advance(0.01)
        lost = self.failureResultOf(connecting, DialError)
        self.assertEqual(str(lost.value), "the connection to wss://x is lost each time before the stream is open")
        self.assertLess(len(self.asked), 15)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.connect()
        self.assertFalse(self.asked[-1].answer.called)


class Ages(Case):
    """Streams that take new channels for a while only."""

    def test_old(self) -> None:
        """Before the agent takes no more channels the client opens none, and ends the stream once it has none."""
        leg = self.ready()
        self.assertLess(USED, CHANNELS_TAKEN)
        self.clock.advance(USED)
        second = self.connect()
        self.assertIsNone(leg.closed)
        self.asked[1].open()
        self.assertEqual(self.number(second), 1)
        self.end_all(leg)
        self.assertEqual(leg.closed, FINISHED)

    def test_unused(self) -> None:
        """A stream without channels stands ready until then, and ends without a word."""
        leg = self.ready()
        self.end_all(leg)
        self.clock.advance(USED - 1)
        self.assertIsNone(leg.closed)
        self.clock.advance(1)
        self.assertEqual(leg.closed, FINISHED)
        leg.lose()
        self.assertEqual((self.streams.carrying, self.clock.getDelayedCalls()), ([], []))

    def test_successor(self) -> None:
        """A stream in use gets a successor in time: nobody waits for it, and new connections go there."""
        self.ready()
        self.clock.advance(RENEWED)
        self.assertEqual(len(self.asked), 1)
        self.assertEqual([self.number(self.connect()), self.number(self.connect())], [2, 3])
        self.assertEqual(len(self.asked), 2)
        self.asked[1].open()
        self.assertEqual(self.number(self.connect()), 1)
        self.assertEqual(len(self.asked), 2)

    def test_successor_unused(self) -> None:
        """The connection with which a successor was opened is let go if nobody uses it soon."""
        self.ready()
        self.clock.advance(RENEWED)
        self.connect()
        self.asked[1].open()
        self.clock.advance(UNUSED)
        self.clock.advance(0)
        self.assertIn(b"nobody came", bytes(self.asked[1].leg.sent))
        self.assertEqual(self.number(self.connect()), 2)

    def test_no_successor(self) -> None:
        """If there is no successor, whose grant is gone, nobody is told before a connection needs it."""
        self.ready()
        self.clock.advance(RENEWED)
        self.assertEqual(self.number(self.connect()), 2)
        self.asked[1].answer.errback(PlatformError(403, "not granted"))
        self.assertEqual(self.number(self.connect()), 3)
        self.asked[2].answer.errback(PlatformError(403, "not granted"))
        self.clock.advance(USED - RENEWED)
        last = self.connect()
        self.asked[3].answer.errback(PlatformError(403, "not granted"))
        self.failureResultOf(last, PlatformError)


class Ordinary(Case):
    """Other sides that know no channels."""

    def test_agent(self) -> None:
        """An agent that can't carry channels: the stream is the first one's, and the others ask for their own."""
        connecting = [self.connect() for _ in range(3)]
        self.asked[0].open(channels=0)
        self.assertIs(self.got(connecting[0]), self.asked[0].leg)
        self.assertEqual([asked.channels for asked in self.asked], [True, False, False])
        for asked, each in zip(self.asked[1:], connecting[1:], strict=True):
            asked.open(channels=0)
            self.assertIs(self.got(each), asked.leg)
        self.clock.advance(UNABLE)
        self.connect()
        self.assertTrue(self.asked[-1].channels)

    def test_platform(self) -> None:
        """A platform that knows no channels refuses the request as malformed, and is asked without them."""
        connecting = self.connect()
        self.asked[0].answer.errback(PlatformError(400, "expected …"))
        self.assertEqual([asked.channels for asked in self.asked], [True, False])
        self.asked[1].open(channels=0)
        self.assertIs(self.got(connecting), self.asked[1].leg)

    def test_nobody(self) -> None:
        """If nobody is there any more for an ordinary stream, its leg is cut."""
        local = Local()
        connecting = self.connect(local)
        local.there = False
        asked = self.asked[0]
        asked.answer.callback((OpenedStream("s" * 22, "wss://x"), asked.leg))
        self.assertTrue(asked.leg.aborted)
        self.failureResultOf(connecting, Unwanted)
