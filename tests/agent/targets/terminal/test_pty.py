"""pty.py: a command in a pseudo-terminal; here without one."""

import fcntl
import os
import pty
import signal

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import read_entry
from streamrelay.agent.targets.terminal.process import PtyConnection, PtyProtocol, exit_status
from streamrelay.agent.targets.terminal.pty import Pty
from streamrelay.agent.targets.terminal.surroundings import prepare
from streamrelay.errors import TargetError
from streamrelay.protocol.close import FINISHED
from streamrelay.protocol.summons import Refusal, Terms
from tests.documented import KILL_AFTER, PTY_LINGER, PTY_SILENCE
from tests.fakes.channels import FakeTransport
from tests.fakes.connections import Ear
from tests.fakes.reactors import Ending


class FakeProcess(FakeTransport):
    """A process behind a pipe in memory."""

    pid = 4711

    def fileno(self) -> int:
        return 99

    def connectionLost(self, reason: Failure) -> None:
        self.disconnected = True


class Case(SynchronousTestCase):
    """A connection to a process that a test speaks for."""

    def setUp(self) -> None:
        self.clock, self.ear, self.process = Clock(), Ear(), FakeProcess()
        self.signals: list[tuple[int, int]] = []
        self.patch(os, "killpg", lambda group, number: self.signals.append((group, number)))
        self.connection = PtyConnection(self.clock)
        self.protocol = PtyProtocol(self.connection)
        self.protocol.makeConnection(self.process)

    def join(self) -> None:
        self.connection.join(self.ear, self.ear)

    def end(self, code: int | None = 0, number: int | None = None) -> None:
        why = ProcessTerminated(code, number) if code or number else ProcessDone(0)
        self.protocol.processEnded(Failure(why))


