"""transports.py and websocket_transport.py: how a NATS server is reached, on a network of one machine."""

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import urlparse

from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType, WSConnection, events

from streamrelay.bus.complaints import words
from streamrelay.bus.nats_client import NatsClient, plain_places
from streamrelay.bus.settings import check_bus
from streamrelay.bus.transports import _open_tunnel
from streamrelay.bus.websocket_transport import WebsocketTransport
from streamrelay.net.outbound import DIRECT, Outbound
from streamrelay.net.outbound_proxy import OutboundProxy, ProxyError
from tests.bus.test_nats_client import INFO, Given
from tests.fakes.reactors import awaited

HELLO = f"INFO {json.dumps(INFO)}\r\n".encode()
Meet = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Bus:
    """A server that answers logins and keeps what it hears."""

    def __init__(self, first: bytes = HELLO) -> None:
        self.first, self.heard = first, b""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.first)
        while line := await reader.readline():
            self.heard += line
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()


class Writer:
    """Takes what is written, and counts how often somebody waits for that."""

    data, drained = b"", 0

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        self.drained += 1


class Proxied(Bus):
    """The same behind an HTTP proxy, whose answer and INFO come as one."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n", closes: bool = False) -> None:
        super().__init__(answer + HELLO)
        self.closes, self.request = closes, b""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = await reader.readuntil(b"\r\n\r\n")
        if self.closes:
            writer.close()
        else:
            await super().meet(reader, writer)


class Socks(Bus):
    """The same behind a SOCKS5 proxy."""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        self.asked = await reader.readexactly(18)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await super().meet(reader, writer)


class Websocket:
    """A server whose NATS comes by websocket, each of its bytes in a frame of its own, pings in between."""

    def __init__(self, refusal: int = 0, raw: bytes = b"") -> None:
        self.refusal, self.raw, self.heard, self.request = refusal, raw, b"", events.Request("", "")
        self.pongs = self.closes = 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer, self.websocket = writer, WSConnection(ConnectionType.SERVER)
        while data := await reader.read(4096):
            if self.raw:
                writer.write(self.raw)
                break
            self.websocket.receive_data(data)
            for event in self.websocket.events():
                self.take(event)
        writer.close()

    def send(self, event: events.Event) -> None:
        self.writer.write(self.websocket.send(event))

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.Request):
            self.request = event
            refused = events.RejectConnection(status_code=self.refusal)
            self.send(refused if self.refusal else events.AcceptConnection())
            if not self.refusal:
                self.speak(HELLO)
        elif isinstance(event, events.BytesMessage):
            self.heard += event.data
            if self.heard.endswith(b"PING\r\n"):
                self.speak(b"PONG\r\n")
        elif isinstance(event, events.Pong):
            self.pongs += 1
        elif isinstance(event, events.CloseConnection):
            self.closes += 1

    def speak(self, text: bytes) -> None:
        self.send(events.Ping(b"x"))
        for number in text:
            self.send(events.BytesMessage(data=bytes([number]), message_finished=False))
        self.send(events.BytesMessage(data=b""))


async def _connect(meet: Meet, url: str, outbound: Callable[[int], Outbound], seconds: float, size: int) -> Any:
    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = url.replace("PORT", str(port))
    client = NatsClient(plain_places([url]), lambda: None, outbound=outbound(port))

    async def give_up(error: Exception) -> None:
        raise Given(words(error))

    limit: Any = seconds
    try:
        await client.connect(url, error_cb=give_up, connect_timeout=limit)
        await client.publish("a.b", b"c" * size)
        await client.flush()
        return client.url
    finally:
        await client.close()
        server.close()
        await asyncio.sleep(0.02)


def connect(meet: Meet, url: str, proxy: str = "", seconds: float = 30.0, size: int = 70) -> Any:
    """Connect, publish, and close; the URL that was connected, or `Given` with the words for the log."""
    return awaited(
        _connect(
            meet, url, lambda port: Outbound.chosen(proxy.replace("PORT", str(port)), environment={}), seconds, size
        )
    )


class Proxies(SynchronousTestCase):
    """The bus behind an outbound proxy."""

    def fails(self, server: Bus, words: str, seconds: float = 30.0, proxy: str = "http://127.0.0.1:PORT") -> None:
        error = self.assertRaises(Given, connect, server.meet, "nats://bus.example", proxy, seconds)
        self.assertRegex(str(error), rf"\Athe proxy {proxy.replace('PORT', '[0-9]+')} {words}\Z")

    def test_http(self) -> None:
        """NATS is spoken through the tunnel, what came along with the proxy's answer included; the name isn't
        resolved here."""
        server = Proxied()
        connect(server.meet, "nats://bus.example", "http://a:b@127.0.0.1:PORT")
        self.assertTrue(server.request.startswith(b"CONNECT bus.example:4222 HTTP/1.1\r\n"), server.request)
        self.assertIn(b"Proxy-Authorization: Basic YTpi\r\n", server.request)
        self.assertIn(b"PUB a.b  70\r\n", server.heard)

    def test_socks(self) -> None:
        """The same by SOCKS5."""
        server = Socks()
        connect(server.meet, "nats://bus.example", "socks5://127.0.0.1:PORT")
        self.assertEqual(server.asked, b"\x05\x01\x00\x03\x0bbus.example\x10\x7e")
        self.assertIn(b"PUB a.b  70\r\n", server.heard)

    def test_closed_behind(self) -> None:
        """A proxy whose other end is gone at once is told as one; our own lack of descriptors isn't the proxy's."""

        async def opening() -> None:
            reader = asyncio.StreamReader()
            reader.feed_data(b"HTTP/1.1 200 OK\r\n\r\n" + HELLO)
            reader.feed_eof()
            proxy, writer = OutboundProxy.parse("proxy.example:3128", "x"), Writer()
            await _open_tunnel(proxy, "bus.example", 4222, reader, cast(asyncio.StreamWriter, writer))

        error = self.assertRaises(ProxyError, awaited, opening())
        self.assertEqual(str(error), "the proxy http://proxy.example:3128 closed the connection behind its answer")

        async def full(*_: object, **more: object) -> Any:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(asyncio, "open_connection", full)
        error = self.assertRaises(Given, connect, Proxied().meet, "nats://bus.example", "http://127.0.0.1:1")
        self.assertEqual(str(error), "Too many open files")

    def test_refused(self) -> None:
        """A proxy that refuses, closes, says nothing, or isn't there is told in one line, which names it."""
        self.fails(
            Proxied(b"HTTP/1.1 403 x\r\n\r\n"), "answered 403: it doesn't allow a connection to bus.example:4222"
        )
        self.fails(Proxied(closes=True), "closed the connection without an answer")
        self.fails(Proxied(b""), "doesn't answer as an HTTP proxy does")
        silent = Proxied(b"")
        silent.first = b""
        self.fails(silent, "didn't connect us in time; .*", 0.1)
        self.fails(Proxied(), "can't be reached: .*", proxy="http://127.0.0.1:1")


