"""lost_lines.py: a log that can't be written for a while."""

import errno
import io
import os

from twisted.logger import globalLogPublisher, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.logs import Logger
from streamrelay.program.lost_lines import LostLines


class Disk(io.StringIO):
    """A file on a disk that is full at times."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


class Lost(SynchronousTestCase):
    """Lines that come while the disk is full."""

    def setUp(self) -> None:
        self.disk, self.lost, self.log = Disk(), LostLines(), Logger()
        self.addCleanup(self.flushLoggedErrors, OSError)
        for observer in (textFileLogObserver(self.disk), self.lost):
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)

    def said(self) -> list[str]:
        return [line for line in self.disk.getvalue().splitlines() if "of this log" in line]

    def test_told(self) -> None:
        """Once there is room again one line says how many were lost, since when and why; and no other one after it."""
        self.lost.tell()
        self.log.info("before")
        self.disk.full = True
        for _ in range(3):
            self.log.info("lost")
            self.lost.tell()
        self.assertEqual(self.said(), [])
        self.disk.full = False
        self.lost.tell()
        self.log.info("after")
        self.lost.tell()
        [line] = self.said()
        self.assertRegex(
            line, r"#warn\] 3 lines of this log could not be written at once, from \d\d:\d\d:\d\d UTC on: No sp"
        )
        self.assertIn("after", self.disk.getvalue())

    def test_again(self) -> None:
        """Each time is told by itself."""
        for count in (1, 2):
            self.disk.full = True
            for _ in range(count):
                self.log.info("lost")
            self.disk.full = False
            self.lost.tell()
        self.assertEqual([line.partition("#warn] ")[2][:6] for line in self.said()], ["1 line", "2 line"])
