"""targets/log.py: the last lines of a file, then what is appended."""

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import TargetError
from streamrelay.targets import log
from streamrelay.targets.log import LOOK, Log, last_lines
from streamrelay.wire import FINISHED, Refusal, Terms
from tests.fakes import Ear, examples, folder


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
            self.assertEqual(content[last_lines(descriptor, lines) :], naive(content, lines))
        finally:
            os.close(descriptor)

    @examples(150)
    @given(lines_of_text, st.booleans(), st.integers(0, 12), st.sampled_from([1, 2, 3, 7, 65536]))
    def test_exact(self, lines: list[str], ended: bool, wanted: int, chunk: int) -> None:
        """Exactly the lines that were asked for are found, whatever the size of the blocks that are read."""
        self.patch(log, "CHUNK", chunk)
        self.check("\n".join(lines).encode() + (b"\n" if ended else b""), wanted)

    def test_long_lines(self) -> None:
        """Lines longer than a block are found whole."""
        for lines in range(4):
            self.check(b"a\n" + b"x" * 200_000 + b"\n" + b"y" * 100_000, lines)

    def test_bounded(self) -> None:
        """Lines are searched only so far back; beyond it the stream begins within a line."""
        self.patch(log, "BACKLOG", 100)
        self.patch(log, "CHUNK", 50)
        self.path.write_bytes(b"x" * 1000)
        descriptor = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(last_lines(descriptor, 1), 900)


class Followed(SynchronousTestCase):
    """A log that is followed."""

    def setUp(self) -> None:
        self.path = folder(self) / "log"
        self.clock, self.ear = Clock(), Ear()

    def follow(self, lines: int = 2) -> None:
        settings = Log(str(self.path), lines)
        self.connection = self.successResultOf(Deferred.fromCoroutine(settings.connect(self.clock, Terms())))
        self.addCleanup(self.connection.abort)
        self.connection.join(self.ear, self.ear)

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def look(self) -> None:
        """Time for what is new to be seen, with a few chunks behind it."""
        self.clock.pump([LOOK] + [0] * 5)

    def test_backlog_then_new(self) -> None:
        """The last lines come first, then what is appended, without a gap and without doubles."""
        self.append(b"1\n2\n3\n")
        self.follow()
        self.append(b"4\n")
        self.look()
        self.append(b"5")
        self.look()
        self.append(b"6\n")
        self.look()
        self.assertEqual(self.ear.data, b"2\n3\n4\n56\n")

    def test_long_backlog(self) -> None:
        """A long backlog comes in chunks, one a turn."""
        content = b"x" * 99 + b"\n"
        self.append(content * 2000)
        self.follow(lines=2000)
        self.assertEqual(len(self.ear.data), log.CHUNK)
        self.look()
        self.assertEqual(self.ear.data, content * 2000)

    def test_not_there_yet(self) -> None:
        """A file that doesn't exist yet is followed from its beginning once it does."""
        self.follow(lines=1)
        self.look()
        self.append(b"1\n2\n")
        self.look()
        self.assertEqual(self.ear.data, b"1\n2\n")

    def test_renamed(self) -> None:
        """A file that is renamed is read to its end, and the new one from its beginning."""
        self.append(b"1\n")
        self.follow()
        self.append(b"2\n")
        self.path.rename(self.path.with_suffix(".1"))
        self.append(b"3\n")
        self.look()
        self.look()
        self.append(b"4\n")
        self.look()
        self.assertEqual(self.ear.data, b"1\n2\n3\n4\n")

    def test_renamed_and_late(self) -> None:
        """Between a rename and the new file, what is still written to the old one comes."""
        self.append(b"1\n")
        self.follow()
        old = self.path.with_suffix(".1")
        self.path.rename(old)
        self.look()
        with old.open("ab") as file:
            file.write(b"2\n")
        self.look()
        self.append(b"3\n")
        self.look()
        self.assertEqual(self.ear.data, b"1\n2\n3\n")

    def test_truncated(self) -> None:
        """A file that is truncated is read from its beginning again."""
        self.append(b"1\n2\n")
        self.follow()
        self.path.write_bytes(b"")
        self.look()
        self.append(b"3\n")
        self.look()
        self.assertEqual(self.ear.data, b"1\n2\n3\n")

    def test_copied_and_truncated(self) -> None:
        """A file that is truncated and written to between two looks is read from its beginning again."""
        self.append(b"1\n2\n3\n")
        self.follow(lines=3)
        self.path.write_bytes(b"4\n")
        self.look()
        self.assertEqual(self.ear.data, b"1\n2\n3\n4\n")

    def test_paused(self) -> None:
        """While it is paused nothing is read, nor looked at; afterwards nothing is missing."""
        self.append(b"1\n")
        self.follow()
        self.connection.pause()
        self.append(b"2\n")
        self.look()
        self.assertEqual(self.ear.data, b"1\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.connection.resume()
        self.look()
        self.assertEqual(self.ear.data, b"1\n2\n")

    def test_paused_by_the_first_chunk(self) -> None:
        """A sink that is full after a chunk gets no further one until it has drained."""
        self.append(b"x" * 99_999 + b"\n")
        self.ear.on_received = lambda: self.connection.pause()
        self.follow()
        self.look()
        self.assertEqual(len(self.ear.data), log.CHUNK)

    def test_takes_nothing(self) -> None:
        """What a client sends, says or ends changes neither the file nor the stream."""
        self.append(b"1\n")
        self.follow()
        self.connection.send([memoryview(b"x")], 1)
        self.connection.send_control(b"{}")
        self.connection.send_eof()
        self.look()
        self.assertEqual(self.path.read_bytes(), b"1\n")
        self.assertEqual(self.ear.said, [("bytes", b"1\n")])

    def test_closed(self) -> None:
        """A log that is closed says so once, lets go of its file, and looks no more."""
        self.append(b"1\n")
        self.follow()
        descriptor = self.connection.file.descriptor
        self.connection.close(FINISHED)
        self.connection.close(FINISHED)
        self.connection.resume()
        self.assertEqual([event[0] for event in self.ear.said], ["bytes", "over", "gone"])
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closed_while_told(self) -> None:
        """A stream that ends upon a chunk leaves nothing behind."""
        self.append(b"1\n")
        self.ear.on_received = lambda: self.connection.abort()
        self.follow()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_file(self) -> None:
        """A directory, or what may not be opened, is a refused target."""
        for path in (self.path.parent, "/dev/null"):
            attempt = Deferred.fromCoroutine(Log(str(path)).connect(self.clock, Terms()))
            error = self.failureResultOf(attempt, TargetError).value
            self.assertEqual(error.code, Refusal.TARGET_REFUSED)

    def test_settings(self) -> None:
        """A path must be absolute."""
        Log("/var/log/x").check()
        self.assertRaises(ValueError, Log("var/log/x").check)
