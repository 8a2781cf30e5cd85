"""Truncated logs: read on in the copy that was made before, or lost lines are told; never a file that begins alike."""

import json
import os
import shutil

from streamrelay.agent.targets.logfile import rotation, search, steps
from streamrelay.agent.targets.logfile.paces import LOOK, WATCHED
from streamrelay.protocol.summons import Terms
from tests.agent.targets.logfile.test_log import LogTest, copy_and_truncate
from tests.examples import there

BANNER = b"=" * 80 + b" started\n"
"""A first line longer than what is known of a file's beginning."""


class Truncated(LogTest):
    """A log of which a line was read, and others that weren't, as it was truncated."""

    def begin(self, first: bytes = b"1\n") -> None:
        self.append(first)
        self.follow()
        self.look()

    def come_back(self) -> None:
        self.reader.go_on()

    def stay(self) -> None:
        """Stay connected."""

    def expect(self, *events: object) -> None:
        for _ in range(5):
            self.look()
        self.assertEqual(self.reader.events, list(events))

    def test_copy(self) -> None:
        """What was written since the last look is read from the copy, then the log from its beginning.

        Between them lines may be missing that came after the copy was made and before the truncation, in no file.
        """
        for go_on in (self.stay, self.come_back):
            self.setUp()
            self.begin()
            self.append(b"2\n")
            copy_and_truncate(self.path)
            self.append(b"3\n")
            go_on()
            self.expect(b"1\n2\n", "lost", b"3\n")

    def test_quiet(self) -> None:
        """Of a log to which nothing had come since the last look, nothing is thought to be missing."""
        for go_on in (self.stay, self.come_back):
            self.setUp()
            self.begin()
            copy_and_truncate(self.path)
            self.append(b"2\n")
            go_on()
            self.expect(b"1\n2\n")

    def test_packed_after_it_was_found(self) -> None:
        """A copy that was packed while it is read is read to its end, and let go."""
        self.begin()
        self.append(b"2\n")
        copy_and_truncate(self.path)
        self.look()
        self.path.with_name("log.1").unlink()
        self.look()
        self.append(b"3\n")
        self.expect(b"1\n2\n", "lost", b"3\n")

    def test_copies(self) -> None:
        """Two copies between two looks are both read, in their order."""
        for go_on in (self.stay, self.come_back):
            self.setUp()
            self.begin()
            for line in (b"2\n", b"3\n"):
                self.append(line)
                copy_and_truncate(self.path)
            self.append(b"4\n")
            go_on()
            self.expect(b"1\n2\n", "lost", b"3\n", "lost", b"4\n")

    def test_goes_on_in_a_copy(self) -> None:
        """A place in a copy whose log is still empty is good, wherever rotation puts the copy."""
        self.begin()
        self.append(b"2\n")
        copy_and_truncate(self.path)
        self.look()
        self.append(b"3\n")
        copy_and_truncate(self.path)
        self.append(b"4\n")
        self.reader.go_on()
        self.expect(b"1\n2\n", "lost", b"3\n", "lost", b"4\n")

    def test_copy_that_begins_alike(self) -> None:
        """Where the log and its copy both hold what was read, the copy comes first."""
        self.begin(BANNER)
        self.append(b"old\n")
        copy_and_truncate(self.path)
        self.append(BANNER + b"new\n")
        os.utime(self.path.with_name("log.1"), ns=(0, self.path.stat().st_mtime_ns + 10**9))
        self.come_back()
        self.expect(BANNER + b"old\n", "lost", BANNER + b"new\n")

    def test_renamed_while_it_is_searched(self) -> None:
        """A copy that gets another name while it is searched is found under that one."""
        for module in (rotation, search):
            self.patch(module, "SLICE", 1)
        self.patch(steps, "REST", 0)
        for turns in range(1, 20):
            self.setUp()
            self.begin()
            self.append(b"2\n")
            for number in range(1, 4):
                self.path.with_name(f"log.{number}").write_bytes(b"other\n")
            copy_and_truncate(self.path)
            self.clock.pump([LOOK] + [0] * turns)
            copy_and_truncate(self.path)
            self.append(b"3\n")
            self.expect(b"1\n2\n", "lost", b"3\n")

    def test_copy_being_made(self) -> None:
        """A copy that isn't complete yet is no reason to read anything twice: the log still holds it all."""
        self.begin()
        self.append(b"2\n3\n")
        self.path.with_name("log.1").write_bytes(b"1\n2\n")
        self.come_back()
        self.expect(b"1\n2\n3\n")

    def test_no_copy(self) -> None:
        """Without a copy, or with a packed one, lines may be missing: that is told before the new ones."""
        for packed in (False, True):
            for go_on in (self.stay, self.come_back):
                self.setUp()
                self.begin()
                self.append(b"2\n")
                copy_and_truncate(self.path)
                copy = self.path.with_name("log.1")
                copy.rename(copy.with_name("log.1.gz")) if packed else copy.unlink()
                self.append(b"3\n")
                go_on()
                self.expect(b"1\n", "lost", b"3\n")

    def test_older_file_that_begins_alike(self) -> None:
        """A file from before the position was read isn't taken for a copy, whatever it holds."""
        for go_on in (self.stay, self.come_back):
            self.setUp()
            old = self.path.with_name("log.1")
            old.write_bytes(BANNER + b"of yesterday\n")
            os.utime(old, ns=(0, 0))
            self.begin(BANNER)
            self.path.write_bytes(b"new\n")
            go_on()
            self.expect(BANNER, "lost", b"new\n")

    def test_begins_alike(self) -> None:
        """A program that begins its log anew with the same line, and has written more since, is read from there."""
        self.begin(BANNER + b"one\n")
        self.path.write_bytes(BANNER + b"two\nthree\nfour\n")
        self.expect(BANNER + b"one\n", "lost", BANNER + b"two\nthree\nfour\n")

    def test_came_back_to_one_that_begins_alike(self) -> None:
        """Who comes back to such a log is told that lines are missing, and gets its last ones: none from within."""
        self.begin(BANNER + b"one\n")
        self.path.write_bytes(BANNER + b"two\nthree\nfour\n" * 50)
        self.come_back()
        self.expect(BANNER + b"one\n", "lost", b"three\nfour\n")

    def test_inode_used_again(self) -> None:
        """The same holds for a file that was deleted, and whose inode the new one has got."""
        self.begin(BANNER + b"one\n")
        self.path.unlink()
        self.look()
        self.path.write_bytes(BANNER + b"two\nthree\n")
        self.expect(BANNER + b"one\n" + BANNER + b"two\nthree\n")

    def test_behind(self) -> None:
        """A log that is cut while a client still reads it is noticed although it begins alike."""
        self.append(BANNER + b"x" * 1_000_000 + b"\nend\n")
        self.upon_bytes = lambda: self.reader.connection.pause()
        self.follow(lines=100)
        self.upon_bytes = lambda: None
        with self.path.open("r+b") as file:
            file.truncate(100_000)
            file.seek(0, os.SEEK_END)
            file.write(b"\nnew\n")
        self.reader.connection.resume()
        self.look()
        self.assertIn("lost", self.reader.events)

    def test_while_lines_are_left_out(self) -> None:
        """A log that is copied and truncated while lines are counted goes on in the copy, and the count is right."""
        self.follow(behind=65536, lines=0)
        lines = b"".join(b"%099d\n" % number for number in range(50_000))
        self.path.write_bytes(lines)
        self.clock.pump([LOOK, 0, 0, 0])
        copy_and_truncate(self.path)
        self.append(b"new\n")
        for _ in range(20):
            self.look()
        skipped = sum(event for event in self.reader.events if isinstance(event, int))
        self.assertGreater(skipped, 10_000)
        self.assertEqual(self.reader.data, lines[skipped * 100 :] + b"new\n")

    def test_left_at_once(self) -> None:
        """A place before a file's first byte knows what stands there, for who leaves before the next place comes."""
        for content, expected in ((b"1\n2\n3\n", [b"1\n2\n3\n"]), (b"4\n5\n6\n", [b"1\n2\n", "lost", b"5\n6\n"])):
            self.append(b"1\n2\n")
            self.follow()
            first = json.loads(self.reader.ear.named("control")[0][1])["place"]
            self.reader.connection.abort()
            self.path.write_bytes(content)
            self.reader.connect(Terms(place=first, after=4))
            self.look()
            self.assertEqual(self.reader.events, expected)
            self.path.unlink()


