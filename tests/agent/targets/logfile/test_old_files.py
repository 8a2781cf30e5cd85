"""Old files of a log: what programs write to them after a rotation comes, too, whole lines, until they are let go."""

import json
import os
from pathlib import Path

from streamrelay.agent.targets.logfile.old_files import EVERY, MOST
from streamrelay.protocol.summons import Terms
from tests.agent.targets.logfile.test_log import LogTest
from tests.documented import LOG_LINGER
from tests.examples import there


class Late(LogTest):
    """A program that writes on to the old file of a log."""

    def setUp(self) -> None:
        super().setUp()
        self.old = self.path.with_name("log.1")

    def begin(self, lines: int = 2) -> None:
        """The log is rotated, and the new one has a line."""
        self.append(b"1\n")
        self.follow(lines)
        self.look()
        self.rotate()
        self.append(b"2\n")
        self.see()

    def see(self) -> None:
        """Time for late lines to be seen."""
        self.clock.pump([EVERY / 2, 0, 0] * 4)

    def held(self) -> int:
        return len(self.reader.connection.old.files)

    def test_late_lines(self) -> None:
        """All of them come, beside those of the new file."""
        self.begin()
        for number in range(40):
            self.append(b"late %d\n" % number, self.old)
            self.append(b"new %d\n" % number)
            self.clock.pump([0.1, 0, 0])
        self.see()
        lines = self.reader.data.splitlines()
        self.assertEqual([line for line in lines if b"late" in line], [b"late %d" % number for number in range(40)])
        self.assertEqual([line for line in lines if b"new" in line], [b"new %d" % number for number in range(40)])
        self.assertNotIn("lost", self.reader.events)

    def test_came_back(self) -> None:
        """So do those that were written while the client was away."""
        self.begin()
        self.reader.connection.abort()
        self.append(b"late\n", self.old)
        self.append(b"3\n")
        self.reader.connect(self.reader.terms)
        self.see()
        self.assertCountEqual(self.reader.data.splitlines(), [b"1", b"2", b"late", b"3"])
        self.assertNotIn("lost", self.reader.events)

    def test_came_back_within(self) -> None:
        """A client that left within late lines goes on at the very byte, and in the new file where it was."""
        self.begin()
        left: list[Terms] = []
        self.upon_bytes = lambda: left.append(self.reader.terms)
        self.append(b"late 1\nlate 2\n", self.old)
        self.clock.pump([EVERY, 0, 0, 0])
        self.upon_bytes = lambda: None
        self.assertEqual(self.reader.data, b"1\n2\nlate 1\nlate 2\n")
        self.append(b"3\n")
        self.reader.connection.abort()
        self.reader.connect(Terms(place=left[0].place, after=left[0].after - len(b"late 2\n")))
        self.see()
        self.assertCountEqual(self.reader.ear.data.splitlines(), [b"late 2", b"3"])

    def test_rotated_again_meanwhile(self) -> None:
        """Late lines and those of all files since come to a client that was away over further rotations."""
        self.begin()
        self.reader.connection.abort()
        self.append(b"late\n", self.old)
        for number in (3, 4):
            self.append(b"%d\n" % number)
            self.rotate()
        self.append(b"5\n")
        self.reader.connect(self.reader.terms)
        for _ in range(4):
            self.see()
        self.assertCountEqual(self.reader.data.splitlines(), [b"1", b"2", b"late", b"3", b"4", b"5"])
        self.assertNotIn("lost", self.reader.events)

    def test_packed_meanwhile(self) -> None:
        """If such a file was packed while the client was away, nobody knows what came late: that is told."""
        self.begin()
        self.reader.connection.abort()
        self.old.rename(self.old.with_name("log.1.gz"))
        self.old.with_name("log.1.gz").write_bytes(b"packed")
        self.append(b"3\n")
        self.reader.connect(self.reader.terms)
        self.see()
        self.assertEqual(self.reader.events, [b"1\n2\n", "lost", b"3\n"])

    def test_let_go(self) -> None:
        """It is let go when nothing has come for `linger` seconds, and places don't name it any more."""
        self.begin()
        self.clock.advance(LOG_LINGER / 2)
        self.append(b"late\n", self.old)
        self.see()
        self.clock.advance(LOG_LINGER - 5)
        self.see()
        self.assertEqual(self.held(), 1)
        self.clock.advance(5)
        self.see()
        self.assertEqual(self.held(), 0)
        self.assertEqual(json.loads(self.reader.ear.named("control")[-1][1])["place"].count("+"), 1)
        self.reader.connection.abort()
        self.old.unlink()
        self.append(b"3\n")
        self.reader.connect(self.reader.terms)
        self.see()
        self.assertEqual(self.reader.events, [b"1\n2\nlate\n3\n"])

    def test_let_go_by_who_comes_back(self) -> None:
        """Who comes again and again lets it go as soon, and is told of nothing lost when it is deleted later."""
        self.begin()
        self.reader.connection.abort()
        later = self.old.stat().st_ctime + LOG_LINGER + 1
        os.utime(self.path, (later, later))
        self.reader.connect(self.reader.terms)
        self.see()
        self.assertEqual(self.held(), 0)
        self.reader.connection.abort()
        self.old.unlink()
        self.append(b"3\n")
        self.reader.connect(self.reader.terms)
        self.see()
        self.assertEqual((self.reader.data, "lost" in self.reader.events), (b"1\n2\n3\n", False))

    def test_late_while_away(self) -> None:
        """What was written to it comes, however long ago that was; then it is looked at for `linger` seconds more."""
        self.begin()
        self.reader.connection.abort()
        self.append(b"late\n", self.old)
        later = self.old.stat().st_ctime + LOG_LINGER + 1
        os.utime(self.path, (later, later))
        self.reader.connect(self.reader.terms)
        self.see()
        self.assertEqual((self.held(), self.reader.data), (1, b"1\n2\nlate\n"))
        self.clock.advance(LOG_LINGER)
        self.see()
        self.assertEqual(self.held(), 0)

    def test_deleted(self) -> None:
        """One that was deleted is let go as soon as it is read to its end."""
        self.begin()
        with self.old.open("ab", 0) as writer:
            writer.write(b"late\n")
            self.old.unlink()
            self.see()
        self.assertEqual((self.held(), self.reader.data), (0, b"1\n2\nlate\n"))

    def test_whole_lines(self) -> None:
        """A line of one file doesn't come within another's; without an end it comes when the file is let go."""
        self.begin()
        self.append(b"ta")
        self.append(b"late", self.old)
        self.see()
        self.append(b" line\nmore", self.old)
        self.see()
        self.assertEqual(self.reader.data, b"1\n2\nta")
        self.append(b"il\n")
        self.see()
        self.assertEqual(self.reader.data, b"1\n2\ntail\nlate line\n")
        self.clock.advance(LOG_LINGER)
        self.see()
        self.assertEqual(self.reader.data, b"1\n2\ntail\nlate line\nmore")

    def test_too_many(self) -> None:
        """No more than four are held, whatever rotates; what is held ends with the stream."""
        self.begin()
        for number in range(5):
            self.rotate()
            self.append(b"%d\n" % number)
            self.see()
            self.see()
            self.assertLessEqual(self.held(), MOST)
        held = [file.descriptor for file in self.reader.connection.old.files]
        self.assertEqual(len(held), MOST)
        self.reader.connection.abort()
        for descriptor in held:
            self.assertRaises(OSError, os.fstat, descriptor)

    def test_too_many_for_a_place(self) -> None:
        """A client that comes back when there were more than a place can name is told that lines may be missing."""
        self.begin()
        for number in range(MOST):
            self.rotate()
            self.append(b"%d\n" % number)
            self.see()
        self.reader.go_on()
        self.see()
        self.assertEqual(self.reader.events, [b"1\n2\n0\n1\n2\n3\n", "lost"])

    def test_rotated_quickly(self) -> None:
        """Late lines come also if the log is rotated again before they were looked for."""
        self.begin()
        for number in range(3):
            self.append(b"late %d\n" % number, self.old)
            self.rotate()
            self.append(b"%d\n" % number)
            self.look()
        self.see()
        self.assertCountEqual(
            self.reader.data.split(b"\n"), [b"1", b"2", b"0", b"1", b"2", b"late 0", b"late 1", b"late 2", b""]
        )

    def test_rotated_at_once(self) -> None:
        """That holds for more rotations than old files are held, at once."""
        self.begin()
        for number in range(2 * MOST):
            self.append(b"late %d\n" % number, self.old)
            self.rotate()
            self.append(b"%d\n" % number)
        self.look()
        for _ in range(10):
            self.append(b"again\n", self.path.with_name(f"log.{2 * MOST + 1}"))
            self.see()
        lines = self.reader.data.splitlines()
        late = [line for line in lines if b"late" in line]
        self.assertEqual(sorted(late), [b"late %d" % each for each in range(2 * MOST)])
        self.assertGreater(lines.count(b"again"), 0)
        self.assertEqual(self.held(), MOST)

    def test_much(self) -> None:
        """Much that is written late, by a program that never takes the new file, holds nothing up."""
        self.begin()
        block = b"".join(b"%099d\n" % number for number in range(50_000))
        self.append(block, self.old)
        self.append(b"3\n")
        self.clock.pump([EVERY, 0, 0, 0])
        for _ in range(200):
            self.clock.pump([0.05, 0, 0])
        lines = self.reader.data.splitlines(keepends=True)
        self.assertIn(b"3\n", lines)
        self.assertEqual(b"".join(line for line in lines if len(line) == 100), block)

    def test_told_seldom(self) -> None:
        """Late lines all the time cost no more control messages than a leg may send."""
        self.begin()
        before = self.reader.places
        for number in range(500):
            self.append(b"late %d\n" % number, self.old)
            self.append(b"%d\n" % number)
            self.clock.pump([0.01, 0, 0])
        self.assertLessEqual(self.reader.places - before, 5 * 5)

    def test_copy(self) -> None:
        """A copy isn't held: nobody writes to it."""
        self.append(b"1\n")
        self.follow()
        self.look()
        self.append(b"2\n")
        Path(self.old).write_bytes(self.path.read_bytes())
        self.path.write_bytes(b"")
        self.append(b"3\n")
        self.see()
        self.assertEqual((self.reader.data, self.held()), (b"1\n2\n3\n", 0))
        self.assertEqual(there(self.reader.connection.file).offset, 2)
