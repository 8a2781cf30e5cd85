"""log.py: the last lines of a file, then what is appended; places, rotation, and lines that are left out."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import read_entry
from streamrelay.agent.targets.logfile import rotation, search, steps
from streamrelay.agent.targets.logfile.connection import LogConnection
from streamrelay.agent.targets.logfile.file import CHUNK
from streamrelay.agent.targets.logfile.log import Log
from streamrelay.agent.targets.logfile.paces import LOOK, WATCHED
from streamrelay.errors import TargetError
from streamrelay.protocol.close import FINISHED
from streamrelay.protocol.summons import Refusal, Terms
from tests.documented import LOG_BACKLOG
from tests.examples import examples, there
from tests.fakes.connections import Ear, Turns
from tests.fakes.files import folder


class Reader:
    """A client of a log: it keeps the last place and counts the bytes since, and can go on there."""

    def __init__(self, settings: Log, clock: Clock) -> None:
        self.settings, self.clock = settings, clock
        self.ears: list[Ear] = []
        self.connection: LogConnection
        self.on_received: Callable[[], None] = lambda: None

    def connect(self, terms: Terms | None = None) -> None:
        self.ear = Ear(on_received=lambda: self.on_received())
        self.ears.append(self.ear)
        attempt = Deferred.fromCoroutine(self.settings.connect(self.clock, terms or Terms()))
        failures: list[object] = []
        attempt.addCallbacks(lambda connection: setattr(self, "connection", connection), failures.append)
        while not attempt.called:  # a place is searched for
            self.clock.advance(steps.REST)
        if failures:
            raise AssertionError(failures)
        self.connection.join(self.ear, self.ear)

    def go_on(self) -> None:
        self.connection.abort()
        self.connect(self.terms)

    @property
    def terms(self) -> Terms:
        place, after = "", 0
        for kind, *rest in self.ear.said:
            if kind == "bytes":
                after += len(rest[0])
            elif kind == "control" and (told := json.loads(rest[0]).get("place")):
                place, after = told, 0
        return Terms(place=place, after=after)

    @property
    def events(self) -> list[Any]:
        """What all connections have said: bytes, numbers of skipped lines, and "lost"; places aren't seen."""
        events: list[Any] = []
        for ear in self.ears:
            for kind, *rest in ear.said:
                if kind == "control" and (told := json.loads(rest[0]).keys() & {"skipped", "lost"}):
                    events.append("lost" if "lost" in told else json.loads(rest[0])["skipped"])
                elif kind == "bytes" and events and isinstance(events[-1], bytes):
                    events.append(events.pop() + rest[0])
                elif kind == "bytes":
                    events.append(rest[0])
        return events

    @property
    def notes(self) -> list[str]:
        """Words that were told."""
        told = [json.loads(message) for ear in self.ears for _, message in ear.named("control")]
        return [each["note"] for each in told if "note" in each]

    @property
    def nuls(self) -> list[int]:
        """How many were left out, each time."""
        told = [json.loads(message) for ear in self.ears for _, message in ear.named("control")]
        return [each["nuls"] for each in told if "nuls" in each]

    @property
    def places(self) -> int:
        """How many were told."""
        return sum(b'"place"' in told for ear in self.ears for _, told in ear.named("control"))

    @property
    def data(self) -> bytes:
        return b"".join(ear.data for ear in self.ears)


class LogTest(SynchronousTestCase):
    """A log in a directory of its own, and a reader."""

    def setUp(self) -> None:
        self.path = folder(self) / "log"
        self.clock = Turns()
        self.upon_bytes: Callable[[], None] = lambda: None
        """What a test does upon bytes."""

    def follow(self, lines: int = 2, **more: Any) -> None:
        self.reader = Reader(Log(str(self.path), lines=lines, **more), self.clock)
        self.addCleanup(lambda: self.reader.connection.abort())
        self.reader.on_received = lambda: self.upon_bytes()
        self.reader.connect()

    def append(self, data: bytes, path: Path | None = None) -> None:
        with (path or self.path).open("ab") as file:
            file.write(data)

    def rotate(self) -> None:
        rotate(self.path)

    def look(self, turns: int = 40) -> None:
        """Time for what is new to be seen, with a few chunks behind it."""
        self.clock.pump([LOOK] + [0] * turns)


