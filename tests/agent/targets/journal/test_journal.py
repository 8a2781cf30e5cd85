"""journal*.py: systemd's journal, by a journalctl that a test speaks for."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import read_entry as read_target
from streamrelay.agent.targets.journal import boots, journal
from streamrelay.agent.targets.journal.entries import plain, read_entry
from streamrelay.agent.targets.journal.journal import TOO_LONG, Journal
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.codec import encode
from streamrelay.protocol.control import Control, decode_control
from streamrelay.protocol.summons import Refusal, Terms
from tests.documented import CONNECT_TIME, JOURNAL_CUT, JOURNAL_ENTRY, PLACES_EVERY
from tests.fakes.connections import Ear
from tests.fakes.files import folder

FRESH = Terms()
EMPTY: dict[str, Any] = {"lines": 0}


def cursor(number: int, boot: str = "b" * 32) -> str:
    return f"s={'a' * 32};i={number:x};b={boot};m={number:x};t={number:x};x={number:016x}"


def entry(number: int, message: object = "hello", boot: str = "b" * 32, **more: object) -> bytes:
    fields = {"__CURSOR": cursor(number, boot), "__REALTIME_TIMESTAMP": str(1795576322000000 + number)}
    who = {"_HOSTNAME": "box", "SYSLOG_IDENTIFIER": "web", "_PID": "12"}
    return encode({**who, **fields, "MESSAGE": message, **more}) + b"\n"


@define(eq=False)
class FakeRun:
    """A run of journalctl."""

    protocol: ProcessProtocol
    arguments: list[str]
    environment: dict[str, str]
    reading: bool = True
    killed: bool = False
    closed: bool = False

    def closeStdin(self) -> None: ...

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseConnection(self) -> None:
        self.closed = True

    def signalProcess(self, name: str) -> None:
        if self.killed:
            raise ProcessExitedAlready
        self.killed = name == "KILL"

    def says(self, data: bytes) -> None:
        self.protocol.outReceived(data)

    def ends(self, complaint: bytes = b"", status: int = 0) -> None:
        if complaint:
            self.protocol.errReceived(complaint)
        self.protocol.processEnded(Failure(ProcessTerminated(status) if status else ProcessDone(0)))


@define(eq=False)
class FakeSpawner(MemoryReactorClock):
    """A reactor that starts processes in memory."""

    runs: list[FakeRun] = field(factory=list)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def spawnProcess(
        self,
        protocol: ProcessProtocol,
        executable: str,
        args: Sequence[str],
        env: Mapping[str, str],
        path: str | None,
    ) -> None:
        self.runs.append(FakeRun(protocol, list(args), dict(env)))
        protocol.makeConnection(self.runs[-1])


class Case(SynchronousTestCase):
    """A journal target, where there is a journalctl."""

    def setUp(self) -> None:
        self.reactor, self.ear = FakeSpawner(), Ear()
        here = folder(self)
        (here / "journalctl").touch(0o755)
        self.patch(os, "environ", {"PATH": str(here), "SECRET": "x"})
        self.patch(boots, "BOOT_ID", str(here / "boot_id"))  # nobody knows it, unless a test writes it there

    def connect(self, terms: Terms = FRESH, **settings: Any) -> "Deferred[Connection]":
        chosen: dict[str, Any] = {"unit": "web.service", "directory": "/journal", **settings}
        target = Journal(**chosen)
        target.check()
        return Deferred.fromCoroutine(target.connect(self.reactor, terms))

    @property
    def last(self) -> FakeRun:
        """The last one."""
        return self.reactor.runs[-1]

    def follow(self, terms: Terms = FRESH, first: int = 1) -> tuple[Connection, FakeRun]:
        """A journal that is followed from its first entry on."""
        work = self.connect(terms)
        self.last.says(entry(first))
        connection = self.successResultOf(work)
        connection.join(self.ear, self.ear)
        return connection, self.last

    def controls(self) -> list[Control]:
        return [decode_control(message) for _, message in self.ear.named("control")]

    def lines(self) -> list[str]:
        """What came, without the times."""
        self.reactor.advance(0)
        return [line.partition(" ")[2] for line in self.ear.data.decode().splitlines()]

    def refused(self, work: "Deferred[Connection]", code: str, reason: str) -> None:
        error = self.failureResultOf(work, TargetError).value
        self.assertEqual((error.code, error.reason), (code, reason))


class Settings(SynchronousTestCase):
    """What stands in the agent's file."""

    def test_parts(self) -> None:
        """A unit may hold parts of the name, which make no glob and no path."""
        table = {"kind": "journal", "unit": "{name}.service", "parts": {"name": ".+"}}
        target = read_target("unit/{name}", table)
        self.assertEqual(target.settings.viewer, "log")
        found: Any = target.match("unit/ssh@1")
        self.assertEqual(found.unit, "ssh@1.service")
        for name in ("unit/*", "unit/a/b", "unit/..", "unit/-M", "unit/a b"):
            found = target.match(name)
            self.assertTrue(found is None or name == "unit/*", name)

    def test_wrong(self) -> None:
        """Impossible settings are told."""
        for wrong in ({"unit": "a b"}, {"unit": "a\n"}, {"directory": "journal"}, {"lines": -1}, {"unit": "a/b"}):
            self.assertRaises(ValueError, read_target, "a", {"kind": "journal", **wrong})


