"""nuls.py: holes and room that was taken in advance, of which nothing is shown and nothing beside is lost."""

import json
import os
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile import nuls
from streamrelay.agent.targets.logfile.file import CHUNK
from streamrelay.agent.targets.logfile.log import Log
from streamrelay.agent.targets.logfile.nuls import FEW, MANY, STEP, Nuls, leading, text_before, text_end
from streamrelay.agent.targets.logfile.paces import LOOK, SKIP_EVERY
from tests.agent.targets.logfile.test_log import LogTest, Reader
from tests.examples import examples, finished
from tests.fakes.connections import Turns
from tests.fakes.files import folder

MIB = 1 << 20


class Holes(LogTest):
    """A log with holes, as a writer without O_APPEND leaves them behind a truncation."""

    def write(self, at: int, data: bytes) -> None:
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.seek(at)
            file.write(data)

    def test_new_client(self) -> None:
        """A new client gets the lines behind a hole, not the hole."""
        self.write(64 * MIB, b"1\n2\n3\n")
        self.follow(lines=10)
        self.look()
        self.assertEqual(self.reader.data, b"1\n2\n3\n")
        self.assertEqual(self.reader.nuls, [16 * MIB - 6])  # from where it began to look for lines
        self.assertEqual(self.reader.places, 2)

    def test_truncated_live(self) -> None:
        """A hole that comes while a log is followed is counted, and what follows it shown."""
        self.write(0, b"x" * 99 + b"\n")
        self.follow()
        self.write(100, b"y" * (5 * MIB) + b"\n")
        self.look(200)
        before = len(self.reader.data)
        os.truncate(self.path, 0)
        self.write(100 * MIB, b"new\n")
        self.look(200)
        self.assertEqual(self.reader.data[before:], b"new\n")
        self.assertEqual(self.reader.nuls, [100 * MIB])
        self.write(100 * MIB + 4, b"newer\n")
        self.look()
        self.assertEqual(self.reader.data[before:], b"new\nnewer\n")

    def test_counted_before_lines_are(self) -> None:
        """A hole is no reason to leave lines out, however long it is."""
        self.write(0, b"old\n")
        self.follow(behind=CHUNK)
        self.look()
        self.write(MIB, b"line\n" * 1000)
        self.look(200)
        self.assertEqual(self.reader.events, [b"old\n" + b"line\n" * 1000])

    def test_behind_and_a_hole(self) -> None:
        """Nor is one that comes later, behind some text."""
        self.write(0, b"old\n")
        self.follow(behind=CHUNK)
        self.reader.connection.pause()
        self.write(4, b"and\n")
        self.write(64 * MIB, b"new\n")
        self.reader.connection.resume()
        self.look()
        self.assertEqual((self.reader.events, self.reader.nuls), ([b"old\nand\nnew\n"], [64 * MIB - 8]))

    def test_goes_on(self) -> None:
        """A client that comes back between hole and text, or within the text, goes on at the very byte."""
        self.write(MIB, b"1\n2\n")
        self.follow(lines=10)
        self.look(100)
        self.reader.go_on()
        self.look()
        self.write(MIB + 4, b"3\n")
        self.reader.go_on()
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n3\n"])
        self.assertEqual(self.reader.nuls, [MIB])

    def test_within_lines(self) -> None:
        """NULs within a line are text, and fewer than four where one begins; UTF-16 without a mark stays as it is."""
        text = b"a\0b\0\0\0\0c\n\0\0\0d\n" + "some words\nand others\n".encode("utf-16-le") * 10_000
        self.write(0, text)
        self.follow(lines=100_000)
        self.look()
        self.assertTrue(self.reader.data + b"\0" == text)  # the very last one may be the first of more
        self.write(len(text), b"end")
        self.look()
        self.assertTrue(self.reader.data == text + b"end")
        self.assertEqual(self.reader.nuls, [])

    def test_after_a_crash(self) -> None:
        """Blocks of NULs are left out within a line, too."""
        self.write(0, b"torn")
        self.write(4 + 3 * len(MANY), b"and on\n")
        self.follow(lines=10)
        self.look()
        self.assertEqual((self.reader.data, self.reader.nuls), (b"tornand on\n", [3 * len(MANY)]))

    def test_told_seldom(self) -> None:
        """However many holes there are, they are told once a second at most; short ones are text meanwhile."""
        for line in (bytes(100) + b"line\n", b"\0\0\0\0\n"):
            self.path.write_bytes(line * 10_000)
            self.follow(lines=10_000)
            self.look(200_000 // CHUNK * 10)
            count = len(line) - len(line.lstrip(b"\0"))
            self.assertEqual(self.reader.nuls, [count])
            self.assertTrue(self.reader.data == (line * 10_000)[count:])
            self.reader.connection.abort()

    def test_long_ones_wait(self) -> None:
        """A second long hole isn't sent, but waits until it may be told."""
        for number in range(3):
            self.write(number * MIB + MIB, b"%d\n" % number)
        self.follow(lines=10)
        self.clock.pump([0] * 50)
        self.assertEqual((self.reader.data, len(self.reader.nuls)), (b"0\n", 1))
        self.clock.pump([SKIP_EVERY] + [0] * 50 + [SKIP_EVERY] + [0] * 50)
        self.assertEqual((self.reader.data, len(self.reader.nuls)), (b"0\n1\n2\n", 3))

    def test_a_bit_at_a_time(self) -> None:
        """NULs that were written, and not left out, are looked through a MiB a turn; a stream may end meanwhile."""
        self.write(0, bytes(8 * MIB) + b"end\n")
        self.write(0, b"")
        self.follow(lines=10)
        self.assertEqual(self.reader.data, b"")
        self.clock.pump([0] * 4)
        self.reader.connection.abort()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_truncated_meanwhile(self) -> None:
        """A truncation while NULs are looked through is seen, and what is new is shown."""
        self.write(0, bytes(8 * MIB) + b"end\n")
        self.follow(lines=10)
        self.clock.pump([0] * 3)
        self.path.write_bytes(b"new\n")
        self.look()
        self.look()
        self.assertEqual(self.reader.data, b"new\n")


class Preallocated(LogTest):
    """A log whose room was taken in advance, and whose writer fills it."""

    def fill(self, at: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(at)
            file.write(data)

    def take_room(self, size: int, written: bool) -> None:
        with self.path.open("wb") as file:
            if written:
                file.write(bytes(size))
            else:
                os.posix_fallocate(file.fileno(), 0, size)

    def test_follows(self) -> None:
        """The last lines before the room come first, then what is written into it, whether it is NULs or a hole."""
        for written in (False, True):
            self.take_room(50 * MIB, written)
            self.fill(0, b"1\n2\n3\nbeg")
            self.follow(lines=3)
            self.look(200)
            self.assertEqual(self.reader.data, b"2\n3\nbeg")
            self.fill(9, b"in\n4\n")
            self.look(200)
            self.assertEqual(self.reader.data, b"2\n3\nbegin\n4\n")
            self.fill(14, b"5\n" * 1000)
            self.look(200)
            self.assertEqual(self.reader.events, [b"2\n3\nbegin\n4\n" + b"5\n" * 1000])
            self.assertEqual(self.reader.nuls, [])
            self.reader.connection.abort()

    def test_empty(self) -> None:
        """Of one in which nothing stands yet nothing is shown until something does."""
        self.take_room(MIB, False)
        self.follow()
        self.look()
        self.assertEqual(self.reader.data, b"")
        self.fill(0, b"first\n")
        self.look()
        self.assertEqual(self.reader.data, b"first\n")

    def test_grows(self) -> None:
        """Text behind the room is seen at once: the room was a hole."""
        self.take_room(MIB, False)
        self.follow()
        self.look()
        self.append(b"behind\n")
        self.look()
        self.assertEqual((self.reader.data, self.reader.nuls), (b"behind\n", [MIB]))

    def test_elsewhere(self) -> None:
        """Text that begins elsewhere in the room is found later."""
        self.take_room(MIB, True)
        self.follow()
        self.look()
        self.fill(MIB // 2, b"middle\n")
        for _ in range(12):
            self.look()
        self.assertEqual((self.reader.data, self.reader.nuls), (b"middle\n", [MIB // 2]))

    def test_idle(self) -> None:
        """Room that is left as it is isn't looked through again."""
        self.take_room(8 * MIB, True)
        self.follow()
        self.look()
        reads: list[int] = []
        pread = os.pread

        def counted(descriptor: int, most: int, offset: int) -> bytes:
            reads.append(most)
            return pread(descriptor, most, offset)

        self.patch(os, "pread", counted)
        for _ in range(20):
            self.look()
        self.assertLess(sum(reads), 20 * 3 * CHUNK)

    def test_rotated(self) -> None:
        """When it is rotated before it is full, the next one is gone on to."""
        self.take_room(MIB, False)
        self.fill(0, b"old\n")
        self.follow()
        self.look()
        self.rotate()
        self.append(b"new\n")
        self.look()
        self.look()
        self.assertEqual(self.reader.events, [b"old\nnew\n"])

    def test_rotated_and_left(self) -> None:
        """Room that was never filled doesn't keep a rotated file from being let go; what is written into it comes."""
        self.take_room(MIB, True)
        self.fill(0, b"old\n")
        self.follow(linger=5)
        self.look()
        self.rotate()
        self.append(b"new\n")
        self.look()
        self.look()
        with self.path.with_name("log.1").open("r+b") as file:
            file.seek(4)
            file.write(b"late\n")
        for _ in range(10):
            self.look()
        self.assertEqual(self.reader.data, b"old\nnew\nlate\n")
        for _ in range(40):
            self.look()
        self.assertEqual(self.reader.connection.old.files, [])

    def test_behind(self) -> None:
        """Of a client that is far behind lines are left out by how far the text goes, and counted."""
        lines = b"".join(b"%099d\n" % number for number in range(2000))
        for written in (False, True):
            self.take_room(8 * MIB, written)
            self.follow(lines=0, behind=CHUNK)
            self.look()
            self.reader.connection.pause()
            self.fill(0, lines)
            self.reader.connection.resume()
            for _ in range(8):
                self.look(200)
            skipped, after = self.reader.events
            self.assertEqual(len(after) + skipped * 100, len(lines))
            self.assertTrue(lines.endswith(after))
            self.assertGreater(len(after), CHUNK // 2 - 100)
            self.reader.connection.abort()


class Pieces(SynchronousTestCase):
    """Blocks and files, looked through."""

    def test_text_before(self) -> None:
        """Text ends before NULs where a line begins, before many, and before the last ones."""
        for chunk, begins, count in (
            (b"", True, 0),
            (b"text", True, 4),
            (b"text\0", True, 4),
            (b"text\n\0\0\0\0on", True, 5),
            (b"text\n\0\0\0on", True, 10),
            (b"\0\0\0\0on", True, 0),
            (b"\0\0\0\0on", False, 6),
            (b"text" + MANY + b"on\n" + FEW + b"x", True, 4),
            (b"text" + MANY[1:] + b"on\n" + FEW + b"x", True, 4 + len(MANY) - 1 + 3),
            (MANY, False, 0),
        ):
            self.assertEqual(text_before(chunk, partial(bool, begins)), count, chunk[:20])

    @examples(100)
    @given(st.integers(0, STEP), st.binary(max_size=100))
    def test_leading(self, count: int, rest: bytes) -> None:
        """The NULs with which a block begins are counted."""
        block = bytes(count) + rest
        self.assertEqual(leading(block[:STEP]), min(STEP, len(block) - len(block.lstrip(b"\0"))))

    @examples(60)
    @given(st.lists(st.tuples(st.booleans(), st.integers(1, 3 * CHUNK)), max_size=6))
    def test_text_end(self, pieces: list[tuple[bool, int]]) -> None:
        """The end of a file's text is found, whatever holes and written NULs it has."""
        path = folder(self) / "log"
        expected = 0
        with path.open("wb") as file:
            for text, size in pieces:
                if text:
                    file.write(b"x" * size)
                    expected = file.tell()
                elif size % 2:
                    file.write(bytes(size))
                else:
                    file.seek(size, os.SEEK_CUR)
            file.truncate()
        with path.open("rb") as file:
            self.assertEqual(finished(text_end(file.fileno())), expected)

    def test_no_text(self) -> None:
        """A hole with NULs behind it, as some file systems take room, has no text."""
        path = folder(self) / "log"
        for end, expected in ((b"", 0), (bytes(4096), 0), (b"x" + bytes(4095), MIB + 1)):
            with path.open("wb") as file:
                file.truncate(MIB)
                file.seek(MIB)
                file.write(end)
            with path.open("rb") as file:
                self.assertEqual(finished(text_end(file.fileno())), expected)

    def test_many_holes(self) -> None:
        """Of very many holes the last ones are looked at."""
        self.patch(nuls, "PIECES", 3)
        path = folder(self) / "log"
        with path.open("wb") as file:
            file.write(b"x")
            for number in range(1, 6):
                file.seek(number * MIB)
                file.write(bytes(1))
        with path.open("rb") as file:
            self.assertEqual(finished(text_end(file.fileno())), 3 * MIB)

    def test_shrunk(self) -> None:
        """A file that is cut while it is looked through has no NULs to tell of."""
        path = folder(self) / "log"
        path.write_bytes(bytes(4 * MIB))
        with path.open("rb") as file:
            next_ones = Nuls()
            self.assertIsNone(next_ones.measure(file.fileno(), 0, 0))
            os.truncate(path, 10)
            self.assertEqual(next_ones.measure(file.fileno(), 0, 0), 0)


class Histories(SynchronousTestCase):
    """Whatever stands in a log, what came and what was left out are its bytes."""

    pieces = st.lists(
        st.tuples(st.sampled_from(("text", "line", "hole", "nuls")), st.integers(1, 2 * len(MANY))), max_size=12
    )

    @examples(60)
    @given(pieces, st.sets(st.integers(0, 12)))
    def test_exact(self, pieces: list[tuple[str, int]], returns: set[int]) -> None:
        """The bytes that came, with as many NULs as were told at their places, are those of the file."""
        path = folder(self) / "log"
        path.touch()
        clock = Turns()
        reader = Reader(Log(str(path), lines=0), clock)
        reader.connect()
        with path.open("r+b") as file:
            for number, (what, size) in enumerate([*pieces, ("line", 1)]):
                if what == "hole":
                    file.seek(size * 100, os.SEEK_CUR)
                else:
                    file.write({"text": b"x" * size, "line": b"y" * size + b"\n", "nuls": bytes(size)}[what])
                file.flush()
                clock.pump([LOOK, 0, 0, 0, 0])
                if number in returns:
                    reader.go_on()
        for _ in range(2 * len(pieces) + 2):
            clock.pump([SKIP_EVERY] + [0] * 10)
        reader.connection.abort()
        self.assertTrue(whole(reader.ears) == path.read_bytes())


def whole(ears: list[Any]) -> bytes:
    """What came, with the NULs that were left out."""
    came = b""
    for ear in ears:
        for kind, *rest in ear.said:
            if kind == "bytes":
                came += rest[0]
            elif kind == "control":
                came += bytes(json.loads(rest[0]).get("nuls", 0))
    return came
