"""logs.py: debug lines only where they are wanted, and nothing but text in any."""

from collections import Counter

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import printable
from streamrelay.logs import MOST_COUNTED, Logger, Seldom, Several
from tests.fakes.logs import Heard


class Debugging(SynchronousTestCase):
    """One switch for the whole process."""

    def test_switch(self) -> None:
        """Debug lines are made only while they are wanted; all others always are."""
        heard, log = Heard(self), Logger()
        self.patch(Logger, "debugging", False)
        log.debug("unwanted")
        log.info("always {what}", what="told")
        self.patch(Logger, "debugging", True)
        log.debug("wanted")
        self.assertEqual([event["log_format"] for event in heard.events], ["always {what}", "wanted"])


class Counts(SynchronousTestCase):
    """Numbers of things, in words."""

    def test_noun(self) -> None:
        """One thing is told in the singular, and none or more in the plural; in a log line it is still a number."""
        told = [str(Several(number, "line")) for number in (0, 1, 2)]
        self.assertEqual(told, ["0 lines", "1 line", "2 lines"])
        self.assertEqual([f"{Several(number, 'address')}" for number in (1, 2)], ["1 address", "2 addresses"])
        heard = Heard(self)
        Logger().info("{up} up, {down} down", up=Several(1, "byte"), down=2)
        self.assertEqual((heard.lines, heard.events[0]["up"]), (["1 byte up, 2 down"], 1))


class Printable(SynchronousTestCase):
    """What strangers may have named is one line of text."""

    def test_escapes(self) -> None:
        """Control characters, line ends of all kinds and what turns text around are replaced; letters stay."""
        for text, shown in (
            ("vm/mail-1", "vm/mail-1"),
            ("Zürich 東京 ok", "Zürich 東京 ok"),
            ("a\nb\r\n", "a?b??"),
            ("\x1b[31m\x07\0\x7f\x9b", "?[31m????"),
            ("a\u2028b\u202ec\ud800", "a?b?c?"),
        ):
            self.assertEqual(printable(text), shown)

    def test_logged(self) -> None:
        """Texts and errors in a log line are printable."""
        heard, log = Heard(self), Logger()
        log.info("{what} and {error}", what="a\nb", error=ValueError("c\x1bd"))
        [event] = heard.events
        self.assertEqual((event["what"], event["error"]), ("a?b", "c?d"))


class OnceAMinute(SynchronousTestCase):
    """What may happen very often."""

    def setUp(self) -> None:
        self.clock, self.said = Clock(), list[Counter[str]]()
        self.seldom = Seldom(self.clock, self.said.append)

    def totals(self) -> list[int]:
        return [counts.total() for counts in self.said]

    def test_said(self) -> None:
        """The first is said at once; those of the minute from then on at its end, and so on, and only if there are
        any."""
        for _ in range(40):
            self.seldom.count("a")
        self.assertEqual(self.totals(), [1])
        self.clock.advance(59.9)
        self.seldom.count("b")
        self.assertEqual(self.totals(), [1])
        self.clock.advance(0.1)
        self.assertEqual(self.said[1:], [Counter(a=39, b=1)])
        self.seldom.count("a")
        self.assertEqual(self.totals(), [1, 40])
        self.clock.advance(60)
        self.assertEqual(self.totals(), [1, 40, 1])
        self.clock.advance(60)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.seldom.count("a")
        self.assertEqual(self.totals(), [1, 40, 1, 1])

    def test_many(self) -> None:
        """Whoever has a million addresses fills no memory, and each is counted."""
        for number in range(5000):
            self.seldom.count(str(number))
        self.clock.advance(60)
        self.assertEqual((self.totals(), len(self.said[1])), ([1, 4999], MOST_COUNTED + 1))

    def test_at_a_stop(self) -> None:
        """What isn't said yet is said when the program stops."""
        self.seldom.stop()
        self.assertEqual(self.said, [])
        for _ in range(3):
            self.seldom.count()
        self.seldom.stop()
        self.seldom.stop()
        self.assertEqual((self.totals(), self.clock.getDelayedCalls()), ([1, 2], []))
