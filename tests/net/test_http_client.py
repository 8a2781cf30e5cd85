"""http_client.py: one bounded request, by Twisted's client on a network in memory."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.http_client import FetchDropped, Fetched, FetchError, HttpFetch, read_body
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
        self.reactor.nameResolver = names = FakeNames({"xn--bcher-kva.example": ["10.0.0.1"]})
        Deferred.fromCoroutine(self.fetch("GET", "http://b\xfccher.example:8444/\xfc?a=b", 2.0))
        self.assertEqual(names.asked, ["xn--bcher-kva.example"])
        sent = self.connect().value()
        self.assertTrue(sent.startswith(b"GET /%C3%BC?a=b HTTP/1.1\r\nHost: xn--bcher-kva.example:8444\r\n"), sent)
        Deferred.fromCoroutine(self.fetch("GET", "http://[::1]:81/v1/streams/..%2Fx", 2.0))
        self.assertTrue(self.connect().value().startswith(b"GET /v1/streams/..%2Fx HTTP/1.1\r\n"))

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
        """Nothing is asked by a URL of another kind, in plain least of all, nor by one that is none."""
        for url in ("ftp://127.0.0.1/x", "http:///x", "http://[::1/x", "http://a:b/x"):
            self.assertIn("not a URL", self.failed(Deferred.fromCoroutine(self.fetch("GET", url, 2.0))))
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

    def test_secret(self) -> None:
        """What HTTP can't say in a header isn't said, nor repeated in the error: it may be a key."""
        for value in ("srk_secret\n", "srk_secret\xff\u20ac"):
            why = self.failed(self.ask(headers={"Authorization": value}))
            self.assertIn("characters that HTTP doesn't allow", why)
            self.assertNotIn("secret", why)
        self.assertEqual(self.reactor.tcpClients, [])

    def test_lines(self) -> None:
        """Lines are told as they come, however they are cut, and the whole body is there in the end."""
        text = b"one\n\ntwo \xff\nrest"
        for size in (1, 2, 3, len(text)):
            lines: list[bytes] = []
            asked = self.ask(line=lines.append)
            self.connect()
            self.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(text), size):
                piece = text[at : at + size]
                self.answer(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.assertEqual(lines, text[: at + size].split(b"\n")[:-1])
            self.assertNoResult(asked)
            self.answer(b"0\r\n\r\n")
            self.assertEqual(self.successResultOf(asked), Fetched(200, text))

    def test_no_lines(self) -> None:
        """The lines of a refusal are not told."""
        lines: list[bytes] = []
        asked = self.ask(line=lines.append)
        self.connect()
        self.answer(b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nno\n")
        self.assertEqual((self.successResultOf(asked), lines), (Fetched(503, b"no\n"), []))

    def test_long_line(self) -> None:
        """A line has a bound of its own, whole or not; what its taker raises fails the request, too."""
        self.fetch = HttpFetch(self.reactor, most=1 << 20)
        for body in (bytes(FETCHED_BODY + 1), bytes(FETCHED_BODY + 1) + b"\n"):
            asked = self.ask(line=lambda line: None)
            self.connect()
            self.answer(b"HTTP/1.1 200 OK\r\n\r\n" + body)
            self.assertIn("a line of more than", self.failed(asked))
            self.assertTrue(self.transport.disconnecting)
        asked = self.ask(line=int)
        self.connect()
        self.answer(b"HTTP/1.1 200 OK\r\n\r\nx\n")
        self.assertIn("invalid literal", self.failed(asked))


class Keeping(SynchronousTestCase):
    """`HttpFetch` that keeps its connections"""

    URL = "http://127.0.0.1:81/x"
    OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.fetch = HttpFetch(self.reactor, keep=True)
        self.made: list[Any] = []
        """Protocols of the connections that were made."""

    def ask(self, url: str = URL, method: str = "GET") -> "Deferred[Fetched]":
        """A request; a connection that it tries is made."""
        tried = len(self.reactor.tcpClients)
        asked = Deferred.fromCoroutine(self.fetch(method, url, 2.0, body=b"{}" if method == "POST" else None))
        self.connect(tried)
        return asked

    def connect(self, tried: int) -> None:
        for _, _, factory, *_ in self.reactor.tcpClients[tried:]:
            self.made.append(connect(factory, FakeTransport()))

    def answer(self, text: bytes = OK, at: int = -1) -> None:
        self.made[at].dataReceived(text)

    def answered(self, url: str = URL) -> None:
        asked = self.ask(url)
        self.answer()
        self.assertEqual(self.successResultOf(asked), Fetched(200, b"ok"))

    def lose(self, at: int = -1) -> None:
        self.made[at].connectionLost(Failure(ConnectionDone()))

    def test_again(self) -> None:
        """One request after the other goes the same way, to the same origin, and isn't told to be the last."""
        for _ in range(3):
            self.answered()
        (protocol,) = self.made
        self.assertEqual(protocol.transport.value().count(b"GET /x HTTP/1.1\r\n"), 3)
        self.assertNotIn(b"close", protocol.transport.value())
        for other in ("http://127.0.0.1:82/x", "http://127.0.0.2:81/x"):
            self.answered(other)
        self.assertEqual(len(self.made), 3)

    def test_at_once(self) -> None:
        """A connection has one request at a time; a few are kept, no more."""
        asked = [self.ask() for _ in range(5)]
        self.assertEqual(len(self.made), 5)
        for at in range(5):
            self.answer(at=at)
            self.assertEqual(self.successResultOf(asked[at]).status, 200)
        self.assertEqual([one.transport.disconnecting for one in self.made], [False, False, True, True, True])

    def test_idle(self) -> None:
        """A connection that isn't used for a while is dropped, and not used any more from then on."""
        self.answered()
        self.reactor.advance(29)
        self.answered()
        self.reactor.advance(29)
        self.assertFalse(self.made[0].transport.disconnecting)
        self.reactor.advance(2)
        self.assertTrue(self.made[0].transport.disconnecting)
        self.answered()
        self.assertEqual(len(self.made), 2)

    def test_not_kept(self) -> None:
        """A connection that its other end doesn't keep, or on which more came than was asked for, isn't used again."""
        for said in (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            self.OK + b"HTTP/1.1 200 OK\r\n",
        ):
            asked = self.ask()
            self.answer(said)
            self.assertEqual(self.successResultOf(asked).body, b"ok")
            self.assertTrue(self.made[-1].transport.disconnecting)
            self.lose()
        self.answered()
        self.answer(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        self.assertTrue(self.made[-1].transport.disconnecting)
        self.answered()
        self.assertEqual(len(self.made), 5)
        self.lose()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_closed(self) -> None:
        """A kept connection that was closed isn't used; one that is closed as we ask is followed by a new one, once,
        where the request may be heard twice."""
        self.answered()
        self.lose()
        self.answered()
        self.assertEqual(len(self.made), 2)
        asked = self.ask()
        self.lose()
        self.assertNoResult(asked)
        self.connect(2)
        self.assertIn(b"GET /x HTTP/1.1\r\n", self.made[-1].transport.value())
        self.lose()
        self.failureResultOf(asked, FetchDropped)
        self.assertEqual(len(self.reactor.tcpClients), 3)

    def test_post(self) -> None:
        """A POST that a kept connection takes along when it is closed isn't repeated here: it may have been heard."""
        self.answered()
        asked = self.ask(method="POST")
        self.lose()
        self.failureResultOf(asked, FetchDropped)
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_begun(self) -> None:
        """What breaks off after its first byte isn't asked again."""
        self.answered()
        asked = self.ask()
        self.answer(b"H")
        self.lose()
        self.assertNotIsInstance(self.failureResultOf(asked, FetchError).value, FetchDropped)
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_late(self) -> None:
        """A connection whose answer didn't come in time isn't used again."""
        self.answered()
        asked = self.ask()
        self.reactor.advance(2.1)
        self.failureResultOf(asked, FetchError)
        self.answered()
        self.assertEqual(len(self.made), 2)
        self.assertTrue(self.made[0].transport.disconnecting)

    def test_untaken(self) -> None:
        """A body without a taker isn't read; it is whole, or not, as it was when its connection was lost."""
        for rest, reason, whole in (
            (b"ok", ConnectionDone(), True),
            (b"o", ConnectionDone(), False),
            (b"ok", ConnectionLost(), True),
            (b"o", ConnectionLost(), False),
        ):
            tried = len(self.reactor.tcpClients)
            begun = Deferred.fromCoroutine(self.fetch.begin("GET", self.URL))
            self.connect(tried)
            self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + rest)
            self.assertFalse(self.made[-1].transport.reading)
            self.made[-1].connectionLost(Failure(reason))
            body = Deferred.fromCoroutine(read_body(self.successResultOf(begun)))
            if whole:
                self.assertEqual(self.successResultOf(body), b"ok")
            else:
                self.failureResultOf(body, FetchError)
            self.assertFalse(self.made[-1].transport.disconnecting, "there was nothing left to drop")
