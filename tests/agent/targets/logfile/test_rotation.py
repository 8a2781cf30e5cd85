"""rotation.py: the files that rotation has put beside a log."""

import os

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile import rotation
from streamrelay.agent.targets.logfile.file import LogFile, open_log
from streamrelay.agent.targets.logfile.rotation import find, rotated, successor
from tests.examples import there
from tests.fakes.files import folder


class Rotation(SynchronousTestCase):
    """A directory with a log, rotated ones, and others."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.path = str(self.folder / "log")

    def make(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_text(name)

    def take(self, file: LogFile | None) -> str | None:
        """What it holds."""
        if file is None:
            return None
        text = file.read(100).decode()
        file.close()
        return text

    def identity(self, name: str) -> tuple[int, int]:
        status = os.stat(self.folder / name)
        return status.st_dev, status.st_ino

    def after(self, name: str) -> tuple[str | None, bool | None]:
        file = there(open_log(str(self.folder / name)))
        self.addCleanup(file.close)
        found, missing = successor(self.path, file)
        return self.take(found), missing

    def test_names(self) -> None:
        """Rotated are the log's own name with a number or a date, perhaps packed; nothing else."""
        names = {"log.1", "log.2.gz", "log-20260731", "log.2026-07-31", "log.old", "log_3", "log-20260731.xz"}
        self.make(*names, "log", "log2", "logs.1", "log.conf", "log-secret.1", "log.1.bak", "x.log.1", "log.123456x")
        self.assertEqual({os.path.basename(each.path) for each in rotated(self.path)}, names)

    def test_neighbours(self) -> None:
        """A huge directory isn't searched to its end."""
        self.patch(rotation, "NEIGHBOURS", 5)
        self.make(*(f"log.{number}" for number in range(1, 10)))
        self.assertEqual(len(list(rotated(self.path))), 5)

    def test_find(self) -> None:
        """A file is found by its identity under the log's name or a rotated one, and under no other."""
        self.make("log", "log.1", "log.2.gz", "log-secret")
        for name, text in (("log", "log"), ("log.1", "log.1"), ("log.2.gz", None), ("log-secret", None)):
            self.assertEqual(self.take(find(self.path, self.identity(name))), text)

    def test_find_links(self) -> None:
        """A link or a pipe under a rotated one's name is never opened."""
        self.make("log", "secret")
        (self.folder / "log.1").symlink_to(self.folder / "secret")
        os.mkfifo(self.folder / "log.2")
        for name in ("secret", "log.2"):
            self.assertIsNone(find(self.path, self.identity(name)))

    def test_numbers(self) -> None:
        """Lower numbers are newer, then comes the log itself."""
        self.make("log", "log.1", "log.2", "log.10")
        self.assertEqual(self.after("log.10"), ("log.2", False))
        self.assertEqual(self.after("log.2"), ("log.1", False))
        self.assertEqual(self.after("log.1"), ("log", False))

    def test_dates(self) -> None:
        """Later dates are newer, then comes the log itself; numbers are another row."""
        self.make("log", "log.1", "log-20260730", "log-20260731")
        self.assertEqual(self.after("log-20260730"), ("log-20260731", False))
        self.assertEqual(self.after("log-20260731"), ("log", False))

    def test_packed(self) -> None:
        """What can't be read in between is missing."""
        self.make("log", "log.1", "log.2.gz", "log.3", "log.4")
        self.assertEqual(self.after("log.4"), ("log.3", False))
        self.assertEqual(self.after("log.3"), ("log.1", True))

    def test_elsewhere(self) -> None:
        """After a file that isn't beside the log comes the log, and nobody knows whether something is missing."""
        self.make("log", "another")
        self.assertEqual(self.after("another"), ("log", None))

    def test_none(self) -> None:
        """Where there is none yet, there is none."""
        self.make("log.1")
        self.assertEqual(self.after("log.1"), (None, False))
        self.assertEqual(successor(self.path, None), (None, False))
