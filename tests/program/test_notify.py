"""notify.py: what systemd is told, by a socket that the test has in its place."""

import os
import socket

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program.notify import SLACK, START_TIME, Notifier
from streamrelay.program.readiness import Readiness
from tests.fakes.logs import Heard


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.readiness = Clock(), Readiness()
        self.clock.advance(7)
        self.notifier = Notifier(self.clock, self.readiness, lambda: 60.0)

    def listen(self, address: str) -> socket.socket:
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(wire.close)
        wire.bind(address)
        return wire

    def begin(self, **more: str) -> None:
        """A program that systemd has started."""
        name = f"@streamrelay-test-{os.getpid()}-{id(self)}"
        self.wire = self.listen(f"\0{name[1:]}")
        self.environment = {"NOTIFY_SOCKET": name, "PATH": "/bin", **more}
        self.notifier.take(self.environment)
        self.notifier.start()

    def told(self) -> list[str]:
        """All that has come since."""
        found = []
        while True:
            try:
                found.append(self.wire.recv(4096).decode())
            except BlockingIOError:
                return found


class Told(Case):
    def test_ready(self) -> None:
        """Systemd hears that the program is ready once it is, and until then what it waits for."""
        self.readiness.wait("no connection to NATS")
        self.begin()
        self.assertEqual(self.told(), ["STATUS=no connection to NATS"])
        self.readiness.ready()
        self.assertEqual(self.told(), ["READY=1\nSTATUS=ready", "STATUS=ready"])
        self.readiness.wait("no connection to NATS")
        self.readiness.ready()
        self.assertEqual(self.told(), ["STATUS=no connection to NATS", "STATUS=ready"])

    def test_no_boot_hangs(self) -> None:
        """A program that waits counts as started after ten seconds, and says what it waits for."""
        self.readiness.wait("no connection to NATS")
        self.begin()
        self.clock.advance(START_TIME)
        self.assertEqual(self.told()[1:], ["READY=1\nSTATUS=no connection to NATS"])

    def test_stopping(self) -> None:
        """A program that drains says so once, with the time that it may take, and never that it is ready."""
        self.begin()
        self.told()
        self.readiness.drain("stopping: 2 streams still running")
        self.readiness.drain("stopping: 1 stream still running")
        extended = int((60 + SLACK) * 1e6)
        self.assertEqual(
            self.told(),
            [
                f"STOPPING=1\nEXTEND_TIMEOUT_USEC={extended}",
                "STATUS=stopping: 2 streams still running",
                "STATUS=stopping: 1 stream still running",
            ],
        )
        self.clock.advance(START_TIME)
        self.assertEqual(self.told(), [])

    def test_reload(self) -> None:
        """A reload is told with its time before it, and its end after it, whatever it raises."""
        self.readiness.ready()
        self.begin()
        self.told()
        during: list[str] = []
        self.notifier.reload(lambda: during.extend(self.told()))
        self.assertEqual(during, ["RELOADING=1\nMONOTONIC_USEC=7000000"])
        self.assertEqual(self.told(), ["READY=1\nSTATUS=ready"])
        self.assertRaises(ZeroDivisionError, self.notifier.reload, lambda: 1 // 0)
        self.assertEqual(self.told()[1:], ["READY=1\nSTATUS=ready"])

    def test_watchdog(self) -> None:
        """The reactor tells that it runs thrice in the watchdog's time; not if that is another process'."""
        self.begin(WATCHDOG_USEC="3000000", WATCHDOG_PID=str(os.getpid()))
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.told().count("WATCHDOG=1"), 4)
        other = Notifier(self.clock, self.readiness, lambda: 60.0)
        other.take({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"})
        self.assertEqual(other.watchdog, 0)

    def test_not_inherited(self) -> None:
        """No program that is started by ours finds systemd's socket."""
        self.begin(WATCHDOG_USEC="3000000")
        self.assertEqual(self.environment, {"PATH": "/bin"})

    def test_path(self) -> None:
        """A socket may have a path, too."""
        path = f"/tmp/streamrelay-test-{os.getpid()}"
        self.wire = self.listen(path)
        self.addCleanup(os.unlink, path)
        self.notifier.take({"NOTIFY_SOCKET": path})
        self.readiness.ready()
        self.notifier.start()
        self.assertEqual(self.told()[0], "READY=1\nSTATUS=ready")

    def test_nobody(self) -> None:
        """Without systemd nothing is said; a socket that can't be told is complained of once."""
        heard = Heard(self)
        self.notifier.take({})
        self.notifier.start()
        self.readiness.ready()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.notifier.take({"NOTIFY_SOCKET": "/no/such"})
        self.notifier.start()
        self.readiness.wait("x")
        self.assertEqual(heard.text.count("can't tell systemd how it goes, at /no/such"), 1)
