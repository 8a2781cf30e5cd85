"""skips.py: lines that are left out, counted a bit at a time."""

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile import skips
from streamrelay.agent.targets.logfile.file import LogFile, open_log
from streamrelay.agent.targets.logfile.skips import Skip
from tests.examples import examples, there
from tests.fakes.files import folder


class Skipping(SynchronousTestCase):
    """A file whose oldest lines are left out."""

    def open(self, content: bytes) -> LogFile:
        self.path = folder(self) / "log"
        self.path.write_bytes(content)
        file = there(open_log(str(self.path)))
        self.addCleanup(file.close)
        return file

    @examples(150)
    @given(st.lists(st.binary(max_size=9), max_size=30), st.integers(0, 60), st.integers(1, 40))
    def test_whole_lines(self, lines: list[bytes], keep: int, step: int) -> None:
        """What is kept begins with a line, is no more than wanted but for a long line's rest, and all others count."""
        self.patch(skips, "STEP", step)
        content = b"".join(line.translate(None, b"\n\xfe\xff") + b"\n" for line in lines)  # without UTF-16's marks
        skip = Skip(self.open(content), keep)
        for _ in range(len(content) // step + 2):
            if skip.step():
                break
        else:
            raise AssertionError("it doesn't end")
        self.assertEqual(skip.lines, content[: skip.file.offset].count(b"\n"))
        self.assertGreaterEqual(skip.file.offset, len(content) - keep)
        if step > 9 and keep > 9:
            self.assertTrue(skip.file.offset == 0 or content[: skip.file.offset].endswith(b"\n"))

    def test_steps(self) -> None:
        """One step counts `STEP` bytes and no more."""
        skip = Skip(self.open(b"123456789\n" * 300_000), 10)
        self.assertFalse(skip.step())
        self.assertEqual(skip.file.offset, skips.STEP)
        self.assertFalse(skip.step())
        self.assertTrue(skip.step())
        self.assertEqual((skip.file.offset, skip.lines), (2_999_990, 299_999))

    def test_grows(self) -> None:
        """What is appended while it counts is counted, too."""
        skip = Skip(self.open(b"123456789\n" * 200_000), 10)
        skip.step()
        with self.path.open("ab") as file:
            file.write(b"123456789\n" * 200_000)
        while not skip.step():
            pass
        self.assertEqual((skip.file.offset, skip.lines), (3_999_990, 399_999))

    def test_shrinks(self) -> None:
        """A file that was truncated ends it."""
        skip = Skip(self.open(b"123456789\n" * 200_000), 10)
        skip.step()
        os.truncate(self.path, 0)
        self.assertTrue(skip.step())
        self.assertEqual(skip.file.offset, skips.STEP)
