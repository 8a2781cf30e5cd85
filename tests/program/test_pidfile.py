"""pidfile.py: a pidfile that was there before."""

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.program.pidfile import clear_stale
from tests.fakes.files import folder
from tests.fakes.logs import Heard


class Left(SynchronousTestCase):
    """A pidfile and the process that has its number now."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.pidfile = self.where / "twistd.pid"

    def process(self, *words: str) -> int:
        """A process with these words behind Python's name, in our directory, that runs until the test ends."""
        command = [sys.executable, *(words or ("-",))]
        running = subprocess.Popen(command, cwd=self.where, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(running.communicate)
        assert running.stdout is not None
        self.assertEqual(running.stdout.read(1), b"x") if words else None
        return running.pid

    def twistd(self, *options: str) -> int:
        """A process that looks like a twistd."""
        script = self.where / "twistd"
        script.write_text("import sys; print('x', end='', flush=True); sys.stdin.read()")
        return self.process(str(script), *options)

    def stale(self, text: str) -> None:
        """A pidfile with this text is removed, and the log says so, and how it is known."""
        self.pidfile.write_text(text)
        heard = Heard(self)
        clear_stale(str(self.pidfile))
        self.assertFalse(self.pidfile.exists(), text)
        why = f"its number, {text}, is another's by now" if text else "it is empty"
        self.assertEqual(heard.lines, [f"{self.pidfile} was left by a process that is gone ({why}); removed"])

    def test_own(self) -> None:
        """Our own number, as PID 1 of a container finds it in the pidfile of the one before, and no number at all."""
        self.stale(str(os.getpid()))
        self.stale("")

    def test_another_program(self) -> None:
        """The number of a process that is no twistd, and of one that has ended and is still to be reaped."""
        self.stale(str(self.process()))
        ended = subprocess.Popen(["true"])
        self.addCleanup(ended.wait)
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        self.stale(str(ended.pid))

    def test_another_pidfile(self) -> None:
        """The number of a twistd that has another pidfile, or none."""
        for options in (("--pidfile=other.pid",), ("--pidfile", "/run/other.pid", "web"), ("-n", "--pidfile=", "web")):
            self.stale(str(self.twistd(*options)))

    def test_running(self) -> None:
        """That of a twistd whose pidfile it is: one line with the file and the process, and the file stays."""
        for options in ((), ("web",), ("--pidfile=twistd.pid", "web"), ("--pidfile", str(self.pidfile))):
            pid = self.twistd(*options)
            self.pidfile.write_text(str(pid))
            told = str(self.assertRaises(ConfigError, clear_stale, str(self.pidfile)))
            self.assertIn(f"{self.pidfile}: a twistd with this pidfile runs already, as process {pid}; ", told)
            self.assertTrue(self.pidfile.exists())

    def test_for_twistd(self) -> None:
        """No pidfile, one of a process that is gone, and one without a number are left to twistd, which says more."""
        clear_stale("")
        clear_stale(str(self.pidfile))
        for text in (str(2**22 + 1), "relay", "-1"):
            self.pidfile.write_text(text)
            clear_stale(str(self.pidfile))
            self.assertEqual(Path(self.pidfile).read_text(), text)