class Processes(Case):
    """Bytes, ends, signals."""

    def test_bytes(self) -> None:
        """Output comes once it is joined, input goes in."""
        self.assertFalse(self.process.reading)
        self.join()
        self.protocol.childDataReceived(1, b"out")
        self.connection.send([memoryview(b"i"), memoryview(b"n")], 2)
        self.assertEqual((self.ear.data, self.process.value()), (b"out", b"in"))

    def test_exit(self) -> None:
        """When the process has ended its status is told behind its output, and whoever it left behind is killed."""
        self.join()
        self.protocol.childDataReceived(1, b"last")
        self.end(3)
        self.assertEqual(
            self.ear.said, [("bytes", b"last"), ("control", b'{"exit":3}'), ("eof",), ("over", FINISHED), ("gone",)]
        )
        self.assertEqual(self.signals, [(4711, signal.SIGKILL)])

    def test_agents_end(self) -> None:
        """A process that hasn't ended when the agent does is killed then, as nobody could do so later; one that has
        ended is not, as its number may be another's."""
        reactor = Ending()
        self.connection.die_with(reactor)
        self.connection.close(FINISHED)
        self.signals.clear()
        reactor.end()
        self.assertEqual(self.signals, [(4711, signal.SIGKILL)])
        self.protocol.processExited(Failure(ProcessDone(0)))
        self.signals.clear()
        reactor.end()
        self.assertEqual(self.signals, [])

    def reaped(self) -> None:
        """The process has ended, and others have its terminal open."""
        self.protocol.processExited(Failure(ProcessDone(0)))

    def test_held(self) -> None:
        """A terminal that others hold is hung up once it has been silent for half a second, and not while it isn't
        read; those in the command's group are killed at once, as later its number may be another's."""
        self.reaped()
        self.assertEqual(self.signals, [(4711, signal.SIGKILL)])
        self.clock.advance(60)
        self.join()
        self.clock.advance(PTY_SILENCE - 0.1)
        self.protocol.childDataReceived(1, b"last")
        self.connection.pause()
        self.clock.advance(60)
        self.connection.resume()
        self.clock.advance(PTY_SILENCE - 0.1)
        self.assertFalse(self.process.disconnected)
        self.clock.advance(0.1)
        self.assertTrue(self.process.disconnected)
        self.end(3)
        self.assertEqual(self.ear.said[:2], [("bytes", b"last"), ("control", b'{"exit":3}')])
        self.assertEqual((self.signals, self.clock.getDelayedCalls()), ([(4711, signal.SIGKILL)], []))

    def test_held_and_never_silent(self) -> None:
        """A job that goes on writing keeps the terminal no longer than 3 s of reading."""
        self.join()
        self.reaped()
        for _ in range(PTY_LINGER * 10 - 1):
            self.clock.advance(0.1)
            self.protocol.childDataReceived(1, b"tick")
        self.assertFalse(self.process.disconnected)
        self.clock.advance(0.11)
        self.assertTrue(self.process.disconnected)

    def test_held_and_left(self) -> None:
        """A stream that ends while others hold the terminal of its command, which is gone, hangs up at once."""
        self.join()
        self.reaped()
        self.connection.close(FINISHED)
        self.assertTrue(self.process.disconnected)
        self.end()
        self.assertEqual((self.signals, self.clock.getDelayedCalls()), ([(4711, signal.SIGKILL)], []))

    def test_held_when_closed(self) -> None:
        """A stream that has ended before its command lets go of the terminal with the kill."""
        self.join()
        self.connection.close(FINISHED)
        self.reaped()
        self.clock.advance(KILL_AFTER - 0.1)
        self.assertFalse(self.process.disconnected)
        self.clock.advance(0.1)
        self.assertTrue(self.process.disconnected)

    def test_exit_before_joined(self) -> None:
        """A process that ended before it was joined is told when it is."""
        self.end(0)
        self.join()
        self.assertEqual(self.ear.said[0], ("control", b'{"exit":0}'))
        self.assertEqual(self.ear.codes, [1000])

    def test_close(self) -> None:
        """A stream that ends hangs up the process group, once; 3 s later it is killed and its terminal closed."""
        self.join()
        self.connection.close(FINISHED)
        self.connection.abort()
        self.assertEqual(self.signals, [(4711, signal.SIGHUP), (4711, signal.SIGCONT)])
        self.assertFalse(self.process.disconnected)
        self.clock.advance(KILL_AFTER)
        self.assertEqual(self.signals[2:], [(4711, signal.SIGKILL)])
        self.assertTrue(self.process.disconnected)

    def test_close_in_time(self) -> None:
        """A process that ends upon the hang-up leaves no timer."""
        self.join()
        self.connection.close(FINISHED)
        self.end(0, signal.SIGHUP)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.ear.said[-1], ("gone",))

    def test_close_reads_on(self) -> None:
        """A paused terminal is read again when it is hung up, as it doesn't end otherwise."""
        self.join()
        self.connection.pause()
        self.connection.close(FINISHED)
        self.assertTrue(self.process.reading)

    def test_eof(self) -> None:
        """An end of file is Ctrl-D: one on an empty line, two within one."""
        self.join()
        self.connection.send_eof()
        self.connection.send([memoryview(b"line\n")], 5)
        self.connection.send_eof()
        self.connection.send([memoryview(b"part")], 4)
        self.connection.send_eof()
        self.assertEqual(self.process.value(), b"\x04line\n\x04part\x04\x04")

    def test_eof_again(self) -> None:
        """An end of file is typed again while the command lives, later and later, once what was typed has gone in."""
        self.join()
        self.connection.send_eof()
        for wait in (0.5, 1, 2):
            self.connection.channel.resumeProducing()
            self.clock.advance(wait)
        self.assertEqual(self.process.value(), b"\x04" * 4)
        self.clock.advance(4)
        self.assertEqual(self.process.value(), b"\x04" * 4)
        self.end(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_resize(self) -> None:
        """A resize is told to the terminal; other control messages, and broken ones, change nothing."""
        sizes: list[bytes] = []
        self.patch(fcntl, "ioctl", lambda descriptor, what, size: sizes.append(size))
        self.join()
        for message in (b'{"resize": [100, 40]}', b"{}", b'{"exit": 0}', b'{"resize": [0, 0]}', b"\xff"):
            self.connection.send_control(message)
        self.assertEqual(sizes, [bytes([40, 0, 100, 0, 0, 0, 0, 0])])
        self.process.disconnected = True
        self.connection.resize(10, 10)  # whose number may be another terminal's
        self.process.disconnected = False
        self.end()
        self.connection.resize(10, 10)
        self.assertEqual(len(sizes), 1)

    def test_group_is_gone(self) -> None:
        """A process group that is gone already, or another user's, is no error."""
        for error in (ProcessLookupError(), PermissionError()):

            def fail(group: int, number: int, error: OSError = error) -> None:
                raise error

            self.patch(os, "killpg", fail)
            self.join()
            self.connection.close(FINISHED)


class Settings(SynchronousTestCase):
    """Settings, and what they can't start."""

    def refused(self, settings: Pty, code: str = Refusal.TARGET_REFUSED) -> str:
        work = Deferred.fromCoroutine(settings.connect(MemoryReactorClock(), Terms()))
        error: TargetError = self.failureResultOf(work, TargetError).value
        self.assertEqual(error.code, code)
        return error.reason

    def test_refused(self) -> None:
        """A program or a directory that isn't there is a refused target that names it."""
        self.assertIn("/no/such", self.refused(Pty(("/no/such",))))
        self.assertIn("/no/where", self.refused(Pty(("/bin/sh",), "/no/where")))

    def test_environment(self) -> None:
        """A process gets a terminal's few variables and the settings' own, not the agent's secrets; programs learn that
        the console's terminal has all colours."""
        self.patch(os, "environ", {"PATH": "/bin", "SECRET": "x", "LANG": "C"})
        environment = Pty(("/bin/sh",), environment={"A": "b"})._environment()
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.assertEqual(environment, {**terminal, "PATH": "/bin", "LANG": "C", "A": "b"})

    def test_erased(self) -> None:
        """Backspace takes a whole letter where the terminal edits lines itself."""
        outer, inner = os.openpty()
        self.addCleanup(os.close, outer)
        self.addCleanup(os.close, inner)
        prepare(outer, (80, 24))
        os.write(outer, "wĤ\x7f語\x7fx\n".encode())
        self.assertEqual(os.read(inner, 100), b"wx\n")

    def test_umask(self) -> None:
        """The mask of modes is octal, as a string: no decimal number, nor a part of the name, passes for one."""
        self.assertEqual([Pty(("sh",)).mask, Pty(("sh",), umask="0027").mask], [0o022, 0o027])
        for wrong in (22, "22", "089", "1777", "0x1f", "{x}", "022\n"):
            table = {"kind": "pty", "command": ["sh"], "umask": wrong, "parts": {"x": ".*"}}
            self.assertRaises(ValueError, read_entry, "{x}", table)

    def test_none_left(self) -> None:
        """Where no pseudo-terminal can be had the refusal says so, although the error has no number."""

        def fail() -> tuple[int, int]:
            raise OSError("out of pty devices")

        self.patch(pty, "openpty", fail)
        self.assertEqual(self.refused(Pty(("/bin/sh",)), Refusal.BUSY), "/bin/sh: out of pty devices")

    def test_check(self) -> None:
        """A command has at least a program."""
        Pty(("x",)).check()
        for command in ((), ("",)):
            self.assertRaises(ValueError, Pty(command).check)

    def test_exit_status(self) -> None:
        """A status is told as a shell tells it."""
        for why, status in (
            (ProcessDone(0), 0),
            (ProcessTerminated(7), 7),
            (ProcessTerminated(None, 9), 137),
            (ProcessTerminated(None, 15), 143),
            (ValueError(), 1),
        ):
            self.assertEqual(exit_status(why), status)
