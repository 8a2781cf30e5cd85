"""tunnel_endpoint.py: what is connected through a proxy, and how it fails."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.http_client import FetchTimeout, HttpFetch
from streamrelay.net.outbound import Outbound
from streamrelay.net.outbound_proxy import OutboundProxy, ProxyError
from streamrelay.net.tunnel_endpoint import PATIENCE, TunnelEndpoint
from streamrelay.protocol.limits import CONNECT_TIME
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import Endpoint, connect

STANDS = b"HTTP/1.1 200 OK\r\n\r\n"
PROXY = "the proxy http://proxy.example:3128 "


class Behind(Protocol):
    """Notes what it is told."""

    data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data


class Tunnelled(SynchronousTestCase):
    """One tunnel by HTTP."""

    def connect(self, later: bool = False) -> None:
        self.clock, self.near = Clock(), Endpoint(later)
        proxy = OutboundProxy.parse("proxy.example:3128", "x")
        tunnel: Any = TunnelEndpoint(proxy, self.near, "relay.example", 443, self.clock)
        self.result = tunnel.connect(Factory.forProtocol(Behind))

    def failed(self, words: str) -> None:
        error = self.failureResultOf(self.result, ProxyError).value
        self.assertEqual(str(error), PROXY + words)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_handed_over(self) -> None:
        """Once the tunnel stands the protocol behind has the transport to itself, and all that came behind the answer;
        nothing is left that could end it."""
        self.connect()
        self.assertTrue(self.near.transport.take().startswith(b"CONNECT relay.example:443 "))
        self.near.transport.receive(STANDS + b"early")
        behind = self.successResultOf(self.result)
        self.near.transport.receive(b" late")
        self.assertEqual((behind.data, behind.transport), (b"early late", self.near.transport))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.near.transport.aborted)

    def test_refused(self) -> None:
        """A refusal fails the dial in words, and the connection is dropped."""
        self.connect()
        self.near.transport.receive(b"HTTP/1.1 502 x\r\n\r\n")
        self.failed("answered 502: it can't reach relay.example:443")
        self.assertTrue(self.near.transport.aborted)
        self.near.transport.receive(STANDS)

    def test_closed(self) -> None:
        """A proxy that closes before its answer has given none."""
        for lost, words in ((ConnectionDone(), ""), (ConnectionLost("reset"), ": ")):
            self.connect()
            self.near.protocol.connectionLost(Failure(lost))
            error = self.failureResultOf(self.result, ProxyError).value
            self.assertIn(f"{PROXY}closed the connection without an answer{words}", str(error))

    def test_unreachable(self) -> None:
        """A proxy that refuses the connection is named with the reason."""
        self.connect(later=True)
        self.near.attempt.errback(ConnectionRefusedError("111"))
        self.assertIn(f"{PROXY}can't be reached: Connection was refused", str(self.failureResultOf(self.result).value))

    def test_descriptors(self) -> None:
        """Our own lack of descriptors isn't blamed on the proxy."""
        self.connect(later=True)
        self.near.attempt.errback(OSError(24, "Too many open files"))
        self.failureResultOf(self.result, OSError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hangs(self) -> None:
        """A proxy that says nothing, or isn't there at all, is named before the dial's own time is over."""
        self.assertLess(PATIENCE, CONNECT_TIME)
        for later in (False, True):
            self.connect(later)
            self.clock.advance(PATIENCE - 0.1)
            self.assertNoResult(self.result)
            self.clock.advance(0.1)
            self.failed("didn't connect us to relay.example:443 in time; is it a proxy, and can it reach that?")
            self.assertEqual(self.near.transport.aborted, not later)

    def test_asked(self) -> None:
        """A request whose own time is shorter says whom it waited for, too."""
        reactor = MemoryReactorClock()
        fetch = HttpFetch(reactor, outbound=Outbound.chosen("http://10.0.0.9:3128", environment={}))
        result = Deferred.fromCoroutine(fetch("GET", "https://ask.example/", 2.0))
        connect(reactor.tcpClients[-1][2], FakeTransport())
        reactor.advance(2.0)
        error = self.failureResultOf(result, FetchTimeout).value
        self.assertIn("the proxy http://10.0.0.9:3128 didn't connect us to ask.example:443 in time", str(error))
        self.assertEqual(reactor.getDelayedCalls(), [])