def rotate(path: Path, keep: int = 9, of: Path | None = None) -> None:
    """As logrotate does: log.1 becomes log.2, the log (or what this is `of`) becomes log.1, and the last one goes."""
    for number in range(keep, 0, -1):
        old = path.with_name(f"{path.name}.{number}")
        if old.exists():
            if number == keep:
                old.unlink()
            else:
                old.rename(path.with_name(f"{path.name}.{number + 1}"))
    newest = of or path
    if newest.exists():
        newest.rename(path.with_name(f"{path.name}.1"))


def copy_and_truncate(path: Path) -> None:
    """As logrotate's copytruncate does."""
    copy = path.with_name("a copy")
    shutil.copyfile(path, copy)
    rotate(path, 50, of=copy)
    os.truncate(path, 0)


class Followed(LogTest):
    """A log that is followed."""

    def test_out_of_its_directory(self) -> None:
        """A pattern's log that leads out of the directory before its first part is refused, unless another is named."""
        place = self.path.parent / "logs"
        place.mkdir()
        (place / "app.log").symlink_to(self.path)
        table = {"kind": "log", "path": f"{place}/{{name}}.log", "parts": {"name": "[a-z]+"}}
        for more, code in (({}, Refusal.NOT_ALLOWED), ({"within": str(self.path.parent)}, None)):
            target = there(read_entry("log/{name}", {**table, **more}).match("log/app"))
            attempt = Deferred.fromCoroutine(target.connect(self.clock, Terms()))
            if code is None:
                self.successResultOf(attempt).abort()
            else:
                self.assertEqual(self.failureResultOf(attempt, TargetError).value.code, code)

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
        self.assertEqual(self.reader.data, b"2\n3\n4\n56\n")

    def test_long_backlog(self) -> None:
        """A long backlog comes in chunks, one a turn."""
        content = b"x" * 99 + b"\n"
        self.append(content * 2000)
        self.follow(lines=2000)
        self.assertEqual(len(self.reader.data), CHUNK)
        self.look()
        self.assertEqual(self.reader.data, content * 2000)

    def begins(self, behind: int) -> int:
        """How many bytes before the file's end a stream begins."""
        self.follow(lines=1, behind=behind)
        file = there(self.reader.connection.file)
        return file.size - file.offset + len(self.reader.data)

    def test_most_backlog(self) -> None:
        """The last lines are looked for in 16 MiB, or half of `behind` if that is less; a longer one is cut."""
        self.append(b"\n" + b"x" * (LOG_BACKLOG - 1))
        self.assertEqual(self.begins(2**40), LOG_BACKLOG - 1)
        self.append(b"xx")
        self.assertEqual(self.begins(2**40), LOG_BACKLOG)
        self.assertEqual(self.begins(LOG_BACKLOG), LOG_BACKLOG // 2)

    def test_not_there_yet(self) -> None:
        """A file that doesn't exist yet is followed from its beginning once it does."""
        self.follow(lines=1)
        self.look()
        self.append(b"1\n2\n")
        self.look()
        self.assertEqual(self.reader.data, b"1\n2\n")

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
        self.assertEqual(self.reader.data, b"1\n2\n3\n4\n")

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
        self.assertEqual(self.reader.data, b"1\n2\n3\n")

    def test_truncated(self) -> None:
        """A file that is truncated is read from its beginning again."""
        self.append(b"1\n2\n")
        self.follow()
        self.path.write_bytes(b"")
        self.look()
        self.append(b"3\n")
        self.look()
        self.assertEqual(self.reader.data, b"1\n2\n3\n")

    def test_copied_and_truncated(self) -> None:
        """A file that is truncated and written to between two looks is read from its beginning again."""
        self.append(b"1\n2\n3\n")
        self.follow(lines=3)
        self.path.write_bytes(b"4\n")
        self.look()
        self.assertEqual(self.reader.data, b"1\n2\n3\n4\n")

    def test_paused(self) -> None:
        """While it is paused nothing is read, nor looked at; afterwards nothing is missing."""
        self.append(b"1\n")
        self.follow()
        self.reader.connection.pause()
        self.append(b"2\n")
        self.look()
        self.assertEqual(self.reader.data, b"1\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.reader.connection.resume()
        self.look()
        self.assertEqual(self.reader.data, b"1\n2\n")

    def test_paused_by_the_first_chunk(self) -> None:
        """A sink that is full after a chunk gets no further one until it has drained."""
        self.append(b"x" * 99_999 + b"\n")
        self.upon_bytes = lambda: self.reader.connection.pause()
        self.follow()
        self.look()
        self.assertEqual(len(self.reader.data), CHUNK)

    def test_takes_nothing(self) -> None:
        """What a client sends, says or ends changes neither the file nor the stream."""
        self.append(b"1\n")
        self.follow()
        self.reader.connection.send([memoryview(b"x")], 1)
        self.reader.connection.send_control(b"{}")
        self.reader.connection.send_eof()
        self.look()
        self.assertEqual(self.path.read_bytes(), b"1\n")
        self.assertEqual(self.reader.events, [b"1\n"])

    def test_closed(self) -> None:
        """A log that is closed says so once, lets go of its file, and looks no more."""
        self.append(b"1\n")
        self.follow()
        descriptor = there(self.reader.connection.file).descriptor
        self.reader.connection.close(FINISHED)
        self.reader.connection.close(FINISHED)
        self.reader.connection.resume()
        self.assertEqual([event[0] for event in self.reader.ear.said], ["control", "bytes", "control", "over", "gone"])
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closed_while_told(self) -> None:
        """A stream that ends upon a chunk leaves nothing behind."""
        self.append(b"1\n")
        self.upon_bytes = lambda: self.reader.connection.abort()
        self.follow()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unreadable_later(self) -> None:
        """A file that can't be read any more ends the stream, which says why, and holds no descriptor."""
        self.append(b"one\n")
        self.follow()
        held = there(self.reader.connection.file).descriptor
        directory = os.open(self.path.parent, os.O_RDONLY)
        os.dup2(directory, held)
        os.close(directory)
        self.look()
        over, gone = self.reader.ear.said[-2:]
        self.assertEqual((over[1].code, over[1].reason, gone[0]), (4003, f"{self.path}: Is a directory", "gone"))
        self.assertRaises(OSError, os.fstat, held)
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


class Places(LogTest):
    """A log that is gone on with where a client stopped."""

    def again(self, lines: int = 2, **more: int) -> None:
        """Read all that is there, then leave."""
        self.follow(lines, **more)
        self.look()
        self.reader.connection.abort()

    def test_first(self) -> None:
        """The first thing that is said is a place, also of a file that isn't there yet."""
        self.follow()
        self.assertEqual((self.reader.places, self.reader.data), (1, b""))
        self.append(b"1\n")
        self.look()
        keys = [kind if kind == "bytes" else [*json.loads(*rest)] for kind, *rest in self.reader.ear.said]
        self.assertEqual(keys, [["place"], ["note"], ["note"], ["place"], "bytes", ["place"]])

    def test_goes_on(self) -> None:
        """A client that comes back gets what was written since, no byte twice, and nothing before its place."""
        self.append(b"0\n1\n2\n")
        self.again()
        self.append(b"3\n4\n5\n6\n")
        self.reader.go_on()
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n3\n4\n5\n6\n"])

    def test_within_a_line(self) -> None:
        """It goes on within a line, at the very byte."""
        self.append(b"abc")
        self.again()
        self.append(b"def\n")
        self.reader.go_on()
        self.look()
        self.assertEqual(self.reader.data, b"abcdef\n")

    def test_before_the_first_file(self) -> None:
        """Who came when there was no file gets all of the one that was made since."""
        self.again()
        self.append(b"1\n2\n3\n")
        self.reader.go_on()
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n3\n"])

    def test_rotated_meanwhile(self) -> None:
        """The old file is read to its end, those that were rotated away since, and the new one, all without a gap."""
        self.append(b"1\n2\n")
        self.again()
        self.append(b"3\n")
        for content in (b"4\n", b"5\n", b"6\n"):
            self.rotate()
            self.append(content)
        self.reader.go_on()
        for _ in range(5):
            self.look()
        self.assertEqual(self.reader.data, b"1\n2\n3\n4\n5\n6\n")
        self.assertNotIn("lost", self.reader.events)

    def test_dated(self) -> None:
        """Rotated files that are named by dates are gone through in their order."""
        self.append(b"1\n")
        self.again()
        for date, content in (("20260730", b"2\n"), ("20260731", b"3\n"), ("20260801", b"4\n")):
            self.path.rename(self.path.with_name(f"log-{date}"))
            self.append(content)
        self.reader.go_on()
        for _ in range(5):
            self.look()
        self.assertEqual(self.reader.events.count("lost"), 0)
        self.assertEqual(self.reader.data, b"1\n2\n3\n4\n")

    def test_link(self) -> None:
        """Behind a link, as Kubernetes makes it, files that were rotated away meanwhile are gone through, too."""
        real = self.path.parent / "pods" / "0.log"
        real.parent.mkdir()
        self.path.symlink_to(real)
        real.write_bytes(b"1\n")
        self.again()
        self.append(b"2\n")
        for date, content in (("20260730-120000", b"3\n"), ("20260731-120000", b"4\n")):
            real.rename(real.with_name(f"0.log.{date}"))
            self.append(content)
        self.reader.go_on()
        for _ in range(4):
            self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n3\n4\n"])

    def test_packed_between(self) -> None:
        """Where a file in between was packed, what is missing is told before what comes next."""
        self.append(b"1\n")
        self.again()
        for content in (b"2\n", b"3\n"):
            self.rotate()
            self.append(content)
        self.path.with_name("log.1").rename(self.path.with_name("log.1.gz"))
        self.reader.go_on()
        for _ in range(5):
            self.look()
        self.assertEqual(self.reader.events, [b"1\n", "lost", b"3\n"])

    def test_lost(self) -> None:
        """If it can't go on it says so, and begins with the last lines."""
        for change in (self.gone, self.cut, self.anew, self.packed):
            self.path.write_bytes(b"first\nsecond\n")
            self.again()
            change()
            self.reader.go_on()
            self.look()
            self.assertEqual(self.reader.events[-2:], ["lost", b"4\n5\n"], change.__name__)

    def gone(self) -> None:
        self.path.unlink()
        (self.path.parent / "another").write_bytes(b"takes its inode")
        self.path.write_bytes(b"3\n4\n5\n")

    def cut(self) -> None:
        self.path.write_bytes(b"3\n4\n5\n")

    def anew(self) -> None:
        """Truncated and longer than before."""
        self.path.write_bytes(b"another begin\n" * 10 + b"3\n4\n5\n")

    def packed(self) -> None:
        self.rotate()
        self.path.with_name("log.1").rename(self.path.with_name("log.1.gz"))
        self.path.write_bytes(b"3\n4\n5\n")

    def test_beyond_the_end(self) -> None:
        """More bytes behind a place than there are, is no place to go on at."""
        self.append(b"1\n2\n3\n")
        self.again()
        terms = Terms(place=self.reader.terms.place, after=100)
        self.reader.connect(terms)
        self.look()
        self.assertEqual(self.reader.events[-2:], ["lost", b"2\n3\n"])

    def test_strangers_words(self) -> None:
        """Whatever isn't a place of this very log opens nothing but the log at its last lines."""
        self.append(b"1\n2\n3\n")
        secret = self.path.with_name("log-secret")
        secret.write_bytes(b"secret\n")
        other = Reader(Log(str(secret)), self.clock)
        other.connect()
        other.connection.abort()
        self.again()
        good = self.reader.terms.place
        bent = ("1" if good[0] == "2" else "2") + good[1:]
        for place in ("x", "~" * 68, "1.2.3.4.5", good[:-1], good + "A", bent, "é", other.terms.place):
            self.reader.connect(Terms(place=place))
            self.look()
            self.assertEqual(self.reader.events[-2:], ["lost", b"2\n3\n"], place)
            self.reader.connection.abort()

    def test_told_after_bytes(self) -> None:
        """Bytes are followed by a place in half a second, also if nothing comes after them, and then by no other."""
        self.append(b"x" * 200 + b"\n")
        self.follow()
        for _ in range(3):
            self.append(b"more\n")
            for _ in range(10):
                self.look()
            self.assertEqual(self.reader.terms.after, 0)
        self.assertEqual(self.reader.places, 2 + 3)

    def test_head_is_told(self) -> None:
        """A place that knows too little of a file to tell it from another is followed by one that does."""
        self.append(b"1\n")
        self.follow()
        for places in (3, 3):
            self.append(b"x" * 100)
            self.look()
            self.assertEqual(self.reader.places, places)


class Renewed(LogTest):
    """Truncation and rotation under the eyes of a client, told by places."""

    def test_truncated(self) -> None:
        """After a truncation nobody knows what had come since the last look, unless there is a copy: that is told."""
        self.append(b"1\n2\n")
        self.follow()
        self.look()
        self.path.write_bytes(b"3\n")
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n", "lost", b"3\n"])

    def test_truncated_unread(self) -> None:
        """A truncation while the client didn't read may have taken lines away: that is told."""
        self.append(b"1\n2\n")
        self.follow()
        self.look()
        self.reader.connection.pause()
        self.append(b"never seen\n")
        self.path.write_bytes(b"3\n")
        self.reader.connection.resume()
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n", "lost", b"3\n"])

    def test_written_late(self) -> None:
        """What a program writes to the old file before it takes the new one comes, and in its order."""
        self.append(b"1\n")
        self.follow()
        self.rotate()
        self.path.touch()
        self.look()
        self.append(b"2\n", self.path.with_name("log.1"))
        self.append(b"3\n")
        self.look()
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n3\n"])

    def test_deleted(self) -> None:
        """A file that is deleted and made anew while it is watched leaves no gap; unwatched, nobody can know."""
        self.append(b"1\n")
        self.follow()
        self.look()
        self.path.unlink()
        self.append(b"2\n")
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n"])
        self.reader.connection.pause()
        self.path.unlink()
        self.append(b"3\n")
        self.path.unlink()
        self.append(b"4\n")
        self.clock.advance(2 * WATCHED)
        self.reader.connection.resume()
        self.look()
        self.assertEqual(self.reader.events[-2:], ["lost", b"4\n"])

    def test_written_while_searched(self) -> None:
        """Lines that go to the old file while its successor is searched, over many turns, come before the new one's."""
        self.patch(rotation, "SLICE", 1)
        self.patch(steps, "REST", 0)
        for number in range(2, 12):
            self.path.with_name(f"log.{number}").touch()
        self.append(b"1\n")
        self.follow()
        self.path.rename(self.path.with_name("log.1"))
        self.append(b"3\n")
        self.clock.pump([LOOK, 0, 0, 0])
        self.append(b"2\n", self.path.with_name("log.1"))
        self.look()
        self.assertEqual(self.reader.events, [b"1\n2\n3\n"])

    def test_ended_while_searched(self) -> None:
        """A stream that is paused or ends while its log's next file is searched holds no directory open."""
        self.patch(rotation, "SLICE", 1)
        self.patch(steps, "REST", 0)
        self.append(b"1\n")
        self.follow()
        before = self.opened()
        self.rotate()
        self.append(b"2\n")
        for stop in (self.reader.connection.pause, self.reader.connection.abort):
            self.clock.pump([LOOK, 0])
            self.assertGreater(self.opened(), before)
            stop()
            self.assertLessEqual(self.opened(), before)
            self.reader.connection.resume()

    def opened(self) -> int:
        """Descriptors of the log and its neighbours; others of this process come and go."""
        folder = str(self.path.parent)
        links = [os.path.join("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
        return sum(os.readlink(link).startswith(folder) for link in links if os.path.lexists(link))

    def test_ended_while_opened(self) -> None:
        """A stream that is ended while its log's last lines are searched leaves nothing open."""
        self.path.write_bytes(b"x" * (5 << 20))
        before = self.opened()
        attempt = Deferred.fromCoroutine(Log(str(self.path), lines=5).connect(self.clock, Terms()))
        self.clock.advance(0)
        self.assertNoResult(attempt)
        attempt.cancel()
        self.failureResultOf(attempt, CancelledError)
        self.assertEqual((self.opened(), self.clock.getDelayedCalls()), (before, []))

    def test_always_anew(self) -> None:
        """A file that is written anew all the time costs no more control messages than a leg may send."""
        self.append(b"x\n")
        self.follow()
        for number in range(500):
            self.path.write_bytes(b"%d\n" % number)
            self.clock.pump([0.01, 0, 0])
        self.assertLess(self.reader.places, 60)
        self.look()
        self.assertTrue(self.reader.data.endswith(b"499\n"))


class Skips(LogTest):
    """A client that is too far behind."""

    def lines(self, first: int, last: int, width: int = 99) -> bytes:
        return b"".join(b"%0*d\n" % (width, number) for number in range(first, last))

    def test_skips(self) -> None:
        """Of what is too much the newest is kept, beginning with a whole line; the rest is counted and told."""
        self.follow(behind=CHUNK, lines=0)
        self.append(self.lines(0, 10))
        self.look()
        self.reader.connection.pause()
        self.append(self.lines(10, 2000))
        self.reader.connection.resume()
        self.look()
        before, skipped, after = self.reader.events
        self.assertEqual(before + self.lines(10, 10 + skipped) + after, self.lines(0, 2000))
        self.assertLessEqual(CHUNK // 2 - 100, len(after))
        self.assertLess(len(after), CHUNK // 2 + 1)

    def test_keeps_up(self) -> None:
        """A client that keeps up gets every line: 100,000 at 10,000 a second."""
        self.append(self.lines(0, 10))
        self.follow(lines=10)
        for number in range(100):
            self.append(self.lines(10 + number * 1000, 1010 + number * 1000))
            self.clock.pump([0.025] * 4)
        self.look()
        self.assertTrue(self.reader.data == self.lines(0, 100_010))
        self.assertEqual([event for event in self.reader.events if isinstance(event, int)], [])

    def test_backlog(self) -> None:
        """The last lines that were asked for are never too much, and what comes then is no reason to skip them."""
        self.append(self.lines(0, 5000))
        self.upon_bytes = lambda: self.reader.connection.pause()
        self.follow(lines=5000, behind=CHUNK * 2)
        self.append(b"more\n")
        self.upon_bytes = lambda: None
        self.reader.connection.resume()
        self.look()
        self.assertEqual(len(self.reader.events), 1)
        self.assertEqual(len(self.reader.data), CHUNK + 5)

    def test_torn_line(self) -> None:
        """A line that was sent in part is sent to its end before others are left out."""
        self.append(b"begin")
        self.follow(behind=CHUNK)
        self.append(b" and end\n" + self.lines(0, 2000))
        self.look()
        before, skipped, after = self.reader.events
        self.assertEqual(before, b"begin and end\n")
        self.assertEqual(self.lines(0, skipped) + after, self.lines(0, 2000))

    def test_endless_line(self) -> None:
        """A line longer than everything is cut; the newest of it comes, and what was left out counts as one."""
        self.append(b"begin")
        self.follow(behind=CHUNK)
        self.append(b"x" * 5_000_000 + b"newest")
        self.look()
        before, skipped, after = self.reader.events
        self.assertEqual((before, skipped, len(after)), (b"begin", 1, CHUNK // 2))
        self.assertTrue(after.endswith(b"newest"))

    def test_a_bit_at_a_time(self) -> None:
        """Many lines are counted over many turns, in which nothing is sent, and a stream may end."""
        self.follow(behind=CHUNK, lines=0)
        self.path.write_bytes(self.lines(0, 100_000))
        self.clock.advance(LOOK)
        for _ in range(5):
            self.clock.advance(0)
        self.assertEqual(self.reader.data, b"")
        descriptor = there(self.reader.connection.file).descriptor
        self.reader.connection.abort()
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_resumed_far_behind(self) -> None:
        """Who comes back after much was written gets the newest, and is told what was left out."""
        self.append(self.lines(0, 10))
        self.follow(behind=CHUNK, lines=10)
        self.look()
        self.append(self.lines(10, 50_000))
        self.reader.go_on()
        self.look()
        before, skipped, after = self.reader.events
        self.assertEqual(before + self.lines(10, 10 + skipped) + after, self.lines(0, 50_000))

    def test_told_seldom(self) -> None:
        """However much is written, lines are left out once a second at most."""
        self.follow(behind=CHUNK, lines=0, rate=1024)
        for number in range(100):
            self.append(self.lines(number * 1000, number * 1000 + 1000))
            self.clock.pump([0.05, 0, 0])
        self.assertLessEqual(sum(isinstance(event, int) for event in self.reader.events), 6)

    def test_truncated_while_counting(self) -> None:
        """A truncation while lines are counted ends the count; what may be missing is told."""
        self.follow(behind=CHUNK, lines=0)
        self.path.write_bytes(self.lines(0, 100_000))
        self.clock.pump([LOOK, 0, 0])
        self.path.write_bytes(b"new\n")
        self.look()
        self.look()
        self.assertEqual([event for event in self.reader.events if not isinstance(event, int)][-2:], ["lost", b"new\n"])

    def test_rate(self) -> None:
        """No more is sent than the rate allows, but for what a quiet time has saved up, and nothing is lost by it."""
        self.append(b"x" * 99_999 + b"\n")
        self.follow(rate=10_000, lines=1)
        self.clock.pump([0.05] * 20)
        self.assertLess(len(self.reader.data), 25_000)
        self.clock.pump([0.05] * 200)
        self.assertEqual(len(self.reader.data), 100_000)


def begun(connection: LogConnection, path: Path) -> bool:
    """Whether the file under this path was read from, since it was truncated last."""
    file, status = connection.file, path.stat()
    known = file is not None and file.offset > 0 and file.identity == (status.st_dev, status.st_ino)
    return known and not there(file).renewed()


TRUNCATED_UNREAD = [
    *(("rotate", 0), ("turn", 0), ("look", 0)),
    *(("append", 2), ("turn", 0), ("copy and truncate", 0)),
]
"""A file that was taken, and truncated before anything of it was passed."""
LATE_TO_TWO = [(step, int(step == "append")) for step in ("rotate", "append", "look", "late", "rotate", "late")]
"""Late lines to two files, of which the newer is still read as the log itself."""
LATE_AFTER_COPY = [
    *(("append", 1), ("look", 0), ("pause", 0), ("copy and truncate", 0), ("rotate", 0), ("append", 1)),
    *(("go on", 0), ("look", 0), ("late", 0), ("look", 0)),
]
"""A late line to a log that was truncated after a copy, and renamed while it was still empty."""


class Histories(SynchronousTestCase):
    """Whatever happens to a log and its client, no byte comes twice, in disorder, or is missing without a word."""

    deeds = st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 3000)),
            st.tuples(
                st.sampled_from(
                    ("rotate", "truncate", "copy and truncate", "late", "pause", "resume", "look", "go on", "turn")
                ),
                st.just(0),
            ),
        ),
        min_size=1,
        max_size=40,
    )

    @example(TRUNCATED_UNREAD, 1 << 30, 100)
    @example(LATE_TO_TWO, 1 << 30, 100)
    @example(LATE_AFTER_COPY, 1 << 30, 100)
    @examples(120)
    @given(deeds, st.sampled_from((CHUNK, 1 << 30)), st.sampled_from((1, 100)))
    def test_exact(self, deeds: list[tuple[str, int]], behind: int, files_in_a_turn: int) -> None:
        """The bytes that came are those that were written, but for the lines that were left out, as many as told."""
        for module in (rotation, search):
            self.patch(module, "SLICE", files_in_a_turn)
        self.patch(steps, "REST", 0)
        path = folder(self) / "log"
        clock = Turns()
        path.write_bytes(b"%09d\n" % 0)
        reader = Reader(Log(str(path), lines=1, behind=behind), clock)
        reader.connect()
        written: list[bytes] = [b"%09d\n" % 0]  # each line once
        late: list[bytes] = []  # what was written to the newest old file, if the log was renamed to it
        gone: set[int] = set()  # lines that were truncated before they could be seen to be there
        paused = renamed = False
        rotations = 0

        def look() -> None:
            for _ in range(4):
                clock.pump([LOOK] + [0] * 30)

        for step, count in [*deeds, ("append", 1)]:  # as rotated files wait until there is a new one
            if step == "append":
                lines = [b"%09d\n" % number for number in range(len(written), len(written) + count)]
                written += lines
                with path.open("ab") as file:
                    file.write(b"".join(lines))
            elif step == "rotate":
                renamed = path.exists()
                rotations += 1
                rotate(path, 50)
            elif step == "truncate" and path.exists():
                if not begun(reader.connection, path):
                    gone.update(map(int, path.read_bytes().split()))
                os.truncate(path, 0)
            elif step == "copy and truncate" and path.exists():
                renamed = False
                copy_and_truncate(path)
            elif step == "late" and renamed:
                late.append(b"late %d %d" % (rotations, len(late)))
                with path.with_name("log.1").open("ab") as file:
                    file.write(late[-1] + b"\n")
            elif step in ("pause", "resume"):
                paused = step == "pause"
                getattr(reader.connection, step)()
            elif step == "go on":
                reader.go_on()
                paused = False
            elif step == "look":
                look()
            elif step == "turn":  # in which a search has only begun
                clock.pump([LOOK, 0])
        if paused:
            reader.connection.resume()
        for _ in range(12):
            look()
        reader.connection.abort()
        self.compare_late(reader.events, late)
        done = {step for step, _ in deeds}
        if not done & {"truncate", "copy and truncate"}:
            self.assertNotIn("lost", reader.events)
        self.compare(reader.events, len(written), gone, "truncate" in done)

    def compare_late(self, events: list[Any], late: list[bytes]) -> None:
        """Late lines came once each, those to one file in their order; none is missing unless that was told."""
        came = [line for event in events if isinstance(event, bytes) for line in event.splitlines() if b"late" in line]
        for to_one in {line.split()[1] for line in (*late, *came)}:
            came_of_it = [line for line in came if line.split()[1] == to_one]
            self.assertEqual([line for line in late if line in came_of_it], came_of_it)
        if "lost" not in events:
            self.assertEqual(sorted(came), sorted(late))

    def compare(self, events: list[Any], written: int, gone: set[int], truncated: bool) -> None:
        """Go through what came; after "lost" it may go on at any later line if a log was truncated without a copy."""
        expected, gap = 0, False
        text = b""
        for event in events:
            if event == "lost":
                gap = truncated
                text = b"" if truncated else text  # of a line that was truncated, only a part may have come
            elif isinstance(event, int):
                self.assertEqual(text, b"", "a torn line before a skip")
                while expected in gone:
                    expected += 1
                expected += 0 if gap else event
            else:
                *lines, text = (text + event).split(b"\n")
                for line in lines:
                    if b"late" in line:
                        continue
                    number = int(line)
                    while expected < number and expected in gone:
                        expected += 1
                    if gap:
                        self.assertGreaterEqual(number, expected)
                    else:
                        self.assertEqual(number, expected)
                    expected, gap = number + 1, False
        self.assertEqual(text, b"")
        self.assertEqual(expected, written)
