"""logs.py: debug lines only where they are wanted."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.logs import Logger
from tests.fakes import Heard


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
