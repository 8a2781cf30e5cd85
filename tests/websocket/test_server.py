"""server.py: the opening handshake at the relay."""

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.errors import Refused
from streamrelay.net.peer import address
from streamrelay.websocket.server import REFUSALS, LegFactory
from streamrelay.websocket.watched import WatchedConnection
from tests.documented import HANDSHAKE_TIME, MAX_HANDSHAKE
from tests.examples import STREAM, there
from tests.fakes.admission import FakeAdmitter
from tests.fakes.channels import FakeTransport
from tests.fakes.connections import Ear
from tests.fakes.endpoints import connect
from tests.fakes.frames import frame
from tests.fakes.logs import Heard

KEY = b"\x01\x02\x03\x04"
GOOD = {
    "Host": "relay.example",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def request(
    path: str = f"/client/{STREAM}", method: str = "GET", version: str = "HTTP/1.1", **changes: str | None
) -> bytes:
    """An opening request; a header that is None is left out."""
    headers = {**GOOD, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [f"{method} {path} {version}"] + [
        f"{name}: {value}" for name, value in headers.items() if value is not None
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Case(SynchronousTestCase):
    """A relay's side with a fake admitter."""

    def setUp(self) -> None:
        self.clock, self.admitter = Clock(), FakeAdmitter()
        self.factory = LegFactory(self.clock, self.admitter, Heartbeat(self.clock))
        self.request()

    def request(self) -> None:
        """A new connection."""
        self.transport = FakeTransport()
        self.protocol = connect(self.factory, self.transport)

    def lose(self, why: Exception | None = None) -> None:
        self.transport.protocol.connectionLost(Failure(why or ConnectionDone()))

    def answer(self, data: bytes) -> str:
        self.transport.receive(data)
        return self.transport.take().decode()

    def status(self, data: bytes) -> int:
        answer = self.answer(data)
        return int(answer.split()[1]) if answer else 0


class Health(Case):
    """GET /health, as balancers ask it."""

    def test_ready(self) -> None:
        """Whoever asks is told whether legs may come, by HTTP/1.0 too without a Host, and nothing else."""
        for is_ready, status, body in ((True, "200 OK", "ready\n"), (False, "503 Service Unavailable", "not ready\n")):
            self.admitter.ready = is_ready
            for line, text in (
                ("GET /health HTTP/1.0", body),
                ("GET /health HTTP/1.1\r\nHost: relay.example", body),
                ("GET /health HTTP/1.1\r\nHost:", body),
                ("HEAD /health HTTP/1.0", ""),
            ):
                self.request()
                answer = self.answer(f"{line}\r\n\r\n".encode())
                self.assertTrue(answer.startswith(f"HTTP/1.1 {status}\r\n"), answer)
                self.assertIn(f"\r\nContent-Length: {len(body)}\r\n", answer)
                self.assertEqual(answer.partition("\r\n\r\n")[2], text)
        self.assertEqual(self.admitter.inside, [])
        self.request()
        self.assertIn(" 400 Bad Request\r\n", self.answer(b"GET /health HTTP/1.1\r\n\r\n"))  # RFC 9112 §3.2
        for line in ("POST /health HTTP/1.1", "GET /healthy HTTP/1.1", "GET /health?x HTTP/1.1"):
            self.request()
            self.assertNotIn("ready", self.answer(f"{line}\r\n\r\n".encode()), line)


class Looked(Case):
    """Somebody with curl, who wants to know what listens here."""

    def test_told(self) -> None:
        """GET and HEAD without Upgrade are told in one line what this is, by HTTP/1.0 too: 404, 426 at a leg's path."""
        for path, status in (
            ("/", 404),
            ("/index.html", 404),
            ("/client", 426),
            ("/agent", 426),
            (f"/client/{STREAM}", 426),
        ):
            for method in ("GET", "HEAD"):
                for version in ("HTTP/1.0", "HTTP/1.1"):
                    self.request()
                    head, _, body = self.answer(request(path, method, version, Upgrade=None)).partition("\r\n\r\n")
                    self.assertEqual(int(head.split()[1]), status, (path, method, version))
                    told = REFUSALS[status] + "\n"
                    self.assertEqual(body, told if method == "GET" else "")
                    self.assertIn(f"\r\nContent-Length: {len(told)}", head)
                    self.assertEqual("\r\nUpgrade: websocket\r\n" in head, status == 426)
                    self.assertTrue(self.transport.disconnecting)
        for status in (404, 426):
            self.assertIn("a relay of streamrelay", REFUSALS[status])
            self.assertIn("websocket", REFUSALS[status])

    def test_tls_on_a_plain_port(self) -> None:
        """Who begins with TLS on a port without it is answered at once, so that it needn't wait to know."""
        for hello in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x16"):
            self.request()
            self.assertEqual(self.status(hello), 400)
            self.assertTrue(self.transport.disconnecting)


class Admitted(Case):
    """Legs that come in."""

    def test_open(self) -> None:
        """A good request is answered 101, and the admitter gets its role, token, origin and address."""
        answer = self.answer(request(f"/agent/{STREAM}", Origin="https://panel.example"))
        self.assertEqual(answer.split("\r\n")[0], "HTTP/1.1 101 Switching Protocols")
        self.assertIn("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", answer)
        [admission] = self.admitter.inside
        leg_request = admission.request
        self.assertEqual(
            (leg_request.role, leg_request.token, leg_request.origin), ("agent", STREAM, "https://panel.example")
        )
        self.assertEqual(leg_request.peer, address(self.transport))
        self.assertIsNotNone(admission.connection)
        self.assertEqual(self.admitter.handshakes, 0)

    def test_ways_to_present_a_token(self) -> None:
        """A token may stand in the path, in a subprotocol or in a header; it is never echoed."""
        for data in (
            request(),
            request("/client", Sec_WebSocket_Protocol=f"streamrelay.v1, token.{STREAM}"),
            request("/client", Sec_WebSocket_Protocol=f"token.{STREAM}"),
            request("/client", Authorization=f"Bearer {STREAM}"),
            request("/client", Authorization=f"bearer {STREAM}"),
        ):
            self.request()
            answer = self.answer(data)
            self.assertTrue(answer.startswith("HTTP/1.1 101 "), answer)
            self.assertEqual(self.admitter.inside[-1].request.token, STREAM)
            self.assertNotIn(STREAM, answer)
            self.assertNotIn("token", answer)

    def test_subprotocols(self) -> None:
        """One of ours is chosen if it is offered, else binary, else none; only ours have control messages."""
        for offered, chosen in (
            ("streamrelay.v1.ping, streamrelay.v1", "streamrelay.v1.ping"),
            ("streamrelay.v1, streamrelay.v1.ping", "streamrelay.v1.ping"),
            ("streamrelay.v1", "streamrelay.v1"),
            ("binary, streamrelay.v1", "streamrelay.v1"),
            ("base64, binary", "binary"),
            ("base64", None),
            (None, None),
        ):
            self.request()
            answer = self.answer(request(Sec_WebSocket_Protocol=offered)).lower()
            lines = [line for line in answer.split("\r\n") if line.startswith("sec-websocket-protocol")]
            self.assertEqual(lines, [f"sec-websocket-protocol: {chosen}"] if chosen else [], offered)
            connection = there(self.admitter.inside[-1].connection)
            self.assertEqual(connection.control, (chosen or "").startswith("streamrelay.v1"))
            self.assertEqual(isinstance(connection, WatchedConnection), chosen == "streamrelay.v1.ping")

    def test_no_extensions(self) -> None:
        """Compression is never agreed to."""
        answer = self.answer(request(Sec_WebSocket_Extensions="permessage-deflate"))
        self.assertIn(" 101 ", answer)
        self.assertNotIn("extensions", answer.lower())

    def test_byte_by_byte(self) -> None:
        """A request may come in any pieces."""
        for byte in request():
            self.transport.receive(bytes([byte]))
        self.assertEqual(len(self.admitter.inside), 1)

    def test_not_read_before_it_is_joined(self) -> None:
        """After its 101 a leg isn't read until somebody joins it; then its bytes come through."""
        self.answer(request(Sec_WebSocket_Protocol="streamrelay.v1"))
        self.assertFalse(self.transport.reading)
        connection, ear = there(self.admitter.inside[0].connection), Ear()
        connection.join(ear, ear)
        self.assertTrue(self.transport.reading)
        self.transport.receive(frame(2, b"hello", KEY))
        self.assertEqual(ear.data, b"hello")
        self.lose(ConnectionLost())
        self.assertEqual([event[0] for event in ear.said], ["bytes", "over", "gone"])

    def test_settled(self) -> None:
        """A leg that is open has no timer of its own, only the heartbeat that all share."""
        self.answer(request())
        self.clock.advance(HANDSHAKE_TIME)  # all handshakes share one, which ends by itself
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(len(self.factory.heartbeat.members), 1)

    def test_alpn(self) -> None:
        """Over TLS a client that offers HTTP/1.1 by ALPN, as browsers do, is not refused."""
        self.assertTrue(IProtocolNegotiationFactory.providedBy(self.factory))
        self.assertEqual(self.factory.acceptableProtocols(), [b"http/1.1"])


class Turned(Case):
    """Requests that are refused."""

    def test_statuses(self) -> None:
        """Each fault has its status, and the connection is closed behind one line of text."""
        for data, status in (
            (request("/"), 404),
            (request("/other/" + STREAM), 404),
            (request("/client/" + STREAM + "/x y"), 400),
            (request("/clientx/" + STREAM), 404),
            (request("/client"), 401),
            (request("/client", Authorization="Basic x"), 401),
            (request(Authorization=f"Bearer {STREAM}"), 400),
            (request("/client", Sec_WebSocket_Protocol="token.a, token.b"), 400),
            (request(Upgrade=None), 426),
            (request("/", Upgrade=None), 404),
            (request(version="HTTP/1.0"), 426),
            (request("/", version="HTTP/1.0"), 404),
            (request("/", version="HTTP/1.0", Host=None), 404),
            (request(Upgrade=None, Host=None), 400),
            (request(Upgrade="h2c"), 400),
            (request(Connection=None), 400),
            (request(Sec_WebSocket_Key=None), 400),
            (request(Sec_WebSocket_Key="short"), 400),
            (request(Sec_WebSocket_Version="8"), 400),
            (request(Host=None), 400),
            (request(X="a\x1b[31mb"), 400),
            (request(X="a\0b"), 400),
            (request(X="a\rb"), 400),
            (request(X="a\nb"), 400),
            (request(X="a\r\n folded"), 400),
            (request(X="a\r\nno colon"), 400),
            (request(X="a\r\nn\xe4me: x"), 400),
            (request(X="a\r\n: no name"), 400),
            (request(Content_Length="5"), 400),
            (request(Transfer_Encoding="chunked"), 400),
            (request("/client/a\x1bb"), 400),
            (request(" /client/a"), 400),
            (request("/client/a#b"), 400),
            (request("http://[x/client"), 400),
            (request("http://x/client"), 404),
            (request(Host="relay.example:"), 400),
            (request(Host="a b"), 400),
            (request(Upgrade="h2c, WebSocket", Connection=","), 400),
            (request(Sec_WebSocket_Version=None), 400),
            (request(Sec_WebSocket_Version="13", Sec_WebSocket_Protocol="a, a"), 400),
            (request(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZ-=="), 400),
            (request(method="POST"), 405),
            (request(method="DELETE", version="HTTP/1.0"), 405),
            (request(version="HTTP/2.0"), 505),
            (b"\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        ):
            self.request()
            answer = self.answer(data)
            self.assertEqual(int((answer or "- 0").split()[1]), status, data)
            self.assertTrue(self.transport.disconnecting)
            head, _, body = answer.partition("\r\n\r\n")
            self.assertIn(f"Content-Length: {len(body)}", head)
            self.assertEqual(body.count("\n"), 1)
            self.lose()
        self.assertEqual(self.admitter.inside, [])
        self.assertEqual(self.clock.getDelayedCalls()[1:], [])

    def test_versions(self) -> None:
        """Who asks for another version of the protocol is told which is spoken; nobody else is, but for a 426."""
        self.assertIn("\r\nSec-WebSocket-Version: 13\r\n", self.answer(request(Sec_WebSocket_Version="8")))
        self.request()
        self.assertNotIn("Sec-WebSocket-Version", self.answer(request(Sec_WebSocket_Key=None)))

    def test_brackets(self) -> None:
        """A token may hold any printable mark of ASCII, and the admitter decides over it."""
        self.assertEqual(self.status(request("/client/%1b[31m")), 101)
        self.assertEqual(self.admitter.inside[0].request.token, "%1b[31m")

    def test_by_the_door(self) -> None:
        """What the admitter refuses is answered by its status, with the same body whatever the reason."""
        for status in (401, 403, 503):
            for detail in ("used already", "expired"):
                self.request()
                self.admitter.refuse = Refused(status, "secret reason", detail=detail)
                answer = self.answer(request())
                self.assertEqual(int(answer.split()[1]), status)
                self.assertTrue(answer.endswith("\r\n\r\n" + REFUSALS[status] + "\n"))
                self.assertNotIn("secret", answer)
                self.assertNotIn(detail, answer)
                self.assertEqual("\r\nRetry-After: 2\r\n" in answer, status == 503)

    def test_by_a_broken_door(self) -> None:
        """An error in the admitter is answered 500, logged once, and only this connection ends."""
        self.admitter.refuse = ZeroDivisionError("ours")
        answer = self.answer(request())
        self.assertIn(" 500 ", answer)
        self.assertNotIn("ours", answer)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nothing_is_echoed(self) -> None:
        """No part of a refused request comes back, whatever it holds."""
        for data in (
            request("/evil\x01path"),
            request("/client/" + "<script>" * 10 + "x y"),
            request(Upgrade="evil-upgrade"),
            request(Sec_WebSocket_Version="evil"),
            request(Sec_WebSocket_Key="evil"),
            request(Origin="evil evil"),
            request(method="EVIL"),
            request(version="HTTP/evil"),
        ):
            self.request()
            answer = self.answer(data).lower()
            self.assertNotIn("evil", answer)
            self.assertNotIn("script", answer)

    def test_full(self) -> None:
        """A connection that is one too many is answered 503 before its request was read."""
        self.admitter.full = 503
        self.request()
        self.assertIn(" 503 ", self.transport.take().decode())
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.status(request()), 0)
        self.lose()
        self.assertEqual((self.admitter.inside, self.admitter.handshakes), ([], 1))

    def test_waits_its_turn(self) -> None:
        """A connection that has to wait isn't read until its turn comes, and is counted once; its time runs on."""
        self.admitter.crowded = True
        self.request()
        self.assertFalse(self.transport.reading)
        self.admitter.crowded = False
        (waiting,) = self.admitter.waiting
        self.assertEqual(self.answer(b"GET /health HTTP/1.1\r\nHost: "), "")  # as it came with a proxy's header
        waiting.begin()
        self.assertIn("200 OK", self.answer(b"relay\r\n\r\n"))
        self.lose()
        self.admitter.crowded = True
        self.request()
        self.admitter.crowded = False
        self.admitter.waiting[-1].begin()
        self.assertTrue(self.transport.reading)
        self.assertEqual(self.status(request()), 101)
        self.assertEqual(self.admitter.handshakes, 1)
        self.admitter.crowded = True
        self.request()
        self.assertEqual(self.admitter.late, [])
        self.clock.advance(HANDSHAKE_TIME)
        self.assertTrue(self.transport.aborted)
        self.assertIn(self.admitter.waiting[-1], self.admitter.late)

    def test_crowd(self) -> None:
        """A connection that is one too many of its address is dropped without an answer, before its request is read."""
        self.admitter.full = 429
        self.request()
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.status(request()), 0)
        self.lose()
        self.assertEqual((self.admitter.inside, self.admitter.handshakes), ([], 1))

    def test_through_a_proxy(self) -> None:
        """The address that a trusted proxy tells is the one that the admitter gets for its logs."""
        self.answer(request(X_Forwarded_For="192.0.2.7"))
        self.assertEqual(self.admitter.inside[0].request.peer, "192.0.2.7")

    def test_endless_header(self) -> None:
        """A request of over 8 KiB is answered 431, once, and what follows isn't kept."""
        self.assertEqual(self.status(b"GET / HTTP/1.1\r\nX: " + b"x" * (MAX_HANDSHAKE - 19)), 0)
        self.assertEqual(self.status(b"x"), 431)
        self.transport.receive(b"x" * 100_000)
        self.assertEqual(self.transport.take(), b"")
        self.assertLess(len(self.protocol.data or b""), MAX_HANDSHAKE + 1)

    def test_slow(self) -> None:
        """A handshake that isn't done five seconds after accept is cut, however it trickles."""
        self.transport.receive(b"GET")
        self.clock.advance(HANDSHAKE_TIME - 0.1)
        self.transport.receive(b" ")
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.1)
        self.assertTrue(self.transport.aborted)
        self.lose()
        self.assertEqual(self.admitter.handshakes, 0)

    def test_lost_before(self) -> None:
        """A connection that is lost in its handshake is counted out, and leaves no timer beyond that time."""
        self.transport.receive(b"GET")
        self.lose()
        self.assertEqual(self.admitter.handshakes, 0)
        self.clock.advance(HANDSHAKE_TIME)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_each_its_time(self) -> None:
        """Handshakes that began at different times are dropped each at its own time."""
        first = self.transport
        self.clock.advance(HANDSHAKE_TIME - 1)
        self.request()
        self.clock.advance(1)
        self.assertEqual((first.aborted, self.transport.aborted), (True, False))
        self.clock.advance(HANDSHAKE_TIME - 1.5)
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.5)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.admitter.handshakes, 0)

    def test_second_request(self) -> None:
        """Bytes right behind the request drop the connection without an answer: they may be a second request."""
        for more in (request(), frame(2, b"x", KEY), frame(9, b"x", KEY), b"xxxxxxxx"):
            self.request()
            self.transport.receive(request() + more)
            self.assertTrue(self.transport.aborted)
            self.assertEqual(self.transport.take(), b"")
            self.lose()
            self.assertIsNone(self.admitter.inside[-1].connection)
            self.assertTrue(self.admitter.inside[-1].was_left)

    def test_no_token_in_the_log(self) -> None:
        """Whatever a handshake comes to, nothing that is logged holds the token."""
        heard = Heard(self)
        for data in (
            request(),
            request(Upgrade=None),
            request(Sec_WebSocket_Key=None),
            request(f"/client/{STREAM} x"),
            request("/client", Authorization=f"Bearer {STREAM}"),
            request(Authorization=f"Bearer {STREAM}"),
        ):
            self.request()
            self.transport.receive(data)
            self.lose(ConnectionLost(STREAM[:0]))
        self.assertNotIn(STREAM, heard.text)
