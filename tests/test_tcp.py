"""targets/tcp.py, targets/unix.py, targets/connecting.py: addresses, and what went wrong."""

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import TargetError
from streamrelay.targets.connecting import connected
from streamrelay.targets.tcp import Tcp, split_address
from streamrelay.targets.unix import Unix
from streamrelay.wire import Refusal


class Addresses(SynchronousTestCase):
    """host:port"""

    def test_good(self) -> None:
        """A name, an IPv4 address or an IPv6 address in brackets, and a port."""
        for text, parts in (
            ("localhost:22", ("localhost", 22)),
            ("127.0.0.1:65535", ("127.0.0.1", 65535)),
            ("[::1]:1", ("::1", 1)),
        ):
            self.assertEqual(split_address(text), parts)
            Tcp(text).check()

    def test_bad(self) -> None:
        """Anything else is a `ValueError`."""
        for text in (
            "",
            "host",
            ":22",
            "host:",
            "host:0",
            "host:65536",
            "host:-1",
            "host: 1",
            "host:x",
            "::1:22",
            "[]:1",
        ):
            self.assertRaises(ValueError, split_address, text)
            self.assertRaises(ValueError, Tcp(text).check)

    def test_unix(self) -> None:
        """A unix socket's path must be absolute."""
        Unix("/run/x").check()
        self.assertRaises(ValueError, Unix("run/x").check)


class Attempts(SynchronousTestCase):
    """What an attempt came to."""

    def code(self, failure: Exception) -> str:
        attempt: Deferred = Deferred()
        result = Deferred.fromCoroutine(connected(attempt, "there:1"))
        attempt.errback(failure)
        refused = self.failureResultOf(result, TargetError).value
        self.assertTrue(refused.reason.startswith("there:1"))
        self.assertNotIn("\n", refused.reason)
        return refused.code

    def test_made(self) -> None:
        """A connection that was made is given back."""

        class Protocol:
            connection = object()

        attempt: Deferred = Deferred()
        result = Deferred.fromCoroutine(connected(attempt, "there:1"))
        attempt.callback(Protocol)
        self.assertIs(self.successResultOf(result), Protocol.connection)

    def test_refused(self) -> None:
        """Who says no has refused."""
        for failure in (
            error.ConnectionRefusedError(),
            FileNotFoundError(2, "no such file"),
            PermissionError(13, "permission denied"),
            error.ConnectError(osError=111),
            error.ConnectError(osError=2),
        ):
            self.assertEqual(self.code(failure), Refusal.TARGET_REFUSED, failure)

    def test_unreachable(self) -> None:
        """Who says nothing, or can't be found, is unreachable."""
        for failure in (
            error.TimeoutError(),
            error.TCPTimedOutError(),
            CancelledError(),
            error.DNSLookupError("no\nsuch name."),
            error.NoRouteError(),
            error.ConnectError(osError=113, string="no route"),
            OSError(101, "network is unreachable"),
        ):
            self.assertEqual(self.code(failure), Refusal.TARGET_UNREACHABLE, failure)