class Following(Case):
    """Entries, places, ends."""

    def test_follows(self) -> None:
        """It is looked where the last entries begin; from there on all come, a line for each, behind a place."""
        _, run = self.follow()
        first = self.reactor.runs[0]
        self.assertTrue(first.killed and first.closed)
        self.assertTrue({"--lines=100", "--unit=web.service", "--directory=/journal"} <= set(first.arguments))
        self.assertTrue({"--follow", "--no-tail", f"--cursor={cursor(1)}"} <= set(run.arguments))
        self.assertNotIn("SECRET", run.environment)
        run.says(entry(1) + entry(2, "two")[:50])
        run.says(entry(2, "two")[50:])
        self.assertEqual(self.lines(), ["box web[12]: hello", "box web[12]: two"])
        self.assertEqual([event[0] for event in self.ear.said], ["control", "bytes"])

    def test_no_entries(self) -> None:
        """Where there are none it is followed from behind the journal's last one, or from the beginning of an empty
        journal; without lines to begin with it isn't even looked."""
        for settings, looks in ((dict[str, Any](), 2), (EMPTY, 1)):
            self.reactor.runs.clear()
            work = self.connect(**settings)
            if looks == 2:
                self.last.ends()
            self.assertNotIn("--unit=web.service", self.last.arguments)
            self.last.says(entry(7))
            connection = self.successResultOf(work)
            self.assertEqual(len(self.reactor.runs), looks)
            self.ear = Ear()
            connection.join(self.ear, self.ear)
            self.last.says(entry(7, "of another unit") + entry(8))
            self.assertEqual(self.lines(), ["box web[12]: hello"])
        work = self.connect()
        self.last.ends()
        self.last.ends()
        self.successResultOf(work).join(self.ear, self.ear)
        self.assertFalse([each for each in self.last.arguments if each.startswith("--cursor")])

    def test_this_machine(self) -> None:
        """Without a directory the journal is this machine's alone, and all of its boots."""
        known = folder(self) / "machine-id"
        known.write_text("0123456789abcdef0123456789abcdef\n")
        self.patch(journal, "MACHINE_ID", str(known))
        work = self.connect(directory="")
        self.assertIn("--merge", self.last.arguments)
        self.assertIn("_MACHINE_ID=0123456789abcdef0123456789abcdef", self.last.arguments)
        self.last.says(entry(1))
        self.successResultOf(work).abort()

    def place(self) -> str:
        """Behind the second entry."""
        _, run = self.follow()
        run.says(entry(1) + entry(2))
        self.reactor.advance(PLACES_EVERY)
        return self.controls()[-1].place

    def test_goes_on(self) -> None:
        """A stream goes on behind its place, without the bytes that the client has already."""
        place, self.ear = self.place(), Ear()
        work = self.connect(Terms(place=place, after=5))
        self.assertTrue({f"--cursor={cursor(2)}", "--lines=1"} <= set(self.last.arguments))
        self.last.says(entry(2))
        self.successResultOf(work).join(self.ear, self.ear)
        self.last.says(entry(2) + entry(3, "three"))
        self.reactor.advance(0)
        self.assertRegex(self.ear.data, rb"\A\d\d-\d\dT.* box web\[12\]: three\n\Z")
        self.assertEqual([control.lost for control in self.controls()], [False])

    def test_lost(self) -> None:
        """Where its entry is gone, or the place was made up, or for another unit, that is said; the last ones come."""
        place = self.place()
        for terms, unit in (
            (Terms(place=place), "web.service"),
            (Terms(place=place), "other"),
            (Terms(place="x~y"), "x"),
        ):
            self.ear = Ear()
            work = self.connect(terms, unit=unit)
            if unit == "web.service":
                self.last.says(entry(9))
            self.assertIn("--lines=100", self.last.arguments)
            self.last.says(entry(9))
            self.successResultOf(work).join(self.ear, self.ear)
            self.assertTrue(self.controls()[0].lost)

    def test_backpressure(self) -> None:
        """While a client has no room its pipe isn't read."""
        connection, run = self.follow()
        connection.pause()
        self.assertFalse(run.reading)
        connection.resume()
        self.assertTrue(run.reading)

    def test_leaves(self) -> None:
        """A client that leaves has its journalctl killed, and is told nothing more."""
        connection, run = self.follow()
        connection.close(outcome(CloseCode.FINISHED))
        connection.abort()
        self.assertTrue(run.killed and run.closed)
        run.says(entry(2))
        run.ends(status=1)
        self.reactor.advance(1)
        self.assertEqual(self.ear.codes, [1000])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ends(self) -> None:
        """A journalctl that ends while it follows is no end in order."""
        _, run = self.follow()
        run.says(entry(1))
        run.ends(b"Hint: none\nFailed to do it: Too many open files\n", 1)
        (over,) = self.ear.named("over")
        self.assertEqual(over[1], outcome(CloseCode.TARGET_RESET, "journalctl: Failed to do it: Too many open files"))
        self.assertEqual(len(self.lines()), 1)

    def test_refused(self) -> None:
        """What can't be read is refused: no such program, no permission, no answer, no JSON."""
        work = self.connect()
        self.last.ends(b"No journal files were opened due to insufficient permissions.\n", 1)
        why = "journalctl: No journal files were opened due to insufficient permissions."
        self.refused(work, Refusal.TARGET_REFUSED, why)
        work = self.connect()
        self.reactor.advance(CONNECT_TIME)
        self.refused(work, Refusal.TARGET_UNREACHABLE, "journalctl: no answer within 10 s")
        self.assertTrue(self.last.killed)
        work = self.connect()
        self.last.says(b"-- No entries --\n")
        self.assertIn("not what was asked for", self.failureResultOf(work, TargetError).value.reason)
        os.environ["PATH"] = "/nonexistent"
        self.refused(self.connect(), Refusal.TARGET_REFUSED, "journalctl: no such program")

    def test_too_long(self) -> None:
        """Of an entry that is too long for anything nothing is kept, and it is said that it was left out."""
        _, run = self.follow()
        run.says(entry(1))
        for _ in range(JOURNAL_ENTRY // 65536 + 5):
            run.says(b"x" * 65536)
        run.says(b"x\n" + entry(3))
        self.assertEqual(len(self.lines()), 3)
        self.assertIn(TOO_LONG, self.ear.data)

    def test_longest(self) -> None:
        """An entry of 1 MiB is shown, one byte more is too long."""
        _, run = self.follow()
        for more, count in ((0, 0), (1, 1)):
            long = entry(1, "")
            long = long.replace(b'"MESSAGE":"', b'"MESSAGE":"' + b"x" * (JOURNAL_ENTRY + more - len(long) + 1))
            run.says(long[:-1])
            run.says(long[-1:])
            self.reactor.advance(0)
            self.assertEqual(self.ear.data.count(TOO_LONG), count)


class Lines(SynchronousTestCase):
    """`Entry.line`, `plain`"""

    def test_line(self) -> None:
        """Time, host, name, number and message, as far as there are any."""
        self.assertRegex(
            read_entry(entry(1)).line(), rb"\A2026-11-2\dT\d\d:\d\d:02\.000001[+-]\d{4} box web\[12\]: hello\n\Z"
        )
        bare = read_entry(entry(1, None, _HOSTNAME=None, SYSLOG_IDENTIFIER=None, _PID=None)).line()
        self.assertTrue(bare.endswith(b"00 unknown: \n"), bare)
        kernel = read_entry(entry(1, "x", SYSLOG_IDENTIFIER=["one", "two"], _PID=None, SYSLOG_PID="3")).line()
        self.assertTrue(kernel.endswith(b" box one[3]: x\n"), kernel)

    def test_harmless(self) -> None:
        """Whatever a message holds, its line is one line without control characters."""
        for message, shown in (
            ("two\nlines\n", r"two\nlines"),
            ("a\tb", "a\tb"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
            ("\x9b31m \u202e \u2028", r"\x9b31m \u202e \u2028"),
            (list(b"\xff\xfe text"), r"\xff\xfe text"),
            ([list(b"one"), "two"], "one"),
            ([], ""),
            ("höher 🐘", "höher 🐘"),
        ):
            self.assertEqual(plain(message), shown)

    def test_long(self) -> None:
        """A long message is cut, and that is said."""
        line = read_entry(entry(1, "x" * (JOURNAL_CUT + 5))).line()
        self.assertTrue(line.endswith(b"x (and 5 characters more)\n"))

    def test_no_entry(self) -> None:
        """What is no entry is an error."""
        for line in (b"", b"{}", b"[]", b'{"__CURSOR":"a","__REALTIME_TIMESTAMP":"x"}', b"\xff"):
            self.assertRaises(ValueError, read_entry, line)
