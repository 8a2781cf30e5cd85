"""http_client.py: one bounded request, by Twisted's client on a network in memory."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.http_client import FetchDropped, Fetched, FetchError, HttpFetch
from tests.documented import FETCHED_BODY
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect
from tests.fakes.logs import Heard
from tests.fakes.reactors import FakeNames


class Fetching(SynchronousTestCase):
    """`HttpFetch`"""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.fetch = HttpFetch(self.reactor)

    def ask(self, **more: Any) -> "Deferred[Fetched]":
        work = self.fetch("POST", "http://127.0.0.1:81/ask?a=b", 2.0, **more)
        return Deferred.fromCoroutine(work)

    def connect(self) -> FakeTransport:
        """The last connection that was tried, made."""
        *_, factory, _, _ = self.reactor.tcpClients[-1]
        self.transport = FakeTransport()
        self.protocol = connect(factory, self.transport)
        return self.transport

    def answer(self, text: bytes) -> None:
        self.protocol.dataReceived(text)

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def test_answered(self) -> None:
        """A request is sent as it is said, on a connection of its own, and answered with status and body."""
        asked = self.ask(headers={"Cookie": "a=b"}, body=b"{}")
        host, port, *_ = self.reactor.tcpClients[-1]
        self.assertEqual((host, port), ("127.0.0.1", 81))
        sent = self.connect().value().decode()
        self.assertTrue(sent.startswith("POST /ask?a=b HTTP/1.1\r\n"), sent)
        self.assertTrue(sent.endswith("\r\n\r\n{}"), sent)
        for line in ("Host: 127.0.0.1:81", "Cookie: a=b", "Content-Length: 2", "Connection: close"):
            self.assertIn(f"\r\n{line}\r\n", sent)
        self.answer(b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nyes")
        self.assertEqual(self.successResultOf(asked), Fetched(201, b"yes"))

    def test_names(self) -> None:
        """A host's name may have letters beyond ASCII, a path, too; DNS and HTTP have them otherwise."""
        asked: list[bytes] = []

        class Agent:
            def request(self, method: bytes, url: bytes, *_: object) -> "Deferred[None]":
                asked.append(url)
                return Deferred()

        self.fetch._agent = Agent()
        for url in ("https://b\xfccher.example:8444/\xfc?a=b", "http://[::1]:81/v1/streams/..%2Fx"):
            Deferred.fromCoroutine(self.fetch("GET", url, 2.0))
        self.assertEqual(
            asked, [b"https://xn--bcher-kva.example:8444/%C3%BC?a=b", b"http://[::1]:81/v1/streams/..%2Fx"]
        )

    def test_host(self) -> None:
        """The Host header holds an IPv6 address in brackets (RFC 3986 §3.2.2), and an address needs no resolver."""
        for url, host in (("http://[::1]:81/x", "[::1]:81"), ("http://[2001:db8::7]/x", "[2001:db8::7]")):
            Deferred.fromCoroutine(self.fetch("GET", url, 2.0))
            self.assertIn(f"\r\nHost: {host}\r\n", self.connect().value().decode())

    def test_underscore(self) -> None:
        """A name with an underscore is looked up like any other, with TLS, too."""
        self.reactor.nameResolver = names = FakeNames({"my_host.internal": ["10.0.0.1"]})
        for scheme, port in (("http", 80), ("https", 443)):
            asked = Deferred.fromCoroutine(self.fetch("GET", f"{scheme}://my_host.internal/x", 2.0))
            self.assertEqual(self.reactor.tcpClients[-1][:2], ("10.0.0.1", port))
            self.connect()
            self.assertNoResult(asked)
        self.assertEqual(names.asked, ["my_host.internal"] * 2)

    def test_scheme(self) -> None:
        """Nothing is asked by a URL of another kind, in plain least of all."""
        self.assertIn(
            "not a URL that begins", self.failed(Deferred.fromCoroutine(self.fetch("GET", "ftp://127.0.0.1/x", 2.0)))
        )
        self.assertEqual(self.reactor.tcpClients, [])

    def test_socket(self) -> None:
        """At a unix socket everything is asked there, whatever the URL says, within a size of its own."""
        fetch = HttpFetch(self.reactor, socket="/run/api.sock", most=2)
        for body, good in ((b"ok", True), (b"no!", False)):
            asked = Deferred.fromCoroutine(fetch("GET", "http://anywhere/x", 2.0))
            path, factory, *_ = self.reactor.unixClients[-1]
            self.assertEqual((path, self.reactor.tcpClients), ("/run/api.sock", []))
            protocol, transport = factory.buildProtocol(None), FakeTransport()
            protocol.makeConnection(transport)
            self.assertTrue(transport.value().startswith(b"GET /x HTTP/1.1\r\n"))
            protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            if good:
                self.assertEqual(self.successResultOf(asked).body, body)
            else:
                self.failureResultOf(asked, FetchError)

    def test_quiet(self) -> None:
        """A request is no line in the log, neither when its connection begins nor when it ends."""
        for socket in ("", "/run/api.sock"):
            fetch = HttpFetch(self.reactor, socket=socket)
            Deferred.fromCoroutine(fetch("GET", "http://127.0.0.1:81/x", 2.0))
            factory: Any = self.reactor.unixClients[-1][1] if socket else self.reactor.tcpClients[-1][2]
            heard = Heard(self)
            factory.doStart()
            factory.doStop()
            self.assertEqual(heard.lines, [])

    def test_no_length(self) -> None:
        """A body may end with its connection, and may be none."""
        for head, body in ((b"HTTP/1.0 200 OK\r\n\r\n", b"yes"), (b"HTTP/1.1 204 No Content\r\n\r\n", b"")):
            asked = self.ask()
            self.connect()
            self.answer(head + body)
            self.lose()
            self.assertEqual(self.successResultOf(asked).body, body)

    def test_redirect(self) -> None:
        """A redirect is an answer like others: nobody is asked elsewhere."""
        asked = self.ask()
        self.connect()
        self.answer(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:82/\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(self.successResultOf(asked).status, 302)
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def failed(self, asked: "Deferred[Fetched]") -> str:
        text = str(self.failureResultOf(asked, FetchError).value)
        self.assertTrue(text and "\n" not in text, text)
        return text

    def test_refused(self) -> None:
        """A connection that can't be made fails in one line."""
        asked = self.ask()
        self.reactor.tcpClients[-1][2].clientConnectionFailed(
            self.reactor.connectors[-1], Failure(ConnectionRefusedError())
        )
        self.reactor.advance(0.5)  # in which another address would be tried
        self.assertIn("refused", self.failed(asked))

    def test_late(self) -> None:
        """What isn't done in time is given up and its connection dropped, however far it has come."""
        for said in (None, b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes"):
            asked = self.ask()
            if said is not None:
                self.connect()
                self.answer(said)
            self.reactor.advance(1.9)
            self.assertNoResult(asked)
            self.reactor.advance(0.2)
            self.assertIn("within 2 s", self.failed(asked))
            if said is not None:
                self.assertTrue(self.transport.aborted or self.transport.disconnecting, said)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_drip(self) -> None:
        """An answer that comes byte by byte has no more time than another."""
        asked = self.ask()
        self.connect()
        self.answer(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(21):
            self.answer(b"x")
            self.reactor.advance(0.1)
        self.failed(asked)

    def test_long(self) -> None:
        """A body over the limit fails at once, whether its length is told or not, and the connection is dropped."""
        for head in (b"Content-Length: 1000000\r\n", b"", b"Transfer-Encoding: chunked\r\n"):
            asked = self.ask()
            self.connect()
            self.answer(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
            size = FETCHED_BODY + 1
            self.answer(b"%x\r\n" % size + bytes(size) if b"chunked" in head else bytes(size))
            self.assertIn("more than", self.failed(asked))
            self.assertTrue(self.transport.disconnecting)
            self.lose()

    def test_dropped(self) -> None:
        """A connection that ends before a byte of an answer was dropped; one that breaks off later has failed."""
        for said, dropped in (
            (b"", True),
            (b"HTTP/1.1 200", False),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", False),
        ):
            for reason in (ConnectionDone(), ConnectionLost()):
                asked = self.ask()
                self.connect()
                if said:
                    self.answer(said)
                self.protocol.connectionLost(Failure(reason))
                self.assertEqual(isinstance(self.failureResultOf(asked, FetchError).value, FetchDropped), dropped)

    def test_broken(self) -> None:
        """An answer that is none, or breaks off, fails."""
        short = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes"
        for said in (b"garbage\r\n\r\n", b"", short, b"HTTP/1.1 abc\r\n\r\n"):
            asked = self.ask()
            self.connect()
            self.answer(said)
            self.lose()
            self.failed(asked)
