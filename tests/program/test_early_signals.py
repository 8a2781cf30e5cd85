"""early_signals.py and log_file.py: what a program does before it runs."""

import os
import signal
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program import early_signals
from streamrelay.program.log_file import make_log
from tests.fakes.logs import Heard
from tests.fakes.reactors import install


class EarlySignals(SynchronousTestCase):
    def test_held(self) -> None:
        """Signals that come while a program starts kill nobody, and are heeded once it has started."""
        reactor, heard = install(self), Heard(self)
        before = [(number, signal.getsignal(number)) for number in early_signals.HELD]
        for number, handler in before:
            self.addCleanup(signal.signal, number, handler)
            signal.signal(number, signal.SIG_DFL)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_UNBLOCK, early_signals.HELD)
        early_signals.hold()
        for number in early_signals.HELD:
            signal.pthread_kill(threading.get_ident(), number)  # trial's other threads hold nothing back
        hung_up: list[int] = []
        signal.signal(signal.SIGHUP, lambda number, frame: hung_up.append(number))
        early_signals.release(reactor)
        self.assertEqual(hung_up, [signal.SIGHUP])
        reactor.hear_thread()
        self.assertIn("SIGUSR1: no new log is begun", heard.text)


class LogFile(SynchronousTestCase):
    def make(self, path: str | None, daemon: bool = True, **more: object) -> None:
        make_log({"logfile": path, "nodaemon": not daemon, "syslog": False, "logger": None, **more})

    def test_mode(self) -> None:
        """A log that is made can't be read by others; one that is there keeps its mode."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.addCleanup(os.umask, os.umask(0o002))
        self.make(str(folder / "a.log"))
        self.assertEqual((folder / "a.log").stat().st_mode & 0o777, 0o640)
        (folder / "a.log").chmod(0o600)
        self.make(str(folder / "a.log"), daemon=False)
        self.assertEqual((folder / "a.log").stat().st_mode & 0o777, 0o600)

    def test_none(self) -> None:
        """No file is made where the log goes elsewhere, or can't be made."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for path, daemon, more in (("-", True, {}), (None, False, {}), ("x", True, {"syslog": True})):
            self.make(path and str(folder / path) if path != "-" else path, daemon, **more)
        self.make(str(folder / "no" / "such.log"))
        self.assertEqual(list(folder.iterdir()), [])
