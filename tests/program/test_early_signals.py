"""early_signals.py and log_file.py: what a program does before it runs."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

from twisted.logger import Logger, globalLogPublisher
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program import early_signals, log_file
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


class Anew(SynchronousTestCase):
    """A log that is begun anew at SIGUSR1."""

    def setUp(self) -> None:
        self.reactor = install(self)
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
        self.addCleanup(log_file._open.clear)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "a.log"
        options: dict[str, Any] = {"logfile": str(self.path), "nodaemon": False, "syslog": False, "logger": None}
        make_log(options)
        self.observer = namedAny(options["logger"])()
        early_signals.release(self.reactor)
        globalLogPublisher.addObserver(self.observer)
        self.addCleanup(globalLogPublisher.removeObserver, self.observer)

    def begun_anew(self) -> dict[str, str]:
        """A line before the signal and one after it; which words are in which file."""
        Logger().info("before")
        return self.after_signal()

    def after_signal(self) -> dict[str, str]:
        signal.raise_signal(signal.SIGUSR1)
        self.reactor.hear_thread()
        Logger().info("after")
        return {each.name: each.read_text() for each in self.folder.iterdir() if each.is_file()}

    def test_renamed(self) -> None:
        """The file is renamed, and what follows is in a new one."""
        found = self.begun_anew()
        self.assertEqual(["before" in found["a.log.1"], "after" in found["a.log"]], [True, True])

    def test_moved_away(self) -> None:
        """A file that somebody has moved away stays as it is, and what follows is in a new one of the log's name."""
        for made in (False, True):  # by logrotate's nocreate, create
            Logger().info("before")
            self.path.rename(self.folder / "a.log.moved")
            if made:
                self.path.touch()
            found = self.after_signal()
            self.assertEqual(sorted(found), ["a.log", "a.log.moved"])
            self.assertNotIn("before", found["a.log"])
            self.assertIn("after", found["a.log"])
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)

    def test_impossible(self) -> None:
        """If there can be no new file, the old one goes on and says why."""
        self.path.rename(self.folder / "a.log.moved")
        self.path.mkdir()
        found = self.begun_anew()["a.log.moved"]
        self.assertIn(f"SIGUSR1: no new log is begun: {self.path.absolute()}: Is a directory", found)
        self.assertIn("after", found)
