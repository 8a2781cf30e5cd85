"""file.py: one file of a log."""

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile import file as log_file
from streamrelay.agent.targets.logfile.file import HEAD, LogFile, last_lines, open_log, replaced
from tests.examples import examples, finished, there
from tests.fakes.files import folder

WITHIN = 16 << 20


def naive(content: bytes, lines: int) -> bytes:
    """The last lines, as anybody would take them."""
    return b"".join(content.splitlines(keepends=True)[-lines:]) if lines else b""


lines_of_text = st.lists(st.text(alphabet="ab", max_size=8), max_size=30)


class LastLines(SynchronousTestCase):
    """Where the last lines begin."""

    def setUp(self) -> None:
        self.path = folder(self) / "log"

    def check(self, content: bytes, lines: int) -> None:
        self.path.write_bytes(content)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            self.assertEqual(content[finished(last_lines(descriptor, lines, WITHIN)) :], naive(content, lines))
        finally:
            os.close(descriptor)

    @examples(150)
    @given(lines_of_text, st.booleans(), st.integers(0, 12), st.sampled_from([1, 2, 3, 7, 65536]))
    def test_exact(self, lines: list[str], ended: bool, wanted: int, chunk: int) -> None:
        """Exactly the lines that were asked for are found, whatever the size of the blocks that are read."""
        self.patch(log_file, "CHUNK", chunk)
        self.check("\n".join(lines).encode() + (b"\n" if ended else b""), wanted)

    def test_long_lines(self) -> None:
        """Lines longer than a block are found whole."""
        for lines in range(4):
            self.check(b"a\n" + b"x" * 200_000 + b"\n" + b"y" * 100_000, lines)

    def test_bounded(self) -> None:
        """Lines are searched only so far back; beyond it the stream begins within a line."""
        self.patch(log_file, "CHUNK", 50)
        self.path.write_bytes(b"x" * 1000)
        descriptor = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(finished(last_lines(descriptor, 1, 100)), 900)

    def test_a_bit_at_a_time(self) -> None:
        """No step of it reads more than 1 MiB."""
        self.path.write_bytes(b"x" * (5 << 20))
        descriptor = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        read, before = [0], os.pread

        def counted(number: int, size: int, offset: int) -> bytes:
            read[-1] += size
            return before(number, size, offset)

        self.patch(os, "pread", counted)
        for _ in last_lines(descriptor, 1, WITHIN):
            read.append(0)
        self.assertEqual((len(read) > 5, max(read) <= (1 << 20) + 1), (True, True), read)


class Files(SynchronousTestCase):
    """Whether a file is still what it was."""

    def setUp(self) -> None:
        self.path = folder(self) / "log"

    def open(self, content: bytes) -> LogFile:
        self.path.write_bytes(content)
        file = there(open_log(str(self.path)))
        self.addCleanup(file.close)
        return file

    def test_renewed(self) -> None:
        """A file that is shorter than it was read, or begins otherwise, was written anew; a grown one was not."""
        for content, renewed in ((b"one\ntwo\nx", False), (b"one\n", True), (b"two\none\nmore\n", True)):
            file = self.open(b"one\ntwo\n")
            file.read(100)
            self.path.write_bytes(content)
            self.assertEqual(file.renewed(), renewed, content)

    def test_modified(self) -> None:
        """The time of what was passed is that of the look before, as a write changes it before its bytes are seen."""
        file = self.open(b"one\n")
        first = file.modified
        file.read(100)
        self.assertEqual(file.modified, first)
        for second in (10, 20):
            os.utime(self.path, (second, second))
            file.read(100)
        self.assertEqual(file.modified, first)
        with self.path.open("ab") as writer:
            writer.write(b"two\n")
        os.utime(self.path, (30, 30))
        file.read(100)
        self.assertEqual(file.modified, 20 * 10**9)

    def test_head(self) -> None:
        """What was read of its first bytes is known, however it was read, and never more than `HEAD`."""
        content = bytes(range(32, 122))
        file = self.open(content)
        for offset in range(0, 90, 7):
            self.assertEqual(file.head, content[: min(offset, HEAD)])
            file.read(7)
        file.seek(0)
        self.assertEqual(file.head, b"")
        file.seek(80)
        self.assertEqual(file.head, content[:HEAD])

    def test_rest_of_line(self) -> None:
        """The rest of a line counts up to and with its end; there is none at a begin, or if it goes on for too long."""
        file = self.open(b"one\ntwo\n" + b"x" * 20)
        for offset, rest in ((0, 0), (1, 3), (3, 1), (4, 0), (6, 2), (9, 0)):
            file.seek(offset)
            self.assertEqual(file.rest_of_line(10), rest, offset)

    def test_replaced(self) -> None:
        """Another file counts once it has something to say; where there was none, any file counts."""
        file = self.open(b"x")
        self.assertFalse(replaced(str(self.path), file.identity))
        self.path.rename(self.path.with_suffix(".1"))
        self.assertFalse(replaced(str(self.path), file.identity))
        self.path.touch()
        self.assertFalse(replaced(str(self.path), file.identity))
        self.assertTrue(replaced(str(self.path), None))
        self.path.write_bytes(b"y")
        self.assertTrue(replaced(str(self.path), file.identity))

    def test_within(self) -> None:
        """A link may lead within a directory, not out of it; what counts is the file that was opened."""
        inner = self.path.parent / "inner"
        inner.mkdir()
        (inner / "log").write_text("x")
        (inner / "own").symlink_to(inner / "log")
        (inner / "out").symlink_to(self.path)
        beside = self.path.parent / "inner-evil"  # its name begins like the directory's
        beside.mkdir()
        (beside / "log").write_text("secret")
        (inner / "beside").symlink_to(beside / "log")
        self.path.write_text("secret")
        opened = there(open_log(str(inner / "own"), within=str(inner)))
        self.addCleanup(opened.close)
        self.assertEqual(opened.read(10), b"x")
        for name in ("out", "beside"):
            self.assertRaises(PermissionError, open_log, str(inner / name), within=str(inner))
        self.assertIsNone(open_log(str(inner / "none"), within=str(inner)))

    def test_links(self) -> None:
        """A symbolic link is followed; what isn't a file is not even opened, as a device might act on it."""
        self.path.write_bytes(b"x")
        link = self.path.with_name("link")
        link.symlink_to(self.path)
        followed = there(open_log(str(link)))
        followed.close()
        pipe = self.path.with_name("pipe")
        os.mkfifo(pipe)
        self.assertRaises(OSError, os.open, pipe, os.O_WRONLY | os.O_NONBLOCK)  # as long as nobody has opened it
        opened: list[int] = []
        before = os.open

        def noted(path: str, flags: int) -> int:
            opened.append(flags)
            return before(path, flags)

        self.patch(os, "open", noted)
        for within in ("", str(self.path.parent)):
            self.assertRaises(OSError, open_log, str(pipe), within)
        self.assertEqual([flags & os.O_PATH for flags in opened], [os.O_PATH])
