"""logs.py: debug lines only where they are wanted, and nothing but text in any."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import printable
from streamrelay.logs import Logger
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
