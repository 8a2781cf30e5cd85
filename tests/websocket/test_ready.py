"""ready.py: a connection to a relay that is made before it is known whether a leg will go there."""

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.dial_errors import DialError
from streamrelay.websocket.ready import READY_TIME, Ready
from streamrelay.websocket.server import LegFactory
from tests.documented import CONNECT_TIME
from tests.examples import STREAM
from tests.fakes.admission import FakeAdmitter
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect, exchange

RELAY = "ws://127.0.0.1:9"


class ReadyConnections(SynchronousTestCase):
    """A dialler in memory, of which connections are seen before they are made."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.tried = self.reactor.tcpClients
        self.dialler = Dialler(self.reactor, Heartbeat(self.reactor))

    def make_ready(self, connected: bool = True) -> Ready:
        """One to the relay; the connection that was tried first is it."""
        ready = self.dialler.make_ready(RELAY)
        assert ready is not None
        if connected:
            self.transport = self.connect(0)
        return ready

    def connect(self, number: int) -> FakeTransport:
        transport = FakeTransport()
        connect(self.tried[number][2], transport)
        return transport

    def dial(self, ready: Ready | None, relay: str = RELAY) -> Any:
        return self.dialler.dial(f"{relay}/agent", STREAM, ready)

    def assert_opens(self, dial: Any, transport: FakeTransport) -> None:
        """The dial asks on this transport, and opens where a relay answers there."""
        relay = FakeTransport()
        connect(LegFactory(self.reactor, FakeAdmitter(), Heartbeat(self.reactor)), relay)
        exchange(transport, relay)
        self.successResultOf(dial)

    def test_taken(self) -> None:
        """One that stands has said nothing; a dial of its relay opens its websocket there, however long that takes."""
        ready = self.make_ready()
        self.assertEqual((self.transport.value(), self.transport.aborted), (b"", False))
        dial = self.dial(ready)
        self.reactor.advance(READY_TIME + 1)
        self.assert_opens(dial, self.transport)
        ready.drop()
        self.assertEqual((len(self.tried), self.transport.aborted), (1, False))

    def test_under_way(self) -> None:
        """One that is still being made when the relay is dialled is waited for, as that took no longer."""
        dial = self.dial(self.make_ready(connected=False))
        self.reactor.advance(READY_TIME + 1)
        self.assert_opens(dial, self.connect(0))
        self.assertEqual(len(self.tried), 1)

    def test_failed(self) -> None:
        """One that can't be made, before or after the relay is dialled, is as none: the dial makes its own."""
        for dialled_before in (True, False):
            self.setUp()
            ready = self.make_ready(connected=False)
            dial = self.dial(ready) if dialled_before else None
            self.tried[0][2].clientConnectionFailed(self.reactor.connectors[0], Failure(ConnectionRefusedError()))
            self.reactor.advance(1)  # Twisted looks for another address of a name first
            dial = dial or self.dial(ready)
            self.assert_opens(dial, self.connect(1))

    def test_lost(self) -> None:
        """One that was lost, or on which the relay has said something, is as none."""
        ready = self.make_ready()
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))
        self.assert_opens(self.dial(ready), self.connect(1))
        self.setUp()
        ready = self.make_ready()
        self.transport.receive(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        self.assertTrue(self.transport.aborted)
        self.assert_opens(self.dial(ready), self.connect(1))

    def test_dropped_by_relay(self) -> None:
        """One that the relay drops as the websocket is asked for is tried again, as any dial that was dropped."""
        dial = self.dial(self.make_ready())
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(0.2)
        self.assert_opens(dial, self.connect(1))

    def test_too_late(self) -> None:
        """Nobody holds one for long: it is closed without a word, and a later dial makes its own."""
        ready = self.make_ready()
        self.reactor.advance(READY_TIME)
        self.assertEqual((self.transport.value(), self.transport.aborted), (b"", True))
        self.assert_opens(self.dial(ready), self.connect(1))
        self.setUp()
        self.make_ready(connected=False)
        self.reactor.advance(READY_TIME)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)

    def test_another_relay(self) -> None:
        """One to another host or port, or without TLS where that is wanted, is closed without a word."""
        for number, relay in enumerate(("ws://127.0.0.1:10", "ws://127.0.0.2:9", "wss://127.0.0.1:9")):
            self.setUp()
            ready = self.make_ready()
            self.dial(ready, relay)
            self.assertEqual((self.transport.value(), self.transport.aborted, len(self.tried)), (b"", True, 2), number)

    def test_given_up(self) -> None:
        """A dial that is given up, or has had its time, while it waits for one makes no other."""
        for seconds in (0, CONNECT_TIME):
            self.setUp()
            dial = self.dial(self.make_ready(connected=False))
            if seconds:
                self.reactor.advance(seconds)
            else:
                dial.cancel()
            self.failureResultOf(dial, DialError)
            self.assertEqual((self.reactor.connectors[0].stoppedConnecting, len(self.tried)), (True, 1))
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_none(self) -> None:
        """There is none to what can't be a relay, and none without TLS to another machine."""
        for url in ("", "x", "https://relay.example", "wss://[", "ws://relay.example", "wss://relay.example:x"):
            self.assertIsNone(self.dialler.make_ready(url), url)
        self.assertEqual(self.tried, [])
