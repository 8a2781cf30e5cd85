"""nats_client.py: TLS with a server, after its first words or before them, and what follows where there is none."""

import asyncio
import json
import logging
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus import connection
from streamrelay.bus.connection import Bus
from tests.authority import Authority
from tests.bus.test_nats_client import INFO
from tests.fakes.files import folder
from tests.fakes.logs import Heard
from tests.fakes.reactors import awaited

LONG = 60
"""Seconds after which an event that is waited for will not come."""


class Server:
    """A server that logs everybody in, by TLS after its INFO or (`first`) before it, and counts who came."""

    def __init__(self, context: ssl.SSLContext, first: bool) -> None:
        self.context, self.first, self.came = context, first, 0
        self.again = asyncio.Event()
        """Two have come."""
        self._writers: list[asyncio.StreamWriter] = []

    async def listen(self) -> int:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        if self.came == 2:
            self.again.set()
        self._writers.append(writer)
        info = f"INFO {json.dumps({**INFO, 'tls_required': True})}\r\n".encode()
        try:
            if not self.first:
                writer.write(info)
            await writer.start_tls(self.context)
            if self.first:
                writer.write(info)
            while line := await reader.readline():
                if line == b"PING\r\n":
                    writer.write(b"PONG\r\n")
        except OSError:
            writer.transport.abort()

    def drop(self) -> None:
        """Close all connections, in order."""
        for writer in self._writers:
            writer.close()

    def close(self) -> None:
        self.drop()
        self._server.close()


class Warnings(logging.Handler):
    """What asyncio has to say."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class Case(SynchronousTestCase):
    """A bus, and a server with TLS."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.ca = self.where / "ca.pem"
        cert, _, key = Authority(self.ca).issue(self.where / "nats.pem", "localhost").partition(",")
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(cert, key)
        self.heard, self.warnings = Heard(self), Warnings()
        logger = logging.getLogger("asyncio")
        logger.addHandler(self.warnings)
        self.addCleanup(logger.removeHandler, self.warnings)

    def run_bus(
        self,
        first: bool,
        act: Callable[[Server, asyncio.Event], Coroutine[Any, Any, None]],
        ca: Path | None = None,
        **settings: Any,
    ) -> None:
        """Start a server and a bus, act, and stop both; the event is that there is a connection."""

        async def work() -> None:
            server, up = Server(self.context, first), asyncio.Event()
            port = await server.listen()
            urls = (*settings.pop("urls", ()), f"tls://localhost:{port}")
            bus = Bus(urls, "test", ca=str(ca or self.ca), up=up.set, **settings)
            bus.start()
            try:
                await asyncio.wait_for(act(server, up), LONG)
            finally:
                await bus.stop()
                server.close()
                await asyncio.sleep(0)

        awaited(work())


async def connected(server: Server, up: asyncio.Event) -> None:
    await up.wait()


class Handshakes(Case):
    """A server that begins as the setting says, or otherwise."""

    def test_connected(self) -> None:
        """With `handshake_first` a bus that begins with TLS is connected; without, one that begins with INFO."""
        for first in (True, False):
            self.run_bus(first, connected, handshake_first=first)
        self.assertEqual(self.heard.text.count("connected to NATS at tls://localhost:"), 2)

    def test_not_as_set(self) -> None:
        """Otherwise the log names the server, and the setting."""

        async def told(server: Server, up: asyncio.Event) -> None:
            while "can't connect" not in self.heard.text:
                await asyncio.sleep(0.01)

        self.patch(connection, "ANSWER_TIME", 0.5)
        for first in (True, False):
            self.run_bus(first, told, handshake_first=not first)
            self.assertRegex(self.heard.text, "can't connect to NATS at tls://localhost:.*nats_handshake_first")
            self.heard.events.clear()

    def test_tried_again(self) -> None:
        """A server whose certificate isn't trusted is tried again, as it may be mended, or our `ca` be."""

        async def twice(server: Server, up: asyncio.Event) -> None:
            await server.again.wait()

        other = self.where / "other.pem"
        Authority(other)
        self.run_bus(False, twice, ca=other)
        self.assertEqual(self.heard.text.count("can't connect to NATS at tls://localhost:"), 1)

    def test_end(self) -> None:
        """The end of a connection is none of asyncio's complaints, and its server is named."""

        async def back(server: Server, up: asyncio.Event) -> None:
            await up.wait()
            up.clear()
            server.drop()
            await up.wait()

        self.run_bus(False, back)
        self.assertEqual(self.warnings.said, [])
        self.assertIn("lost the connection to NATS at tls://localhost:", self.heard.text)

    def test_another(self) -> None:
        """Of several servers the one that is connected is named, and each that can't be had, once."""
        self.run_bus(False, connected, urls=("tls://localhost:1", "tls://u:hidden@127.0.0.1:2"))
        self.assertNotIn("hidden", self.heard.text)
        self.assertNotIn("tls://localhost:1 ", self.heard.text.split("connected to NATS at ")[1])
