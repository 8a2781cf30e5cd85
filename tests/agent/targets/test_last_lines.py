"""last_lines.py: as many of a log's last lines as a client asks for."""

from typing import Any

from streamrelay.agent.targets.last_lines import Announced
from streamrelay.agent.targets.logfile.log import Log
from streamrelay.protocol.control import decode_control
from streamrelay.protocol.summons import Terms
from tests.agent.targets.container import test_container
from tests.agent.targets.journal import test_journal
from tests.agent.targets.logfile.test_log import LogTest, Reader


class Files(LogTest):
    """A file's last lines."""

    def setUp(self) -> None:
        super().setUp()
        self.append(b"1\n2\n3\n4\n5\n")

    def given(self, terms: Terms, **settings: Any) -> tuple[bytes, list[str]]:
        """What a stream begins with, and its notes."""
        reader = Reader(Log(str(self.path), **settings), self.clock)
        reader.connect(terms)
        self.look()
        reader.connection.abort()
        kinds = [kind for kind, *_ in reader.ear.said]
        self.assertEqual(kinds[0], "control")
        controls = [decode_control(message) for _, message in reader.ear.named("control")]
        self.assertTrue(controls[0].place)
        return reader.ear.data, [control.note for control in controls if control.note]

    def test_asked(self) -> None:
        """A client gets as many as it asks for, fewer and more than without a word; as many as there are at most."""
        for lines, expected in (
            (None, b"4\n5\n"),
            (0, b""),
            (1, b"5\n"),
            (3, b"3\n4\n5\n"),
            (1000, b"1\n2\n3\n4\n5\n"),
        ):
            self.assertEqual(self.given(Terms(lines=lines), lines=2), (expected, []), lines)

    def test_most(self) -> None:
        """More than the target's settings allow aren't given, which is said behind the first place."""
        for settings, most in (
            ({"lines": 2, "most_lines": 3}, 3),
            ({"lines": 2, "most_lines": 0}, 2),
            ({"lines": 0, "most_lines": 0}, 0),
        ):
            data, notes = self.given(Terms(lines=4), **settings)
            self.assertEqual(data.count(b"\n"), most)
            self.assertEqual(
                notes, [f"of this log no more than its last {most} lines can be had (most_lines of the target)"]
            )
            self.assertEqual(self.given(Terms(lines=most), **settings)[1], [])

    def test_place(self) -> None:
        """Who goes on at a place gets what is behind it, however many lines are asked for; nobody is told of those."""
        self.follow()
        self.append(b"6\n")
        self.look()
        terms = self.reader.terms
        self.append(b"7\n")
        on = Terms(place=terms.place, after=terms.after, lines=5000)
        self.assertEqual(self.given(on, lines=2), (b"7\n", []))

    def test_taken(self) -> None:
        """Nothing that a client sends to a log with a note reaches it, and its end is told as by others."""
        reader = Reader(Log(str(self.path), most_lines=0, lines=0), self.clock)
        reader.connect(Terms(lines=1))
        self.assertIsInstance(reader.connection, Announced)
        reader.connection.send([memoryview(b"x")], 1)
        reader.connection.send_control(b'{"resize": [1, 1]}')
        reader.connection.send_eof()
        reader.connection.abort()
        self.assertEqual([kind for kind, *_ in reader.ear.said][-2:], ["over", "gone"])


class Entries(test_journal.Case):
    """A journal's last entries."""

    def test_asked(self) -> None:
        """journalctl is asked for as many as the client asks for, within the settings."""
        for lines, asked in ((None, 100), (7, 7), (500, 500), (5000, 1000)):
            self.connect(Terms(lines=lines))
            self.assertIn(f"--lines={asked}", self.last.arguments)


class Containers(test_container.LogCase):
    """A container's last lines."""

    def test_asked(self) -> None:
        """The API is asked for as many as the client asks for, within the settings."""
        for lines, asked in ((None, "100"), (7, "7"), (5000, "1000")):
            self.setUp()
            self.open(Terms(lines=lines))
            self.asked(tail=asked)
