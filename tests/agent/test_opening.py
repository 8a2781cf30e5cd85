"""opening.py: a target is connected while its leg is dialled, and neither is left where the other fails."""

from typing import Any

from twisted.internet.defer import Deferred

from streamrelay.errors import TargetError
from streamrelay.protocol.close import CloseCode
from streamrelay.protocol.summons import Answer, Refusal
from streamrelay.websocket.dial_errors import DialError
from tests.agent.test_service import MET, Case
from tests.fakes.connections import FakeConnection

READY = Answer(ready=True, kind="log", viewer="log")


class Openings(Case):
    """A stream whose target takes its time, and so may the relay."""

    def setUp(self) -> None:
        super().setUp()
        self.cancelled: list[str] = []
        self.connecting: Deferred[None] = Deferred(lambda _: self.cancelled.append("target"))
        self.dialling: Deferred[Any] = Deferred(lambda _: self.cancelled.append("leg"))
        self.target.connecting, self.leg = self.connecting, FakeConnection()

    def both(self, **changes: Any) -> None:
        """Summon it, so that both are under way."""
        self.dialler.dialling = self.dialling
        self.summon(**changes)
        self.assertEqual((len(self.target.terms), len(self.dialler.dialled)), (1, 1))
        self.assertEqual((len(self.agent.streams.infos()), self.answers()), (1, []))

    def assert_nothing_left(self) -> None:
        self.assertEqual(self.agent.streams.infos(), [])
        self.assertEqual(len(self.dialler.dialled), 1)

    def test_at_once(self) -> None:
        """Both are under way at once; the answer is ready when both are there, whichever comes first."""
        for first, second in ((0, 1), (1, 0)):
            self.setUp()
            self.both()
            come = (lambda: self.connecting.callback(None), lambda: self.dialling.callback(self.leg))
            come[first]()
            self.assertEqual(self.answers(), [])
            come[second]()
            self.assertEqual(self.answers(), [READY])

    def test_client_first(self) -> None:
        """A client who has come before the target is connected is spliced with it, and nothing that it sent is lost."""
        self.both()
        self.dialling.callback(self.leg)
        self.assertIsNone(self.leg.joined)  # so it isn't read
        self.connecting.callback(None)
        self.leg.feed.control(MET)
        self.leg.receive(b"up")
        self.assertEqual(bytes(self.target.made[-1].sent), b"up")

    def test_target_refused(self) -> None:
        """A target that can't be had gives up the dial, and an open leg is closed at once, with the reason."""
        error = TargetError(Refusal.TARGET_UNREACHABLE, "no answer")
        self.both()
        self.connecting.errback(error)
        self.assertEqual((self.cancelled, self.answers()[0].refused), (["leg"], Refusal.TARGET_UNREACHABLE))
        self.assert_nothing_left()
        self.setUp()
        self.both()
        self.dialling.callback(self.leg)
        self.connecting.errback(error)
        self.assertEqual((self.leg.closing.code, self.leg.closing.reason), (CloseCode.TARGET_UNREACHABLE, "no answer"))
        self.assertEqual(len(self.agent.streams.infos()), 1)
        self.leg.lose()
        self.assert_nothing_left()

    def test_dial_failed(self) -> None:
        """A relay that can't be reached gives up the target; what it brings all the same counts until it is gone."""
        self.both()
        self.dialling.errback(DialError("no route"))
        self.assertEqual(self.answers(), [Answer(refused=Refusal.DIAL_FAILED, reason="no route")])
        self.assertEqual(self.cancelled, ["target"])
        self.assert_nothing_left()
        self.setUp()
        self.connecting = self.target.connecting = Deferred(lambda connecting: connecting.callback(None))
        self.both()
        self.dialling.errback(DialError("no route"))
        [late] = self.target.made
        self.assertEqual((late.aborted, len(self.agent.streams.infos())), (True, 1))
        late.lose()
        self.assert_nothing_left()

    def test_excused(self) -> None:
        """Where nobody waits for the answer, the one dial is seen through to tell the client."""
        self.both(reply="")
        self.connecting.errback(TargetError(Refusal.TARGET_REFUSED, "nothing listens"))
        self.assertEqual(self.cancelled, [])
        self.dialling.callback(self.leg)
        self.leg.feed.control(MET)
        self.assertEqual(
            (self.leg.closing.code, self.leg.closing.reason), (CloseCode.TARGET_REFUSED, "nothing listens")
        )
        self.leg.lose()
        self.assert_nothing_left()

    def test_ended(self) -> None:
        """A stream that is ended, or an agent that stops, leaves neither of them."""
        for stop in (False, True):
            self.setUp()
            self.both()
            stopped = self.agent.stopService() if stop else self.agent.streams.end("s" * 22)
            self.assertEqual(self.cancelled, ["target", "leg"])
            self.assertEqual(self.answers()[0].refused, Refusal.BUSY if stop else Refusal.NOT_ALLOWED)
            self.assert_nothing_left()
            if isinstance(stopped, Deferred):
                self.reactor.advance(0.05)
                self.successResultOf(stopped)

    def test_our_fault(self) -> None:
        """An error of ours in one of them leaves nothing of the other."""
        for fault in ("target", "leg"):
            self.setUp()
            self.both()
            attempt = self.connecting if fault == "target" else self.dialling
            attempt.errback(ZeroDivisionError())
            self.assertNotIn(fault, self.cancelled)
            self.assert_nothing_left()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class LegFirst(Openings):
    """A program, where the platform has another relay: it would be started again for that."""

    def setUp(self) -> None:
        super().setUp()
        self.target.viewer = "terminal"

    def both(self, **changes: Any) -> None:
        """Summon it, so that the leg is under way."""
        self.dialler.dialling = self.dialling
        self.summon(dial=3.0, **changes)
        self.assertEqual((len(self.target.terms), len(self.dialler.dialled)), (0, 1))
        self.assertEqual((len(self.agent.streams.infos()), self.answers()), (1, []))

    def open_leg(self, **changes: Any) -> None:
        self.both(**changes)
        self.dialling.callback(self.leg)
        self.assertEqual((len(self.target.terms), self.answers()), (1, []))

    def test_at_once(self) -> None:
        """It is started once the leg is open, and then answered for; without another relay at once."""
        self.open_leg()
        self.connecting.callback(None)
        self.assertEqual(self.answers(), [Answer(ready=True, kind="log", viewer="terminal")])
        self.setUp()
        self.dialler.dialling = self.dialling
        self.summon()
        self.assertEqual(len(self.target.terms), 1)

    def test_target_refused(self) -> None:
        """A program that can't be started is told at the leg, which is there."""
        self.open_leg()
        self.connecting.errback(TargetError(Refusal.TARGET_REFUSED, "no such file"))
        self.assertEqual((self.leg.closing.code, self.leg.closing.reason), (CloseCode.TARGET_REFUSED, "no such file"))
        self.assertEqual(self.answers()[0].refused, Refusal.TARGET_REFUSED)
        self.leg.lose()
        self.assert_nothing_left()

    def test_dial_failed(self) -> None:
        """A relay that can't be had starts no program."""
        self.both()
        self.dialling.errback(DialError("no route"))
        self.assertEqual(self.answers(), [Answer(refused=Refusal.DIAL_FAILED, reason="no route")])
        self.assertEqual((self.target.terms, self.cancelled), ([], []))
        self.assert_nothing_left()

    def test_client_first(self) -> None:
        """A client who has come before the program runs is spliced with it."""
        self.open_leg()
        self.connecting.callback(None)
        self.leg.feed.control(MET)
        self.leg.receive(b"up")
        self.assertEqual(bytes(self.target.made[-1].sent), b"up")

    def test_excused(self) -> None:
        """Where nobody waits for the answer, the client is told at the leg."""
        self.open_leg(reply="")
        self.connecting.errback(TargetError(Refusal.TARGET_REFUSED, "nothing listens"))
        self.leg.feed.control(MET)
        self.assertEqual(self.leg.closing.code, CloseCode.TARGET_REFUSED)
        self.leg.lose()
        self.assert_nothing_left()

    def test_ended(self) -> None:
        """A stream that is ended while its leg is under way starts no program, and leaves none."""
        self.both()
        self.agent.streams.end("s" * 22)
        self.dialling.callback(self.leg)
        self.assertEqual(self.answers()[0].refused, Refusal.NOT_ALLOWED)
        self.assertEqual((self.target.made, self.target.terms, self.leg.closing.code), ([], [], CloseCode.OPERATOR))
        self.leg.lose()
        self.assert_nothing_left()

    def test_our_fault(self) -> None:
        """An error of ours in one of them leaves nothing of the other."""
        self.both()
        self.dialling.errback(ZeroDivisionError())
        self.assert_nothing_left()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.setUp()
        self.open_leg()
        self.connecting.errback(ZeroDivisionError())
        self.assertEqual((self.leg.aborted, len(self.flushLoggedErrors(ZeroDivisionError))), (True, 1))
        self.leg.lose()
        self.assert_nothing_left()
