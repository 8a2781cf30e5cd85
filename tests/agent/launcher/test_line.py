"""line.py: the agent's end of the launcher, with a launcher that the test speaks for."""

import os
import signal
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.launcher.line import Line
from streamrelay.agent.launcher.messages import Order, Report
from streamrelay.agent.targets.terminal.process import PtyConnection
from streamrelay.errors import TargetError
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Refusal
from tests.fakes.connections import Ear


class Lines(SynchronousTestCase):
    """One line, one command."""

    def setUp(self) -> None:
        ours, self.launcher = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.launcher.close)
        self.launcher.settimeout(0)
        self.reactor: Any = MemoryReactorClock()
        self.line = Line(self.reactor, ours)
        self.addCleanup(ours.close)
        self.ear, self.events = Ear(), list[LogEvent]()
        hear: Any = self.events.append
        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)

    def launch(self) -> "Deferred[None]":
        self.connection = PtyConnection(self.reactor)
        return Deferred.fromCoroutine(self.line.launch("shell", self.connection))

    def orders(self) -> list[Order]:
        self.line.doWrite()
        found = []
        while True:
            try:
                found.append(codec.decode(self.launcher.recv(9000), Order))
            except BlockingIOError:
                return found

    def report(self, report: Report, *descriptors: int) -> None:
        socket.send_fds(self.launcher, [codec.encode(report)], list(descriptors))
        self.assertIsNone(self.line.doRead())

    def begin(self) -> int:
        """Have the command started; return the end of its terminal that a command has."""
        begun = self.launch()
        self.assertEqual(self.orders(), [Order(1, "shell")])
        terminal, inner = os.openpty()
        self.addCleanup(lambda: self.connection.process.connected and self.connection.process.connectionLost(LOST))
        self.report(Report(1), terminal)
        os.close(terminal)
        self.successResultOf(begun)
        self.connection.join(self.ear, self.ear)
        return inner

    def lost(self) -> list[str]:
        """The launcher's end, and what is logged of it."""
        self.launcher.close()
        self.line.connectionLost(LOST)
        return [formatEvent(event) for event in self.events]

    def test_bytes(self) -> None:
        """Bytes go both ways, and the status comes behind the last of them, whichever is known first."""
        inner = self.begin()
        self.assertFalse(os.get_inheritable(self.connection.process.fileno()))
        os.write(inner, b"out")
        self.connection.process.doRead()
        self.connection.send([memoryview(b"in\n")], 3)
        self.connection.process.doWrite()
        self.assertEqual((self.ear.data, os.read(inner, 10)), (b"out", b"in\n"))
        self.report(Report(1, status=3))
        self.assertNotIn(("gone",), self.ear.said)
        os.close(inner)
        self.connection.process.connectionLost(LOST)
        self.assertEqual(self.ear.said[-4:-2], [("control", b'{"exit":3}'), ("eof",)])

    def test_signals(self) -> None:
        """A stream that ends hangs the command up, and has it killed later."""
        os.close(self.begin())
        self.connection.abort()
        self.reactor.advance(3)
        self.assertEqual(self.orders(), [Order(1, signal="hangup"), Order(1, signal="kill")])

    def test_leftovers(self) -> None:
        """Who has left a command's group, and holds its terminal, holds neither the stream nor its descriptor."""
        self.addCleanup(os.close, self.begin())
        terminal = self.connection.process.fileno()
        self.connection.send([memoryview(b"unread")], 6)
        self.connection.abort()
        self.report(Report(1, status=129))
        self.assertNotIn(("gone",), self.ear.said)
        self.reactor.advance(3)
        self.assertEqual(self.ear.said[-1], ("gone",))
        self.assertRaises(OSError, os.fstat, terminal)

    def test_held(self) -> None:
        """Who holds a terminal whose command has ended keeps its stream for half a second of silence, no longer."""
        self.addCleanup(os.close, self.begin())
        self.report(Report(1, status=3))
        self.reactor.advance(0.4)
        self.assertNotIn(("gone",), self.ear.said)
        self.reactor.advance(0.1)
        self.assertEqual(self.ear.said[0], ("control", b'{"exit":3}'))
        self.assertEqual(self.ear.said[-1], ("gone",))

    def test_killed_late(self) -> None:
        """A command that is reaped after its terminal was closed ends its stream then; so does the launcher's end."""
        for reaped in (True, False):
            self.setUp()
            self.addCleanup(os.close, self.begin())
            self.connection.abort()
            self.reactor.advance(3)
            self.assertNotIn(("gone",), self.ear.said)
            if reaped:
                self.report(Report(1, status=137))
            else:
                self.lost()
            self.assertEqual(self.ear.said[-1], ("gone",))

    def test_refused(self) -> None:
        """What the launcher refuses is refused with its words."""
        for number, (busy, code) in enumerate(((False, Refusal.TARGET_REFUSED), (True, Refusal.BUSY)), 1):
            begun = self.launch()
            self.report(Report(number, refused="x: no such user on this host", busy=busy))
            error = self.failureResultOf(begun, TargetError).value
            self.assertIn("no such user", error.reason)
            self.assertEqual(error.code, code)

    def test_no_terminal(self) -> None:
        """A command whose terminal doesn't come, as there is no room for it, is killed."""
        begun = self.launch()
        self.report(Report(1))
        error = self.failureResultOf(begun, TargetError).value
        self.assertIn("its terminal didn't come", error.reason)
        self.assertEqual(error.code, Refusal.BUSY)
        self.assertEqual(self.orders(), [Order(1, "shell"), Order(1, signal="kill")])

    def test_given_up(self) -> None:
        """Nobody waits any more: the command is killed, and a terminal that comes late is closed."""
        begun = self.launch()
        begun.addErrback(lambda _: None)
        begun.cancel()
        self.assertEqual(self.orders(), [Order(1, "shell"), Order(1, signal="kill")])
        inner, outer = os.pipe()
        self.report(Report(1), outer)
        os.close(outer)
        self.assertEqual(os.read(inner, 1), b"")
        os.close(inner)

    def test_lost(self) -> None:
        """The launcher's end is said with its reason; who waits is refused, and what runs is over."""
        os.close(self.begin())
        waits = Deferred.fromCoroutine(self.line.launch("shell", PtyConnection(self.reactor)))
        self.report(Report(0, refused="KeyError: 'x'"))
        [told] = self.lost()
        self.assertIn("the launcher has ended (KeyError: 'x'): no command runs as another user", told)
        self.failureResultOf(waits, TargetError)
        self.assertEqual(self.ear.said[-1], ("gone",))
        later = Deferred.fromCoroutine(self.line.launch("shell", PtyConnection(self.reactor)))
        self.assertIn("started anew", self.failureResultOf(later, TargetError).value.reason)

    def test_finished(self) -> None:
        """An agent that ends itself says nothing of it."""
        self.line.finish()
        self.assertEqual(self.lost(), [])

    def test_stopped_reactor(self) -> None:
        """A reactor that stops tells the line and its terminals, each by itself, and none closes twice."""
        os.close(self.begin())
        self.line.finish()
        self.assertEqual(self.lost(), [])
        self.connection.process.connectionLost(LOST)
        self.assertEqual(self.ear.said.count(("gone",)), 1)

    def test_kill_after_the_end(self) -> None:
        """A kill that comes too late is no order to a launcher that is gone."""
        os.close(self.begin())
        self.lost()
        self.connection._kill(signal.SIGKILL)


LOST = Failure(ConnectionLost())
