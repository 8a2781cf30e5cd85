"""Real proxies in front of a relay: whose address it sees."""

import contextlib
import queue
import select
import socket
from pathlib import Path

from websockets.sync.client import ClientConnection

from streamrelay.protocol.tokens import new_id
from tests.documented import HANDSHAKE_TIME
from tests.live.support.case import LiveTest
from tests.live.support.chain import RelayAlone
from tests.live.support.http import ask
from tests.live.support.pace import Stopwatch
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import Program, need_program
from tests.live.support.threaded_server import ThreadedServer
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import websocket

HAPROXY = """\
global
    nbthread 1
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend tcp
    mode tcp
    bind 127.0.0.1:{tcp}
    default_backend tcp
backend tcp
    mode tcp
    server relay 127.0.0.1:{proxied} send-proxy-v2
frontend http
    mode http
    option forwardfor
    bind 127.0.0.1:{http}
    default_backend http
backend http
    mode http
    server relay 127.0.0.1:{forwarded}
"""


class Proxied(LiveTest):
    """HAProxy, speaking the PROXY protocol or adding X-Forwarded-For."""

    def setUp(self) -> None:
        super().setUp()
        haproxy = need_program("haproxy")
        self.ports = {name: free_port() for name in ("tcp", "http", "proxied", "forwarded")}
        (self.folder / "haproxy.cfg").write_text(HAPROXY.format(**self.ports))
        self.relays = {
            "tcp": self.relay("proxied", "--proxy-protocol"),
            "http": self.relay("forwarded"),
        }
        self.program("haproxy", haproxy, "-db", "-f", str(self.folder / "haproxy.cfg"))
        for name in self.ports:
            until(lambda name=name: answers(self.ports[name]), what=name)

    def relay(self, port: str, *more: str) -> Program:
        return self.program(
            f"relay-{port}",
            *self.command("streamrelay"),
            *("--tokens=opaque", f"--listen=tcp:{self.ports[port]}:interface=127.0.0.1", "--proxy=127.0.0.1"),
            *more,
        )

    def command(self, name: str) -> tuple[str, ...]:
        from tests.live.support.processes import twistd

        return (*twistd(), name)

    def leg(
        self, way: str, role: str, token: str, source: str, headers: dict[str, str] | None = None
    ) -> ClientConnection:
        """A leg through HAProxy from an address of this machine."""
        sock = socket.create_connection(("127.0.0.1", self.ports[way]), WAIT, (source, 0))
        leg = websocket(f"ws://127.0.0.1:{self.ports[way]}/{role}/{token}", sock=sock, headers=headers)
        self.addCleanup(leg.close)
        return leg

    def test_addresses(self) -> None:
        """The agent is told the client's own address, and the relay's log has it, by either way."""
        for way in ("tcp", "http"):
            token = new_id()
            agent = self.leg(way, "agent", token, "127.0.0.8")
            client = self.leg(way, "client", token, "127.0.0.9", {"X-Forwarded-For": "192.0.2.66"})
            self.assertIn("127.0.0.9", agent.recv(WAIT))
            client.send(b"hello")
            self.assertEqual(agent.recv(WAIT), b"hello")
            client.close()
            self.relays[way].wait_for("of client 127.0.0.9")
            self.assertNotIn("192.0.2.66", self.relays[way].log)

    def test_not_by_strangers(self) -> None:
        """From an address that is no configured proxy neither is believed: a PROXY header is a malformed request."""
        header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 66, 192, 0, 2, 67, 0, 1, 0, 1])
        with socket.create_connection(("127.0.0.1", self.ports["proxied"]), WAIT, ("127.0.0.2", 0)) as stranger:
            stranger.sendall(header + b"GET / HTTP/1.1\r\n\r\n")
            self.assertTrue(stranger.recv(100).startswith(b"HTTP/1.1 400 "))
        token = new_id()
        sock = socket.create_connection(("127.0.0.1", self.ports["forwarded"]), WAIT, ("127.0.0.2", 0))
        url = f"ws://127.0.0.1:{self.ports['forwarded']}"
        agent = websocket(f"{url}/agent/{token}")
        client = websocket(f"{url}/client/{token}", sock=sock, headers={"X-Forwarded-For": "192.0.2.66"})
        self.assertIn("127.0.0.2", agent.recv(WAIT))
        client.close()
        agent.close()

    def begun(self, address: str, text: bytes) -> socket.socket:
        """A client's connection to the proxy that has sent this much."""
        connection = socket.create_connection(("127.0.0.1", self.ports["tcp"]), WAIT, (address, 0))
        self.addCleanup(connection.close)
        connection.sendall(text)
        return connection

    def test_a_crowd_behind_a_proxy(self) -> None:
        """By PROXY headers each client has its own share of handshakes, and one that takes more waits for its turn."""
        while not self.waits_behind_others():
            pass

    def waits_behind_others(self) -> bool:
        """See one wait for its turn, and get it; False if those before it were cut meanwhile, as their time was
        over."""
        passed = Stopwatch()
        for number in range(25):
            self.begun(f"127.0.1.{number + 1}", b"GET /")
        greedy = [self.begun("127.0.2.1", b"GET /") for _ in range(20)]
        whole = b"GET /health HTTP/1.1\r\nHost: relay\r\n\r\n"
        waiting = self.begun("127.0.2.1", whole)
        self.assertTrue(self.begun("127.0.1.1", whole).recv(100).startswith(b"HTTP/1.1 200 "))
        waits = not has_come(waiting)
        greedy[0].close()
        answer = ended(waiting)
        if passed() > HANDSHAKE_TIME:
            return False
        self.assertTrue(waits)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        return True


