"""platform_api.py: what a platform's answer may be, by Twisted's client on a network in memory."""

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.platform_api import PlatformApi, PlatformError
from tests.documented import CLIENT_ANSWER, CLIENT_TIME
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect


class Answers(SynchronousTestCase):
    """An answer to a question for the hosts."""

    def ask(self) -> "Deferred[bytes]":
        self.clock = MemoryReactorClock()
        asking = Deferred.fromCoroutine(PlatformApi(self.clock, "http://127.0.0.1:81").hosts())
        *_, factory, _, _ = self.clock.tcpClients[-1]
        self.protocol = connect(factory, FakeTransport())
        return asking

    def refused(self, asking: "Deferred[bytes]") -> str:
        return str(self.failureResultOf(asking, PlatformError).value)

    def test_bytes(self) -> None:
        """An answer of 4 MiB is taken, one of a byte more is not."""
        for more in (0, 1):
            asking = self.ask()
            body = b'{"hosts":[]}'.ljust(CLIENT_ANSWER + more)
            self.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            if more:
                self.assertIn("an answer of more than 4194304 bytes", self.refused(asking))
            else:
                self.assertEqual(self.successResultOf(asking), b'{"hosts":[]}')

    def test_time(self) -> None:
        """It is waited for for 20 s."""
        asking = self.ask()
        self.clock.advance(CLIENT_TIME - 0.1)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        self.assertIn("no answer within 20 s", self.refused(asking))
