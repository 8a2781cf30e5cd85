"""complaints.py: what the log says of a bus that isn't there."""

import socket
import ssl

from nats import errors as nats_errors
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.complaints import Complaints, words
from streamrelay.bus.nats_client import Withheld
from tests.fakes.logs import Heard

NO_INFO = nats_errors.Error("nats: empty response from server when expecting INFO message")
HERE, THERE = "tls://a.example:4222", "tls://b.example:4222"


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower()} (_ssl.c:1006)")
    error.reason = reason
    return error


class Causes(SynchronousTestCase):
    """Why there is no connection."""

    def test_words(self) -> None:
        """Each cause is told in words that lead to what mends it, and never with a password."""
        for error, first, told in (
            (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), False, "Connection refused"),
            (OSError(113, "Connect call failed"), False, "No route to host"),
            (socket.gaierror(-2, "Name or service not known"), False, "Name or service not known"),
            (NO_INFO, False, "what listens there isn't NATS; if it begins with TLS (handshake_first), set nats_hand"),
            (NO_INFO, True, "what listens there isn't NATS"),
            (TimeoutError(), False, "no answer in time; if it begins with TLS (handshake_first), set nats_handshake_f"),
            (TimeoutError(), True, "no answer in time; does it begin with TLS, as nats_handshake_first says?"),
            (tls_error("WRONG_VERSION_NUMBER"), True, "it doesn't begin with TLS; is nats_handshake_first right?"),
            (tls_error("WRONG_VERSION_NUMBER"), False, "it doesn't begin with TLS"),
            (tls_error("CERTIFICATE_VERIFY_FAILED"), False, "TLS: certificate_verify_failed"),
            (OSError("no way to tls://u:hidden@h"), False, "no way to tls://…@h"),
            (ValueError(), False, "ValueError"),
        ):
            said = words(error, first)
            self.assertTrue(said.startswith(told), said)

    def said(self, *errors: tuple[Exception, str]) -> list[tuple[str, str]]:
        heard = Heard(self)
        for error, url in errors:
            self.complaints.hear(error, url)
        return [(event["log_level"].name, formatEvent(event)) for event in heard.events]

    def test_once(self) -> None:
        """Each server's first failure is told once, with its URL, a refusal also later; until there is a connection."""
        self.complaints = Complaints()
        down, refused = ConnectionRefusedError(111, ""), nats_errors.Error("nats: 'Authorization Violation'")
        for _ in range(2):
            told = self.said(
                *[(down, HERE), (TimeoutError(), HERE), (refused, THERE), (down, THERE), (refused, HERE)] * 2
            )
            self.assertEqual([level for level, _ in told], ["warn", "error", "error"])
            self.assertIn(f"can't connect to NATS at {HERE}: Connection refused; trying again", told[0][1])
            self.assertIn(f"NATS refused this user at {THERE}: ", told[1][1])
            self.assertIn(f"NATS refused this user at {HERE}: ", told[2][1])
            self.complaints.forget()

    def test_while_connected(self) -> None:
        """What is wrong while there is a connection doesn't hide that it can't be made again; it is told once each."""
        self.complaints = Complaints()
        forbidden = nats_errors.Error('nats: permissions violation for publish to "streamrelay.v1.event.a.up"')
        told = self.said((forbidden, HERE), (forbidden, HERE), (ConnectionRefusedError(111, ""), HERE))
        self.assertEqual([level for level, _ in told], ["error", "warn"])
        self.assertIn("can't connect", told[1][1])
        for number in range(3000):
            self.complaints.hear(nats_errors.Error(f'nats: permissions violation for publish to "{number}"'), HERE)
        self.assertLess(len(self.complaints._told), 1100)

    def test_refusals(self) -> None:
        """What the server refuses is told with the server and the setting to look at."""
        self.complaints = Complaints()
        [permission] = self.said((nats_errors.Error('nats: permissions violation for subscription to "a"'), HERE))
        self.assertEqual(permission[0], "error")
        self.assertIn(
            f"NATS refused a permission at {HERE}: nats: permissions violation for subscription", permission[1]
        )
        [certificate] = self.said((tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), HERE))
        self.assertEqual(
            certificate,
            ("error", f"NATS at {HERE} wants a certificate of this program; check nats_certificate; trying again"),
        )
        [withheld] = self.said((Withheld("host.nkey: others may read this NKEY seed"), THERE))
        self.assertIn(f"not logging in to NATS at {THERE}: host.nkey: others may read", withheld[1])