def has_come(connection: socket.socket) -> bool:
    """Tell whether anything has come, or the end, that wasn't read yet."""
    return bool(select.select([connection], [], [], 0)[0])


def ended(connection: socket.socket) -> bytes:
    """What comes until a connection ends, however."""
    came = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(1000):
            came += data
    return came


class Asked(ThreadedServer):
    """What stands for the platform: it notes requests. It is looked at whether it is well at any time."""

    def __init__(self) -> None:
        self.requests: queue.Queue[bytes] = queue.Queue()
        super().__init__()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            request = connection.recv(1000)
            if not request.startswith(b"GET /health "):
                self.requests.put(request)
                connection.recv(1000)  # until it leaves
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")


class Sample(LiveTest):
    """The sample of HAProxy's settings in etc/."""

    def start(self, haproxy: str, port: int, relay: RelayAlone, platform_port: int) -> None:
        """Start HAProxy by the sample, before a relay and what is to be the platform."""
        self.addCleanup(relay.stop)
        relay.start()
        text = (Path(__file__).resolve().parents[3] / "etc/haproxy.cfg").read_text()
        for old, new in (
            ("bind :443 ssl crt /etc/streamrelay/haproxy/ alpn http/1.1", f"bind 127.0.0.1:{port}"),
            ("maxconn 20000", "maxconn 100\n    nbthread 1"),  # few descriptors; one after the other
            ("timeout http-request 5s", "timeout http-request 60s"),  # a busy machine may be late with a request
            ("127.0.0.1:8780", f"127.0.0.1:{relay.relay_port}"),
            ("127.0.0.1:8800", f"127.0.0.1:{platform_port}"),
        ):
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.folder / "haproxy.cfg").write_text(text)
        self.program("haproxy", haproxy, "-db", "-f", str(self.folder / "haproxy.cfg"))
        until(lambda: answers(port), what="haproxy")

    def test_not_ready(self) -> None:
        """A platform that has no bus gets no request, though it would answer; the relay, which is well, gets its
        legs."""
        haproxy, port, platform = need_program("haproxy"), free_port(), free_port()
        (self.folder / "keys.toml").write_text("")
        (self.folder / "keys.toml").chmod(0o644)
        self.twistd(
            "streamplatform",
            *("--tokens=opaque", f"--keys={self.folder}/keys.toml", f"--listen=tcp:{platform}:interface=127.0.0.1"),
            *("--relay=ws://127.0.0.1:1", f"--nats=nats://127.0.0.1:{free_port()}"),
        )
        until(lambda: answers(platform), what="the platform")
        self.start(haproxy, port, relay := RelayAlone(self.folder, tokens="opaque"), platform)
        named = {"Host": "platform.example"}
        until(lambda: ask(port, "GET", "/v1/session", None, named).status == 503, what="no platform")
        self.assertEqual(ask(platform, "GET", "/v1/session").status, 200)
        self.assertEqual(ask(platform, "GET", "/health").text, "not ready\n")
        self.assertEqual(ask(relay.relay_port, "GET", "/health").text, "ready\n")
        self.websocket(f"ws://127.0.0.1:{port}/agent/{new_id()}")

    def test_slow_bodies(self) -> None:
        """A request whose body comes slowly takes no slot of the platform: only whole requests reach it, while
        websockets pass as ever."""
        haproxy, port = need_program("haproxy"), free_port()
        platform, relay = Asked(), RelayAlone(self.folder, tokens="opaque")
        self.addCleanup(platform.close)
        self.start(haproxy, port, relay, platform.port)
        sent = [self.send(port, path) for path in ("slow", "whole")]
        sent[1].sendall(b"34")
        self.assertTrue(platform.requests.get(timeout=WAIT).startswith(b"POST /whole "))
        sent[0].sendall(b"34")
        self.assertTrue(platform.requests.get(timeout=WAIT).startswith(b"POST /slow "))
        token = new_id()
        client = self.websocket(f"ws://127.0.0.1:{port}/client/{token}")
        agent = self.websocket(f"ws://127.0.0.1:{port}/agent/{token}")
        self.assertIn("met", agent.recv(WAIT))
        client.send(b"hello")
        self.assertEqual(agent.recv(WAIT), b"hello")

    def send(self, port: int, path: str) -> socket.socket:
        """A request with half of its body."""
        connection = socket.create_connection(("127.0.0.1", port), WAIT)
        self.addCleanup(connection.close)
        head = f"POST /{path} HTTP/1.1\r\nHost: platform.example\r\nContent-Length: 4\r\n\r\n"
        connection.sendall(head.encode() + b"12")
        return connection
