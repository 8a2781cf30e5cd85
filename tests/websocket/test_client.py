"""client.py: dialling a relay."""

import errno
import random
import socket
from typing import Any

from service_identity import VerificationError
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.net.certificates import ServerTls
from streamrelay.net.outbound import Outbound
from streamrelay.protocol.close import FINISHED
from streamrelay.websocket.client import DialFactory, Dialler
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.dial_errors import DialError, OutOfDescriptors, RelayBusy
from streamrelay.websocket.server import LegFactory
from tests.authority import Authority
from tests.documented import CONNECT_TIME, MAX_HANDSHAKE
from tests.examples import STREAM, there
from tests.fakes.admission import FakeAdmitter
from tests.fakes.channels import FakeTransport
from tests.fakes.connections import Ear
from tests.fakes.endpoints import Endpoint, connect, exchange
from tests.fakes.files import folder
from tests.fakes.frames import frame
from tests.fakes.reactors import FakeNames


class Dialled(SynchronousTestCase):
    """The side that dials."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.dialler = Dialler(self.clock, Heartbeat(self.clock))
        self.endpoint = Endpoint()
        self.transport = self.endpoint.transport

    def dial(
        self, url: str = "ws://127.0.0.1:1/agent", headers: dict[str, str] | None = None, later: bool = False
    ) -> "Deferred[FramedConnection]":
        self.factory = DialFactory(self.dialler, url, headers or {})
        self.endpoint = Endpoint(later)
        self.transport = self.endpoint.transport
        return self.factory.connect(self.endpoint)

    def serve(self) -> FakeAdmitter:
        """Let a relay's side answer."""
        admitter = FakeAdmitter()
        self.relay = FakeTransport()
        connect(LegFactory(self.clock, admitter, Heartbeat(self.clock)), self.relay)
        exchange(self.transport, self.relay)
        return admitter

    def test_request(self) -> None:
        """The request has its path, its token in a header, our subprotocol, and no Origin."""
        self.dial(headers={"Authorization": f"Bearer {STREAM}"})
        sent = self.transport.value().decode()
        self.assertTrue(sent.startswith("GET /agent HTTP/1.1\r\n"))
        self.assertIn(f"Authorization: Bearer {STREAM}\r\n", sent)
        self.assertIn("Sec-WebSocket-Protocol: streamrelay.v1\r\n", sent)
        self.assertNotIn("Origin", sent)

    def test_host(self) -> None:
        """The Host header holds an IPv6 address in brackets, and everything else as it is (RFC 3986 §3.2.2)."""
        for url, host in (
            ("ws://[::1]:8081/agent", "[::1]:8081"),
            ("wss://[2001:db8::7]/agent", "[2001:db8::7]:443"),
            ("ws://127.0.0.1:1/agent", "127.0.0.1:1"),
            ("wss://my_relay.internal:8443/agent", "my_relay.internal:8443"),
        ):
            self.dial(url)
            self.assertIn(f"\r\nHost: {host}\r\n", self.transport.value().decode())

    def test_open(self) -> None:
        """A dial that is answered 101 gives a connection over which both sides talk and close."""
        result = self.dial(headers={"Authorization": f"Bearer {STREAM}"})
        admitter = self.serve()
        client, server = self.successResultOf(result), admitter.inside[0].connection
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
        connect(LegFactory(self.clock, FakeAdmitter(), Heartbeat(self.clock)), self.relay)
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

    def test_says_who_and_where(self) -> None:
        """A refusal says who was refused by which relay, by what status, and where to look; never with the token."""
        for status, secure, words in (
            (401, True, "401; its log says why"),
            (403, True, "403; its log says why"),
            (
                404,
                True,
                "404: no relay is at this path; is its prefix right in the platform's setting relay?",
            ),
            (426, True, "426: a proxy in between takes the header Upgrade out"),
            (200, True, "200: this is no relay, but answers as a web server does; check the platform's setting relay"),
            (301, True, "301: this is no relay, but answers as a web server does; check the platform's setting relay"),
            (502, True, "502: the proxy in front of it doesn't reach it"),
            (504, True, "504: the proxy in front of it doesn't reach it"),
            (503, True, "503: it is full or stops, or the proxy in front of it doesn't reach it"),
            (400, True, "400: it takes this for no websocket; does a proxy in between change requests?"),
            (400, False, "400: it takes this for no websocket; if that port speaks TLS, use wss://"),
        ):
            scheme = "wss" if secure else "ws"
            self.dialler.who = "agent web-1"
            for path in (f"/x/client/{STREAM}", "/x/agent"):
                result = self.dial(f"{scheme}://127.0.0.1:7{path}")
                self.transport.receive(f"HTTP/1.1 {status} Whatever\r\n\r\n".encode())
                error = self.failureResultOf(result, DialError).value
                said, is_busy = str(error), isinstance(error, RelayBusy)
                self.assertEqual((status, is_busy), (status, status == 503))
                self.assertEqual(said, f"agent web-1 was refused by {scheme}://127.0.0.1:7/x: {words}")

    def test_says_what_failed(self) -> None:
        """Who can't reach a relay at all is told so with its URL, but for the token in it."""
        result = self.dial(f"wss://relay.example/client/{STREAM}", later=True)
        self.endpoint.attempt.errback(ConnectError(string="nobody there"))
        said = str(self.failureResultOf(result, DialError).value)
        self.assertTrue(said.startswith("this client can't reach wss://relay.example: "), said)
        self.assertTrue(said.endswith(": nobody there"), said)
        result = self.dial(f"wss://relay.example/client/{STREAM}", later=True)
        self.endpoint.attempt.errback(ConnectError(errno.EMFILE))
        self.assertIn("no file descriptor left", str(self.failureResultOf(result, OutOfDescriptors).value))
        error = self.assertRaises(DialError, self.dialler.dial, f"ws://relay.example/client/{STREAM}")
        self.assertIn("can't reach ws://relay.example: ", str(error))
        self.assertNotIn(STREAM, str(error))

    def test_tls_is_spoken_there(self) -> None:
        """Where an alert of TLS comes in place of an answer, wss:// is named; where nothing comes, it is guessed."""
        for answer, words in (
            (b"\x15\x03\x03\x00\x02\x02\x28", "TLS is spoken there; use wss://"),
            (b"", "use wss://"),
        ):
            result = self.dial()
            if answer:
                self.transport.receive(answer)
            self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
            said = str(self.failureResultOf(result, DialError).value)
            self.assertIn("closed before the websocket was open", said)
            self.assertIn(words, said)
        result = self.dial("wss://127.0.0.1/agent")
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertNotIn("use wss://", str(self.failureResultOf(result, DialError).value))

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
            self.assertRaises(DialError, Dialler(reactor, Heartbeat(reactor)).dial, url)

    def test_underscore(self) -> None:
        """A relay's name may have an underscore: it is looked up, with TLS and without."""
        reactor = MemoryReactorClock()
        reactor.nameResolver = names = FakeNames({"my_relay.internal": ["10.0.0.1"]})
        for scheme in ("ws", "wss"):
            Dialler(reactor, Heartbeat(reactor), insecure=True).dial(f"{scheme}://my_relay.internal:7/agent")
            self.assertEqual(reactor.tcpClients[-1][:2], ("10.0.0.1", 7))
        self.assertEqual(names.asked, ["my_relay.internal"] * 2)

    def test_proxy(self) -> None:
        """A relay behind an outbound proxy is asked for there; a refusal names agent, relay and proxy, and isn't tried
        again."""
        reactor, url = MemoryReactorClock(), "http://10.0.0.9:3128"
        outbound = Outbound.chosen(url, environment={})
        dialler = Dialler(reactor, Heartbeat(reactor), who="agent web-1", outbound=outbound)
        result = dialler.dial("wss://relay.example/agent")
        self.assertEqual(reactor.tcpClients[-1][:2], ("10.0.0.9", 3128))
        transport = FakeTransport()
        connect(reactor.tcpClients[-1][2], transport)
        self.assertIn(b"CONNECT relay.example:443 ", transport.take())
        transport.receive(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        words = f"agent web-1 can't reach wss://relay.example: the proxy {url} answered 502: it can't reach "
        self.assertEqual(str(self.failureResultOf(result, DialError).value), f"{words}relay.example:443")
        self.assertEqual(len(reactor.tcpClients), 1)
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_endless_answer(self) -> None:
        """An answer of over 16 KiB is a `DialError`."""
        result = self.dial()
        for _ in range(9):
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
            self.dialler = Dialler(self.clock, Heartbeat(self.clock), always_mask=always)
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
        dialler = Dialler(reactor, Heartbeat(reactor))
        result = dialler.dial("ws://127.0.0.1:9")
        reactor.advance(CONNECT_TIME - 0.1)
        self.assertNoResult(result)
        reactor.advance(0.2)
        self.failureResultOf(result, DialError)


class Bursts(SynchronousTestCase):
    """Many dials at once, and those that the relay drops."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.dialler = Dialler(self.reactor, Heartbeat(self.reactor), insecure=True)

    @property
    def tried(self) -> list[Any]:
        """The connections that were begun so far."""
        return self.reactor.tcpClients

    def dial(self, place: str = "127.0.0.1:9", **more: Any) -> "Deferred[FramedConnection]":
        return self.dialler.dial(f"ws://{place}/agent", STREAM, **more)

    def lose(self, number: int, reason: Exception | None = None, answer: bytes = b"") -> None:
        """Connect what was tried, answer it, and drop it."""
        transport = FakeTransport()
        protocol = connect(self.tried[number][2], transport)
        if answer:
            transport.receive(answer)
        protocol.connectionLost(Failure(reason or ConnectionDone()))

    def open(self, number: int) -> None:
        transport, relay = FakeTransport(), FakeTransport()
        connect(self.tried[number][2], transport)
        connect(LegFactory(Clock(), FakeAdmitter(), Heartbeat(Clock())), relay)
        exchange(transport, relay)

    def test_in_order(self) -> None:
        """Eight dials of one relay are under way at once; each that ends lets the next begin, in order."""
        dials = [self.dial() for _ in range(20)]
        self.assertEqual(len(self.tried), 8)
        for number in range(20):
            self.open(number)
            self.successResultOf(dials[number])
            self.assertEqual(len(self.tried), min(20, 9 + number))

    def test_less_time(self) -> None:
        """A dial may be given less time than others, all of it counted; then it says how much that was."""
        dial = self.dialler.dial("ws://127.0.0.1:9/agent", STREAM, seconds=3)
        connect(self.tried[0][2], FakeTransport())
        self.reactor.advance(2.9)
        self.assertNoResult(dial)
        self.reactor.advance(0.1)
        self.assertIn("no answer within 3 s", str(self.failureResultOf(dial, DialError).value))

    def test_another_relay(self) -> None:
        """A relay that answers nobody keeps no dial of another one waiting."""
        for _ in range(9):
            self.dial("127.0.0.1:9").addErrback(lambda _: None)
        self.dial("127.0.0.1:10").addErrback(lambda _: None)
        self.assertEqual([client[1] for client in self.tried], [9] * 8 + [10])
        self.reactor.advance(CONNECT_TIME)
        self.assertEqual(self.dialler._turns._queues, {})

    def test_leaves_the_queue(self) -> None:
        """A dial that is given up while it waits for its turn is never tried, and the next one moves up."""
        first, (gone, last) = [self.dial() for _ in range(8)], (self.dial(), self.dial())
        gone.cancel()
        self.failureResultOf(gone, DialError)
        self.open(0)
        self.successResultOf(first[0])
        self.open(8)
        self.successResultOf(last)
        self.assertEqual(len(self.tried), 9)

    def test_time_in_the_queue(self) -> None:
        """The ten seconds of a dial hold its time in the queue, too."""
        dials = [self.dial() for _ in range(9)]
        self.reactor.advance(6)
        self.open(0)
        self.successResultOf(dials[0])
        self.assertEqual(len(self.tried), 9)
        self.reactor.advance(3.9)
        self.assertNoResult(dials[8])
        self.reactor.advance(0.1)
        for dial in dials[1:]:
            self.assertIn("no answer within 10 s", str(self.failureResultOf(dial, DialError).value))

    def test_dropped(self) -> None:
        """A dial that is reset, closed before the answer, or answered 429 or 503, is tried again, later and later."""
        dial, tries = self.dial(), 0
        for reason, answer in (
            (None, b""),
            (ConnectionLost(), b""),
            (None, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
            (None, b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"),
        ):
            self.lose(tries, reason, answer)
            self.assertNoResult(dial)
            self.reactor.advance(0.05 * 2**tries - 0.001)
            self.assertEqual(len(self.tried), tries + 1)
            self.reactor.advance(0.1 * 2**tries + 0.002)
            tries += 1
            self.assertEqual(len(self.tried), tries + 1)
        self.open(tries)
        self.successResultOf(dial)

    def test_dropped_for_ever(self) -> None:
        """Within ten seconds a dial that is always dropped fails, and says how it was dropped the last time."""
        self.patch(random, "uniform", lambda low, high: (low + high) / 2)  # so that none begins in the last moment
        dial = self.dial()
        dropped = 0
        for _ in range(200):
            while dropped < len(self.tried):
                self.lose(dropped, ConnectionLost())
                dropped += 1
            self.reactor.advance(0.05)
        self.assertIn("non-clean", str(self.failureResultOf(dial, DialError).value))
        self.assertGreater(dropped, 5)
        self.assertLess(dropped, 20)

    def test_busy_to_the_end(self) -> None:
        """A relay that has said that it takes no more is told as busy, also if the last try has had no answer."""
        dial = self.dial()
        self.lose(0, None, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        self.reactor.advance(0.2)
        self.assertEqual(len(self.tried), 2)
        self.reactor.advance(CONNECT_TIME)
        self.assertIn("503: it is full or stops", str(self.failureResultOf(dial, RelayBusy).value))

    def test_elsewhere(self) -> None:
        """Who can go to another relay waits for one where its address is in a crowd, and not for one that is full."""
        dial = self.dial(elsewhere=True)
        self.lose(0, None, b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
        self.assertNoResult(dial)
        self.reactor.advance(0.2)
        self.lose(1, None, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        self.failureResultOf(dial, RelayBusy)

    def test_once(self) -> None:
        """What will not change is not tried again: a token that isn't good, half an answer, a port where nobody
        listens, a certificate for others."""
        for number, answer in enumerate((b" 401 Unauthorized\r\n\r\n", b" 404 Not Found\r\n\r\n", b" 101 Swi")):
            dial = self.dial()
            self.lose(number, None, b"HTTP/1.1" + answer)
            self.failureResultOf(dial, DialError)
        dial = self.dial()
        self.tried[3][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.reactor.advance(1)
        self.failureResultOf(dial, DialError)
        dial = self.dial()
        self.lose(4, VerificationError([]))
        self.failureResultOf(dial, DialError)
        self.assertEqual(len(self.tried), 5)


class Sockets(TestCase):
    """Dials over real sockets of this machine."""

    @inlineCallbacks
    def test_no_delay(self) -> Any:
        """No small write waits for an ACK of the one before (TCP_NODELAY), at either end, without TLS and with it."""
        from twisted.internet import reactor

        where = folder(self)
        authority = Authority(where / "ca.pem")
        tls = ServerTls((authority.issue(where / "relay.pem", "localhost"),))
        tls.load()
        dialler = Dialler(reactor, Heartbeat(reactor), str(where / "ca.pem"))
        clock = Clock()  # so that no timer outlives the test
        for scheme in ("ws", "wss"):
            admitter = FakeAdmitter()
            factory: Any = LegFactory(clock, admitter, Heartbeat(clock))
            if scheme == "wss":
                factory = TLSMemoryBIOFactory(tls, False, factory)
            port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
            self.addCleanup(port.stopListening)
            leg = yield dialler.dial(f"{scheme}://localhost:{port.getHost().port}/agent", STREAM)
            ends = (leg, there(admitter.inside[0].connection))
            lost = [gone(end) for end in ends]
            for end in ends:
                self.assertTrue(plain_socket(end).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), scheme)
                end.abort()
            yield DeferredList(lost)


class Leaving(Ear):
    """An ear that tells when all is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.left: Deferred[None] = Deferred()

    def gone(self) -> None:
        super().gone()
        self.left.callback(None)


def plain_socket(leg: FramedConnection) -> socket.socket:
    """The socket below a leg, and below its TLS."""
    channel: Any = leg.channel
    transport = channel.transport
    while not isinstance(found := transport.getHandle(), socket.socket):
        transport = transport.transport
    return found


def gone(leg: FramedConnection) -> "Deferred[None]":
    """Until nothing is left of it."""
    ear = Leaving()
    leg.join(ear, ear)
    return ear.left