class ByWebsocket(SynchronousTestCase):
    """``ws://``, and with TLS ``wss://``."""

    def test_spoken(self) -> None:
        """NATS is spoken by websocket, however it is cut into frames; pings are answered, and its end is in order."""
        server = Websocket()
        shown = connect(server.meet, "ws://somebody:hidden@127.0.0.1:PORT/nats?a=b", size=70_000)
        self.assertNotIn("hidden", shown)
        self.assertEqual(server.request.target, "/nats?a=b")
        self.assertTrue(server.request.host.startswith("127.0.0.1:"))
        self.assertIn(b'"user": "somebody"', server.heard)
        self.assertTrue(b"PUB a.b  70000\r\n" + b"c" * 70_000 + b"\r\n" in server.heard)
        self.assertEqual((server.pongs > 0, server.closes), (True, 1))

    def test_refused(self) -> None:
        """What answers but has no NATS by websocket is said."""
        for server, text in (
            (Websocket(404), "answered 404 to the request for a websocket; is NATS behind that path?"),
            (Websocket(raw=b"SSH-2.0-x\r\n\r\n"), "what answers there speaks no websocket"),
            (Websocket(raw=b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n"), "what answers there speaks no websocket"),
        ):
            error = self.assertRaises(Given, connect, server.meet, "ws://127.0.0.1:PORT")
            self.assertEqual(str(error), text)

    def test_silent(self) -> None:
        """A server that says nothing, or only closes, is not waited for."""

        async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.close()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        error = self.assertRaises(Given, connect, closes, "ws://127.0.0.1:PORT", "", 30.0)
        self.assertIn("closed", str(error))
        for seconds in (0.1, 1.0, 10.0):  # a busy machine may take the time to connect
            error = self.assertRaises(Given, connect, silent, "ws://127.0.0.1:PORT", "", seconds)
            if "request" in str(error):
                break
        self.assertIn("no answer to the request for a websocket in time", str(error))

    def test_pings(self) -> None:
        """Of a server that pings and takes no answer no more is read than is answered: answers don't pile up."""

        async def reading() -> Writer:
            transport, writer = WebsocketTransport(DIRECT), Writer()
            transport._io_reader = reader = asyncio.StreamReader()
            transport._io_writer = cast(asyncio.StreamWriter, writer)
            uri = urlparse("ws://127.0.0.1:1")
            shaking = asyncio.ensure_future(transport._shake(uri))
            await asyncio.sleep(0)
            websocket = WSConnection(ConnectionType.SERVER)
            websocket.receive_data(writer.data)
            list(websocket.events())
            reader.feed_data(websocket.send(events.AcceptConnection()))
            await shaking
            for _ in range(3):
                reader.feed_data(websocket.send(events.Ping(b"x")) * 100)
                await transport._hear(65536)
            return writer

        self.assertEqual(awaited(reading()).drained, 3)

    def test_told_of(self) -> None:
        """Servers that another one tells of are reached as that one is, also by websocket."""
        for scheme, told in (("wss", "wss"), ("tls", "tls"), ("nats", "nats")):
            client = NatsClient(frozenset(), lambda: None, outbound=DIRECT)
            client._setup_server_pool([f"{scheme}://a.example:443"])
            client.options["dont_randomize"] = True
            client._current_server = client._server_pool[0]
            awaited(client._process_info({"connect_urls": ["b.example:444"]}, initial_connection=True))
            self.assertEqual([client._as_told(one).scheme for one in client._server_pool], [scheme, told])


class Settings(SynchronousTestCase):
    """What the settings may name."""

    def check(self, *urls: str, insecure: bool = False) -> str:
        class Given:
            nats, nats_nkey, nats_creds = urls, "", ""

        made: Any = Given()
        made.insecure = insecure
        try:
            check_bus(made)
        except ValueError as error:
            return str(error)
        return ""

    def test_schemes(self) -> None:
        """wss:// is a bus, ws:// only on this machine or if plain is allowed, and not beside others."""
        for urls in (("wss://a", "wss://b:8443/nats"), ("ws://127.0.0.1:1",)):
            self.assertEqual(self.check(*urls), "")
        self.assertEqual(self.check("ws://a"), "ws://a is not encrypted; use wss:// or --insecure")
        self.assertEqual(self.check("ws://a", insecure=True), "")
        self.assertIn("by wss:// all of them or none", self.check("wss://a", "tls://b"))
        self.assertIn("expected tls://", self.check("https://a"))
