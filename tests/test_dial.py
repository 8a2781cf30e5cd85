"""dial.py: dialling a relay."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay import wire
from streamrelay.dial import DialError, DialFactory, Dialler
from streamrelay.endings import FINISHED
from streamrelay.framed import FramedConnection
from streamrelay.pulse import Pulse
from streamrelay.websocket import LegFactory
from streamrelay.wire import MAX_HANDSHAKE
from tests.fakes import STREAM, Ear, Endpoint, FakeDoor, FakeTransport, connect, exchange, frame


class Dialled(SynchronousTestCase):
    """The side that dials."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.dialler = Dialler(self.clock, Pulse(self.clock))
        self.endpoint = Endpoint()
        self.transport = self.endpoint.transport

    def dial(
        self, url: str = "ws://127.0.0.1:1/agent", headers: dict[str, str] | None = None, later: bool = False
    ) -> "Deferred[FramedConnection]":
        self.factory = DialFactory(self.dialler, url, headers or {})
        self.endpoint = Endpoint(later)
        self.transport = self.endpoint.transport
        return self.factory.connect(self.endpoint)

    def serve(self) -> FakeDoor:
        """Let a relay's side answer."""
        door = FakeDoor()
        self.relay = FakeTransport()
        connect(LegFactory(self.clock, door, Pulse(self.clock)), self.relay)
        exchange(self.transport, self.relay)
        return door

    def test_request(self) -> None:
        """The request has its path, its token in a header, our subprotocol, and no Origin."""
        self.dial(headers={"Authorization": f"Bearer {STREAM}"})
        sent = self.transport.value().decode()
        self.assertTrue(sent.startswith("GET /agent HTTP/1.1\r\n"))
        self.assertIn(f"Authorization: Bearer {STREAM}\r\n", sent)
        self.assertIn("Sec-WebSocket-Protocol: streamrelay.v1\r\n", sent)
        self.assertNotIn("Origin", sent)

    def test_open(self) -> None:
        """A dial that is answered 101 gives a connection over which both sides talk and close."""
        result = self.dial(headers={"Authorization": f"Bearer {STREAM}"})
        door = self.serve()
        client, server = self.successResultOf(result), door.inside[0].connection
        assert server is not None
        ears = [Ear(), Ear()]
        client.join(ears[0], ears[0])
        server.join(ears[1], ears[1])
        client.send([memoryview(b"up")], 2)
        server.send([memoryview(b"down")], 4)
        server.send_control(b'{"met": {"mode": "v1"}}')
        exchange(self.transport, self.relay)
        self.assertEqual((ears[0].data, ears[1].data), (b"down", b"up"))
        self.assertEqual(len(ears[0].named("control")), 1)
        client.close(FINISHED)
        exchange(self.transport, self.relay)
        self.assertEqual([ear.codes for ear in ears], [[1000], [1000]])

    def test_early_bytes(self) -> None:
        """What the relay sends right behind its 101 is kept until the connection is joined."""
        result = self.dial(headers={"Authorization": f"Bearer {STREAM}"})
        self.relay = FakeTransport()
        connect(LegFactory(self.clock, FakeDoor(), Pulse(self.clock)), self.relay)
        self.relay.receive(self.transport.take())
        self.transport.receive(self.relay.take() + frame(2, b"ear") + frame(2, b"ly"))
        connection, ear = self.successResultOf(result), Ear()
        connection.join(ear, ear)
        self.assertEqual(ear.data, b"early")

    def test_refused(self) -> None:
        """An answer that isn't a good 101 is a `DialError`, and the connection is dropped."""
        for answer in (
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: wrong\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
            b"\r\n\r\n",
        ):
            result = self.dial()
            self.transport.receive(answer)
            self.failureResultOf(result, DialError)
            self.assertTrue(self.transport.aborted, answer)

    def test_reason_is_one_line(self) -> None:
        """What a relay says in place of a 101 can't clear the terminal that shows it, or fill a log."""
        result = self.dial()
        self.transport.receive(b"HTTP/1.1 503 \x1b[2J\x07" + b"x" * 5000 + b"\r\n\r\n")
        reason = str(self.failureResultOf(result, DialError).value)
        self.assertTrue(reason.isprintable(), reason)
        self.assertLess(len(reason), 300)

    def test_no_url(self) -> None:
        """What can't be a relay's URL is a `DialError`, however it came here."""
        reactor = MemoryReactorClock()
        for url in ("ws://[", "wss://127.0.0.1:99999", "ws://127.0.0.1:x", "ws://127.0.0.1#x", "ws://[::1"):
            self.assertRaises(DialError, Dialler(reactor, Pulse(reactor)).dial, url)

    def test_endless_answer(self) -> None:
        """An answer of over 8 KiB is a `DialError`."""
        result = self.dial()
        for _ in range(5):
            self.transport.receive(b"HTTP/1.1 101 x\r\nX: " + b"x" * 2000)
        self.assertIn(str(MAX_HANDSHAKE), str(self.failureResultOf(result, DialError).value))
        self.assertTrue(self.transport.aborted)

    def test_lost(self) -> None:
        """A connection that is lost before its answer, or can't be made, is a `DialError` that says why."""
        result = self.dial()
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(result, DialError)
        result = self.dial(later=True)
        self.endpoint.attempt.errback(ConnectError(string="nobody there"))
        self.assertIn("nobody there", str(self.failureResultOf(result, DialError).value))

    def test_given_up_unanswered(self) -> None:
        """A dial that is given up while its relay says nothing drops the connection, and keeps no descriptor."""
        result = self.dial()
        self.assertFalse(self.transport.aborted)
        result.cancel()
        self.failureResultOf(result, DialError)
        self.assertTrue(self.transport.aborted)

    def test_given_up(self) -> None:
        """A dial that is given up fails at once, and a connection that comes later is dropped."""
        result = self.dial(headers={"Authorization": f"Bearer {STREAM}"})
        result.cancel()
        self.failureResultOf(result, DialError)
        self.serve()
        self.assertTrue(self.transport.aborted)

    def test_not_encrypted(self) -> None:
        """ws:// to another machine is refused before anything is connected, unless it is allowed."""
        for url in ("ws://relay.example", "ws://10.0.0.1/x", "ws://localhost.example", "ws://127.0.0.1.example"):
            error = self.assertRaises(DialError, self.dialler.dial, url)
            self.assertIn("--insecure", str(error))

    def test_masking(self) -> None:
        """A random mask on plain TCP, a zero one over TLS unless it is always wanted."""
        for url, always, zero in (
            ("ws://127.0.0.1/agent", False, False),
            ("wss://a.example/agent", False, True),
            ("wss://a.example/agent", True, False),
        ):
            self.dialler = Dialler(self.clock, Pulse(self.clock), always_mask=always)
            result = self.dial(url, {"Authorization": f"Bearer {STREAM}"})
            self.serve()
            connection = self.successResultOf(result)
            keys = set()
            for _ in range(4):
                connection.send([memoryview(b"x")], 1)
                keys.add(self.transport.take()[2:6])
            self.assertEqual(keys == {bytes(4)}, zero, url)

    def test_no_answer(self) -> None:
        """A relay that doesn't answer within ten seconds is a `DialError`."""
        reactor = MemoryReactorClock()
        dialler = Dialler(reactor, Pulse(reactor))
        result = dialler.dial("ws://127.0.0.1:9")
        reactor.advance(wire.CONNECT_TIME - 0.1)
        self.assertNoResult(result)
        reactor.advance(0.2)
        self.failureResultOf(result, DialError)
