"""failed_handshakes.py: what an operator is told of peers with whom no TLS came about."""

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.certificate_faults import CertificateFault
from streamrelay.net.failed_handshakes import FailedHandshakes
from tests.fakes.logs import Heard


class Told(SynchronousTestCase):
    """Lines of the log."""

    def test_seldom(self) -> None:
        """The first is told at once with address and reason, those of a minute together, at a stop what is left."""
        clock, heard = Clock(), Heard(self)
        failed = FailedHandshakes(clock)
        why = Failure(CertificateFault("TLS: the certificate of web-1 expired"))
        failed.count(IPv4Address("TCP", "192.0.2.7", 1), why)
        self.assertIn("count", heard.text)
        (line,) = heard.lines
        self.assertEqual(
            line,
            "TLS handshakes failed, since the last such line 1: 1 of 192.0.2.7: TLS: the certificate of web-1 expired",
        )
        for number in range(504):
            failed.count(IPv4Address("TCP", f"192.0.2.{number % 4}", number), why)
        failed.count(UNIXAddress(""), why)
        clock.advance(60)
        self.assertEqual(len(heard.lines), 2)
        self.assertIn("since the last such line 505: 126 of 192.0.2.0: TLS: ", heard.lines[1])
        self.assertTrue(heard.lines[1].endswith("; and those of 2 more"))
        failed.count(UNIXAddress(""), why)
        failed.stop()
        self.assertIn("1 of a unix socket: ", heard.lines[2])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_hostile(self) -> None:
        """A stranger's name in a certificate can't forge a line."""
        heard = Heard(self)
        failed = FailedHandshakes(Clock())
        failed.count(IPv4Address("TCP", "192.0.2.7", 1), Failure(CertificateFault("TLS: \x1b[2J\rrelay stopped")))
        self.assertNotIn("\x1b", heard.lines[0])
        failed.stop()