class Absent(LogTest):
    """A log that wasn't there, or was empty, when its client left."""

    def test_more_than_one_since(self) -> None:
        """If more than one came since, lines may be missing: what an empty place was in tells none from the others."""
        for empty in (False, True):
            self.setUp()
            if empty:
                self.path.touch()
            self.follow()
            self.look()
            self.append(b"1\n")
            copy_and_truncate(self.path)
            os.utime(self.path.with_name("log.1"), ns=(0, self.path.stat().st_mtime_ns + 10**9))
            self.append(b"2\n")
            self.reader.go_on()
            self.look()
            self.assertEqual(self.reader.events, ["lost", b"2\n"])

    def test_not_looked(self) -> None:
        """Nobody knows what came while a client had no room; that is told if the log appeared meanwhile."""
        self.follow()
        self.look()
        self.reader.connection.pause()
        self.append(b"1\n")
        self.clock.advance(2 * WATCHED)
        self.reader.connection.resume()
        self.look()
        self.assertEqual(self.reader.events, ["lost", b"1\n"])


class Deleted(LogTest):
    """A log that is deleted while it is followed."""

    def test_let_go(self) -> None:
        """It is let go once it is read to its end, so that the disk has its room back, and the next one is begun."""
        self.append(b"1\n")
        self.follow()
        held = there(self.reader.connection.file).descriptor
        self.append(b"2\n")
        self.path.unlink()
        self.look()
        self.look()
        self.assertEqual(self.reader.data, b"1\n2\n")
        self.assertRaises(OSError, os.fstat, held)
        self.append(b"3\n")
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n3\n"])

    def test_empty_one_in_its_place(self) -> None:
        """That holds also if a new one stands there which is still empty."""
        self.append(b"1\n")
        self.follow()
        held = there(self.reader.connection.file)
        self.path.unlink()
        self.path.touch()
        self.look()
        self.look()
        self.assertIsNot(self.reader.connection.file, held)
        self.append(b"2\n")
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n"])

    def test_came_back(self) -> None:
        """Who left before a log was deleted is told that lines may be missing, unless all of it had been let go."""
        for let_go in (False, True):
            self.setUp()
            self.append(b"1\n")
            self.follow()
            if let_go:
                self.path.unlink()
                self.look()
                self.look()
            self.reader.connection.abort()
            if not let_go:
                self.append(b"2\n")
                shutil.copy(self.path, self.path.with_name("keeps its inode"))
                self.path.unlink()
            self.append(b"3\n")
            self.reader.connect(self.reader.terms)
            self.look()
            self.assertEqual(self.reader.events, [b"1\n3\n"] if let_go else [b"1\n", "lost", b"3\n"])
