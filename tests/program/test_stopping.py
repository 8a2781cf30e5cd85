"""stopping.py: what each signal does to a program, without processes."""

import signal
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program.readiness import Readiness
from streamrelay.program.stopping import CUT_TIME, Stopping
from tests.fakes.logs import Heard


class Stopped(Clock):
    """A clock that can be stopped as a reactor can, once."""

    stops = 0
    _exitSignal: int | None = None

    def stop(self) -> None:
        if self.stops:
            raise ReactorNotRunning
        self.stops += 1

    def callFromThread(self, work: Any, *arguments: Any) -> None:
        work(*arguments)


@define(eq=False)
class Streams:
    """Work that ends when the test says so."""

    still_running: int = 2
    kind: str = "stream"
    drained: "Deferred[None] | None" = None
    are_cut: "Deferred[None]" = field(init=False)

    def drain(self) -> "Deferred[None]":
        self.drained = Deferred()
        if not self.still_running:
            self.drained.callback(None)
        return self.drained

    def cut(self) -> "Deferred[None]":
        self.are_cut = Deferred()
        return self.are_cut


@define(eq=False)
class Started:
    reactor: Stopped = field(factory=Stopped)
    readiness: Readiness = field(factory=Readiness)
    work: Streams = field(factory=Streams)
    seconds: float = 60.0
    stopping: Stopping = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.readiness.ready()
        self.stopping = Stopping(self.reactor, self.readiness, self.work, self.seconds)


class StoppingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.heard = Heard(self)

    def test_drains(self) -> None:
        """At the first signal the program isn't ready at once, and goes on until its drain time is over."""
        started = Started()
        started.stopping.hear(signal.SIGTERM)
        self.assertEqual((started.readiness.is_ready, started.readiness.draining), (False, True))
        self.assertIn("2 streams still running, until ", started.readiness.reason)
        self.assertIn("SIGTERM: stopping; nothing new is taken on, 2 streams still running, until ", self.heard.text)
        started.reactor.advance(59.9)
        self.assertEqual(started.reactor.stops, 0)
        started.reactor.advance(0.1)
        self.assertEqual(started.reactor.stops, 1)
        self.assertIn("the time to drain is over; it ends 2 streams", self.heard.text)

    def test_ends_early(self) -> None:
        """It ends as soon as nothing runs any more, and leaves no timer."""
        started = Started()
        started.stopping.hear(signal.SIGTERM)
        assert started.work.drained is not None
        started.work.drained.callback(None)
        self.assertEqual((started.reactor.stops, started.reactor.getDelayedCalls()), (1, []))
        self.assertIn("nothing runs any more", self.heard.text)

    def test_at_once(self) -> None:
        """Nothing is waited for if nothing runs, if there is no time to drain, and if there is no work at all."""
        for started in (Started(work=Streams(0)), Started(seconds=0.0)):
            started.stopping.hear(signal.SIGTERM)
            self.assertEqual((started.reactor.stops, started.readiness.draining), (1, True))
        started = Started()
        started.stopping.work = None
        started.stopping.hear(signal.SIGTERM)
        self.assertEqual(started.reactor.stops, 1)

    def test_second(self) -> None:
        """The second signal cuts what drains, whose end has the time that this takes; more of them raise nothing."""
        started = Started()
        for _ in range(2):
            started.stopping.hear(signal.SIGTERM)
        self.assertEqual(started.reactor.stops, 1)
        self.assertNoResult(started.stopping.hurried)
        started.work.are_cut.callback(None)
        self.assertEqual(started.reactor.getDelayedCalls(), [])
        self.successResultOf(started.stopping.hurried)
        started.stopping.hear(signal.SIGTERM)
        self.assertIn("SIGTERM again: ending now, with 2 streams", self.heard.text)

    def test_uncut(self) -> None:
        """What can't be cut holds up the end for a second."""
        started = Started()
        for _ in range(2):
            started.stopping.hear(signal.SIGTERM)
        started.reactor.advance(CUT_TIME - 0.1)
        self.assertNoResult(started.stopping.hurried)
        started.reactor.advance(0.1)
        self.successResultOf(started.stopping.hurried)

    def test_status(self) -> None:
        """SIGTERM ends with status 0, whatever comes behind it; SIGINT is what the shell is to see."""
        for first, status in ((signal.SIGTERM, None), (signal.SIGINT, signal.SIGINT)):
            started = Started()
            started.stopping.hear(first)
            started.stopping.hear(signal.SIGTERM)
            self.assertEqual(started.reactor._exitSignal, status)

    def test_short_repr(self) -> None:
        """A signal's action is shown without the program's work: `signal.getsignal` shows it, in each process that is
        forked for a command, which would take longer the more streams there are."""
        shown: list[str] = []

        class Shown(Streams):
            def __repr__(self) -> str:
                shown.append("work")
                return "work"

        for number in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        Stopping(Stopped(), Readiness(), Shown()).install()
        signal.getsignal(signal.SIGTERM)
        self.assertEqual(shown, [])
