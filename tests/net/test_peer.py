"""peer.py: the other end, in words."""

from OpenSSL import SSL
from twisted.internet.error import ConnectBindError, ConnectError, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.peer import LOST, address, explain, is_full


class Words(SynchronousTestCase):
    """Addresses and reasons."""

    def test_lost(self) -> None:
        """What is known of a loss is told alone, without the library's words for any; these where nothing is."""
        cause = "Connection reset by peer"
        for error in (ConnectionLost(cause), ConnectionLost(str(ConnectionLost(cause)))):
            self.assertEqual(explain(Failure(error)), cause)
        self.assertEqual(explain(Failure(ConnectionLost())), LOST)

    def test_explain(self) -> None:
        """A loss is told in one line; one in order needs no words."""
        self.assertEqual(explain(Failure(ConnectionDone())), "")
        for error in (ConnectionLost("a\nb"), ValueError("x\ny."), ValueError()):
            text = explain(Failure(error))
            self.assertTrue(text)
            self.assertNotIn("\n", text)

    def test_no_tls(self) -> None:
        """Where the other end answers TLS in plain, that is said, in place of OpenSSL's guess at a version."""
        for guess in ("wrong version number", "packet length too long", "http request"):
            told = explain(Failure(SSL.Error([("SSL routines", "", guess)])))
            self.assertEqual(told, "TLS isn't spoken there")
        self.assertEqual(explain(Failure(SSL.Error([("SSL routines", "", "bad alert")]))), "TLS: bad alert")

    def test_full(self) -> None:
        """A lack of descriptors is told as our own, not as the other end's."""
        for error in (ConnectBindError(24, "Too many open files"), OSError(23, "Too many open files in system")):
            self.assertTrue(is_full(error))
            self.assertIn("no file descriptor left", explain(Failure(error)))
        for other in (ConnectError(111, "refused"), ValueError()):
            self.assertFalse(is_full(other))

    def test_address(self) -> None:
        """An address shows as host:port, IPv6 in brackets, unix sockets by their kind."""

        class Peer:
            def __init__(self, host: str | None) -> None:
                self.host, self.port = host, 7

            def getPeer(self) -> "Peer":
                return self

        self.assertEqual(address(Peer("10.0.0.1")), "10.0.0.1:7")
        self.assertEqual(address(Peer("::1")), "[::1]:7")
        self.assertEqual(address(Peer(None)), "unix")
